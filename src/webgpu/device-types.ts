import type { ValueAndGrad } from "../derivative/gradient.js";
import type { BatchValuesAndGrads } from "../derivative/gradient-batch.js";
import type { SingularTriplet } from "../matrix/types.js";
import type { SolveOptions } from "../solve/options.js";

// The package does not depend on declarations of WebGPU. If the user's program has them (from TypeScript's "dom" or
// @webgpu/types), these types are those; otherwise they are the smallest types that tell a buffer from other objects.
type Global<Name extends string, Else> =
  typeof globalThis extends Record<Name, { prototype: infer T }> ? T : Else;

/** A `GPUDevice`. */
export type Device = Global<"GPUDevice", { readonly queue: object; destroy(): void }>;
/** A `GPUBuffer`. */
export type DeviceBuffer = Global<
  "GPUBuffer",
  { readonly size: number; readonly usage: number; destroy(): void }
>;

/** Row-major float32 on a device. The caller owns the buffers that this package returns, and destroys them. */
export interface DeviceArray<Shape extends readonly number[] = readonly number[]> {
  readonly buffer: DeviceBuffer;
  readonly shape: Shape;
  /** numbers before the first entry; default 0 */
  readonly offset?: number | undefined;
}

/** Where results are stored. */
export type Output = "host" | "device";

/** Options of every function of this module. A matrix in a buffer needs the option `device`; all else is optional. */
export interface DeviceOptions extends Omit<SolveOptions, "method"> {
  /** "auto" and "lanczos" are the same here */
  method?: "auto" | "lanczos";
  /** the device that computes, which also holds a matrix in a buffer; default: that of `requestDevice` */
  device?: Device;
  /** where u, v and the gradient are stored; default: where A is */
  output?: Output;
}

/** A triplet with its vectors in host memory, always in float32. */
export type HostTriplet = SingularTriplet<Float32Array>;

/** A triplet with its vectors on the device. */
export interface DeviceTriplet extends Omit<SingularTriplet, "u" | "v"> {
  /** unit left vector, shape [m] */
  u: DeviceArray<[number]>;
  /** unit right vector, shape [n] */
  v: DeviceArray<[number]>;
}

/** A norm and its gradient in host memory, always in float32. */
export type HostValueAndGrad = ValueAndGrad<Float32Array>;

/** A norm and its gradient on the device. */
export interface DeviceValueAndGrad extends Omit<ValueAndGrad, "grad"> {
  /** ∂‖A‖₂/∂A = u·vᵀ, shape [m, n] */
  grad: DeviceArray<[number, number]>;
}

/** b norms and their gradients in host memory, always in float32. */
export type HostValuesAndGrads = BatchValuesAndGrads<Float32Array>;

/** b norms and their gradients on the device. */
export interface DeviceValuesAndGrads extends Omit<BatchValuesAndGrads, "grads"> {
  /** shape [b, m, n] */
  grads: DeviceArray<[number, number, number]>;
}
