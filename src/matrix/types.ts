/** The precision of a computation and of what it returns. */
export type DType = "float32" | "float64";

/** The types of complex numbers: two numbers of float32, or of float64. */
export type ComplexType = "complex64" | "complex128";

/** A complex number, as mathjs and numpy-ts have them. */
export interface ComplexNumber {
  readonly re: number;
  readonly im: number;
}

/** Typed arrays of integers; read as float64, to which 64-bit integers are rounded. */
export type IntegerArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** The names of the half-precision formats, in the spelling of this package, safetensors, PyTorch, GGUF and NumPy. */
export type HalfName =
  | "float16"
  | "F16"
  | "f16"
  | "fp16"
  | "half"
  | "f2"
  | "<f2"
  | "bfloat16"
  | "BF16"
  | "bf16";

/**
 * Where the entries of an array are. Without any of these it is row-major, and `data` has exactly as many numbers as
 * the shape takes. What contradicts itself is refused.
 */
export interface ArrayLayout {
  /** element (i, j, …) is `data[offset + i·stride[0] + j·stride[1] + …]`; may be negative or zero */
  readonly stride?: readonly number[] | undefined;
  /** the same by the name that NumPy has for it; counts numbers too, not bytes */
  readonly strides?: readonly number[] | undefined;
  /** numbers before the first; default 0 */
  readonly offset?: number | undefined;
  /**
   * "row-major" or "C" (the default), "column-major" or "F"; an array (that of an `ndarray`) lists the axes, the one
   * with the smallest stride first, and needs a stride beside it
   */
  readonly order?: string | readonly number[] | undefined;
  /** whether it is column-major */
  readonly fortranOrder?: boolean | undefined;
  readonly fortran_order?: boolean | undefined;
}

/**
 * A matrix over memory that the caller owns: element (i, j) is
 * `data[offset + i·stride[0] + j·stride[1]]`. Strides count elements and may be negative or zero;
 * absent, the matrix is row-major. An `ndarray` fits as it is, as do arrays of @stdlib, vectorious and numpy-ts.
 *
 * With `dtype: "complex64"` (a `Float32Array`) or `"complex128"` (a `Float64Array`) the entries are complex: `data` has
 * the real and the imaginary part of each in turn, and strides and `offset` count complex numbers.
 */
export interface DenseMatrix<D extends Float32Array | Float64Array = Float32Array | Float64Array>
  extends ArrayLayout {
  readonly data: D;
  readonly shape: readonly [number, number] | readonly number[];
  /** the type of `data`, or "complex64" or "complex128" */
  readonly dtype?: string | undefined;
}

/** Half-precision bits: computed with as float32, and what comes back is; a large matrix is kept as 16 bits. */
export interface HalfMatrix extends ArrayLayout {
  readonly data: Uint16Array;
  readonly dtype: HalfName;
  readonly shape: readonly number[];
}

/** Integers, read as float64. */
export interface IntegerMatrix extends ArrayLayout {
  readonly data: IntegerArray;
  /** may name the type of `data`; that of half-precision bits makes it a `HalfMatrix` */
  readonly dtype?: string | undefined;
  readonly shape: readonly number[];
}

/** Numbers in a plain array, read as float64, or as float32 or complex numbers if `dtype` says so. */
export interface PlainMatrix extends ArrayLayout {
  /** with a complex `dtype`, interleaved parts or `{ re, im }` */
  readonly data: readonly number[] | readonly ComplexNumber[];
  readonly dtype?: string | undefined;
  readonly shape: readonly number[];
}

/** One row of a matrix that is given as an array of rows; read as float64, or as complex128 if any entry is complex. */
export type MatrixRow = readonly (number | ComplexNumber)[] | Float32Array | Float64Array | IntegerArray;

/**
 * A matrix known only by its products. Both functions write their whole result into `out` and must
 * not keep either array.
 */
export interface LinearOperator {
  readonly shape: readonly [number, number] | readonly number[];
  /** if complex, the vectors are interleaved: 2m and 2n numbers */
  readonly dtype?: string | undefined;
  /** out (m) ← A·x (n) */
  matvec(x: Float64Array, out: Float64Array): void;
  /** out (n) ← Aᵀ·y (m); Aᴴ·y if A is complex */
  rmatvec(y: Float64Array, out: Float64Array): void;
}

