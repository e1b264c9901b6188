import { afterEach, describe, expect, it } from "vitest";
import { setKernels, singularTriplet, spectralNorm } from "../../src/index.js";
import { withKernelBudget } from "../../src/kernels/budget.js";
import { loadMatrix } from "../../src/kernels/load-matrix.js";
import { kernels } from "../../src/kernels/select.js";
import { viewOf } from "../../src/matrix/view.js";
import { loadedAction } from "../../src/solve/action.js";
import { mixedPrecision } from "../../src/solve/mixed-precision.js";
import { checkOptions, type SolveOptions } from "../../src/solve/options.js";
import { leastMemory } from "../../src/solve/panel-action.js";
import { goalOf } from "../../src/solve/stopping-rule.js";
import { skipMissingKernels, WAYS } from "../kernels/sets.js";
import { gradientDistance, type Known, normalMatrix, withSpectrum } from "../matrices.js";

afterEach(() => setKernels("auto"));

const EPSILON = 2 ** -52;

const SHAPES: [number, number][] = [
  [128, 128],
  [300, 140],
  [140, 300],
  [200, 131],
];

/** Whether the corrections gave a result, or the float64 iteration has to be used. */
function serves(A: Known | { data: Float64Array; shape: number[] }, options?: SolveOptions): boolean {
  const set = kernels();
  const mark = set.arena.mark();
  const view = viewOf({ data: A.data, shape: A.shape });
  if (view.kind !== "dense") throw new Error("a dense matrix");
  const action = loadedAction(set, loadMatrix(set, view, view.m < view.n), true);
  const result = mixedPrecision(set, action, goalOf(checkOptions(options), "gradient", action, undefined));
  set.arena.release(mark);
  return result !== undefined;
}

