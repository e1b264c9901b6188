import { describe, expect, it } from "vitest";
import { type MatrixLike, singularTriplet, spectralNorm, svdvals } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { fromEntries, gradientDistance, normalMatrix, withSpectrum } from "../matrices.js";
import { exactTriplet } from "./exact.js";

/** The promises: σ, and the gradient's error times the relative gap. */
const PRECISIONS = [
  { dtype: "float64", Type: Float64Array, eps: 2 ** -52, sigma: 1e-13, gradient: 1e-12 },
  { dtype: "float32", Type: Float32Array, eps: 2 ** -23, sigma: 1e-6, gradient: 2e-6 },
] as const;

type Pair = { u: ArrayLike<number>; v: ArrayLike<number> };

/** σ, and the vectors where they are known, from every path. */
function expectTriplet(
  A: { data: Float64Array; shape: number[] },
  sigma: number,
  truth: Pair | undefined,
  relativeGap: number,
  where: string,
): void {
  for (const { Type, eps, sigma: tolerance, gradient } of PRECISIONS) {
    const cast = { data: Type.from(A.data), shape: A.shape };
    for (const method of Math.min(...A.shape) > 300 ? (["auto"] as const) : (["lanczos", "dense"] as const)) {
      const t = singularTriplet(cast, { method });
      const place = `${where}, ${Type.name}, ${method}`;
      expect(Math.abs(t.sigma / sigma - 1), place).toBeLessThan(tolerance);
      expect(Math.abs(spectralNorm(cast, { method }) / sigma - 1), place).toBeLessThan(tolerance);
      expect(t.converged, place).toBe(true);
      if (!truth) continue;
      const error = gradientDistance(t, truth);
      expect(error * relativeGap, place).toBeLessThan(gradient);
      const made = (20 * 2 ** -52 + (Type === Float32Array ? 4 * eps : 0)) / relativeGap;
      expect(error, place).toBeLessThan(5 * t.gradientError + made);
    }
  }
}

const ODD = [1, 2, 3, 5, 7, 17, 33, 63, 64, 65, 67, 101, 129, 255];

describe("closed forms", () => {
  it("the unnormalized cosine transform: √n, and √(n/2) for all others", () => {
    for (const n of ODD) {
      // Of a large angle the cosine is only as good as the angle: its turns are taken off in integers.
      const A = fromEntries(n, n, (k, j) => Math.cos((Math.PI * ((k * (2 * j + 1)) % (4 * n))) / (2 * n)));
      const u = Float64Array.from({ length: n }, (_, k) => (k === 0 ? 1 : 0));
      const v = new Float64Array(n).fill(1 / Math.sqrt(n));
      expectTriplet(A, Math.sqrt(n), { u, v }, n === 1 ? 1 : 1 - Math.SQRT1_2, `n = ${n}`);
    }
  });

  it("min(i, j): 1/(4 sin²(π/(4n+2)))", () => {
    for (const n of ODD) {
      const A = fromEntries(n, n, (i, j) => 1 + Math.min(i, j));
      const x = Float64Array.from({ length: n }, (_, i) => Math.sin(((i + 1) * Math.PI) / (2 * n + 1)));
      const norm = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
      const v = x.map((value) => value / norm);
      const value = (k: number) => 1 / (4 * Math.sin(((2 * k - 1) * Math.PI) / (4 * n + 2)) ** 2);
      expectTriplet(A, value(1), { u: v, v }, n === 1 ? 1 : 1 - value(2) / value(1), `n = ${n}`);
    }
  });

  it("the Toeplitz matrix aⁿ of |i−j| (Kac, Murdock & Szegő 1953)", () => {
    for (const n of ODD)
      for (const a of [0.1, 0.5, 0.9]) {
        // The smallest root of the characteristic equation, by bisection; λ is flat in it.
        const f = (t: number) =>
          Math.sin((n + 1) * t) - 2 * a * Math.sin(n * t) + a * a * Math.sin((n - 1) * t);
        let [low, high] = [1e-9, Math.PI / (n + 1)];
        for (let step = 0; step < 200; step++) {
          const middle = (low + high) / 2;
          if (f(middle) > 0) low = middle;
          else high = middle;
        }
        const sigma = (1 - a * a) / (1 - 2 * a * Math.cos(low) + a * a);
        expectTriplet(
          fromEntries(n, n, (i, j) => a ** Math.abs(i - j)),
          sigma,
          undefined,
          0,
          `n = ${n}, a = ${a}`,
        );
      }
  });

  it("Sylvester's tridiagonal matrix: n − 1, twice", () => {
    for (const n of [3, 17, 64, 65, 129]) {
      const A = fromEntries(n, n, (i, j) => {
        const k = Math.max(i, j);
        return Math.abs(i - j) === 1 ? Math.sqrt(k * (n - k)) : 0;
      });
      const t = singularTriplet(A);
      expect(Math.abs(t.sigma / (n - 1) - 1)).toBeLessThan(1e-13);
      expect([t.tied, t.converged]).toEqual([true, true]);
    }
  });

  it("a companion matrix: σ² from the norm of its last row", () => {
    // C = shift + last row c: σ₁² + σ_n² = 1 + ‖c‖², σ₁σ_n = |c₀|, and all others are 1.
    for (const n of [3, 9, 64, 65, 200]) {
      const c = Float64Array.from({ length: n }, (_, j) => Math.cos(j) * 2);
      const sum = 1 + c.reduce((total, value) => total + value * value, 0);
      const sigma = Math.sqrt((sum + Math.sqrt(sum * sum - 4 * c[0] * c[0])) / 2);
      const A = fromEntries(n, n, (i, j) => (i === n - 1 ? c[j] : j === i + 1 ? 1 : 0));
      expectTriplet(A, sigma, undefined, 0, `n = ${n}`);
      const values = svdvals(A);
      for (let k = 1; k < n - 1; k++) expect(Math.abs(values[k] - 1)).toBeLessThan(1e-13 * sigma);
    }
  });
});

