import fc from "fast-check";
import { EVD, Matrix, SVD } from "ml-matrix";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type DenseMatrix,
  rowPanels,
  type SolveOptions,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  valueAndGrad,
  valueAndGradBatch,
} from "../src/index.js";
import { withKernelBudget } from "../src/kernels/budget.js";
import { halfDecoder } from "../src/matrix/half.js";
import { leastMemory } from "../src/solve/panel-action.js";
import { CLOSED, inner, nuclear, TIED } from "./closed-forms.js";
import { skipMissingKernels, WAYS } from "./kernels/sets.js";
import { fromEntries, gradientDistance, normalMatrix, withSpectrum } from "./matrices.js";
import { expectRefusal } from "./refusal.js";

/**
 * What every set of kernels must do, in both precisions: the promises of the README, on matrices whose answer is
 * known. Tolerances: σ to 1e-13 (float64) and 1e-6 (float32); gradient error times relative gap below 1e-12 and
 * 2e-6.
 */
const PRECISIONS = [
  {
    dtype: "float64" as const,
    Type: Float64Array,
    eps: 2 ** -52,
    sigma: 1e-13,
    gradient: 1e-12,
    far: [1e-300, 1e300],
  },
  {
    dtype: "float32" as const,
    Type: Float32Array,
    eps: 2 ** -23,
    sigma: 1e-6,
    gradient: 2e-6,
    far: [1e-30, 1e37],
  },
];

/** The nearest 16 bits to x but for the last of them: its digits are cut off. */
function halfBits(x: number, dtype: "float16" | "bfloat16"): number {
  if (dtype === "bfloat16") return new Uint32Array(Float32Array.of(x).buffer)[0] >>> 16;
  const size = Math.abs(x);
  const sign = x < 0 ? 0x8000 : 0;
  if (size < 2 ** -14) return sign | Math.floor(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 14) * 1024 + Math.floor(size * 2 ** (10 - exponent)));
}

type Solver<R> = (A: DenseMatrix, options?: SolveOptions) => R;

/** What must do the same for a matrix in ordinary memory, in panels, and beyond what kernel memory holds. */
const FORMS = [
  { form: "in kernel memory", through: <R>(solve: Solver<R>): Solver<R> => solve },
  {
    form: "as row panels",
    through:
      <R>(solve: (A: ReturnType<typeof panelsOf>, options?: SolveOptions) => R): Solver<R> =>
      (A, options) =>
        solve(panelsOf(A), options),
  },
  {
    form: "beyond kernel memory",
    through:
      <R>(solve: Solver<R>): Solver<R> =>
      (A, options = {}) => {
        const [short, long] = Array.from(A.shape).sort((a, b) => a - b);
        const dtype = A.data instanceof Float32Array ? "float32" : "float64";
        const { method = short <= 64 ? "dense" : "lanczos" } = options;
        const dense = method === "dense" || (method === "auto" && short <= 64);
        return withKernelBudget(leastMemory(short, long, dtype, dense), () => solve(A, options));
      },
  },
];

/** In panels of a size that is odd and divides next to nothing, whatever the strides. */
function panelsOf({ data, shape: [m, n], stride: [down, across] = [n, 1] }: DenseMatrix) {
  return rowPanels({
    shape: [m, n],
    dtype: data instanceof Float32Array ? "float32" : "float64",
    panelRows: 13,
    rows: (first, count) =>
      data.slice(0, count * n).map((_, k) => data[(first + Math.floor(k / n)) * down + (k % n) * across]),
  });
}

const solvers = { singularTriplet, spectralNorm, valueAndGrad };

