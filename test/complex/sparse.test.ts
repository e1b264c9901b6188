import { describe, expect, it } from "vitest";
import {
  cond,
  coo,
  csc,
  csr,
  hessianVectorProduct,
  linearOperator,
  matrixNorm,
  schattenNorm,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  svdvals,
  tripletVjp,
  valueAndGrad,
} from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { NORM_ORDERS } from "../norm-orders.js";
import { expectRefusal } from "../refusal.js";
import { type Complex, cast, complexDistance, complexNormal, PRECISIONS, type Precision } from "./build.js";

type AnyComplex = Complex<Float32Array | Float64Array>;

/** About a third of the entries, some rows and columns empty, in all three forms, and written out. */
function sparseForms(m: number, n: number, precision: Precision, seed: number) {
  const random = createRandom(seed);
  const dense = cast({ data: new Float64Array(2 * m * n), shape: [m, n] }, precision);
  const entries: { i: number; j: number; re: number; im: number }[] = [];
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      if (i % 5 === 3 || j % 7 === 4 || random.uniform() > 0.4) continue;
      const [re, im] = precision.Type.of(random.normal(), random.normal());
      entries.push({ i, j, re, im });
      dense.data[2 * (i * n + j)] = re;
      dense.data[2 * (i * n + j) + 1] = im;
    }
  const { dtype, Type } = precision;
  const compressed = (by: "i" | "j", other: "i" | "j", lines: number) => {
    const sorted = [...entries].sort((a, b) => a[by] - b[by] || b[other] - a[other]);
    return {
      data: Type.from(sorted.flatMap(({ re, im }) => [re, im])),
      indices: sorted.map((entry) => entry[other]),
      indptr: Array.from({ length: lines + 1 }, (_, k) => sorted.filter((entry) => entry[by] < k).length),
      ...{ shape: [m, n] as [number, number], dtype },
    };
  };
  // Shuffled, and one entry in two parts of which the sum is exact.
  const shuffled = [...entries].sort((a, b) => ((a.i * 7 + a.j * 3) % 11) - ((b.i * 7 + b.j * 3) % 11));
  const [first, ...rest] = shuffled;
  const given = first ? [...rest, { ...first, re: 0, im: first.im / 2 }, { ...first, im: first.im / 2 }] : [];
  const coordinates = {
    data: Type.from(given.flatMap(({ re, im }) => [re, im])),
    row: given.map(({ i }) => i),
    col: given.map(({ j }) => j),
    ...{ shape: [m, n] as [number, number], dtype },
  };
  return {
    dense: dense as AnyComplex,
    forms: { csr: csr(compressed("i", "j", m)), csc: csc(compressed("j", "i", n)), coo: coo(coordinates) },
  };
}

