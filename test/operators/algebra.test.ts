import { describe, expect, it } from "vitest";
import {
  coo,
  diagonal,
  kronecker,
  type LinearOperator,
  linearOperator,
  lowRank,
  type MatrixOrOperator,
  productOf,
  rowPanels,
  scaled,
  singularTriplets,
  spectralNorm,
  sumOf,
  transposeOf,
} from "../../src/index.js";
import { normalMatrix } from "../matrices.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";
import { type Dense, expectOperator, randomVector, singularValuesOf } from "./adjoint.js";

/** Terms of a sum in these small matrices, and more. */
const TERMS = 400;

const at = (A: Dense, i: number, j: number) => A.data[i * A.shape[1] + j];
function fill(m: number, n: number, entry: (i: number, j: number) => number): Dense {
  return {
    data: Float64Array.from({ length: m * n }, (_, k) => entry(Math.floor(k / n), k % n)),
    shape: [m, n],
  };
}
function times(A: Dense, B: Dense): Dense {
  return fill(A.shape[0], B.shape[1], (i, j) => {
    let sum = 0;
    for (let k = 0; k < A.shape[1]; k++) sum += at(A, i, k) * at(B, k, j);
    return sum;
  });
}
const plus = (A: Dense, B: Dense, s = 1) => fill(...A.shape, (i, j) => at(A, i, j) + s * at(B, i, j));

/** The same matrix of small whole numbers, exact in every type, in every form there is. */
function forms(m: number, n: number, seed: number): [string, MatrixOrOperator, Dense][] {
  const A = fill(m, n, (i, j) => Math.round(4 * Math.sin(seed + 7 * i + 3 * j * j)));
  const byColumns = Float32Array.from({ length: m * n }, (_, k) => at(A, k % m, Math.floor(k / m)));
  const places = Array.from(A.data.keys())
    .filter((k) => A.data[k] !== 0)
    .reverse();
  const bits = new Uint32Array(Float32Array.from(A.data).buffer);
  const bare: LinearOperator = {
    shape: [m, n],
    matvec(x, out) {
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i] += at(A, i, j) * x[j];
    },
    rmatvec(y, out) {
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j] += at(A, i, j) * y[i];
    },
  };
  return [
    ["float64", A, A],
    ["columns first, float32", { data: byColumns, shape: [m, n], stride: [1, m] }, A],
    ["bfloat16", { data: Uint16Array.from(bits, (x) => x >>> 16), dtype: "bfloat16", shape: [m, n] }, A],
    ["integers", { data: Int8Array.from(A.data), shape: [m, n] }, A],
    ["rows", Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => at(A, i, j))), A],
    [
      "sparse",
      coo({
        data: places.map((k) => A.data[k]),
        row: places.map((k) => Math.floor(k / n)),
        col: places.map((k) => k % n),
        shape: [m, n],
      }),
      A,
    ],
    ["bare", bare, A],
    [
      "panels",
      rowPanels({
        shape: [m, n],
        dtype: "float64",
        panelRows: 3,
        rows: (first, count) => A.data.slice(first * n, (first + count) * n),
      }),
      A,
    ],
  ];
}

describe("linearOperator", () => {
  for (const [m, n] of [
    [5, 7],
    [1, 9],
    [9, 1],
    [300, 4],
    [3, 280],
  ])
    it.each(forms(m, n, m))(`${m}×${n}, %s`, (_, A, M) => {
      expectOperator(linearOperator(A), M, TERMS);
    });

  it("sums long rows and columns in blocks", () => {
    const n = 100_000;
    const ones = { data: new Float64Array(n).fill(0.1), shape: [1, n] as [number, number] };
    const [x, out] = [new Float64Array(n).fill(1), new Float64Array(1)];
    for (const A of [linearOperator(ones), transposeOf(transposeOf({ ...ones, stride: [n, 1] }))]) {
      A.matvec(x, out);
      // 782 blocks of 128 terms are good to 910 roundings; a running sum is off by 2e-12.
      expect(Math.abs(out[0] / 1e4 - 1)).toBeLessThan(910 * 2 ** -53);
    }
    transposeOf({ ...ones, shape: [n, 1] }).matvec(x, out);
    expect(Math.abs(out[0] / 1e4 - 1)).toBeLessThan(910 * 2 ** -53);
  });

  it("refers to its matrix: where that changes, so does the operator", () => {
    const A = { data: new Float64Array(6).fill(1), shape: [2, 3] };
    const operator = linearOperator(A);
    A.data[0] = 5;
    const out = new Float64Array(2);
    operator.matvec(Float64Array.of(1, 1, 1), out);
    expect(Array.from(out)).toEqual([7, 3]);
  });

  it("refuses what is no matrix, and NaN", () => {
    expectRefusal(() => linearOperator(3 as never), "ERR_SHAPE", "3");
    const data = Float64Array.of(1, 2, 3, Number.NaN, 5, 6);
    expectNonFinite(() => linearOperator({ data, shape: [2, 3] }), 1, 0, "NaN");
    expectNonFinite(() => sumOf({ data, shape: [3, 2] }), 1, 1, "NaN");
  });
});

