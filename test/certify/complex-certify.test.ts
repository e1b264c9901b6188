import { afterEach, describe, expect, it } from "vitest";
import {
  type CertifyOptions,
  certify,
  complexMatrix,
  coo,
  csc,
  csr,
  linearOperator,
  probableUpperBound,
  rowPanels,
  setKernels,
  singularTriplet,
  valueAndGrad,
} from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { normalMatrix } from "../matrices.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";
import { complexGradientErrorExactly, complexOuterExactly, complexValuesAbove } from "./exact.js";

const EPS = 2 ** -52;

/** Interleaved numbers. */
interface Complex {
  data: Float64Array;
  shape: [number, number];
  dtype: "complex128";
}

function fromEntries(
  m: number,
  n: number,
  entry: (i: number, j: number) => readonly [number, number],
): Complex {
  const data = new Float64Array(2 * m * n);
  for (let k = 0; k < m * n; k++) data.set(entry(Math.floor(k / n), k % n), 2 * k);
  return { data, shape: [m, n], dtype: "complex128" };
}

function complexNormal(m: number, n: number, seed: number): Complex {
  const random = createRandom(seed);
  return fromEntries(m, n, () => [random.normal(), random.normal()]);
}

/** |z|·e^{i·phase} */
function polar(size: number, phase: number): [number, number] {
  return [size * Math.cos(phase), size * Math.sin(phase)];
}

/** x ← (I − 2wwᴴ)·x on every stride-th complex element. */
function reflect(w: Float64Array, x: Float64Array, offset: number, stride: number): void {
  let [re, im] = [0, 0];
  for (let k = 0, at = 2 * offset; k < w.length; k += 2, at += 2 * stride) {
    re += w[k] * x[at] + w[k + 1] * x[at + 1];
    im += w[k] * x[at + 1] - w[k + 1] * x[at];
  }
  for (let k = 0, at = 2 * offset; k < w.length; k += 2, at += 2 * stride) {
    x[at] -= 2 * (w[k] * re - w[k + 1] * im);
    x[at + 1] -= 2 * (w[k] * im + w[k + 1] * re);
  }
}

/** U·diag(σ)·Vᴴ, with two complex reflections on each side. */
function withSpectrum(m: number, n: number, spectrum: (i: number) => number, seed: number): Complex {
  const random = createRandom(seed);
  const unit = (length: number) => {
    const w = Float64Array.from({ length: 2 * length }, () => random.normal());
    const norm = Math.hypot(...w);
    return w.map((x) => x / norm);
  };
  const A = fromEntries(m, n, (i, j) => (i === j ? polar(spectrum(i), 6.3 * random.uniform()) : [0, 0]));
  for (const w of [unit(m), unit(m)]) for (let j = 0; j < n; j++) reflect(w, A.data, j, n);
  for (const w of [unit(n), unit(n)]) for (let i = 0; i < m; i++) reflect(w, A.data, i * n, 1);
  return A;
}

/** The interval, checked for what always holds; its relative width with it. */
function interval(A: unknown, options?: CertifyOptions) {
  const certificate = certify(A as Complex, options);
  const { lower, upper, sigma2Upper, gradientErrorBound } = certificate;
  expect(lower).toBeGreaterThanOrEqual(0);
  expect(upper).toBeGreaterThanOrEqual(lower);
  expect(sigma2Upper).toBeLessThanOrEqual(upper);
  expect(gradientErrorBound).toBeGreaterThan(0);
  return { ...certificate, width: upper === 0 ? 0 : (upper - lower) / upper };
}

function expectInside(sigma: number, { lower, upper }: { lower: number; upper: number }, error = 2 * EPS) {
  expect(sigma * (1 + error)).toBeGreaterThanOrEqual(lower);
  expect(sigma * (1 - error)).toBeLessThanOrEqual(upper);
}

