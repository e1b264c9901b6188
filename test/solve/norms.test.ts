import { describe, expect, it } from "vitest";
import { frobenius } from "../../src/numerics/sums.js";
import { cond, matrixNorm, type NormOrder } from "../../src/solve/entry-norms.js";
import { skipMissingKernels, svdSets } from "../kernels/sets.js";
import { NORM_ORDERS } from "../norm-orders.js";

const EPS = 2 ** -52;
const of = (...x: number[]) => Float64Array.from(x);

describe.each(svdSets())("norms on the $name kernels", (set) => {
  skipMissingKernels();

  const norm = (A: Float64Array, m: number, n: number, ord: NormOrder) => matrixNorm(A, m, n, ord, set);

  it("are what numpy.linalg.norm gives", () => {
    const A = of(1, -2, 3, 4, 5, -6);
    expect(norm(A, 2, 3, 1)).toBe(9);
    expect(norm(A, 2, 3, -1)).toBe(5);
    expect(norm(A, 2, 3, Number.POSITIVE_INFINITY)).toBe(15);
    expect(norm(A, 2, 3, Number.NEGATIVE_INFINITY)).toBe(6);
    expect(norm(A, 2, 3, "fro")).toBeCloseTo(Math.sqrt(91), 14);
    // σ² are the roots of λ² − 91λ + 14·77 − 24².
    const root = Math.sqrt(91 * 91 - 4 * (14 * 77 - 24 * 24));
    const [one, two] = [Math.sqrt((91 + root) / 2), Math.sqrt((91 - root) / 2)];
    expect(norm(A, 2, 3, 2)).toBeCloseTo(one, 14);
    expect(norm(A, 2, 3, -2)).toBeCloseTo(two, 14);
    expect(norm(A, 2, 3, "nuc")).toBeCloseTo(one + two, 13);
    expect(cond(A, 2, 3, set)).toBeCloseTo(one / two, 13);
  });

  it("are homogeneous under powers of two", () => {
    const A = Float64Array.from({ length: 35 }, (_, i) => Math.sin(1 + i * i));
    for (const ord of NORM_ORDERS)
      for (const power of [-990, -500, 500, 1015]) {
        const scaled = norm(
          A.map((x) => x * 2 ** power),
          5,
          7,
          ord,
        );
        expect(Math.abs(scaled * 2 ** -power - norm(A, 5, 7, ord))).toBeLessThanOrEqual(
          4 * EPS * norm(A, 5, 7, ord),
        );
      }
  });

  it("are zero for zero and Infinity beyond the largest double", () => {
    const big = new Float64Array(6).fill(1.5e308);
    for (const ord of ["fro", "nuc", 1, 2, Number.POSITIVE_INFINITY] as const) {
      expect(norm(new Float64Array(6), 2, 3, ord)).toBe(0);
      expect(norm(big, 2, 3, ord)).toBe(Number.POSITIVE_INFINITY);
    }
    expect(norm(of(1.5e308, 0, 0, 1), 2, 2, -1)).toBe(1);
  });

  it("knows the condition number where the values themselves overflow or vanish", () => {
    expect(cond(of(1.7e308, 1.7e308, -0.85e308, 0.85e308), 2, 2, set)).toBeCloseTo(2, 13);
    expect(cond(of(2 ** -1070, 0, 0, 2 ** -1074), 2, 2, set)).toBe(16);
    expect(cond(of(1, 0, 0, 1e-20), 2, 2, set)).toBe(1 / 1e-20);
    expect(cond(new Float64Array(4), 2, 2, set)).toBe(Number.POSITIVE_INFINITY);
    expect(cond(of(1, 2, 2, 4), 2, 2, set)).toBeGreaterThan(1e15);
  });

  it("refuse other orders", () => {
    expect(() => norm(of(1), 1, 1, 3)).toThrow(RangeError);
  });
});

describe("frobenius", () => {
  it("neither overflows nor vanishes on the way", () => {
    expect(frobenius(of(3e300, 4e300))).toBeCloseTo(5e300, -287);
    expect(frobenius(of(3 * 2 ** -1074, 4 * 2 ** -1074))).toBe(5 * 2 ** -1074);
    expect(frobenius(of(Number.MAX_VALUE))).toBe(Number.MAX_VALUE);
  });

  it("does not drift on a million equal numbers", () => {
    const error = frobenius(new Float64Array(1e6).fill(0.1)) / 100 - 1;
    expect(Math.abs(error)).toBeLessThanOrEqual(8 * EPS);
  });
});