/** Compressed sparse rows: row i holds entries `indptr[i]` … `indptr[i+1]` − 1. Made by `csr`. */
export interface SparseMatrix<D extends Float32Array | Float64Array = Float32Array | Float64Array>
  extends LinearOperator {
  readonly kind: "csr";
  readonly shape: readonly [number, number];
  readonly data: D;
  readonly indices: Uint32Array;
  readonly indptr: Float64Array | Uint32Array;
}

/** What a panel's numbers are: those of the array that `rows` returns. */
export type PanelType = "float32" | "float64" | "float16" | "bfloat16";

/**
 * What holds them; a `Float16Array` too, where there is one. Half precision is decoded and treated as float32. Complex
 * numbers are interleaved.
 */
export type PanelData<T extends PanelType | ComplexType = PanelType> = T extends "float64" | "complex128"
  ? Float64Array
  : T extends "float32" | "complex64"
    ? Float32Array
    : Uint16Array;

/**
 * A matrix that is never there as a whole: a few of its rows at a time, from a file, a generator or a larger
 * array. Made by `rowPanels`; a plain object of this shape does as well.
 */
export interface RowPanelSource<T extends PanelType | ComplexType = PanelType | ComplexType> {
  readonly shape: readonly [number, number] | readonly number[];
  readonly dtype: T;
  /** rows to ask for at a time; default: what makes about 4 MiB */
  readonly panelRows?: number | undefined;
  /** whether a call may read it once and keep a copy for its time, in kernel memory; default false */
  readonly keep?: boolean | undefined;
  /**
   * Rows first … first+count−1, row-major: count·n numbers (complex: 2·count·n parts), at once and not as a promise.
   * The array is read before the next call and may be used again for it. The same rows must hold the same numbers
   * every time.
   */
  rows(first: number, count: number): PanelData<T>;
}

/** Anything with entries: dense in any of its forms, nested rows, or sparse. */
export type MatrixLike =
  | DenseMatrix
  | HalfMatrix
  | IntegerMatrix
  | PlainMatrix
  | SparseMatrix
  | readonly MatrixRow[];

/** Anything ‖A‖₂ can be asked of. */
export type MatrixOrOperator = MatrixLike | LinearOperator | RowPanelSource;

/** The arrays that come back for row panels of this type. */
export type PanelPrecision<T extends PanelType | ComplexType> = T extends "float64" | "complex128"
  ? Float64Array
  : Float32Array;

/** The type of `dtype`; undefined where there is none. */
type NameOf<A> = A extends { readonly dtype?: infer T } ? (unknown extends T ? undefined : T) : undefined;

/** The arrays that come back for numbers of this kind. */
type ArrayPrecision<D, T> = D extends Float32Array | Float64Array
  ? D
  : D extends Uint16Array
    ? T extends HalfName
      ? Float32Array
      : T extends undefined
        ? Float64Array
        : Float32Array | Float64Array
    : D extends IntegerArray
      ? Float64Array
      : D extends readonly unknown[]
        ? T extends undefined | "complex128"
          ? Float64Array
          : T extends "complex64"
            ? Float32Array
            : Float32Array | Float64Array
        : Float32Array | Float64Array;

/**
 * The arrays that come back for A: Float32Array for float32 and half precision, else Float64Array; either where A's type
 * does not tell.
 */
export type Precision<A> =
  A extends RowPanelSource<infer T>
    ? PanelPrecision<T>
    : A extends { readonly data: infer D }
      ? ArrayPrecision<D, NameOf<A>>
      : A extends readonly unknown[]
        ? Float64Array
        : Float32Array | Float64Array;

/** A row-major matrix that this package made: `data.length = m·n`, never a view of the input. */
export interface Matrix<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  readonly data: D;
  readonly shape: [number, number];
  /** of a complex matrix, whose `data` has 2·m·n interleaved real and imaginary parts; absent where A is real */
  readonly dtype?: ComplexType;
}

/** The largest singular value with its vectors, and how far they can be trusted. */
export interface SingularTriplet<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  /** σ₁ */
  sigma: number;
  /** unit left vector, length m, in A's dtype; 2m interleaved parts if A is complex */
  u: D;
  /** unit right vector, length n, in A's dtype; 2n interleaved parts if A is complex */
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
  /** k×m, in A's dtype, interleaved if that is complex: row i is the unit left vector of `sigma[i]` */
  u: Matrix<D>;
  /** k×n, in A's dtype, interleaved if that is complex: row i is the unit right vector of `sigma[i]` */
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
