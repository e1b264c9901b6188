import type { Arena } from "../kernels/contract.js";
import { kernels } from "../kernels/select.js";
import { complexFunction } from "../matrix/complex-input.js";
import { UnsupportedError } from "../matrix/errors.js";
import { type Input, inputOf } from "../matrix/row-panels.js";
import type {
  DenseMatrix,
  Matrix,
  MatrixLike,
  Precision,
  RowPanelSource,
  SingularTriplet,
} from "../matrix/types.js";
import { allocateArray } from "../matrix/view.js";
import type { CheckedOptions } from "../solve/options.js";
import { smallGradient, smallView } from "../solve/small.js";
import { tripletOf } from "../solve/triplet.js";
import { checkGradientOptions, type GradientOptions, panelsApartFrom } from "./gradient-options.js";

/** A norm with its derivative. */
export interface ValueAndGrad<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  /** ‖A‖₂ */
  value: number;
  /** ∂‖A‖₂/∂A = u·vᵀ, row-major, in A's dtype */
  grad: Matrix<D>;
  /** whether the gradient has the requested accuracy, as in `singularTriplet` */
  converged: boolean;
  /** estimate of ‖grad − u₁v₁ᵀ‖_F, √2 if σ₁ is tied; as in `singularTriplet` */
  gradientError: number;
}

/** Most numbers of a gradient. Chosen: some engines grant longer arrays although there is no memory for them. */
const MOST_NUMBERS = 2 ** 32;

/** Numbers that are computed at a time. Chosen: at most 256 KiB, so that they stay in cache until they are copied. */
const BLOCK = 2 ** 15;

/**
 * Most numbers of a gradient that is computed at once and then copied to a new array, which need not be filled with zeros
 * first. Measured: that takes a quarter less time. Chosen: at most 8 MiB of kernel memory, which a dense A has taken before.
 */
const WHOLE = 2 ** 20;

/**
 * Rows of a product with u, computed in kernel memory and copied to a new array of the type of u, or to `out` from `offset`
 * on. They come in blocks, so that kernel memory need not hold all of u or of the product.
 *
 * @param compute - writes the `count` rows of the part of u at `left`, and up to 16 bytes behind them
 * @param parts - numbers of u to a row
 */
export function rowsInBlocks(
  arena: Arena,
  u: Float32Array | Float64Array,
  n: number,
  out: Float32Array | Float64Array | undefined,
  offset: number,
  compute: (left: number, count: number, to: number) => void,
  parts = 1,
): Float32Array | Float64Array {
  const single = u instanceof Float32Array;
  const bytes = single ? 4 : 8;
  const view = single ? arena.f32 : arena.f64;
  const m = u.length / parts;
  const whole = !out && m * n <= WHOLE;
  const rows = whole ? m : Math.max(1, Math.min(m, Math.floor(BLOCK / n)));
  const result = out ?? (whole ? undefined : allocateArray(single ? "float32" : "float64", m * n));
  const left = arena.take(rows * parts * bytes);
  const to = arena.take(rows * n * bytes + 16);
  for (let i = 0; i < m; i += rows) {
    const part = u.subarray(i * parts, (i + rows) * parts);
    const count = part.length / parts;
    view(left, part.length).set(part);
    compute(left, count, to);
    const numbers = view(to, count * n);
    if (!result) return new (single ? Float32Array : Float64Array)(numbers);
    result.set(numbers, offset + i * n);
  }
  return result as Float32Array | Float64Array;
}

