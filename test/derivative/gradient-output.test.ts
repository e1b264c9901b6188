import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  csr,
  type GradientOptions,
  type MatrixBatch,
  type NestedBatch,
  rowPanels,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import {
  startThreads,
  type ThreadPool,
  valueAndGrad as valueAndGradOnPool,
} from "../../src/threads/index.js";
import { complexNormal } from "../complex/build.js";
import { normalMatrix } from "../matrices.js";
import { expectRefusal } from "../refusal.js";

type Matrix = Parameters<typeof valueAndGrad>[0];
type Batch = MatrixBatch | NestedBatch;
type Numbers = Float32Array | Float64Array;

const BEYOND = 5;

/** What a call returns: its gradient, or gradients, and the rest. */
interface Result {
  gradient: { readonly data: Numbers };
  rest: object;
}

function gradientOf(A: Matrix, options?: GradientOptions): Result {
  const { grad, ...rest } = valueAndGrad(A, options);
  return { gradient: grad, rest };
}

function gradientsOf(A: Batch, options?: GradientOptions): Result {
  const { grads, ...rest } = valueAndGradBatch(A, options as GradientOptions<Numbers>);
  return { gradient: grads, rest };
}

/** A part of a longer array full of NaN, with `BEYOND` numbers on either side. */
function placeFor(found: Numbers): { whole: Numbers; out: Numbers } {
  const whole =
    found instanceof Float32Array
      ? new Float32Array(found.length + 2 * BEYOND)
      : new Float64Array(found.length + 2 * BEYOND);
  whole.fill(Number.NaN);
  return { whole, out: whole.subarray(BEYOND, BEYOND + found.length) };
}

/** Expects every number of `out` to be the one expected, bit for bit, and the numbers around it to be untouched. */
function expectFilled({ whole, out }: { whole: Numbers; out: Numbers }, expected: Numbers): void {
  expect(out.length).toBe(expected.length);
  expect(out.every((value, i) => Object.is(value, expected[i]))).toBe(true);
  expect([...whole.subarray(0, BEYOND), ...whole.subarray(BEYOND + out.length)].every(Number.isNaN)).toBe(
    true,
  );
}

/** Expects the same result in a new array and in `out`. */
function expectSameBits(run: (options?: GradientOptions) => Result): void {
  const { gradient, rest } = run();
  const place = placeFor(gradient.data);
  const { gradient: written, rest: others } = run({ out: place.out });
  expect(written.data).toBe(place.out);
  expect({ ...written, data: undefined }).toEqual({ ...gradient, data: undefined });
  expect(others).toEqual(rest);
  expectFilled(place, gradient.data);
}

const dense = (m: number, n: number) => normalMatrix(m, n, 1);
const single = (m: number, n: number) => ({ data: new Float32Array(dense(m, n).data), shape: [m, n] });
const nested = (m: number, n: number) =>
  Array.from({ length: m }, (_, i) => Array.from(dense(m, n).data.subarray(i * n, i * n + n)));
const diagonal = (n: number) =>
  csr({
    data: Float32Array.from({ length: n }, (_, i) => i - 3),
    indices: Int32Array.from({ length: n }, (_, i) => i),
    indptr: Int32Array.from({ length: n + 1 }, (_, i) => i),
    shape: [n, n],
  });

const MATRICES: [string, () => Matrix][] = [
  ["float32, small", () => single(9, 14)],
  ["float64, small", () => dense(20, 11)],
  ["float32, large", () => single(90, 130)],
  ["float64, large", () => dense(150, 90)],
  ["more than is computed at a time", () => single(700, 1600)],
  ["one row", () => dense(1, 7)],
  ["zero", () => ({ data: new Float32Array(12), shape: [3, 4] })],
  ["zero, large", () => ({ data: new Float64Array(80 * 90), shape: [80, 90] })],
  ["tied", () => ({ data: Float64Array.of(2, 0, 0, 2), shape: [2, 2] })],
  ["columns", () => ({ ...single(70, 90), stride: [1, 70] })],
  [
    "float16",
    () => ({ data: Uint16Array.from({ length: 6 }, (_, i) => 0x3c00 + i), shape: [2, 3], dtype: "float16" }),
  ],
  ["integers", () => ({ data: Int32Array.of(1, 2, 3, 4), shape: [2, 2] })],
  ["nested rows", () => nested(4, 6)],
  ["sparse, small", () => diagonal(7)],
  ["sparse, large", () => diagonal(100)],
  [
    "row panels",
    () => {
      const { data, shape } = dense(200, 80);
      return rowPanels({
        shape,
        dtype: "float64",
        rows: (i, count) => data.subarray(i * 80, (i + count) * 80),
      });
    },
  ],
  [
    "complex64",
    () => ({ data: new Float32Array(complexNormal(5, 8, 1).data), shape: [5, 8], dtype: "complex64" }),
  ],
  ["complex128, large", () => complexNormal(90, 70, 2)],
  ["complex zero", () => ({ data: new Float64Array(12), shape: [2, 3], dtype: "complex128" })],
];