skipMissingKernels();
describe.each(WAYS.flatMap((way) => FORMS.map((form) => ({ ...way, ...form }))))(
  "$name kernels, $form",
  ({ kernels, begin, form, through }) => {
    let end: () => Promise<void>;
    beforeAll(async () => {
      end = await begin();
    });
    afterAll(() => end());
    const singularTriplet = through(solvers.singularTriplet);
    const spectralNorm = through(solvers.spectralNorm);
    const valueAndGrad = through(solvers.valueAndGrad);

    describe.each(PRECISIONS)(
      "$dtype",
      ({ Type, eps, sigma: sigmaTolerance, gradient: gradientTolerance, far }) => {
        const cast = (data: ArrayLike<number>, factor = 1): Float32Array | Float64Array => {
          const copy = new Type(data.length);
          for (let i = 0; i < data.length; i++) copy[i] = data[i] * factor;
          return copy;
        };
        /** Rounding the data itself moves σ by up to this. */
        const rounding = Type === Float32Array ? eps : 0;

        it.each(CLOSED)("$name", ({ m, n, entry, sigma }) => {
          const A = { data: cast(fromEntries(m, n, entry).data), shape: [m, n] as [number, number] };
          const before = A.data.slice();
          const { value, grad } = valueAndGrad(A);
          expect(Math.abs(value / sigma - 1)).toBeLessThan(sigmaTolerance);
          expect(Math.abs(spectralNorm(A) / sigma - 1)).toBeLessThan(sigmaTolerance);
          expect(grad.shape).toEqual([m, n]);
          expect(grad.data).toBeInstanceOf(Type);
          // ⟨G, A⟩ = σ, up to the rounding of m·n products.
          expect(Math.abs(inner(grad.data, A.data) / value - 1)).toBeLessThan(20 * eps);
          expect(A.data).toEqual(before);
          for (const method of ["lanczos", "dense"] as const) {
            const t = singularTriplet(A, { method });
            expect(Math.abs(t.sigma / sigma - 1)).toBeLessThan(sigmaTolerance);
            expect(t.converged).toBe(true);
            expect(t.method).toBe(method);
          }
        });

        it.each(TIED)("tied: $name", ({ m, n, entry, sigma }) => {
          const A = { data: cast(fromEntries(m, n, entry).data), shape: [m, n] as [number, number] };
          for (const method of ["auto", "lanczos", "dense"] as const) {
            const t = singularTriplet(A, { method });
            expect(t.tied).toBe(true);
            expect(t.converged).toBe(true);
            expect(t.gradientError).toBeGreaterThanOrEqual(Math.SQRT2);
            expect(Math.abs(t.sigma / sigma - 1)).toBeLessThan(sigmaTolerance);
          }
          const { value, grad } = valueAndGrad(A);
          expect(Math.abs(inner(grad.data, A.data) / value - 1)).toBeLessThan(20 * eps);
          if (m <= 100) expect(nuclear(grad.data, m, n)).toBeLessThan(1 + 20 * eps);
        });

        const spectra: [string, (i: number) => number][] = [
          ["simple", (i) => 1 / (1 + i)],
          ["graded", (i) => 0.9 ** i],
          ["clustered, gap 1e-6", (i) => (i === 0 ? 1 : i === 1 ? 1 - 1e-6 : 0.9 - i / 1000)],
          ["gap 1e-3", (i) => (i === 0 ? 1 : i === 1 ? 0.999 : 0.9 - i / 1000)],
          ["tied below", (i) => (i === 0 ? 3 : 1)],
          ["rank one", (i) => (i === 0 ? 1 : 0)],
        ];
        const shapes: [number, number][] =
          kernels === "reference"
            ? [
                [9, 7],
                [70, 80],
              ]
            : [
                [3, 5],
                [5, 3],
                [9, 7],
                [64, 130],
                [65, 64],
                [67, 66],
                [70, 200],
                [201, 97],
              ];
        it.each(spectra)("known triplet, %s, at every scale", (_, spectrum) => {
          for (const [m, n] of shapes) {
            const known = withSpectrum(m, n, spectrum, m + n);
            const gap = (spectrum(0) - spectrum(1)) / spectrum(0);
            for (const scale of [1, ...far]) {
              const t = singularTriplet({ data: cast(known.data, scale), shape: [m, n] });
              const where = `${m}×${n} at ${scale}`;
              expect(Math.abs(t.sigma / (scale * spectrum(0)) - 1), where).toBeLessThan(sigmaTolerance);
              const error = gradientDistance(t, { u: known.u!, v: known.v! });
              expect(error * gap, where).toBeLessThan(gradientTolerance);
              expect(t.converged, where).toBe(true);
              // Between, it depends on how far the residuals came down: tied is gap ≤ 4·max(residuals, ε·σ).
              if (gap <= 4 * eps || gap > 32 * eps) expect(t.tied, where).toBe(gap <= 4 * eps);
              expect(t.gradientError, where).toBeGreaterThanOrEqual(eps / 2);
              // Data rounded to A's dtype has another triplet than the truth; the rest the estimate must own up to.
              expect(error, where).toBeLessThan(5 * t.gradientError + (4 * rounding + 40 * 2 ** -52) / gap);
            }
          }
        });

        it("gradientError does not understate near ties, loose rtol too", () => {
          for (const [m, n] of kernels === "reference"
            ? [
                [40, 30],
                [80, 70],
              ]
            : [
                [40, 30],
                [120, 100],
                [90, 300],
              ])
            for (let e = 3; e <= 12; e++)
              for (const rtol of [undefined, 1e-1, 1e-3, 1e-6]) {
                const gap = 10 ** -e;
                const known = withSpectrum(
                  m,
                  n,
                  (i) => (i === 0 ? 1 : i === 1 ? 1 - gap : 0.95 - 0.9 * (i / 400)),
                  e,
                );
                const t = singularTriplet({ data: cast(known.data), shape: [m, n] }, { rtol });
                const error = gradientDistance(t, { u: known.u!, v: known.v! });
                const where = `${m}×${n}, gap ${gap}, rtol ${rtol}`;
                expect(error, where).toBeLessThan(5 * t.gradientError + (4 * rounding + 40 * 2 ** -52) / gap);
                if (t.converged && !t.tied && rtol !== undefined)
                  expect(t.gradientError, where).toBeLessThanOrEqual(rtol);
              }
        });

        it("is homogeneous to the bit under powers of two, and even", () => {
          for (const [m, n] of [
            [6, 5],
            [90, 70],
          ]) {
            const A = cast(normalMatrix(m, n, 3).data);
            const t = singularTriplet({ data: A, shape: [m, n] });
            for (const power of [-40, -3, 5, 60]) {
              const scaled = singularTriplet({ data: cast(A, 2 ** power), shape: [m, n] });
              expect(scaled.sigma).toBe(t.sigma * 2 ** power);
              expect(scaled.u).toEqual(t.u);
              expect(scaled.v).toEqual(t.v);
            }
            expect(spectralNorm({ data: cast(A, -1), shape: [m, n] })).toBe(
              spectralNorm({ data: A, shape: [m, n] }),
            );
          }
        });

        it("transposes: σ the same, u and v change places", () => {
          for (const [m, n] of [
            [4, 9],
            [100, 66],
            [66, 100],
          ]) {
            const A = { data: cast(normalMatrix(m, n, 5).data), shape: [m, n] as [number, number] };
            const T = { data: A.data, shape: [n, m] as [number, number], stride: [1, n] as [number, number] };
            const t = singularTriplet(A);
            const s = singularTriplet(T);
            expect(Math.abs(s.sigma / t.sigma - 1)).toBeLessThan(20 * eps);
            expect(gradientDistance(t, { u: s.v, v: s.u })).toBeLessThan(t.gradientError + s.gradientError);
          }
        });

        it("obeys the triangle inequality, submultiplicativity and the Frobenius bounds", () => {
          fc.assert(
            fc.property(
              fc.integer({ min: 1, max: 12 }),
              fc.integer({ min: 1, max: 12 }),
              fc.nat(1e6),
              (m, n, seed) => {
                const A = cast(normalMatrix(m, n, seed).data);
                const B = cast(normalMatrix(m, n, seed + 1).data);
                const sum = A.map((x, i) => x + B[i]);
                const norm = (data: typeof A) => spectralNorm({ data, shape: [m, n] });
                expect(norm(sum)).toBeLessThanOrEqual((norm(A) + norm(B)) * (1 + 20 * eps));
                const fro = Math.sqrt(inner(A, A));
                expect(norm(A)).toBeLessThanOrEqual(fro * (1 + 20 * eps));
                expect(norm(A) * Math.sqrt(Math.min(m, n))).toBeGreaterThanOrEqual(fro * (1 - 20 * eps));
              },
            ),
            { numRuns: 60 },
          );
        });

        it("agrees with an independent SVD on random shapes", () => {
          fc.assert(
            fc.property(
              fc.integer({ min: 1, max: kernels === "reference" ? 24 : 90 }),
              fc.integer({ min: 1, max: kernels === "reference" ? 24 : 90 }),
              fc.nat(1e6),
              (m, n, seed) => {
                const data = cast(normalMatrix(m, n, seed).data);
                const M = new Matrix(m, n);
                for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) M.set(i, j, data[i * n + j]);
                const svd = new SVD(M, { autoTranspose: true });
                const [first, second = 0] = svd.diagonal;
                const t = singularTriplet({ data, shape: [m, n] });
                expect(Math.abs(t.sigma / first - 1)).toBeLessThan(
                  Type === Float32Array ? 1e-12 + eps : 1e-13,
                );
                const u = svd.leftSingularVectors.getColumn(0);
                const v = svd.rightSingularVectors.getColumn(0);
                const gap = (first - second) / first;
                expect(gradientDistance(t, { u, v }) * gap).toBeLessThan(gradientTolerance);
                // The iteration ends once the error of σ₂ is below half of the estimated gap. So that is at most twice
                // the gap; most are far closer.
                const share = t.method === "dense" ? 1e-3 : 1;
                expect(Math.abs(t.gap - (first - second))).toBeLessThan(
                  share * (first - second) + 30 * eps * first,
                );
              },
            ),
            { numRuns: kernels === "reference" ? 30 : 60 },
          );
        });

        it("the zero matrix: σ 0, gradient 0, tied", () => {
          for (const [m, n] of [
            [1, 1],
            [3, 2],
            [80, 90],
          ])
            for (const method of ["auto", "lanczos", "dense"] as const) {
              const zero = { data: new Type(m * n), shape: [m, n] as [number, number] };
              const t = singularTriplet(zero, { method });
              expect([t.sigma, t.tied, t.converged]).toEqual([0, true, true]);
              const { value, grad } = valueAndGrad(zero, { method });
              expect(value).toBe(0);
              expect(grad.data.every((x) => x === 0)).toBe(true);
            }
        });

        // There is no batch of panels.
        if (form === "in kernel memory")
          it("a batch is its matrices", () => {
            for (const [m, n] of [
              [4, 6],
              [70, 68],
            ]) {
              const data = cast(normalMatrix(3 * m, n, 9).data);
              const shape = [3, m, n];
              const norms = spectralNormBatch({ data, shape });
              const { values, grads } = valueAndGradBatch({ data, shape });
              expect(grads.shape).toEqual(shape);
              for (let k = 0; k < 3; k++) {
                const one = {
                  data: data.slice(k * m * n, (k + 1) * m * n),
                  shape: [m, n] as [number, number],
                };
                const { value, grad } = valueAndGrad(one);
                expect(norms[k]).toBe(spectralNorm(one));
                expect(values[k]).toBe(value);
                expect(grads.data.slice(k * m * n, (k + 1) * m * n)).toEqual(grad.data);
              }
            }
          });

        // Sizes around every padding, solved by one routine up to 64 rows or columns, and not beyond.
        if (form === "in kernel memory")
          it("small matrices of every size agree with an independent SVD, alone and in a batch", () => {
            const sizes =
              kernels === "reference" ? [1, 2, 5, 16] : [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 32, 63, 64, 65, 70];
            for (const m of sizes)
              for (const n of sizes.filter((size) => size >= m)) {
                // Rank one, a tie and random numbers.
                const all = [
                  fromEntries(m, n, (i, j) => (i + 1) * (j - 2.5)),
                  fromEntries(m, n, (i, j) => (i === j ? 2 : 0)),
                  normalMatrix(m, n, 64 * m + n),
                ].map(({ data }) => cast(data));
                const size = m * n;
                const shape: [number, number] = [m, n];
                const data = new Type(3 * size);
                all.forEach((one, k) => {
                  data.set(one, k * size);
                });
                const norms = spectralNormBatch({ data, shape: [3, m, n] });
                const { values, grads } = valueAndGradBatch({ data, shape: [3, m, n] });
                const columns = valueAndGradBatch({ data, shape: [3, n, m], stride: [size, 1, n] });
                all.forEach((one, k) => {
                  const where = `${m}×${n}, ${k}`;
                  const M = Matrix.from1DArray(m, n, Array.from(one));
                  const [first, second = 0] = new SVD(M, { autoTranspose: true }).diagonal;
                  const t = singularTriplet({ data: one, shape });
                  expect(Math.abs(t.sigma / first - 1), where).toBeLessThan(sigmaTolerance);
                  expect(t.converged, where).toBe(true);
                  expect(t.tied, where).toBe(k === 1 && m > 1);
                  expect(Math.abs(t.gap - (first - second)), where).toBeLessThan(
                    2e-3 * (first - second) + 30 * eps * first,
                  );
                  expect(norms[k], where).toBe(spectralNorm({ data: one, shape }));
                  const { value, grad } = valueAndGrad({ data: one, shape });
                  expect(values[k], where).toBe(value);
                  expect(grads.data.slice(k * size, (k + 1) * size), where).toEqual(grad.data);
                  expect(grad.data, where).toEqual(one.map((_, i) => t.u[Math.floor(i / n)] * t.v[i % n]));
                  // The transposed matrix, column by column, has the same numbers in the same places.
                  const part = fromEntries(m, n, (i, j) => columns.grads.data[k * size + j * m + i]).data;
                  if (!t.tied) {
                    const off = Math.sqrt(part.reduce((sum, x, i) => sum + (x - grad.data[i]) ** 2, 0));
                    expect(off, where).toBeLessThan(5 * t.gradientError + 20 * eps);
                  }
                });
              }
          });

        it("a NaN or an infinity is found wherever it is, in a batch too", () => {
          for (const [m, n] of [
            [1, 1],
            [3, 5],
            [8, 8],
            [9, 4],
            [12, 16],
          ])
            for (let k = 0; k < m * n; k++) {
              const data = cast(normalMatrix(m, n, 7).data);
              data[k] = k % 2 === 0 ? Number.NaN : Number.NEGATIVE_INFINITY;
              const place = `row ${Math.floor(k / n)}, column ${k % n} `;
              for (const solve of [singularTriplet, spectralNorm, valueAndGrad])
                expectRefusal(() => solve({ data, shape: [m, n] }), "ERR_NON_FINITE", place);
              if (form !== "in kernel memory") continue;
              const three = new Type(3 * m * n).fill(1);
              three.set(data, m * n);
              expectRefusal(
                () => valueAndGradBatch({ data: three, shape: [3, m, n] }),
                "ERR_NON_FINITE",
                `batch 1: matrix: ${place}`,
              );
            }
        });

        it("small matrices keep their digits at every scale, subnormal numbers too", () => {
          for (const [m, n] of [
            [8, 8],
            [5, 12],
            [33, 20],
          ]) {
            // Few digits, so that a subnormal number holds them.
            const data = cast(normalMatrix(m, n, 17).data.map((x) => Math.round(8 * x)));
            const t = singularTriplet({ data, shape: [m, n] });
            const [least, most] = Type === Float32Array ? [-149, 120] : [-1074, 1010];
            for (let power = least; power <= most; power += 97) {
              const scaled = singularTriplet({ data: cast(data, 2 ** power), shape: [m, n] });
              expect(scaled.u, `2^${power}`).toEqual(t.u);
              expect(scaled.v, `2^${power}`).toEqual(t.v);
              const norm = spectralNorm({ data: cast(data, 2 ** power), shape: [m, n] });
              if (power > -1000) {
                expect(scaled.sigma, `2^${power}`).toBe(t.sigma * 2 ** power);
                expect(Math.abs(norm / scaled.sigma - 1), `2^${power}`).toBeLessThan(4 * eps);
              }
            }
          }
        });

        it("gives the same bits twice, whatever ran in between", () => {
          const A = { data: cast(normalMatrix(90, 77, 21).data), shape: [90, 77] as [number, number] };
          const first = singularTriplet(A);
          singularTriplet({ data: cast(normalMatrix(33, 120, 1).data), shape: [33, 120] });
          expect(singularTriplet(A)).toEqual(first);
        });

        it("the gradient is the derivative: central differences", () => {
          if (Type === Float32Array) return; // a difference of float32 values says nothing
          const [m, n] = [7, 9];
          const A = normalMatrix(m, n, 11).data;
          const E = normalMatrix(m, n, 12).data;
          const h = 1e-5;
          const at = (s: number) => spectralNorm({ data: A.map((x, i) => x + s * E[i]), shape: [m, n] });
          const { grad } = valueAndGrad({ data: A, shape: [m, n] });
          // h² from the third derivative and ε/h from rounding: 1e-9 or so of a number near 1.
          expect(Math.abs((at(h) - at(-h)) / (2 * h) - inner(grad.data, E))).toBeLessThan(1e-7);
        });
      },
    );

    if (form === "in kernel memory")
      it.each(["float16", "bfloat16"] as const)("%s is float32 of its numbers", (dtype) => {
        // Neither 16 bits nor a power of two changes a digit on the way, so that the answers are the same bits.
        const shapes: [number, number][] =
          kernels === "reference"
            ? [
                [9, 7],
                [66, 70],
                [1, 30],
              ]
            : [
                [9, 7],
                [70, 200],
                [201, 97],
                [130, 66],
                [1, 300],
                [300, 1],
              ];
        const scales = dtype === "float16" ? [2 ** -13, 1, 2 ** 9] : [2 ** -100, 1, 2 ** 100];
        for (const [m, n] of shapes)
          for (const scale of scales) {
            const wanted = normalMatrix(m, n, m).data;
            const data = Uint16Array.from(wanted, (x) => halfBits(scale * x, dtype));
            const decode = halfDecoder(dtype);
            const numbers = Float32Array.from(data, decode);
            const exact = Float64Array.from(numbers);
            const strides = [
              [n, 1],
              [1, m],
            ];
            for (const stride of strides)
              for (const method of ["auto", "lanczos", "dense", "power"] as const) {
                if (method === "power" && scale !== 1) continue;
                const of = { shape: [m, n], stride };
                const t = solvers.singularTriplet({ ...of, data, dtype }, { method });
                expect(t).toEqual(solvers.singularTriplet({ ...of, data: numbers }, { method }));
                if (method === "power") continue;
                const truth = solvers.singularTriplet({ ...of, data: exact }).sigma;
                expect(Math.abs(t.sigma / truth - 1)).toBeLessThan(PRECISIONS[1].sigma);
                expect(solvers.spectralNorm({ ...of, data, dtype }, { method })).toBe(
                  solvers.spectralNorm({ ...of, data: numbers }, { method }),
                );
              }
            // The scan sees what is not finite wherever it is, and says where.
            const k = m * n - 2;
            data[k] = dtype === "float16" ? 0xfc00 : 0x7f81;
            for (const method of ["lanczos", "dense"] as const)
              expectRefusal(
                () => solvers.singularTriplet({ data, dtype, shape: [m, n] }, { method }),
                "ERR_NON_FINITE",
                `row ${Math.floor(k / n)}, column ${k % n} `,
              );
          }
      });

    it("singular values are the roots of the Gram matrix's eigenvalues", () => {
      const { data, shape } = normalMatrix(8, 5, 2);
      const M = new Matrix(8, 5);
      for (let i = 0; i < 8; i++) for (let j = 0; j < 5; j++) M.set(i, j, data[i * 5 + j]);
      const values = new EVD(M.transpose().mmul(M)).realEigenvalues;
      expect(spectralNorm({ data, shape })).toBeCloseTo(Math.sqrt(Math.max(...values)), 12);
    });
  },
);
