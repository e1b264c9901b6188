import { describe, expect, it } from "vitest";
import { type SingularTriplet, singularTriplet, spectralNorm, valueAndGrad } from "../../src/index.js";
import { inner } from "../closed-forms.js";
import {
  type Complex,
  cast,
  complexDistance,
  complexNuclear,
  fromComplexEntries,
  PRECISIONS,
  type Precision,
  withComplexSpectrum,
} from "./build.js";

const SIZES: [number, number][] = [
  [2, 2],
  [5, 5],
  [6, 40],
  [64, 64],
  [65, 70],
  [90, 66],
  [130, 200],
];

/** Below the tie values fall off to 0.2. */
const below = (i: number, k: number) => 0.8 - (0.6 * i) / k;

/** Factors of modulus 1 whose parts are exact: the powers of i. */
const QUARTERS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

type AnyComplex = Complex<Float32Array | Float64Array>;

/** G = u·vᴴ is a subgradient of ‖·‖₂ at A: ‖G‖_* ≤ 1 and Re⟨G, A⟩ = σ (Watson 1992), to what rounding u and v leaves. */
function expectSubgradient(A: AnyComplex, { eps, Type }: Precision, where: string): void {
  const { value, grad } = valueAndGrad(A);
  expect(grad.data, where).toBeInstanceOf(Type);
  expect(grad.data.every(Number.isFinite), where).toBe(true);
  expect(Math.abs(inner(grad.data, A.data) / value - 1), where).toBeLessThan(40 * eps);
  const { u, v } = singularTriplet(A);
  expect(Math.sqrt(inner(u, u) * inner(v, v)), where).toBeLessThan(1 + 20 * eps);
  if (A.data.length > 1000) return;
  expect(complexNuclear({ data: grad.data, shape: A.shape }), where).toBeLessThan(1 + 20 * eps);
}

function expectTied(t: SingularTriplet, sigma: number, tolerance: number, where: string): void {
  expect([t.tied, t.converged], where).toEqual([true, true]);
  expect(t.gradientError, where).toBeGreaterThanOrEqual(Math.SQRT2);
  expect(Math.abs(t.sigma / sigma - 1), where).toBeLessThan(tolerance);
}

describe.each(PRECISIONS)("exact ties in $dtype", (precision) => {
  it.each(SIZES)("%i×%i, of every multiplicity", (m, n) => {
    const k = Math.min(m, n);
    // An exact tie survives rounding to the type only if the entries are exact in it.
    for (const multiplicity of new Set([2, 3, 5, Math.ceil(k / 2), k - 1, k]))
      if (multiplicity >= 2 && multiplicity <= k)
        for (const sigma of [1, 0.7, 1e-20, 1e20]) {
          const value = precision.Type.of(sigma)[0];
          const A = cast(
            fromComplexEntries(m, n, (i, j) => {
              const size = i !== j ? 0 : value * (i < multiplicity ? 1 : below(i, k));
              return [size * QUARTERS[i % 4][0], size * QUARTERS[i % 4][1]];
            }),
            precision,
          );
          const where = `multiplicity ${multiplicity}, ${sigma}`;
          for (const method of ["auto", "lanczos"] as const)
            expectTied(singularTriplet(A, { method }), value, precision.sigma, `${where}, ${method}`);
          expect(Math.abs(spectralNorm(A) / value - 1), where).toBeLessThan(precision.sigma);
          if (sigma === 1) expectSubgradient(A, precision, where);
        }
  });

  it.each(SIZES)("%i×%i, in a basis of its own", (m, n) => {
    const k = Math.min(m, n);
    for (const multiplicity of new Set([2, 3, 5, k]))
      if (multiplicity <= k) {
        const A = cast(
          withComplexSpectrum(m, n, (i) => (i < multiplicity ? 1 : below(i, k)), m + multiplicity),
          precision,
        );
        // Rounding the entries splits the tie by some ε, which the answer may or may not call a tie. Where it does not,
        // it may not claim to know the gradient.
        for (const method of ["auto", "lanczos"] as const) {
          const t = singularTriplet(A, { method });
          const where = `multiplicity ${multiplicity}, ${method}`;
          expect(Math.abs(t.sigma - 1), where).toBeLessThan(precision.sigma);
          expect(t.converged, where).toBe(true);
          expect(t.gradientError, where).toBeGreaterThan(0.01);
        }
        expectSubgradient(A, precision, `multiplicity ${multiplicity}`);
      }
  });
});

