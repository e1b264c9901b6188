import { describe, expect, it } from "vitest";
import {
  conv2d,
  csr,
  hessianVectorProduct,
  kyFanNorm,
  rowPanels,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  valueAndGrad,
  valueAndGradBatch,
  valueAndParameterGrad,
} from "../../src/index.js";
import { gradientDistance, normalMatrix, withSpectrum } from "../matrices.js";
import { expectNotConverged } from "../refusal.js";

const m = 120;
const n = 90;
const known = withSpectrum(m, n, (i) => 1 - i / 200, 1);
const A = { data: known.data, shape: [m, n] as [number, number] };
const early = { maxIterations: 3 };

const sparse = csr({
  data: A.data,
  indices: Array.from(A.data, (_, k) => k % n),
  indptr: Array.from({ length: m + 1 }, (_, i) => i * n),
  shape: [m, n],
});
/** Most rows and columns are empty, so that the solver works on a smaller matrix. */
const wide = csr({
  data: A.data,
  indices: Array.from(A.data, (_, k) => 7 * (k % n)),
  indptr: Array.from({ length: 5 * m + 1 }, (_, i) => Math.min(i, m) * n),
  shape: [5 * m, 7 * n],
});
const panels = rowPanels({
  shape: [m, n],
  dtype: "float64",
  rows: (i, k) => A.data.slice(i * n, (i + k) * n),
});
const operator = { shape: sparse.shape, matvec: sparse.matvec, rmatvec: sparse.rmatvec };

const FORMS = [
  ["dense", A],
  ["float32", { data: Float32Array.from(A.data), shape: A.shape }],
  ["sparse", sparse],
  ["sparse with empty rows", wide],
  ["row panels", panels],
  ["an operator", operator],
] as const;

describe("an iteration that was cut short", () => {
  it.each(FORMS)("is an error of spectralNorm, with the best triplet: %s", (_, form) => {
    for (const method of ["auto", "lanczos", "power"] as const) {
      if (method === "power" && form === panels) continue;
      const options = { ...early, method };
      const t = singularTriplet(form, options);
      expect(t.converged).toBe(false);
      const { triplet } = expectNotConverged(() => spectralNorm(form, options));
      expect(triplet?.u.length).toBe(form.shape[0]);
      expect(triplet?.v.length).toBe(form.shape[1]);
      expect(triplet!.sigma).toBeGreaterThan(0.5);
      expect(triplet!.sigma).toBeLessThan(1 + 1e-6);
    }
  });

  it.each(FORMS.filter(([, form]) => form !== operator))("is said by valueAndGrad: %s", (_, form) => {
    const t = singularTriplet(form as typeof A, early);
    const { value, converged, gradientError } = valueAndGrad(form as typeof A, early);
    expect([value, converged, gradientError]).toEqual([t.sigma, false, t.gradientError]);
    const done = valueAndGrad(form as typeof A);
    expect(done.converged).toBe(true);
    expect(done.gradientError).toBeLessThan(1e-3);
  });

  it("an unfinished gradient does not claim to be better than it is", () => {
    for (const maxIterations of [1, 2, 3, 5, 8, 12])
      for (let seed = 0; seed < 20; seed++) {
        const t = singularTriplet(A, { maxIterations, seed });
        const error = gradientDistance(t, { u: known.u!, v: known.v! });
        expect(error, `${maxIterations} steps, seed ${seed}`).toBeLessThan(5 * t.gradientError);
      }
  });

  it("is said of batches, with the index of the matrix", () => {
    // The first matrix has rank one and ends at once; the second does not.
    const first = withSpectrum(m, n, (i) => (i === 0 ? 1 : 0), 2);
    const batch = { data: Float64Array.from([...first.data, ...A.data]), shape: [2, m, n] };
    const error = expectNotConverged(() => spectralNormBatch(batch, { maxIterations: 6 }));
    expect(error.index).toBe(1);
    expect(error.message).toContain("batch 1");
    expect(valueAndGradBatch(batch, { maxIterations: 6 }).converged).toEqual([true, false]);
    expect(valueAndGradBatch(batch).converged).toEqual([true, true]);
    const small = { data: normalMatrix(20, 6, 1).data, shape: [4, 5, 6] };
    expect(valueAndGradBatch(small).converged).toEqual([true, true, true, true]);
  });

  it("is an error of kyFanNorm and hessianVectorProduct, and said of the others", () => {
    const error = expectNotConverged(() => kyFanNorm(A, 4, early));
    expect(error.triplets?.sigma.length).toBe(4);
    expect(singularTriplets(A, { k: 4, ...early }).converged).toBe(false);
    expectNotConverged(() => hessianVectorProduct(A, A, early));
    const kernel = { data: normalMatrix(12, 27, 3).data, shape: [12, 3, 3, 3] };
    const conv = conv2d(kernel, { input: [8, 8], padding: 1 });
    expect(valueAndParameterGrad(conv, early)).toMatchObject({ converged: false });
    expect(valueAndParameterGrad(conv)).toMatchObject({ converged: true });
  });

  it("a value that has converged is returned, however few steps were allowed", () => {
    const { iterations } = singularTriplet(A, { rtol: 1e-2 });
    expect(Math.abs(spectralNorm(A, { rtol: 1e-2, maxIterations: iterations + 4 }) - 1)).toBeLessThan(1e-2);
  });
});
