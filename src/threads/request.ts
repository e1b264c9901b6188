import type { Kernels } from "../kernels/contract.js";
import type { CsrParts } from "../matrix/sparse.js";
import type { PackedValue } from "./failure.js";

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
  readonly error: PackedValue;
}
