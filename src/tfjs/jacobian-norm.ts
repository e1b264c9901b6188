/** The spectral norm of the Jacobian of a tensor function. */
import { getBackend, Tensor, tensor } from "@tensorflow/tfjs-core";
import { linearOperator } from "../index.js";
import { AdjointError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { namedOptions } from "../matrix/option-names.js";
import type { SingularTriplet } from "../matrix/types.js";
import { EPSILON } from "../numerics/epsilon.js";
import { norm2 } from "../numerics/sums.js";
import { adjointTolerance } from "../solve/adjoint.js";
import { checkOptions, checkStart, type SolveOptions } from "../solve/options.js";
import { tripletOfValue } from "../solve/triplet.js";
import { JacobianProducts } from "./jacobian-products.js";
import { readNow } from "./tensor-input.js";

const CALLER = "jacobianNorm";

/** A function of tensors. */
export type TensorFunction = (x: Tensor) => Tensor;

/** Options of `jacobianNorm`. */
export interface JacobianNormOptions extends Pick<SolveOptions, "rtol" | "maxIterations" | "seed"> {
  /**
   * A first v, which speeds the iteration up and is never trusted: a tensor with as many numbers as x, such as the `v`
   * of a call nearby, or an array.
   */
  start?: Tensor | ArrayLike<number>;
}

/** What `jacobianNorm` returns. */
export interface JacobianNorm {
  /** ‖Jᵀ·u‖ for the unit vector u: at most ‖J‖₂, but for rounding */
  sigma: number;
  /** unit left singular vector, of the shape of f(x) */
  u: Tensor;
  /** unit right singular vector, of the shape of x: the direction in which f is steepest at x */
  v: Tensor;
  /** √(‖J·v − σu‖² + ‖Jᵀ·u − σv‖²) */
  residual: number;
  /** whether σ is accurate to `rtol` */
  converged: boolean;
}

/** Outputs up to which J is formed row by row. Chosen: the iteration takes as many products. */
const FEW_OUTPUTS = 64;
/** The most numbers of a Jacobian that is formed because it has to be. Chosen: 256 MiB. */
const MOST_NUMBERS = 2 ** 26;
/** The relative error of σ asked for by default. Chosen: what products in float32 support. */
const RTOL = 1e-6;

/**
 * The spectral norm ‖J‖₂ of the Jacobian J of a function at x: how much f amplifies the length of a small change of x
 * at most. It is a lower bound of every Lipschitz constant of f in the Euclidean norm, because no f with the constant L
 * has a larger Jacobian anywhere.
 *
 * J is used by its products alone. Jᵀ·y is the gradient of ⟨y, f(x)⟩, and J·v is the gradient of ⟨v, Jᵀ·y⟩ with respect
 * to y. Both are exact up to the rounding of float32. Where f(x) has at most 64 numbers, or TensorFlow.js has no
 * derivative of a gradient that f needs, J is formed instead, a row for each number of f(x).
 *
 * @param f - from a float32 tensor to a float32 tensor of any shape, deterministic, by TensorFlow.js operations that have
 *   a gradient: `(x) => model.apply(x)`. With tfjs-core alone, most operations have none; importing
 *   `@tensorflow/tfjs-layers` or `@tensorflow/tfjs` registers them
 * @param x - float32, of any shape. All of its numbers are the variables: a batch is one long vector, so for the norm at
 *   each sample call this once a sample
 * @param options - `rtol`: relative error wanted in σ; default 1e-6, about what float32 supports. `maxIterations`: block
 *   steps of the iteration, default 10000. `seed`, `start` as for the core's `singularTriplet`
 * @returns numbers, and the tensors u and v, which the caller disposes. With `converged: false` they are the best so
 *   far, and σ is still at most ‖J‖₂. Where J is 0, σ is 0
 * @throws UnsupportedError if f cannot be differentiated, if x or f(x) is no float32 tensor, on a backend that cannot
 *   be read synchronously (webgpu), and where J had to be formed and has more than 2²⁶ numbers; ShapeError if x or f(x)
 *   is empty, or `start` has another length than x; NonFiniteError if x, f(x) or a derivative is NaN or infinite;
 *   AdjointError if f is not deterministic (dropout in training), or if TensorFlow.js' gradient is not the adjoint of
 *   the linearized f (on some backends for average pooling with padding "same", and on wasm for max pooling of negative
 *   numbers); OptionError; whatever f throws
 *
 * @remarks
 * **Cost.** For m ≤ 64 numbers in f(x), m + 9 evaluations of f with its gradient. Otherwise some 50 to 200, half of them
 * with a second backward pass.
 *
 * **Not guaranteed.** J is the derivative that TensorFlow.js computes. It is not that of f for operations whose gradient
 * there is another one: `tf.cast` to integers (1), `tf.mirrorPad` (without the copies beyond the edges), and at kinks, as
 * of ReLU at 0, where it is one of the slopes. A random start can miss σ₁, as for `singularTriplet` of the core. σ is a
 * lower bound up to the rounding of float32, about 10⁻⁶ of it, and more where large terms cancel.
 *
 * **Source.** J·v from two reverse passes: J. Townsend, "A new trick for calculating Jacobian vector products" (2017).
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import "@tensorflow/tfjs-layers";
 * import { jacobianNorm } from "spectral-norm/tfjs";
 *
 * const W = tf.tensor2d([[3, 0], [4, 5]]);
 * const f = (x: tf.Tensor) => tf.relu(tf.dot(W, x as tf.Tensor1D));
 * const { sigma, v } = jacobianNorm(f, tf.tensor1d([1, 1]));
 * console.log(sigma.toFixed(4), v.shape.join(" ")); // 6.7082 2
 * ```
 */
export function jacobianNorm(f: TensorFunction, x: Tensor, options?: JacobianNormOptions): JacobianNorm {
  const { start, ...solve } = namedOptions(options, {
    caller: CALLER,
    names: ["rtol", "maxIterations", "seed", "start"],
    example: "{ rtol: 1e-4 }",
  }) as JacobianNormOptions;
  checkOptions({ ...solve, start: start instanceof Tensor ? undefined : start });
  const J = new JacobianProducts(f, x, CALLER);
  const first = startOf(start, J.n);
  J.checkDeterministic();
  J.checkZero();

  const rtol = Math.max(solve.rtol ?? RTOL, Number.MIN_VALUE);
  const why = J.pushFails();
  const iterate = J.m > FEW_OUTPUTS && why === undefined;
  const found = iterate
    ? byProducts(J, { ...solve, rtol, start: first })
    : byRows(J, { ...solve, rtol }, why);
  return measured(J, found, solve.rtol);
}

function startOf(start: JacobianNormOptions["start"], n: number): ArrayLike<number> | undefined {
  const numbers = start instanceof Tensor ? readNow(start, CALLER, "pass start as an array").slice() : start;
  if (numbers && numbers.length !== n)
    throw new ShapeError(`start: expected ${n} numbers, as x has; got ${numbers.length}`);
  checkStart(numbers, n);
  return numbers;
}

/** A triplet, and J·v by the way that found it. */
interface Found {
  readonly triplet: SingularTriplet;
  push(v: Float32Array): ArrayLike<number>;
}

function byProducts(J: JacobianProducts, options: SolveOptions): Found {
  const operator = {
    shape: [J.m, J.n] as const,
    matvec: (v: Float64Array, out: Float64Array) => out.set(J.push(v)),
    rmatvec: (y: Float64Array, out: Float64Array) => out.set(J.pullBack(y)),
  };
  return explained(() => ({ triplet: tripletOfValue(operator, options), push: (v) => J.push(v) }));
}

/** Runs `f`; where the products are not adjoint, says what that means here. */
function explained<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof AdjointError) || error.reason !== "adjoint") throw error;
    throw new AdjointError(
      `${CALLER}: the gradient of f, as TensorFlow.js computes it on the ${getBackend()} backend, is not the adjoint of the linearized f, by more than the rounding of float32. It is known to be wrong for average pooling with padding "same", for resizing with halfPixelCenters and, on wasm, for max pooling of negative numbers and for conv3d`,
      error.reason,
    );
  }
}

