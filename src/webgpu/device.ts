import { DeviceError } from "../matrix/errors.js";
import type { Device } from "./device-types.js";

/** The constants of WebGPU that are used here: Node has no globals of them. */
export const USAGE = { mapRead: 1, copySrc: 4, copyDst: 8, uniform: 64, storage: 128 } as const;

let kept: Promise<Device> | undefined;

/**
 * The device that the functions of this module use where they are not given one: the fastest adapter's, with the
 * largest buffers that it has to offer. It is asked for once and kept until it is lost.
 *
 * @throws (rejects) DeviceError where there is no WebGPU, no adapter, or the adapter refuses
 *
 * @remarks
 * **Cost.** The first call some milliseconds, up to a second where a driver has to wake.
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
      "device: there is no navigator.gpu here. A page needs a browser with WebGPU and a secure context (https, or " +
        "localhost); in Node pass { device }, of the package webgpu for example. Without one, use spectral-norm",
    );
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" }).catch((error) => {
    throw new DeviceError(`device: asking for an adapter failed: ${messageOf(error)}`, { cause: error });
  });
  if (!adapter)
    throw new DeviceError(
      "device: WebGPU has no adapter here (no GPU, no driver, or one that is blocked); use spectral-norm",
    );
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return adapter
    .requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } })
    .catch((error) => {
      throw new DeviceError(`device: the adapter gives none: ${messageOf(error)}`, { cause: error });
    });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
