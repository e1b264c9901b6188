import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import {
  cond,
  csr,
  type MatrixLike,
  matrixNorm,
  type NormOrder,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { fromEntries, normalMatrix, withSpectrum } from "../matrices.js";
import { expectRefusal } from "../refusal.js";

const EPS = 2 ** -52;
const INF = Number.POSITIVE_INFINITY;
const ORDERS: NormOrder[] = [2, -2, "fro", "nuc", 1, -1, INF, -INF];
/** What a backward stable SVD leaves of a singular value, against σ₁; two of them are compared. */
const allowed = (k: number) => (20 + 30 * Math.sqrt(k)) * EPS;

const oracle = ({ data, shape: [m, n] }: { data: ArrayLike<number>; shape: number[] }) => {
  const A = new Matrix(m, n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) A.set(i, j, data[i * n + j]);
  return new SVD(A, { autoTranspose: true }).diagonal;
};

describe("svdvals", () => {
  it.each([
    [1, 1],
    [1, 17],
    [17, 1],
    [5, 9],
    [33, 32],
    [64, 128],
    [101, 37],
  ])("%i×%i agrees with ml-matrix, in both precisions, strided too", (m, n) => {
    const A = normalMatrix(m, n, m * n);
    const single = { data: Float32Array.from(A.data), shape: [m, n] };
    for (const B of [A, single]) {
      const values = svdvals(B);
      const wanted = oracle(B);
      expect(values).toBeInstanceOf(Float64Array);
      expect(values.length).toBe(Math.min(m, n));
      values.forEach((value, i) => {
        expect(Math.abs(value - wanted[i])).toBeLessThanOrEqual(allowed(values.length) * wanted[0]);
        if (i > 0) expect(value).toBeLessThanOrEqual(values[i - 1]);
      });
    }
    const T = { data: A.data, shape: [n, m], stride: [1, n] };
    svdvals(T).forEach((value, i) => {
      expect(Math.abs(value - oracle(A)[i])).toBeLessThanOrEqual(
        allowed(m) * value + allowed(m) * oracle(A)[0],
      );
    });
  });

  it("finds closed forms at every scale", () => {
    for (const n of [3, 30, 90])
      for (const scale of [1, 1e-300, 1e300]) {
        const A = fromEntries(n, n, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0));
        const values = svdvals({ data: A.data.map((x) => x * scale), shape: [n, n] });
        values.forEach((value, k) => {
          const wanted = 2 + 2 * Math.cos(((k + 1) * Math.PI) / (n + 1));
          expect(Math.abs(value / scale - wanted)).toBeLessThan(4 * allowed(n));
        });
      }
  });

  it("ties, zeros and rank one", () => {
    expect(
      svdvals([
        [0, 0],
        [0, 0],
      ]),
    ).toEqual(new Float64Array(2));
    expect([...svdvals(fromEntries(9, 9, (i, j) => (i === j ? -3 : 0)))]).toEqual(new Array(9).fill(3));
    const ones = svdvals(fromEntries(30, 20, () => 1));
    expect(Math.abs(ones[0] - Math.sqrt(600))).toBeLessThan(allowed(20) * ones[0]);
    expect(ones[1]).toBeLessThan(allowed(20) * ones[0]);
  });
});

describe("cond", () => {
  it("is σ₁/σ_min, at every scale, and Infinity for singular matrices", () => {
    for (const spread of [1, 1e3, 1e8]) {
      const A = withSpectrum(20, 12, (i) => spread ** (-i / 11), 3);
      for (const scale of [1, 1e-300, 1e295]) {
        const found = cond({ data: A.data.map((x) => x * scale), shape: [20, 12] });
        expect(Math.abs(found / spread - 1)).toBeLessThan(allowed(12) * spread);
      }
    }
    expect(
      cond([
        [0, 0],
        [0, 0],
      ]),
    ).toBe(INF);
    expect(
      cond([
        [1, 0],
        [0, 0],
      ]),
    ).toBe(INF);
    expect(cond([[5]])).toBe(1);
    expect(cond(csr({ data: [4, -2], indices: [1, 0], indptr: [0, 1, 2], shape: [2, 2] }))).toBe(2);
    // σ₁ itself is beyond the largest double, and the quotient is not.
    expect(
      cond([
        [1.6e308, 1.6e308],
        [-1.6e308, 1.6e308],
      ]),
    ).toBeCloseTo(1, 14);
  });
});