describe("against 40 digits", () => {
  const binomial = (a: number, b: number): number => (b === 0 ? 1 : (binomial(a - 1, b - 1) * a) / b);
  const matrices: [string, number, number, (i: number, j: number) => number][] = [
    ["Lehmer 13", 13, 13, (i, j) => (1 + Math.min(i, j)) / (1 + Math.max(i, j))],
    ["Pascal 9", 9, 9, (i, j) => binomial(i + j, j)],
    ["Hilbert 15×11", 15, 11, (i, j) => 1 / (i + j + 1)],
    ["Cauchy 7×12", 7, 12, (i, j) => 1 / (i + j + 1.5)],
    ["Vandermonde 12×5", 12, 5, (i, j) => (i / 11) ** j],
    ["Frank 9", 9, 9, (i, j) => (j < i - 1 ? 0 : 9 - Math.max(i, j))],
    ["Redheffer 14", 14, 14, (i, j) => (j === 0 || (j + 1) % (i + 1) === 0 ? 1 : 0)],
    ["graded 10×10", 10, 10, (i, j) => 10 ** -(i + j) * Math.cos(i * j)],
  ];
  it.each(matrices)("%s", (name, m, n, entry) => {
    const A = fromEntries(m, n, entry);
    const values = svdvals(A);
    const gap = 1 - values[1] / values[0];
    const exact = exactTriplet(A);
    expectTriplet(A, exact.sigma, exact, gap, name);
    // In float64 the value is good to its last digits.
    for (const method of ["lanczos", "dense"] as const)
      expect(Math.abs(spectralNorm(A, { method }) / exact.sigma - 1)).toBeLessThan(8 * 2 ** -52);
    // And in float32 it is that of the rounded matrix to more digits than float32 has.
    const rounded = Float32Array.from(A.data);
    const { sigma } = exactTriplet({ data: rounded, shape: [m, n] });
    expect(Math.abs(spectralNorm({ data: rounded, shape: [m, n] }) / sigma - 1)).toBeLessThan(2 ** -44);
  });

  it("nearly bidiagonal matrices, whose Gram matrix is nearly tridiagonal", () => {
    for (const noise of [1e-6, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15])
      for (let seed = 0; seed < 3; seed++) {
        const random = createRandom(seed);
        const band = (i: number, j: number) =>
          j === i ? 1 + random.uniform() : j === i + 1 ? random.uniform() : 0;
        const A = fromEntries(12, 12, (i, j) => band(i, j) + noise * random.normal());
        const values = svdvals(A);
        const exact = exactTriplet(A);
        expectTriplet(A, exact.sigma, exact, 1 - values[1] / values[0], `noise ${noise}`);
      }
  });

  it("normal matrices of odd shapes", () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = createRandom(seed);
      const [m, n] = [1 + Math.floor(11 * random.uniform()), 1 + Math.floor(11 * random.uniform())];
      const A = normalMatrix(m, n, 100 + seed);
      const values = svdvals(A);
      const gap = 1 - (values[1] ?? 0) / values[0];
      if (gap < 2e-3) continue;
      const exact = exactTriplet(A);
      expectTriplet(A, exact.sigma, exact, gap, `${m}×${n}`);
    }
  });
});

