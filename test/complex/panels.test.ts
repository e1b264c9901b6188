import { describe, expect, it } from "vitest";
import {
  matrixNorm,
  rowPanels,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  svdvals,
  tripletVjp,
} from "../../src/index.js";
import { withKernelBudget } from "../../src/kernels/budget.js";
import { leastMemory } from "../../src/solve/panel-action.js";
import { expectRefusal } from "../refusal.js";
import { type Complex, cast, complexDistance, PRECISIONS, withComplexSpectrum } from "./build.js";

type AnyComplex = Complex<Float32Array | Float64Array>;

function panelsOf({ data, shape, dtype }: AnyComplex, more: { keep?: boolean; panelRows?: number } = {}) {
  const [, n] = shape;
  const read = { rows: 0 };
  const A = rowPanels({
    ...{ shape, dtype, ...more },
    rows(first: number, count: number) {
      read.rows += count;
      return data.slice(2 * first * n, 2 * (first + count) * n) as Float64Array;
    },
  } as Parameters<typeof rowPanels>[0]);
  return { A, read };
}

const SHAPES: [number, number][] = [
  [1, 1],
  [1, 40],
  [40, 1],
  [5, 7],
  [30, 200],
  [200, 30],
  [150, 90],
  [90, 150],
  [66, 65],
];

describe.each(PRECISIONS)("row panels of $dtype", (precision) => {
  it.each(SHAPES)("%i×%i, however they are cut", (m, n) => {
    const known = withComplexSpectrum(m, n, (i) => 0.7 ** i, m + n);
    const whole = cast(known, precision);
    for (const method of ["auto", "lanczos", "dense"] as const)
      for (const more of [{}, { panelRows: 7 }, { keep: true }, { keep: true, panelRows: 13 }]) {
        const t = singularTriplet(panelsOf(whole, more).A, { method });
        const where = `${method}, ${JSON.stringify(more)}`;
        expect(Math.abs(t.sigma - 1), where).toBeLessThan(precision.sigma);
        expect(complexDistance(t, known), where).toBeLessThan(4 * precision.gradient);
        expect(t.converged, where).toBe(true);
        expect(Math.abs(spectralNorm(panelsOf(whole, more).A, { method }) - 1)).toBeLessThan(precision.sigma);
      }
    const k = Math.min(m, n, 3);
    const { sigma } = singularTriplets(panelsOf(whole, { panelRows: 5 }).A, { k });
    sigma.forEach((value, i) => {
      expect(Math.abs(value - 0.7 ** i)).toBeLessThan(precision.sigma);
    });
  });

  it("what may be kept is read once", () => {
    for (const [m, n] of [
      [150, 90],
      [90, 150],
    ]) {
      const whole = cast(
        withComplexSpectrum(m, n, (i) => 0.7 ** i, 1),
        precision,
      );
      const { A, read } = panelsOf(whole, { keep: true, panelRows: 11 });
      singularTriplet(A);
      expect(read.rows).toBe(m);
    }
  });

  it("matrices beyond kernel memory are read in panels, whatever their shape and strides", () => {
    for (const [m, n] of [
      [300, 200],
      [200, 300],
      [210, 210],
      [2000, 40],
      [40, 2000],
      [3, 9000],
    ]) {
      const known = withComplexSpectrum(m, n, (i) => 0.7 ** i, m + n);
      const whole = cast(known, precision);
      const columns = {
        ...whole,
        data: whole.data.map(
          (_, k) => whole.data[2 * (((k >> 1) % m) * n + Math.floor((k >> 1) / m)) + (k & 1)],
        ),
        stride: [1, m],
      };
      const dtype = precision.dtype === "complex64" ? "float32" : "float64";
      const [short, long] = m < n ? [m, n] : [n, m];
      const budget = leastMemory(2 * short, long, dtype, false, 72) + 64 * short;
      for (const A of [whole, columns])
        for (const method of ["auto", "lanczos"] as const) {
          const t = withKernelBudget(budget, () => singularTriplet(A, { method }));
          const where = `${m}×${n}, ${method}`;
          expect(Math.abs(t.sigma - 1), where).toBeLessThan(precision.sigma);
          expect(complexDistance(t, known), where).toBeLessThan(4 * precision.gradient);
          expect(t.converged, where).toBe(true);
          const norm = withKernelBudget(budget, () => spectralNorm(A, { method }));
          expect(Math.abs(norm - 1), where).toBeLessThan(precision.sigma);
        }
    }
  });

  it("have the norms of the matrix in memory", () => {
    const whole = cast(
      withComplexSpectrum(30, 20, (i) => 0.7 ** i, 1),
      precision,
    );
    for (const ord of ["fro", 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as const) {
      const value = matrixNorm(panelsOf(whole, { panelRows: 7 }).A, ord);
      expect(Math.abs(value / matrixNorm(whole, ord) - 1)).toBeLessThan(1e-14);
    }
    expect(Math.abs(matrixNorm(panelsOf(whole).A, 2) - 1)).toBeLessThan(precision.sigma);
    expectRefusal(() => matrixNorm(panelsOf(whole).A, "nuc"), "ERR_UNSUPPORTED", "row panels");
    expectRefusal(() => svdvals(panelsOf(whole).A as never), "ERR_UNSUPPORTED", "row panels");
  });

  it("serve derivatives", () => {
    const whole = cast(
      withComplexSpectrum(90, 70, (i) => 0.7 ** i, 1),
      precision,
    );
    const t = singularTriplet(whole);
    const direct = tripletVjp(whole, t, { sigma: 1, u: t.u });
    const read = tripletVjp(panelsOf(whole, { panelRows: 9 }).A, t, { sigma: 1, u: t.u });
    expect(read.dtype).toBe(precision.dtype);
    read.data.forEach((value, k) => {
      expect(Math.abs(value - direct.data[k])).toBeLessThan(100 * precision.eps);
    });
  });
});

describe("panels that are not right", () => {
  const source = (more: object) =>
    rowPanels({ shape: [4, 3], dtype: "complex128", rows: () => new Float64Array(24), ...more } as never);
  it("say what is wrong", () => {
    expectRefusal(() => source({ rows: 3 }), "ERR_SHAPE", "rows must be a function");
    expectRefusal(() => source({ dtype: "complex32" }), "ERR_UNSUPPORTED", "dtype");
    expectRefusal(() => source({ dtype: "complex" }), "ERR_UNSUPPORTED", "complex64", "complex128");
    expectRefusal(() => source({ keep: 1 }), "ERR_OPTION", "keep");
    expectRefusal(() => source({ panelRows: 0 }), "ERR_OPTION", "panelRows");
    expectRefusal(() => source({ order: "F" }), "ERR_SHAPE", "column-major");
    expectRefusal(() => singularTriplet(source({ rows: () => new Float64Array(12) })), "ERR_SHAPE", "24");
    expectRefusal(
      () => singularTriplet(source({ rows: () => new Float32Array(24) })),
      "ERR_SHAPE",
      "Float64Array",
    );
    expectRefusal(() => singularTriplet(source({}), { method: "power" }), "ERR_UNSUPPORTED", "power");
    // Strides count complex numbers.
    expect(() => source({ stride: [3, 1] })).not.toThrow();
    expectRefusal(() => source({ stride: [6, 1] }), "ERR_SHAPE", "row-major");
  });
});