describe("matrixNorm", () => {
  const numpy: [NormOrder, number][] = [
    // numpy.linalg.norm([[1, -2, 3], [4, 5, -6]], ord)
    [1, 9],
    [-1, 5],
    [INF, 15],
    [-INF, 6],
    ["fro", Math.sqrt(91)],
    [2, Math.sqrt((91 + Math.sqrt(91 * 91 - 4 * 502)) / 2)],
    [-2, Math.sqrt((91 - Math.sqrt(91 * 91 - 4 * 502)) / 2)],
  ];
  it.each(numpy)("ord %s is as numpy defines it, for every kind of matrix", (ord, wanted) => {
    const rows = [
      [1, -2, 3],
      [4, 5, -6],
    ];
    const data = rows.flat();
    const indices = [0, 1, 2, 0, 1, 2];
    const kinds: MatrixLike[] = [
      rows,
      { data: Int8Array.from(data), shape: [2, 3] },
      { data: Float32Array.from(data), shape: [2, 3] },
      { data: Float64Array.from(data).reverse(), shape: [2, 3], stride: [-3, -1], offset: 5 },
      csr({ data, indices, indptr: [0, 3, 6], shape: [2, 3] }),
    ];
    for (const A of kinds) expect(Math.abs(matrixNorm(A, ord) / wanted - 1)).toBeLessThan(allowed(2));
  });

  it("obeys the inequalities between the norms", () => {
    for (let seed = 0; seed < 30; seed++) {
      const [m, n] = [1 + (seed % 9), 1 + ((seed * 7) % 11)];
      const A = normalMatrix(m, n, seed);
      const norm = (ord: NormOrder) => matrixNorm(A, ord);
      const slack = 1 + allowed(Math.min(m, n));
      expect(norm(2)).toBeLessThanOrEqual(norm("fro") * slack);
      expect(norm("fro")).toBeLessThanOrEqual(norm("nuc") * slack);
      expect(norm("nuc")).toBeLessThanOrEqual(norm("fro") * Math.sqrt(Math.min(m, n)) * slack);
      expect(norm(2)).toBeLessThanOrEqual(Math.sqrt(norm(1) * norm(INF)) * slack);
      expect(norm(-2)).toBeLessThanOrEqual(norm(2) * slack);
      expect(norm(-1)).toBeLessThanOrEqual(norm(1));
      expect(norm(2)).toBe(spectralNorm(A));
      expect(Math.abs(norm("nuc") - svdvals(A).reduce((a, b) => a + b))).toBeLessThan(1e-13 * norm("nuc"));
    }
  });

  it("does not drift on long rows and columns", () => {
    const N = 300_000;
    const data = new Float64Array(N).fill(0.1);
    for (const shape of [
      [1, N],
      [N, 1],
    ])
      for (const [ord, wanted] of [
        [shape[0] === 1 ? INF : 1, 0.1 * N],
        ["fro", 0.1 * Math.sqrt(N)],
        [2, 0.1 * Math.sqrt(N)],
      ] as const)
        expect(Math.abs(matrixNorm({ data, shape }, ord) / wanted - 1), `${ord}`).toBeLessThan(20 * EPS);
  });

  it("is homogeneous, from 1e-300 to 1e300", () => {
    const A = normalMatrix(6, 8, 4);
    for (const ord of ORDERS)
      for (const power of [-990, -500, 500, 990]) {
        const scaled = { data: A.data.map((x) => x * 2 ** power), shape: [6, 8] };
        expect(matrixNorm(scaled, ord), `${ord}, 2^${power}`).toBe(matrixNorm(A, ord) * 2 ** power);
      }
  });

  it("refuses another ord, naming those there are", () => {
    for (const ord of [0, 3, -3, "2", "inf", undefined, null, Number.NaN, {}, 2n])
      expectRefusal(
        () => matrixNorm([[1]], ord as NormOrder),
        "ERR_OPTION",
        "ord",
        '"fro"',
        '"nuc"',
        "-Infinity",
      );
  });

  it("refuses options, real and complex", () => {
    const withOptions = matrixNorm as (A: unknown, ord: NormOrder, options: unknown) => number;
    for (const A of [[[1]], { data: Float64Array.of(1, 2), shape: [1, 1], dtype: "complex128" }])
      for (const options of [{}, { rtol: 1e-3 }, { axes: [1, 0] }, null])
        expectRefusal(
          () => withOptions(A, 1, options),
          "ERR_OPTION",
          "options",
          "matrixNorm takes no options",
        );
  });
});

