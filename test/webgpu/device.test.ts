import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { csr, rowPanels } from "../../src/index.js";
import {
  type DeviceOptions,
  requestDevice,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/webgpu/index.js";
import { normalMatrix } from "../matrices.js";
import { dawn, startDevice } from "./dawn.js";
import { altered, bufferOf, counted, limited } from "./observed.js";

const A = { data: Float32Array.from(normalMatrix(40, 30, 1).data), shape: [40, 30] as [number, number] };
const any = (options: object) => options as DeviceOptions;

/** That the promise rejects with this code and all of these words. */
async function refused(promise: Promise<unknown>, code: string, ...words: string[]): Promise<void> {
  const error = (await promise.then(
    () => expect.fail("not refused"),
    (error) => error,
  )) as { code?: string; message: string };
  expect(error).toMatchObject({ code });
  for (const word of words) expect(error.message).toContain(word);
}

describe("the device that is found by itself", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("is asked for once, with the adapter's limits, and again when it is lost", async () => {
    const asked: unknown[] = [];
    const requestAdapter = async (options: unknown) => {
      asked.push(options);
      return dawn().requestAdapter();
    };
    vi.stubGlobal("navigator", { gpu: { requestAdapter } });
    const [device, same] = await Promise.all([requestDevice(), requestDevice()]);
    const adapter = await dawn().requestAdapter();
    expect(device).toBe(same);
    expect(device.limits.maxBufferSize).toBe(adapter!.limits.maxBufferSize);
    expect(device.limits.maxStorageBufferBindingSize).toBe(adapter!.limits.maxStorageBufferBindingSize);
    const before = await spectralNorm(A);
    expect(asked).toEqual([{ powerPreference: "high-performance" }]);
    device.destroy();
    await device.lost;
    expect(await spectralNorm(A)).toBe(before);
    expect(asked.length).toBe(2);
    const second = await requestDevice();
    second.destroy();
    await second.lost;
  });

  it.each<[string, object, string, string]>([
    ["no WebGPU", {}, "navigator.gpu", "spectral-norm"],
    ["no adapter", { gpu: { requestAdapter: async () => null } }, "no adapter", "spectral-norm"],
    [
      "an adapter that fails",
      { gpu: { requestAdapter: () => Promise.reject(new Error("blocked")) } },
      "blocked",
      "adapter",
    ],
    [
      "an adapter that refuses",
      {
        gpu: {
          requestAdapter: async () => ({
            limits: {},
            requestDevice: () => Promise.reject(new Error("used up")),
          }),
        },
      },
      "used up",
      "device",
    ],
  ])("is missed clearly: %s", async (_, navigator, ...words) => {
    vi.stubGlobal("navigator", navigator);
    await refused(spectralNorm(A), "ERR_DEVICE", ...words);
    // What went wrong, where something did, is the cause.
    const { cause } = await spectralNorm(A).catch((error) => error);
    if (words[0] === "blocked" || words[0] === "used up") expect(cause).toEqual(new Error(words[0]));
    await refused(spectralNormBatch([[[1]]]), "ERR_DEVICE", ...words);
    // It is not remembered: the next call asks again.
    await refused(valueAndGrad(A), "ERR_DEVICE", ...words);
  });
});

