/** A matrix as it is handed to every rival: float64, row-major. */
export interface Given {
  readonly data: Float64Array;
  readonly rows: number;
  readonly cols: number;
  readonly start?: Float64Array;
}

/** One column of the table. */
export interface Described {
  /** what the process that has it knows it by */
  readonly id: string;
  /** head of the column */
  readonly head: string;
  /** what is called, for the legend */
  readonly calls: string;
  readonly dtype: "float32" | "float64";
}

const power = "100 steps of power iteration in its own operations, differentiated automatically";

/** Those that run in Node. */
export const nodeRivals: readonly (Described & { readonly library: string })[] = [
  {
    library: "spectral-norm",
    id: "core",
    head: "ours",
    calls:
      "`singularTriplet(A)` and `valueAndGrad(A)`; the value is right only if the triplet says `converged`",
    dtype: "float64",
  },
  {
    library: "spectral-norm",
    id: "value",
    head: "ours, `spectralNorm`",
    calls: "`spectralNorm(A)`, which may stop as soon as the value is accurate",
    dtype: "float64",
  },
  {
    library: "spectral-norm",
    id: "core32",
    head: "ours, float32",
    calls: "the same, for a `Float32Array`",
    dtype: "float32",
  },
  {
    library: "spectral-norm",
    id: "certify",
    head: "`certify`",
    calls: "`certify(A)`: right if the interval is proven and contains ‖A‖₂ (rounded to float64)",
    dtype: "float64",
  },
  {
    library: "spectral-norm",
    id: "power",
    head: "ours, `power`",
    calls: '`method: "power"`, power iteration with the usual stopping rule, for comparison',
    dtype: "float64",
  },
  {
    library: "ml-matrix",
    id: "ml-matrix",
    head: "ml-matrix",
    calls: "`new SVD(A, { autoTranspose: true })`",
    dtype: "float64",
  },
  {
    library: "numpy-ts",
    id: "numpy-ts svdvals",
    head: "numpy-ts `svdvals`",
    calls: "`linalg.svdvals(A)[0]`",
    dtype: "float64",
  },
  {
    library: "numpy-ts",
    id: "numpy-ts norm",
    head: "numpy-ts `norm`",
    calls: "`linalg.norm(A, 2)`",
    dtype: "float64",
  },
  {
    library: "svd-js",
    id: "svd-js",
    head: "svd-js",
    calls: "`SVD(A)`, or of Aᵀ if A is wide",
    dtype: "float64",
  },
  {
    library: "mathjs",
    id: "mathjs",
    head: "mathjs",
    calls: "`norm(A, 2)`, which accepts only square matrices",
    dtype: "float64",
  },
  {
    library: "@tensorflow/tfjs-core",
    id: "tf norm",
    head: "TensorFlow.js `norm`",
    calls: "`tf.norm(A, 2)` and `tf.grad` of it",
    dtype: "float32",
  },
  {
    library: "@tensorflow/tfjs-core",
    id: "tf power",
    head: "TensorFlow.js, unrolled",
    calls: power,
    dtype: "float32",
  },
  {
    library: "@jax-js/jax",
    id: "jax norm",
    head: "jax-js `norm`",
    calls: "`numpy.linalg.norm(A, { ord: 2 })` and `grad` of it",
    dtype: "float64",
  },
  { library: "@jax-js/jax", id: "jax power", head: "jax-js, unrolled", calls: power, dtype: "float64" },
];

/** Those of Python. */
export const pythonRivals: readonly (Described & { readonly library: string })[] = [
  { library: "numpy", id: "numpy", head: "NumPy", calls: "`numpy.linalg.norm(A, 2)`", dtype: "float64" },
  { library: "scipy", id: "scipy", head: "SciPy", calls: "`scipy.linalg.norm(A, 2)`", dtype: "float64" },
  {
    library: "scipy",
    id: "arpack",
    head: "ARPACK",
    calls: '`svds(A, k=1, solver="arpack")` of SciPy; the gradient is u·vᵀ',
    dtype: "float64",
  },
  {
    library: "scipy",
    id: "propack",
    head: "PROPACK",
    calls: '`svds(A, k=1, solver="propack")`',
    dtype: "float64",
  },
  {
    library: "scipy",
    id: "lobpcg",
    head: "LOBPCG",
    calls: '`svds(A, k=1, solver="lobpcg")`',
    dtype: "float64",
  },
  {
    library: "torch",
    id: "torch",
    head: "PyTorch",
    calls: "`torch.linalg.matrix_norm(A, 2)` and its backward pass",
    dtype: "float64",
  },
  {
    library: "torch",
    id: "torch32",
    head: "PyTorch, float32",
    calls: "the same in float32",
    dtype: "float32",
  },
  {
    library: "torch",
    id: "lowrank",
    head: "`svd_lowrank`",
    calls: "`torch.svd_lowrank(A, q=min(6, m, n))`; the gradient is u·vᵀ",
    dtype: "float64",
  },
];
