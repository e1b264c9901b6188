import { complexFunction } from "../matrix/complex-input.js";
import { ShapeError } from "../matrix/errors.js";
import { inputOf, type PanelsView, rowsOfPanel } from "../matrix/row-panels.js";
import { type Product, plainProduct, rescaling, type ScaledProducts } from "../matrix/scaled-product.js";
import type { LinearOperator, MatrixOrOperator } from "../matrix/types.js";
import { allocateArray, at, throwNonFinite, type View } from "../matrix/view.js";

/** A linear operator that this package made. */
export interface Operator extends LinearOperator {
  readonly shape: readonly [number, number];
}

/** An operator that depends on parameters: the kernel of a convolution, the factors of an update. */
export interface ParametricOperator<G> extends Operator {
  /** ∂(uᵀ·A·v)/∂parameters for u (m) and v (n), in the parameters' shapes and dtypes */
  parameterGrad(u: ArrayLike<number>, v: ArrayLike<number>): G;
}

/**
 * Any matrix as a linear operator, like SciPy's `aslinearoperator`.
 *
 * The operators of this package keep the scale of a vector apart while they work on it. What they write is right
 * wherever it is a double, also where a step on the way to it is not; beyond the largest double it is infinite. Not
 * guaranteed: an element of a vector that is some 10³⁰⁰ times smaller than the largest may count as zero.
 *
 * @param A - m×n, finite, in any form. It is referred to, not copied: where it changes, so does the operator
 * @returns an operator whose products are computed in float64, in plain loops
 * @throws ShapeError; NonFiniteError naming the first NaN or infinity
 *
 * @remarks
 * **Cost.** A read of A now; a product is two flops an entry, and about a nanosecond.
 *
 * **Complex.** The vectors are interleaved, 2n and 2m numbers, and `rmatvec` is the product with Aᴴ.
 *
 * @example
 * ```ts
 * import { linearOperator } from "spectral-norm";
 *
 * const A = linearOperator([[1, 2], [3, 4]]);
 * const y = new Float64Array(2);
 * A.matvec(Float64Array.of(1, 1), y);
 * console.log(y.join(" ")); // 3 7
 * ```
 */
export function linearOperator(A: MatrixOrOperator): Operator {
  const complex = complexFunction<typeof linearOperator>("linearOperator", A);
  if (complex) return complex(A);
  const { shape, ...products } = partOf(A);
  return checkedOperator(shape, products);
}

/** A part of an operator: its products, with their scale apart. */
export interface OperatorPart extends ScaledProducts {
  readonly shape: readonly [number, number];
}

/** Any matrix as a part. */
export function partOf(A: MatrixOrOperator): OperatorPart {
  const view = inputOf(A);
  const { m, n } = view;
  const shape = [m, n] as const;
  if (view.kind === "operator") return { shape, matvec: view.scaledMatvec, rmatvec: view.scaledRmatvec };
  if (view.kind === "panels") return { shape, ...rescaled(panelProducts(view)) };
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) if (!Number.isFinite(at(view, i, j))) throwNonFinite(view);
  const turned = transposed(view);
  // Along the entries that lie side by side.
  const byRows = Math.abs(view.columnStride) <= Math.abs(view.rowStride);
  return {
    shape,
    ...rescaled({
      matvec: (x, out) => (byRows ? innerProducts(view, x, out) : weightedRowSum(turned, x, out)),
      rmatvec: (y, out) => (byRows ? weightedRowSum(view, y, out) : innerProducts(turned, y, out)),
    }),
  };
}

type Products = Pick<LinearOperator, "matvec" | "rmatvec">;

/** Plain products that leave x as it is, with their scale apart. */
export function rescaled({ matvec, rmatvec }: Products): ScaledProducts {
  return { matvec: rescaling(matvec), rmatvec: rescaling(rmatvec) };
}

/** An operator that checks the lengths of its vectors, with further members. */
export function checkedOperator<More extends object>(
  [m, n]: readonly [number, number],
  products: ScaledProducts,
  more?: More,
): Operator & More {
  const product = (name: keyof Products, from: number, to: number): Product =>
    plainProduct((x, out) => {
      if (x.length !== from || out.length !== to)
        throw new ShapeError(
          `${name}: takes ${from} numbers and gives ${to}; got vectors of ${x.length} and ${out.length}`,
        );
      return products[name](x, out);
    });
  return {
    ...(more as More),
    shape: [m, n],
    matvec: product("matvec", n, m),
    rmatvec: product("rmatvec", m, n),
  };
}

function transposed(A: View): View {
  return { ...A, m: A.n, n: A.m, rowStride: A.columnStride, columnStride: A.rowStride };
}

/** Chosen: terms of a block of a sum. The error grows with BLOCK plus the number of blocks. */
const BLOCK = 128;

/** out (m) ← A·x, a row at a time. */
function innerProducts(A: View, x: Float64Array, out: Float64Array): void {
  const { m, n, data, read, offset, rowStride, columnStride } = A;
  for (let i = 0; i < m; i++) {
    let sum = 0;
    for (let first = 0, p = offset + i * rowStride; first < n; first += BLOCK) {
      const last = Math.min(first + BLOCK, n);
      let part = 0;
      if (read) for (let j = first; j < last; j++, p += columnStride) part += read(data[p]) * x[j];
      else for (let j = first; j < last; j++, p += columnStride) part += data[p] * x[j];
      sum += part;
    }
    out[i] = sum;
  }
}

/** out (n) ← Aᵀ·y, the sum of the rows of A weighted by y. */
function weightedRowSum(A: View, y: Float64Array, out: Float64Array): void {
  const { m, n, data, read, offset, rowStride, columnStride } = A;
  const part = new Float64Array(n);
  out.fill(0);
  for (let first = 0; first < m; first += BLOCK) {
    part.fill(0);
    for (let i = first; i < Math.min(first + BLOCK, m); i++) {
      const weight = y[i];
      let p = offset + i * rowStride;
      if (read) for (let j = 0; j < n; j++, p += columnStride) part[j] += weight * read(data[p]);
      else for (let j = 0; j < n; j++, p += columnStride) part[j] += weight * data[p];
    }
    for (let j = 0; j < n; j++) out[j] += part[j];
  }
}

/** Products with row panels, one read each. */
function panelProducts(A: PanelsView): Products {
  const count = rowsOfPanel(A);
  return {
    matvec(x, out) {
      A.each(count, (panel, first) => innerProducts(panel, x, out.subarray(first, first + panel.m)));
    },
    rmatvec(y, out) {
      const part = allocateArray("float64", A.n) as Float64Array;
      out.fill(0);
      A.each(count, (panel, first) => {
        weightedRowSum(panel, y.subarray(first, first + panel.m), part);
        for (let j = 0; j < part.length; j++) out[j] += part[j];
      });
    },
  };
}
