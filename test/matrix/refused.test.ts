import { describe, expect, it } from "vitest";
import {
  cond,
  csr,
  type MatrixBatch,
  type MatrixLike,
  matrix,
  matrixNorm,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { kernels } from "../../src/kernels/select.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";

const FUNCTIONS: [string, (A: MatrixLike) => unknown][] = [
  ["spectralNorm", spectralNorm],
  ["valueAndGrad", valueAndGrad],
  ["singularTriplet", singularTriplet],
  ["power", (A) => singularTriplet(A, { method: "power" })],
  ["lanczos", (A) => spectralNorm(A, { method: "lanczos" })],
  ["svdvals", svdvals],
  ["cond", cond],
  ["matrixNorm 2", (A) => matrixNorm(A, 2)],
  ["matrixNorm fro", (A) => matrixNorm(A, "fro")],
  ["matrixNorm 1", (A) => matrixNorm(A, 1)],
];
const as = (value: unknown) => value as MatrixLike;
const data = new Float64Array(12).fill(1);

describe.each(FUNCTIONS)("%s refuses", (_, run) => {
  it.each<[string, unknown, (string | RegExp)[]]>([
    ["nothing", undefined, ["got undefined"]],
    ["null", null, ["got null"]],
    ["a number", 3, ["number 3"]],
    ["a string", "matrix", ["a string"]],
    ["a function", () => 1, ["a function"]],
    ["an empty object", {}, ["typed array"]],
    ["no rows", [], ["empty"]],
    ["an empty row", [[]], ["empty"]],
    ["ragged rows", [[1, 2], [3]], ["ragged", "row 1"]],
    ["one plain row", [1, 2, 3], ["row 0"]],
    ["a row of strings", [["1", "2"]], ["row 0, column 0"]],
    ["a hole", [[1, undefined]], ["row 0, column 1"]],
    ["a boolean", [[1, true]], ["row 0, column 1"]],
    ["no shape", { data }, ["shape"]],
    ["one dimension", { data, shape: [12] }, ["[m, n]", "1 dimension"]],
    ["three dimensions", { data, shape: [2, 3, 2] }, ["[m, n]", "3 dimensions"]],
    ["a shape of lists", { data, shape: [[1, [2, "3"]], {}, Object.create(null)] }, ["an array, an object"]],
    [
      "a dimension without a text",
      { data, shape: [2, Object.create(null)] },
      ["whole number, got an object"],
    ],
    ["ever so many dimensions", { data, shape: new Array(500).fill(1) }, ["500 dimensions", "1, …]"]],
    ["an offset without a text", { data, shape: [2, 2], offset: Object.create(null) }, ["got an object"]],
    ["no rows in shape", { data, shape: [0, 3] }, ["empty"]],
    ["no columns in shape", { data, shape: [3, 0] }, ["empty"]],
    ["short data", { data, shape: [4, 4] }, ["too short", "15", "12"]],
    ["a detached buffer", { data: detached(), shape: [1, 1] }, ["too short"]],
    ["an offset beyond", { data, shape: [3, 4], offset: 1 }, ["too short"]],
    ["an offset below", { data, shape: [3, 4], offset: -1 }, ["offset"]],
    ["a broken offset", { data, shape: [3, 4], offset: 0.5 }, ["offset"]],
    ["a stride beyond", { data, shape: [3, 4], stride: [5, 1] }, ["too short"]],
    ["a stride below", { data, shape: [3, 4], stride: [-4, 1], offset: 7 }, ["too short"]],
    ["one stride", { data, shape: [3, 4], stride: [4] }, ["stride"]],
    ["a broken stride", { data, shape: [3, 4], stride: [4, 0.5] }, ["stride"]],
    ["a stride that is none", { data, shape: [3, 4], stride: "C" }, ["stride"]],
    ["a Map", { data: new Map(), shape: [1, 1] }, ["Map"]],
    ["a DataView", { data: new DataView(new ArrayBuffer(8)), shape: [1, 1] }, ["DataView"]],
    ["text in data", { data: [1, "2"], shape: [1, 2] }, ["data[1]"]],
  ])("%s", (_name, A, words) => {
    expectRefusal(() => run(as(A)), "ERR_SHAPE", ...words);
  });

  it("sizes that are none, or that no memory holds, without taking any", () => {
    const before = { kernels: kernels().arena.size(), buffers: process.memoryUsage().arrayBuffers };
    for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e18, 2 ** 60, 1e308, "3", 3n, null])
      for (const shape of [
        [size, 1],
        [1, size],
      ])
        expectRefusal(() => run(as({ data, shape })), "ERR_SHAPE");
    for (const stride of [1e18, -1e18, 1e308, Number.NaN, Number.POSITIVE_INFINITY])
      expectRefusal(() => run(as({ data, shape: [3, 4], stride: [stride, 1] })), "ERR_SHAPE");
    expectRefusal(() => run(as({ data, shape: [2 ** 31, 2 ** 31] })), "ERR_SHAPE");
    // All of its entries are there, they are one: what is missing is memory for so many.
    expectRefusal(() => run(as({ data, shape: [1e8, 1e7], stride: [0, 0] })), "ERR_UNSUPPORTED", "memory");
    expect(kernels().arena.size()).toBe(before.kernels);
    expect(process.memoryUsage().arrayBuffers - before.buffers).toBeLessThan(2 ** 24);
  });

  it("complex numbers without a dtype, and tensors, with the place to go", () => {
    const complex = { data: [{ re: 1, im: 0 }], shape: [1, 1] };
    expectRefusal(() => run(as(complex)), "ERR_UNSUPPORTED", "data[0]", "complex128", "complexMatrix");
    const tensor = {
      shape: [1, 1],
      dtype: "float32",
      dataSync: () => Float32Array.of(1),
      data: async () => 1,
    };
    expectRefusal(() => run(as(tensor)), "ERR_UNSUPPORTED", "TensorFlow.js", "spectral-norm/tfjs");
    expectRefusal(() => run(as({ ...tensor, aval: {} })), "ERR_UNSUPPORTED", "jax-js", "spectral-norm/jax");
    const half = { data: new Uint8Array(2), dtype: "float16", shape: [1, 1] };
    expectRefusal(() => run(as(half)), "ERR_UNSUPPORTED", "float16", "Uint16Array");
  });

  it("the first NaN or infinity in reading order, however A lies in memory", () => {
    for (const [m, n] of [
      [4, 3],
      [70, 81],
    ])
      for (const [bad, name] of [
        [Number.NaN, "NaN"],
        [Number.POSITIVE_INFINITY, "Infinity"],
        [Number.NEGATIVE_INFINITY, "-Infinity"],
      ] as const)
        for (const Type of [Float32Array, Float64Array]) {
          const [row, column] = [m - 2, 1];
          const rows = new Type(m * n).fill(1);
          const columns = new Type(m * n).fill(1);
          for (const [i, j] of [
            [row, column],
            [row, column + 1],
            [m - 1, 0],
          ]) {
            rows[i * n + j] = bad;
            columns[j * m + i] = bad;
          }
          const shape = [m, n];
          expectNonFinite(() => run({ data: rows, shape }), row, column, name);
          expectNonFinite(() => run({ data: columns, shape, stride: [1, m] }), row, column, name);
          const turned = { data: rows.slice().reverse(), shape, stride: [-n, -1], offset: m * n - 1 };
          expectNonFinite(() => run(turned), row, column, name);
        }
    expectNonFinite(
      () =>
        run([
          [1, 2],
          [3, Number.NaN],
        ]),
      1,
      1,
      "NaN",
    );
    // What no stride reaches may be anything.
    run({ data: Float64Array.of(1, Number.NaN, 2, Number.NaN), shape: [2, 1], stride: [2, 1] });
  });
});