describe.each(PRECISIONS)("sparse matrices of $dtype", (precision) => {
  it.each([
    [1, 1],
    [4, 6],
    [9, 5],
    [30, 90],
    [80, 75],
    [70, 120],
  ])("%i×%i are the matrices written out", (m, n) => {
    const { dense, forms } = sparseForms(m, n, precision, m + n);
    const expected = singularTriplet(dense);
    const values = svdvals(dense);
    for (const [name, A] of Object.entries(forms)) {
      expect([Array.from(A.shape), A.dtype, A.data.constructor], name).toEqual([
        [m, n],
        precision.dtype,
        precision.Type,
      ]);
      for (const method of ["auto", "lanczos", "dense"] as const) {
        const t = singularTriplet(A, { method });
        const where = `${name}, ${method}`;
        expect(t.u, where).toBeInstanceOf(precision.Type);
        expect(Math.abs(t.sigma - expected.sigma), where).toBeLessThanOrEqual(
          precision.sigma * expected.sigma,
        );
        expect(t.converged, where).toBe(true);
        if (!expected.tied)
          expect(complexDistance(t, expected), where).toBeLessThan(
            5 * (t.gradientError + expected.gradientError) + 1e-12,
          );
        expect(Math.abs(spectralNorm(A, { method }) - expected.sigma)).toBeLessThanOrEqual(
          precision.sigma * expected.sigma,
        );
      }
      const { value, grad } = valueAndGrad(A);
      expect(Math.abs(value - expected.sigma)).toBeLessThanOrEqual(precision.sigma * expected.sigma);
      expect([grad.shape, grad.dtype]).toEqual([[m, n], precision.dtype]);
      svdvals(A).forEach((one, i) => {
        expect(Math.abs(one - values[i])).toBeLessThanOrEqual(1e-13 * values[0]);
      });
      const k = Math.min(3, m, n);
      singularTriplets(A, { k }).sigma.forEach((one, i) => {
        expect(Math.abs(one - values[i])).toBeLessThanOrEqual(precision.sigma * values[0]);
      });
      for (const ord of NORM_ORDERS)
        expect(Math.abs(matrixNorm(A, ord) - matrixNorm(dense, ord)), `${name}, ${ord}`).toBeLessThanOrEqual(
          precision.sigma * matrixNorm(dense, "nuc"),
        );
      expect(Math.abs(schattenNorm(A, 3) - schattenNorm(dense, 3))).toBeLessThanOrEqual(1e-12 * values[0]);
      // Empty rows make it singular, but for what rounding leaves.
      expect(cond(A)).toBeGreaterThan(Math.min(m, n) > 3 ? 1e12 : 0.5);
      const [x, y, other] = [complexNormal(n, 1, 1).data, new Float64Array(2 * m), new Float64Array(2 * m)];
      A.matvec(x, y);
      linearOperator(dense).matvec(x, other);
      y.forEach((one, i) => {
        expect(Math.abs(one - other[i])).toBeLessThan(1e-13 * (1 + 10 * values[0]));
      });
      if (expected.tied) continue;
      const t = singularTriplet(A);
      const E = complexNormal(m, n, 4);
      const [H, G] = [hessianVectorProduct(A, E), hessianVectorProduct(dense, E)];
      const size = Math.hypot(...G.data);
      expect(Math.hypot(...H.data.map((one, i) => one - G.data[i]))).toBeLessThan(
        1e3 * precision.eps * (1 + size),
      );
      expect(tripletVjp(A, t, { sigma: 1 }).shape).toEqual([m, n]);
    }
    // Each form holds the entries row by row, and they are those of the dense matrix.
    for (const { data, indices, indptr } of Object.values(forms)) {
      const written = dense.data.slice().fill(0);
      for (let i = 0; i < m; i++)
        for (let k = indptr[i]; k < indptr[i + 1]; k++)
          written.set(data.subarray(2 * k, 2 * k + 2), 2 * (i * n + indices[k]));
      expect(written).toEqual(dense.data);
    }
  });
});

