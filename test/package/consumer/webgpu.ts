// What a program needs that has no declarations of WebGPU, or the compiler's own.
import type { Matrix } from "spectral-norm";
import {
  type Device,
  type DeviceArray,
  type DeviceBuffer,
  requestDevice,
  singularTriplet,
  spectralNorm,
  valueAndGrad,
  valueAndGradBatch,
} from "spectral-norm/webgpu";

const A = { data: new Float32Array([3, 0, 0, 0, 4, 0]), shape: [2, 3] };

/** Never called where there is no device; it has to compile. */
export async function onDevice(device: Device, buffer: DeviceBuffer): Promise<number> {
  const there: DeviceArray = { buffer, shape: [2, 3] };
  const value: number = await spectralNorm(there, { device, rtol: 1e-3 });
  const left: DeviceBuffer = (await valueAndGrad(there, { device })).grad.buffer;
  const brought: Matrix<Float32Array> = (await valueAndGrad(there, { device, output: "host" })).grad;
  const here: Matrix<Float32Array> = (await valueAndGrad(A, { device })).grad;
  const sent: DeviceArray<[number]> = (await singularTriplet(A, { device, output: "device" })).u;
  const typed: number = await spectralNorm([BigInt64Array.of(3n, 4n)], { device });
  const plain: number = await spectralNorm({ data: [3, 4], shape: [1, 2], strides: [2, 1] }, { device });
  const u: Float32Array = (await singularTriplet([[3], [4]])).u;
  const { values, grads } = await valueAndGradBatch({ buffer, shape: [1, 2, 3] }, { device });
  left.destroy();
  grads.buffer.destroy();
  // @ts-expect-error: on the device there is no data to look at.
  (await valueAndGrad(there, { device })).grad.data;
  // @ts-expect-error: a device has no other method.
  await spectralNorm(A, { method: "dense" });
  return value + typed + plain + brought.data[0]! + here.data[0]! + sent.buffer.size + u[0]! + values[0]!;
}

const told = (error: { code: string }) => error.code;

export const results = {
  spectralNorm: await spectralNorm(A).then(() => "computed", told),
  requestDevice: await requestDevice().then(() => "there", told),
};
