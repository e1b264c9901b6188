import { certify } from "../src/certify/certify.js";
import { proofKernels } from "../src/kernels/proof-kernels.js";
import type { Case } from "./cases.js";
import { type ClockOptions, median, quotients, takeTurns } from "./clock.js";
import { inProcess } from "./contender.js";
import type { Core } from "./contenders/core.js";
import type { Proof } from "./result.js";
import { outerDistance, truthOf } from "./truth.js";
import { makeWorkload } from "./workload.js";

const SHAPES: readonly (readonly [number, number])[] = [
  [64, 128],
  [256, 256],
  [1000, 1000],
];
/** Entries up to which `--quick` measures proofs. */
const QUICK = 2 ** 17;

/**
 * What a proof costs beside the value and gradient that it is of, in turn, on Gaussian matrices in float64, by one
 * thread; and, outside the time, what it proved and whether the reference lies within.
 */
export async function proofs(
  core: Core,
  seed: number,
  quick: boolean,
  clock: ClockOptions,
): Promise<Proof[]> {
  const found: Proof[] = [];
  for (const [rows, cols] of SHAPES) {
    if (quick && rows * cols > QUICK) continue;
    const of: Case = {
      id: `${rows}×${cols}`,
      rows,
      cols,
      batch: 1,
      dtype: "float64",
      stored: "float64",
      spectrum: "gaussian",
    };
    const workload = makeWorkload(of, seed);
    const A = { data: workload.data, shape: [rows, cols] };
    const call = (run: () => unknown) =>
      inProcess({ prepare: () => undefined, run, read: () => ({ sigmas: [] }) })(workload);
    const contenders = [
      { name: `certify ${of.id}`, loaded: await call(() => core.certify(A)) },
      { name: `valueAndGrad ${of.id}`, loaded: await call(() => core.valueAndGrad(A)) },
    ];
    const times = await takeTurns(contenders, clock);
    const [certifyMs, gradientMs] = contenders.map(({ name }) => times.get(name));
    if (!certifyMs || !gradientMs) throw new Error(`${of.id}: the proof was not measured`);

    const tests = testsOf(() => certify(A));
    const truth = truthOf(core, workload, 0);
    const { lower, upper, sigma2Upper, gradientErrorBound, proven, triplet } = core.certify(A);
    found.push({
      rows,
      cols,
      certifyMs,
      gradientMs,
      flops: flopsOf(Math.min(rows, cols), Math.max(rows, cols), tests),
      ratio: median(quotients(certifyMs.samples, gradientMs.samples)),
      proven,
      width: (upper - lower) / lower,
      secondExcess: sigma2Upper / (truth.sigma * (1 - truth.gap)) - 1,
      gradientErrorBound,
      gradientError: outerDistance(triplet.u, triplet.v, truth),
      // The reference itself is known to some ε·σ.
      holds: lower <= truth.sigma * (1 + SLACK) && upper >= truth.sigma * (1 - SLACK),
    });
  }
  return found;
}

/** Flops of the Gram matrix's lower triangle and of so many Cholesky factorizations; terms of lower order are left out. */
function flopsOf(short: number, long: number, tests: number): number {
  return short * short * long + (tests * short ** 3) / 3;
}

/** How many factorizations a proof takes: in the copy of the package that is part of the benchmark. */
function testsOf(prove: () => unknown): number {
  const { routines } = proofKernels();
  const { choleskyOf } = routines;
  let tests = 0;
  routines.choleskyOf = (...args) => {
    tests++;
    return choleskyOf(...args);
  };
  try {
    prove();
  } finally {
    routines.choleskyOf = choleskyOf;
  }
  return tests;
}

/** Allowed error of the reference, 16·ε: the rounding of its last product. */
const SLACK = 2 ** -48;
