import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  cond,
  kyFanNorm,
  matrixNorm,
  type NormOrder,
  type SingularTriplets,
  schattenNorm,
  singularTriplet,
  singularTriplets,
  svdvals,
} from "../../src/index.js";
import { floorOf } from "../../src/solve/finish.js";
import { skipMissingKernels, WAYS } from "../kernels/sets.js";
import { NORM_ORDERS } from "../norm-orders.js";
import {
  adjointTimes,
  type Complex,
  cast,
  complexDistance,
  complexNormal,
  fromComplexEntries,
  hermitianInner,
  offOrthonormal,
  PRECISIONS,
  type Precision,
  times,
  valuesByMlMatrix,
  withComplexSpectrum,
} from "./build.js";

type AnyComplex = Complex<Float32Array | Float64Array>;

const rowOf = (x: { data: Float32Array | Float64Array; shape: [number, number] }, i: number) =>
  x.data.subarray(2 * i * x.shape[1], 2 * (i + 1) * x.shape[1]);

/** Values descending and right, vectors orthonormal over the complex numbers, residuals as measured by plain loops. */
function expectTriplets(
  A: AnyComplex,
  t: SingularTriplets,
  values: readonly number[],
  { eps, dtype, sigma: tolerance, Type }: Precision,
  where: string,
): void {
  const [m, n] = A.shape;
  const k = t.sigma.length;
  expect([t.u.shape, t.v.shape, t.u.dtype, t.v.dtype], where).toEqual([[k, m], [k, n], dtype, dtype]);
  expect([t.u.data.constructor, t.v.data.constructor], where).toEqual([Type, Type]);
  expect(t.converged, where).toBe(true);
  const floor = floorOf(dtype === "complex64" ? "float32" : "float64", 2 * (m + n));
  for (const x of [t.u, t.v])
    expect(offOrthonormal(Array.from({ length: k }, (_, i) => rowOf(x, i))), where).toBeLessThan(
      40 * eps + Math.sqrt(m + n) * 2 ** -52,
    );
  for (let i = 0; i < k; i++) {
    expect(Math.abs(t.sigma[i] - values[i]), `${where}, σ${i + 1}`).toBeLessThan(
      tolerance * values[0] + 1e-300,
    );
    if (i > 0) expect(t.sigma[i], where).toBeLessThanOrEqual(t.sigma[i - 1]);
    const [u, v] = [rowOf(t.u, i), rowOf(t.v, i)];
    const residual = Math.hypot(
      ...times(A, v).map((x, l) => x - t.sigma[i] * u[l]),
      ...adjointTimes(A, u).map((x, l) => x - t.sigma[i] * v[l]),
    );
    expect(residual, `${where}, residual ${i}`).toBeLessThan(2 * floor * values[0] + 1e-300);
    expect(Math.abs(residual - t.residual[i]), `${where}, residual ${i}`).toBeLessThan(
      1e-6 * residual + 8 * Math.sqrt(m + n) * 2 ** -52 * values[0] + 1e-300,
    );
  }
}

const SPECTRA: [string, (i: number) => number][] = [
  ["simple", (i) => 1 / (1 + i)],
  ["graded", (i) => 0.7 ** i],
  ["steep", (i) => 10 ** (-2 * i)],
  ["a tie of two", (i) => (i < 2 ? 1 : 0.9 / i)],
  ["a tie of five", (i) => (i < 5 ? 1 : 0.7 / i)],
  ["ties below", (i) => 1 / (1 + Math.floor(i / 3))],
  ["all equal", () => 1],
  ["rank three", (i) => (i < 3 ? 3 - i : 0)],
];

