import { afterEach, describe, expect, it } from "vitest";
import {
  csr,
  hessianVectorProduct,
  linearOperator,
  matrixNorm,
  rowPanels,
  setKernels,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  tripletVjp,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { withKernelBudget } from "../../src/kernels/budget.js";
import { kernels } from "../../src/kernels/select.js";
import { cast, complexNormal, fromComplexEntries, PRECISIONS, withComplexSpectrum } from "./build.js";

afterEach(() => setKernels("auto"));

describe.each(["wasm", "reference"] as const)("kernel memory, %s kernels", (name) => {
  it("is given back, and does not grow from call to call", () => {
    setKernels(name);
    const small = withComplexSpectrum(5, 4, (i) => 0.5 ** i, 1);
    const medium = withComplexSpectrum(80, 70, (i) => 0.5 ** i, 1);
    const single = cast(medium, PRECISIONS[1]);
    const panels = rowPanels({
      ...{ shape: [80, 70], dtype: "complex128", panelRows: 9 },
      rows: (first, count) => medium.data.slice(140 * first, 140 * (first + count)),
    });
    const sparse = csr({
      data: Float64Array.of(1, 2, 3, 4),
      indices: [0, 2],
      indptr: [0, 1, 2],
      ...{ shape: [2, 3] as [number, number], dtype: "complex128" },
    });
    const all = () => {
      for (const A of [small, medium, single]) {
        const t = singularTriplet(A);
        spectralNorm(A, { method: "lanczos" });
        valueAndGrad(A, { method: "dense" });
        singularTriplets(A, { k: 2 });
        singularTriplets(A, { k: 2, method: "lanczos" });
        tripletVjp(A, t, { sigma: 1 });
        hessianVectorProduct(A, A);
        singularTriplet(A, { method: "power", maxIterations: 3 });
        spectralNormBatch({ ...A, shape: [1, ...A.shape] });
        valueAndGradBatch({ ...A, shape: [1, ...A.shape] });
        spectralNorm(linearOperator(A));
      }
      spectralNorm(panels);
      singularTriplets(panels, { k: 2 });
      spectralNorm(sparse);
      svdvals(small);
      matrixNorm(small, "nuc");
    };
    for (let i = 0; i < 3; i++) all();
    const before = { size: kernels().arena.size(), mark: kernels().arena.mark() };
    for (let i = 0; i < (name === "reference" ? 2 : 10); i++) all();
    expect({ size: kernels().arena.size(), mark: kernels().arena.mark() }).toEqual(before);
  });

  it("is given back after every error", () => {
    setKernels(name);
    const good = complexNormal(80, 70, 1);
    spectralNorm(good);
    const mark = kernels().arena.mark();
    const bad = complexNormal(80, 70, 1);
    bad.data[5001] = Number.NaN;
    const huge = fromComplexEntries(70, 70, () => [1e308, 1e308]);
    const tied = withComplexSpectrum(80, 70, () => 1, 1);
    let calls = 0;
    const failing: (() => unknown)[] = [
      () => spectralNorm(bad),
      () => valueAndGrad(bad),
      () => singularTriplet(bad, { method: "dense" }),
      () => singularTriplet(bad, { method: "power" }),
      () => singularTriplets(bad, { k: 2 }),
      () => singularTriplets(bad, { k: 2, method: "dense" }),
      () => svdvals(bad),
      () => spectralNormBatch({ ...bad, shape: [2, 40, 70] }),
      () => spectralNorm(huge),
      () => singularTriplets(huge, { k: 2 }),
      () => hessianVectorProduct(tied, good),
      () => tripletVjp(good, singularTriplet(tied), { sigma: 1 }),
      () => singularTriplet(good, { start: [1] }),
      () => singularTriplet(good, { start: new Float64Array(140).fill(Number.NaN), method: "dense" }),
      () => spectralNorm(good, { maxIterations: 1, method: "lanczos", rtol: 0 }),
      () => withKernelBudget(10_000, () => spectralNorm(good)),
      () => withKernelBudget(10_000, () => singularTriplet(good, { method: "dense" })),
      () =>
        spectralNorm({
          ...{ shape: [80, 70], dtype: "complex128" },
          matvec: (_x, out) => void out.fill(calls++ < 5 ? 1 : Number.NaN),
          rmatvec: (_y, out) => void out.fill(1),
        }),
      () =>
        spectralNorm({
          ...{ shape: [80, 80], dtype: "complex128" },
          matvec: (x, out) => out.set(x.map((value, k) => (k & 1 ? -value : value))),
          rmatvec: (y, out) => out.set(y.map((value, k) => (k & 1 ? -value : value))),
        }),
    ];
    for (const run of failing) {
      expect(run, run.toString()).toThrow();
      expect(kernels().arena.mark(), run.toString()).toBe(mark);
    }
    expect(singularTriplet(good).converged).toBe(true);
  });
});
