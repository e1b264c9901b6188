import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as core from "../../src/index.js";
import {
  type HostMatrix,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/webgpu/index.js";
import { TIED } from "../closed-forms.js";
import { fromEntries, gradientDistance, normalMatrix, withSpectrum } from "../matrices.js";
import { startDevice } from "./dawn.js";
import { bufferOf, counted, limited, numbersIn } from "./observed.js";

const EPS = 2 ** -23;
let device: GPUDevice;
beforeAll(async () => {
  device = await startDevice();
});
afterAll(() => device.destroy());

const single = (data: ArrayLike<number>, factor = 1) => Float32Array.from(data, (x) => factor * x);
const shapes: [number, number][] = [
  [1, 1],
  [1, 37],
  [41, 1],
  [3, 2],
  [6, 9],
  [67, 64],
  [65, 131],
  [200, 150],
];

describe("what it finds", () => {
  it.each(shapes)("%i×%i, as the core does", async (m, n) => {
    const A = { data: single(normalMatrix(m, n, m + n).data), shape: [m, n] };
    const expected = core.singularTriplet(A);
    const buffer = bufferOf(device, A.data);
    const there = { buffer, shape: [m, n] };
    for (const t of [
      await singularTriplet(A, { device }),
      await singularTriplet(there, { device, output: "host" }),
    ]) {
      expect(Object.keys(t).sort()).toEqual(Object.keys(expected).sort());
      expect([t.u.length, t.v.length]).toEqual([m, n]);
      expect([t.converged, t.tied, t.method]).toEqual([true, false, "lanczos"]);
      expect(Math.abs(t.sigma / expected.sigma - 1)).toBeLessThan(1e-6);
      const gap = expected.gap / expected.sigma;
      expect(gradientDistance(t, expected) * gap).toBeLessThan(2e-6);
      expect(gradientDistance(t, expected)).toBeLessThan(5 * t.gradientError + (4 * EPS) / gap);
      expect(Math.abs(t.gap / expected.gap - 1)).toBeLessThan(1e-3 + (30 * EPS) / gap);
      expect(t.residual / t.sigma).toBeLessThan(16 * EPS);
    }
    for (const sigma of [await spectralNorm(A, { device }), await spectralNorm(there, { device })])
      expect(Math.abs(sigma / expected.sigma - 1)).toBeLessThan(1e-6);
    buffer.destroy();
  });

  it("σ of a matrix on the host to float64's digits, as far as v goes", async () => {
    const known = withSpectrum(90, 80, (i) => 0.8 ** i, 5);
    // An error of ε/gap in v, here some 1e-6, costs its square.
    const exact = { data: single(known.data), shape: [90, 80] };
    const truth = core.spectralNorm({ ...exact, data: Float64Array.from(exact.data) });
    const t = await singularTriplet(exact, { device });
    expect(Math.abs(t.sigma / truth - 1)).toBeLessThan(1e-11);
    // The residual tells of the same: that of vectors rounded to float32, and no more.
    expect(t.residual / t.sigma).toBeLessThan(4 * EPS);
  });

  it("512², by way of a restart or two", async () => {
    const A = { data: single(normalMatrix(512, 512, 1).data), shape: [512, 512] };
    const expected = core.singularTriplet(A);
    const t = await singularTriplet(A, { device });
    expect(Math.abs(t.sigma / expected.sigma - 1)).toBeLessThan(1e-9);
    expect(gradientDistance(t, expected)).toBeLessThan(2 * (t.gradientError + expected.gradientError));
    expect(t.iterations).toBeLessThan(2 * expected.iterations);
    expect(t.passes).toBe(2 * t.iterations + 2);
  });

  it("near ties it owns up to what it does not know", async () => {
    for (const gap of [1e-2, 1e-4, 1e-5])
      for (const rtol of [undefined, 1e-1, 1e-3]) {
        const known = withSpectrum(80, 90, (i) => (i === 0 ? 1 : i === 1 ? 1 - gap : 0.95 - i / 200), 3);
        const t = await singularTriplet({ data: single(known.data), shape: [80, 90] }, { device, rtol });
        const error = gradientDistance(t, { u: known.u!, v: known.v! });
        expect(error, `gap ${gap}, rtol ${rtol}`).toBeLessThan(5 * t.gradientError + (4 * EPS) / gap);
        if (t.converged && !t.tied && rtol !== undefined) expect(t.gradientError).toBeLessThanOrEqual(rtol);
      }
  });

  it("a start is not trusted, even where it is orthogonal to v₁", async () => {
    const known = withSpectrum(100, 70, (i) => 0.9 ** i, 8);
    for (const [m, n, data] of [
      [100, 70, known.data],
      [70, 100, transposed(known.data, 100, 70)],
    ] as const) {
      const expected = core.singularTriplet({ data: single(data), shape: [m, n] });
      const second = core.singularTriplet({
        data: data.map((x, k) => x - expected.sigma * expected.u[Math.floor(k / n)] * expected.v[k % n]),
        shape: [m, n],
      });
      const fast = await singularTriplet(
        { data: single(data), shape: [m, n] },
        { device, start: expected.v },
      );
      const there = core.singularTriplet(
        { data: single(data), shape: [m, n] },
        { method: "lanczos", start: expected.v },
      );
      const misled = await singularTriplet(
        { data: single(data), shape: [m, n] },
        { device, start: second.v },
      );
      for (const t of [fast, misled]) {
        expect(Math.abs(t.sigma - 1)).toBeLessThan(1e-6);
        expect(gradientDistance(t, expected)).toBeLessThan(1e-5);
      }
      expect(Math.abs(fast.iterations - there.iterations)).toBeLessThanOrEqual(4);
    }
  });

  it("a start nearly orthogonal to v₁, whose image is all but rounding", async () => {
    const known = withSpectrum(100, 70, (i) => 0.9 ** i, 8);
    const A = { data: single(known.data), shape: [100, 70] };
    const { data } = core.singularTriplets({ ...A, data: Float64Array.from(A.data) }, { k: 2 }).v;
    const expected = core.singularTriplet(A);
    // From far below float32's digits to where the part along v₁ is seen at once.
    for (const part of [0, 1e-8, 1e-7, 3e-7, 4e-7, 7e-7, 1e-6, 2e-6, 3e-6, 5e-6, 1e-4]) {
      const start = Float64Array.from({ length: 70 }, (_, j) => data[70 + j] + part * data[j]);
      const t = await singularTriplet(A, { device, start });
      expect(t.converged, `${part}`).toBe(true);
      expect(gradientDistance(t, expected), `${part}`).toBeLessThan(1e-5);
    }
  });

  it("is homogeneous to the bit under powers of two, from the largest numbers to subnormal ones", async () => {
    const A = single(normalMatrix(70, 90, 3).data);
    const t = await singularTriplet({ data: A, shape: [70, 90] }, { device });
    for (const power of [-110, -40, -10, -3, 5, 8, 60, 124]) {
      const scaled = { data: single(A, 2 ** power), shape: [70, 90] };
      const s = await singularTriplet(scaled, { device });
      // Below 2⁻¹⁰² entries of a hundredth lose digits.
      const tolerance = power < -100 ? 1e-4 : 0;
      expect(Math.abs(s.sigma / (t.sigma * 2 ** power) - 1), `2^${power}`).toBeLessThanOrEqual(tolerance);
      if (tolerance === 0) expect(s.u).toEqual(t.u);
    }
    // All subnormal: whole multiples of 2⁻¹⁴⁹.
    const whole = A.map((x) => Math.round(1000 * x));
    const plain = await singularTriplet({ data: whole, shape: [70, 90] }, { device });
    const tiny = { data: single(whole, 2 ** -149), shape: [70, 90] };
    const buffer = bufferOf(device, tiny.data);
    const there = await singularTriplet({ buffer, shape: [70, 90] }, { device, output: "host" });
    buffer.destroy();
    for (const s of [await singularTriplet(tiny, { device }), there]) {
      expect(Math.abs(s.sigma / 2 ** -149 / plain.sigma - 1)).toBeLessThan(1e-6);
      expect(gradientDistance(s, plain)).toBeLessThan(1e-4);
    }
  });

  it.each([
    ...TIED,
    {
      name: "cosines of order 96",
      m: 96,
      n: 96,
      entry: (i: number, j: number) => Math.cos((Math.PI * (i + 0.5) * (j + 0.5)) / 96),
      sigma: Math.sqrt(48),
    },
  ])("a tie is seen for one: $name", async ({ m, n, entry, sigma }) => {
    const { data, shape } = fromEntries(m, n, entry);
    const buffer = bufferOf(device, data);
    for (const t of [
      await singularTriplet({ data: single(data), shape }, { device }),
      await singularTriplet({ buffer, shape }, { device, output: "host" }),
    ]) {
      expect([t.tied, t.converged]).toEqual([true, true]);
      expect(t.gradientError).toBeGreaterThanOrEqual(Math.SQRT2);
      expect(Math.abs(t.sigma / sigma - 1)).toBeLessThan(1e-6);
      expect(t.residual / sigma).toBeLessThan(16 * EPS);
    }
    buffer.destroy();
  });

  it("too few iterations: the best so far, not converged, or an error that has it", async () => {
    const A = { data: single(normalMatrix(120, 100, 2).data), shape: [120, 100] };
    const buffer = bufferOf(device, A.data);
    const { sigma } = core.singularTriplet(A);
    const few = { device, maxIterations: 3 };
    for (const input of [A, { buffer, shape: [120, 100] }]) {
      const t = await singularTriplet(input, { ...few, output: "host" });
      expect([t.converged, t.iterations]).toEqual([false, 3]);
      expect(t.gradientError).toBeGreaterThan(1e-3);
      expect(t.sigma).toBeGreaterThan(0.8 * sigma);
      expect(t.sigma).toBeLessThan(sigma);
      for (const output of ["host", "device"] as const) {
        const { value, grad, ...said } = await valueAndGrad(input, { ...few, output: output as "host" });
        expect([value, said]).toEqual([t.sigma, { converged: false, gradientError: t.gradientError }]);
        if (output === "device") (grad as unknown as { buffer: GPUBuffer }).buffer.destroy();
      }
      const error: unknown = await spectralNorm(input, few).catch((thrown) => thrown);
      if (!(error instanceof core.ConvergenceError)) return expect.fail(String(error));
      expect(error.message).toMatch(/^not converged after 3 iterations: .* raise maxIterations or rtol/);
      expect([error.triplet?.converged, error.triplet?.iterations, error.index]).toEqual([
        false,
        3,
        undefined,
      ]);
      expect([error.triplet?.u.length, error.triplet?.v.length]).toEqual([120, 100]);
      expect(error.triplet?.sigma).toBeGreaterThan(0.8 * sigma);
      const { converged, gradientError } = await valueAndGrad(input, { device, output: "host" });
      expect(converged).toBe(true);
      expect(gradientError).toBeLessThan(1e-3);
    }
    // As few do where that is all that was asked for.
    const loose = await spectralNorm(A, { ...few, rtol: 0.5 });
    expect(Math.abs(loose / sigma - 1)).toBeLessThan(0.5);
    buffer.destroy();
  });

  it("the same bits twice, and others for another seed", async () => {
    const A = { data: single(normalMatrix(90, 77, 21).data), shape: [90, 77] };
    const first = await singularTriplet(A, { device });
    expect(await singularTriplet(A, { device })).toEqual(first);
    expect((await singularTriplet(A, { device, seed: 1 })).v).not.toEqual(first.v);
  });
});

describe("what it takes", () => {
  it("every dense form of the core, and says what is rounded", async () => {
    const { data } = normalMatrix(40, 70, 4);
    const whole = Int16Array.from(data, (x) => 100 * x);
    const bits = new Uint16Array(new Uint32Array(single(data).buffer).map((x) => x >>> 16));
    const forms: HostMatrix[] = [
      { data, shape: [40, 70] },
      { data: data.map((x) => x * 1e300), shape: [40, 70] },
      { data: data.map((x) => x * 1e-300), shape: [40, 70] },
      { data: single(data), shape: [70, 40], stride: [1, 70] },
      { data: single(data), shape: [30, 30], stride: [1, 40], offset: 7 },
      { data: single(data), shape: [30, 30], stride: [-40, 1], offset: 1900 },
      { data: whole, shape: [70, 40] },
      { data: bits, dtype: "bfloat16", shape: [40, 70] },
      Array.from({ length: 40 }, (_, i) => Array.from(data.subarray(70 * i, 70 * i + 70))),
    ];
    for (const A of forms) {
      const expected = core.singularTriplet(A as core.DenseMatrix);
      const t = await singularTriplet(A as HostMatrix, { device });
      expect(t.u).toBeInstanceOf(Float32Array);
      const gap = expected.gap / expected.sigma;
      expect(Math.abs(t.sigma / expected.sigma - 1)).toBeLessThan(1e-6);
      expect(gradientDistance(t, expected) * gap).toBeLessThan(2e-6);
      // Of the data as given, not as rounded.
      expect(Math.abs(t.sigma / expected.sigma - 1)).toBeLessThan((20 * EPS ** 2) / gap ** 2 + 1e-13);
      expect([t.converged, t.tied]).toEqual([true, false]);
    }
  });

  it("a part of a buffer, wherever it begins", async () => {
    const { data } = normalMatrix(50, 66, 6);
    const expected = core.spectralNorm({ data: single(data), shape: [50, 66] });
    for (const offset of [0, 1, 4, 63, 64, 1001]) {
      const buffer = bufferOf(device, [...data, Number.NaN], offset);
      const sigma = await spectralNorm({ buffer, shape: [50, 66], offset }, { device });
      expect(Math.abs(sigma / expected - 1)).toBeLessThan(1e-6);
      buffer.destroy();
    }
  });

  it("matrices larger than a binding, part by part", async () => {
    for (const [m, n] of [
      [130, 70],
      [70, 130],
      [1, 9000],
      [9000, 1],
      [33, 66],
    ] as const) {
      const A = { data: single(normalMatrix(m, n, 9).data), shape: [m, n] };
      const expected = core.singularTriplet(A);
      const small = limited(device, { maxStorageBufferBindingSize: 8192 });
      const buffer = bufferOf(device, A.data, 3);
      const there = { buffer, shape: [m, n], offset: 3 };
      const found = [
        await singularTriplet(A, { device: small }),
        await singularTriplet(there, { device: small, output: "host" }),
      ];
      for (const t of found) {
        expect(Math.abs(t.sigma / expected.sigma - 1)).toBeLessThan(1e-6);
        expect(gradientDistance(t, expected)).toBeLessThan(1e-4);
      }
      const { grad } = await valueAndGrad(there, { device: small });
      const G = await numbersIn(device, grad.buffer, m * n);
      const [t] = found.slice(1);
      G.forEach((x, k) => {
        expect(Math.abs(x - t.u[Math.floor(k / n)] * t.v[k % n])).toBeLessThanOrEqual(EPS);
      });
      grad.buffer.destroy();
      buffer.destroy();
    }
  });
});

describe("where it leaves what it finds", () => {
  it("on the device where A is there, or where that is asked for", async () => {
    const [m, n] = [35, 50];
    const A = { data: single(normalMatrix(m, n, 12).data), shape: [m, n] };
    const host = await singularTriplet(A, { device });
    const t = await singularTriplet(A, { device, output: "device" });
    expect([t.u.shape, t.v.shape]).toEqual([[m], [n]]);
    expect(await numbersIn(device, t.u.buffer, m)).toEqual(host.u);
    expect(await numbersIn(device, t.v.buffer, n)).toEqual(host.v);

    const buffer = bufferOf(device, A.data);
    const { value, grad } = await valueAndGrad({ buffer, shape: [m, n] }, { device });
    expect(grad.shape).toEqual([m, n]);
    // u·vᵀ is a matrix like any other, of norm 1 and its own gradient.
    const again = await valueAndGrad(grad, { device, output: "host" });
    expect(Math.abs(again.value - 1)).toBeLessThan(1e-6);
    const own = await numbersIn(device, grad.buffer, m * n);
    again.grad.data.forEach((x, k) => {
      expect(Math.abs(x - own[k])).toBeLessThan(16 * EPS);
    });
    expect(Math.abs(value / host.sigma - 1)).toBeLessThan(1e-6);
    expect(await numbersIn(device, buffer, m * n)).toEqual(A.data);
    for (const { buffer: one } of [t.u, t.v, grad, { buffer }]) one.destroy();
  });

  it("leaves nothing else behind", async () => {
    const { device: watched, left } = counted(device);
    const A = { data: single(normalMatrix(20, 70, 1).data), shape: [20, 70] };
    await spectralNorm(A, { device: watched });
    await valueAndGrad(A, { device: watched });
    expect(left()).toEqual([]);
    await expect(
      spectralNorm({ ...A, data: A.data.with(5, Number.NaN) }, { device: watched }),
    ).rejects.toThrow("row 0, column 5");
    expect(left()).toEqual([]);
    const { grad } = await valueAndGrad(A, { device: watched, output: "device" });
    expect(left()).toEqual(["the gradient"]);
    grad.buffer.destroy();
    expect(left()).toEqual([]);
  });
});

describe("batches", () => {
  it.each([
    [5, 4, 6],
    [3, 70, 66],
    [0, 3, 3],
    [20, 1, 3],
  ])("%i of %i×%i are their matrices", async (b, m, n) => {
    const data = single(normalMatrix(b * m, n, 9).data);
    const shape = [b, m, n];
    const buffer = bufferOf(device, data);
    const host = { data, shape };
    const there = { buffer, shape };
    const norms = await spectralNormBatch(host, { device });
    const { values, grads, converged } = await valueAndGradBatch(host, { device });
    expect(converged).toEqual(new Array(b).fill(true));
    const away = await valueAndGradBatch(there, { device });
    const all = b === 0 ? data : await numbersIn(device, away.grads.buffer, data.length);
    expect([grads.shape, away.grads.shape, norms.length]).toEqual([shape, shape, b]);
    expect(await spectralNormBatch(there, { device })).toHaveLength(b);
    for (let k = 0; k < b; k++) {
      const one = { data: data.slice(k * m * n, (k + 1) * m * n), shape: [m, n] };
      const { value, grad } = await valueAndGrad(one, { device });
      expect(norms[k]).toBe(await spectralNorm(one, { device }));
      expect(values[k]).toBe(value);
      expect(grads.data.slice(k * m * n, (k + 1) * m * n)).toEqual(grad.data);
      expect(Math.abs(away.values[k] / value - 1)).toBeLessThan(1e-6);
      const G = all.slice(k * m * n, (k + 1) * m * n);
      G.forEach((x, i) => {
        expect(Math.abs(x - grad.data[i])).toBeLessThan(1e-4);
      });
    }
    away.grads.buffer.destroy();
    buffer.destroy();
  });

  it("say which matrix was not finished, and which were", async () => {
    const [m, n] = [70, 66];
    // The first has rank one and ends at once.
    const easy = single(fromEntries(m, n, (i, j) => (i + 1) * (j + 1)).data);
    const data = single([...easy, ...normalMatrix(m, n, 3).data]);
    const buffer = bufferOf(device, data);
    const few = { device, maxIterations: 6 };
    for (const batch of [
      { data, shape: [2, m, n] },
      { buffer, shape: [2, m, n] },
    ]) {
      const error: unknown = await spectralNormBatch(batch, few).catch((thrown) => thrown);
      if (!(error instanceof core.ConvergenceError)) return expect.fail(String(error));
      expect([error.index, error.triplet?.converged, error.triplet?.u.length]).toEqual([1, false, m]);
      expect(error.message).toMatch(/^batch 1: not converged after 6 iterations/);
      const there = await valueAndGradBatch(batch, { ...few, output: "device" });
      there.grads.buffer.destroy();
      for (const { converged } of [there, await valueAndGradBatch(batch, { ...few, output: "host" })])
        expect(converged).toEqual([true, false]);
    }
    buffer.destroy();
  });

  it("say which matrix it is that is refused", async () => {
    const data = single(normalMatrix(30, 3, 1).data);
    data[17] = Number.POSITIVE_INFINITY;
    await expect(spectralNormBatch({ data, shape: [10, 3, 3] }, { device })).rejects.toMatchObject({
      code: "ERR_NON_FINITE",
      message: expect.stringContaining("batch 1: matrix: row 2, column 2"),
    });
  });
});

function transposed(data: Float64Array, m: number, n: number): Float64Array {
  return Float64Array.from({ length: m * n }, (_, k) => data[(k % m) * n + Math.floor(k / m)]);
}
