import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { type SingularTriplet, singularTriplet, spectralNorm, valueAndGrad } from "../../src/index.js";
import { fromEntries, gradientDistance, withSpectrum } from "../matrices.js";

const PRECISIONS = [
  { dtype: "float64", Type: Float64Array, eps: 2 ** -52, sigma: 1e-13 },
  { dtype: "float32", Type: Float32Array, eps: 2 ** -23, sigma: 1e-6 },
] as const;
type Precision = (typeof PRECISIONS)[number];

const SIZES: [number, number][] = [
  [2, 2],
  [5, 5],
  [6, 40],
  [64, 64],
  [65, 70],
  [90, 66],
  [130, 260],
  [500, 400],
];

/** Below the tie values fall off to 0.2. */
const below = (i: number, k: number) => 0.8 - (0.6 * i) / k;

function cast({ data, shape }: { data: ArrayLike<number>; shape: number[] }, { Type }: Precision) {
  return { data: Type.from(data as Float64Array), shape };
}

/** ⟨G, A⟩ by Neumaier's sum. */
function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < a.length; i++) {
    const term = a[i] * b[i];
    const next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + lost;
}

/**
 * G = u·vᵀ is a subgradient of ‖·‖₂ at A: ‖G‖_* = ‖u‖‖v‖ ≤ 1 and ⟨G, A⟩ = σ (Watson 1992), both to what rounding u
 * and v to the dtype leaves.
 */
function expectSubgradient(
  A: { data: Float64Array | Float32Array; shape: number[] },
  precision: Precision,
): void {
  const { eps, Type } = precision;
  const { value, grad } = valueAndGrad(A);
  expect(grad.data).toBeInstanceOf(Type);
  expect(grad.data.every(Number.isFinite)).toBe(true);
  expect(Math.abs(inner(grad.data, A.data) / value - 1)).toBeLessThan(40 * eps);
  const { u, v } = singularTriplet(A);
  expect(Math.sqrt(inner(u, u) * inner(v, v))).toBeLessThan(1 + 20 * eps);
  const [m, n] = A.shape;
  if (m * n > 4000) return;
  // On small ones the nuclear norm itself, by another SVD.
  const G = new Matrix(m, n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) G.set(i, j, grad.data[i * n + j]);
  const nuclear = new SVD(G, { autoTranspose: true }).diagonal.reduce((a, b) => a + b, 0);
  expect(nuclear).toBeLessThan(1 + 20 * eps);
}

function expectTied(t: SingularTriplet, sigma: number, tolerance: number, where: string): void {
  expect([t.tied, t.converged], where).toEqual([true, true]);
  expect(t.gradientError, where).toBeGreaterThanOrEqual(Math.SQRT2);
  expect(Math.abs(t.sigma / sigma - 1), where).toBeLessThan(tolerance);
}

describe.each(PRECISIONS)("exact ties in $dtype", (precision) => {
  it.each(SIZES)("%i×%i, of multiplicity two to all", (m, n) => {
    const k = Math.min(m, n);
    // An exact tie survives rounding to the dtype only if the entries are exact in it: permuted diagonals.
    for (const multiplicity of new Set([2, 3, Math.ceil(k / 2), k - 1, k]))
      if (multiplicity >= 2)
        for (const sigma of [1, 0.7, 1e-20, 1e20]) {
          const value = precision.Type.of(sigma)[0];
          const A = cast(
            fromEntries(m, n, (i, j) => (i === j ? value * (i < multiplicity ? (-1) ** i : below(i, k)) : 0)),
            precision,
          );
          const where = `multiplicity ${multiplicity}, ${sigma}`;
          for (const method of ["auto", "lanczos"] as const)
            expectTied(singularTriplet(A, { method }), value, precision.sigma, `${where}, ${method}`);
          expect(Math.abs(spectralNorm(A) / value - 1), where).toBeLessThan(precision.sigma);
          if (sigma === 1) expectSubgradient(A, precision);
        }
  });

  it.each(SIZES)("%i×%i, in a basis of its own", (m, n) => {
    const k = Math.min(m, n);
    for (const multiplicity of new Set([2, Math.min(3, k), k])) {
      const A = cast(
        withSpectrum(m, n, (i) => (i < multiplicity ? 1 : below(i, k)), m + multiplicity),
        precision,
      );
      // Rounding the entries moves each σ by up to ε·‖A‖_F/√k or so: it splits the tie by some ε, which the answer
      // may or may not call a tie. Where it does not, it may not claim to know the gradient.
      const t = singularTriplet(A);
      expect(Math.abs(t.sigma - 1)).toBeLessThan(precision.sigma);
      expect(t.converged).toBe(true);
      if (precision.dtype === "float64") expect(t.tied, `multiplicity ${multiplicity}`).toBe(true);
      else expect(t.gradientError).toBeGreaterThan(0.01);
      expectSubgradient(A, precision);
    }
  });
});