describe("sparse parts", () => {
  const parts = {
    data: Float64Array.of(3, 0, 0, 4),
    indices: [0, 1],
    indptr: [0, 2],
    shape: [1, 2] as [number, number],
    dtype: "complex128",
  };

  it("entries given twice are summed, also to zero", () => {
    const twice = csr({
      ...parts,
      data: Float64Array.of(1, 2, 2, -2, 0, 4),
      indices: [0, 0, 1],
      indptr: [0, 3],
    });
    expect(spectralNorm(twice)).toBeCloseTo(5, 14);
    const cancelled = coo({
      data: Float64Array.of(1, 2, -1, -2, 3, 4),
      row: [0, 0, 1],
      col: [0, 0, 1],
      shape: [2, 2],
      dtype: "complex128",
    });
    expect(spectralNorm(cancelled)).toBeCloseTo(5, 14);
    expect(svdvals(cancelled)[1]).toBe(0);
    const empty = csr({
      data: new Float64Array(0),
      indices: [],
      indptr: [0, 0, 0],
      shape: [2, 3],
      dtype: "complex128",
    });
    expect(singularTriplet(empty)).toMatchObject({ sigma: 0, tied: true, converged: true });
    expect(valueAndGrad(empty).grad.data).toEqual(new Float64Array(12));
  });

  it("a real part beside a complex one, integers and plain arrays", () => {
    expect(spectralNorm(csr({ ...parts, data: [3, 0, 0, 4] }))).toBeCloseTo(5, 14);
    expect(
      spectralNorm(
        csr({
          ...parts,
          data: [
            { re: 3, im: 0 },
            { re: 0, im: 4 },
          ],
        } as never),
      ),
    ).toBeCloseTo(5, 14);
    expect(
      spectralNorm(csr({ ...parts, indices: Int32Array.of(0, 1), indptr: BigInt64Array.of(0n, 2n) })),
    ).toBeCloseTo(5, 14);
  });

  it("few rows in use of many", () => {
    const N = 20_000;
    const A = csr({
      data: Float64Array.of(1, 1, 0, 3, 4, 0),
      indices: [3, 9000, 5],
      indptr: Float64Array.from({ length: N + 1 }, (_, i) => (i < 7 ? 0 : i < 9000 ? 1 : 3)),
      ...{ shape: [N, N] as [number, number], dtype: "complex128" },
    });
    const t = singularTriplet(A);
    expect(Math.abs(t.sigma - 5)).toBeLessThan(1e-13);
    expect([t.u.length, t.v.length]).toEqual([2 * N, 2 * N]);
    const values = svdvals(A);
    expect(values.length).toBe(N);
    expect([...values.subarray(0, 3)].map((x) => x.toFixed(12))).toEqual([
      (5).toFixed(12),
      Math.SQRT2.toFixed(12),
      (0).toFixed(12),
    ]);
    expect(cond(A)).toBe(Number.POSITIVE_INFINITY);
    expect(matrixNorm(A, -2)).toBe(0);
    expect(matrixNorm(A, "nuc")).toBeCloseTo(5 + Math.SQRT2, 12);
    expect(matrixNorm(A, 1)).toBe(4);
    expect(Math.abs(matrixNorm(A, "fro") - Math.sqrt(27))).toBeLessThan(1e-14);
  });

  it("bad indices, pointers, lengths and types", () => {
    const of = (more: object) => () => csr({ ...parts, ...more } as never);
    expectRefusal(of({ indices: [0, 2] }), "ERR_SHAPE", "column 2");
    expectRefusal(of({ indices: [0, -1] }), "ERR_SHAPE");
    expectRefusal(of({ indices: [0, 0.5] }), "ERR_SHAPE");
    expectRefusal(of({ indices: [0] }), "ERR_SHAPE", "indices");
    expectRefusal(of({ indptr: [0, 1] }), "ERR_SHAPE", "pointers");
    expectRefusal(of({ indptr: [0, 2, 2] }), "ERR_SHAPE", "pointers");
    expectRefusal(of({ data: Float64Array.of(1, 2, 3) }), "ERR_SHAPE", "3 numbers");
    expectRefusal(of({ data: Float32Array.of(1, 2, 3, 4) }), "ERR_UNSUPPORTED", "complex128");
    expectRefusal(of({ data: Int32Array.of(1, 2, 3, 4) }), "ERR_SHAPE", "Int32Array");
    expectRefusal(of({ shape: [1] }), "ERR_SHAPE", "[m, n]");
    expectRefusal(of({ shape: undefined }), "ERR_SHAPE");
    expectRefusal(of({ shape: [0, 2], indptr: [0] }), "ERR_SHAPE");
    const two = {
      data: Float64Array.of(1, 0, 2, 0),
      row: [0, 1],
      col: [0, 1],
      shape: [2, 2] as [number, number],
      dtype: "complex128",
    };
    expectRefusal(() => coo({ ...two, row: [0, 2] }), "ERR_SHAPE", "row", "2");
    expectRefusal(() => coo({ ...two, col: [0, 5] }), "ERR_SHAPE", "5");
    expectRefusal(() => coo({ ...two, row: [0] }), "ERR_SHAPE", "row");
    expectRefusal(
      () => csc({ ...parts, indices: [0, 1], indptr: [0, 1, 2], shape: [1, 2] }),
      "ERR_SHAPE",
      "row 1",
    );
    expectRefusal(
      () =>
        csr({ ...parts, indices: [0, 1, 1], data: new Float64Array(6), indptr: [0, 3, 1, 3], shape: [3, 2] }),
      "ERR_SHAPE",
      "row pointer 2",
    );
  });
});