describe("float64 with a float32 copy", () => {
  skipMissingKernels();

  const spectra: [name: string, spectrum: (i: number) => number, serves: boolean][] = [
    ["1/(1 + i)", (i) => 1 / (1 + i), true],
    ["slow", (i) => 1 - i / 500, true],
    ["eight within 1%", (i) => (i < 8 ? 1 - i / 800 : 0.9 - i / 1000), true],
    ["graded", (i) => 10 ** -(i / 4), true],
    ["rank one", (i) => (i === 0 ? 1 : 0), true],
    ["tied", (i) => (i < 2 ? 1 : 0.8 - i / 1000), false],
    ["triple", (i) => (i < 3 ? 1 : 0.8 - i / 1000), false],
    ["orthogonal", () => 1, false],
    ...[1e-2, 1e-3, 1e-4].map((gap): [string, (i: number) => number, boolean] => [
      `gap ${gap}`,
      (i) => (i === 0 ? 1 : i === 1 ? 1 - gap : 0.95 - i / 1000),
      true,
    ]),
    ...[1e-6, 1e-8, 1e-10, 1e-12].map((gap): [string, (i: number) => number, boolean] => [
      `gap ${gap}`,
      (i) => (i === 0 ? 1 : i === 1 ? 1 - gap : 0.95 - i / 1000),
      false,
    ]),
  ];

  for (const [name, spectrum, expected] of spectra)
    it(name, () => {
      for (const [m, n] of SHAPES)
        for (const scale of [1, 2 ** -60, 2 ** 60, 2 ** -1000, 2 ** 1000]) {
          const known = withSpectrum(m, n, (i) => spectrum(i) * scale, m + n);
          const where = `${m}×${n}, scale ${scale}`;
          if (scale === 1) expect(serves(known), where).toBe(expected);
          const t = singularTriplet(known);
          expect(t.converged, where).toBe(true);
          // The built matrix has σ₁ to some ε.
          expect(Math.abs(t.sigma / known.sigma - 1), where).toBeLessThan(40 * EPSILON);
          expect(Math.abs(spectralNorm(known) / known.sigma - 1), where).toBeLessThan(1e-13);
          const gap = spectrum(0) - spectrum(1);
          if (gap === 0) expect(t.tied, where).toBe(true);
          if (t.tied) continue;
          // Reflections that built u and v have turned them by some ε/gap.
          expect(gradientDistance(t, known as Required<Known>), where).toBeLessThan(
            2 * t.gradientError + (60 * EPSILON) / gap,
          );
          // The estimate of σ₂ has an error of at most 1/32 of the gap, or float64's own.
          if (gap > 1e-10)
            expect(Math.abs(t.gap / (gap * scale) - 1), where).toBeLessThan(1 / 16 + (100 * EPSILON) / gap);
        }
    });

  it("is as accurate with a tolerance as it says", () => {
    for (const [m, n] of SHAPES)
      for (const gap of [1e-2, 1e-4, 1e-6])
        for (const rtol of [1e-1, 1e-3, 1e-6, 1e-9]) {
          const known = withSpectrum(m, n, (i) => (i === 0 ? 1 : i === 1 ? 1 - gap : 0.95 - i / 1000), 3);
          const t = singularTriplet(known, { rtol });
          const where = `${m}×${n}, gap ${gap}, rtol ${rtol}`;
          if (t.converged && !t.tied) expect(t.gradientError, where).toBeLessThanOrEqual(rtol);
          expect(gradientDistance(t, known as Required<Known>), where).toBeLessThan(
            5 * t.gradientError + (60 * EPSILON) / gap,
          );
          expect(Math.abs(spectralNorm(known, { rtol }) - 1), where).toBeLessThan(rtol + 40 * EPSILON);
        }
  });

  it("has entries that float32 cannot hold, beside others", () => {
    // Rows of sizes from 1 to 1e-60: what float32 loses is below the rounding of float64.
    const { data, shape } = normalMatrix(160, 160, 5);
    const [, n] = shape;
    const scaled = data.map((x, k) => x * 10 ** -(60 * (Math.floor(k / n) / 159)));
    const t = singularTriplet({ data: scaled, shape });
    expect(t.converged).toBe(true);
    const other = singularTriplet({ data: scaled, shape }, { method: "dense" });
    expect(Math.abs(t.sigma / other.sigma - 1)).toBeLessThan(1e-14);
    expect(gradientDistance(t, other)).toBeLessThan(t.gradientError + other.gradientError);
  });

  it("takes the same steps at every power of two, and gives the same bits", () => {
    const { data, shape } = normalMatrix(150, 170, 3);
    const t = singularTriplet({ data, shape });
    for (const power of [-900, -40, -3, 5, 60, 900]) {
      const scaled = singularTriplet({ data: data.map((x) => x * 2 ** power), shape });
      expect(scaled.sigma).toBe(t.sigma * 2 ** power);
      expect(scaled.u).toEqual(t.u);
      expect(scaled.v).toEqual(t.v);
      expect(scaled.passes).toBe(t.passes);
    }
  });

  it("is not used without room for the copy, with a start, or for few columns", () => {
    const A = normalMatrix(300, 200, 1);
    expect(serves(A)).toBe(true);
    const room = 8 * 300 * 200 + leastMemory(200, 300, "float64", false);
    withKernelBudget(room, () => expect(serves(A)).toBe(false));
    expect(serves(normalMatrix(300, 70, 1))).toBe(false);
  });

  it.each(WAYS)("gives the same on $name", async ({ begin }) => {
    const end = await begin();
    try {
      for (const [m, n] of SHAPES)
        for (const gap of [1e-2, 1e-4, 1e-8]) {
          const known = withSpectrum(m, n, (i) => (i === 0 ? 1 : i === 1 ? 1 - gap : 0.95 - i / 1000), 7);
          const t = singularTriplet(known);
          expect(t.converged).toBe(true);
          expect(Math.abs(t.sigma - 1)).toBeLessThan(40 * EPSILON);
          expect(gradientDistance(t, known as Required<Known>)).toBeLessThan(
            2 * t.gradientError + (60 * EPSILON) / gap,
          );
        }
    } finally {
      await end();
    }
  });

  it("gives the same bits on two threads", async () => {
    const A = normalMatrix(300, 260, 9);
    for (const kernels of ["wasm", "wasm-relaxed"]) {
      const results = [];
      for (const way of WAYS.filter((one) => one.kernels === kernels)) {
        const end = await way.begin();
        results.push(singularTriplet(A));
        await end();
      }
      for (const result of results) expect(result).toEqual(results[0]);
    }
  });

  it("ends at maxIterations, with what it has", () => {
    const A = normalMatrix(256, 256, 1);
    const full = singularTriplet(A);
    for (const maxIterations of [1, 5, 20, 30, 40]) {
      const t = singularTriplet(A, { maxIterations });
      expect(t.iterations).toBeLessThanOrEqual(maxIterations);
      expect(t.converged).toBe(false);
      expect(gradientDistance(t, full)).toBeLessThan(5 * t.gradientError + full.gradientError);
    }
  });
});
