import { describe, expect, it } from "vitest";
import { distance } from "../../src/experiment/evaluation-errors.js";
import { differentiateNumerically } from "../../src/experiment/finite-difference.js";
import { groundTruth, normalEntries } from "../../src/experiment/ground-truth.js";
import type { DenseEntries } from "../../src/experiment/method.js";
import { measureSecondDerivatives } from "../../src/experiment/second-derivative.js";
import { secondOrder, withoutSecondOrder } from "../../src/experiment/second-order-method.js";
import { assess } from "../../src/experiment/verdict.js";
import { hessianVectorProduct } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";

function normal(rows: number, cols: number, seed: number): DenseEntries {
  return { data: normalEntries(createRandom(seed), rows, cols), rows, cols };
}

function analytic({ data, rows, cols }: DenseEntries, direction: DenseEntries): Float64Array {
  const shape: [number, number] = [rows, cols];
  return Float64Array.from(hessianVectorProduct({ data, shape }, { data: direction.data, shape }).data);
}

const length = (entries: ArrayLike<number>) => distance(entries, new Float64Array(entries.length));

describe("differentiateNumerically", () => {
  it.each([
    [3, 1, 1],
    [2, 0, 0],
    [1, 0.9, -0.5],
  ])("finds H[E] of diag(%d, %d, %d) as the formula has it", (...sigma) => {
    const data = new Float64Array(9);
    for (const [i, value] of sigma.entries()) data[4 * i] = value;
    const direction = normal(3, 3, 11);
    const E = (i: number, j: number) => direction.data[3 * i + j];
    const expected = new Float64Array(9);
    for (const i of [1, 2]) {
      const square = sigma[0] ** 2 - sigma[i] ** 2;
      expected[3 * i] = (sigma[0] * E(i, 0) + sigma[i] * E(0, i)) / square;
      expected[i] = (sigma[0] * E(0, i) + sigma[i] * E(i, 0)) / square;
    }
    const { hessian, error } = differentiateNumerically({ data, rows: 3, cols: 3 }, direction);
    expect(distance(hessian, expected)).toBeLessThan(1e-11 * length(expected));
    expect(distance(hessian, expected)).toBeLessThan(error);
    expect(error).toBeLessThan(1e-9 * length(expected));
  });

  it.each([
    [6, 9, 1],
    [30, 20, 1e-30],
    [1, 5, 1e20],
    [70, 66, 1],
  ])(
    "agrees with hessianVectorProduct at %i×%i, scale %d, to within the error that it states",
    (m, n, scale) => {
      const matrix = normal(m, n, 3);
      const scaled = { ...matrix, data: matrix.data.map((entry) => scale * entry) };
      const direction = normal(m, n, 4);
      const { hessian, error } = differentiateNumerically(scaled, direction);
      const difference = distance(hessian, analytic(scaled, direction));
      expect(difference).toBeLessThan(error + 1e-13 * length(hessian));
      expect(error).toBeLessThan(1e-9 * length(hessian));
    },
  );
});

describe("assess", () => {
  const known = { hessian: Float64Array.of(3, 4), size: 5 };

  it("calls a number right or silently wrong, at a tenth", () => {
    expect(assess({ hessian: [3, 4.49] }, known)).toMatchObject({ verdict: "right" });
    expect(assess({ hessian: [3, 4.51] }, known)).toMatchObject({ verdict: "silently wrong" });
    expect(assess({ hessian: [0, 0] }, known)).toEqual({ error: 1, verdict: "silently wrong" });
    expect(assess({ hessian: known.hessian }, known)).toEqual({ error: 0, verdict: "right" });
  });

  it("calls what is not finite NaN, and what is not there none, and keeps the notes", () => {
    const nan = { error: null, verdict: "NaN" };
    expect(assess({ hessian: [3, Number.NaN] }, known)).toEqual(nan);
    expect(assess({ hessian: [Number.POSITIVE_INFINITY, 4], note: "n" }, known)).toEqual({
      ...nan,
      note: "n",
    });
    expect(assess({ none: "why" }, known)).toEqual({ error: null, verdict: "none", note: "why" });
  });
});

describe("measureSecondDerivatives", () => {
  const row = { name: "a", engine: "test", dtype: "float64", runs: "r" } as const;
  const methods = [
    secondOrder({ ...row, hessian: analytic }),
    secondOrder({ ...row, hessian: ({ data }) => new Float64Array(data.length) }),
    secondOrder({ ...row, hessian: (A, E) => (A.rows === 3 ? [Number.NaN] : analytic(A, E)) }),
    secondOrder({
      ...row,
      hessian: () => {
        throw new Error("no such thing\nand more");
      },
    }),
    withoutSecondOrder(row, "never"),
  ];

  it("judges every method on X and on diag(3, 1, 1)", async () => {
    const labels: string[] = [];
    const truth = groundTruth(8, 12, 0);
    const { rows, reference } = await measureSecondDerivatives(methods, truth, (label) => labels.push(label));
    expect(rows.map(({ verdict, tied }) => [verdict, tied.verdict])).toEqual([
      ["right", "right"],
      ["silently wrong", "silently wrong"],
      ["right", "NaN"],
      ["none", "none"],
      ["none", "none"],
    ]);
    expect(rows[0].error).toBeLessThan(1e-10);
    expect(rows[0].tied.error).toBeLessThan(1e-11);
    expect(rows[1].error).toBeCloseTo(1, 12);
    expect(rows.map(({ note }) => note)).toEqual([
      ...[undefined, undefined, undefined],
      "throws: no such thing",
      "never",
    ]);
    expect(reference.error).toBeLessThan(1e-9);
    expect(reference.tiedError).toBeLessThan(1e-10);
    expect(labels.slice(1)).toEqual(methods.map(() => "test a"));
  });

  it("does not call zero wrong where it is the answer: the sign of a number has no derivative", async () => {
    const { rows } = await measureSecondDerivatives(methods.slice(0, 2), groundTruth(1, 1, 0), () => {});
    expect(rows.map(({ error, verdict }) => [error, verdict])).toEqual([
      [0, "right"],
      [0, "right"],
    ]);
  });

  it("takes another direction with another seed, and the same with the same", async () => {
    const directions: number[] = [];
    const noting = {
      ...methods[0],
      differentiate: async (_: DenseEntries, { data }: DenseEntries) => {
        directions.push(data[0]);
        return { none: "" };
      },
    };
    for (const seed of [1, 1, 2]) await measureSecondDerivatives([noting], groundTruth(3, 4, seed), () => {});
    const [a, b, c] = [directions[0], directions[2], directions[4]];
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });
});