describe("closed forms", () => {
  it("DFT matrices: every singular value is √n", () => {
    for (const n of [2, 3, 8, 31, 70]) {
      const dft = fromEntries(n, n, (i, j) => polar(1, (-2 * Math.PI * ((i * j) % n)) / n));
      const { proven, width, sigma2Upper, gradientErrorBound, ...bounds } = interval(dft);
      expect(proven).toBe(true);
      expectInside(Math.sqrt(n), bounds, 10 * EPS);
      expect(width).toBeLessThan(n * 100 * 2 ** -53);
      expect(sigma2Upper * (1 + 10 * EPS)).toBeGreaterThanOrEqual(Math.sqrt(n));
      expect(gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
      expect(gradientErrorBound).toBeLessThan(1.4143);
    }
  });

  it("circulants: the singular values are those of the transformed row", () => {
    for (const n of [3, 12, 40]) {
      const random = createRandom(n);
      const c = Float64Array.from({ length: 2 * n }, () => random.normal());
      const A = fromEntries(n, n, (i, j) => {
        const k = (j - i + n) % n;
        return [c[2 * k], c[2 * k + 1]];
      });
      const values = Array.from({ length: n }, (_, f) => {
        let [re, im] = [0, 0];
        for (let k = 0; k < n; k++) {
          const [x, y] = polar(1, (2 * Math.PI * ((f * k) % n)) / n);
          re += c[2 * k] * x - c[2 * k + 1] * y;
          im += c[2 * k] * y + c[2 * k + 1] * x;
        }
        return Math.hypot(re, im);
      }).sort((x, y) => y - x);
      const { proven, sigma2Upper, gradientErrorBound, ...bounds } = interval(A);
      expect(proven).toBe(true);
      expectInside(values[0], bounds, 50 * EPS);
      expect(sigma2Upper).toBeGreaterThan(values[1] * (1 - 50 * EPS));
      expect(sigma2Upper).toBeLessThan(values[1] + 1e-3 * (values[0] - values[1]));
      expect(gradientErrorBound).toBeLessThan(1e-11);
    }
  });

  it("unitary times diagonal", () => {
    for (const [n, gap] of [
      [5, 0.5],
      [24, 1e-3],
      [33, 1e-7],
    ]) {
      const A = fromEntries(n, n, (i, j) =>
        polar((j === 3 ? 1 : (1 - gap) / (1 + (j % 7))) / Math.sqrt(n), (2 * Math.PI * ((i * j) % n)) / n),
      );
      const { proven, sigma2Upper, gradientErrorBound, ...bounds } = interval(A);
      expect(proven).toBe(true);
      expectInside(1, bounds, 10 * EPS);
      expect(sigma2Upper).toBeGreaterThan((1 - gap) * (1 - 10 * EPS));
      expect(sigma2Upper).toBeLessThan(1 - gap + 1e-3 * gap + 1e-12);
      expect(gradientErrorBound).toBeLessThan(1e-12 / gap);
    }
  });

  it("matrices of known spectrum, wide, tall and square", () => {
    for (const [m, n, gap] of [
      [20, 31, 0.3],
      [41, 30, 1e-3],
      [64, 70, 1e-6],
      [30, 30, 1e-9],
    ]) {
      const A = withSpectrum(m, n, (i) => (i === 0 ? 1 : (1 - gap) * 0.9 ** (i - 1)), 5);
      const { proven, sigma2Upper, gradientErrorBound, width, ...bounds } = interval(A);
      expect(proven).toBe(true);
      expectInside(1, bounds, 50 * EPS);
      expect(width).toBeLessThan(1e-12);
      expect(sigma2Upper).toBeGreaterThan((1 - gap) * (1 - 50 * EPS));
      expect(sigma2Upper).toBeLessThan(1 - gap + 1e-3 * gap + 1e-12);
      expect(gradientErrorBound).toBeLessThan(Math.max(1e-11, 1e-13 / gap));
    }
  });

  it("Hermitian: the largest of the eigenvalues' magnitudes", () => {
    // The momentum operator on n points: i·(shift − shiftᵀ), with eigenvalues 2·cos(kπ/(n + 1)).
    for (const n of [2, 7, 40]) {
      const A = fromEntries(n, n, (i, j) => [0, j === i + 1 ? 1 : j === i - 1 ? -1 : 0]);
      const { proven, gradientErrorBound, ...bounds } = interval(A);
      expect(proven).toBe(true);
      expectInside(2 * Math.cos(Math.PI / (n + 1)), bounds);
      // ± the same.
      expect(gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
    }
  });
});

describe("width", () => {
  it("is that of a real matrix of the same shape, or less", () => {
    for (const [m, n] of [
      [2, 2],
      [64, 128],
      [256, 256],
    ]) {
      const real = normalMatrix(m, n, 3);
      const complex = interval(complexNormal(m, n, 4));
      const wide = interval(real);
      const asComplex = interval(fromEntries(m, n, (i, j) => [real.data[i * n + j], 0]));
      expect([complex.proven, complex.method]).toEqual([true, "cholesky"]);
      expect(complex.width).toBeLessThan(1.3 * wide.width);
      expect(asComplex.width).toBeLessThan(1.3 * wide.width);
      if (m > 2) expect(complex.width).toBeLessThan(0.8 * wide.width);
      expect(asComplex.lower).toBeLessThanOrEqual(wide.upper);
      expect(asComplex.upper).toBeGreaterThanOrEqual(wide.lower);
      expect(asComplex.gradientErrorBound).toBeLessThan(2 * wide.gradientErrorBound);
      // Slightly below the real interval's ends, or above.
      expect(Math.abs(asComplex.lower / wide.lower - 1)).toBeLessThan(wide.width);
    }
  });

  it("stays small for what is very long", () => {
    const long = complexNormal(1, 300_000, 1);
    const row = interval(long);
    const column = interval({ ...long, shape: [300_000, 1] });
    expect([row.proven, row.method, row.sigma2Upper]).toEqual([true, "frobenius", 0]);
    expect([column.proven, column.method, column.sigma2Upper]).toEqual([true, "frobenius", 0]);
    expect(row.width).toBeLessThan(8 * 2000 * 2 ** -53);
    expect(column.width).toBeLessThan(8 * 2000 * 2 ** -53);
    expect(interval(complexNormal(3, 20_000, 1)).width).toBeLessThan(20 * 400 * 2 ** -53);
  });
});

describe("scale", () => {
  const A = complexNormal(4, 5, 4);

  it("a power of two changes no digit", () => {
    const one = interval(A);
    for (const e of [-900, -70, 70, 900]) {
      const found = interval({ ...A, data: A.data.map((x) => x * 2 ** e) });
      const c = 2 ** e;
      expect([found.lower, found.upper, found.sigma2Upper]).toEqual([
        one.lower * c,
        one.upper * c,
        one.sigma2Upper * c,
      ]);
      expect(found.gradientErrorBound).toBe(one.gradientErrorBound);
    }
  });

  it("1e±300, and subnormal", () => {
    for (const c of [1e-300, 1e300]) {
      const data = A.data.map((x) => x * c);
      const { lower, upper, width } = interval({ ...A, data });
      expect(width).toBeLessThan(1e-13);
      expect(complexValuesAbove(data, 4, 5, upper)).toBe(0);
      expect(complexValuesAbove(data, 4, 5, lower, true)).toBeGreaterThan(0);
    }
    const tiny = A.data.map((x) => Math.round(100 * x) * Number.MIN_VALUE);
    const { lower, upper, sigma2Upper } = interval({ ...A, data: tiny });
    expect(complexValuesAbove(tiny, 4, 5, upper)).toBe(0);
    expect(complexValuesAbove(tiny, 4, 5, lower, true)).toBe(1);
    expect(complexValuesAbove(tiny, 4, 5, sigma2Upper)).toBeLessThan(2);
    expect(upper - lower).toBeLessThanOrEqual(Number.MIN_VALUE);
  });

  it("graded over the whole range, and between the parts of each entry", () => {
    for (const powers of [
      [1e150, 1, 1e-150],
      [1e300, 1e-20, 5e-324],
      [1e-150, 1e-300, 1e150],
    ]) {
      const { data } = fromEntries(3, 3, (i, j) => [
        powers[i] * (1 + ((i + 2 * j) % 3)),
        powers[2 - i] * (1 + ((2 * i + j) % 3)),
      ]);
      const { lower, upper, sigma2Upper, width } = interval({ data, shape: [3, 3], dtype: "complex128" });
      expect(complexValuesAbove(data, 3, 3, upper)).toBe(0);
      expect(complexValuesAbove(data, 3, 3, lower, true)).toBeGreaterThan(0);
      expect(complexValuesAbove(data, 3, 3, sigma2Upper)).toBeLessThan(2);
      expect(width).toBeLessThan(1e-13);
    }
  });

  it("a norm near the largest double", () => {
    const { lower, upper } = interval([
      [
        { re: 0, im: 1.2e308 },
        { re: 0, im: 0 },
      ],
      [
        { re: 0, im: 0 },
        { re: 1e308, im: 0 },
      ],
    ]);
    expect(lower).toBeLessThanOrEqual(1.2e308);
    expect(upper).toBeGreaterThanOrEqual(1.2e308);
    expectRefusal(() => certify([[{ re: 1.7e308, im: 1.7e308 }]] as never), "ERR_OVERFLOW");
  });
});

describe("input", () => {
  it("zero, one number, one row, rank one, purely imaginary", () => {
    expect(certify(fromEntries(3, 4, () => [0, 0]))).toMatchObject({
      lower: 0,
      upper: 0,
      sigma2Upper: 0,
      proven: true,
    });
    expect(certify(fromEntries(1, 1, () => [0, 0])).gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
    const one = interval([[{ re: 3, im: -4 }]]);
    expectInside(5, one, 0);
    expect(one.width).toBeLessThan(20 * EPS);
    expect([one.sigma2Upper, one.method, one.proven]).toEqual([0, "frobenius", true]);
    expect(one.gradientErrorBound).toBeLessThan(20 * EPS);
    for (const A of [complexMatrix([3, 0, 0, 4], [1, 2]), complexMatrix([3, 0, 0, 4], [2, 1])]) {
      const found = interval(A);
      expectInside(5, found, 0);
      expect([found.sigma2Upper, found.method]).toEqual([0, "frobenius"]);
      expect(found.width).toBeLessThan(30 * EPS);
    }
    const rankOne = interval(fromEntries(9, 30, (i, j) => [(i + 1) * (j + 2), (i + 1) * (j - 3)]));
    expect(rankOne.sigma2Upper).toBeLessThan(1e-6 * rankOne.upper);
    expect(rankOne.gradientErrorBound).toBeLessThan(1e-13);
    const real = normalMatrix(6, 9, 1);
    const imaginary = interval(fromEntries(6, 9, (i, j) => [0, real.data[i * 9 + j]]));
    const wide = interval(real);
    expect(imaginary.lower).toBeLessThanOrEqual(wide.upper);
    expect(imaginary.upper).toBeGreaterThanOrEqual(wide.lower);
  });

  it("strides, nested, complex64, the adjoint's shape: the same numbers, the same interval", () => {
    const [m, n] = [12, 9];
    const entry = (i: number, j: number): [number, number] => [
      ((7 * i + 5 * j) % 11) - 4,
      ((3 * i + j) % 7) - 3,
    ];
    const A = fromEntries(m, n, entry);
    const one = interval(A);
    const pick = ({ lower, upper, sigma2Upper }: typeof one) => ({ lower, upper, sigma2Upper });
    const data = new Float64Array(2 * (3 + 2 * m * n)).fill(Number.NaN);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data.set(entry(i, j), 2 * (3 + 2 * (j * m + i)));
    const strided = { data, shape: [m, n], stride: [2, 2 * m], offset: 3, dtype: "complex128" };
    const { triplet } = one;
    expect(pick(interval(strided, { triplet }))).toEqual(pick(one));
    const nested = Array.from({ length: m }, (_, i) =>
      Array.from({ length: n }, (_, j) => ({ re: entry(i, j)[0], im: entry(i, j)[1] })),
    );
    expect(pick(interval(nested, { triplet }))).toEqual(pick(one));
    // The transpose has the singular values of A, and its vectors the other way around and conjugate.
    const conjugate = (x: ArrayLike<number>) => Float64Array.from(x, (value, k) => (k % 2 ? -value : value));
    const turned = interval(
      { ...strided, shape: [n, m], stride: [2 * m, 2] },
      { triplet: { ...triplet, u: conjugate(triplet.v), v: conjugate(triplet.u) } },
    );
    expectInside(one.lower, turned, 20 * EPS);
    const single = interval({ data: new Float32Array(A.data), shape: [m, n], dtype: "complex64" });
    expect(single.width).toBeLessThan(1e-13);
    const { u, v } = single.triplet;
    expect(u).toBeInstanceOf(Float32Array);
    const error = complexGradientErrorExactly(A.data, m, n, complexOuterExactly(u, v), 40);
    expect(error).toBeLessThanOrEqual(single.gradientErrorBound);
    expect(single.gradientErrorBound).toBeLessThan(2e-6);
  });

  it("bounds the gradient that valueAndGrad returns, by the vectors it names", () => {
    const A = complexNormal(70, 90, 8);
    const { triplet } = certify(A);
    const { u, v } = singularTriplet(A);
    expect([triplet.u, triplet.v]).toEqual([u, v]);
    const { grad } = valueAndGrad(A);
    const at = 2 * 91;
    expect(grad.data[at]).toBe(u[2] * v[2] + u[3] * v[3]);
    expect(grad.data[at + 1]).toBe(u[3] * v[2] - u[2] * v[3]);
  });

  it("sparse in every form: as dense while that is affordable, else by magnitudes", () => {
    const [m, n] = [14, 11];
    const dense = fromEntries(m, n, (i, j) => ((i * j) % 7 === 1 ? [i - j, i + j] : [0, 0]));
    const places = Array.from({ length: m * n }, (_, k) => k).filter(
      (k) => dense.data[2 * k] !== 0 || dense.data[2 * k + 1] !== 0,
    );
    const numbers = (order: number[]) =>
      Float64Array.from(order.flatMap((k) => Array.from(dense.data.subarray(2 * k, 2 * k + 2))));
    const { triplet, ...bounds } = certify(dense);
    const byColumn = [...places].sort((a, b) => (a % n) - (b % n) || a - b);
    const dtype = "complex128" as const;
    for (const sparse of [
      csr({
        data: numbers(places),
        indices: places.map((k) => k % n),
        indptr: Array.from({ length: m + 1 }, (_, i) => places.filter((k) => k < i * n).length),
        shape: [m, n],
        dtype,
      }),
      csc({
        data: numbers(byColumn),
        indices: byColumn.map((k) => Math.floor(k / n)),
        indptr: Array.from({ length: n + 1 }, (_, j) => places.filter((k) => k % n < j).length),
        shape: [m, n],
        dtype,
      }),
      coo({
        data: numbers(places),
        row: places.map((k) => Math.floor(k / n)),
        col: places.map((k) => k % n),
        shape: [m, n],
        dtype,
      }),
    ]) {
      const { triplet: _, ...same } = certify(sparse, { triplet });
      expect(same).toEqual(bounds);
      const cheap = certify(sparse, { triplet, maxCost: 9000 });
      expect([cheap.proven, cheap.method]).toEqual([true, "magnitudes"]);
      expect(cheap.upper).toBeGreaterThanOrEqual(bounds.lower);
      expect(cheap.upper).toBeLessThanOrEqual(certify(dense, { triplet, maxCost: 0 }).upper);
    }
  });

  it("a large sparse matrix, whose phases do not cancel", () => {
    // A ring with phases e^{iθ} and e^{−iθ}, which a diagonal unitary matrix turns into that of ones: ‖A‖₂ = 2.
    const n = 20_000;
    const turns = 2 * Math.PI * (3 / n);
    const data = new Float64Array(4 * n);
    for (let i = 0; i < n; i++) {
      data.set([1.5, 2], 4 * i);
      data.set([Math.cos(turns), Math.sin(turns)], 4 * i + 2);
    }
    const ring = csr({
      data,
      indices: Float64Array.from({ length: 2 * n }, (_, k) => ((k >> 1) + (k & 1 ? 1 : n - 1)) % n),
      indptr: Float64Array.from({ length: n + 1 }, (_, i) => 2 * i),
      shape: [n, n],
      dtype: "complex128",
    });
    const v = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) v[2 * i] = 1 / Math.sqrt(n);
    const large = interval(ring, { triplet: { u: v, v } });
    expect([large.proven, large.method]).toEqual([true, "magnitudes"]);
    expect(large.upper).toBeGreaterThanOrEqual(3.5);
    expect(large.upper).toBeLessThan(3.5 * (1 + 1e-12));
    expect(large.gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
    expect(certify(ring, { triplet: { u: v, v }, maxCost: 10 }).proven).toBe(false);
  });

  it("the same on plain loops", () => {
    const A = complexNormal(37, 50, 2);
    setKernels("wasm");
    const { triplet, ...fast } = certify(A);
    setKernels("reference");
    const { triplet: _, ...plain } = certify(A, { triplet });
    expect(plain).toEqual(fast);
  });
});

describe("adversaries", () => {
  it("a triplet that is wrong costs closeness, not truth", () => {
    const A = withSpectrum(20, 30, (i) => 1 / (1 + i), 3);
    const right = interval(A);
    const swap = (x: ArrayLike<number>) => Float64Array.from(x, (_, k) => (k % 2 ? x[k - 1] : -x[k + 1]));
    for (const triplet of [
      { u: new Float64Array(40), v: new Float64Array(60) },
      // u times i alone, and both.
      { ...right.triplet, u: swap(right.triplet.u) },
      { ...right.triplet, u: swap(right.triplet.u), v: swap(right.triplet.v) },
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
      const error = complexGradientErrorExactly(
        A.data,
        20,
        30,
        complexOuterExactly(triplet.u, triplet.v),
        12,
      );
      expect(gradientErrorBound).toBeGreaterThanOrEqual(error * (1 - 1e-12));
    }
    // The phase that u and v have in common is free.
    const { triplet } = right;
    const both = certify(A, { triplet: { ...triplet, u: swap(triplet.u), v: swap(triplet.v) } });
    expect(both.gradientErrorBound).toBeLessThan(1.01 * right.gradientErrorBound);
  });

  it("gaps from 1e-3 to 1e-15", () => {
    for (let k = 3; k <= 15; k++) {
      const gap = 10 ** -k;
      const A = complexMatrix([0.6, 0.8, 0, 0, 0, 0, 0, 1 - gap], [2, 2]);
      const { gradientErrorBound, triplet, sigma2Upper } = interval(A);
      expect(complexValuesAbove(A.data, 2, 2, sigma2Upper)).toBeLessThan(2);
      const error = complexGradientErrorExactly(A.data, 2, 2, complexOuterExactly(triplet.u, triplet.v), 80);
      expect(error).toBeLessThanOrEqual(gradientErrorBound);
      if (gap > 1e-13) expect(gradientErrorBound).toBeLessThan((100 * EPS) / gap);
      if (gap < 2e-15) expect(gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
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

  it("a Gram matrix that cancels, Läuchli's with phases", () => {
    for (const e of [1e-5, 1e-8, 1e-12]) {
      const { data } = fromEntries(4, 3, (i, j) => (i === 0 ? polar(1, j) : i === j + 1 ? [0, e] : [0, 0]));
      const { lower, upper, sigma2Upper, width, gradientErrorBound } = interval({
        data,
        shape: [4, 3],
        dtype: "complex128",
      });
      expect(complexValuesAbove(data, 4, 3, upper)).toBe(0);
      expect(complexValuesAbove(data, 4, 3, lower, true)).toBe(1);
      expect(complexValuesAbove(data, 4, 3, sigma2Upper)).toBeLessThan(2);
      expect(width).toBeLessThan(1e-13);
      expect(gradientErrorBound).toBeLessThan(1e-13);
    }
  });
});

describe("budget", () => {
  const A = complexNormal(50, 60, 6);
  // 4·50²·60 flops for the Gram matrix, 4·50³/3 + 16·50² for each test.
  const gram = 6e5;
  const test = 5e5 / 3 + 4e4;

  it("counts the flops that are spent", () => {
    const truth = interval(A);
    const short = interval(A, { maxCost: gram + 0.99 * test });
    expect([short.proven, short.method]).toEqual([false, "magnitudes"]);
    const least = interval(A, { maxCost: 0 });
    expect([least.proven, least.method]).toEqual([false, "frobenius"]);
    for (const { lower, upper, sigma2Upper } of [short, least]) {
      expect(lower).toBe(truth.lower);
      expect(upper).toBeGreaterThan(truth.lower);
      expect(sigma2Upper).toBeGreaterThan(truth.lower / 2);
    }
    expect(short.upper).toBeLessThan(least.upper);
    expect(interval(A, { maxCost: Number.POSITIVE_INFINITY }).upper).toBe(truth.upper);
    const one = interval(A, { maxCost: gram + 1.01 * test });
    expect([one.proven, one.upper]).toEqual([true, truth.upper]);
    expect(one.sigma2Upper).toBe(one.upper);
  });

  it("a dominant value is seen in ‖A‖_F alone", () => {
    const dominant = withSpectrum(30, 40, (i) => (i === 0 ? 1 : 0.01 * 0.5 ** i), 2);
    const { sigma2Upper, gradientErrorBound } = certify(dominant, { maxCost: 0 });
    expect(sigma2Upper).toBeGreaterThan(0.005);
    expect(sigma2Upper).toBeLessThan(0.01);
    expect(gradientErrorBound).toBeLessThan(1e-12);
  });
});

describe("refuses", () => {
  const A = complexMatrix([1, 0, 0, 2], [1, 2]);

  it("operators and row panels, naming what to call", () => {
    const operator = linearOperator({
      shape: [2, 2],
      dtype: "complex128",
      matvec: () => {},
      rmatvec: () => {},
    } as never);
    expectRefusal(
      () => certify(operator as never),
      "ERR_UNSUPPORTED",
      "probableUpperBound",
      "singularTriplet",
    );
    const panels = rowPanels({
      shape: [4, 2],
      dtype: "complex128",
      rows: () => new Float64Array(16),
    } as never);
    expectRefusal(() => certify(panels as never), "ERR_UNSUPPORTED", "row panels");
  });

  it("NaN and infinity in either part, naming row and column", () => {
    for (const [at, row, column] of [
      [6, 1, 0],
      [11, 1, 2],
    ]) {
      const data = new Float64Array(12).fill(1);
      data[at] = Number.NaN;
      expectNonFinite(() => certify({ data, shape: [2, 3], dtype: "complex128" }), row, column, "NaN");
      const triplet = { u: Float64Array.of(1, 0, 0, 0), v: Float64Array.of(1, 0, 0, 0, 0, 0) };
      expectNonFinite(
        () => certify({ data, shape: [2, 3], dtype: "complex128" }, { triplet }),
        row,
        column,
        "NaN",
      );
    }
  });

  it("options", () => {
    const options = (triplet: unknown) => ({ triplet }) as CertifyOptions;
    expectRefusal(() => certify(A, { maxCost: -1 }), "ERR_OPTION", "maxCost");
    expectRefusal(() => certify(A, options(1)), "ERR_OPTION", "triplet");
    expectRefusal(() => certify(A, options({ u: 1, v: [1, 0, 0, 0] })), "ERR_OPTION", "u");
    expectRefusal(() => certify(A, options({ u: [5, 0], v: [1, 0, 0, 0] })), "ERR_OPTION", "unit");
    // As many numbers as A has columns is half of what it takes.
    expectRefusal(() => certify(A, options({ u: [1, 0], v: [1, 0] })), "ERR_SHAPE", "v", "2 complex", "4");
    expectRefusal(() => certify(A, options({ u: [1], v: [1, 0, 0, 0] })), "ERR_SHAPE", "u", "1 complex");
    expectRefusal(
      () => certify(A, options({ u: [1, Number.NaN], v: [1, 0, 0, 0] })),
      "ERR_NON_FINITE",
      "u[1]",
    );
  });
});

describe("probableUpperBound of complex matrices", () => {
  /** An operator that multiplies by complex numbers of these magnitudes. */
  const diagonal = (values: ArrayLike<number>) => {
    const by = (sign: number) => (x: Float64Array, out: Float64Array) => {
      for (let i = 0; i < values.length; i++) {
        const [c, s] = polar(values[i], sign * i);
        out[2 * i] = c * x[2 * i] - s * x[2 * i + 1];
        out[2 * i + 1] = s * x[2 * i] + c * x[2 * i + 1];
      }
    };
    const n = values.length;
    return linearOperator({
      shape: [n, n],
      dtype: "complex128",
      matvec: by(1),
      rmatvec: by(-1),
    } as never) as never;
  };

  it("holds as often as it says, on spectra made against it", () => {
    for (const [n, steps, probability] of [
      [50, 3, 0.5],
      [100, 5, 0.9],
    ]) {
      // All but one eigenvalue lie where the polynomial of least size has its peaks.
      const sure = probableUpperBound(diagonal(new Float64Array(n).fill(1)), { steps: 1, probability });
      expect(sure.upper).toBeGreaterThanOrEqual(1);
      const overlap = Math.sqrt((1 - probability) / (n - 1));
      const epsilon = Math.tanh(Math.asinh(1 / overlap) / (2 * steps - 1)) ** 2;
      const values = Float64Array.from({ length: n }, (_, i) => {
        if (i === 0) return 1;
        const theta = (((2 * (i % steps) + 1) / (2 * steps - 1)) * Math.PI) % Math.PI;
        return Math.sqrt(((1 - epsilon) * (1 + Math.cos(theta))) / 2);
      });
      let failed = 0;
      const trials = 300;
      for (let seed = 0; seed < trials; seed++)
        if (probableUpperBound(diagonal(values), { steps, probability, seed }).upper < 1) failed++;
      const most = trials * (1 - probability);
      expect(failed).toBeLessThan(most + 3 * Math.sqrt(most));
    }
  });

  it("takes every form, closes in, and is never proven", () => {
    const A = complexNormal(60, 50, 1);
    const { lower } = certify(A);
    for (const form of [
      A,
      rowPanels({
        shape: [60, 50],
        dtype: "complex128",
        rows: (first: number, count: number) => A.data.slice(100 * first, 100 * (first + count)),
      } as never),
    ]) {
      const [few, more] = [8, 40].map((steps) => probableUpperBound(form as never, { steps }));
      expect(few).toMatchObject({ steps: 8, probability: 0.999999, proven: false });
      expect(more.upper).toBeLessThan(few.upper);
      expect(more.upper).toBeGreaterThanOrEqual(lower);
      expect(few.estimate).toBeLessThanOrEqual(more.estimate);
      expect(more.upper / lower).toBeLessThan(1.02);
    }
  });

  it("is exact where the Krylov space is the whole space", () => {
    const found = probableUpperBound(withSpectrum(5, 9, (i) => 3 / (1 + i), 2));
    expect(found.steps).toBe(5);
    expect(found.upper).toBeGreaterThanOrEqual(3 * (1 - 20 * EPS));
    expect(found.upper - found.estimate).toBeLessThan(1e-13);
    expect(probableUpperBound(complexMatrix([0, 0, 0, 0], [1, 2]))).toMatchObject({ estimate: 0, upper: 0 });
    expect(probableUpperBound(complexMatrix([3, 4], [1, 1])).upper).toBeCloseTo(5, 13);
    const tiny = probableUpperBound(complexMatrix([0, 3e-250, 4e-250, 0], [1, 2]));
    expect(tiny.upper / 5e-250).toBeCloseTo(1, 12);
  });
});

afterEach(() => setKernels("auto"));
