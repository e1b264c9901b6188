import type { Kernels } from "../kernels/contract.js";
import type { CsrParts } from "../matrix/sparse.js";
import type { FunctionName } from "./async-functions.js";
import type { PackedValue } from "./failure.js";

/** The first and only message to a worker of a team. It answers "ready", or with a `Failed`. */
export interface WorkerInit {
  readonly memory: WebAssembly.Memory;
  /** the module of each set of kernels */
  readonly modules: readonly WebAssembly.Module[];
  /** the shared state of the team */
  readonly shared: SharedArrayBuffer;
  readonly names: readonly string[];
  readonly thread: number;
  readonly threads: number;
}

/** The first message to the coordinating thread: how many threads to compute with. */
export interface CoordinatorInit {
  readonly count: number;
}

/** One call. The function's first arguments are matrices; the rest are sent as they are. */
export interface Request {
  readonly id: number;
  readonly name: FunctionName;
  /** what `setKernels` had chosen when the call was made */
  readonly kernels: Kernels["name"] | "auto";
  readonly matrices: readonly PackedMatrix[];
  readonly rest: readonly unknown[];
}

/**
 * A matrix, or a batch, without functions and with arrays of its own. `stride` and `offset` count complex numbers where
 * `dtype` is a complex type.
 */
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

/** The coordinating thread's answer: the outcome of a call or, without `id`, that it has started. */
export type Reply = { readonly id?: number; readonly value: unknown } | Failed;

export interface Failed {
  readonly id?: number;
  readonly error: PackedValue;
}
