import { afterEach, describe, expect, it } from "vitest";
import {
  type CertifyOptions,
  certify,
  csr,
  type LinearOperator,
  type MatrixLike,
  setKernels,
  singularTriplet,
  valueAndGrad,
} from "../../src/index.js";
import { CLOSED, TIED } from "../closed-forms.js";
import { fromEntries, gradientDistance, normalMatrix, withSpectrum } from "../matrices.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";
import { gradientErrorExactly, outerExactly, singularValuesAbove } from "./exact.js";

const EPS = 2 ** -52;

/** The interval, checked for what always holds; its relative width with it. */
function interval(A: MatrixLike, options?: CertifyOptions) {
  const certificate = certify(A, options);
  const { lower, upper, sigma2Upper, gradientErrorBound } = certificate;
  expect(lower).toBeGreaterThanOrEqual(0);
  expect(upper).toBeGreaterThanOrEqual(lower);
  expect(sigma2Upper).toBeLessThanOrEqual(upper);
  expect(gradientErrorBound).toBeGreaterThan(0);
  return { ...certificate, width: upper === 0 ? 0 : (upper - lower) / upper };
}

/** That a truth which is itself rounded lies inside. */
function expectInside(sigma: number, { lower, upper }: { lower: number; upper: number }, error = 2 * EPS) {
  expect(sigma * (1 + error)).toBeGreaterThanOrEqual(lower);
  expect(sigma * (1 - error)).toBeLessThanOrEqual(upper);
}

/**
 * Units of 2^-53 that the Cholesky test may lose in σ for order `short`: half of n·h for the factor and of h·‖A‖_F²/σ²
 * ≤ h·n for the Gram matrix, a quarter more as margin, as much again below.
 */
function mostWidth(short: number, long: number): number {
  const height = (count: number) => {
    const block = Math.max(32, Math.sqrt(count) + 4);
    return Math.min(count, block) + count / block + 8;
  };
  return (short * (height(short) + height(long)) + 100) * 2 ** -53;
}

