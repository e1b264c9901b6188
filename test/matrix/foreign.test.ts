import { Matrix } from "ml-matrix";
import * as np from "numpy-ts";
import { describe, expect, it } from "vitest";
import {
  type ConvKernel,
  certify,
  conv2d,
  type ErrorCode,
  hessianVectorProduct,
  linearOperator,
  lowRank,
  type MatrixBatch,
  type MatrixLike,
  matrix,
  probableUpperBound,
  type RowPanelSource,
  rowPanels,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { copyOf, type View } from "../../src/matrix/view.js";
import { packArguments } from "../../src/threads/pack.js";
import { deviceInputOf } from "../../src/webgpu/device-input.js";
import { normalMatrix } from "../matrices.js";
import { expectRefusal } from "../refusal.js";

const [m, n] = [7, 5];
const { data: wanted } = normalMatrix(m, n, 11);
const plain = { data: wanted, shape: [m, n] };
/** the same entries, column after column */
const columns = Float64Array.from(wanted, (_, k) => wanted[(k % m) * n + Math.floor(k / m)]);

/** An array of @stdlib: its members are getters of the prototype. */
class StdlibArray {
  readonly #parts: [unknown, string, number[], number[], number, string];
  constructor(
    dtype: string,
    data: unknown,
    shape: number[],
    strides: number[],
    offset: number,
    order: string,
  ) {
    this.#parts = [data, dtype, shape, strides, offset, order];
  }
  get data() {
    return this.#parts[0];
  }
  get dtype() {
    return this.#parts[1];
  }
  get shape() {
    return this.#parts[2].slice();
  }
  get strides() {
    return this.#parts[3].slice();
  }
  get offset() {
    return this.#parts[4];
  }
  get order() {
    return this.#parts[5];
  }
  get flags() {
    return { ROW_MAJOR_CONTIGUOUS: false, COLUMN_MAJOR_CONTIGUOUS: true, READONLY: false };
  }
  get length() {
    return m * n;
  }
}

/** An array of vectorious: plain members, strides of numbers. */
const vectorious = (data: Float64Array, shape: number[], strides: number[]) => ({
  ...{ data, dtype: "float64", length: data.length, shape, strides },
  toArray: () => [],
});

const rowsOf = (data: Float64Array, length: number) =>
  Array.from({ length: data.length / length }, (_, i) => [...data.subarray(i * length, (i + 1) * length)]);
const numpy = np.array(rowsOf(wanted, n));
/** a row above, a column before and one after */
const framed = np.array([
  Array.from({ length: n + 2 }, () => 99),
  ...rowsOf(wanted, n).map((row) => [98, ...row, 97]),
]);

const HONOURED: [string, unknown][] = [
  ["numpy-ts", numpy],
  ["a transposed view of numpy-ts", np.transpose(np.array(rowsOf(columns, m)))],
  ["a part of an array of numpy-ts", framed.slice("1:", `1:${n + 1}`)],
  ["@stdlib, row-major", new StdlibArray("float64", wanted, [m, n], [n, 1], 0, "row-major")],
  ["@stdlib, column-major", new StdlibArray("float64", columns, [m, n], [1, m], 0, "column-major")],
  ["@stdlib, generic", new StdlibArray("generic", [...columns], [m, n], [1, m], 0, "column-major")],
  [
    "@stdlib, backwards",
    new StdlibArray("float64", wanted.toReversed(), [m, n], [-n, -1], m * n - 1, "row-major"),
  ],
  [
    "@stdlib, in the middle of a longer buffer",
    new StdlibArray("float64", Float64Array.of(1, 2, ...columns, 3), [m, n], [1, m], 2, "column-major"),
  ],
  ["vectorious", vectorious(wanted, [m, n], [n, 1])],
  ["vectorious, transposed", vectorious(columns, [m, n], [1, m])],
  ["npyjs", { dtype: "f8", data: wanted, shape: [m, n], fortranOrder: false }],
  ["npyjs, Fortran order", { dtype: "f8", data: columns, shape: [m, n], fortranOrder: true }],
  ["a header of .npy", { dtype: "<f8", data: columns, shape: [m, n], fortran_order: true }],
  ["order F", { data: columns, shape: [m, n], order: "F" }],
  ["order column_major", { data: columns, shape: [m, n], order: "column_major" }],
  ["order C", { data: wanted, shape: [m, n], order: "C", strides: [n, 1], fortranOrder: false }],
  ["ndarray", { data: columns, shape: [m, n], stride: [1, m], offset: 0, dtype: "float64", order: [0, 1] }],
  ["both names of strides", { data: columns, shape: [m, n], stride: [1, m], strides: [1, m] }],
];

/** Every way in which a matrix comes in: what it makes of one. */
const READERS: [string, (A: MatrixLike) => unknown | Promise<unknown>][] = [
  ["valueAndGrad", valueAndGrad],
  ["singularTriplet", singularTriplet],
  ["Lanczos", (A) => singularTriplet(A, { method: "lanczos", seed: 3 })],
  ["power", (A) => singularTriplet(A, { method: "power", seed: 3 })],
  ["singularTriplets", (A) => singularTriplets(A, { k: 2 })],
  ["svdvals", svdvals],
  ["certify", certify],
  ["probableUpperBound", (A) => probableUpperBound(A, { seed: 1 })],
  ["hessianVectorProduct", (E) => hessianVectorProduct({ data: wanted.toReversed(), shape: [m, n] }, E)],
  [
    "linearOperator",
    (A) => {
      const out = new Float64Array(m);
      linearOperator(A).matvec(Float64Array.from({ length: n }, Math.cos), out);
      return out;
    },
  ],
  ["lowRank", (A) => spectralNorm(lowRank({ B: A, A: rowsOf(wanted, m) }))],
  ["a device", (A) => copyOf(deviceInputOf(A, "spectralNorm") as View)],
  [
    "a thread",
    async (A) =>
      (await packArguments("svdvals", [A])).matrices.map((one) => svdvals(one as unknown as MatrixLike)),
  ],
];

describe.each(HONOURED)("%s", (_, A) => {
  it.each(READERS)("is what it says in %s", async (_name, run) => {
    expect(await run(A as MatrixLike)).toEqual(await run(plain));
  });
});

it("a kernel of a convolution is what it says", () => {
  const shape = [2, 3, 3, 2];
  const data = Float64Array.from({ length: 36 }, (_, k) => Math.sin(k));
  const steps = [1, 2, 6, 18];
  const turned = new Float64Array(36);
  for (let k = 0; k < 36; k++) {
    const place = [Math.floor(k / 18), Math.floor(k / 6) % 3, Math.floor(k / 2) % 3, k % 2];
    turned[place.reduce((at, index, axis) => at + index * steps[axis], 0)] = data[k];
  }
  const options = { input: [4, 5] as [number, number] };
  const A = conv2d({ data, shape }, options);
  const { u, v } = singularTriplet(A);
  const kernels = [
    new StdlibArray("float64", turned, shape, steps, 0, "column-major"),
    new StdlibArray("float64", Float64Array.of(7, ...turned, 7), shape, steps, 1, "column-major"),
    { data: turned, shape, fortranOrder: true },
    { data: [...turned], shape, strides: steps },
    np.transpose(np.reshape(np.array([...turned]), [2, 3, 3, 2]), [3, 2, 1, 0]),
  ];
  for (const kernel of kernels) {
    const B = conv2d(kernel as unknown as ConvKernel, options);
    expect(singularTriplet(B)).toEqual(singularTriplet(A));
    // Row-major whatever the kernel is.
    expect(B.parameterGrad(u, v)).toEqual(A.parameterGrad(u, v));
  }
});

it("a batch is what it says", async () => {
  const shape = [3, 4, 5];
  const data = normalMatrix(3, 20, 5).data;
  const turned = new Float64Array(60);
  for (let k = 0; k < 60; k++)
    turned[Math.floor(k / 20) + 3 * (Math.floor(k / 5) % 4) + 12 * (k % 5)] = data[k];
  const expected = valueAndGradBatch({ data, shape });
  for (const A of [
    { data: turned, shape, fortranOrder: true },
    { data: turned, shape, order: "column-major" },
    { data: turned, shape, strides: [1, 3, 12], dtype: "float64" },
    new StdlibArray("float64", Float64Array.of(0, ...turned, 0), shape, [1, 3, 12], 1, "column-major"),
    np.transpose(np.reshape(np.array([...turned]), [5, 4, 3]), [2, 1, 0]),
  ] as unknown as MatrixBatch[]) {
    expect(valueAndGradBatch(A)).toEqual(expected);
    expect(spectralNormBatch(A)).toEqual(expected.values);
    const [packed] = (await packArguments("spectralNormBatch", [A])).matrices;
    expect(spectralNormBatch(packed as unknown as MatrixBatch)).toEqual(expected.values);
  }
});

const REFUSED: [string, unknown, ErrorCode, string[]][] = [
  ["strides that count bytes", { ...plain, strides: [8 * n, 8] }, "ERR_SHAPE", ["too short", "not bytes"]],
  [
    "strides that count bytes, of a longer buffer",
    { data: new Float64Array(400), shape: [m, n], strides: [8 * n, 8] },
    "ERR_SHAPE",
    ["too long", "offset"],
  ],
  [
    "a view that keeps its offset to itself",
    { data: Float64Array.of(1, ...wanted), shape: [m, n], strides: [n, 1] },
    "ERR_SHAPE",
    ["too long", "offset"],
  ],
  ["two layouts", { ...plain, stride: [n, 1], strides: [1, m] }, "ERR_SHAPE", ["contradicts", "stride"]],
  ["strides against order", { ...plain, strides: [n, 1], order: "F" }, "ERR_SHAPE", ["contradicts"]],
  ["order against strides", { ...plain, stride: [1, m], order: "C" }, "ERR_SHAPE", ["contradicts"]],
  ["axes against strides", { ...plain, stride: [n, 1], order: [0, 1] }, "ERR_SHAPE", ["contradicts"]],
  ["axes without strides", { ...plain, order: [0, 1] }, "ERR_SHAPE", ["order", "stride"]],
  ["two orders", { ...plain, order: "C", fortranOrder: true }, "ERR_SHAPE", ["fortranOrder", "contradicts"]],
  ["two names of one", { ...plain, fortranOrder: true, fortran_order: false }, "ERR_SHAPE", ["contradicts"]],
  ["an order that is none", { ...plain, order: "K" }, "ERR_SHAPE", ["order", '"K"']],
  ["a flag that is none", { ...plain, fortranOrder: "True" }, "ERR_SHAPE", ["fortranOrder", '"True"']],
  ["strides that are none", { ...plain, strides: "C" }, "ERR_SHAPE", ["strides", "a string"]],
  ["one of two strides", { ...plain, strides: [n] }, "ERR_SHAPE", ["strides", "[5]"]],
  ["numbers left over", { data: wanted, shape: [m - 1, n] }, "ERR_SHAPE", ["takes 30", "has 35"]],
  ["more than column-major takes", { data: columns, shape: [m, n - 1], order: "F" }, "ERR_SHAPE", ["has 35"]],
  ["plain numbers left over", { data: [1, 2, 3], shape: [1, 2] }, "ERR_SHAPE", ["takes 2", "has 3"]],
  ["bytes", { data: new ArrayBuffer(8), shape: [1, 1] }, "ERR_SHAPE", ["an ArrayBuffer"]],
  ["shared bytes", { data: new SharedArrayBuffer(8), shape: [1, 1] }, "ERR_SHAPE", ["SharedArrayBuffer"]],
  ["a typed array", wanted, "ERR_SHAPE", ["a Float64Array"]],
  ["a length alone", { data: { length: 1, 0: 1 }, shape: [1, 1] }, "ERR_SHAPE", ["typed array"]],
  ["ml-matrix", Matrix.from1DArray(1, 2, [3, 4]), "ERR_UNSUPPORTED", ["to2DArray"]],
  [
    "mathjs",
    Object.create(
      { isDenseMatrix: true, rows: () => [] },
      { _data: { value: [[1]] }, _size: { value: [1, 1] } },
    ),
    "ERR_UNSUPPORTED",
    ["mathjs", "toArray()"],
  ],
  ["sparse mathjs", Object.create({ isSparseMatrix: true }), "ERR_UNSUPPORTED", ["csc({"]],
  ["numjs", { selection: { data: wanted, shape: [m, n] } }, "ERR_UNSUPPORTED", ["A.selection"]],
];

describe.each(REFUSED)("%s", (_, A, code, words) => {
  const single: typeof READERS = READERS.filter(([name]) => name !== "a thread");
  it.each(single)("is refused by %s", (_name, run) => {
    expectRefusal(() => run(A as MatrixLike), code, ...words);
  });
  it("is refused before a thread has it", async () => {
    await expect(packArguments("spectralNorm", [A])).rejects.toMatchObject({ code });
  });
});

it("batches, kernels and matrix() refuse numbers left over", () => {
  expectRefusal(() => matrix([1, 2, 3, 4, 5, 6], [2, 2]), "ERR_SHAPE", "takes 4", "has 6");
  const batch = { data: wanted, shape: [3, 2, 5] };
  for (const run of [spectralNormBatch, valueAndGradBatch]) {
    expectRefusal(() => run(batch), "ERR_SHAPE", "takes 30", "has 35");
    expectRefusal(() => run({ data: wanted, shape: [0, 2, 5] }), "ERR_SHAPE", "takes 0", "has 35");
    expect(run({ ...batch, offset: 0 })).toEqual(run({ data: wanted.slice(0, 30), shape: [3, 2, 5] }));
  }
  const options = { input: [3, 3] as [number, number] };
  expectRefusal(() => conv2d({ data: [1, 2], shape: [1, 1, 1, 1] }, options), "ERR_SHAPE", "has 2");
});

it("a part of a longer array is read where offset or stride say which", () => {
  const longer = Float64Array.of(...wanted, 1, 2, 3);
  for (const A of [
    { data: longer, shape: [m, n], offset: 0 },
    { data: longer, shape: [m, n], stride: [n, 1] },
    { data: longer, shape: [m, n], strides: [n, 1], offset: 0 },
  ])
    expect(valueAndGrad(A)).toEqual(valueAndGrad(plain));
});

it("row panels and buffers of a device are row-major, or refused", () => {
  const source = { shape: [2, 2], dtype: "float64" as const, rows: () => Float64Array.of(3, 0, 0, 4) };
  const buffer = { size: 64, usage: 128, destroy() {} };
  for (const [layout, words] of [
    [{ order: "F" }, ["contradicts"]],
    [{ fortranOrder: true }, ["contradicts"]],
    [{ strides: [1, 2] }, ["row-major", "[1, 2]"]],
    [{ stride: [1, 2] }, ["row-major", "[1, 2]"]],
  ] as const) {
    for (const run of [rowPanels, spectralNorm])
      expectRefusal(() => run({ ...source, ...layout } as RowPanelSource), "ERR_SHAPE", ...words);
    expectRefusal(() => deviceInputOf({ buffer, shape: [2, 2], ...layout }, "f"), "ERR_SHAPE", ...words);
  }
  expect(spectralNorm(rowPanels({ ...source, order: "C", strides: [2, 1] } as RowPanelSource))).toBe(4);
  const half = { buffer, shape: [2, 2], dtype: "float16" };
  expectRefusal(() => deviceInputOf(half, "spectralNorm"), "ERR_UNSUPPORTED", "float32", "float16");
  expect(deviceInputOf({ ...half, dtype: "float32", order: "C" }, "spectralNorm").kind).toBe("buffer");
});