describe("extreme shapes", () => {
  it.each([
    [1, 100_000],
    [100_000, 1],
    [2, 50_000],
    [50_001, 3],
    [65, 20_000],
    [20_001, 65],
  ])("%i×%i with orthogonal rows or columns of known length", (m, n) => {
    const short = Math.min(m, n);
    const wide = m < n;
    // Vector k of the shorter side lies on the places p ≡ k (mod short) of the longer one.
    const weight = (k: number) => (k === Math.floor(short / 2) ? 1.1 : 1 - k / 200);
    const A = fromEntries(m, n, (i, j) => {
      const [k, p] = wide ? [i, j] : [j, i];
      return p % short === k ? weight(k) * (p % 2 === 0 ? 1 : -1) : 0;
    });
    const best = Math.floor(short / 2);
    const long = Math.max(m, n);
    const count = (k: number) => Math.floor((long - 1 - k) / short) + 1;
    const sigma = weight(best) * Math.sqrt(count(best));
    const other = Float64Array.from({ length: long }, (_, p) =>
      p % short === best ? (p % 2 === 0 ? 1 : -1) / Math.sqrt(count(best)) : 0,
    );
    const own = Float64Array.from({ length: short }, (_, k) => (k === best ? 1 : 0));
    let second = 0;
    for (let k = 0; k < short; k++)
      if (k !== best) second = Math.max(second, weight(k) * Math.sqrt(count(k)));
    expectTriplet(
      A,
      sigma,
      wide ? { u: own, v: other } : { u: other, v: own },
      1 - second / sigma,
      `${m}×${n}`,
    );
  });

  it("and full ones", () => {
    for (const [m, n] of [
      [3, 20_000],
      [20_000, 67],
      [64, 9_999],
    ]) {
      const known = withSpectrum(m, n, (i) => 0.9 ** i, m);
      expectTriplet(known, 1, { u: known.u!, v: known.v! }, 0.1, `${m}×${n}`);
    }
    // Sums of 10⁶ equal terms.
    const long: MatrixLike[] = [
      { data: new Float64Array(1e6).fill(0.1), shape: [1, 1e6] },
      { data: new Float64Array(1e6).fill(0.1), shape: [1000, 1000] },
      { data: new Float64Array(1e6).fill(0.1), shape: [1e6, 1] },
    ];
    for (const A of long) expect(Math.abs(spectralNorm(A) / 100 - 1)).toBeLessThan(1e-14);
    const single = new Float32Array(1e6).fill(0.1);
    for (const shape of [
      [1, 1e6],
      [100, 1e4],
      [1e4, 100],
    ])
      expect(Math.abs(spectralNorm({ data: single, shape }) / (1000 * single[0]) - 1)).toBeLessThan(1e-6);
  });
});

it("rows that are as good as zero beside others do no harm", () => {
  for (const small of [1e-20, 1e-150, 1e-300, 1e-308, 5e-324])
    for (const method of ["lanczos", "dense"] as const) {
      const A = fromEntries(3, 3, (i, j) => (i === 0 ? 1 : small) * (1 + ((i + 2 * j) % 3)));
      const { sigma, u, v, converged } = singularTriplet(A, { method });
      expect(Math.abs(sigma / Math.sqrt(14) - 1)).toBeLessThan(1e-14);
      expect(converged).toBe(true);
      expect([...u, ...v].every(Number.isFinite)).toBe(true);
      expect(Math.abs(u[0])).toBeCloseTo(1, 14);
    }
});

describe("small matrices of integers", () => {
  const expectValue = (data: number[], m: number, n: number) => {
    const A = { data: Float64Array.from(data), shape: [m, n] };
    const [largest] = svdvals(A);
    // σ₁ is found from the Gram matrix by counts, and among all values by another method.
    expect(Math.abs(spectralNorm(A) - largest), data.join()).toBeLessThanOrEqual(1e-13 * largest);
    expect(Math.abs(singularTriplet(A).sigma - largest), data.join()).toBeLessThanOrEqual(1e-13 * largest);
  };

  it("have the largest of their singular values as the norm", () => {
    // Its value was once too small in the eighth digit.
    expectValue([1, -1, 0, 0, 2, 2, 3, 3, -2, 3, -1, 2, 0, 2, 0], 5, 3);
    const random = createRandom(5);
    for (let trial = 0; trial < 5000; trial++) {
      const [m, n, most] = [2, 2, 1].map((least) => least + Math.floor(4 * random.uniform()));
      const whole = () => Math.round((2 * random.uniform() - 1) * most);
      expectValue(Array.from({ length: m * n }, whole), m, n);
    }
  });
});
