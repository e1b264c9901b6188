import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readMatrices } from "../../src/files/open.js";
import { memorySource } from "../../src/files/source.js";
import {
  type CsrParts,
  certify,
  cond,
  coo,
  csr,
  matrixNorm,
  type SparseMatrix,
  schattenNorm,
  singularTriplet,
  spectralNorm,
  svdvals,
  transposeOf,
  valueAndGrad,
} from "../../src/index.js";
import { kernels } from "../../src/kernels/select.js";
import { createRandom } from "../../src/numerics/random.js";
import { gradientDistance, normalMatrix } from "../matrices.js";
import { NORM_ORDERS } from "../norm-orders.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";

/** A random m×n sparse matrix, its entries in no order and some of them twice, and the same written out. */
function pair(m: number, n: number, perRow: number, seed: number) {
  const random = createRandom(seed);
  const data: number[] = [];
  const indices: number[] = [];
  const indptr = [0];
  const dense = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    const count = i % 5 === 3 ? 0 : perRow;
    for (let k = 0; k < count; k++) {
      const j = Math.floor(random.uniform() * n);
      // Sums of eighths are exact, so that the order of summation says nothing.
      const value = k % 7 === 6 ? 0 : Math.round(8 * random.normal()) / 8;
      data.push(value);
      indices.push(j);
      dense[i * n + j] += value;
    }
    indptr.push(data.length);
  }
  return { sparse: csr({ data, indices, indptr, shape: [m, n] }), dense: { data: dense, shape: [m, n] } };
}