skipMissingKernels();
describe.each(WAYS.filter(({ name }) => !name.includes("threads")))(
  "singularTriplets, $name kernels",
  ({ kernels, begin }) => {
    let end: () => Promise<void>;
    beforeAll(async () => {
      end = await begin();
    });
    afterAll(() => end());

    it.each(SPECTRA)("of a small matrix, k from 1 to all: %s", (_, spectrum) => {
      const shapes: [number, number][] =
        kernels === "reference"
          ? [[4, 3]]
          : [
              [1, 1],
              [1, 5],
              [4, 1],
              [4, 3],
              [5, 5],
              [6, 11],
              [12, 7],
            ];
      for (const precision of PRECISIONS)
        for (const [m, n] of shapes) {
          const A = cast(withComplexSpectrum(m, n, spectrum, m + 3 * n), precision);
          const values = Array.from({ length: Math.min(m, n) }, (_, i) => spectrum(i));
          for (let k = 1; k <= Math.min(m, n); k++)
            for (const method of ["auto", "lanczos", "dense"] as const)
              expectTriplets(
                A,
                singularTriplets(A, { k, method }),
                values,
                precision,
                `${m}×${n}, k = ${k}, ${method}`,
              );
        }
    });

    it.each(SPECTRA)("of a larger one: %s", (_, spectrum) => {
      const shapes: [number, number][] =
        kernels === "reference"
          ? [[68, 66]]
          : [
              [70, 90],
              [130, 66],
            ];
      for (const precision of PRECISIONS)
        for (const [m, n] of shapes) {
          const A = cast(withComplexSpectrum(m, n, spectrum, m + 3 * n), precision);
          const values = Array.from({ length: Math.min(m, n) }, (_, i) => spectrum(i));
          for (const k of kernels === "reference" ? [2, 7] : [1, 2, 3, 4, 6, 20, Math.min(m, n)])
            for (const method of k > 40 ? (["auto"] as const) : (["auto", "lanczos"] as const))
              expectTriplets(
                A,
                singularTriplets(A, { k, method }),
                values,
                precision,
                `${m}×${n}, k = ${k}, ${method}`,
              );
        }
    });
  },
);

describe("singularTriplets", () => {
  it("the first is that of singularTriplet, and the best approximation is U·Σ·Vᴴ", () => {
    const known = withComplexSpectrum(30, 20, (i) => 0.5 ** i, 1);
    const t = singularTriplets(known, { k: 20 });
    const first = { u: rowOf(t.u, 0), v: rowOf(t.v, 0) };
    expect(complexDistance(first, known)).toBeLessThan(1e-12);
    expect(complexDistance(first, singularTriplet(known))).toBeLessThan(1e-12);
    const rest = known.data.slice();
    for (let l = 0; l < 20; l++)
      for (let i = 0; i < 30; i++)
        for (let j = 0; j < 20; j++) {
          const [a, b] = rowOf(t.u, l).subarray(2 * i, 2 * i + 2);
          const [c, d] = rowOf(t.v, l).subarray(2 * j, 2 * j + 2);
          rest[2 * (20 * i + j)] -= t.sigma[l] * (a * c + b * d);
          rest[2 * (20 * i + j) + 1] -= t.sigma[l] * (b * c - a * d);
        }
    expect(Math.hypot(...rest)).toBeLessThan(1e-14);
  });

  it("of the zero matrix: zeros and orthonormal vectors", () => {
    for (const precision of PRECISIONS)
      for (const method of ["auto", "lanczos", "dense"] as const)
        for (const [m, n] of [
          [4, 3],
          [3, 70],
          [70, 66],
        ]) {
          const A = cast(
            fromComplexEntries(m, n, () => [0, 0]),
            precision,
          );
          const k = 3;
          expectTriplets(A, singularTriplets(A, { k, method }), [0, 0, 0], precision, `${m}×${n}, ${method}`);
        }
  });

  it("scales from one end of the range to the other", () => {
    for (const precision of PRECISIONS)
      for (const factor of precision.far)
        for (const [m, n] of [
          [7, 5],
          [80, 70],
        ]) {
          const A = cast(
            withComplexSpectrum(m, n, (i) => 0.5 ** i, 2),
            precision,
            factor,
          );
          const { sigma, converged } = singularTriplets(A, { k: 4 });
          expect(converged).toBe(true);
          sigma.forEach((value, i) => {
            expect(Math.abs(value / factor - 0.5 ** i)).toBeLessThan(precision.sigma);
          });
        }
  });

  it("the same input, options and kernels give the same bits", () => {
    const A = complexNormal(80, 70, 3);
    for (const method of ["lanczos", "dense"] as const) {
      const first = singularTriplets(A, { k: 5, method, seed: 3 });
      singularTriplets(complexNormal(20, 30, 3), { k: 5 });
      expect(singularTriplets(A, { k: 5, method, seed: 3 })).toEqual(first);
    }
  });

  it("a start speeds up and is never trusted", () => {
    const known = withComplexSpectrum(200, 150, (i) => (i === 0 ? 1 : 0.99 - i / 1000), 4);
    const { v } = singularTriplets(known, { k: 3 });
    for (const start of [rowOf(v, 0), rowOf(v, 1), rowOf(v, 2)]) {
      const t = singularTriplets(known, { k: 2, start });
      expect(Math.abs(t.sigma[0] - 1)).toBeLessThan(1e-13);
      expect(Math.abs(t.sigma[1] - 0.989)).toBeLessThan(1e-13);
    }
  });
});

