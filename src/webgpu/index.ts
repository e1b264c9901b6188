/**
 * The spectral norm and its derivative in float32 on a GPU, of matrices in host or GPU memory.
 *
 * @module spectral-norm/webgpu
 */
export { requestDevice } from "./device.js";
export { type HostBatch, spectralNormBatch, valueAndGradBatch } from "./device-batch.js";
export type {
  Device,
  DeviceArray,
  DeviceBuffer,
  DeviceOptions,
  DeviceTriplet,
  DeviceValueAndGrad,
  DeviceValuesAndGrads,
  HostTriplet,
  HostValueAndGrad,
  HostValuesAndGrads,
  Output,
} from "./device-types.js";
export { type HostMatrix, singularTriplet, spectralNorm, valueAndGrad } from "./functions.js";