describe("a norm beyond the largest double", () => {
  const A = { data: new Float64Array(12).fill(1e308), shape: [3, 4] };
  const sparse = csr({
    data: A.data,
    indices: [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3],
    indptr: [0, 4, 8, 12],
    shape: [3, 4],
  });
  const batch = { data: A.data, shape: [1, 3, 4] };
  const big = fromEntries(80, 80, () => 1e308);
  it.each<[string, () => unknown]>([
    ["spectralNorm", () => spectralNorm(A)],
    ["spectralNorm of a large matrix", () => spectralNorm(big)],
    ["spectralNorm, lanczos", () => spectralNorm(A, { method: "lanczos" })],
    ["valueAndGrad", () => valueAndGrad(A)],
    ["singularTriplet", () => singularTriplet(A)],
    ["spectralNormBatch", () => spectralNormBatch(batch)],
    ["valueAndGradBatch", () => valueAndGradBatch(batch)],
    ["svdvals", () => svdvals(A)],
    ["matrixNorm 2", () => matrixNorm(A, 2)],
    ["matrixNorm fro", () => matrixNorm(A, "fro")],
    ["matrixNorm nuc", () => matrixNorm(A, "nuc")],
    ["matrixNorm 1", () => matrixNorm(A, 1)],
    ["matrixNorm Infinity", () => matrixNorm(A, INF)],
    ["matrixNorm -1", () => matrixNorm(A, -1)],
    ["matrixNorm fro, sparse", () => matrixNorm(sparse, "fro")],
    ["matrixNorm 1, sparse", () => matrixNorm(sparse, 1)],
  ])("%s says so", (_, run) => {
    expectRefusal(run, "ERR_OVERFLOW", "largest double");
  });

  it("while what fits is given: up to the largest double itself", () => {
    const most = Number.MAX_VALUE;
    expect(spectralNorm({ data: Float64Array.of(most), shape: [1, 1] })).toBe(most);
    expect(
      svdvals([
        [most, 0],
        [0, 1],
      ])[0],
    ).toBe(most);
    expect(matrixNorm(A, -2)).toBeLessThan(1e-14 * 1e308 * 4);
    expect(Math.abs(spectralNorm(fromEntries(80, 80, () => 1e306)) / 8e307 - 1)).toBeLessThan(1e-13);
    // Float32 data has its norm in float64.
    const single = new Float32Array(10_000).fill(3e38);
    expect(Math.abs(spectralNorm({ data: single, shape: [100, 100] }) / (100 * single[0]) - 1)).toBeLessThan(
      1e-6,
    );
    expect(valueAndGrad({ data: single, shape: [100, 100] }).grad.data[7]).toBeCloseTo(0.01, 7);
  });
});