/**
 * ‖A‖₂ and its derivative u·vᵀ.
 *
 * @typeParam A - type of the matrix or matrices, which decides that of the numbers in the answer
 * @param A - m×n with entries, finite; neither changed nor kept. Row panels are accepted too
 * @param options - `rtol`: relative error of the gradient (Frobenius); default: the accuracy of A's dtype. `out`: an
 *   array for the gradient, which later calls may reuse; default: a new one
 * @returns `grad`: a row-major matrix of A's shape and dtype (float64 for integers and nested rows, float32 for
 *   half precision). If σ₁ is tied, it is one subgradient: ‖G‖_* ≤ 1 and ⟨G, A⟩ = σ. It is zero for the zero matrix,
 *   and never NaN
 * @throws as `singularTriplet` does; UnsupportedError for a bare operator, or a sparse matrix or row panels whose
 *   dense gradient does not fit
 *
 * @remarks
 * **Cost.** As `singularTriplet`, and m·n numbers for the gradient, unless `out` has room for them.
 *
 * **Source.** Watson, Linear Algebra Appl. 170:33, 1992 (the subdifferential of ‖A‖₂).
 *
 * **Complex.** The gradient is G = u·vᴴ, interleaved: d‖A‖₂ = Re Σ conj(Gᵢⱼ)·dAᵢⱼ.
 *
 * @example
 * ```ts
 * import { valueAndGrad } from "spectral-norm";
 *
 * const { value, grad } = valueAndGrad([[3, 0], [4, 5]]);
 * console.log(value.toFixed(6)); // 6.708204
 * console.log(Array.from(grad.data, (g) => g.toFixed(4)).join(" ")); // 0.2236 0.2236 0.6708 0.6708
 * ```
 */
export function valueAndGrad<D extends Float32Array | Float64Array>(
  A: DenseMatrix<D>,
  options?: GradientOptions<NoInfer<D>>,
): ValueAndGrad<D>;
export function valueAndGrad<A extends MatrixLike | RowPanelSource>(
  A: A,
  options?: GradientOptions<Precision<A>>,
): ValueAndGrad<Precision<A>>;
export function valueAndGrad(A: MatrixLike | RowPanelSource, options?: GradientOptions): ValueAndGrad {
  const complex = complexFunction<typeof valueAndGrad>("valueAndGrad", A);
  if (complex) return complex(A, options);
  const input = inputOf(A);
  if (input.kind === "operator" && !input.entries)
    throw new UnsupportedError(
      "valueAndGrad: an operator has no entries; its gradient is u·vᵀ, which singularTriplet returns; call " +
        "valueAndParameterGrad for the gradient of a kernel or of factors",
    );
  const { m, n } = input;
  const [checked, given] = checkGradientOptions(options, A, input.dtype, m * n);
  const view = input.kind === "panels" ? inputOf(panelsApartFrom(given, A)) : input;
  const small = smallView(view, checked);
  const { sigma, grad, converged, gradientError } = small
    ? smallGradient(small, checked, given)
    : largeGradient(view, checked, given);
  return { value: sigma, grad: { data: grad, shape: [m, n] }, converged, gradientError };
}

function largeGradient(view: Input, options: CheckedOptions, given?: Float32Array | Float64Array) {
  const out = given ?? (view.kind === "dense" ? undefined : allocateGradient(view));
  const triplet = tripletOf(view, options);
  return { ...triplet, grad: gradientOf(triplet, out) };
}

/** Allocates the gradient of a matrix that is not dense, before anything is computed. */
function allocateGradient({ m, n, dtype }: Input): Float32Array | Float64Array {
  if (m * n <= MOST_NUMBERS)
    try {
      return allocateArray(dtype, m * n);
    } catch {
      // The error follows.
    }
  throw new UnsupportedError(
    `valueAndGrad: a dense ${m}×${n} gradient does not fit into memory; it is u·vᵀ, which singularTriplet returns`,
  );
}

/** u·vᵀ of a triplet, row-major: in a new array, or in `out` from `offset` on; zero for σ = 0. */
export function gradientOf(
  { sigma, u, v }: Pick<SingularTriplet, "sigma" | "u" | "v">,
  out?: Float32Array | Float64Array,
  offset = 0,
): Float32Array | Float64Array {
  const { arena, routines } = kernels();
  const single = u instanceof Float32Array;
  const n = v.length;
  const factor = (x: Float32Array | Float64Array) => (sigma === 0 ? x.map(() => 0) : x);
  const mark = arena.mark();
  try {
    const right = arena.take(8 * n);
    (single ? arena.f32 : arena.f64)(right, n).set(factor(v));
    return rowsInBlocks(arena, factor(u), n, out, offset, (left, count, to) =>
      (single ? routines.ger32 : routines.ger64)(left, count, right, n, to),
    );
  } finally {
    arena.release(mark);
  }
}
