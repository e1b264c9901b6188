import type { Kernels } from "../kernels/contract.js";
import { loadMatrix } from "../kernels/load-matrix.js";
import type { SingularTriplet } from "../matrix/types.js";
import type { OperatorView, View } from "../matrix/view.js";
import { createRandom } from "../numerics/random.js";
import { norm2 } from "../numerics/sums.js";
import { largestOutput, loadedAction } from "./action.js";
import { adjointTolerance, checkAdjoint } from "./adjoint.js";
import { inDType, roundedTo } from "./finish.js";

/** What the notebook's function takes. */
export interface PowerOptions {
  rtol: number;
  atol: number;
  maxIterations: number;
  start: ArrayLike<number> | undefined;
  seed: number;
  adjointRtol: number | undefined;
}

/** x ↦ A·x and y ↦ Aᵀ·y, unscaled. */
interface Products {
  forward(x: Float64Array): Float64Array;
  back(y: Float64Array): Float64Array;
}

function loadedProducts(kernels: Kernels, view: View): Products {
  const { matvec, rmatvec } = loadedAction(
    kernels,
    loadMatrix(kernels, view, false, { scaled: false }),
    true,
  );
  return { forward: matvec, back: rmatvec };
}

/**
 * The notebook's power iteration on AᵀA, to the letter: a normal start, x ← z/‖z‖, z ← Aᵀ(Ax), λ = ‖z‖/‖x‖,
 * until ‖z − λx‖ ≤ rtol·‖λx‖ + atol. Vectors and norms are rounded to A's dtype.
 *
 * It is here to be compared with. Its residual test holds at any singular vector, its atol is compared with
 * σ², it overflows (float32 beyond 1e10, float64 beyond 1e78) and on the zero matrix it meets 0/0: then
 * `converged` is false and u and v are zero.
 */
export function power(kernels: Kernels, view: View | OperatorView, options: PowerOptions): SingularTriplet {
  const { m, n } = view;
  const single = view.kind === "dense" && view.dtype === "float32";
  const round = single ? Math.fround : (x: number) => x;
  const stored = (x: Float64Array) => roundedTo(single ? "float32" : "float64", x);
  const { forward, back } = view.kind === "dense" ? loadedProducts(kernels, view) : operatorProducts(view);
  const tryAdjoint = (x: Float64Array, Ax: Float64Array, y: Float64Array, Aty: Float64Array) => {
    if (view.kind === "operator" && !view.entries)
      checkAdjoint({ from: x, to: Ax }, { from: y, to: Aty }, adjointTolerance(m, n, options.adjointRtol), [
        { name: "matvec", apply: forward },
        { name: "rmatvec", apply: back },
      ]);
  };
  const { rtol, atol, maxIterations } = options;
  const gram = (x: Float64Array) => stored(back(stored(forward(x))));
  // A norm overflows where the sum of squares does, as it would in A's dtype.
  const norm = (x: Float64Array) => {
    const size = norm2(x);
    return round(size * size) === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : round(size);
  };

  const random = createRandom(options.seed);
  let x: Float64Array = Float64Array.from({ length: n }, (_, i) =>
    options.start ? options.start[i] : random.normal(),
  );
  let tried = 0;
  if (view.kind === "operator" && !view.entries) {
    tried = 2;
    const y = Float64Array.from({ length: m }, () => random.normal() / (4 * Math.sqrt(m)));
    tryAdjoint(x, forward(x), y, back(y));
  }
  x = stored(x);
  const first = norm(x);
  x = stored(x.map((value) => value / first));
  let z = gram(x);
  let size = norm(z);
  let lambda = round(size / norm(x));
  let iterations = 0;
  let stopped = false;
  while (iterations < maxIterations) {
    iterations++;
    x = stored(z.map((value) => value / size));
    z = gram(x);
    size = norm(z);
    lambda = round(size / norm(x));
    let residual = 0;
    let scale = 0;
    for (let i = 0; i < n; i++) {
      residual += (z[i] - lambda * x[i]) ** 2;
      scale += (lambda * x[i]) ** 2;
    }
    if (Math.sqrt(residual) <= rtol * Math.sqrt(scale) + atol) {
      stopped = true;
      break;
    }
    // NaN stays NaN: every further step would be the same.
    if (Number.isNaN(lambda)) break;
  }
  let passes = 2 * (iterations + 1) + tried;

  let sigma = round(Math.sqrt(lambda));
  const v = new Float64Array(n);
  const u = new Float64Array(m);
  let residual = Number.NaN;
  const length = norm2(x);
  for (let i = 0; i < n; i++) v[i] = round(x[i] / length);
  const image = forward(v);
  passes++;
  const width = norm2(image);
  const sound =
    sigma > 0 && width > 0 && sigma < Number.POSITIVE_INFINITY && width < Number.POSITIVE_INFINITY;
  if (sound) {
    for (let i = 0; i < m; i++) u[i] = round(image[i] / width);
    const again = back(u);
    passes++;
    let square = 0;
    for (let i = 0; i < m; i++) square += (image[i] - sigma * u[i]) ** 2;
    for (let j = 0; j < n; j++) square += (again[j] - sigma * v[j]) ** 2;
    residual = Math.sqrt(square);
    tryAdjoint(v, image, u, again);
  } else {
    v.fill(0);
    u.fill(0);
    if (!Number.isFinite(sigma)) sigma = Number.NaN;
  }
  return {
    sigma,
    u: inDType(view.dtype, u),
    v: inDType(view.dtype, v),
    residual,
    gap: Number.NaN,
    gradientError: Number.NaN,
    iterations,
    passes,
    converged: stopped && sound,
    tied: false,
    method: "power",
  };
}

function operatorProducts(A: OperatorView): Products {
  const product = (name: "matvec" | "rmatvec", length: number) => (x: Float64Array) => {
    const out = new Float64Array(length);
    A[name](x, out);
    if (!A.entries && x.every(Number.isFinite)) largestOutput(out, name);
    return out;
  };
  return { forward: product("matvec", A.m), back: product("rmatvec", A.n) };
}
