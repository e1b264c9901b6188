import { hessianVectorProduct, matrix, matrixNorm, svdvals, valueAndGrad } from "../../index.js";
import type { DType, Matrix } from "../../matrix/types.js";
import { svd } from "../../solve/golub-reinsch.js";
import { addOuter } from "../ground-truth.js";
import {
  type ComparedMethod,
  type DenseEntries,
  type Evaluation,
  entriesIn,
  inProcess,
  type MethodGroup,
  type SecondOrderMethod,
} from "../method.js";
import { secondOrder, withoutSecondOrder } from "../second-order-method.js";

interface CoreRow {
  readonly name: string;
  readonly runs: string;
  run(A: Matrix): Evaluation;
}

/**
 * The dense rows are the notebook's three baselines. The value comes from the public function of the same name, and the
 * gradient from a dense decomposition, since these functions return none.
 */
const rows: readonly CoreRow[] = [
  {
    name: "matrixNorm",
    runs: "σ by matrixNorm(A, 2); u₁v₁ᵀ from a full dense SVD in float64",
    run: (A) => ({ value: matrixNorm(A, 2), gradient: gradientBySvd(A) }),
  },
  {
    name: "norm",
    runs: 'valueAndGrad(A, { method: "dense" }): the dense solver for σ₁ and its vectors alone',
    run: (A) => gradientBy(A, "dense"),
  },
  {
    name: "svdvals",
    runs: "σ by svdvals(A)[0]; u₁v₁ᵀ from a full dense SVD in float64",
    run: (A) => ({ value: svdvals(A)[0], gradient: gradientBySvd(A) }),
  },
  {
    name: "power",
    runs: 'valueAndGrad(A, { method: "power" }): the notebook\'s iteration and stopping rule',
    run: (A) => gradientBy(A, "power"),
  },
  {
    name: "lanczos",
    runs: 'valueAndGrad(A, { method: "lanczos" }): block Lanczos to the accuracy of the dtype',
    run: (A) => gradientBy(A, "lanczos"),
  },
];

const dtypes = ["float64", "float32"] as const;

/** The five rows on the engine-free core, in float64 and in float32, and their second derivative. */
export function coreMethods(): MethodGroup {
  return {
    methods: dtypes.flatMap((dtype) => rows.map((row) => asMethod(row, dtype))),
    secondOrder: dtypes.flatMap(secondOrderRows),
  };
}

function secondOrderRows(dtype: DType): SecondOrderMethod[] {
  return [
    secondOrder({
      name: "hessianVectorProduct",
      engine: "core",
      dtype,
      runs: "hessianVectorProduct(A, E): a linear system with A and its triplet",
      hessian: (A, E) => hessianVectorProduct(asMatrix(A, dtype), asMatrix(E, dtype)).data,
    }),
    withoutSecondOrder(
      { name: "power", engine: "core", dtype },
      "it returns u·vᵀ as numbers, which have no derivative",
    ),
  ];
}

function asMethod({ name, runs, run }: CoreRow, dtype: DType): ComparedMethod {
  return inProcess<Matrix>({
    name,
    engine: "core",
    dtype,
    runs,
    load: (entries: DenseEntries) => asMatrix(entries, dtype),
    run,
  });
}

function asMatrix({ data, rows, cols }: DenseEntries, dtype: DType): Matrix {
  return matrix(entriesIn(dtype, data), [rows, cols]);
}

function gradientBy(A: Matrix, method: "power" | "lanczos" | "dense"): Evaluation {
  const { value, grad } = valueAndGrad(A, { method });
  return { value, gradient: grad.data };
}

function gradientBySvd(A: Matrix): ArrayLike<number> {
  const { u, v } = denseTriplet(A.data, A.shape[0], A.shape[1]);
  return outer(A, u, v);
}

/** σ₁, u₁ and v₁ of a row-major m×n matrix from its full dense SVD, computed in float64. */
export function denseTriplet(
  data: Float32Array | Float64Array,
  m: number,
  n: number,
): { sigma: number; u: Float64Array; v: Float64Array } {
  const { U, S, V } = svd(Float64Array.from(data), m, n);
  const k = Math.min(m, n);
  const u = Float64Array.from({ length: m }, (_, i) => U[i * k]);
  const v = Float64Array.from({ length: n }, (_, j) => V[j * k]);
  return { sigma: S[0], u, v };
}

function outer(A: Matrix, u: ArrayLike<number>, v: ArrayLike<number>): ArrayLike<number> {
  const gradient =
    A.data instanceof Float32Array ? new Float32Array(A.data.length) : new Float64Array(A.data.length);
  addOuter(gradient, u, v, 1);
  return gradient;
}