describe("csr", () => {
  it.each([
    [1, 1, 1],
    [6, 9, 3],
    [9, 6, 8],
    [64, 64, 4],
    [100, 80, 5],
    [80, 100, 30],
    [300, 40, 2],
  ])("%i×%i with up to %i entries a row is the matrix written out", (m, n, perRow) => {
    const { sparse, dense } = pair(m, n, perRow, m + n);
    const [t, s] = [singularTriplet(sparse), singularTriplet(dense)];
    expect(Math.abs(t.sigma - s.sigma)).toBeLessThanOrEqual(1e-14 * s.sigma);
    if (!t.tied) expect(gradientDistance(t, s)).toBeLessThan(5 * (t.gradientError + s.gradientError));
    expect([t.tied, t.converged]).toEqual([s.tied, true]);
    const [a, b] = [valueAndGrad(sparse), valueAndGrad(dense)];
    expect(a.grad.shape).toEqual([m, n]);
    for (let k = 0; k < m * n && !t.tied; k++)
      expect(Math.abs(a.grad.data[k] - b.grad.data[k])).toBeLessThan(1e-11);
    // Empty rows and columns are left out, so the steps differ: each value is within 3√min(m, n)·ε·σ₁ of the truth.
    const slack = 2 * 3 * Math.sqrt(Math.min(m, n)) * 2 ** -52;
    const values = svdvals(dense);
    expect(svdvals(sparse).length).toBe(values.length);
    svdvals(sparse).forEach((value, i) => {
      expect(Math.abs(value - values[i]), `σ${i + 1}`).toBeLessThanOrEqual(slack * s.sigma);
    });
    // Of the ratios σ_min/σ₁, since σ_min may be zero.
    expect(Math.abs(1 / cond(sparse) - 1 / cond(dense))).toBeLessThanOrEqual(2 * slack);
    for (const ord of NORM_ORDERS)
      expect(Math.abs(matrixNorm(sparse, ord) - matrixNorm(dense, ord)), `${ord}`).toBeLessThanOrEqual(
        1e-14 * s.sigma * Math.sqrt(m * n),
      );
  });

  it("sums what is given twice, drops nothing else, and is not the caller's memory", () => {
    const data = Float64Array.of(1, 2, 0, 4, -4);
    const indices = Int32Array.of(2, 2, 0, 1, 1);
    const A = csr({ data, indices, indptr: [0, 3, 5], shape: [2, 3] });
    data.fill(9);
    indices.fill(0);
    expect(spectralNorm(A)).toBe(3);
    expect(matrixNorm(A, 1)).toBe(3);
    expect([...A.data]).toEqual([3, 0, 0]);
    expect(A.shape).toEqual([2, 3]);
    expect(A.kind).toBe("csr");
  });

  it("float32 stays float32, anything else is float64, 64-bit integers too", () => {
    const parts = { indices: [0, 1], indptr: [0, 2], shape: [1, 2] as const };
    const single = csr({ ...parts, data: Float32Array.of(3, 4) });
    expect(singularTriplet(single).v).toBeInstanceOf(Float32Array);
    expect(valueAndGrad(single).grad.data).toBeInstanceOf(Float32Array);
    for (const data of [Int8Array.of(3, 4), [3, 4], BigInt64Array.of(3n, 4n) as unknown as number[]])
      expect(singularTriplet(csr({ ...parts, data })).v).toBeInstanceOf(Float64Array);
    const wide = csr({
      data: [3, 4],
      indices: BigInt64Array.of(0n, 1n) as unknown as number[],
      indptr: BigInt64Array.of(0n, 2n) as unknown as number[],
      shape: [1, 2],
    });
    expect(spectralNorm(wide)).toBe(5);
  });

  it("without any entry, or with zeros alone, is the zero matrix", () => {
    for (const count of [0, 3])
      for (const [m, n] of [
        [4, 5],
        [500, 300],
        [3, 1000],
      ]) {
        const indptr = new Float64Array(m + 1).fill(count, 1);
        const A = csr({
          data: new Float64Array(count),
          indices: [0, 1, 2].slice(0, count),
          indptr,
          shape: [m, n],
        });
        const t = singularTriplet(A);
        expect([t.sigma, t.tied, t.converged, t.u.length, t.v.length]).toEqual([0, true, true, m, n]);
        expect(Math.hypot(...t.u)).toBeCloseTo(1, 14);
        expect(valueAndGrad(A).grad.data.every((x) => x === 0)).toBe(true);
        expect(matrixNorm(A, "fro")).toBe(0);
      }
  });

  it("of 10⁶×10⁶ with few entries takes memory for its vectors and little more", () => {
    const N = 1e6;
    const entries: [number, number, number][] = [
      [7, 999_999, 3],
      [500_000, 5, -4],
      [500_000, 999_999, 4],
      [999_999, 3, 1],
    ];
    const indptr = new Float64Array(N + 1);
    for (const [i] of entries) indptr[i + 1]++;
    for (let i = 0; i < N; i++) indptr[i + 1] += indptr[i];
    const A = csr({
      data: entries.map(([, , value]) => value),
      indices: entries.map(([, j]) => j),
      indptr,
      shape: [N, N],
    });
    const before = process.memoryUsage().arrayBuffers;
    const start = new Float64Array(N);
    start[5] = 1;
    for (const options of [undefined, { start }, { method: "lanczos" as const }]) {
      const t = singularTriplet(A, options);
      // [0 3; −4 4]: σ² are the roots of λ² − 41λ + 144.
      expect(Math.abs(t.sigma / Math.sqrt((41 + Math.sqrt(41 * 41 - 4 * 144)) / 2) - 1)).toBeLessThan(1e-14);
      expect([t.converged, t.tied, t.u.length, t.v.length]).toEqual([true, false, N, N]);
      expect(t.u.filter((x) => x !== 0).length).toBeLessThanOrEqual(3);
      expect(t.v[999_999]).not.toBe(0);
    }
    expect(Math.abs(spectralNorm(A) / singularTriplet(A).sigma - 1)).toBeLessThan(1e-14);
    expect(matrixNorm(A, "fro")).toBe(Math.sqrt(42));
    expect(matrixNorm(A, 1)).toBe(7);
    expect(matrixNorm(A, Number.POSITIVE_INFINITY)).toBe(8);
    // Three pairs of vectors, and the start.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 8 * N);
    expectRefusal(() => valueAndGrad(A), "ERR_UNSUPPORTED", "does not fit", "singularTriplet");
  });

  it("refuses a dense gradient of more than 2³² numbers, which some engines grant", () => {
    const n = 2 ** 16 + 1;
    const indptr = Uint32Array.from({ length: n + 1 }, (_, i) => Math.min(i, 1));
    const A = csr({ data: Float32Array.of(1), indices: [0], indptr, shape: [n, n] });
    expectRefusal(() => valueAndGrad(A), "ERR_UNSUPPORTED", "does not fit", "singularTriplet");
  });

  it("sums long rows and columns without drift", () => {
    const N = 200_000;
    const all = Float64Array.from({ length: N }, (_, i) => i);
    const data = new Float64Array(N).fill(0.1);
    const row = csr({ data, indices: all, indptr: [0, N], shape: [1, N] });
    const column = csr({ data, indices: new Float64Array(N), indptr: [...all, N], shape: [N, 1] });
    // The double 0.1 times N, and times √N: rounding of the answer alone, where a running sum loses 1e-11.
    expect(Math.abs(matrixNorm(row, Number.POSITIVE_INFINITY) / (0.1 * N) - 1)).toBeLessThan(4 * 2 ** -52);
    expect(Math.abs(matrixNorm(column, 1) / (0.1 * N) - 1)).toBeLessThan(4 * 2 ** -52);
    for (const A of [row, column])
      expect(Math.abs(spectralNorm(A) / (0.1 * Math.sqrt(N)) - 1)).toBeLessThan(1e-14);
    const out = new Float64Array(1);
    row.matvec(new Float64Array(N).fill(1), out);
    expect(Math.abs(out[0] / (0.1 * N) - 1)).toBeLessThan(1e-13);
    column.rmatvec(new Float64Array(N).fill(1), out);
    expect(Math.abs(out[0] / (0.1 * N) - 1)).toBeLessThan(4 * 2 ** -52);
  });
});