describe("closed forms", () => {
  it.each(CLOSED)("$name", ({ m, n, entry, sigma }) => {
    const A = fromEntries(m, n, entry);
    const { proven, width, ...bounds } = interval(A);
    expect(proven).toBe(true);
    expectInside(sigma, bounds, 4 * EPS);
    expect(width).toBeLessThan(mostWidth(Math.min(m, n), Math.max(m, n)));
  });

  it.each(TIED)("tied: $name never gets a small gradient bound", ({ m, n, entry, sigma }) => {
    const { proven, width, gradientErrorBound, sigma2Upper, ...bounds } = interval(fromEntries(m, n, entry));
    expect(proven).toBe(true);
    expectInside(sigma, bounds);
    expect(width).toBeLessThan(mostWidth(Math.min(m, n), Math.max(m, n)));
    expect(sigma2Upper * (1 + EPS)).toBeGreaterThanOrEqual(sigma);
    expect(gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
    expect(gradientErrorBound).toBeLessThan(1.4143);
  });

  it("Hilbert, Kahan, and a Kronecker product", () => {
    const hilbert = fromEntries(10, 10, (i, j) => 1 / (i + j + 1));
    expectInside(1.7519196702651776, interval(hilbert));
    const [c, s] = [Math.cos(1.2), Math.sin(1.2)];
    const kahan = fromEntries(10, 10, (i, j) => s ** i * (i === j ? 1 : j > i ? -c : 0));
    // Powers of s are themselves rounded.
    expectInside(1.805114909165647, interval(kahan), 10 * EPS);
    const [a, b] = [normalMatrix(5, 4, 1), fromEntries(6, 7, (i, j) => Math.sin(i * j))];
    const product = fromEntries(
      30,
      28,
      (i, j) => a.data[Math.floor(i / 6) * 4 + Math.floor(j / 7)] * b.data[(i % 6) * 7 + (j % 7)],
    );
    const [of, left, right] = [interval(product), interval(a), interval(b)];
    expect(of.lower).toBeLessThanOrEqual(left.upper * right.upper * (1 + 20 * EPS));
    expect(of.upper).toBeGreaterThanOrEqual(left.lower * right.lower * (1 - 20 * EPS));
  });

  it("matrices of known spectrum, their second value and their gradient", () => {
    for (const [m, n, gap] of [
      [40, 60, 0.3],
      [80, 70, 1e-3],
      [64, 128, 1e-6],
      [30, 30, 1e-9],
    ]) {
      const known = withSpectrum(m, n, (i) => (i === 0 ? 1 : (1 - gap) * 0.9 ** (i - 1)), 5);
      const { proven, sigma2Upper, gradientErrorBound, width, triplet, ...bounds } = interval(known);
      expect(proven).toBe(true);
      // The reflections are orthogonal to a few ε.
      expectInside(1, bounds, 50 * EPS);
      expect(width).toBeLessThan(1e-12);
      expect(sigma2Upper).toBeGreaterThan((1 - gap) * (1 - 50 * EPS));
      expect(sigma2Upper).toBeLessThan(1 - gap + 1e-4 * gap + 1e-12);
      const error = gradientDistance(triplet, { u: known.u!, v: known.v! });
      expect(error).toBeLessThanOrEqual(gradientErrorBound + (50 * EPS) / gap);
      expect(gradientErrorBound).toBeLessThan(Math.max(1e-11, 1e-13 / gap));
    }
  });
});

describe("width", () => {
  it("is at most 1e-11 at 64×128, 1e-9 at 1000²", () => {
    for (const [m, n, most] of [
      [64, 128, 1e-11],
      [128, 64, 1e-11],
      [1000, 1000, 1e-9],
    ]) {
      const { proven, method, width, gradientErrorBound } = interval(normalMatrix(m, n, 3));
      expect([proven, method]).toEqual([true, "cholesky"]);
      expect(width).toBeLessThan(most);
      expect(width).toBeLessThan(mostWidth(Math.min(m, n), Math.max(m, n)));
      expect(gradientErrorBound).toBeLessThan(1e-8);
    }
  });

  it("stays small for what is very long", () => {
    const long = normalMatrix(1, 1_000_000, 1);
    const row = interval(long);
    const column = interval({ ...long, shape: [1_000_000, 1] });
    expect([column.lower, column.upper]).toEqual([row.lower, row.upper]);
    expect(row.proven).toBe(true);
    // Three sums of a million terms, in blocks of a thousand.
    expect(row.width).toBeLessThan(8 * 2000 * 2 ** -53);
    expect(row.sigma2Upper).toBe(0);
    const { width } = interval(normalMatrix(3, 100_000, 1));
    expect(width).toBeLessThan(20 * 700 * 2 ** -53);
  });
});

describe("scale", () => {
  const A = normalMatrix(5, 7, 4);

  it("a power of two changes no digit", () => {
    const one = interval(A);
    for (const e of [-900, -70, 70, 900]) {
      const { lower, upper, sigma2Upper, gradientErrorBound } = interval({
        data: A.data.map((x) => x * 2 ** e),
        shape: A.shape,
      });
      const c = 2 ** e;
      expect([lower, upper, sigma2Upper]).toEqual([one.lower * c, one.upper * c, one.sigma2Upper * c]);
      expect(gradientErrorBound).toBe(one.gradientErrorBound);
    }
  });

  it("1e±300", () => {
    for (const c of [1e-300, 1e300]) {
      const data = A.data.map((x) => x * c);
      const { lower, upper, width } = interval({ data, shape: A.shape });
      expect(width).toBeLessThan(1e-13);
      expect(singularValuesAbove(data, 5, 7, upper)).toBe(0);
      expect(singularValuesAbove(data, 5, 7, lower, true)).toBeGreaterThan(0);
    }
  });

  it("subnormal entries, and a norm that is one", () => {
    const tiny = A.data.map((x) => Math.round(100 * x) * Number.MIN_VALUE);
    const { lower, upper, sigma2Upper } = interval({ data: tiny, shape: A.shape });
    expect(singularValuesAbove(tiny, 5, 7, upper)).toBe(0);
    expect(singularValuesAbove(tiny, 5, 7, lower, true)).toBe(1);
    expect(singularValuesAbove(tiny, 5, 7, sigma2Upper)).toBeLessThan(2);
    expect(upper - lower).toBeLessThanOrEqual(Number.MIN_VALUE);
  });

  it("graded over the whole range: what is scaled away is accounted for", () => {
    for (const powers of [
      [1e150, 1, 1e-150],
      [1e300, 1e-20, 5e-324],
      [1e-150, 1e-300, 1e150],
    ]) {
      const data = fromEntries(3, 3, (i, j) => powers[i] * (1 + ((i + 2 * j) % 3))).data;
      const { lower, upper, sigma2Upper, width } = interval({ data, shape: [3, 3] });
      expect(singularValuesAbove(data, 3, 3, upper)).toBe(0);
      expect(singularValuesAbove(data, 3, 3, lower, true)).toBe(1);
      expect(singularValuesAbove(data, 3, 3, sigma2Upper)).toBeLessThan(2);
      expect(width).toBeLessThan(1e-13);
    }
  });

  it("a norm near the largest double", () => {
    const { lower, upper } = interval([
      [1.2e308, 0],
      [0, 1e308],
    ]);
    expect(lower).toBeLessThanOrEqual(1.2e308);
    expect(upper).toBeGreaterThanOrEqual(1.2e308);
    expectRefusal(() => certify([[1.7e308, 1.7e308]]), "ERR_OVERFLOW");
  });
});

describe("input", () => {
  it("zero, one number, rank one", () => {
    expect(certify(fromEntries(3, 4, () => 0))).toMatchObject({
      lower: 0,
      upper: 0,
      sigma2Upper: 0,
      proven: true,
    });
    expect(certify([[0]]).gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
    const one = interval([[-3]]);
    expectInside(3, one, 0);
    expect(one.width).toBeLessThan(20 * EPS);
    expect(one.sigma2Upper).toBe(0);
    expect(one.gradientErrorBound).toBeLessThan(20 * EPS);
    const rankOne = interval(fromEntries(9, 30, (i, j) => (i + 1) * (j + 2)));
    // σ₂² is not told from rounding.
    expect(rankOne.sigma2Upper).toBeLessThan(1e-6 * rankOne.upper);
    expect(rankOne.gradientErrorBound).toBeLessThan(1e-13);
  });

  it("float32, half precision, integers, strides: the same numbers, the same interval", () => {
    const m = 12;
    const n = 9;
    const whole = fromEntries(m, n, (i, j) => ((7 * i + 5 * j) % 11) - 4);
    const one = interval(whole);
    const pick = ({ lower, upper }: { lower: number; upper: number }) => ({ lower, upper });
    expect(pick(interval({ data: new Int8Array(whole.data), shape: [m, n] }))).toEqual(pick(one));
    const column = new Float64Array(3 + 2 * m * n);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) column[3 + 2 * (j * m + i)] = whole.data[i * n + j];
    expect(pick(interval({ data: column, shape: [m, n], stride: [2, 2 * m], offset: 3 }))).toEqual(pick(one));
    expect(pick(interval({ data: column, shape: [n, m], stride: [2 * m, 2], offset: 3 }))).toEqual(pick(one));
    // u and v are rounded to float32 there; σ is not.
    for (const A of [
      { data: new Float32Array(whole.data), shape: [m, n] },
      { data: Uint16Array.from(whole.data, bfloat16), dtype: "bfloat16" as const, shape: [m, n] },
    ]) {
      const single = interval(A);
      expect(single.width).toBeLessThan(1e-13);
      expect(single.lower).toBeLessThanOrEqual(one.upper);
      expect(single.upper).toBeGreaterThanOrEqual(one.lower);
      const { u, v } = single.triplet;
      expect(u).toBeInstanceOf(Float32Array);
      const error = gradientErrorExactly(whole.data, m, n, outerExactly(u, v), 40);
      expect(error).toBeLessThanOrEqual(single.gradientErrorBound);
      expect(single.gradientErrorBound).toBeLessThan(2e-6);
    }
  });

  it("bounds the gradient that valueAndGrad returns, by the vectors it names", () => {
    const A = normalMatrix(70, 90, 8);
    const { triplet } = certify(A);
    const { u, v } = singularTriplet(A);
    expect([triplet.u, triplet.v]).toEqual([u, v]);
    const { grad } = valueAndGrad(A);
    expect(grad.data[91]).toBe(u[1] * v[1]);
  });

  it("sparse: as dense while that is affordable, else by magnitudes", () => {
    const well = csr({ data: [3, -4, 1], indices: [0, 2, 1], indptr: [0, 1, 2, 3], shape: [3, 3] });
    const small = interval(well);
    expect([small.proven, small.method]).toEqual([true, "cholesky"]);
    expectInside(4, small, 0);
    for (const [m, n] of [
      [40, 60],
      [60, 41],
    ]) {
      const dense = fromEntries(m, n, (i, j) => ((i * j) % 7 === 1 ? i - j : 0));
      const places = Array.from(dense.data.keys()).filter((k) => dense.data[k] !== 0);
      const sparse = csr({
        data: places.map((k) => dense.data[k]),
        indices: places.map((k) => k % n),
        indptr: Array.from({ length: m + 1 }, (_, i) => places.filter((k) => k < i * n).length),
        shape: [m, n],
      });
      const { triplet, ...bounds } = certify(dense);
      const { triplet: _, ...same } = certify(sparse, { triplet });
      expect(same).toEqual(bounds);
    }

    // The adjacency of a ring: nothing is negative, and ‖A‖₂ = ‖A‖₁ = 2.
    const n = 50_000;
    const ring = csr({
      data: new Float64Array(2 * n).fill(1),
      indices: Float64Array.from({ length: 2 * n }, (_, k) => ((k >> 1) + (k & 1 ? 1 : n - 1)) % n),
      indptr: Float64Array.from({ length: n + 1 }, (_, i) => 2 * i),
      shape: [n, n],
    });
    // The triplet is not the point.
    const v = new Float64Array(n).fill(1 / Math.sqrt(n));
    const large = interval(ring, { triplet: { u: v, v } });
    expect([large.proven, large.method]).toEqual([true, "magnitudes"]);
    expectInside(2, large, 0);
    expect(large.width).toBeLessThan(1e-13);
    expect(large.gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);

    // Signs that cancel: proven, and loose.
    const signed = csr({ ...ring, data: ring.data.map((x, k) => (k % 3 === 0 ? -x : x)) });
    const loose = interval(signed, { triplet: { u: v, v } });
    expect([loose.proven, loose.method]).toEqual([true, "magnitudes"]);
    expect(loose.upper).toBeLessThan(2.001);
    expect(certify(signed, { triplet: { u: v, v }, maxCost: 10 }).proven).toBe(false);
  });

  it("the same on plain loops", () => {
    try {
      const A = normalMatrix(37, 50, 2);
      setKernels("wasm");
      const { triplet, ...fast } = certify(A);
      setKernels("reference");
      const { triplet: _, ...plain } = certify(A, { triplet });
      expect(plain).toEqual(fast);
    } finally {
      setKernels("auto");
    }
  });
});

/** The upper half of a float32 that has no lower half. */
function bfloat16(x: number): number {
  return new Uint32Array(new Float32Array([x]).buffer)[0] >>> 16;
}

describe("adversaries", () => {
  it("a triplet that is wrong costs closeness, not truth", () => {
    const A = withSpectrum(20, 30, (i) => 1 / (1 + i), 3);
    const right = interval(A);
    const second = singularTriplet(withSpectrum(20, 30, (i) => (i === 1 ? 5 : 1 / (1 + i)), 3));
    for (const triplet of [
      // The second pair, with a residual of nearly 0.
      { ...second, sigma: 0.5, gap: 0.2 },
      { u: new Float64Array(20), v: new Float64Array(30) },
      { ...right.triplet, gap: 1 },
      { ...right.triplet, gap: 1e-9 },
      { ...right.triplet, gap: Number.NaN, sigma: Number.NaN },
      { u: Array.from(right.triplet.u) as never, v: right.triplet.v },
    ]) {
      const { lower, upper, sigma2Upper, gradientErrorBound, proven } = certify(A, { triplet });
      expect(lower).toBeLessThanOrEqual(1 + 20 * EPS);
      expect(proven).toBe(true);
      expect(upper).toBeLessThan(1.1);
      expect(upper).toBeGreaterThanOrEqual(1 - 20 * EPS);
      expect(sigma2Upper).toBeGreaterThanOrEqual(0.5 - 20 * EPS);
      const error = gradientDistance(triplet, { u: A.u!, v: A.v! });
      expect(gradientErrorBound).toBeGreaterThanOrEqual(error - 1e-12);
    }
  });

  it("gaps from 1e-3 to 1e-15", () => {
    for (let k = 3; k <= 15; k++) {
      const gap = 10 ** -k;
      const data = [1, 0, 0, 1 - gap];
      const { gradientErrorBound, triplet, sigma2Upper } = interval({
        data: Float64Array.from(data),
        shape: [2, 2],
      });
      expect(singularValuesAbove(data, 2, 2, sigma2Upper)).toBeLessThan(2);
      const error = gradientErrorExactly(data, 2, 2, outerExactly(triplet.u, triplet.v), 80);
      expect(error).toBeLessThanOrEqual(gradientErrorBound);
      // What the test loses at order 2 is some 50 units of 2^-53.
      if (gap > 1e-13) expect(gradientErrorBound).toBeLessThan((100 * EPS) / gap);
      if (gap < 2e-15) expect(gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
    }
  });

  it("a Gram matrix that cancels, Läuchli's", () => {
    for (const e of [1e-5, 1e-8, 1e-12]) {
      const data = fromEntries(4, 3, (i, j) => (i === 0 ? 1 : i === j + 1 ? e : 0)).data;
      const { lower, upper, sigma2Upper, width, gradientErrorBound } = interval({ data, shape: [4, 3] });
      expect(singularValuesAbove(data, 4, 3, upper)).toBe(0);
      expect(singularValuesAbove(data, 4, 3, lower, true)).toBe(1);
      expect(singularValuesAbove(data, 4, 3, sigma2Upper)).toBeLessThan(2);
      expect(width).toBeLessThan(1e-13);
      expect(gradientErrorBound).toBeLessThan(1e-13);
    }
  });

  it("ties of every multiplicity, and nearly so", () => {
    for (let times = 2; times <= 12; times++)
      for (const off of [0, 1e-17, 1e-16, 1e-15]) {
        const A = withSpectrum(12, 15, (i) => (i === 0 ? 1 : i < times ? 1 - off : 0.3), times);
        const { gradientErrorBound, sigma2Upper } = interval(A);
        expect(gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
        expect(sigma2Upper).toBeGreaterThanOrEqual(1 - 50 * EPS);
      }
  });
});

describe("budget", () => {
  it("what cannot be afforded is not proven, and bounded all the same", () => {
    const A = normalMatrix(100, 120, 6);
    const truth = interval(A);
    const magnitudes = interval(A, { maxCost: 1.5e6 });
    expect([magnitudes.proven, magnitudes.method]).toEqual([false, "magnitudes"]);
    const least = interval(A, { maxCost: 0 });
    expect([least.proven, least.method]).toEqual([false, "frobenius"]);
    for (const { lower, upper, sigma2Upper } of [magnitudes, least]) {
      expect(lower).toBe(truth.lower);
      expect(upper).toBeGreaterThan(truth.lower);
      expect(sigma2Upper).toBeGreaterThan(truth.lower / 2);
    }
    expect(magnitudes.upper).toBeLessThan(least.upper);
    expect(interval(A, { maxCost: Number.POSITIVE_INFINITY }).upper).toBe(truth.upper);
  });

  it("one test is all that some budgets have", () => {
    const A = normalMatrix(100, 120, 6);
    const { proven, upper, sigma2Upper } = interval(A, { maxCost: 1.2e6 + 4e5 });
    expect(proven).toBe(true);
    expect(upper).toBe(certify(A).upper);
    expect(sigma2Upper).toBe(upper);
  });

  it("a dominant value is seen in ‖A‖_F alone", () => {
    const A = withSpectrum(30, 40, (i) => (i === 0 ? 1 : 0.01 * 0.5 ** i), 2);
    const { sigma2Upper, gradientErrorBound } = certify(A, { maxCost: 0 });
    expect(sigma2Upper).toBeGreaterThan(0.005);
    expect(sigma2Upper).toBeLessThan(0.01);
    expect(gradientErrorBound).toBeLessThan(1e-12);
  });
});

describe("refuses", () => {
  const A = [[1, 2]];

  it("operators, naming what to call", () => {
    const operator: LinearOperator = { shape: [2, 2], matvec: () => {}, rmatvec: () => {} };
    expectRefusal(
      () => certify(operator as never),
      "ERR_UNSUPPORTED",
      "probableUpperBound",
      "singularTriplet",
    );
  });

  it("empty, NaN, infinite", () => {
    expectRefusal(() => certify([]), "ERR_SHAPE");
    expectNonFinite(
      () =>
        certify([
          [1, 2, 3],
          [4, 5, Number.NaN],
        ]),
      1,
      2,
      "NaN",
    );
    const triplet = { u: Float64Array.of(1), v: Float64Array.of(1, 0) };
    const bad = { data: Float64Array.of(1, Number.POSITIVE_INFINITY), shape: [1, 2] };
    expectNonFinite(() => certify(bad, { triplet }), 0, 1, "Infinity");
  });

  it("options", () => {
    const bad = (options: unknown, ...words: string[]) =>
      expectRefusal(() => certify(A, options as CertifyOptions), "ERR_OPTION", ...words);
    bad(3, "options");
    bad({ rtol: 1 }, "rtol", "maxCost");
    for (const maxCost of [-1, Number.NaN, "9"]) bad({ maxCost }, "maxCost");
    bad({ triplet: 1 }, "triplet");
    bad({ triplet: { u: 1, v: [1, 0] } }, "triplet", "u");
    bad({ triplet: { u: [5], v: [1, 0] } }, "unit");
    const options = (triplet: unknown) => ({ triplet }) as CertifyOptions;
    expectRefusal(() => certify(A, options({ u: [1], v: [1] })), "ERR_SHAPE", "v", "2");
    expectRefusal(() => certify(A, options({ u: [1], v: [Number.NaN, 1] })), "ERR_NON_FINITE", "v[0]");
  });
});

afterEach(() => setKernels("auto"));
