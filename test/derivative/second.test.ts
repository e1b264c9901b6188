import { describe, expect, it } from "vitest";
import {
  csr,
  hessianVectorProduct,
  OptionError,
  ShapeError,
  setKernels,
  singularTriplet,
  TiedError,
  tripletVjp,
  valueAndGrad,
} from "../../src/index.js";
import { KERNEL_SETS, skipMissingKernels } from "../kernels/sets.js";
import { fromEntries, normalMatrix, withSpectrum } from "../matrices.js";

type Shape = [number, number];

function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const norm = (a: ArrayLike<number>) => Math.sqrt(inner(a, a));

/** Central difference of u·vᵀ along E. */
function difference(A: Float64Array, E: Float64Array, shape: Shape, h: number): Float64Array {
  const at = (s: number) => valueAndGrad({ data: A.map((x, i) => x + s * E[i]), shape }).grad.data;
  const [plus, minus] = [at(h), at(-h)];
  return Float64Array.from(plus, (x, i) => (x - minus[i]) / (2 * h));
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return norm(Float64Array.from(a, (x, i) => x - b[i]));
}

const SHAPES: Shape[] = [
  [1, 1],
  [1, 6],
  [6, 1],
  [3, 3],
  [5, 8],
  [64, 20],
  [70, 66],
  [66, 110],
];

skipMissingKernels();
describe.each(KERNEL_SETS)("$name kernels", ({ name }) => {
  it.each(SHAPES)("H[E] of %i×%i agrees with central differences", (m, n) => {
    setKernels(name);
    const A = withSpectrum(m, n, (i) => 2 / (1 + 0.3 * i), m + 10 * n).data;
    const E = normalMatrix(m, n, 77).data;
    const H = hessianVectorProduct({ data: A, shape: [m, n] }, { data: E, shape: [m, n] });
    // The step's own error is h²·‖third derivative‖ ~ h²‖E‖³/gap³, rounding's ε/(gap·h).
    const h = 1e-5 / norm(E);
    const D = difference(A, E, [m, n], h);
    expect(distance(H.data, D)).toBeLessThan(1e-6 * Math.max(norm(D), norm(E)));
    setKernels("auto");
  });

  it("pull-backs of σ, u and v agree with central differences", () => {
    setKernels(name);
    for (const [m, n] of [
      [4, 7],
      [7, 4],
      [70, 67],
    ] as Shape[]) {
      const A = withSpectrum(m, n, (i) => 3 / (1 + 0.5 * i), 3).data;
      const E = normalMatrix(m, n, 4).data;
      const ubar = normalMatrix(m, 1, 5).data;
      const vbar = normalMatrix(n, 1, 6).data;
      const t = singularTriplet({ data: A, shape: [m, n] });
      const bar = tripletVjp({ data: A, shape: [m, n] }, t, { sigma: 0.7, u: ubar, v: vbar });
      const loss = (s: number) => {
        const there = singularTriplet({ data: A.map((x, i) => x + s * E[i]), shape: [m, n] }, { start: t.v });
        const sign = Math.sign(inner(there.v, t.v));
        return 0.7 * there.sigma + sign * (inner(there.u, ubar) + inner(there.v, vbar));
      };
      const h = 1e-5 / norm(E);
      const D = (loss(h) - loss(-h)) / (2 * h);
      expect(Math.abs(inner(bar.data, E) - D)).toBeLessThan(1e-6 * norm(E) * (norm(ubar) + norm(vbar)));
    }
    setKernels("auto");
  });
});

