import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deviceInputOf } from "../../src/webgpu/device-input.js";
import { DeviceProducts } from "../../src/webgpu/device-products.js";
import { spectralNorm, valueAndGrad } from "../../src/webgpu/index.js";
import { withSession } from "../../src/webgpu/session.js";
import { store } from "../../src/webgpu/stored-matrix.js";
import { normalMatrix } from "../matrices.js";
import { startDevice } from "./dawn.js";
import { bufferOf, limited } from "./observed.js";

const EPS = 2 ** -23;
let device: GPUDevice;
beforeAll(async () => {
  device = await startDevice();
});
afterAll(() => device.destroy());

type Pair = [Float64Array, Float64Array];

/** A·x and Aᵀ·y in plain loops, in float64, and the same of magnitudes: what rounding is measured against. */
function plain(data: Float32Array, m: number, n: number, x: Float64Array, down: boolean) {
  const exact = new Float64Array(down ? m : n);
  const size = new Float64Array(exact.length);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [to, from] = down ? [i, j] : [j, i];
      exact[to] += data[i * n + j] * x[from];
      size[to] += Math.abs(data[i * n + j] * x[from]);
    }
  return { exact, size };
}

/** Both products of a matrix on the device, for two vectors at a time. */
async function products(A: object, on: GPUDevice, long: Pair, short: Pair) {
  return withSession({ device: on }, async (session) => {
    const matrix = await store(session, deviceInputOf(A, "test"));
    const P = await DeviceProducts.of(session, matrix);
    const read = async (buffer: GPUBuffer, ld: number, length: number): Promise<Pair> => [
      new Float64Array(await session.read(buffer, 0, length)),
      new Float64Array(await session.read(buffer, ld, length)),
    ];
    short.forEach((x, c) => {
      session.write(P.bound.basis, c * P.ld, Float32Array.from(x));
    });
    session.run(P.matvec(0));
    const matvec = await read(P.bound.side, P.sideLd, P.long);
    long.forEach((y, c) => {
      session.write(P.bound.side, c * P.sideLd, Float32Array.from(y));
    });
    session.run(P.rmatvec(0));
    return { matvec, rmatvec: await read(P.bound.basis, P.ld, P.short), exponent: matrix.exponent };
  });
}

const vectors = (length: number, seed: number): Pair => {
  const { data } = normalMatrix(2, length, seed);
  const numbers = Float64Array.from(Float32Array.from(data));
  return [numbers.slice(0, length), numbers.slice(length)];
};

/** Terms that a thread adds up in a row, and sums that are added up after: see shaders/common.ts. */
const ROUNDINGS = 16 + 16 + 8 + 8 + 2;

describe("products are those of plain loops", () => {
  const shapes: [number, number][] = [
    [1, 1],
    [1, 300],
    [300, 1],
    [5, 3],
    [64, 64],
    [63, 65],
    [130, 257],
    [259, 131],
    [1100, 9],
    [9, 1100],
  ];
  it.each(shapes)("%i×%i, from the host and in place, in one part and in many", async (m, n) => {
    const [longest, shortest] = [Math.max(m, n), Math.min(m, n)];
    const A = { data: Float32Array.from(normalMatrix(m, n, 7).data), shape: [m, n] };
    const [long, short] = [vectors(longest, 1), vectors(shortest, 2)];
    // Whatever is there, nobody reads beyond the matrix.
    const buffer = bufferOf(device, [...A.data, ...new Float32Array(8).fill(Number.NaN)], 5);
    const there = { buffer, shape: [m, n], offset: 5 };
    const columns = { data: A.data, shape: [n, m], stride: [1, n] };
    const parts = limited(device, { maxStorageBufferBindingSize: 4096 + 8 * n });
    const few = limited(device, { maxComputeWorkgroupsPerDimension: 3 });
    for (const [name, input, on] of [
      ["host", A, device],
      ["buffer", there, device],
      ["turned", columns, device],
      ["host in parts", A, parts],
      ["buffer in parts", there, parts],
      ["few workgroups", A, few],
    ] as const) {
      const { matvec, rmatvec } = await products(input, on, long, short);
      for (let c = 0; c < 2; c++)
        for (const [found, from, down] of [
          [matvec[c], short[c], m >= n],
          [rmatvec[c], long[c], m < n],
        ] as const) {
          const { exact, size } = plain(A.data, m, n, from, down);
          found.forEach((x, k) => {
            const error = Math.abs(x - exact[k]);
            expect(error, `${name}, ${k}`).toBeLessThanOrEqual((ROUNDINGS / 2) * EPS * size[k]);
          });
        }
    }
    buffer.destroy();
  });

  it.each([2 ** -149, 2 ** -140, 2 ** -126, 2 ** -100, 2 ** 30, 2 ** 100])(
    "entries times %d are brought near 1 without a rounding",
    async (factor) => {
      const whole = Float32Array.from(normalMatrix(70, 41, 3).data, (x) => Math.round(50 * x));
      const [long, short] = [vectors(70, 1), vectors(41, 2)];
      const plain = await products({ data: whole, shape: [70, 41] }, device, long, short);
      const buffer = bufferOf(
        device,
        whole.map((x) => x * factor),
      );
      const { exponent, matvec, rmatvec } = await products({ buffer, shape: [70, 41] }, device, long, short);
      const power = Math.log2(factor) - exponent;
      expect(Math.abs(power)).toBeLessThan(8);
      for (let c = 0; c < 2; c++) {
        expect(matvec[c]).toEqual(plain.matvec[c].map((x) => x * 2 ** power));
        expect(rmatvec[c]).toEqual(plain.rmatvec[c].map((x) => x * 2 ** power));
      }
      buffer.destroy();
    },
  );
});

it("64,000 numbers of one sign: no digit lost to their number", async () => {
  // Added one after the other in float32, they would lose 1e-6 and more.
  for (const [m, n] of [
    [8_000, 8],
    [8, 8_000],
  ]) {
    const buffer = bufferOf(device, new Float32Array(m * n).fill(0.1));
    const exact = Math.fround(0.1) * Math.sqrt(m * n);
    const there = { buffer, shape: [m, n] };
    expect(Math.abs((await spectralNorm(there, { device })) / exact - 1)).toBeLessThan(4 * EPS);
    const { value, grad } = await valueAndGrad(there, { device, output: "host" });
    expect(Math.abs(value / exact - 1)).toBeLessThan(4 * EPS);
    const each = 1 / Math.sqrt(m * n);
    expect(grad.data.every((x) => Math.abs(x / each - 1) < 16 * EPS)).toBe(true);
    buffer.destroy();
  }
});
