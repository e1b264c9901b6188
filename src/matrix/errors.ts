import type { SingularTriplet, SingularTriplets } from "./types.js";

/** The stable, machine-readable name of an error's kind. */
export type ErrorCode =
  | "ERR_SHAPE"
  | "ERR_NON_FINITE"
  | "ERR_OPTION"
  | "ERR_TIED"
  | "ERR_UNSUPPORTED"
  | "ERR_OVERFLOW"
  | "ERR_DEVICE"
  | "ERR_FILE"
  | "ERR_NOT_CONVERGED"
  | "ERR_TRIPLET"
  | "ERR_ADJOINT";

/** What every error of this package extends; `code` says which kind it is. */
export abstract class SpectralNormError extends Error {
  abstract readonly code: ErrorCode;
}

/**
 * Empty, data too short or too long, a layout that contradicts itself, ragged rows, wrong rank, or a start vector of
 * the wrong length.
 */
export class ShapeError extends SpectralNormError {
  override readonly name = "ShapeError";
  readonly code = "ERR_SHAPE";
}

/** A NaN or an infinity in the input; `row` and `column` count from 0. */
export class NonFiniteError extends SpectralNormError {
  override readonly name = "NonFiniteError";
  readonly code = "ERR_NON_FINITE";
  readonly row: number | undefined;
  readonly column: number | undefined;
  constructor(message: string, row?: number, column?: number) {
    super(message);
    this.row = row;
    this.column = column;
  }
}

/** An option that does not exist or has a value it does not take; the message names both. */
export class OptionError extends SpectralNormError {
  override readonly name = "OptionError";
  readonly code = "ERR_OPTION";
}

/** A second derivative, or a pull-back of u or v, where σ₁ is tied: it does not exist there. */
export class TiedError extends SpectralNormError {
  override readonly name = "TiedError";
  readonly code = "ERR_TIED";
}

/** What this kind of input or engine cannot do; the message says what to call instead. */
export class UnsupportedError extends SpectralNormError {
  override readonly name = "UnsupportedError";
  readonly code = "ERR_UNSUPPORTED";
}

/** A norm beyond the largest double. */
export class OverflowError extends SpectralNormError {
  override readonly name = "OverflowError";
  readonly code = "ERR_OVERFLOW";
}

/** A device (GPU, worker) that is missing, was lost, or could not allocate. */
export class DeviceError extends SpectralNormError {
  override readonly name = "DeviceError";
  readonly code = "ERR_DEVICE";
}

/** A file that cannot be read for what it says it is. */
export class FileError extends SpectralNormError {
  override readonly name = "FileError";
  readonly code = "ERR_FILE";
}

/** What a `ConvergenceError` carries beside its message. */
export interface ConvergenceDetails {
  /** the best triplet that was found */
  readonly triplet?: SingularTriplet | undefined;
  /** where several singular values were asked for: the best that were found */
  readonly triplets?: SingularTriplets | undefined;
  /** in a batch: the index of the matrix, counted from 0 */
  readonly index?: number | undefined;
}

/**
 * The iteration ended before it reached the accuracy asked for. Thrown by functions that return a bare number,
 * matrix or tensor; functions that return an object set its `converged` to false instead.
 */
export class ConvergenceError extends SpectralNormError {
  override readonly name = "ConvergenceError";
  readonly code = "ERR_NOT_CONVERGED";
  readonly triplet: SingularTriplet | undefined;
  readonly triplets: SingularTriplets | undefined;
  readonly index: number | undefined;
  constructor(message: string, { triplet, triplets, index }: ConvergenceDetails = {}) {
    super(message);
    this.triplet = triplet;
    this.triplets = triplets;
    this.index = index;
  }
}

/** A triplet that is not one of A's: of another matrix, or of A before it was changed. */
export class TripletError extends SpectralNormError {
  override readonly name = "TripletError";
  readonly code = "ERR_TRIPLET";
}

/** What is wrong with an operator: its two products are not adjoint, or one of them is not a linear function. */
export type AdjointErrorReason = "adjoint" | "nondeterministic" | "nonlinear";

/** An operator whose `matvec` and `rmatvec` do not belong to one matrix. */
export class AdjointError extends SpectralNormError {
  override readonly name = "AdjointError";
  readonly code = "ERR_ADJOINT";
  readonly reason: AdjointErrorReason;
  constructor(message: string, reason: AdjointErrorReason) {
    super(message);
    this.reason = reason;
  }
}
