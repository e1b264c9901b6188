import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../../src/numerics/random.js";
import { deviceInputOf } from "../../src/webgpu/device-input.js";
import { singularTriplet, spectralNorm } from "../../src/webgpu/index.js";
import { withSession } from "../../src/webgpu/session.js";
import { store } from "../../src/webgpu/stored-matrix.js";
import { normalMatrix } from "../matrices.js";
import { startDevice } from "./dawn.js";
import { bufferOf, limited } from "./observed.js";

let device: GPUDevice;
beforeAll(async () => {
  device = await startDevice();
});
afterAll(() => device.destroy());

const single = (data: ArrayLike<number>, factor = 1) => Float32Array.from(data, (x) => factor * x);
const of = (A: object, on = device) =>
  withSession(
    { device: on },
    async (session) => (await store(session, deviceInputOf(A, "test"))).fingerprint,
  );
const transposed = (data: Float32Array, m: number, n: number) =>
  Float32Array.from(data, (_, k) => data[(k % m) * n + Math.floor(k / m)]);

const [m, n] = [37, 50];
const data = single(normalMatrix(m, n, 3).data);
// Zeros of either sign, and powers of two, whose digits are zero.
data.set([0, -0, 1, -2, 0.25], 300);

describe("the fingerprint of a matrix", () => {
  it("is that of every layout, wherever it lies and however it is divided", async () => {
    const expected = await of({ data, shape: [m, n] });
    const wide = new Float32Array(m * (n + 3)).fill(7);
    for (let i = 0; i < m; i++) wide.set(data.subarray(i * n, (i + 1) * n), i * (n + 3) + 2);
    const backwards = single(data).reverse();
    const nested = Array.from({ length: m }, (_, i) => Array.from(data.subarray(i * n, (i + 1) * n)));
    for (const A of [
      { data: transposed(data, m, n), shape: [m, n], stride: [1, m] },
      { data: wide, shape: [m, n], stride: [n + 3, 1], offset: 2 },
      { data: backwards, shape: [m, n], stride: [-n, -1], offset: m * n - 1 },
      { data: Float64Array.from(data), shape: [m, n] },
      nested,
    ])
      expect(await of(A)).toBe(expected);
    const small = limited(device, { maxStorageBufferBindingSize: 2048 });
    for (const offset of [0, 5]) {
      const buffer = bufferOf(device, data, offset);
      for (const on of [device, small])
        expect(await of({ buffer, shape: [m, n], offset }, on)).toBe(expected);
      buffer.destroy();
    }
    expect(await of({ data, shape: [m, n] }, small)).toBe(expected);
    // One row, which has to be taken for a column.
    const row = single(normalMatrix(1, 3000, 1).data);
    const buffer = bufferOf(device, row, 3);
    const there = { buffer, shape: [1, 3000], offset: 3 };
    const whole = await of({ data: row, shape: [1, 3000] });
    expect([await of(there), await of(there, small)]).toEqual([whole, whole]);
    buffer.destroy();
  });

  it("is that of c·A, c being a power of two or its negative, down to subnormal numbers", async () => {
    const expected = await of({ data, shape: [m, n] });
    for (const c of [-1, 2, 2 ** 90, -(2 ** -90), 2 ** 12])
      expect(await of({ data: single(data, c), shape: [m, n] }), `${c}`).toBe(expected);
    for (const c of [2 ** 900, 2 ** -900, -(2 ** 11)])
      expect(await of({ data: Float64Array.from(data, (x) => c * x), shape: [m, n] }), `${c}`).toBe(expected);
    // Whole numbers, all of which are subnormal times 2⁻¹⁴⁹, some times 2⁻¹³⁰.
    const whole = single(data, 1000).map(Math.round);
    const plain = await of({ data: whole, shape: [m, n] });
    for (const e of [-149, -135, -130, -126]) {
      const tiny = single(whole, 2 ** e);
      const buffer = bufferOf(device, tiny);
      expect(await of({ data: tiny, shape: [m, n] }), `2^${e}`).toBe(plain);
      expect(await of({ buffer, shape: [m, n] }), `2^${e}`).toBe(plain);
      buffer.destroy();
    }
    // Numbers that are subnormal beside the largest lose the same digits for every c.
    const graded = Float64Array.from(data, (x, k) => x * 2 ** -(k % 160));
    const beside = await of({ data: graded, shape: [m, n] });
    for (const c of [2 ** 9, 2 ** -9, 2 ** 20, 2 ** 600])
      expect(await of({ data: graded.map((x) => c * x), shape: [m, n] }), `${c}`).toBe(beside);
    // Zeros have no sign.
    const zeros = data.map((x) => (x === 0 ? -x : x));
    expect(await of({ data: zeros, shape: [m, n] })).toBe(expected);
  });

  it("is another one where the matrix is", async () => {
    const swapped = (a: number, b: number, from: Float32Array) => from.with(a, from[b]).with(b, from[a]);
    const bits = (k: number, change: number) => {
      const copy = single(data);
      new Uint32Array(copy.buffer)[k] ^= change;
      return copy;
    };
    const binary = data.map((x) => (x > 0 ? 1 : 0));
    const powers = data.map((x) => 2 ** Math.floor(4 * Math.abs(x)));
    const signs = data.map((x) => (x > 0 ? 1 : -1));
    const fingerprints = await Promise.all(
      [
        data,
        ...[0, 1, 777, m * n - 1].flatMap((k) => [
          bits(k, 1),
          bits(k, 2 ** 22),
          bits(k, 2 ** 23),
          bits(k, -(2 ** 31)),
        ]),
        swapped(3, 4, data),
        swapped(3, 3 + n, data),
        // Two columns with other signs, so that the number of negative entries stays odd or even.
        data.map((x, k) => ([4, 9].includes(k % n) ? -x : x)),
        ...[binary, powers, signs].flatMap((one) => {
          const other = one.findIndex((x, k) => k > 100 && x !== one[0]);
          return [one, swapped(0, other, one), one.with(5, 8)];
        }),
      ].map((one) => of({ data: one, shape: [m, n] })),
    );
    expect(new Set(fingerprints).size).toBe(fingerprints.length);
    // As another matrix: another shape, the transpose.
    expect(await of({ data, shape: [n, m] })).not.toBe(fingerprints[0]);
    expect(await of({ data: transposed(data, m, n), shape: [n, m] })).not.toBe(fingerprints[0]);
  });
});

