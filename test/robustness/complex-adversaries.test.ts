import { describe, expect, it } from "vitest";
import type { Adversary } from "../../robustness/adversary.js";
import { families } from "../../robustness/cases.js";
import {
  certify,
  type MatrixLike,
  NonFiniteError,
  OverflowError,
  singularTriplet,
  spectralNorm,
  svdvals,
  valueAndGrad,
} from "../../src/index.js";
import { inner } from "../closed-forms.js";
import { type Complex, complexDistance, PRECISIONS as TYPES } from "../complex/build.js";
import { PRECISIONS, type Stored, stored } from "./precision.js";

const tiny = 2 ** -1074;
/** More entries are slow, and say nothing that smaller cases do not. */
const MOST = 3e5;

/** x_k·i^(step·k), interleaved. */
function turned(x: ArrayLike<number>, step: number): Float64Array {
  const out = new Float64Array(2 * x.length);
  for (let k = 0; k < x.length; k++) {
    const quarters = (((step * k) % 4) + 4) % 4;
    out[2 * k + (quarters & 1)] = quarters < 2 ? x[k] : -x[k];
  }
  return out;
}

/**
 * The case between two diagonals of powers of i, which only move and negate parts: the singular values are those of the
 * case, to the last bit, and u and v turn with the diagonals.
 */
function phased(
  { rows, cols }: Adversary,
  { entries }: Stored,
  complex64: boolean,
): Complex<Float32Array | Float64Array> {
  const data = complex64 ? new Float32Array(2 * rows * cols) : new Float64Array(2 * rows * cols);
  for (let k = 0; k < rows * cols; k++) {
    const quarters = (3 * Math.floor(k / cols) + (k % cols)) % 4;
    data[2 * k + (quarters & 1)] = quarters < 2 ? entries[k] : -entries[k];
  }
  return { data, shape: [rows, cols], dtype: complex64 ? "complex64" : "complex128" };
}

const cases = families.flatMap(({ title, cases }) =>
  cases.filter((of) => of.entries.length <= MOST).map((of) => ({ title, name: of.name, of })),
);

describe.each(TYPES)("the hard cases with phases, in $dtype", ({ dtype, eps, sigma: promised, gradient }) => {
  const complex64 = dtype === "complex64";
  const precision = PRECISIONS[complex64 ? 1 : 0];

  it.each(cases.filter(({ of }) => of.answer === "norm"))("$name", ({ of }) => {
    const at = stored(of, precision);
    if (!at) return;
    const { truth } = of;
    const A = phased(of, at, complex64);
    const start = of.start && turned(of.start, -1);
    const allowed = promised * truth.sigma + at.moved * (1 + 1e-6) + tiny;
    for (const method of ["auto", "lanczos", "dense"] as const) {
      const t = singularTriplet(A, { method, start });
      expect(Math.abs(t.sigma - truth.sigma), method).toBeLessThanOrEqual(allowed);
      expect(Math.abs(spectralNorm(A, { method, start }) - truth.sigma), method).toBeLessThanOrEqual(allowed);
      expect(t.converged, method).toBe(true);
      expect([...t.u, ...t.v].every(Number.isFinite), method).toBe(true);
      if (truth.sigma === 0) {
        expect([t.tied, t.sigma], method).toEqual([true, 0]);
        continue;
      }
      expect(Math.sqrt(inner(t.u, t.u) * inner(t.v, t.v)), method).toBeLessThan(1 + 20 * eps);
      if (t.tied) {
        expect(t.gradientError, method).toBeGreaterThanOrEqual(Math.SQRT2);
        if (at.moved === 0) expect(truth.gap, method).toBeLessThan(400 * eps);
      } else if (at.moved === 0) {
        expect(truth.multiplicity, method).toBe(1);
        const error = complexDistance(t, { u: turned(truth.u!, 3), v: turned(truth.v!, -1) });
        expect(error, method).toBeLessThan(5 * t.gradientError);
        expect(error * truth.gap, method).toBeLessThan(gradient);
      }
    }
    const { value, grad } = valueAndGrad(A, { start });
    expect(grad.data.every(Number.isFinite)).toBe(true);
    if (value === 0) expect(grad.data.every((x) => x === 0)).toBe(true);
    else {
      // Scaled: the products of subnormal or huge numbers would tell of their own rounding.
      const scale = 2 ** -Math.floor(Math.log2(Math.max(value, 2 ** -1022)));
      const scaled = Float64Array.from(A.data, (x) => (x * scale) / 2);
      const bound = 40 * eps * value * scale + (tiny * scale) / 2;
      expect(Math.abs(2 * inner(grad.data, scaled) - value * scale)).toBeLessThanOrEqual(bound);
    }
    const power = singularTriplet(A, { method: "power", start });
    expect([...power.u, ...power.v].every(Number.isFinite)).toBe(true);
    if (!Number.isFinite(power.sigma)) expect(power.converged).toBe(false);
    if (of.entries.length > 1e5) return;
    const proof = certify(A);
    expect(proof.lower).toBeLessThanOrEqual(truth.sigma + at.moved);
    expect(proof.upper).toBeGreaterThanOrEqual(truth.sigma - at.moved);
  });

  it.each(cases.filter(({ of }) => of.answer !== "norm"))("$name", ({ of }) => {
    const at = stored(of, precision);
    if (!at) return;
    const A = phased(of, at, complex64);
    const bad = at.entries.findIndex((x) => !Number.isFinite(x));
    const calls: ((A: MatrixLike) => unknown)[] = [
      singularTriplet,
      spectralNorm,
      valueAndGrad,
      certify,
      svdvals,
    ];
    for (const call of calls) {
      let thrown: unknown;
      try {
        call(A);
      } catch (error) {
        thrown = error;
      }
      expect(thrown, call.name).toBeInstanceOf(of.answer === "refused" ? NonFiniteError : OverflowError);
      if (thrown instanceof NonFiniteError)
        expect([thrown.row, thrown.column]).toEqual([Math.floor(bad / of.cols), bad % of.cols]);
    }
  });
});