function detached(): Float64Array {
  const array = new Float64Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

describe("batches refuse", () => {
  const refused = (A: unknown, ...words: string[]) => {
    for (const run of [spectralNormBatch, valueAndGradBatch])
      expectRefusal(() => run(A as MatrixBatch), "ERR_SHAPE", ...words);
  };
  it("what is not a batch", () => {
    refused(undefined, "[b, m, n]");
    refused([], "batch");
    refused(new Array(1), "nested rows, got undefined");
    refused({ data, shape: [0, 1, 1], stride: [Object.create(null)] }, "stride", "[an object]");
    refused({ data, shape: [0, 0, Object.create(null)] }, "[0, 0, an object] is empty");
    refused([[[1, 2]], [[1, 2, 3]]], "matrix 1 is 1×3", "1×2");
    refused([[1, 2]]);
    refused({ data, shape: [3, 4] }, "[b, m, n]");
    refused({ data, shape: [2, 0, 3] }, "empty");
    refused({ data, shape: [4, 3, 4] }, "too short");
    refused({ data, shape: [3, 2, 2], stride: [4, 2] }, "stride");
    refused({ data, shape: [1e12, 1, 1], stride: [0, 1, 1] });
    refused({ data, shape: [-1, 3, 4] });
  });

  it("operators and tensors", () => {
    const refusedHere = (A: unknown, ...words: string[]) => {
      for (const run of [spectralNormBatch, valueAndGradBatch])
        expectRefusal(() => run(A as MatrixBatch), "ERR_UNSUPPORTED", ...words);
    };
    refusedHere(csr({ data: [1], indices: [0], indptr: [0, 1], shape: [1, 1] }), "operator", "spectralNorm");
    refusedHere({ dataSync() {}, shape: [1, 1, 1] }, "TensorFlow.js");
  });

  it("a NaN, naming the matrix, and the place within it", () => {
    const values = new Float64Array(24).fill(1);
    values[2 * 6 + 4] = Number.NaN;
    for (const run of [spectralNormBatch, valueAndGradBatch]) {
      expectNonFinite(() => run({ data: values, shape: [4, 2, 3] }), 1, 1, "NaN");
      expectRefusal(() => run({ data: values, shape: [4, 2, 3] }), "ERR_NON_FINITE", "batch 2");
    }
  });
});

it("matrix() checks what it is given", () => {
  expectRefusal(() => matrix([1, 2, 3], [2, 2]), "ERR_SHAPE", "too short");
  expectRefusal(() => matrix(undefined as unknown as number[], [2, 2]), "ERR_SHAPE");
  expectRefusal(() => matrix([1], [1] as unknown as [number, number]), "ERR_SHAPE");
  expectNonFinite(() => matrix([1, 2, 3, Number.NaN, Number.NaN, 1], [2, 3]), 1, 0, "NaN");
  expectRefusal(() => matrix([], [0, 0]), "ERR_SHAPE", "empty");
});
