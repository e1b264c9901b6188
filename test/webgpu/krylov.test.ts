import { afterAll, beforeAll, expect, it } from "vitest";
import { startStream } from "../../src/solve/krylov.js";
import { deviceInputOf } from "../../src/webgpu/device-input.js";
import { DeviceKrylovSpace } from "../../src/webgpu/device-krylov.js";
import { DeviceProducts } from "../../src/webgpu/device-products.js";
import { type Session, withSession } from "../../src/webgpu/session.js";
import { store } from "../../src/webgpu/stored-matrix.js";
import { fromEntries, normalMatrix, withSpectrum } from "../matrices.js";
import { startDevice } from "./dawn.js";

const EPS = 2 ** -23;
let device: GPUDevice;
beforeAll(async () => {
  device = await startDevice();
});
afterAll(() => device.destroy());

const dot = (x: ArrayLike<number>, y: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
};

/** PᵀP·x in float64, P being the taller of A and Aᵀ. */
function gramOf(data: Float32Array, m: number, n: number, x: Float64Array): Float64Array {
  const tall = m >= n;
  const [long, short] = tall ? [m, n] : [n, m];
  const at = (i: number, j: number) => (tall ? data[i * n + j] : data[j * n + i]);
  const y = Float64Array.from({ length: long }, (_, i) =>
    dot(
      x,
      Float64Array.from(x, (_, j) => at(i, j)),
    ),
  );
  return Float64Array.from({ length: short }, (_, j) =>
    dot(
      y,
      Float64Array.from(y, (_, i) => at(i, j)),
    ),
  );
}

interface Case {
  name: string;
  m: number;
  n: number;
  data: Float64Array;
  /** block steps between two looks */
  steps: number[];
  start?: Float64Array;
}

const diagonal = (n: number, entry: (i: number) => number) =>
  fromEntries(n, n, (i, j) => (i === j ? entry(i) : 0)).data;

const cases: Case[] = [
  { name: "normal, tall", m: 90, n: 61, data: normalMatrix(90, 61, 1).data, steps: [1, 4, 12, 7] },
  { name: "normal, wide", m: 62, n: 75, data: normalMatrix(62, 75, 2).data, steps: [5, 20] },
  { name: "through restarts", m: 150, n: 130, data: normalMatrix(150, 130, 3).data, steps: [40, 3, 30, 20] },
  {
    name: "graded to nothing",
    m: 80,
    n: 70,
    data: withSpectrum(80, 70, (i) => 0.3 ** i, 4).data,
    steps: [12, 12],
  },
  {
    name: "rank three",
    m: 50,
    n: 66,
    data: withSpectrum(50, 66, (i) => (i < 3 ? 3 - i : 0), 5).data,
    steps: [8, 8],
  },
  {
    name: "rank one",
    m: 66,
    n: 50,
    data: fromEntries(66, 50, (i, j) => ((i + 1) * (j + 1)) / 100).data,
    steps: [6, 6],
  },
  { name: "identity", m: 70, n: 70, data: diagonal(70, () => 1), steps: [5, 9] },
  { name: "two values", m: 70, n: 70, data: diagonal(70, (i) => (i % 3 ? 1 : 100)), steps: [12, 6] },
  { name: "all of a small space", m: 9, n: 7, data: normalMatrix(9, 7, 6).data, steps: [2, 12] },
  { name: "an odd dimension left", m: 5, n: 5, data: diagonal(5, (i) => 2 ** i), steps: [12] },
  { name: "one column", m: 30, n: 1, data: normalMatrix(30, 1, 7).data, steps: [3] },
  {
    name: "a start that is an eigenvector",
    m: 70,
    n: 70,
    data: diagonal(70, (i) => 1 + i / 70),
    steps: [1, 8],
    start: Float64Array.from({ length: 70 }, (_, i) => (i === 3 ? 1 : 0)),
  },
];

it.each(cases)("$name: an orthonormal basis, and Ritz pairs that are what they say", async (one) => {
  const { m, n, steps, start } = one;
  const data = Float32Array.from(one.data);
  await withSession({ device }, async (session) => {
    const P = await DeviceProducts.of(
      session,
      await store(session, deviceInputOf({ data, shape: [m, n] }, "test")),
    );
    const space = await DeviceKrylovSpace.of(session, P, startStream(0));
    await space.start(start);
    for (const count of steps) {
      const wanted = Math.min(space.steps + count, 200);
      while (space.steps < wanted && !space.exhausted) {
        if (space.full) space.restart(space.ritz(24));
        const before = space.steps;
        await space.extend(wanted - space.steps, 200);
        expect(space.steps).toBeGreaterThan(before);
      }
      await check(session, P, space, data, m, n);
    }
    if (Math.min(m, n) < 10) expect([space.exhausted, space.size]).toEqual([true, Math.min(m, n)]);
  });
});

async function check(
  session: Session,
  P: DeviceProducts,
  space: DeviceKrylovSpace,
  data: Float32Array,
  m: number,
  n: number,
): Promise<void> {
  // The next block is part of it, as far as there are dimensions.
  const count = Math.min(space.size + 2, P.short);
  const basis = await session.read(P.bound.basis, 0, count * P.ld);
  const q = Array.from({ length: count }, (_, i) => basis.subarray(i * P.ld, i * P.ld + P.short));
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      // What the rounding of such short sums leaves, of the coefficients and of what they are subtracted from.
      const error = Math.abs(dot(q[i], q[j]) - (i === j ? 1 : 0));
      expect(error, `q${i}·q${j} of ${count}`).toBeLessThan(25 * EPS);
    }
  expect(basis.subarray(P.short, P.ld).every((x) => x === 0)).toBe(true);

  const { values, coefficients, residuals } = space.ritz(3);
  for (const [p, y] of coefficients.entries()) {
    const x = await space.combine(y);
    const size = Math.sqrt(dot(x, x));
    expect(Math.abs(size - 1)).toBeLessThan(50 * EPS);
    const G = gramOf(data, m, n, x);
    // A product of the device's is off by some ε·θ₁, and so is what it is told by.
    const rounding = 50 * EPS * values[0];
    expect(Math.abs(dot(x, G) - values[p]), `θ${p}`).toBeLessThan(rounding);
    const residual = Math.sqrt(G.reduce((sum, value, i) => sum + (value - values[p] * x[i]) ** 2, 0));
    expect(Math.abs(residual - residuals[p]), `residual ${p}`).toBeLessThan(rounding);
  }
}
