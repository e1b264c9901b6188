import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Adversary } from "../../robustness/adversary.js";
import { families } from "../../robustness/cases.js";
import {
  certify,
  NonFiniteError,
  OverflowError,
  type SingularTriplet,
  singularTriplet,
  spectralNorm,
  svdvals,
  valueAndGrad,
} from "../../src/index.js";
import { inner } from "../closed-forms.js";
import { skipMissingKernels, WAYS } from "../kernels/sets.js";
import { gradientDistance } from "../matrices.js";
import { PRECISIONS, type Precision, type Stored, stored } from "./precision.js";

const tiny = 2 ** -1074;
const special = (answer: Adversary["answer"]) => answer !== "norm";

/** What σ̂ may be off by: what is promised, what storing the entries moved, and one unit of the last place there is. */
function allowed({ truth }: Adversary, { sigma }: Precision, { moved }: Stored): number {
  return sigma * truth.sigma + moved * (1 + 1e-6) + tiny;
}

function finite(x: Float32Array | Float64Array): boolean {
  return x.every(Number.isFinite);
}

function bytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function expectTriplet(t: SingularTriplet, of: Adversary, precision: Precision, at: Stored, where: string) {
  const { truth } = of;
  const { eps } = precision;
  expect(Math.abs(t.sigma - truth.sigma), where).toBeLessThanOrEqual(allowed(of, precision, at));
  expect(t.converged, where).toBe(true);
  expect(finite(t.u) && finite(t.v), where).toBe(true);
  if (truth.sigma === 0) {
    expect([t.tied, t.sigma], where).toEqual([true, 0]);
    return;
  }
  expect(Math.sqrt(inner(t.u, t.u) * inner(t.v, t.v)), where).toBeLessThan(1 + 20 * eps);
  if (t.tied) {
    expect(t.gradientError, where).toBeGreaterThanOrEqual(Math.SQRT2);
    // Gaps far above what rounding moves are no ties.
    if (at.moved === 0) expect(truth.gap, where).toBeLessThan(400 * eps);
  } else if (at.moved === 0) {
    // No tie passes for none.
    expect(truth.multiplicity, where).toBe(1);
    const error = gradientDistance(t, { u: truth.u!, v: truth.v! });
    // Never understated by more than a factor of five.
    expect(error, where).toBeLessThan(5 * t.gradientError);
    expect(error * truth.gap, where).toBeLessThan(precision.gradient);
  }
}

/** G = u·vᵀ as a subgradient: ⟨G, A⟩ = σ and ‖G‖_* = ‖u‖‖v‖ ≤ 1, the latter in `expectTriplet`. */
function expectGradient(of: Adversary, precision: Precision, at: Stored, where: string) {
  const before = at.A.data.slice();
  const { value, grad } = valueAndGrad(at.A, { start: of.start });
  expect(Math.abs(value - of.truth.sigma), where).toBeLessThanOrEqual(allowed(of, precision, at));
  expect(finite(grad.data), where).toBe(true);
  expect(Buffer.compare(bytes(at.A.data), bytes(before)), where).toBe(0);
  if (value === 0) expect(grad.data.every((x) => x === 0)).toBe(true);
  else {
    // Scaled: the products of subnormal or huge numbers would tell of their own rounding.
    const scale = 2 ** -Math.floor(Math.log2(Math.max(value, 2 ** -1022)));
    const scaled = new Float64Array(at.entries).map((x) => (x * scale) / 2);
    // ‖A‖_F/σ ≤ √min(m, n): every entry of G has been rounded.
    const bound = 40 * precision.eps * value * scale + (tiny * scale) / 2;
    expect(Math.abs(2 * inner(grad.data, scaled) - value * scale), where).toBeLessThanOrEqual(bound);
  }
}

function expectProof(of: Adversary, at: Stored, where: string) {
  const { truth } = of;
  const proof = certify(at.A);
  expect(proof.proven, where).toBe(true);
  expect(proof.lower, where).toBeLessThanOrEqual(truth.sigma + at.moved);
  expect(proof.upper, where).toBeGreaterThanOrEqual(truth.sigma - at.moved);
  if (at.moved > 0) return;
  if (truth.multiplicity > 1 && truth.sigma > 0) {
    expect(proof.sigma2Upper, where).toBeGreaterThanOrEqual(truth.sigma);
    expect(proof.gradientErrorBound, where).toBeGreaterThanOrEqual(Math.SQRT2);
  }
  if (truth.u && truth.v) {
    // What the truth itself is rounded to.
    const known = gradientDistance(proof.triplet, { u: truth.u, v: truth.v }) - 4 * 2 ** -52;
    expect(proof.gradientErrorBound, where).toBeGreaterThanOrEqual(known);
  }
}

const usual = families
  .map(({ title, cases }) => ({ title, cases: cases.filter(({ answer }) => !special(answer)) }))
  .filter(({ cases }) => cases.length > 0);

skipMissingKernels();
describe.each(WAYS)("$name kernels", ({ name, begin }) => {
  let end: () => Promise<void>;
  beforeAll(async () => {
    end = await begin();
  });
  afterAll(() => end());

  describe.each(usual)("$title", ({ cases }) => {
    it.each(cases)("$name", (of) => {
      let dtypes = 0;
      for (const precision of PRECISIONS) {
        const at = stored(of, precision);
        if (!at) continue;
        dtypes++;
        const { start } = of;
        const where = `${name}, ${precision.dtype}`;
        // The largest by every method where it is fast; plain loops take a method each.
        const all = name !== "reference" || of.entries.length < 3e5;
        for (const method of all ? (["auto", "lanczos", "dense"] as const) : (["auto"] as const)) {
          const t = singularTriplet(at.A, { method, start });
          expectTriplet(t, of, precision, at, `${where}, ${method}`);
          const value = spectralNorm(at.A, { method, start });
          expect(Math.abs(value - of.truth.sigma), `${where}, ${method}`).toBeLessThanOrEqual(
            allowed(of, precision, at),
          );
        }
        expectGradient(of, precision, at, where);
        // Of power iteration: no NaN but where it says so, and no more than σ₁.
        const power = singularTriplet(at.A, { method: "power", start });
        expect(finite(power.u) && finite(power.v), where).toBe(true);
        if (Number.isFinite(power.sigma))
          expect(power.sigma, where).toBeLessThanOrEqual(of.truth.sigma + allowed(of, precision, at));
        else expect(power.converged, where).toBe(false);
        expectProof(of, at, where);
      }
      expect(dtypes).toBeGreaterThan(0);
    });
  });

  const wrong = families.flatMap(({ cases }) => cases).filter(({ answer }) => special(answer));
  it.each(wrong)("$name", (of) => {
    for (const precision of PRECISIONS) {
      const at = stored(of, precision);
      if (!at) continue;
      const bad = at.entries.findIndex((x) => !Number.isFinite(x));
      const calls: ((A: Stored["A"]) => unknown)[] = [
        singularTriplet,
        spectralNorm,
        valueAndGrad,
        certify,
        svdvals,
      ];
      for (const call of calls) {
        let thrown: unknown;
        try {
          call(at.A);
        } catch (error) {
          thrown = error;
        }
        const where = `${call.name}, ${precision.dtype}`;
        expect(thrown, where).toBeInstanceOf(of.answer === "refused" ? NonFiniteError : OverflowError);
        if (thrown instanceof NonFiniteError)
          expect([thrown.row, thrown.column]).toEqual([Math.floor(bad / of.cols), bad % of.cols]);
      }
    }
  });
});