describe("valueAndGrad with out", () => {
  it.each(MATRICES)("%s: the same bits as in a new array", (_, make) => {
    const A = make();
    expectSameBits((options) => gradientOf(A, options));
  });

  it("takes the array of the last step", () => {
    const [A, B] = [
      single(80, 100),
      { data: new Float32Array(normalMatrix(80, 100, 2).data), shape: [80, 100] },
    ];
    const { grad } = valueAndGrad(A);
    const again = valueAndGrad(B, { out: grad.data });
    expect(again.grad.data).toBe(grad.data);
    expect(again.grad.data).toEqual(valueAndGrad(B).grad.data);
  });

  it("allocates no array for the gradient", () => {
    const [m, n] = [1024, 1024];
    const A = { data: new Float32Array(m * n).fill(1), shape: [m, n] };
    const out = new Float32Array(m * n);
    valueAndGrad(A, { out });
    const before = process.memoryUsage().arrayBuffers;
    valueAndGrad(A, { out });
    // Less only if garbage was collected meanwhile.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(out.byteLength);
  });
});

const batchOf = (A: { data: Numbers; shape: number[] }, b: number): MatrixBatch => ({
  ...A,
  shape: [b, A.shape[0] / b, A.shape[1]],
});

const BATCHES: [string, () => Batch][] = [
  ["small, float32", () => batchOf(single(5 * 8, 12), 5)],
  ["small, float64, in several groups", () => batchOf(dense(60 * 30, 60), 60)],
  ["large", () => batchOf(single(3 * 70, 80), 3)],
  ["empty", () => ({ data: new Float64Array(0), shape: [0, 2, 3] })],
  ["with a zero", () => ({ data: Float64Array.of(1, 2, 0, 0), shape: [2, 1, 2] })],
  ["nested", () => [nested(3, 4), nested(3, 4)]],
  ["complex128", () => ({ ...complexNormal(4 * 5, 6, 3), shape: [4, 5, 6] })],
];

describe("valueAndGradBatch with out", () => {
  it.each(BATCHES)("%s: the same bits as in a new array", (_, make) => {
    const A = make();
    expectSameBits((options) => gradientsOf(A, options));
  });
});

describe("on threads", () => {
  let pool: ThreadPool;
  beforeAll(async () => {
    pool = await startThreads(2);
  });
  afterAll(() => pool.stop());

  it.each(BATCHES)("a batch, %s: the same bits as in a new array", (_, make) => {
    const A = make();
    expectSameBits((options) => gradientsOf(A, options));
  });

  it("is not taken by the asynchronous functions, whose results come from another thread", async () => {
    const options = { out: new Float64Array(4) };
    const run = valueAndGradOnPool({ data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] }, options as object);
    await expect(run).rejects.toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining("out: "),
    });
  });
});