describe("all singular values of a sparse matrix", () => {
  const core = normalMatrix(7, 5, 3);

  /** The core's rows and columns at these places of an m×n matrix, with zeros that are stored here and there. */
  function embedded(rows: number[], columns: number[], [m, n]: [number, number], single = false) {
    const parts = { data: [] as number[], row: [] as number[], col: [] as number[] };
    const add = (value: number, i: number, j: number) => {
      parts.data.push(value);
      parts.row.push(i);
      parts.col.push(j);
    };
    rows.forEach((i, p) => {
      columns.forEach((j, q) => {
        add(core.data[p * 5 + q], i, j);
      });
    });
    for (let k = 0; k < 20; k++) add(0, (k * 7919) % m, (k * 104_729) % n);
    const data = single ? Float32Array.from(parts.data) : parts.data;
    return coo({ ...parts, data, shape: [m, n] });
  }
  const all = (length: number, first: number, step: number) =>
    Array.from({ length }, (_, i) => first + i * step);

  it("is that of its rows and columns in use, to the last bit, and zero otherwise", () => {
    const [nuclear, schatten, ratio] = [matrixNorm(core, "nuc"), schattenNorm(core, 3), cond(core)];
    const least = matrixNorm(core, -2);
    const expected = svdvals(core);
    const cases: [number[], number[], [number, number]][] = [
      [all(7, 0, 1), all(5, 0, 1), [7, 5]],
      [all(7, 1, 1), all(5, 0, 1), [8, 5]],
      [all(7, 3, 1000), all(5, 0, 1), [9000, 5]],
      [all(7, 0, 1), all(5, 2, 3), [7, 20]],
      [all(7, 2, 5), all(5, 1, 9), [40, 60]],
      [all(7, 11, 140_001), all(5, 3, 199_999), [1_000_000, 1_000_000]],
    ];
    for (const [rows, columns, shape] of cases) {
      const A = embedded(rows, columns, shape);
      const values = svdvals(A);
      expect(values.length).toBe(Math.min(...shape));
      expect(values.slice(0, 5)).toEqual(expected);
      expect(values.subarray(5).every((x) => x === 0)).toBe(true);
      expect([matrixNorm(A, "nuc"), schattenNorm(A, 3)]).toEqual([nuclear, schatten]);
      const deficient = values.length > 5;
      expect(cond(A)).toBe(deficient ? Number.POSITIVE_INFINITY : ratio);
      expect(matrixNorm(A, -2)).toBe(deficient ? 0 : least);
    }
    const narrow = { data: Float32Array.from(core.data), shape: [7, 5] as const };
    expect(svdvals(embedded(all(7, 2, 5), all(5, 1, 9), [40, 60], true)).slice(0, 5)).toEqual(
      svdvals(narrow),
    );
  });

  it("takes no memory for what is empty", () => {
    const before = process.memoryUsage().arrayBuffers;
    const size = kernels().arena.size();
    // 20000² numbers are 3 GB, and an SVD of 3000² takes a quarter of a minute.
    for (const n of [3000, 20_000, 1_000_000]) {
      const A = coo({ data: [-3], row: [17], col: [n - 1], shape: [n, n] });
      const values = svdvals(A);
      expect([values.length, values[0], values[1]]).toEqual([n, 3, 0]);
      expect([cond(A), matrixNorm(A, "nuc"), matrixNorm(A, -2), schattenNorm(A, 2)]).toEqual([
        Number.POSITIVE_INFINITY,
        3,
        0,
        3,
      ]);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 8 * 1e6);
    expect(kernels().arena.size()).toBeLessThanOrEqual(size);
  });

  it("of no entries, or zeros alone, are zero", () => {
    for (const data of [[], [0, 0]]) {
      const A = coo({ data, row: data, col: data, shape: [100_000, 50_000] });
      expect(svdvals(A)).toEqual(new Float64Array(50_000));
      expect([cond(A), matrixNorm(A, "nuc"), matrixNorm(A, -2), schattenNorm(A, 1)]).toEqual([
        Number.POSITIVE_INFINITY,
        0,
        0,
        0,
      ]);
    }
  });

  it("are refused where too much is in use", () => {
    const n = 40_000;
    const diagonal = Float64Array.from({ length: n }, (_, i) => i);
    const A = coo({ data: diagonal.map((i) => i + 1), row: diagonal, col: diagonal, shape: [n, 2 * n] });
    for (const run of [
      () => svdvals(A),
      () => cond(A),
      () => matrixNorm(A, "nuc"),
      () => matrixNorm(A, -2),
      () => schattenNorm(A, 1),
    ])
      expectRefusal(run, "ERR_UNSUPPORTED", "40000×40000", "does not fit", "singularTriplet");
  });
});

