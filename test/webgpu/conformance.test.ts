import { afterAll, beforeAll, describe } from "vitest";
import { valueAndGrad } from "../../src/webgpu/index.js";
import { conformance } from "../adapters/conformance.js";
import { startDevice } from "./dawn.js";

describe("WebGPU", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await startDevice();
  });
  afterAll(() => device.destroy());

  conformance({
    name: "a matrix of the host's",
    epsilon: 2 ** -23,
    async valueAndGrad(data, shape) {
      const A = { data: Float32Array.from(data), shape };
      const { value, grad } = await valueAndGrad(A, { device });
      return { value, grad: grad.data };
    },
  });

  conformance({
    name: "a matrix in a buffer",
    epsilon: 2 ** -23,
    async valueAndGrad(data, shape) {
      const buffer = device.createBuffer({ size: 4 * data.length, usage: 0x80 | 0x4 | 0x8 });
      device.queue.writeBuffer(buffer, 0, Float32Array.from(data));
      const { value, grad } = await valueAndGrad({ buffer, shape }, { device, output: "host" });
      buffer.destroy();
      return { value, grad: grad.data };
    },
  });
});