describe("a device that fails", () => {
  it("lost before, or at any time while it computes: said so, and nothing hangs", async () => {
    // Before it does anything, and as it submits its first work, its second, …
    for (let submissions = 0; submissions < 4; submissions++) {
      const device = await startDevice();
      const submit = device.queue.submit.bind(device.queue);
      let until = submissions;
      device.queue.submit = (commands) => {
        submit(commands);
        if (--until === 0) device.destroy();
      };
      const { device: watched, left } = counted(device);
      const A = { data: Float32Array.from(normalMatrix(300, 200, 1).data), shape: [300, 200] };
      const pending = singularTriplet(A, { device: watched });
      const outcome = refused(pending, "ERR_DEVICE", "lost", "destroyed");
      if (submissions === 0) device.destroy();
      await outcome;
      expect(left()).toEqual([]);
      await refused(spectralNorm(A, { device }), "ERR_DEVICE", "lost");
    }
  });

  it("out of memory: said so, with what for and how much", async () => {
    const device = await startDevice();
    const scopes: string[] = [];
    const poor = altered(device, {
      pushErrorScope: (filter: GPUErrorFilter) => scopes.push(filter),
      popErrorScope: async () => (scopes.pop() === "out-of-memory" ? { message: "" } : null),
    });
    await refused(spectralNorm(A, { device: poor }), "ERR_DEVICE", "out of memory", "bytes");
    const small = limited(device, { maxBufferSize: 200_000 });
    const large = { data: new Float32Array(300 * 200), shape: [300, 200] };
    const gradient = valueAndGrad(large, { device: small, output: "device" });
    await refused(gradient, "ERR_DEVICE", "the gradient", "240000 bytes", "200000");
    device.destroy();
  });

  it("refusing what is run: said so, and its buffers are gone", async () => {
    const device = await startDevice();
    const { device: watched, left } = counted(device);
    const broken = altered(watched, {
      createBuffer: (descriptor: GPUBufferDescriptor) =>
        watched.createBuffer(
          descriptor.label === "the basis" ? { ...descriptor, usage: 0x8 | 0x4 } : descriptor,
        ),
    });
    await refused(spectralNorm(A, { device: broken }), "ERR_DEVICE", "the basis");
    expect(left()).toEqual([]);
    device.destroy();
  });
});

it("a matrix that turns into NaN on the way is no number's norm", async () => {
  const device = await startDevice();
  const [m, n] = [200, 150];
  const buffer = bufferOf(device, normalMatrix(m, n, 1).data);
  const nothing = new Float32Array(m * n).fill(Number.NaN);
  // After the search and the start, before the steps: the sixth time that something is run.
  let runs = 0;
  const queue = new Proxy(device.queue, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name !== "submit") return value.bind(target);
      return (commands: GPUCommandBuffer[]) => {
        if (++runs === 6) device.queue.writeBuffer(buffer, 0, nothing);
        device.queue.submit(commands);
      };
    },
  });
  const pending = singularTriplet({ buffer, shape: [m, n] }, { device: altered(device, { queue }) });
  await refused(pending, "ERR_DEVICE", "not finite", "changed");
  device.destroy();
});