describe("sums, products, transposes, scalings", () => {
  const [A, B, C] = [normalMatrix(6, 4, 1), normalMatrix(6, 4, 2), normalMatrix(4, 5, 3)];

  it("of dense parts", () => {
    expectOperator(sumOf(A), A, TERMS);
    expectOperator(sumOf(A, B, A), plus(plus(A, B), A), TERMS, 8);
    expectOperator(productOf(A), A, TERMS);
    expectOperator(productOf(A, C), times(A, C), TERMS, 100);
    expectOperator(
      productOf(transposeOf(B), A, C),
      times(
        times(
          fill(4, 6, (i, j) => at(B, j, i)),
          A,
        ),
        C,
      ),
      TERMS,
      1e3,
    );
    expectOperator(
      transposeOf(A),
      fill(4, 6, (i, j) => at(A, j, i)),
      TERMS,
    );
    expectOperator(
      scaled(A, -2.5),
      fill(6, 4, (i, j) => -2.5 * at(A, i, j)),
      TERMS,
    );
    const [d, e] = [randomVector(6, 4), randomVector(4, 5)];
    expectOperator(
      diagonal(d),
      fill(6, 6, (i, j) => (i === j ? d[i] : 0)),
      TERMS,
    );
    expectOperator(
      productOf(diagonal(d), A, diagonal(e)),
      fill(6, 4, (i, j) => d[i] * at(A, i, j) * e[j]),
      TERMS,
    );
  });

  it("of parts in every form, one inside the other", () => {
    const all = forms(5, 7, 1);
    const sum = all.slice(1).reduce((M, [, , part]) => plus(M, part), all[0][2]);
    expectOperator(sumOf(...all.map(([, part]) => part)), sum, TERMS);
    for (const [, part, M] of all) {
      const twice = plus(M, M);
      const square = times(
        fill(7, 5, (i, j) => at(twice, j, i)),
        twice,
      );
      const doubled = sumOf(part, part);
      expectOperator(productOf(transposeOf(doubled), scaled(doubled, 1)), square, TERMS, 10);
    }
  });

  it("takes norms and triplets as those of a matrix", () => {
    const M = plus(times(A, C), times(B, C));
    const product = productOf(sumOf(A, B), C);
    const values = singularValuesOf(M);
    expect(Math.abs(spectralNorm(product) / values[0] - 1)).toBeLessThan(1e-14);
    const { sigma, u, v } = singularTriplets(product, { k: 4 });
    sigma.forEach((value, i) => {
      expect(Math.abs(value - values[i])).toBeLessThan(1e-14 * values[0]);
    });
    expect([u.shape, v.shape]).toEqual([
      [4, 6],
      [4, 5],
    ]);
  });

  it("refuses parts that do not fit, by their shapes", () => {
    expectRefusal(() => sumOf(A, B, C), "ERR_SHAPE", "part 2 is 4×5", "6×4");
    expectRefusal(() => sumOf(), "ERR_SHAPE", "sumOf", "none");
    expectRefusal(() => productOf(A, B), "ERR_SHAPE", "part 0 is 6×4", "part 1 is 6×4");
    expectRefusal(() => productOf(), "ERR_SHAPE", "productOf", "none");
    expectRefusal(() => scaled(A, Number.NaN), "ERR_OPTION", "scaled", "NaN");
    expectRefusal(() => diagonal([]), "ERR_SHAPE", "empty");
    expectRefusal(() => diagonal("abc" as never), "ERR_SHAPE", "diagonal");
    expectNonFinite(() => diagonal([1, 2, Number.POSITIVE_INFINITY]), 2, 2, "Infinity");
    expectRefusal(() => diagonal([1, Object.create(null)]), "ERR_SHAPE", "element 1", "object");
    expectRefusal(() => diagonal([[1, 2], [3]] as never), "ERR_SHAPE", "element 0", "an array");
  });
});

