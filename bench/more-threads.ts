import { singularTriplet } from "../src/index.js";
import { divided, type SlotRoutines } from "../src/kernels/parallel.js";
import { kernels } from "../src/kernels/select.js";
import type { WorkerTeam } from "../src/kernels/worker-team.js";
import { argumentNumbers, callRoutine, writeArguments } from "../src/threads/mailbox.js";
import { median } from "./clock.js";
import { type ChunkTime, timeOfJob } from "./list-scheduling.js";
import type { MoreThreads } from "./result.js";
import { makeWorkload } from "./workload.js";

const SIZES = [512, 1024, 2048, 4096];
const THREADS = [2, 4, 8, 16];
/** Chosen: an odd number, for its median. */
const ROUNDS = 9;
/** Milliseconds that a round takes at least. */
const ROUND_MS = 20;
/** Milliseconds that an order to another thread costs. Measured: half a microsecond, and as much until it is read. */
const ORDER_MS = 0.001;

/**
 * How `singularTriplet` of Gaussian float32 matrices would scale on more cores than this machine has: a simulation. The
 * divided routines run as they do with threads, but one thread computes all their chunks, each by the clock. What they
 * would take on several threads follows by list scheduling; everything else is as measured. The cores of the simulation
 * are as fast together as one alone, and share no cache and no memory; `gigabytesPerSecond` says how much A they would
 * read.
 */
export function moreThreadsOf(seed: number): MoreThreads[] {
  const used = kernels();
  const { routines, arena } = used;
  const { slots } = used as unknown as { slots?: SlotRoutines };
  if (!slots) return [];
  let jobsMs = 0;
  const simulatedMs = new Map<number, number>();
  const numbers = argumentNumbers();
  const team: WorkerTeam = {
    threads: Math.max(...THREADS),
    available: () => true,
    wake() {},
    run(job, use) {
      const { chunks, output, scratch, backwards, args } = job;
      const routine = (slots as unknown as Record<string, (...args: number[]) => void>)[job.routine];
      const begun = performance.now();
      writeArguments(numbers, job, output.pointer, scratch?.pointer ?? 0);
      const computeMs = new Float64Array(chunks);
      const order = Array.from({ length: chunks }, (_, k) => (backwards ? chunks - 1 - k : k));
      for (const k of order) {
        const before = performance.now();
        callRoutine(routine, numbers, args.length, k, k);
        computeMs[k] = performance.now() - before;
      }
      const useMs = computeMs.map((_, k) => {
        const before = performance.now();
        use(output.pointer + output.bytes * k, k);
        return performance.now() - before;
      });
      const times = order.map(
        (chunk): ChunkTime => ({
          chunk,
          computeMs: computeMs[chunk],
          useMs: useMs[chunk],
        }),
      );
      jobsMs += performance.now() - begun;
      for (const count of THREADS)
        simulatedMs.set(count, (simulatedMs.get(count) ?? 0) + timeOfJob(times, count, ORDER_MS));
    },
  };
  const inChunks = divided(arena, routines, slots, team);
  const setRoutines = (next: object) => Object.assign(used, { routines: next });
  try {
    return SIZES.map((n) => {
      const { data } = makeWorkload(
        {
          id: `${n}²`,
          rows: n,
          cols: n,
          batch: 1,
          dtype: "float32",
          stored: "float32",
          spectrum: "gaussian",
        },
        seed,
      );
      const A = { data, shape: [n, n] };
      let passes = 0;
      const timed = (calls: number) => {
        const begun = performance.now();
        for (let i = 0; i < calls; i++) passes = singularTriplet(A).passes;
        return (performance.now() - begun) / calls;
      };
      // Until everything is compiled.
      for (const set of [inChunks, routines]) {
        setRoutines(set);
        timed(n < 1000 ? 50 : 3);
      }
      const calls = Math.ceil(ROUND_MS / timed(1));
      const ones: number[] = [];
      const severals = new Map(THREADS.map((count) => [count, [] as number[]]));
      for (let round = 0; round < ROUNDS; round++) {
        const one = timed(calls);
        ones.push(one);
        jobsMs = 0;
        simulatedMs.clear();
        setRoutines(inChunks);
        const beside = timed(calls) - jobsMs / calls;
        setRoutines(routines);
        for (const [count, all] of severals) all.push(beside + (simulatedMs.get(count) ?? 0) / calls);
      }
      const most = median(severals.get(Math.max(...THREADS)) as number[]);
      return {
        n,
        oneMs: median(ones),
        ratios: [...severals].map(([threads, all]) => ({
          threads,
          ratio: median(all.map((ms, round) => ms / ones[round])),
        })),
        gigabytesPerSecond: (passes * n * n * 4) / most / 1e6,
      };
    });
  } finally {
    setRoutines(routines);
  }
}
