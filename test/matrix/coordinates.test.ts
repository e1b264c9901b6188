import { describe, expect, it } from "vitest";
import { certify, coo, csc, csr, type SparseMatrix, singularTriplet, valueAndGrad } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";

/** Random places, some of them twice, with empty rows and columns. */
function entries(m: number, n: number, count: number, seed: number) {
  const random = createRandom(seed);
  const place = (size: number) => Math.floor(random.uniform() * Math.max(1, size - 2));
  const data: number[] = [];
  const row: number[] = [];
  const col: number[] = [];
  for (let k = 0; k < count; k++) {
    data.push(random.normal());
    row.push(place(m));
    col.push(place(n));
  }
  return { data, row, col, shape: [m, n] as [number, number] };
}

function dense({ data, row, col, shape: [m, n] }: ReturnType<typeof entries>): Float64Array {
  const A = new Float64Array(m * n);
  data.forEach((value, k) => {
    A[row[k] * n + col[k]] += value;
  });
  return A;
}

/** The entries of a sparse matrix, of which none may stand twice. */
function written({ data, indices, indptr, shape: [m, n] }: SparseMatrix): Float64Array {
  const A = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      expect(A[i * n + indices[k]]).toBe(0);
      A[i * n + indices[k]] = data[k];
    }
  return A;
}

/** Compressed columns, a column at a time. */
function columns({ data, row, col, shape: [m, n] }: ReturnType<typeof entries>) {
  const parts = {
    data: [] as number[],
    indices: [] as number[],
    indptr: [0],
    shape: [m, n] as [number, number],
  };
  for (let j = 0; j < n; j++) {
    col.forEach((column, k) => {
      if (column !== j) return;
      parts.data.push(data[k]);
      parts.indices.push(row[k]);
    });
    parts.indptr.push(parts.data.length);
  }
  return parts;
}

describe.each([
  [1, 1, 1],
  [7, 5, 30],
  [5, 7, 30],
  [1, 40, 20],
  [40, 1, 20],
  [90, 70, 900],
  [3, 4, 0],
])("%i×%i with %i entries", (m, n, count) => {
  const parts = entries(m, n, count, m + n);
  const A = dense(parts);

  it("coo and csc have them, given twice or not", () => {
    expect(written(coo(parts))).toEqual(A);
    expect(written(csc(columns(parts)))).toEqual(A);
  });

  it("is a csr matrix for all that takes one", () => {
    const sparse = coo(parts);
    expect(sparse.kind).toBe("csr");
    const again = csr({ ...sparse, indices: sparse.indices.slice(0, sparse.data.length) });
    expect(singularTriplet(sparse)).toEqual(singularTriplet(again));
    expect(valueAndGrad(csc(columns(parts))).value).toBeCloseTo(
      singularTriplet({ data: A, shape: [m, n] }).sigma,
      12,
    );
    const { lower, upper, proven } = certify(sparse);
    const { sigma } = singularTriplet({ data: A, shape: [m, n] });
    expect(proven).toBe(true);
    expect(lower).toBeLessThanOrEqual(sigma * (1 + 1e-14));
    expect(upper).toBeGreaterThanOrEqual(sigma * (1 - 1e-14));
  });
});

it("keeps float32, takes other numbers as float64, and indices of 64 bits", () => {
  const places = { row: BigInt64Array.of(1n, 0n) as never, col: BigUint64Array.of(0n, 2n) as never };
  expect(coo({ data: Float32Array.of(1, 2), ...places, shape: [2, 3] }).data).toBeInstanceOf(Float32Array);
  const big = csc({
    data: BigInt64Array.of(3n, -4n) as never,
    indices: Int32Array.of(1, 0),
    indptr: BigInt64Array.of(0n, 1n, 1n, 2n) as never,
    shape: [2, 3],
  });
  expect(written(big)).toEqual(Float64Array.of(0, 0, -4, 3, 0, 0));
});

it("copies", () => {
  const parts = { data: Float64Array.of(1, 2), row: [0, 1], col: [1, 0], shape: [2, 2] as const };
  const A = coo(parts);
  parts.data.fill(9);
  expect(written(A)).toEqual(Float64Array.of(0, 1, 2, 0));
});

describe("refuses", () => {
  const good = { data: [1, 2], row: [0, 1], col: [1, 0], shape: [2, 2] as [number, number] };
  const columns = { data: [1, 2], indices: [0, 1], indptr: [0, 1, 2], shape: [2, 2] as [number, number] };

  it("coordinates that are none", () => {
    expectRefusal(() => coo(undefined as never), "ERR_SHAPE", "coo", "row, col");
    expectRefusal(() => coo({ ...good, row: [0] }), "ERR_SHAPE", "2 entries and 1 of row");
    expectRefusal(() => coo({ ...good, col: 3 } as never), "ERR_SHAPE", "col must be an array", "number 3");
    const { row, col, ...rest } = good;
    const misnamed = { ...rest, rows: row, cols: col };
    expectRefusal(() => coo(misnamed as never), "ERR_SHAPE", "row must be", "data, row, col, shape");
    expectRefusal(() => coo({ ...good, row: [0, 2] }), "ERR_SHAPE", "entry 1", "row 2", "0 … 1");
    expectRefusal(() => coo({ ...good, col: [-1, 0] }), "ERR_SHAPE", "entry 0", "column -1");
    expectRefusal(() => coo({ ...good, row: [0, 0.5] }), "ERR_SHAPE", "row 0.5");
    expectRefusal(() => coo({ ...good, shape: [2, 0] }), "ERR_SHAPE", "empty");
    expectRefusal(() => coo({ ...good, shape: [2 ** 32 + 1, 2] }), "ERR_SHAPE", "rows", "32 bits");
    expectRefusal(() => coo({ ...good, data: ["1", 2] as never }), "ERR_SHAPE", "coo: data[0]");
    expectRefusal(
      () => coo({ ...good, data: [1, { re: 1, im: 2 }] as never }),
      "ERR_UNSUPPORTED",
      "coo: data[1]",
      "complex",
    );
    expectNonFinite(() => coo({ ...good, data: [1, Number.NaN] }), 1, 0, "NaN");
    const twice = { data: [1.7e308, 1.7e308], row: [1, 1], col: [0, 0], shape: [2, 2] as const };
    expectNonFinite(() => coo(twice), 1, 0, "Infinity");
  });

  it("compressed columns that are none", () => {
    expectRefusal(() => csc(null as never), "ERR_SHAPE", "csc", "indptr");
    expectRefusal(() => csc({ ...columns, indices: [0] }), "ERR_SHAPE", "2 entries and 1 row indices");
    expectRefusal(
      () => csc({ ...columns, indptr: [0, 2] }),
      "ERR_SHAPE",
      "2 columns need 3 column pointers",
      "2",
    );
    expectRefusal(() => csc({ ...columns, indptr: [0, 1, 1] }), "ERR_SHAPE", "from 0 to 2");
    expectRefusal(() => csc({ ...columns, indptr: [0, 3, 2] }), "ERR_SHAPE", "column pointer 1 is 3");
    expectRefusal(() => csc({ ...columns, indices: [0, 2] }), "ERR_SHAPE", "csc: entry 1", "row 2");
    expectNonFinite(() => csc({ ...columns, data: [1, Number.NEGATIVE_INFINITY] }), 1, 1, "-Infinity");
  });
});
