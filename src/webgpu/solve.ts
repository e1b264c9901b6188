import { kernels, trim } from "../kernels/select.js";
import { panelsOfDense } from "../matrix/row-panels.js";
import type { View } from "../matrix/view.js";
import { scaleByPower } from "../numerics/powers.js";
import { norm2 } from "../numerics/sums.js";
import type { ActionFacts, VectorProducts } from "../solve/action.js";
import { normOnScale, type RitzResult, roundedTo, singularPair, tripletOfPair } from "../solve/finish.js";
import { startStream } from "../solve/krylov.js";
import { lanczosIteration } from "../solve/lanczos.js";
import type { CheckedOptions } from "../solve/options.js";
import { panelSolver } from "../solve/panel-action.js";
import { requireConverged } from "../solve/require-converged.js";
import { type Goal, goalOf } from "../solve/stopping-rule.js";
import { scaledStart } from "../solve/triplet.js";
import type { DeviceInput } from "./device-input.js";
import { DeviceKrylovSpace } from "./device-krylov.js";
import { DeviceProducts, requireFinite } from "./device-products.js";
import type { HostTriplet } from "./device-types.js";
import type { Session } from "./session.js";
import { type StoredMatrix, store } from "./stored-matrix.js";

/** The iteration for a matrix on the device. Its numbers are those of A·2^−exponent. */
class DeviceSolve {
  readonly facts: Omit<ActionFacts, "passes"> & { passes: number };
  readonly #session: Session;
  readonly #products: DeviceProducts;
  readonly #fingerprint: number;

  constructor(session: Session, matrix: StoredMatrix, products: DeviceProducts) {
    const { rows, cols, flipped, exponent, fingerprint } = matrix;
    this.#session = session;
    this.#products = products;
    this.#fingerprint = fingerprint;
    this.facts = {
      short: products.short,
      long: products.long,
      dtype: "float32",
      transposed: flipped !== rows < cols,
      exponent,
      passes: 0,
      // A check costs a wait, which takes as long as many passes, so the cost of a pass is stated as lower. Chosen: 1/64.
      cost: (rows * cols) / 64,
    };
  }

  static async of(session: Session, A: DeviceInput): Promise<DeviceSolve> {
    const matrix = await store(session, A);
    return new DeviceSolve(session, matrix, await DeviceProducts.of(session, matrix));
  }

  /** P·x, through the first slot of the basis. */
  async matvec(x: Float64Array): Promise<Float64Array> {
    const { bound, long } = this.#products;
    this.facts.passes++;
    this.#session.write(bound.basis, 0, Float32Array.from(x));
    this.#session.run(this.#products.matvec(0));
    return finite(await this.#session.read(bound.side, 0, long));
  }

  /** Pᵀ·y */
  async rmatvec(y: Float64Array): Promise<Float64Array> {
    const { bound, short } = this.#products;
    this.facts.passes++;
    this.#session.write(bound.side, 0, Float32Array.from(y));
    this.#session.run(this.#products.rmatvec(0));
    return finite(await this.#session.read(bound.basis, 0, short));
  }

  /** The short singular vector of σ₁, by the iteration of solve/lanczos.ts. */
  async find(goal: Goal): Promise<RitzResult> {
    const space = await DeviceKrylovSpace.of(
      this.#session,
      this.#products,
      startStream(goal.seed, this.#fingerprint),
    );
    await space.start(goal.start);
    const iteration = lanczosIteration(space, this.facts, goal);
    const before = this.facts.passes;
    for (;;) {
      const { done, value } = iteration.next();
      // A step reads A for P and again for Pᵀ.
      this.facts.passes = before + 2 * space.steps;
      if (done) {
        const { coefficients, ...ended } = value;
        return { short: unit(await space.combine(coefficients)), ...ended };
      }
      if ("restart" in value) space.restart(value.restart);
      else await space.extend(value.extend, goal.maxIterations);
    }
  }
}

function finite(product: Float32Array): Float64Array {
  const found = new Float64Array(product);
  requireFinite(found);
  return found;
}

function unit(x: Float64Array): Float64Array {
  const size = norm2(x);
  return size > 0 ? x.map((value) => value / size) : x;
}

async function startOf(solver: DeviceSolve, A: DeviceInput, options: CheckedOptions) {
  const v = scaledStart(options.start, A.n);
  if (!v) return undefined;
  return solver.facts.transposed ? unit(await solver.rmatvec(v)) : v;
}

/** The triplet, with its vectors in host memory. */
export async function tripletOn(
  session: Session,
  A: DeviceInput,
  options: CheckedOptions,
): Promise<HostTriplet> {
  const solver = await DeviceSolve.of(session, A);
  const start = await startOf(solver, A, options);
  const found = await solver.find(goalOf(options, "gradient", solver.facts, start));
  return completeOn(solver, A, found, options);
}

async function completeOn(
  solver: DeviceSolve,
  A: DeviceInput,
  found: RitzResult,
  { rtol, atol = 0 }: CheckedOptions,
): Promise<HostTriplet> {
  const { facts } = solver;
  const short = roundedTo(facts.dtype, found.short);
  if (A.kind === "dense")
    return onHost(A, solver, (products) => {
      const pair = singularPair(facts.dtype, short, products.matvec(short));
      const back = products.rmatvec(pair.long);
      return tripletOfPair({ ...facts, passes: facts.passes + 2 }, found, pair, back, rtol, atol);
    }) as HostTriplet;
  const pair = singularPair(facts.dtype, short, await solver.matvec(short));
  const back = await solver.rmatvec(pair.long);
  return tripletOfPair(facts, found, pair, back, rtol, atol) as HostTriplet;
}

/**
 * ‖A‖₂.
 *
 * @throws (rejects) ConvergenceError if the iteration ended before the value had the requested accuracy
 */
export async function normOn(session: Session, A: DeviceInput, options: CheckedOptions): Promise<number> {
  const solver = await DeviceSolve.of(session, A);
  const { facts } = solver;
  const start = await startOf(solver, A, options);
  const found = await solver.find(goalOf(options, "value", facts, start));
  if (!found.converged) {
    const triplet = await completeOn(solver, A, found, options);
    requireConverged(triplet);
    return triplet.sigma;
  }
  const image =
    A.kind === "dense"
      ? onHost(A, solver, (products) => products.matvec(found.short))
      : await solver.matvec(found.short);
  return normOnScale(norm2(image) / norm2(found.short), facts.exponent);
}

/** Computes with A in host memory, in float64, one panel at a time, with the scale and orientation of the device. */
function onHost<T>(
  view: View,
  { facts }: DeviceSolve,
  compute: (products: Pick<VectorProducts, "matvec" | "rmatvec">) => T,
): T {
  const set = kernels();
  const mark = set.arena.mark();
  try {
    const { action } = panelSolver(set, panelsOfDense(view), false);
    const scaled = (x: Float64Array) => {
      const factor = scaleByPower(1, action.exponent - facts.exponent);
      return factor === 1 ? x : x.map((value) => value * factor);
    };
    // For a square matrix the two may disagree about which side is the short one.
    const turned = action.transposed !== facts.transposed;
    return compute({
      matvec: (x) => scaled(turned ? action.rmatvec(x) : action.matvec(x)),
      rmatvec: (y) => scaled(turned ? action.matvec(y) : action.rmatvec(y)),
    });
  } finally {
    set.arena.release(mark);
    trim();
  }
}