describe("csr refuses", () => {
  const good: CsrParts = { data: [1, 2], indices: [0, 1], indptr: [0, 1, 2], shape: [2, 2] };
  it.each<[string, unknown, string[]]>([
    ["nothing", undefined, ["csr"]],
    ["null", null, ["csr"]],
    ["no data", { ...good, data: undefined }, ["data"]],
    ["no indices", { ...good, indices: 3 }, ["indices"]],
    ["no pointers", { ...good, indptr: null }, ["indptr"]],
    ["no shape", { ...good, shape: undefined }, ["shape"]],
    ["an empty shape", { ...good, shape: [0, 2] }, ["empty"]],
    ["fewer indices", { ...good, indices: [0] }, ["2 entries", "1 column"]],
    ["too few pointers", { ...good, indptr: [0, 2] }, ["3 row pointers", "got 2"]],
    ["pointers from 1", { ...good, indptr: [1, 1, 2] }, ["from 0 to 2"]],
    ["pointers beyond", { ...good, indptr: [0, 1, 3] }, ["from 0 to 2"]],
    [
      "falling pointers",
      { data: [1, 2], indices: [0, 1], indptr: [0, 2, 1, 2], shape: [3, 2] },
      ["row pointer 2"],
    ],
    ["broken pointers", { ...good, indptr: [0, 0.5, 2] }, ["row pointer 1"]],
    ["a column beyond", { ...good, indices: [0, 2] }, ["entry 1", "row 1", "column 2", "0 … 1"]],
    ["a column below", { ...good, indices: [-1, 0] }, ["entry 0", "column -1"]],
    ["a broken column", { ...good, indices: [0.5, 0] }, ["column 0.5"]],
    ["text", { ...good, data: ["1", "2"] }, ["data[0]"]],
    ["entries that have no column", { ...good, data: [1, 2, 3] }, ["3 entries and 2 column indices"]],
    ["5·10⁹ columns", { ...good, shape: [2, 5e9] }, ["5000000000"]],
    ["10¹⁵ columns", { data: [], indices: [], indptr: [0, 0], shape: [1, 1e15] }, ["10000"]],
  ])("%s", (_, parts, words) => {
    expectRefusal(() => csr(parts as CsrParts), "ERR_SHAPE", ...words);
  });

  it("complex entries, by name", () => {
    expectRefusal(
      () => csr({ ...good, data: [{ re: 1, im: 2 }, 1] as number[] }),
      "ERR_UNSUPPORTED",
      "complex",
    );
  });

  it("the first NaN or infinity in reading order, and sums that overflow", () => {
    const wide = { indptr: [0, 2, 5], shape: [2, 9] as const, indices: [3, 1, 8, 2, 5] };
    expectNonFinite(() => csr({ ...wide, data: [1, 1, Number.NaN, Number.NaN, 1] }), 1, 2, "NaN");
    expectNonFinite(() => csr({ ...wide, data: [1, Number.NEGATIVE_INFINITY, 1, 1, 1] }), 0, 1, "-Infinity");
    expectNonFinite(
      () => csr({ ...good, data: [1e308, 1e308], indices: [1, 1], indptr: [0, 0, 2] }),
      1,
      1,
      "Inf",
    );
    const single = { ...good, data: Float32Array.of(3e38, 3e38), indices: [1, 1], indptr: [0, 0, 2] };
    expectNonFinite(() => csr(single), 1, 1, "Inf");
  });
});

