import { describe, expect, it } from "vitest";
import {
  cond,
  matrixNorm,
  OverflowError,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  svdvals,
  valueAndGrad,
} from "../../src/index.js";
import { NORM_ORDERS } from "../norm-orders.js";
import {
  type Complex,
  cast,
  complexDistance,
  complexNormal,
  fromComplexEntries,
  PRECISIONS,
  withComplexSpectrum,
} from "./build.js";

type AnyComplex = Complex<Float32Array | Float64Array>;

const METHODS = ["auto", "lanczos", "dense"] as const;

/** (re + i·im)·A */
function timesNumber(A: AnyComplex, re: number, im: number): AnyComplex {
  const data = A.data.slice();
  for (let k = 0; k < data.length; k += 2) {
    data[k] = re * A.data[k] - im * A.data[k + 1];
    data[k + 1] = re * A.data[k + 1] + im * A.data[k];
  }
  return { ...A, data };
}

describe.each(PRECISIONS)("$dtype is homogeneous", (precision) => {
  it("from one end of the range to the other", () => {
    for (const [m, n] of [
      [1, 1],
      [9, 7],
      [64, 70],
      [90, 66],
      [67, 120],
    ]) {
      const known = withComplexSpectrum(m, n, (i) => 1 / (1 + i), m);
      for (const factor of precision.far)
        for (const method of METHODS) {
          const A = cast(known, precision, factor);
          const t = singularTriplet(A, { method });
          const where = `${m}×${n} times ${factor}, ${method}`;
          expect(Math.abs(t.sigma / factor - 1), where).toBeLessThan(precision.sigma);
          expect(Math.abs(spectralNorm(A, { method }) / factor - 1), where).toBeLessThan(precision.sigma);
          expect(complexDistance(t, known), where).toBeLessThan(4 * precision.gradient);
          expect([t.converged, t.tied], where).toEqual([true, false]);
          const { value, grad } = valueAndGrad(A, { method });
          expect(value, where).toBe(t.sigma);
          expect(grad.data.every(Number.isFinite), where).toBe(true);
        }
    }
  });

  it("under powers of two, to the bit", () => {
    const [least, most] = precision.dtype === "complex64" ? [-140, 120] : [-1050, 1010];
    for (const [m, n] of [
      [5, 8],
      [70, 68],
    ])
      for (const method of METHODS) {
        // Few digits, so that a subnormal number holds them.
        const whole = complexNormal(m, n, 17).data.map((x) => Math.round(8 * x));
        const A = cast({ data: whole, shape: [m, n] }, precision);
        const t = singularTriplet(A, { method });
        for (let power = least; power <= most; power += 170) {
          const scaled = singularTriplet(cast(A, precision, 2 ** power), { method });
          const where = `${m}×${n}, 2^${power}, ${method}`;
          expect(scaled.u, where).toEqual(t.u);
          expect(scaled.v, where).toEqual(t.v);
          if (power > -1000) expect(scaled.sigma, where).toBe(t.sigma * 2 ** power);
        }
      }
  });

  it("under e^{iφ}: σ stays, and u takes the phase", () => {
    for (const [m, n] of [
      [6, 4],
      [80, 70],
    ]) {
      const A = cast(
        withComplexSpectrum(m, n, (i) => 0.8 ** i, n),
        precision,
      );
      const t = singularTriplet(A);
      for (const phi of [0.1, Math.PI / 2, 2, Math.PI, 5]) {
        const [c, s] = [Math.cos(phi), Math.sin(phi)];
        const turned = singularTriplet(timesNumber(A, c, s));
        expect(Math.abs(turned.sigma / t.sigma - 1)).toBeLessThan(precision.sigma);
        const u = Float64Array.from(t.u, (_, i) =>
          i & 1 ? c * t.u[i] + s * t.u[i - 1] : c * t.u[i] - s * t.u[i + 1],
        );
        // Rounding c·A in its type turns the vectors by ε over the relative gap of 0.2.
        expect(complexDistance(turned, { u, v: t.v })).toBeLessThan(
          5 * (turned.gradientError + t.gradientError) + 20 * precision.eps,
        );
      }
      // By i exactly, which only moves parts and changes signs.
      const quarter = singularTriplet(timesNumber(A, 0, 1));
      expect(Math.abs(quarter.sigma / t.sigma - 1)).toBeLessThan(4 * precision.eps);
    }
  });

  it("rows and parts that are as good as zero beside others do no harm", () => {
    const tiny = precision.dtype === "complex64" ? [1e-20, 1e-38, 1e-45] : [1e-20, 1e-150, 1e-308, 5e-324];
    for (const small of tiny)
      for (const method of ["lanczos", "dense"] as const) {
        const A = cast(
          fromComplexEntries(3, 3, (i, j) => {
            const x = 1 + ((i + 2 * j) % 3);
            return i === 0 ? [x, small] : [small, -small * x];
          }),
          precision,
        );
        const { sigma, u, v, converged } = singularTriplet(A, { method });
        expect(Math.abs(sigma / Math.sqrt(14) - 1)).toBeLessThan(precision.eps * 4);
        expect(converged).toBe(true);
        expect([...u, ...v].every(Number.isFinite)).toBe(true);
      }
  });
});

describe("the ends of the range of doubles", () => {
  it("a norm beyond the largest double is an OverflowError", () => {
    for (const [m, n] of [
      [8, 9],
      [70, 66],
    ]) {
      const huge = fromComplexEntries(m, n, () => [1e308, -1e308]);
      for (const run of [
        () => spectralNorm(huge),
        () => spectralNorm(huge, { method: "lanczos" }),
        () => singularTriplet(huge),
        () => valueAndGrad(huge),
        () => svdvals(huge),
        () => singularTriplets(huge, { k: 2 }),
        () => matrixNorm(huge, "fro"),
        () => matrixNorm(huge, "nuc"),
        () => matrixNorm(huge, 1),
        () => matrixNorm(huge, Number.POSITIVE_INFINITY),
      ])
        expect(run, run.toString()).toThrow(OverflowError);
    }
  });

  it("an entry whose modulus alone is beyond it, too", () => {
    const A = fromComplexEntries(1, 1, () => [1.5e308, 1.5e308]);
    for (const ord of NORM_ORDERS) expect(() => matrixNorm(A, ord), String(ord)).toThrow(OverflowError);
    expect(() => spectralNorm(A)).toThrow(OverflowError);
    expect(() => svdvals(A)).toThrow(OverflowError);
    expect(cond(A)).toBe(1);
    // The smallest sum is that of the other column.
    const B = fromComplexEntries(1, 2, (_, j) => (j === 0 ? [1.5e308, 1.5e308] : [3, 4]));
    expect(matrixNorm(B, -1)).toBe(5);
  });

  it("the largest that fits is fine", () => {
    const A = fromComplexEntries(2, 2, (i, j) => (i === j ? [1e308, -1e308] : [0, 0]));
    expect(Math.abs(spectralNorm(A) / (Math.SQRT2 * 1e308) - 1)).toBeLessThan(1e-15);
    expect(Math.abs(matrixNorm(A, 1) / (Math.SQRT2 * 1e308) - 1)).toBeLessThan(1e-15);
    const least = fromComplexEntries(1, 1, () => [0, 5e-324]);
    expect(spectralNorm(least)).toBe(5e-324);
    expect(svdvals(least)[0]).toBe(5e-324);
    expect(matrixNorm(least, "fro")).toBe(5e-324);
  });
});