/** @param why  why there are no products J·v, if so */
function byRows(
  J: JacobianProducts,
  { rtol, maxIterations, seed }: SolveOptions,
  why: string | undefined,
): Found {
  const { m, n } = J;
  if (m > FEW_OUTPUTS && m * n > MOST_NUMBERS)
    throw new UnsupportedError(
      `${why}; without products J·v the Jacobian would have to be formed, and ${m}×${n} numbers are more than ${MOST_NUMBERS}: give fewer outputs at a time`,
    );
  const data = new Float32Array(m * n);
  const unit = new Float32Array(m);
  for (let i = 0; i < m; i++) {
    unit[i] = 1;
    data.set(J.pullBack(unit), i * n);
    unit[i] = 0;
  }
  if (why === undefined) explained(() => J.checkAdjoint());
  const rows = { data, shape: [m, n] as const };
  const push = (v: Float32Array) => {
    const out = new Float64Array(m);
    linearOperator(rows).matvec(Float64Array.from(v), out);
    return out;
  };
  return { triplet: tripletOfValue(rows, { rtol, maxIterations, seed }), push };
}

/** The answer, measured with u and v as they are returned. */
function measured(J: JacobianProducts, { triplet, push }: Found, rtol: number | undefined): JacobianNorm {
  const [u, v] = [Float32Array.from(triplet.u), Float32Array.from(triplet.v)];
  const back = Float64Array.from(J.pullBack(u));
  const image = push(v);
  const sigma = norm2(back) / norm2(Float64Array.from(u));
  const residual = Math.hypot(
    norm2(Float64Array.from(u, (value, i) => image[i] - sigma * value)),
    norm2(Float64Array.from(v, (value, i) => back[i] - sigma * value)),
  );
  // Without a tolerance: what the rounding of products in float32 explains.
  const reached =
    rtol === undefined
      ? residual <= adjointTolerance(J.m, J.n) * sigma
      : residual <= rtol * sigma ||
        (rtol >= EPSILON.float32 && residual * residual <= rtol * sigma * triplet.gap);
  return {
    sigma,
    u: tensor(u, J.outputShape),
    v: tensor(v, J.inputShape),
    residual,
    converged: sigma === 0 ? triplet.converged : triplet.converged && reached,
  };
}
