import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { complexAction } from "../../src/complex/complex-action.js";
import { ComplexKrylovSpace } from "../../src/complex/complex-krylov.js";
import { complexInputOf } from "../../src/complex/complex-view.js";
import { kernels as current } from "../../src/kernels/select.js";
import { skipMissingKernels, WAYS } from "../kernels/sets.js";
import {
  adjointTimes,
  type Complex,
  cast,
  hermitianInner,
  offOrthonormal,
  PRECISIONS,
  randomVector,
  times,
  withComplexSpectrum,
} from "./build.js";

const SPECTRA: [string, (i: number) => number][] = [
  ["simple", (i) => 1 / (1 + i)],
  ["steep", (i) => 10 ** (-2 * i)],
  ["a tie of two", (i) => (i < 2 ? 1 : 0.9 / i)],
  ["a tie of seven", (i) => (i < 7 ? 1 : 0.7 / i)],
  ["all equal", () => 1],
  ["rank three", (i) => (i < 3 ? 3 - i : 0)],
];

/** A space after so many steps, on A or its conjugate transpose, and G = PᴴP in plain loops. */
function spaceOf(
  A: Complex<Float32Array | Float64Array>,
  use: (space: ComplexKrylovSpace, G: (x: Float64Array) => Float64Array) => void,
  start?: Float64Array,
): void {
  const kernels = current();
  const mark = kernels.arena.mark();
  try {
    const action = complexAction(kernels, complexInputOf(A), { seed: 0 });
    const space = new ComplexKrylovSpace(kernels, action, 3);
    space.start(start);
    const G = (x: Float64Array) =>
      action.transposed ? times(A, adjointTimes(A, x)) : adjointTimes(A, times(A, x));
    use(space, G);
  } finally {
    kernels.arena.release(mark);
  }
}

function expectOrthonormal(space: ComplexKrylovSpace, count: number, tolerance: number, where: string): void {
  const basis = Array.from({ length: count }, (_, i) => space.vectorOf(i));
  expect(offOrthonormal(basis), where).toBeLessThan(tolerance);
}

/** Ritz pairs are what they say: unit vectors of distinct directions, with their values and residuals. */
function expectRitzPairs(
  space: ComplexKrylovSpace,
  G: (x: Float64Array) => Float64Array,
  wanted: number,
  scale: number,
  eps: number,
  where: string,
): void {
  const { values, coefficients, residuals } = space.ritz(wanted);
  const tolerance = 100 * eps;
  expect(values.length, where).toBe(Math.min(wanted, space.size - space.locked));
  const vectors = coefficients.map((y) => space.combine(y));
  expect(offOrthonormal(vectors), `${where}, Ritz vectors`).toBeLessThan(tolerance);
  vectors.forEach((x, p) => {
    const image = G(x);
    const residual = Math.hypot(...image.map((value, j) => value - values[p] * x[j]));
    expect(Math.abs(residual - residuals[p]), `${where}, residual ${p}`).toBeLessThan(tolerance * scale);
    if (p > 0) expect(values[p], where).toBeLessThanOrEqual(values[p - 1] + tolerance * scale);
  });
}

skipMissingKernels();
describe.each(WAYS.filter(({ name }) => !name.includes("threads")))(
  "the complex Krylov space, $name kernels",
  ({ begin }) => {
    let end: () => Promise<void>;
    beforeAll(async () => {
      end = await begin();
    });
    afterAll(() => end());

    describe.each(PRECISIONS)("of $dtype", (precision) => {
      const eps = precision.eps;
      it.each(SPECTRA)("is orthonormal, and its Ritz pairs are those of G: %s", (_, spectrum) => {
        for (const [m, n] of [
          [1, 1],
          [5, 2],
          [3, 8],
          [40, 30],
          [70, 90],
        ]) {
          const A = cast(withComplexSpectrum(m, n, spectrum, m + n), precision);
          const scale = spectrum(0) ** 2;
          for (const start of [undefined, randomVector(Math.min(m, n), 3)])
            spaceOf(
              A,
              (space, G) => {
                for (let step = 1; step <= 12 && !space.full; step++) {
                  space.extend();
                  const where = `${m}×${n}, step ${step}`;
                  expectOrthonormal(space, space.size, 40 * eps, where);
                  for (const wanted of step % 4 === 3 ? [1, 3, space.size] : [2])
                    expectRitzPairs(space, G, wanted, scale, eps, where);
                }
                // The trace of T is the sum of all Ritz values.
                const sum = space.ritz(space.size).values.reduce((a, b) => a + b, 0);
                expect(Math.abs(sum - space.trace)).toBeLessThan(100 * eps * scale * space.size);
              },
              start,
            );
        }
      });

      it.each(SPECTRA)("stays so when it is restarted and when vectors are locked: %s", (_, spectrum) => {
        const A = cast(withComplexSpectrum(120, 90, spectrum, 7), precision);
        const scale = spectrum(0) ** 2;
        spaceOf(A, (space, G) => {
          for (let round = 0; round < 3; round++) {
            while (!space.full) space.extend();
            if (space.exhausted) break;
            space.restart(space.ritz(12));
            expect(space.size).toBe(12);
            expectOrthonormal(space, 12, 40 * eps, `restart ${round}`);
            space.extend();
            expectOrthonormal(space, space.size, 40 * eps, `step after restart ${round}`);
            expectRitzPairs(space, G, 6, scale, eps, `restart ${round}`);
          }
          const kept = space.ritz(3);
          const before = kept.coefficients.map((y) => space.combine(y));
          space.lock(kept);
          expect(space.locked).toBe(3);
          before.forEach((x, i) => {
            const [re, im] = hermitianInner(space.vectorOf(i), x);
            expect(Math.abs(Math.hypot(re, im) - 1)).toBeLessThan(100 * eps);
          });
          for (let step = 0; step < 6; step++) space.extend();
          expectOrthonormal(space, space.size, 40 * eps, "after locking");
          expect(space.ritz(2).values.length).toBe(2);
          expect(space.lockedVectors(5).length).toBe(5);
          expectOrthonormal(space, 5, 40 * eps, "five locked");
        });
      });
    });
  },
);