/** σ₁ = 1 with a v₁ that has no part in the random numbers that every matrix of this size used to start with. */
function adversary(rows: number, columns: number) {
  const random = createRandom(2 ** 44);
  const start = [0, 1].map(() => Float64Array.from({ length: columns }, () => random.normal()));
  const others = createRandom(5);
  const vectors = (length: number, count: number, first: Float64Array[]) => {
    const found = first.map((x) => x.slice());
    while (found.length < count) found.push(Float64Array.from({ length }, () => others.normal()));
    found.forEach((x, k) => {
      for (let pass = 0; pass < 2; pass++)
        for (const y of found.slice(0, k)) {
          const along = x.reduce((sum, value, i) => sum + value * y[i], 0);
          x.forEach((_, i) => {
            x[i] -= along * y[i];
          });
        }
      const size = Math.hypot(...x);
      x.forEach((_, i) => {
        x[i] /= size;
      });
    });
    return found;
  };
  const [, , v1] = vectors(columns, 3, start);
  const V = vectors(columns, columns, [v1]);
  const U = vectors(rows, columns, []);
  // The second is found in the steps before the first look, which do not amplify rounding by enough to show the first.
  const sigma = V.map((_, i) =>
    i === 0 ? 1 : i === 1 ? 0.9 : 0.5 * Math.cos((Math.PI * i) / (2 * columns)),
  );
  const entries = Float32Array.from({ length: rows * columns }, (_, k) => {
    const [i, j] = [Math.floor(k / columns), k % columns];
    return sigma.reduce((sum, s, p) => sum + s * U[p][i] * V[p][j], 0);
  });
  return { data: entries, shape: [rows, columns] };
}

it("a matrix made to be orthogonal to the start that all had is answered rightly", async () => {
  const A = adversary(90, 80);
  const buffer = bufferOf(device, A.data);
  for (const [input, options] of [
    [A, { device, rtol: 1e-2 }],
    [
      { buffer, shape: A.shape },
      { device, rtol: 1e-2 },
    ],
  ] as const) {
    expect(Math.abs((await spectralNorm(input, options)) - 1)).toBeLessThan(1e-2);
    const { sigma } = await singularTriplet(input, { ...options, output: "host" });
    // σ is off by the square of what the vectors are.
    expect(Math.abs(sigma - 1)).toBeLessThan(1e-4);
  }
  buffer.destroy();
});