describe.each(PRECISIONS)("approximate ties in $dtype", (precision) => {
  it("are told from ties as far as the type reaches, with the error owned up to", () => {
    for (const [m, n] of [
      [5, 6],
      [64, 80],
      [90, 70],
      [200, 230],
    ])
      for (let e = 2; e <= 15; e++) {
        // A diagonal has the gap that it is given, to the last bit: nothing is lost in the making.
        const A = cast(
          fromComplexEntries(m, n, (i, j) => {
            const size = i !== j ? 0 : i === 1 ? 1 : i === 3 ? 1 - 3 * 10 ** -e : below(i, Math.min(m, n));
            return [size * QUARTERS[i % 4][0], size * QUARTERS[i % 4][1]];
          }),
          precision,
        );
        const gap = 1 + A.data[2 * (3 * n + 3) + 1];
        const where = `${m}×${n}, gap ${gap}`;
        const truth = { u: unit(m, 1, 1), v: unit(n, 1, 0) };
        for (const rtol of [undefined, 1e-1, 1e-4, 1e-8]) {
          const t = singularTriplet(A, { rtol });
          expect(Math.abs(t.sigma - 1), where).toBeLessThan(Math.max(precision.sigma, rtol ?? 0));
          expect(complexDistance(t, truth), `${where}, rtol ${rtol}`).toBeLessThan(5 * t.gradientError);
          if (t.converged && !t.tied && rtol) expect(t.gradientError, where).toBeLessThanOrEqual(rtol);
          if (rtol === undefined) {
            expect(t.converged, where).toBe(true);
            if (gap <= 4 * precision.eps) expect(t.tied, where).toBe(true);
            if (gap > 400 * precision.eps) expect(t.tied, where).toBe(false);
            if (!t.tied) expect(Math.abs(t.gap / gap - 1), where).toBeLessThan(0.5);
          }
        }
        expect(Math.abs(spectralNorm(A) - 1), where).toBeLessThan(precision.sigma);
        expectSubgradient(A, precision, where);
      }
  });

  it("clusters of 3, 5 and 20 values are resolved, or owned up to", () => {
    for (const count of [3, 5, 20])
      for (const spacing of [1e-2, 1e-3, 1e-6, 1e-9, 1e-12, 1e-14])
        for (const [m, n] of [
          [60, 50],
          [90, 120],
        ]) {
          const known = withComplexSpectrum(m, n, (i) => (i < count ? 1 - spacing * i : below(i, 50)), count);
          const A = cast(known, precision);
          const t = singularTriplet(A);
          const where = `${count} of spacing ${spacing}, ${m}×${n}`;
          expect(Math.abs(t.sigma - 1), where).toBeLessThan(precision.sigma);
          expect(Math.abs(spectralNorm(A) - 1), where).toBeLessThan(precision.sigma);
          expect(t.converged, where).toBe(true);
          // Making the matrix and rounding it to the type turn the vectors by so much.
          const made = (40 * 2 ** -52 + (precision.dtype === "complex64" ? 4 * precision.eps : 0)) / spacing;
          expect(complexDistance(t, known), where).toBeLessThan(5 * t.gradientError + made);
        }
  });

  it("an unfinished answer does not claim too much either", () => {
    for (const gap of [1e-1, 1e-3, 1e-6])
      for (const maxIterations of [1, 2, 3, 5, 8, 12])
        for (let seed = 0; seed < 4; seed++) {
          const A = cast(
            fromComplexEntries(100, 80, (i, j) =>
              i !== j ? [0, 0] : i === 1 ? [0, 1] : [i === 3 ? 1 - gap : below(i, 80), 0],
            ),
            precision,
          );
          const t = singularTriplet(A, { maxIterations, seed });
          const truth = complexDistance(t, { u: unit(100, 1, 1), v: unit(80, 1, 0) });
          const where = `gap ${gap}, ${maxIterations} steps, seed ${seed}`;
          expect(truth, where).toBeLessThan(5 * t.gradientError);
          if (t.converged && !t.tied) expect(truth, where).toBeLessThan(1e-2);
        }
  });
});

/** i^quarters times a unit vector */
function unit(length: number, at: number, quarters: 0 | 1): Float64Array {
  const x = new Float64Array(2 * length);
  x[2 * at + quarters] = 1;
  return x;
}