describe("a start of one triplet", () => {
  const known = withComplexSpectrum(200, 150, (i) => (i === 0 ? 1 : 0.98 - i / 1000), 4);
  const { v } = singularTriplets(known, { k: 2 });

  it("that is right costs fewer passes", () => {
    const cold = singularTriplet(known);
    const warm = singularTriplet(known, { start: rowOf(v, 0) });
    expect(warm.passes).toBeLessThan(cold.passes);
    expect(complexDistance(warm, known)).toBeLessThan(1e-11);
    // Whatever its phase and its length.
    const turned = Float64Array.from(known.v, (_, j) => (j & 1 ? known.v[j - 1] : -known.v[j + 1]) * 1e200);
    expect(singularTriplet(known, { start: turned }).passes).toBeLessThan(cold.passes);
    expect(singularTriplet(known, { start: [...turned] }).converged).toBe(true);
  });

  it("that is orthogonal to v₁, another singular vector or zero costs passes, not the answer", () => {
    const away = Float64Array.from({ length: 300 }, (_, j) => Math.sin(j));
    const [re, im] = hermitianInner(known.v, away);
    for (let j = 0; j < 300; j += 2) {
      away[j] -= re * known.v[j] - im * known.v[j + 1];
      away[j + 1] -= re * known.v[j + 1] + im * known.v[j];
    }
    for (const precision of PRECISIONS)
      for (const start of [
        away,
        rowOf(v, 1),
        new Float64Array(300),
        Float64Array.of(1, ...new Float64Array(299)),
      ])
        for (const method of ["auto", "lanczos", "dense"] as const)
          for (const seed of [0, 1, 2]) {
            const t = singularTriplet(cast(known, precision), { start, method, seed });
            expect(Math.abs(t.sigma - 1)).toBeLessThan(precision.sigma);
            expect(t.converged).toBe(true);
            expect(complexDistance(t, known)).toBeLessThan(5 * t.gradientError + 200 * precision.eps);
          }
  });

  it("rtol bounds the error of the gradient, and costs less", () => {
    const passes = [1e-2, 1e-5, 1e-9].map((rtol) => {
      const t = singularTriplet(known, { rtol });
      expect([t.converged, t.gradientError <= rtol]).toEqual([true, true]);
      expect(complexDistance(t, known)).toBeLessThan(rtol);
      return t.passes;
    });
    expect(passes[0]).toBeLessThan(passes[1]);
    expect(passes[1]).toBeLessThanOrEqual(passes[2]);
    const none = singularTriplet(known, { rtol: 0 });
    expect(none.converged).toBe(false);
    expect(complexDistance(none, known)).toBeLessThan(1e-11);
  });

  it("another seed gives other bits and the same answer", () => {
    const [one, other] = [0, 7].map((seed) => singularTriplet(known, { seed, method: "lanczos" }));
    expect(one.v).not.toEqual(other.v);
    expect(complexDistance(one, other)).toBeLessThan(1e-11);
  });
});

