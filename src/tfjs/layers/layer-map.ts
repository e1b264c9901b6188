/** The linear map whose norm is normalized, with what is needed to follow its singular vectors. */
import { clone, matMul, mul, reshape, type Tensor, transpose } from "@tensorflow/tfjs-core";
import { singularTriplet } from "../singular-triplet.js";
import { withGradient } from "../twice-differentiable.js";
import { asMatrix, matrixShape } from "./kernel.js";

/** A linear map A that depends linearly on a kernel. Vectors are rows. */
export interface LayerMap {
  readonly rows: number;
  readonly columns: number;
  /** The shapes in which u and v are stored. */
  readonly uShape: readonly number[];
  readonly vShape: readonly number[];
  /** The products with A for this kernel. */
  products(kernel: Tensor): Products;
  /**
   * uᵀ·A·v for u and v as they are stored, a scalar; differentiable in the kernel, with u and v constant.
   *
   * @param value  the result, if known
   */
  bilinear(kernel: Tensor, u: Tensor, v: Tensor, value?: Tensor): Tensor;
  /** Whether the backend has both products. */
  followable(): boolean;
  /** Converged u and v, as they are stored. */
  solve(kernel: Tensor): { u: Tensor; v: Tensor };
}

/** Products of several vectors with A (m×n). */
export interface Products {
  readonly rows: number;
  readonly columns: number;
  /** Y·A for the rows of Y: b×m to b×n */
  fromLeft(y: Tensor): Tensor;
  /** X·Aᵀ: b×n to b×m */
  fromRight(x: Tensor): Tensor;
}

/** The kernel as a matrix, see `asMatrix`. */
export class MatrixMap implements LayerMap {
  readonly rows: number;
  readonly columns: number;
  readonly uShape: readonly number[];
  readonly vShape: readonly number[];

  constructor(kernelShape: number[]) {
    [this.rows, this.columns] = matrixShape(kernelShape);
    this.uShape = [1, this.rows];
    this.vShape = [this.columns, 1];
  }

  products(kernel: Tensor): Products {
    return matrixProducts(asMatrix(kernel));
  }

  followable(): boolean {
    return true;
  }

  // Linear in w, with the derivative u·v.
  bilinear(kernel: Tensor, u: Tensor, v: Tensor, value?: Tensor): Tensor {
    return withGradient(
      [asMatrix(kernel)],
      (save) => {
        save([u, v]);
        return value ? clone(value) : reshape(matMul(u, matMul(asMatrix(kernel), v)), []);
      },
      (dy, [u, v]) => [mul(dy, matMul(reshape(u, [-1, 1]), reshape(v, [1, -1])))],
    );
  }

  /** @throws as `singularTriplet` does */
  solve(kernel: Tensor): { u: Tensor; v: Tensor } {
    const { u, v } = singularTriplet(asMatrix(kernel));
    return { u: reshape(u, [1, -1]), v: reshape(v, [-1, 1]) };
  }
}

/** The products with a matrix w (m×n). */
export function matrixProducts(w: Tensor): Products {
  const [rows, columns] = w.shape;
  return {
    rows,
    columns,
    fromLeft: (y) => matMul(y, w),
    // Transposes the small operand, because products with a transposed w are slow on wasm.
    fromRight: (x) => transpose(matMul(w, transpose(x))),
  };
}
