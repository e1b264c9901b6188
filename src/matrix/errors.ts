/** The stable, machine-readable name of an error's kind. */
export type ErrorCode =
  | "ERR_SHAPE"
  | "ERR_NON_FINITE"
  | "ERR_OPTION"
  | "ERR_TIED"
  | "ERR_UNSUPPORTED"
  | "ERR_OVERFLOW"
  | "ERR_DEVICE"
  | "ERR_FILE";

/** What every error of this package extends; `code` says which kind it is. */
export abstract class SpectralNormError extends Error {
  abstract readonly code: ErrorCode;
}

/** Empty, data too short, ragged rows, wrong rank, or a start vector of the wrong length. */
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
