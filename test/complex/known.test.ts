import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Method, singularTriplet, spectralNorm, svdvals, valueAndGrad } from "../../src/index.js";
import { inner } from "../closed-forms.js";
import { skipMissingKernels, WAYS } from "../kernels/sets.js";
import { fromEntries } from "../matrices.js";
import {
  type Complex,
  type ComplexPair,
  cast,
  complexDistance,
  complexNormal,
  fromComplexEntries,
  outerOf,
  PRECISIONS,
  residualOf,
  valuesByMlMatrix,
  withComplexSpectrum,
} from "./build.js";

const METHODS = ["auto", "lanczos", "dense"] as const;

/** σ, u and v of every method, in both types. */
function expectTriplet(
  A: Complex,
  sigma: number,
  truth: ComplexPair | undefined,
  relativeGap: number,
  where: string,
  methods: readonly Method[] = METHODS,
): void {
  for (const precision of PRECISIONS) {
    const { eps, Type, dtype } = precision;
    const B = cast(A, precision);
    const before = B.data.slice();
    for (const method of methods) {
      const place = `${where}, ${dtype}, ${method}`;
      const t = singularTriplet(B, { method });
      expect(Math.abs(t.sigma / sigma - 1), place).toBeLessThan(precision.sigma);
      expect(Math.abs(spectralNorm(B, { method }) / sigma - 1), place).toBeLessThan(precision.sigma);
      expect(t.converged, place).toBe(true);
      expect(t.u, place).toBeInstanceOf(Type);
      expect([t.u.length, t.v.length], place).toEqual([2 * A.shape[0], 2 * A.shape[1]]);
      for (const x of [t.u, t.v])
        expect(Math.abs(inner(x, x) - 1), place).toBeLessThan(8 * eps + Math.sqrt(x.length) * 2 ** -52);
      // Both are measured in float64, by sums in different orders.
      const noise = 8 * Math.sqrt(A.shape[0] + A.shape[1]) * 2 ** -52 * sigma;
      expect(Math.abs(residualOf(B, t) - t.residual), place).toBeLessThan(1e-6 * t.residual + noise);
      if (truth) {
        const error = complexDistance(t, truth);
        expect(error * relativeGap, place).toBeLessThan(precision.gradient);
        const made = (40 * 2 ** -52 + (Type === Float32Array ? 4 * eps : 0)) / relativeGap;
        expect(error, place).toBeLessThan(5 * t.gradientError + made);
        expect(Math.abs(t.gap / sigma - relativeGap), place).toBeLessThan(2e-3 * relativeGap + 40 * eps);
        // Tied is gap ≤ 4·max(residuals, ε·σ), all of which rounding has a part in.
        if (relativeGap > 32 * eps) expect(t.tied, place).toBe(false);
      }
      if (method === "lanczos") continue;
      const { value, grad, converged, gradientError } = valueAndGrad(B, { method });
      expect([value, converged, gradientError], place).toEqual([t.sigma, t.converged, t.gradientError]);
      expect([grad.shape, grad.dtype], place).toEqual([A.shape, dtype]);
      expect(grad.data, place).toEqual(Type.from(outerOf(t)));
      // d‖A‖ = Re⟨G, dA⟩, and ‖A‖ is homogeneous: Re⟨G, A⟩ = σ.
      expect(Math.abs(inner(grad.data, B.data) / value - 1), place).toBeLessThan(20 * eps);
    }
    expect(B.data).toEqual(before);
  }
}

/** e^{2πi·k/n}, the turns taken off in integers. */
const root = (k: number, n: number): [number, number] => {
  const angle = (2 * Math.PI * (((k % n) + n) % n)) / n;
  return [Math.cos(angle), Math.sin(angle)];
};

