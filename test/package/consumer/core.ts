// What a program needs that has neither Node's types nor a browser's.
import {
  type BatchValuesAndGrads,
  type ComplexNumber,
  complexMatrix,
  cond,
  conv2d,
  coo,
  csc,
  csr,
  type DenseMatrix,
  hessianVectorProduct,
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
  type RowPanelSource,
  rowPanels,
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
  tripletVjp,
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
const sparse: SparseMatrix<Float64Array> = csr({
  data: [3, 4],
  indices: [0, 1],
  indptr: [0, 1, 2],
  shape: [2, 2],
});
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

// Whatever is taken compiles, and the type of what comes back is that of what it is.
const typed = [
  valueAndGrad([[3, 4]]),
  valueAndGrad({ data: [3, 4], shape: [1, 2] }),
  valueAndGrad({ data: [3, 4], shape: [1, 2], order: "C", strides: [2, 1] }),
  valueAndGrad([Float64Array.of(3, 4)]),
  valueAndGrad([Float32Array.of(3, 4)]),
  valueAndGrad([BigInt64Array.of(3n, 4n)]),
  valueAndGrad({ data: BigInt64Array.of(3n, 4n), shape: [1, 2] }),
  valueAndGrad({ data: BigUint64Array.of(3n, 4n), shape: [1, 2], dtype: "uint64" }),
  valueAndGrad({ data: Int8Array.of(3, 4), shape: [1, 2], fortranOrder: true }),
  valueAndGrad({ data: Uint16Array.of(3, 4), shape: [1, 2] }),
  valueAndGrad(csr({ data: [3, 4], indices: [0, 1], indptr: [0, 2], shape: [1, 2] })),
  valueAndGrad(csc({ data: Int8Array.of(3, 4), indices: [0, 0], indptr: [0, 1, 2], shape: [1, 2] })),
  valueAndGrad(rowPanels({ shape: [1, 2], dtype: "float64", rows: () => Float64Array.of(3, 4) })),
] satisfies ValueAndGrad<Float64Array>[];
const halves = [
  valueAndGrad({ data: Uint16Array.of(0x4200, 0x4400), dtype: "float16", shape: [1, 2] }),
  valueAndGrad({ data: Uint16Array.of(0x4200, 0x4400), dtype: "F16", shape: [1, 2] }),
  valueAndGrad({ data: Float32Array.of(3, 4), dtype: "<f4", shape: [1, 2] }),
  valueAndGrad(coo({ data: Float32Array.of(3, 4), row: [0, 0], col: [0, 1], shape: [1, 2] })),
  valueAndGrad(
    csr({
      data: Uint16Array.of(0x4200, 0x4400),
      dtype: "half",
      indices: [0, 1],
      indptr: BigInt64Array.of(0n, 2n),
      shape: [1, 2],
    }),
  ),
  valueAndGrad(rowPanels({ shape: [1, 2], dtype: "float16", rows: () => Uint16Array.of(0x4200, 0x4400) })),
] satisfies ValueAndGrad<Float32Array>[];
const complexDoubles = [
  valueAndGrad(complexMatrix([3, 0, 0, 4], [1, 2])),
  valueAndGrad([[{ re: 3, im: 0 }, 4]]),
  valueAndGrad({ data: Float64Array.of(3, 0, 0, 4), shape: [1, 2], dtype: "complex128" }),
  valueAndGrad({ data: [3, 0, 0, 4], shape: [1, 2], dtype: "complex128" }),
  valueAndGrad({
    data: [{ re: 3, im: 0 } satisfies ComplexNumber, { re: 0, im: 4 }],
    shape: [1, 2],
    dtype: "complex128",
  }),
  valueAndGrad(rowPanels({ shape: [1, 2], dtype: "complex128", rows: () => Float64Array.of(3, 0, 0, 4) })),
] satisfies ValueAndGrad<Float64Array>[];
const complexSingles = [
  valueAndGrad(complexMatrix(Float32Array.of(3, 0, 0, 4), [1, 2])),
  valueAndGrad({ data: Float32Array.of(3, 0, 0, 4), shape: [1, 2], dtype: "complex64" }),
  valueAndGrad({ data: [3, 0, 0, 4], shape: [1, 2], dtype: "complex64" }),
] satisfies ValueAndGrad<Float32Array>[];
const integers = { data: Int32Array.of(3, 4), shape: [1, 2] };
const vectors = singularTriplet(integers);
export const doubles: Float64Array[] = [
  vectors.u,
  singularTriplets([[3, 4]], { k: 1 }).v.data,
  hessianVectorProduct(integers, [[1, 0]]).data,
  tripletVjp([[3, 4]], vectors, { sigma: 1 }).data,
  valueAndGradBatch({ data: [3, 4], shape: [1, 1, 2] }).grads.data,
  valueAndGradBatch([[Float64Array.of(3, 4)]]).grads.data,
  matrix(BigInt64Array.of(3n, 4n), [1, 2]).data,
  sparse.data,
];
const into: Float32Array = new Float32Array(2);
export const singles: Float32Array[] = [
  valueAndGrad({ data: Float32Array.of(3, 4), shape: [1, 2] }, { out: into, rtol: 1e-3 }).grad.data,
  valueAndGradBatch({ data: Float32Array.of(3, 4), shape: [1, 1, 2] }, { out: into }).grads.data,
  valueAndGradBatch({ data: Float32Array.of(3, 4), shape: [1, 1, 2] }).grads.data,
  hessianVectorProduct(A, A).data,
  csr({ data: Float32Array.of(3, 4), indices: [0, 1], indptr: [0, 2], shape: [1, 2] }).data,
];
/** The gradient of a float32 matrix is not written to a float64 array. */
export const refused = () =>
  // @ts-expect-error
  valueAndGrad({ data: Float32Array.of(3, 4), shape: [1, 2] }, { out: new Float64Array(2) });
/** What an object of any of these types may hold is not known. */
export const either = (any: LinearOperator | RowPanelSource | MatrixLike) => {
  const u: Float32Array | Float64Array = singularTriplet(any).u;
  // @ts-expect-error it may be single
  const double: Float64Array = singularTriplet(any).u;
  return [u, double];
};
/** Whoever is generic in the precision gets it back. */
export const generic = <D extends Float32Array | Float64Array>(any: DenseMatrix<D>): ValueAndGrad<D> =>
  valueAndGrad(any);
// @ts-expect-error rows and integers are computed with in double precision
export const notSingle: Float32Array = valueAndGrad([[1]]).grad.data;
// @ts-expect-error text is no matrix
export const text = () => spectralNorm({ data: ["3"], shape: [1, 1] });

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
  typed: typed.map(({ value, grad }) => [value, grad.data instanceof Float64Array]),
  halves: halves.map(({ value, grad }) => [value, grad.data instanceof Float32Array]),
  complex: [
    ...complexDoubles.map(({ value, grad }) => [value, grad.data instanceof Float64Array, grad.dtype]),
    ...complexSingles.map(({ value, grad }) => [value, grad.data instanceof Float32Array, grad.dtype]),
  ],
  returned: [
    doubles.every((x) => x instanceof Float64Array),
    singles.every((x) => x instanceof Float32Array),
  ],
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