describe("norms", () => {
  const shapes: [number, number][] = [
    [1, 1],
    [1, 6],
    [6, 1],
    [4, 3],
    [3, 7],
    [20, 20],
    [70, 30],
  ];
  const sizes = ({ data, shape: [m, n] }: AnyComplex) =>
    Array.from({ length: m }, (_, i) =>
      Array.from({ length: n }, (_, j) => Math.hypot(data[2 * (i * n + j)], data[2 * (i * n + j) + 1])),
    );
  const total = (x: number[]) => x.reduce((a, b) => a + b, 0);

  it("of every order, as NumPy defines them", () => {
    for (const precision of PRECISIONS)
      for (const [m, n] of shapes) {
        const A = cast(complexNormal(m, n, m + n), precision);
        const moduli = sizes(A);
        const rows = moduli.map(total);
        const columns = moduli[0].map((_, j) => total(moduli.map((row) => row[j])));
        const values = valuesByMlMatrix(A);
        const expected: [NormOrder, number][] = [
          [2, values[0]],
          [-2, values[values.length - 1]],
          ["fro", Math.hypot(...moduli.flat())],
          ["nuc", total(values)],
          [1, Math.max(...columns)],
          [-1, Math.min(...columns)],
          [Number.POSITIVE_INFINITY, Math.max(...rows)],
          [Number.NEGATIVE_INFINITY, Math.min(...rows)],
        ];
        for (const [ord, value] of expected) {
          const tolerance = ord === 2 ? precision.sigma : 1e-13;
          expect(Math.abs(matrixNorm(A, ord) - value), `${m}×${n}, ${ord}`).toBeLessThan(
            tolerance * Math.max(value, values[0]),
          );
        }
        for (const p of [1, 1.5, 2, 3, 10]) {
          const schatten = total(values.map((x) => (x / values[0]) ** p)) ** (1 / p) * values[0];
          expect(Math.abs(schattenNorm(A, p) / schatten - 1)).toBeLessThan(1e-12);
        }
        expect(Math.abs(schattenNorm(A, Number.POSITIVE_INFINITY) / values[0] - 1)).toBeLessThan(
          precision.sigma,
        );
        for (const k of new Set([1, Math.ceil(values.length / 2), values.length]))
          expect(Math.abs(kyFanNorm(A, k) / total(values.slice(0, k)) - 1)).toBeLessThan(precision.sigma);
        const found = svdvals(A);
        expect(found.length).toBe(values.length);
        found.forEach((value, i) => {
          expect(Math.abs(value - values[i])).toBeLessThan(1e-13 * values[0]);
        });
        const ratio = values[0] / values[values.length - 1];
        expect(Math.abs(cond(A) / ratio - 1)).toBeLessThan(1e-13 * ratio);
      }
  });

  it("of ties and ranks", () => {
    const A = withComplexSpectrum(12, 9, (i) => [5, 5, 5, 2, 2, 1, 0, 0, 0][i], 3);
    const expected = [5, 5, 5, 2, 2, 1, 0, 0, 0];
    svdvals(A).forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThan(1e-13 * 5);
    });
    expect(Math.abs(matrixNorm(A, "nuc") / 20 - 1)).toBeLessThan(1e-13);
    expect(Math.abs(kyFanNorm(A, 4) / 17 - 1)).toBeLessThan(1e-13);
    expect(cond(fromComplexEntries(3, 3, (i, j) => (i === j && i < 2 ? [0, 1] : [0, 0])))).toBe(
      Number.POSITIVE_INFINITY,
    );
    const zero = fromComplexEntries(3, 2, () => [0, 0]);
    for (const ord of NORM_ORDERS) expect(matrixNorm(zero, ord)).toBe(0);
    expect([...svdvals(zero), schattenNorm(zero, 3), kyFanNorm(zero, 2)]).toEqual([0, 0, 0, 0]);
  });
});
