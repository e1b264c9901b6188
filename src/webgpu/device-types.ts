import type { ValueAndGrad } from "../derivative/gradient.js";
import type { BatchValuesAndGrads } from "../derivative/gradient-batch.js";
import type { SingularTriplet } from "../matrix/types.js";
import type { SolveOptions } from "../solve/options.js";

// The package asks for no declarations of WebGPU: where the user's program has them (TypeScript's own "dom", or
// @webgpu/types) they are what stands here, elsewhere as much of them as tells a buffer from something else.
type Global<Name extends string, Else> =
  typeof globalThis extends Record<Name, { prototype: infer T }> ? T : Else;

/** A `GPUDevice`. */
export type Device = Global<"GPUDevice", { readonly queue: object; destroy(): void }>;
/** A `GPUBuffer`. */
export type DeviceBuffer = Global<
  "GPUBuffer",
  { readonly size: number; readonly usage: number; destroy(): void }
>;

/** Row-major float32 on a device. What this package returns so is the caller's, to be destroyed when done with. */
export interface DeviceArray<Shape extends readonly number[] = readonly number[]> {
  readonly buffer: DeviceBuffer;
  readonly shape: Shape;
  /** numbers before the first; default 0 */
  readonly offset?: number | undefined;
}

/** Where results go. */
export type Output = "host" | "device";

/** What every function of this module takes. All of it is optional, but for a matrix on a device, its device. */
export interface DeviceOptions extends Omit<SolveOptions, "method"> {
  /** "auto" and "lanczos" are the same here */
  method?: "auto" | "lanczos";
  /** where it is computed, and where a matrix in a buffer lies; default: the one that `requestDevice` gives */
  device?: Device;
  /** where u, v and the gradient go; default: where A is */
  output?: Output;
}

/** A triplet whose vectors are in the memory of the host: always float32. */
export type HostTriplet = SingularTriplet<Float32Array>;

/** A triplet whose vectors are on the device. */
export interface DeviceTriplet extends Omit<SingularTriplet, "u" | "v"> {
  /** unit left vector, shape [m] */
  u: DeviceArray<[number]>;
  /** unit right vector, shape [n] */
  v: DeviceArray<[number]>;
}

/** A norm and its gradient, which is in the memory of the host: always float32. */
export type HostValueAndGrad = ValueAndGrad<Float32Array>;

/** A norm, and its gradient on the device. */
export interface DeviceValueAndGrad extends Omit<ValueAndGrad, "grad"> {
  /** ∂‖A‖₂/∂A = u·vᵀ, shape [m, n] */
  grad: DeviceArray<[number, number]>;
}

/** b norms, and their gradients in the memory of the host: always float32. */
export type HostValuesAndGrads = BatchValuesAndGrads<Float32Array>;

/** b norms, and their gradients on the device. */
export interface DeviceValuesAndGrads extends Omit<BatchValuesAndGrads, "grads"> {
  /** shape [b, m, n] */
  grads: DeviceArray<[number, number, number]>;
}