describe.each(PRECISIONS)("approximate ties in $dtype", (precision) => {
  const exact = (m: number, n: number, gap: number) =>
    // A diagonal has the gap that it is given, to the last bit: nothing is lost in the making.
    cast(
      fromEntries(m, n, (i, j) => (i !== j ? 0 : i === 1 ? 1 : i === 3 ? 1 - gap : below(i, Math.min(m, n)))),
      precision,
    );
  it("are told from ties as far as the dtype reaches, with the error owned up to", () => {
    for (const [m, n] of [
      [5, 6],
      [64, 80],
      [90, 70],
      [200, 300],
    ])
      for (let e = 3; e <= 15; e++)
        for (const mantissa of [1, 3]) {
          const A = exact(m, n, mantissa * 10 ** -e);
          const gap = 1 - A.data[3 * n + 3];
          const where = `${m}×${n}, gap ${gap}`;
          const truth = { u: unit(m, 1), v: unit(n, 1) };
          for (const rtol of [undefined, 1e-1, 1e-4, 1e-8]) {
            const t = singularTriplet(A, { rtol });
            expect(Math.abs(t.sigma - 1), where).toBeLessThan(Math.max(precision.sigma, rtol ?? 0));
            expect(gradientDistance(t, truth), `${where}, rtol ${rtol}`).toBeLessThan(5 * t.gradientError);
            if (t.converged && !t.tied && rtol) expect(t.gradientError, where).toBeLessThanOrEqual(rtol);
            if (rtol === undefined) {
              expect(t.converged, where).toBe(true);
              // 4·ε·σ and below is a tie by definition; far above the rounding of the answer it is none.
              if (gap <= 4 * precision.eps) expect(t.tied, where).toBe(true);
              if (gap > 400 * precision.eps) expect(t.tied, where).toBe(false);
              if (!t.tied) expect(Math.abs(t.gap / gap - 1), where).toBeLessThan(0.5);
            }
          }
          expect(Math.abs(spectralNorm(A) - 1), where).toBeLessThan(precision.sigma);
          expectSubgradient(A, precision);
        }
  });

  it("clusters of 3, 5 and 20 values are resolved, or owned up to", () => {
    for (const count of [3, 5, 20])
      for (const spacing of [1e-2, 1e-3, 1e-6, 1e-9, 1e-12, 1e-14])
        for (const [m, n] of [
          [60, 50],
          [150, 200],
        ]) {
          const known = withSpectrum(m, n, (i) => (i < count ? 1 - spacing * i : below(i, 50)), count);
          const A = cast(known, precision);
          const t = singularTriplet(A);
          const where = `${count} of spacing ${spacing}, ${m}×${n}`;
          expect(Math.abs(t.sigma - 1), where).toBeLessThan(precision.sigma);
          expect(Math.abs(spectralNorm(A) - 1), where).toBeLessThan(precision.sigma);
          expect(t.converged, where).toBe(true);
          // Making the matrix and rounding it to the dtype turn the vectors by so much.
          const made = (40 * 2 ** -52 + (precision.dtype === "float32" ? 4 * precision.eps : 0)) / spacing;
          expect(gradientDistance(t, { u: known.u!, v: known.v! }), where).toBeLessThan(
            5 * t.gradientError + made,
          );
        }
  });

  it("a value within a cluster is as good as its rtol, whatever the start", () => {
    for (const count of [3, 16])
      for (const spacing of [1e-4, 1e-6, 1e-8])
        for (const seed of [1, 2]) {
          const [m, n] = [150, 120];
          // Values of a cluster at uneven distances, and unit vectors near some of its vectors.
          const spectrum = (i: number) =>
            i < count ? 1 - spacing * i * (1 + 0.3 * Math.sin(i)) : below(i, n);
          const A = cast(withSpectrum(m, n, spectrum, seed), precision);
          for (const rtol of [2, 0.1, 0.01].map((factor) => Math.max(factor * spacing, 2e-7)))
            for (const at of [undefined, 0, 2, count - 1]) {
              const start = at === undefined ? undefined : unit(n, at);
              const where = `${count} of ${spacing}, rtol ${rtol}, start ${at}`;
              expect(Math.abs(spectralNorm(A, { rtol, start }) - 1), where).toBeLessThan(
                rtol + 20 * precision.eps,
              );
            }
        }
  });

  it("an unfinished answer does not claim too much either", () => {
    for (const gap of [1e-1, 1e-3, 1e-6])
      for (const maxIterations of [1, 2, 3, 5, 8, 12])
        for (let seed = 0; seed < 6; seed++) {
          const A = exact(150, 120, gap);
          const t = singularTriplet(A, { maxIterations, seed });
          const truth = gradientDistance(t, { u: unit(150, 1), v: unit(120, 1) });
          const where = `gap ${gap}, ${maxIterations} steps, seed ${seed}`;
          expect(truth, where).toBeLessThan(5 * t.gradientError);
          if (t.converged && !t.tied) expect(truth, where).toBeLessThan(1e-2);
        }
  });
});

describe("ties below the first", () => {
  it.each(SIZES.filter(([m]) => m > 2))("%i×%i: change nothing", (m, n) => {
    for (const precision of PRECISIONS) {
      const known = withSpectrum(m, n, (i) => (i === 0 ? 3 : i < 4 ? 1 : 0.5), 9);
      const t = singularTriplet(cast(known, precision));
      expect([t.tied, t.converged]).toEqual([false, true]);
      // Relative gap 2/3.
      expect((gradientDistance(t, { u: known.u!, v: known.v! }) * 2) / 3).toBeLessThan(
        precision.dtype === "float64" ? 1e-12 : 2e-6,
      );
      expect(t.gap).toBeCloseTo(2, 2);
    }
  });
});

function unit(length: number, at: number): Float64Array {
  const x = new Float64Array(length);
  x[at] = 1;
  return x;
}
