// What a program needs that has neither Node's types nor a browser's.
import {
  type BatchValuesAndGrads,
  cond,
  conv2d,
  csr,
  type DenseMatrix,
  kernelInfo,
  type LinearOperator,
  lowRank,
  type Matrix,
  type MatrixBatch,
  type MatrixLike,
  matrix,
  matrixNorm,
  NonFiniteError,
  type NormOrder,
  OptionError,
  ShapeError,
  type SingularTriplet,
  type SingularTriplets,
  type SolveOptions,
  type SparseMatrix,
  SpectralNormError,
  setKernels,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  UnsupportedError,
  type ValueAndGrad,
  valueAndGrad,
  valueAndGradBatch,
  valueAndParameterGrad,
} from "spectral-norm";

const A: DenseMatrix<Float32Array> = { data: new Float32Array([3, 0, 0, 0, 4, 0]), shape: [2, 3] };
const checked: Matrix<Float64Array> = matrix([3, 0, 0, 0, 4, 0], [2, 3]);
const rows: MatrixLike = [
  [3, 0],
  [0, 4],
];
const sparse: SparseMatrix = csr({ data: [3, 4], indices: [0, 1], indptr: [0, 1, 2], shape: [2, 2] });
const operator: LinearOperator = {
  shape: [2, 2],
  matvec: (x, out) => out.set([3 * x[0]!, 4 * x[1]!]),
  rmatvec: (y, out) => out.set([3 * y[0]!, 4 * y[1]!]),
};
const options: SolveOptions = { method: "auto", rtol: 1e-6, maxIterations: 100, seed: 1, start: [0, 1, 0] };
const batch: MatrixBatch = { data: Float64Array.of(3, 0, 0, 4, 5, 0, 0, 6), shape: [2, 2, 2] };
const order: NormOrder = "fro";

// The dtype of the input is the type of what comes back.
const single: ValueAndGrad<Float32Array> = valueAndGrad(A);
const triplet: SingularTriplet<Float32Array> = singularTriplet(A, options);
const triplets: BatchValuesAndGrads = valueAndGradBatch(batch);
const largest: SingularTriplets<Float32Array> = singularTriplets(A, { k: 2 });
const { grad: weights } = valueAndParameterGrad(
  conv2d({ data: [4], shape: [1, 1, 1, 1] }, { input: [2, 3] }),
);
const { grad: factors } = valueAndParameterGrad(lowRank({ B: [[4], [0]], A: [[1, 0]] }));

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof SpectralNormError) return error.code;
  }
  return "none";
}

export const results = {
  norms: [A, checked, rows, sparse, operator].map((one) => spectralNorm(one)),
  value: single.value,
  grad: [...single.grad.data],
  dtype: triplet.u instanceof Float32Array && single.grad.data instanceof Float32Array,
  converged: triplet.converged && !triplet.tied,
  batch: [...spectralNormBatch(batch)],
  values: [...triplets.values],
  svdvals: [...svdvals(rows)],
  largest: [...largest.sigma, largest.u.shape[1], largest.v.shape[1]],
  parameters: [...weights.data, factors.B.data[0]],
  cond: cond(rows),
  frobenius: matrixNorm(rows, order),
  codes: [
    codeOf(() => spectralNorm([])),
    codeOf(() => spectralNorm([[Number.NaN]])),
    codeOf(() => spectralNorm(rows, { rtol: -1 })),
    // @ts-expect-error an operator has no entries for a gradient
    codeOf(() => valueAndGrad(operator)),
  ],
  classes: [ShapeError, NonFiniteError, OptionError, UnsupportedError].map(({ name }) => name),
  kernels: kernelInfo().name,
};
setKernels("reference");
export const byReference = spectralNorm(rows);

// @ts-expect-error how many has to be said
export const countless = () => singularTriplets(rows);
// @ts-expect-error the options are checked
export const misspelt = () => spectralNorm(rows, { tolerance: 1e-6 });
