/** The precision of a computation and of what it returns. */
export type DType = "float32" | "float64";

/** Typed arrays of integers; read as float64. */
export type IntegerArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/**
 * A matrix over memory that the caller owns: element (i, j) is
 * `data[offset + i·stride[0] + j·stride[1]]`. Strides count elements and may be negative or zero;
 * absent, the matrix is row-major. An `ndarray` fits as it is.
 */
export interface DenseMatrix<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  readonly data: D;
  readonly shape: readonly [number, number] | readonly number[];
  readonly stride?: readonly number[] | undefined;
  readonly offset?: number | undefined;
}

/** Half-precision bits: computed with as float32, and what comes back is; a large matrix is kept as 16 bits. */
export interface HalfMatrix {
  readonly data: Uint16Array;
  readonly dtype: "float16" | "bfloat16";
  readonly shape: readonly number[];
  readonly stride?: readonly number[] | undefined;
  readonly offset?: number | undefined;
}

/** Integers, read as float64. */
export interface IntegerMatrix {
  readonly data: IntegerArray;
  readonly dtype?: undefined;
  readonly shape: readonly number[];
  readonly stride?: readonly number[] | undefined;
  readonly offset?: number | undefined;
}

/**
 * A matrix known only by its products. Both functions write their whole result into `out` and must
 * not keep either array.
 */
export interface LinearOperator {
  readonly shape: readonly [number, number] | readonly number[];
  /** out (m) ← A·x (n) */
  matvec(x: Float64Array, out: Float64Array): void;
  /** out (n) ← Aᵀ·y (m) */
  rmatvec(y: Float64Array, out: Float64Array): void;
}

/** Compressed sparse rows: row i holds entries `indptr[i]` … `indptr[i+1]` − 1. Made by `csr`. */
export interface SparseMatrix extends LinearOperator {
  readonly kind: "csr";
  readonly shape: readonly [number, number];
  readonly data: Float32Array | Float64Array;
  readonly indices: Uint32Array;
  readonly indptr: Float64Array | Uint32Array;
}

/** What a panel's numbers are: those of the array that `rows` returns. */
export type PanelType = "float32" | "float64" | "float16" | "bfloat16";

/** What holds them; a `Float16Array` too, where there is one. Half precision is decoded and treated as float32. */
export type PanelData<T extends PanelType = PanelType> = T extends "float64"
  ? Float64Array
  : T extends "float32"
    ? Float32Array
    : Uint16Array;

/**
 * A matrix that is never there as a whole: a few of its rows at a time, from a file, a generator or a larger
 * array. Made by `rowPanels`; a plain object of this shape does as well.
 */
export interface RowPanelSource<T extends PanelType = PanelType> {
  readonly shape: readonly [number, number] | readonly number[];
  readonly dtype: T;
  /** rows to ask for at a time; default: what makes about 4 MiB */
  readonly panelRows?: number | undefined;
  /** whether a call may read it once and keep a copy for its time, in kernel memory; default false */
  readonly keep?: boolean | undefined;
  /**
   * Rows first … first+count−1, row-major: count·n numbers, at once and not as a promise. The array is read before
   * the next call and may be used again for it. The same rows must hold the same numbers every time.
   */
  rows(first: number, count: number): PanelData<T>;
}

/** Anything with entries: dense in any of its forms, nested rows, or sparse. */
export type MatrixLike =
  | DenseMatrix
  | HalfMatrix
  | IntegerMatrix
  | SparseMatrix
  | readonly (readonly number[])[];

/** Anything ‖A‖₂ can be asked of. */
export type MatrixOrOperator = MatrixLike | LinearOperator | RowPanelSource;

/** A row-major matrix that this package made: `data.length = m·n`, never a view of the input. */
export interface Matrix<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  readonly data: D;
  readonly shape: [number, number];
}

/** The largest singular value with its vectors, and how far they can be trusted. */
export interface SingularTriplet<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  /** σ₁ */
  sigma: number;
  /** unit left vector, length m, in A's dtype */
  u: D;
  /** unit right vector, length n, in A's dtype */
  v: D;
  /** √(‖Av−σu‖² + ‖Aᵀu−σv‖²), of u and v as returned, on A's scale */
  residual: number;
  /** estimate of σ₁−σ₂ (σ₂ = 0 where min(m, n) is 1) */
  gap: number;
  /** estimate (≈ residual/gap) of ‖ûv̂ᵀ−u₁v₁ᵀ‖_F; never below the dtype's rounding */
  gradientError: number;
  /** Krylov or power steps; 0 on the dense path */
  iterations: number;
  /** how many times A was read from end to end */
  passes: number;
  converged: boolean;
  /** σ₁ = σ₂ to working accuracy: the gradient is one valid subgradient */
  tied: boolean;
  method: "lanczos" | "power" | "dense";
}

/** The k largest singular values, descending, with their vectors, and how far they can be trusted. */
export interface SingularTriplets<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  /** k numbers, descending */
  sigma: Float64Array;
  /** k×m, in A's dtype: row i is the unit left vector of `sigma[i]` */
  u: Matrix<D>;
  /** k×n, in A's dtype: row i is the unit right vector of `sigma[i]` */
  v: Matrix<D>;
  /** √(‖Avᵢ−σᵢuᵢ‖² + ‖Aᵀuᵢ−σᵢvᵢ‖²) of each, of the vectors as returned, on A's scale */
  residual: Float64Array;
  /** block Lanczos steps; 0 on the dense path */
  iterations: number;
  /** how many times A was read from end to end */
  passes: number;
  converged: boolean;
  method: "lanczos" | "dense";
}