describe("a sparse matrix that was changed after it was made", () => {
  const parts = { data: [3, 1, 4], indices: [2, 0, 1], indptr: [0, 2, 3], shape: [2, 3] as const };
  const complexParts = { ...parts, data: [3, 0, 1, 2, 4, -1], dtype: "complex128" };
  const functions: [string, (A: SparseMatrix) => unknown][] = [
    ["spectralNorm", (A) => spectralNorm(A)],
    ["singularTriplet", (A) => singularTriplet(A)],
    ["valueAndGrad", (A) => valueAndGrad(A)],
    ["svdvals", (A) => svdvals(A)],
    ["cond", (A) => cond(A)],
    ["certify", (A) => certify(A)],
    ["matrixNorm, fro", (A) => matrixNorm(A, "fro")],
    ["an operator on it", (A) => spectralNorm(transposeOf(A))],
  ];

  it.each(functions)("%s takes a copy of the object, and refuses one with other parts", (_, f) => {
    for (const make of [() => csr(parts), () => csr(complexParts)]) {
      const A = make();
      expect(f({ ...A })).toEqual(f(A));
      for (const other of [
        { data: A.data.map((x) => 10 * x) },
        { indices: A.indices.slice() },
        { indptr: A.indptr.slice() },
        { shape: [2, 4] as const },
      ])
        expectRefusal(() => f({ ...A, ...other }), "ERR_UNSUPPORTED", "csr, csc or coo");
    }
  });

  it("products that were not made here are trusted, as those of another copy of the package are", () => {
    const A = csr(parts);
    const other: SparseMatrix = {
      ...A,
      matvec: (x, out) => A.matvec(x, out),
      rmatvec: (y, out) => A.rmatvec(y, out),
    };
    for (const [, f] of functions) expect(f(other)).toEqual(f(A));
  });

  it.each(functions)(
    "%s takes other numbers in the same arrays, and names those that are not finite",
    (_, f) => {
      const A = csr(parts);
      A.data[2] = 40;
      expect(f(A)).toEqual(f(csr({ ...parts, data: [3, 1, 40] })));
      A.data.set([Number.NaN, Number.POSITIVE_INFINITY]);
      expectNonFinite(() => f(A), 0, 0, "Infinity");
      // Those of a complex matrix are kept twice.
      const C = csr(complexParts);
      C.data[2] = 5;
      expectRefusal(() => f(C), "ERR_UNSUPPORTED", "csr, csc or coo");
    },
  );
});

