import { checkTypeName, isComplexName } from "./dtype.js";
import { UnsupportedError } from "./errors.js";
import type { LayoutFields } from "./layout.js";

/** What an object may have that is taken for a matrix. */
export interface Fields extends LayoutFields {
  readonly data?: unknown;
  readonly shape?: unknown;
  readonly dtype?: unknown;
  readonly kind?: unknown;
  readonly matvec?: unknown;
  readonly rmatvec?: unknown;
  readonly rows?: unknown;
}

/** Members that the parts of a sparse matrix have, and no dense one. */
const SPARSE = ["indices", "indptr", "row", "col"] as const;

/** Members by which the objects of other libraries are known. */
interface Foreign extends Fields {
  readonly dataSync?: unknown;
  readonly aval?: unknown;
  readonly isDenseMatrix?: unknown;
  readonly isSparseMatrix?: unknown;
  readonly to2DArray?: unknown;
  readonly selection?: unknown;
  readonly indices?: unknown;
  readonly indptr?: unknown;
  readonly row?: unknown;
  readonly col?: unknown;
  readonly tolist?: unknown;
  readonly storage?: { readonly offset?: unknown } | null;
}

/** An array of numpy-ts: it keeps the offset of a view in its storage. */
function isNumpyArray(A: Foreign): boolean {
  return typeof A.tolist === "function" && A.strides !== undefined && ArrayBuffer.isView(A.data);
}

/** Whether it has the form that `rowPanels` gives. Matrices of numpy-ts and mathjs have a method of that name too. */
export function comesInPanels(A: unknown): boolean {
  if (typeof A !== "object" || A === null) return false;
  const object: Foreign = A;
  return typeof object.rows === "function" && object.isDenseMatrix !== true && !isNumpyArray(object);
}

/**
 * The members of an object that make it a matrix.
 *
 * @throws UnsupportedError for objects of other libraries that have no such members, with what to pass instead
 */
export function fieldsOf(A: object): Fields {
  const object: Foreign = A;
  const refuse = (what: string, instead: string): never => {
    throw new UnsupportedError(`matrix: this is ${what}; ${instead}`);
  };
  if (typeof object.dataSync === "function") {
    if (object.aval !== undefined)
      refuse("a jax-js array", "import from spectral-norm/jax, or pass its data");
    refuse("a TensorFlow.js tensor", "import from spectral-norm/tfjs");
  }
  if (object.isDenseMatrix === true) refuse("a mathjs matrix A", "pass A.toArray()");
  if (object.isSparseMatrix === true)
    refuse(
      "a sparse mathjs matrix A",
      "pass csc({ data: A._values, indices: A._index, indptr: A._ptr, shape: A._size })",
    );
  if (typeof object.to2DArray === "function") refuse("an ml-matrix matrix A", "pass A.to2DArray()");
  const isArray = (value: unknown) => Array.isArray(value) || ArrayBuffer.isView(value);
  if (object.matvec === undefined && (object.kind === "csr" || SPARSE.some((name) => isArray(object[name]))))
    refuse("a sparse matrix in parts", "pass them to csr, csc or coo");
  if (object.data === undefined && typeof object.selection === "object" && object.selection !== null)
    refuse("a numjs array A", "pass A.selection");
  if (!isNumpyArray(object)) return object;
  if (!isComplexName(object.dtype)) checkTypeName(object.dtype);
  const { data, shape, strides, dtype } = object;
  const offset = object.storage?.offset;
  return typeof offset === "number" ? { data, shape, strides, dtype, offset } : object;
}