describe("kronecker", () => {
  const dense = (A: Dense, B: Dense) => {
    const [r, s] = B.shape;
    return fill(
      A.shape[0] * r,
      A.shape[1] * s,
      (i, j) => at(A, Math.floor(i / r), Math.floor(j / s)) * at(B, i % r, j % s),
    );
  };

  it.each([
    [2, 3, 4, 5],
    [3, 2, 5, 4],
    [1, 6, 7, 2],
    [6, 1, 1, 5],
    [5, 2, 2, 9],
  ])("%i×%i by %i×%i", (p, q, r, s) => {
    const [A, B] = [normalMatrix(p, q, 1), normalMatrix(r, s, 2)];
    const M = dense(A, B);
    expectOperator(kronecker(A, B), M, TERMS);
    const norm = singularValuesOf(A)[0] * singularValuesOf(B)[0];
    expect(Math.abs(spectralNorm(kronecker(A, B)) / norm - 1)).toBeLessThan(1e-14);
  });

  it("of every form, and of itself", () => {
    for (const [, A, M] of forms(3, 4, 1))
      for (const [, B, N] of forms(2, 5, 2)) expectOperator(kronecker(A, B), dense(M, N), TERMS);
    const A = normalMatrix(3, 2, 1);
    const twice = kronecker(A, A);
    expectOperator(kronecker(twice, twice), dense(dense(A, A), dense(A, A)), TERMS);
  });

  it("has all products of singular values, in an operator too large to write out", () => {
    const [A, B] = [normalMatrix(60, 40, 1), normalMatrix(50, 70, 2)];
    const products = singularValuesOf(A)
      .flatMap((a) =>
        singularValuesOf(B)
          .slice(0, 6)
          .map((b) => a * b),
      )
      .sort((a, b) => b - a);
    const { sigma, converged } = singularTriplets(kronecker(A, B), { k: 4 });
    expect(converged).toBe(true);
    sigma.forEach((value, i) => {
      expect(Math.abs(value / products[i] - 1)).toBeLessThan(1e-12);
    });
  });
});

describe("lowRank", () => {
  const [W, B, A] = [normalMatrix(8, 6, 1), normalMatrix(8, 2, 2), normalMatrix(2, 6, 3)];

  it("is W + s·B·A", () => {
    expectOperator(lowRank({ base: W, B, A, scale: 0.5 }), plus(W, times(B, A), 0.5), TERMS, 10);
    expectOperator(lowRank({ B, A }), times(B, A), TERMS, 10);
    for (const [, base, M] of forms(8, 6, 4))
      expectOperator(lowRank({ base, B, A }), plus(M, times(B, A)), TERMS, 10);
    const norm = singularValuesOf(plus(W, times(B, A), -2))[0];
    expect(Math.abs(spectralNorm(lowRank({ base: W, B, A, scale: -2 })) / norm - 1)).toBeLessThan(1e-14);
  });

  it("refuses factors that do not fit, by their shapes", () => {
    expectRefusal(() => lowRank({ B: A, A: B }), "ERR_SHAPE", "2×6", "8×2");
    expectRefusal(() => lowRank({ base: B, B, A }), "ERR_SHAPE", "base is 8×2", "8×6");
    expectRefusal(
      () => lowRank({ B, A, scale: Number.POSITIVE_INFINITY }),
      "ERR_OPTION",
      "lowRank",
      "Infinity",
    );
    expectRefusal(() => lowRank({ B, A, alpha: 2 } as never), "ERR_OPTION", "alpha", "scale");
    expectRefusal(() => lowRank(undefined as never), "ERR_SHAPE", "lowRank", "undefined");
  });
});