describe("what is refused", () => {
  const A = { data: Float64Array.from({ length: 12 }, (_, i) => i + 1), shape: [3, 4] };
  const complex = { ...A, shape: [3, 2], dtype: "complex128" };
  const batch = { ...A, shape: [2, 3, 2] };
  /** Every function that takes `out`, on 12 numbers. */
  const RUNS: [string, (out: unknown) => unknown][] = [
    ["valueAndGrad", (out) => valueAndGrad(A, { out } as GradientOptions)],
    ["valueAndGrad, complex", (out) => valueAndGrad(complex, { out } as GradientOptions)],
    ["valueAndGradBatch", (out) => valueAndGradBatch(batch, { out } as GradientOptions)],
    [
      "valueAndGradBatch, complex",
      (out) => valueAndGradBatch({ ...complex, shape: [3, 1, 2] }, { out } as GradientOptions),
    ],
  ];

  it.each(RUNS)("%s: an array of another type or length", (_, run) => {
    const wanted = "out: expected a Float64Array of 12 numbers";
    expectRefusal(() => run(new Float32Array(12)), "ERR_OPTION", wanted, "a Float32Array");
    expectRefusal(() => run(new Float64Array(11)), "ERR_OPTION", wanted, "a Float64Array of 11");
    expectRefusal(() => run(new Float64Array(13)), "ERR_OPTION", wanted, "a Float64Array of 13");
    expectRefusal(() => run(Array.from({ length: 12 }, () => 0)), "ERR_OPTION", wanted, "an array of 12");
    expectRefusal(() => run(new DataView(new ArrayBuffer(96))), "ERR_OPTION", wanted, "DataView");
    expectRefusal(() => run(new ArrayBuffer(96)), "ERR_OPTION", wanted, "ArrayBuffer");
    for (const other of [null, 5, "text", true, {}]) expectRefusal(() => run(other), "ERR_OPTION", wanted);
    expect(() => run(undefined)).not.toThrow();
  });

  it.each(RUNS)("%s: A itself", (_, run) => {
    const before = A.data.slice();
    expectRefusal(() => run(A.data), "ERR_OPTION", "out: shares memory with A");
    expect(A.data).toEqual(before);
  });

  it("an array that overlaps A, but not one beside it in the same buffer", () => {
    const all = new Float64Array(20).fill(1);
    const data = all.subarray(4, 10);
    const run = (first: number) =>
      valueAndGrad({ data, shape: [2, 3] }, { out: all.subarray(first, first + 6) });
    for (const first of [0, 3, 4, 5, 9]) expectRefusal(() => run(first), "ERR_OPTION", "shares memory");
    expect(() => run(10)).not.toThrow();
    expect(Array.from(data)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("an array that overlaps a row or the entries of a sparse matrix", () => {
    const all = new Float64Array(8).fill(1);
    const rows = [all.subarray(0, 2), all.subarray(2, 4)];
    const out = all.subarray(3, 7);
    expectRefusal(() => valueAndGrad(rows, { out }), "ERR_OPTION", "shares memory");
    expectRefusal(() => valueAndGradBatch([rows], { out }), "ERR_OPTION", "shares memory");
    expect(() => valueAndGrad(rows, { out: all.subarray(4) })).not.toThrow();
    const full = csr({ data: [1, 2, 3, 4], indices: [0, 1, 0, 1], indptr: [0, 2, 4], shape: [2, 2] });
    expectRefusal(
      () => valueAndGrad(full, { out: full.data as Float64Array }),
      "ERR_OPTION",
      "shares memory",
    );
  });

  it("an array that overlaps what a source of row panels returns", () => {
    for (const [dtype, parts] of [
      ["float64", 1],
      ["complex128", 2],
    ] as const)
      for (const panelRows of [undefined, 1, 7, 80]) {
        const { data } = normalMatrix(80, 80 * parts, 3);
        const before = data.slice();
        const rows = (first: number, count: number) =>
          data.subarray(80 * parts * first, 80 * parts * (first + count));
        const source = rowPanels({ shape: [80, 80], dtype, panelRows, rows });
        expectRefusal(() => valueAndGrad(source, { out: data }), "ERR_OPTION", "shares memory");
        expect(data).toEqual(before);
        const out = new Float64Array(data.length);
        expect(valueAndGrad(source, { out }).grad.data).toBe(out);
        expect(out).toEqual(valueAndGrad(source).grad.data);
      }
  });

  it("before anything is computed", () => {
    const out = new Float64Array(4).fill(7);
    const withNaN = { data: Float64Array.of(1, Number.NaN, 0, 1), shape: [2, 2] };
    const finite = { data: Float64Array.of(1, 2, 0, 1), shape: [2, 2] };
    expectRefusal(() => valueAndGrad(withNaN, { out }), "ERR_NON_FINITE");
    expectRefusal(() => valueAndGrad(finite, { out, rtol: -1 }), "ERR_OPTION", "rtol");
    expect(Array.from(out)).toEqual([7, 7, 7, 7]);
  });
});