skipMissingKernels();
describe.each(WAYS)("complex matrices, $name kernels", ({ name: way, kernels, begin }) => {
  let end: () => Promise<void>;
  beforeAll(async () => {
    end = await begin();
  });
  afterAll(() => end());
  // Threads change no bit, which is tested elsewhere.
  const few = kernels === "reference" || way.includes("threads");

  const spectra: [string, (i: number) => number][] = [
    ["simple", (i) => 1 / (1 + i)],
    ["graded", (i) => 0.9 ** i],
    ["steep", (i) => 10 ** -i],
    ["gap 1e-3", (i) => (i === 0 ? 1 : i === 1 ? 0.999 : 0.9 - i / 1000)],
    ["gap 1e-6", (i) => (i === 0 ? 1 : i === 1 ? 1 - 1e-6 : 0.9 - i / 1000)],
    ["tied below", (i) => (i === 0 ? 3 : 1)],
    ["rank one", (i) => (i === 0 ? 1 : 0)],
  ];
  const shapes: [number, number][] = few
    ? [
        [1, 1],
        [1, 6],
        [9, 7],
        [70, 80],
      ]
    : [
        [1, 1],
        [1, 5],
        [6, 1],
        [2, 2],
        [3, 5],
        [5, 3],
        [9, 7],
        [31, 33],
        [64, 130],
        [65, 64],
        [67, 66],
        [70, 200],
        [3, 300],
        [300, 2],
        [201, 97],
        [300, 290],
      ];
  it.each(spectra)("built from a known decomposition, %s", (name, spectrum) => {
    // The last two of the long list are slow.
    for (const [m, n] of name === "simple" || name === "gap 1e-6" ? shapes : shapes.slice(0, 14)) {
      const known = withComplexSpectrum(m, n, spectrum, m + n);
      const gap = (known.sigma - known.second) / known.sigma;
      expectTriplet(known, known.sigma, known, gap, `${m}×${n}`);
    }
  });

  it("a circulant: the moduli of the transform of its first row", () => {
    for (const n of few ? [5, 12] : [3, 5, 12, 33, 64, 90]) {
      const row = complexNormal(1, n, n).data;
      const A = fromComplexEntries(n, n, (i, j) => {
        const k = (j - i + n) % n;
        return [row[2 * k], row[2 * k + 1]];
      });
      const transformed = Array.from({ length: n }, (_, k) => {
        let [re, im] = [0, 0];
        for (let j = 0; j < n; j++) {
          const [c, s] = root(j * k, n);
          re += row[2 * j] * c - row[2 * j + 1] * s;
          im += row[2 * j] * s + row[2 * j + 1] * c;
        }
        return { re, im, size: Math.hypot(re, im), k };
      }).sort((a, b) => b.size - a.size);
      const [{ re, im, size, k }, second] = transformed;
      // A·v = λ·v for v = e^{2πi·jk/n}/√n.
      const v = Float64Array.from({ length: 2 * n }, (_, j) => root((j >> 1) * k, n)[j & 1] / Math.sqrt(n));
      const u = new Float64Array(2 * n);
      for (let j = 0; j < 2 * n; j += 2) {
        u[j] = (re * v[j] - im * v[j + 1]) / size;
        u[j + 1] = (re * v[j + 1] + im * v[j]) / size;
      }
      expectTriplet(A, size, { u, v }, 1 - second.size / size, `n = ${n}`);
      svdvals(A).forEach((value, i) => {
        expect(Math.abs(value - transformed[i].size)).toBeLessThan(1e-13 * size);
      });
    }
  });

  it("the Fourier matrix: √n, n times", () => {
    for (const n of few ? [1, 4, 7] : [1, 2, 4, 7, 16, 63, 64, 65, 100]) {
      const A = fromComplexEntries(n, n, (i, j) => root(i * j, n));
      for (const precision of PRECISIONS)
        for (const method of METHODS) {
          const t = singularTriplet(cast(A, precision), { method });
          expect(Math.abs(t.sigma / Math.sqrt(n) - 1)).toBeLessThan(precision.sigma);
          expect(t.converged).toBe(true);
          if (precision.dtype === "complex128") expect(t.tied, `n = ${n}, ${method}`).toBe(n > 1);
          else if (n > 1) expect(t.gradientError).toBeGreaterThan(0.01);
        }
    }
  });

  it("a unitary matrix times a diagonal: its moduli", () => {
    for (const n of few ? [6] : [6, 40, 66]) {
      const size = (j: number) => 1 / (1 + ((j * 7) % n));
      const A = fromComplexEntries(n, n, (i, j) => {
        const [c, s] = root(i * j, n);
        const [p, q] = root(3 * j + 1, 11);
        const scale = size(j) / Math.sqrt(n);
        return [scale * (c * p - s * q), scale * (c * q + s * p)];
      });
      const v = new Float64Array(2 * n);
      v[0] = 1;
      const u = Float64Array.from({ length: 2 * n }, (_, i) => root(1, 11)[i & 1] / Math.sqrt(n));
      expectTriplet(A, 1, { u, v }, 0.5, `n = ${n}`);
    }
  });

  it("rank one, Hermitian, purely imaginary, one row, one column, 1×1", () => {
    const a = complexNormal(77, 1, 1).data;
    const b = complexNormal(66, 1, 2).data;
    const [na, nb] = [Math.hypot(...a), Math.hypot(...b)];
    const unit = { u: a.map((x) => x / na), v: b.map((x) => x / nb) };
    expectTriplet(
      { data: outerOf({ u: a, v: b }), shape: [77, 66], dtype: "complex128" },
      na * nb,
      unit,
      1,
      "rank one",
    );

    // H = xxᴴ·3 − yyᴴ with x ⟂ y: a tridiagonal with a phase on its off-diagonal has the values of the real one.
    const n = 40;
    const H = fromComplexEntries(n, n, (i, j) =>
      i === j ? [-3, 0] : j === i + 1 ? root(1, 5) : i === j + 1 ? root(-1, 5) : [0, 0],
    );
    const value = (k: number) => 3 + 2 * Math.cos((Math.PI * k) / (n + 1));
    expectTriplet(H, value(1), undefined, 1 - value(2) / value(1), "Hermitian");

    for (const [m, n] of [
      [9, 7],
      [70, 66],
    ]) {
      const real = fromEntries(m, n, (i, j) => Math.sin(i * n + j) + (i === j ? 2 : 0));
      const sigma = svdvals(real);
      const imaginary = fromComplexEntries(m, n, (i, j) => [0, real.data[i * n + j]]);
      const t = singularTriplet(real);
      // iA has u times i.
      const u = Float64Array.from({ length: 2 * m }, (_, i) => (i & 1 ? t.u[i >> 1] : 0));
      const v = Float64Array.from({ length: 2 * n }, (_, j) => (j & 1 ? 0 : t.v[j >> 1]));
      expectTriplet(imaginary, sigma[0], { u, v }, 1 - sigma[1] / sigma[0], "imaginary");
    }

    const size = Math.hypot(...a);
    const one = Float64Array.of(1, 0);
    expectTriplet({ data: a, shape: [77, 1], dtype: "complex128" }, size, { u: unit.u, v: one }, 1, "column");
    // A row x has v = conj(x)/‖x‖.
    const conjugate = a.map((x, j) => (j & 1 ? -x : x) / size);
    expectTriplet({ data: a, shape: [1, 77], dtype: "complex128" }, size, { u: one, v: conjugate }, 1, "row");
    expectTriplet(
      fromComplexEntries(1, 1, () => [3, -4]),
      5,
      { u: [0.6, -0.8], v: [1, 0] },
      1,
      "1×1",
    );
  });

  it("zero: σ 0, gradient 0, tied", () => {
    for (const precision of PRECISIONS)
      for (const [m, n] of [
        [1, 1],
        [3, 2],
        [2, 9],
        [80, 70],
      ]) {
        const zero = cast(
          fromComplexEntries(m, n, () => [0, -0]),
          precision,
        );
        for (const method of METHODS) {
          const t = singularTriplet(zero, { method });
          expect([t.sigma, t.tied, t.converged, t.residual, t.gap]).toEqual([0, true, true, 0, 0]);
          expect([inner(t.u, t.u), inner(t.v, t.v)].map((x) => Math.abs(x - 1) < 1e-6)).toEqual([true, true]);
          const { value, grad } = valueAndGrad(zero, { method });
          expect(value).toBe(0);
          expect(grad.data.every((x) => x === 0)).toBe(true);
          expect(spectralNorm(zero, { method })).toBe(0);
        }
      }
  });

  it("agrees with an independent SVD of the real form, of every small size", () => {
    const sizes = few ? [1, 2, 5] : [1, 2, 3, 4, 5, 8, 13, 20];
    for (const precision of PRECISIONS)
      for (const m of sizes)
        for (const n of sizes) {
          const A = cast(complexNormal(m, n, 100 * m + n), precision);
          const values = valuesByMlMatrix(A);
          for (const method of METHODS) {
            const t = singularTriplet(A, { method });
            const where = `${m}×${n}, ${precision.dtype}, ${method}`;
            expect(Math.abs(t.sigma / values[0] - 1), where).toBeLessThan(precision.sigma);
            expect(t.converged, where).toBe(true);
            const gap = values[0] - (values[1] ?? 0);
            expect(Math.abs(t.gap - gap), where).toBeLessThan(2e-3 * gap + 40 * precision.eps * values[0]);
          }
          svdvals(A).forEach((value, i) => {
            expect(Math.abs(value - values[i])).toBeLessThan(1e-13 * values[0]);
          });
        }
  });

  it("the notebook's power iteration", () => {
    for (const precision of PRECISIONS)
      for (const [m, n] of [
        [5, 3],
        [3, 5],
        [20, 20],
      ]) {
        const known = withComplexSpectrum(m, n, (i) => 0.5 ** i, 3);
        const A = cast(known, precision);
        const t = singularTriplet(A, { method: "power" });
        expect(t.converged).toBe(true);
        expect(t.method).toBe("power");
        // Its tolerances are 1e-6.
        expect(Math.abs(t.sigma - 1)).toBeLessThan(1e-5);
        expect(complexDistance(t, known)).toBeLessThan(1e-4);
        expect(Math.abs(spectralNorm(A, { method: "power" }) - 1)).toBeLessThan(1e-5);
      }
  });

  it("a real matrix handed over as complex has the same σ, to rounding", () => {
    for (const [m, n] of few
      ? [[9, 6]]
      : [
          [1, 1],
          [9, 6],
          [64, 64],
          [70, 90],
          [200, 100],
        ])
      for (const precision of PRECISIONS) {
        const real = fromEntries(m, n, (i, j) => Math.sin(3 * i * n + 2 * j) + (i === j ? 1 : 0));
        const numbers = precision.Type.from(real.data);
        const A = cast(
          fromComplexEntries(m, n, (i, j) => [numbers[i * n + j], 0]),
          precision,
        );
        const expected = singularTriplet({ data: numbers, shape: [m, n] });
        const t = singularTriplet(A);
        expect(Math.abs(t.sigma / expected.sigma - 1)).toBeLessThan(4 * precision.eps);
        expect(Math.abs(t.gap - expected.gap)).toBeLessThan(
          1e-3 * expected.gap + 40 * precision.eps * t.sigma,
        );
        const pair = {
          u: Float64Array.from(t.u, (_, i) => (i & 1 ? 0 : expected.u[i >> 1])),
          v: Float64Array.from(t.v, (_, j) => (j & 1 ? 0 : expected.v[j >> 1])),
        };
        expect(complexDistance(t, pair)).toBeLessThan(5 * (t.gradientError + expected.gradientError));
      }
  });

  it("the same input, options and kernels give the same bits", () => {
    for (const precision of PRECISIONS)
      for (const [m, n] of [
        [9, 12],
        [90, 77],
      ])
        for (const method of METHODS) {
          const A = cast(complexNormal(m, n, 21), precision);
          const first = singularTriplet(A, { method, seed: 5 });
          singularTriplet(complexNormal(33, 20, 1));
          expect(singularTriplet(A, { method, seed: 5 })).toEqual(first);
        }
  });
});
