import { kernels, trim } from "../kernels/select.js";
import { panelsOfDense } from "../matrix/row-panels.js";
import type { View } from "../matrix/view.js";
import { scaleByPower } from "../numerics/powers.js";
import { norm2 } from "../numerics/sums.js";
import type { Action } from "../solve/action.js";
import {
  complete,
  type Found,
  finishTriplet,
  type ProductRequest,
  rayleigh,
  sigmaOnScale,
} from "../solve/finish.js";
import { startStream } from "../solve/krylov.js";
import { type Goal, lanczosIteration } from "../solve/lanczos.js";
import type { CheckedOptions } from "../solve/options.js";
import { panelSolver } from "../solve/panel-action.js";
import { requireConverged } from "../solve/require-converged.js";
import { checkedStart, MOST_STEPS } from "../solve/triplet.js";
import type { DeviceInput } from "./device-input.js";
import { DeviceKrylovSpace } from "./device-krylov.js";
import { DeviceProducts, requireFinite } from "./device-products.js";
import type { HostTriplet } from "./device-types.js";
import type { Session } from "./session.js";
import { type StoredMatrix, store } from "./stored-matrix.js";

/** The iteration for a matrix on the device. Its numbers are those of A·2^−exponent. */
class DeviceSolve {
  readonly facts: Pick<Action, "short" | "long" | "dtype" | "transposed" | "exponent" | "passes" | "cost">;
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

  /** A product with one vector, which uses the first slot of the basis. */
  async product(wanted: ProductRequest): Promise<Float64Array> {
    const session = this.#session;
    const { bound, short, long } = this.#products;
    this.facts.passes++;
    let product: Float32Array;
    if ("toLong" in wanted) {
      session.write(bound.basis, 0, Float32Array.from(wanted.toLong));
      session.run(this.#products.toLong(0));
      product = await session.read(bound.side, 0, long);
    } else {
      session.write(bound.side, 0, Float32Array.from(wanted.toShort));
      session.run(this.#products.toShort(0));
      product = await session.read(bound.basis, 0, short);
    }
    const found = new Float64Array(product);
    requireFinite(found);
    return found;
  }

  /** The short singular vector of σ₁, by the iteration of solve/lanczos.ts. */
  async find(goal: Goal): Promise<Found> {
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

function unit(x: Float64Array): Float64Array {
  const size = norm2(x);
  return size > 0 ? x.map((value) => value / size) : x;
}

async function startOf(solver: DeviceSolve, A: DeviceInput, options: CheckedOptions) {
  const v = checkedStart(options.start, A.n);
  if (!v) return undefined;
  return solver.facts.transposed ? unit(await solver.product({ toShort: v })) : v;
}

/** The triplet, with its vectors in host memory. */
export async function tripletOn(
  session: Session,
  A: DeviceInput,
  options: CheckedOptions,
): Promise<HostTriplet> {
  const solver = await DeviceSolve.of(session, A);
  const { rtol, atol = 0, maxIterations = MOST_STEPS, seed } = options;
  const start = await startOf(solver, A, options);
  const found = await solver.find({ of: "gradient", rtol, atol, maxIterations, seed, start });
  return completeOn(solver, A, found, options);
}

async function completeOn(
  solver: DeviceSolve,
  A: DeviceInput,
  found: Found,
  { rtol, atol = 0 }: CheckedOptions,
): Promise<HostTriplet> {
  if (A.kind === "dense")
    return onHost(A, solver, (products) =>
      complete({ ...solver.facts, passes: solver.facts.passes + 2, ...products }, found, rtol, atol),
    ) as HostTriplet;
  const steps = finishTriplet(solver.facts, found, rtol, atol);
  let step = steps.next();
  while (!step.done) step = steps.next(await solver.product(step.value));
  return step.value as HostTriplet;
}

/**
 * ‖A‖₂.
 *
 * @throws (rejects) ConvergenceError if the iteration ended before the value had the requested accuracy
 */
export async function normOn(session: Session, A: DeviceInput, options: CheckedOptions): Promise<number> {
  const solver = await DeviceSolve.of(session, A);
  const { rtol, atol = 0, maxIterations = MOST_STEPS, seed } = options;
  const { facts } = solver;
  const start = await startOf(solver, A, options);
  const scaledAtol = atol ? scaleByPower(atol, -facts.exponent) : 0;
  const found = await solver.find({ of: "value", rtol, atol: scaledAtol, maxIterations, seed, start });
  if (!found.reached) {
    const triplet = await completeOn(solver, A, found, options);
    requireConverged(triplet);
    return triplet.sigma;
  }
  if (A.kind === "dense")
    return onHost(A, solver, (products) => sigmaOnScale(facts, rayleigh(products, found.short)));
  const long = await solver.product({ toLong: found.short });
  return sigmaOnScale(facts, norm2(long) / norm2(found.short));
}

/** Computes with A in host memory, in float64, one panel at a time, with the scale and orientation of the device. */
function onHost<T>(
  view: View,
  { facts }: DeviceSolve,
  compute: (products: Pick<Action, "toLong" | "toShort">) => T,
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
      toLong: (x) => scaled(turned ? action.toShort(x) : action.toLong(x)),
      toShort: (y) => scaled(turned ? action.toLong(y) : action.toShort(y)),
    });
  } finally {
    set.arena.release(mark);
    trim();
  }
}
