import type { Kernels } from "../kernels/contract.js";
import * as errors from "../matrix/errors.js";
import type { CsrParts } from "../matrix/sparse.js";

/** What the coordinating thread is told first: how many threads to compute with. */
export interface Beginning {
  readonly count: number;
}

/** The functions of the core that it computes. */
export type FunctionName =
  | "spectralNorm"
  | "valueAndGrad"
  | "singularTriplet"
  | "singularTriplets"
  | "tripletVjp"
  | "hessianVectorProduct"
  | "spectralNormBatch"
  | "valueAndGradBatch"
  | "svdvals"
  | "cond"
  | "matrixNorm"
  | "kyFanNorm"
  | "schattenNorm"
  | "certify";

/** One call: the function's first arguments are matrices, the others go as they are. */
export interface Request {
  readonly id: number;
  readonly name: FunctionName;
  /** what `setKernels` had chosen when the call was made */
  readonly kernels: Kernels["name"] | "auto";
  readonly matrices: readonly PackedMatrix[];
  readonly rest: readonly unknown[];
}

/** A matrix, or a batch, without functions and with arrays of its own. */
export type PackedMatrix =
  | { readonly kind: "sparse"; readonly parts: CsrParts }
  | {
      readonly kind: "dense";
      readonly data: ArrayLike<number>;
      readonly shape: readonly number[];
      readonly stride: readonly number[];
      readonly offset: number;
      readonly dtype: unknown;
    };

/** What comes back: that it has begun (no id), or a call's outcome. */
export type Reply = { readonly id?: number; readonly value: unknown } | Failed;

export interface Failed {
  readonly id?: number;
  readonly failure: Failure;
}

/** An error as it travels: classes do not. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: errors.ErrorCode;
  readonly row?: number;
  readonly column?: number;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  if (error instanceof errors.NonFiniteError) {
    const { code, row, column } = error;
    return { name, message, code, row, column };
  }
  return error instanceof errors.SpectralNormError ? { name, message, code: error.code } : { name, message };
}

type ErrorClass = new (message: string, ...details: never[]) => errors.SpectralNormError;

const CLASSES: Readonly<Record<errors.ErrorCode, ErrorClass>> = {
  ERR_SHAPE: errors.ShapeError,
  ERR_NON_FINITE: errors.NonFiniteError,
  ERR_OPTION: errors.OptionError,
  ERR_TIED: errors.TiedError,
  ERR_UNSUPPORTED: errors.UnsupportedError,
  ERR_OVERFLOW: errors.OverflowError,
  ERR_DEVICE: errors.DeviceError,
  ERR_FILE: errors.FileError,
  ERR_NOT_CONVERGED: errors.ConvergenceError,
  ERR_TRIPLET: errors.TripletError,
  ERR_ADJOINT: errors.AdjointError,
};

/** The error again, of the class that it had. */
export function errorOf({ name, message, code, row, column }: Failure): Error {
  if (code === "ERR_NON_FINITE") return new errors.NonFiniteError(message, row, column);
  if (code !== undefined) return new CLASSES[code](message);
  return Object.assign(new Error(message), { name });
}