describe("hessianVectorProduct", () => {
  it("is exact where lower singular values tie: diag(3, 1, 1) and diag(2, 0, 0)", () => {
    const E = [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 10],
    ];
    // At a diagonal matrix du and dv solve 2×2 systems: H₁ⱼ = (σ₁E₁ⱼ + σⱼEⱼ₁)/(σ₁²−σⱼ²) and its mirror.
    for (const d of [
      [3, 1, 1],
      [2, 0, 0],
    ]) {
      const { data } = hessianVectorProduct(
        fromEntries(3, 3, (i, j) => (i === j ? d[i] : 0)),
        E,
      );
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++) {
          const k = i === 0 ? j : j === 0 ? i : 0;
          const expected = k === 0 ? 0 : (d[0] * E[i][j] + d[k] * E[j][i]) / (d[0] ** 2 - d[k] ** 2);
          expect(Math.abs(data[i * 3 + j] - expected)).toBeLessThan(1e-14 * 10);
        }
    }
  });

  it("is symmetric, linear in E, and zero along A", () => {
    for (const [m, n] of SHAPES) {
      const A = { data: withSpectrum(m, n, (i) => 1 / (1 + i), 8).data, shape: [m, n] as Shape };
      const E = { data: normalMatrix(m, n, 1).data, shape: [m, n] as Shape };
      const F = { data: normalMatrix(m, n, 2).data, shape: [m, n] as Shape };
      const triplet = singularTriplet(A);
      const HE = hessianVectorProduct(A, E, { triplet }).data;
      const HF = hessianVectorProduct(A, F, { triplet }).data;
      const size = norm(E.data) * norm(F.data);
      expect(Math.abs(inner(F.data, HE) - inner(E.data, HF))).toBeLessThan(1e-11 * size);
      // ‖A‖₂ is homogeneous of degree 1, so its gradient does not change along A.
      expect(norm(hessianVectorProduct(A, A, { triplet }).data)).toBeLessThan(1e-11);
      const both = { data: E.data.map((x, i) => 2 * x - F.data[i]), shape: [m, n] as Shape };
      const expected = HE.map((x, i) => 2 * x - HF[i]);
      expect(distance(hessianVectorProduct(A, both, { triplet }).data, expected)).toBeLessThan(1e-11 * size);
      // Convex: the second derivative is not negative.
      expect(inner(E.data, HE)).toBeGreaterThan(-1e-12 * size);
    }
  });

  it("scales as E over A, from 1e-300 to 1e300", () => {
    const A = withSpectrum(6, 5, (i) => 1 / (1 + i), 8).data;
    const E = normalMatrix(6, 5, 1).data;
    const at = (a: number, e: number) =>
      hessianVectorProduct(
        { data: A.map((x) => x * a), shape: [6, 5] },
        { data: E.map((x) => x * e), shape: [6, 5] },
      ).data;
    const plain = at(1, 1);
    for (const [a, e] of [
      [1e300, 1e300],
      [1e-300, 1e-300],
      [1e-300, 1e-310],
      [1e200, 1e-50],
    ]) {
      const scaled = at(a, e).map((x) => x * (a / e));
      expect(distance(scaled, plain)).toBeLessThan((e < 1e-307 ? 1e-5 : 1e-11) * norm(plain));
    }
    expect(() => at(1e-300, 1e300)).toThrow(/beyond the largest float64/);
    expect(at(1, 0).every((x) => x === 0)).toBe(true);
  });

  it("float32 keeps its dtype and its digits; operators and sparse matrices work too", () => {
    for (const [m, n] of [
      [9, 7],
      [80, 90],
    ] as Shape[]) {
      const known = withSpectrum(m, n, (i) => 1 / (1 + i), 5);
      const E = { data: normalMatrix(m, n, 6).data, shape: [m, n] as Shape };
      const exact = hessianVectorProduct({ data: known.data, shape: [m, n] }, E).data;
      const single = hessianVectorProduct({ data: Float32Array.from(known.data), shape: [m, n] }, E);
      expect(single.data).toBeInstanceOf(Float32Array);
      expect(distance(single.data, exact)).toBeLessThan(1e-5 * norm(exact));
      const sparse = csr({
        data: known.data,
        indices: Array.from(known.data, (_, k) => k % n),
        indptr: Array.from({ length: m + 1 }, (_, i) => i * n),
        shape: [m, n],
      });
      expect(distance(hessianVectorProduct(sparse, E).data, exact)).toBeLessThan(1e-9 * norm(exact));
      const { shape, matvec, rmatvec } = sparse;
      expect(distance(hessianVectorProduct({ shape, matvec, rmatvec }, E).data, exact)).toBeLessThan(
        1e-9 * norm(exact),
      );
    }
  });

  it("refuses ties, wrong shapes and foreign triplets", () => {
    const I = fromEntries(4, 4, (i, j) => (i === j ? 1 : 0));
    const E = normalMatrix(4, 4, 1);
    expect(() => hessianVectorProduct(I, E)).toThrow(TiedError);
    expect(() =>
      hessianVectorProduct({ data: new Float64Array(4), shape: [2, 2] }, normalMatrix(2, 2, 1)),
    ).toThrow(TiedError);
    expect(() => hessianVectorProduct(E, normalMatrix(4, 3, 1))).toThrow(/4×4/);
    const other = singularTriplet(normalMatrix(3, 4, 1));
    expect(() => hessianVectorProduct(E, E, { triplet: other })).toThrow(/lengths 4 and 4/);
    expect(() =>
      hessianVectorProduct(E, { data: new Float64Array(16).fill(Number.NaN), shape: [4, 4] }),
    ).toThrow(/row 0, column 0/);
    expect(() => tripletVjp(I, singularTriplet(I), { u: [1, 0, 0, 0] })).toThrow(TiedError);
    expect(() => tripletVjp(E, singularTriplet(E), { u: [1, 0] })).toThrow(/length 4/);
    expect(() => tripletVjp(E, singularTriplet(E), { v: [1, 0, Number.NaN, 0] })).toThrow(/element 2 of v/);
    const unusual = tripletVjp as (A: unknown, triplet: unknown, cotangents: unknown) => unknown;
    for (const cotangents of [undefined, null, 1, [], [1, 0, 0, 0], new Map(), { U: [1, 0, 0, 0] }])
      expect(() => unusual(E, singularTriplet(E), cotangents)).toThrow(OptionError);
    expect(() => unusual(E, singularTriplet(E), { u: null })).toThrow(ShapeError);
    // σ alone has a subgradient at a tie.
    const bar = tripletVjp(I, singularTriplet(I), { sigma: 2 });
    expect(inner(bar.data, I.data)).toBeCloseTo(2, 12);
  });

  it("near a tie grows like 1/gap and stays right", () => {
    for (const [m, n] of [
      [6, 5],
      [80, 70],
    ] as Shape[])
      for (const gap of [1e-2, 1e-4, 1e-6]) {
        const known = withSpectrum(m, n, (i) => (i === 0 ? 1 : i === 1 ? 1 - gap : 0.5 / i), 5);
        const A = { data: known.data, shape: [m, n] as Shape };
        const E = { data: normalMatrix(m, n, 6).data, shape: [m, n] as Shape };
        const H = hessianVectorProduct(A, E).data;
        const h = (1e-4 * gap) / norm(E.data);
        const D = difference(A.data, E.data, [m, n], h);
        // Rounding of u·vᵀ itself, ε/gap, over a step of 1e-4·gap.
        expect(distance(H, D)).toBeLessThan(1e-6 * norm(D) + (40 * 2 ** -52) / gap / h);
      }
  });
});