it("parts that were not passed to csr, csc or coo are never taken for a dense matrix", () => {
  const data = [1, 2, 3, 4];
  const shape = [2, 2];
  for (const parts of [
    { data, indices: [1, 0, 0, 1], indptr: [0, 2, 4], shape },
    { data, row: [1, 1, 0, 0], col: Int32Array.of(0, 1, 1, 0), shape },
    { kind: "csr", data, shape },
    { data: [...data, ...data], indices: [1, 0, 0, 1], indptr: [0, 2, 4], shape, dtype: "complex128" },
  ])
    for (const f of [spectralNorm, valueAndGrad, svdvals, certify])
      expectRefusal(() => f(parts as never), "ERR_UNSUPPORTED", "pass them to csr, csc or coo");
  // A matrix may have methods of these names.
  expect(spectralNorm({ data, shape, row: () => [], col: () => [] } as never)).toBe(
    spectralNorm({ data, shape }),
  );
});

describe("matrices of the Matrix Market", () => {
  // σ₁ and σ₂ from a dense SVD.
  const known: [string, number, number][] = [
    ["well1033", 1.8065110200065646, 1.7678371616479138],
    ["illc1033", 2.144354511283515, 2.104230165766798],
    ["west0479", 318951.75980514265, 317252.89983629173],
  ];
  it.each(known)("%s", (name, sigma, second) => {
    const bytes = readFileSync(new URL(`../fixtures/${name}.mtx`, import.meta.url));
    const [entry] = readMatrices(memorySource(bytes), `${name}.mtx`);
    if (entry?.kind !== "matrix") expect.fail("no matrix");
    const A = entry.matrix as SparseMatrix;
    expect(A.kind).toBe("csr");
    const t = singularTriplet(A);
    expect(Math.abs(t.sigma / sigma - 1)).toBeLessThan(1e-13);
    expect(Math.abs(spectralNorm(A) / sigma - 1)).toBeLessThan(1e-13);
    expect(Math.abs(t.gap / (sigma - second) - 1)).toBeLessThan(1e-3);
    expect([t.converged, t.tied]).toEqual([true, false]);
    const values = svdvals(A);
    expect(Math.abs(values[0] / sigma - 1)).toBeLessThan(1e-13);
    expect(Math.abs(values[1] / second - 1)).toBeLessThan(1e-13);
    const { value, grad } = valueAndGrad(A);
    // ⟨G, A⟩ = σ, summed over the entries of A.
    const [, n] = A.shape;
    let inner = 0;
    for (let i = 0; i < A.shape[0]; i++)
      for (let k = A.indptr[i]; k < A.indptr[i + 1]; k++)
        inner += A.data[k] * grad.data[i * n + A.indices[k]];
    expect(Math.abs(inner / value - 1)).toBeLessThan(1e-13);
  });
});
