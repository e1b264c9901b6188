import { messageOf } from "../matrix/error-message.js";
import { DeviceError } from "../matrix/errors.js";
import type { Device } from "./device-types.js";

/** `GPUBufferUsage`, which is not a global in Node. */
export const USAGE = { mapRead: 1, copySrc: 4, copyDst: 8, uniform: 64, storage: 128 } as const;

let kept: Promise<Device> | undefined;

/**
 * The default device of the functions of this module: that of the fastest adapter, with the largest buffers that the
 * adapter supports. It is requested once and kept until it is lost.
 *
 * @throws (rejects) DeviceError if there is no WebGPU or no adapter, or if the adapter refuses
 *
 * @remarks
 * **Cost.** Some milliseconds for the first call, up to a second if the driver has to start.
 */
export function requestDevice(): Promise<Device> {
  if (!kept) {
    const asked: Promise<Device> = request();
    kept = asked;
    const forget = () => {
      if (kept === asked) kept = undefined;
    };
    asked.then((device) => device.lost.then(forget), forget);
  }
  return kept;
}

async function request(): Promise<Device> {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: GPU };
  if (!gpu)
    throw new DeviceError(
      "device: navigator.gpu is missing. A page needs a browser with WebGPU and a secure context (https, or " +
        "localhost); in Node pass { device }, for example from the package webgpu. Without a GPU, use spectral-norm",
    );
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" }).catch((error) => {
    throw new DeviceError(`device: requesting an adapter failed: ${messageOf(error)}`, { cause: error });
  });
  if (!adapter)
    throw new DeviceError(
      "device: WebGPU has no adapter here (no GPU, no driver, or a blocked one); use spectral-norm",
    );
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return adapter
    .requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } })
    .catch((error) => {
      throw new DeviceError(`device: the adapter refused: ${messageOf(error)}`, { cause: error });
    });
}
