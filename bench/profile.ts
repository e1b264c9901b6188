import { valueAndGrad } from "../src/index.js";
import { kernels } from "../src/kernels/select.js";
import type { DType } from "../src/matrix/types.js";
import type { Profile } from "./result.js";
import { makeWorkload } from "./workload.js";

const CASES: readonly (readonly [number, DType])[] = [
  [256, "float32"],
  [256, "float64"],
  [512, "float32"],
  [512, "float64"],
];
/** Routines that are passes over A: AᵀA·X in one read. */
const PASS = /^normalMatvec/;
/** Chosen: short rounds, of which some are not disturbed. */
const ROUNDS = 25;
/** Chosen: a part is listed from this share on. */
const LISTED = 0.01;

/**
 * How `valueAndGrad` of Gaussian matrices divides its time, on one thread: each routine of the kernels is called through
 * a clock, and its share is that of the same calls' time, in the fastest of many rounds, which other processes disturb
 * least. The time of a call is taken without clocks.
 */
export function profilesOf(seed: number, { budgetMs }: { budgetMs: number }): Profile[] {
  const used = kernels();
  const { routines } = used;
  const spent = new Map<string, number>();
  const clocked = Object.fromEntries(
    Object.entries(routines).map(([name, routine]: [string, unknown]) => [
      name,
      typeof routine === "function" ? withClock(name, routine as Routine, spent) : routine,
    ]),
  );
  const setRoutines = (next: object) => Object.assign(used, { routines: next });
  try {
    return CASES.map(([n, dtype]) => {
      const id = `${n}² ${dtype}`;
      const { data } = makeWorkload(
        { id, rows: n, cols: n, batch: 1, dtype, stored: dtype, spectrum: "gaussian" },
        seed,
      );
      const A = { data, shape: [n, n] };
      const run = (calls: number) => {
        const begin = performance.now();
        for (let i = 0; i < calls; i++) valueAndGrad(A);
        return (performance.now() - begin) / calls;
      };
      // Until everything is compiled.
      const warm = performance.now();
      let ms = run(1);
      while (performance.now() - warm < budgetMs) ms = run(1);
      const calls = Math.max(1, Math.ceil(budgetMs / ROUNDS / ms));
      let fastest = Number.POSITIVE_INFINITY;
      let clockedMs = Number.POSITIVE_INFINITY;
      let shares: Profile["parts"] = [];
      for (let round = 0; round < ROUNDS; round++) {
        fastest = Math.min(fastest, run(calls));
        spent.clear();
        setRoutines(clocked);
        const all = calls * run(calls);
        setRoutines(routines);
        if (all >= clockedMs) continue;
        clockedMs = all;
        shares = [...spent]
          .map(([name, part]) => ({ name, share: part / all }))
          .sort((a, b) => b.share - a.share);
      }
      return {
        n,
        dtype,
        ms: fastest,
        passes: shares.filter(({ name }) => PASS.test(name)).reduce((sum, { share }) => sum + share, 0),
        outside: 1 - shares.reduce((sum, { share }) => sum + share, 0),
        parts: shares.filter(({ share }) => share >= LISTED),
      };
    });
  } finally {
    setRoutines(routines);
  }
}

type Routine = (...args: number[]) => unknown;

function withClock(name: string, routine: Routine, spent: Map<string, number>): Routine {
  return (...args) => {
    const begin = performance.now();
    const result = routine(...args);
    spent.set(name, (spent.get(name) ?? 0) + performance.now() - begin);
    return result;
  };
}