describe("what is refused", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await startDevice();
    return () => device.destroy();
  });

  it("buffers that are too short, not for computing, destroyed, or another device's", async () => {
    const good = bufferOf(device, A.data);
    const read = (shape: number[], offset?: unknown) =>
      spectralNorm({ buffer: good, shape, offset: offset as number }, { device });
    await refused(read([40, 31]), "ERR_SHAPE", "too short", "4960", "4800");
    await refused(read([40, 30], 1), "ERR_SHAPE", "too short");
    await refused(read([40, 30], -1), "ERR_SHAPE", "offset");
    await refused(read([40, 30], 0.5), "ERR_SHAPE", "offset");
    await refused(read([0, 30]), "ERR_SHAPE", "empty");
    await refused(read([40]), "ERR_SHAPE", "[m, n]");
    const still = bufferOf(device, A.data, 0, 0x8 | 0x4);
    await refused(spectralNorm({ buffer: still, shape: A.shape }, { device }), "ERR_UNSUPPORTED", "STORAGE");
    const other = await startDevice();
    await refused(spectralNorm({ buffer: good, shape: A.shape }, { device: other }), "ERR_DEVICE");
    other.destroy();
    good.destroy();
    await refused(spectralNorm({ buffer: good, shape: A.shape }, { device }), "ERR_DEVICE", "destroyed");
    still.destroy();
  });

  it("NaN and infinity, by their place", async () => {
    for (const [value, place] of [
      [Number.NaN, 0],
      [Number.POSITIVE_INFINITY, 611],
      [Number.NEGATIVE_INFINITY, 1199],
      [Number.NaN, 700],
    ] as const) {
      const data = A.data.with(place, value).with(1199, value);
      const where = `row ${Math.floor(place / 30)}, column ${place % 30} `;
      const at = { row: Math.floor(place / 30), column: place % 30 };
      const buffer = bufferOf(device, data);
      // Parts of three rows, whose search runs side by side.
      const parts = limited(device, { maxStorageBufferBindingSize: 1024 });
      for (const [input, on] of [
        [{ data, shape: [40, 30] }, device],
        [{ data: Float64Array.from(data), shape: [40, 30] }, device],
        [{ buffer, shape: [40, 30] }, device],
        [{ buffer, shape: [40, 30] }, parts],
        [{ data, shape: [40, 30] }, parts],
      ] as const) {
        await refused(spectralNorm(input, { device: on }), "ERR_NON_FINITE", where);
        await expect(spectralNorm(input, { device: on })).rejects.toMatchObject(at);
      }
      buffer.destroy();
    }
    // Named as A has it, however it is stored.
    const turned = { data: A.data.with(65, Number.NaN), shape: [30, 40], stride: [1, 30] };
    await refused(spectralNorm(turned, { device }), "ERR_NON_FINITE", "row 5, column 2 ");
  });

  it("what has no entries, naming what to call instead", async () => {
    const operator = { shape: [2, 2], matvec() {}, rmatvec() {} } as never;
    const sparse = csr({ data: [1], indices: [0], indptr: [0, 1], shape: [1, 1] }) as never;
    const panels = rowPanels({ shape: [1, 1], dtype: "float32", rows: () => new Float32Array(1) }) as never;
    await refused(spectralNorm(operator, { device }), "ERR_UNSUPPORTED", "spectralNorm of spectral-norm");
    await refused(valueAndGrad(operator, { device }), "ERR_UNSUPPORTED", "singularTriplet of spectral-norm");
    await refused(valueAndGrad(sparse, { device }), "ERR_UNSUPPORTED", "valueAndGrad of spectral-norm");
    await refused(singularTriplet(panels, { device }), "ERR_UNSUPPORTED", "singularTriplet of spectral-norm");
  });

  it("complex numbers, naming what to call instead", async () => {
    const complex = { data: new Float32Array(8).fill(1), shape: [2, 2], dtype: "complex64" };
    const batch = { ...complex, shape: [1, 2, 2] };
    const buffer = bufferOf(device, new Float32Array(8));
    const inputs = [
      complex,
      { ...complex, data: new Float64Array(8), dtype: "complex128" },
      [[{ re: 1, im: 2 }]],
      csr({ data: [1, 2], dtype: "complex128", indices: [0], indptr: [0, 1], shape: [1, 1] }),
      { buffer, shape: [2, 2], dtype: "complex64" },
    ];
    for (const input of inputs)
      for (const f of [spectralNorm, singularTriplet, valueAndGrad])
        await refused(f(input as never, { device }), "ERR_UNSUPPORTED", `${f.name} of spectral-norm`);
    for (const input of [batch, [[[{ re: 1, im: 2 }]]], { buffer, shape: [1, 2, 2], dtype: "complex64" }])
      for (const f of [spectralNormBatch, valueAndGradBatch])
        await refused(f(input as never, { device }), "ERR_UNSUPPORTED", `${f.name} of spectral-norm`);
    buffer.destroy();
  });

  it("options that it does not have", async () => {
    await refused(
      spectralNorm(A, any({ device, method: "dense" })),
      "ERR_UNSUPPORTED",
      "dense",
      "spectral-norm",
    );
    await refused(spectralNorm(A, any({ device, method: "power" })), "ERR_UNSUPPORTED", "power");
    await refused(spectralNorm(A, any({ device, method: "qr" })), "ERR_OPTION", "method");
    await refused(spectralNorm(A, any({ device, output: "gpu" })), "ERR_OPTION", "output", "host");
    await refused(spectralNorm(A, any({ device: "gpu" })), "ERR_OPTION", "device", "GPUDevice");
    await refused(spectralNorm(A, any({ device, tol: 1 })), "ERR_OPTION", "tol");
    await refused(spectralNorm(A, { device, start: [1, 2] }), "ERR_SHAPE", "start", "30");
    await refused(spectralNorm([[1, 2], [3]], { device }), "ERR_SHAPE", "ragged");
  });
});
