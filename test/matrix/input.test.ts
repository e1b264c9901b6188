import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import {
  cond,
  type MatrixLike,
  matrix,
  matrixNorm,
  schattenNorm,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { NORM_ORDERS } from "../norm-orders.js";
import { expectRefusal } from "../refusal.js";

const random = createRandom(77);
const normal = (length: number) => Float64Array.from({ length }, () => random.normal());

/** m×n entries as they lie in `data`, written out row by row. */
function dense(
  data: ArrayLike<number>,
  [m, n]: number[],
  [down, across]: number[],
  offset = 0,
): { data: Float64Array; shape: [number, number] } {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) out[i * n + j] = data[offset + i * down + j * across];
  return { data: out, shape: [m, n] };
}

/** The same numbers in the same order take the same steps: equal to the last bit. */
function expectSame(A: MatrixLike, B: MatrixLike): void {
  const [a, b] = [valueAndGrad(A), valueAndGrad(B)];
  expect(a.value).toBe(b.value);
  expect(a.grad).toEqual(b.grad);
  expect(spectralNorm(A)).toBe(spectralNorm(B));
  expect(svdvals(A)).toEqual(svdvals(B));
}

describe("strides and offset", () => {
  const layouts: [string, number[], number[], number][] = [
    ["row-major", [7, 5], [5, 1], 0],
    ["transposed", [7, 5], [1, 7], 0],
    ["padded rows", [7, 5], [9, 1], 3],
    ["every third element", [7, 5], [15, 3], 1],
    ["rows upwards", [7, 5], [-5, 1], 30],
    ["both ways backwards", [7, 5], [-5, -1], 34],
    ["columns backwards, in columns", [7, 5], [1, -7], 28],
    ["one row again and again", [7, 5], [0, 1], 2],
    ["one column again and again", [7, 5], [1, 0], 2],
    ["one number", [7, 5], [0, 0], 4],
    ["overlapping rows (Hankel)", [7, 5], [1, 1], 0],
    ["wide, padded, large", [70, 90], [93, 1], 7],
    ["tall, transposed, large", [90, 70], [1, 95], 2],
    ["backwards, large", [70, 66], [-66, -1], 70 * 66 - 1],
    ["one row of many columns, backwards", [1, 200], [5, -1], 199],
  ];
  it.each(layouts)("%s", (_, shape, stride, offset) => {
    const data = normal(10_000);
    expectSame({ data, shape, stride, offset }, dense(data, shape, stride, offset));
    const single = Float32Array.from(data);
    const { value, grad } = valueAndGrad({ data: single, shape, stride, offset });
    const written = { ...dense(single, shape, stride, offset) };
    const same = valueAndGrad({ data: Float32Array.from(written.data), shape: written.shape });
    expect(value).toBe(same.value);
    expect(grad).toEqual(same.grad);
    expect(grad.data).toBeInstanceOf(Float32Array);
  });

  it("takes shape and stride as typed arrays, and an ndarray with all its other properties", () => {
    const data = normal(40);
    const plain = dense(data, [5, 8], [8, 1]);
    expectSame({ data, shape: Int32Array.of(5, 8) as unknown as number[], stride: undefined }, plain);
    class View {
      data = data;
      shape = [8, 5];
      stride = [1, 8];
      offset = 0;
      dtype = "float64";
      get order() {
        return [0, 1];
      }
      get size() {
        return 40;
      }
    }
    expectSame(new View(), dense(data, [8, 5], [1, 8]));
  });

  it("reads a view into the middle of a buffer, and a shared one", () => {
    const shared = new Float64Array(new SharedArrayBuffer(8 * 30), 40, 20);
    shared.set(normal(20));
    expectSame({ data: shared, shape: [4, 5] }, dense(shared, [4, 5], [5, 1]));
  });
});

describe("kinds of numbers", () => {
  it("integers of every type are float64", () => {
    for (const Type of [
      Int8Array,
      Uint8Array,
      Uint8ClampedArray,
      Int16Array,
      Uint16Array,
      Int32Array,
      Uint32Array,
    ]) {
      const data = new Type(12);
      for (let i = 0; i < 12; i++) data[i] = (i * 37) % 101;
      const A = { data, shape: [3, 4] };
      expectSame(A, { data: Float64Array.from(data), shape: [3, 4] });
      expect(singularTriplet(A).u).toBeInstanceOf(Float64Array);
    }
    expect(spectralNorm({ data: Int8Array.of(-128), shape: [1, 1] })).toBe(128);
    expect(spectralNorm({ data: Uint32Array.of(2 ** 32 - 1), shape: [1, 1] })).toBe(2 ** 32 - 1);
    expect(spectralNorm({ data: Int32Array.of(-(2 ** 31)), shape: [1, 1] })).toBe(2 ** 31);
  });

  it("64-bit integers are rounded to float64", () => {
    expect(spectralNorm({ data: BigInt64Array.of(-3n, 4n), shape: [1, 2] })).toBe(5);
    expect(spectralNorm({ data: BigUint64Array.of(2n ** 64n - 1n), shape: [1, 1] })).toBe(2 ** 64);
    const { grad } = valueAndGrad({ data: BigInt64Array.of(3n, 4n), shape: [2, 1] });
    expect(grad.data).toBeInstanceOf(Float64Array);
    expect(spectralNorm([BigInt64Array.of(3n, 4n)])).toBe(5);
  });

  it("nested rows and plain arrays are float64; rows may be typed", () => {
    const rows = [
      [1, 2, 3],
      [4, 5, 6.5],
    ];
    const flat = { data: Float64Array.of(1, 2, 3, 4, 5, 6.5), shape: [2, 3] };
    expectSame(rows, flat);
    expectSame({ data: [1, 2, 3, 4, 5, 6.5], shape: [2, 3] }, flat);
    expectSame(
      rows.map((row) => Float32Array.from(row)),
      flat,
    );
    expectSame(Object.freeze(rows.map((row) => Object.freeze(row))), flat);
  });

  it("arrays of another realm and subclasses are what they are", () => {
    const foreign = runInNewContext("({ data: new Float32Array([3, 4]), shape: [1, 2] })");
    expect(singularTriplet(foreign as MatrixLike).v).toBeInstanceOf(Float32Array);
    expect(spectralNorm(runInNewContext("[[3, 4]]") as MatrixLike)).toBe(5);
    class Row extends Float32Array {}
    class Pixels extends Uint8ClampedArray {}
    expect(valueAndGrad({ data: Row.of(3, 4), shape: [1, 2] }).grad.data).toBeInstanceOf(Float32Array);
    expect(spectralNorm({ data: Pixels.of(3, 4), shape: [1, 2] })).toBe(5);
    // The bytes of a file are not its numbers.
    expectRefusal(() => spectralNorm({ data: Buffer.from([3, 4]), shape: [1, 2] }), "ERR_SHAPE", "Buffer");
  });

  it("a Float16Array, where the engine has it, is float32", () => {
    const Type = (globalThis as { Float16Array?: { of(...x: number[]): Float32Array } }).Float16Array;
    if (!Type) {
      // An engine without it: what stands in for it, by name, is read the same way.
      class Stand extends Float32Array {
        override get [Symbol.toStringTag]() {
          return "Float16Array" as "Float32Array";
        }
      }
      expect(singularTriplet({ data: Stand.of(3, 4), shape: [1, 2] }).v).toBeInstanceOf(Float32Array);
      return;
    }
    expect(singularTriplet({ data: Type.of(3, 4), shape: [1, 2] }).v).toBeInstanceOf(Float32Array);
  });
});

describe("half precision", () => {
  const norm = (bits: number, dtype: "float16" | "bfloat16") =>
    spectralNorm({ data: Uint16Array.of(bits), dtype, shape: [1, 1] });

  it("decodes the limits of both formats exactly", () => {
    const float16: [number, number][] = [
      [0x3c00, 1],
      [0xc000, 2],
      [0x7bff, 65504],
      [0x0400, 2 ** -14],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x8001, 2 ** -24],
      [0x3555, 0.333251953125],
      [0x0000, 0],
      [0x8000, 0],
    ];
    const bfloat16: [number, number][] = [
      [0x3f80, 1],
      [0xc000, 2],
      [0x7f7f, 255 * 2 ** 120],
      [0x0080, 2 ** -126],
      [0x0001, 2 ** -133],
      [0x4049, 3.140625],
      [0x8000, 0],
    ];
    for (const [bits, value] of float16) expect(norm(bits, "float16"), bits.toString(16)).toBe(value);
    for (const [bits, value] of bfloat16) expect(norm(bits, "bfloat16"), bits.toString(16)).toBe(value);
  });

  it("refuses NaN and infinity of both", () => {
    for (const [bits, value] of [
      [0x7c00, "Infinity"],
      [0xfc00, "-Infinity"],
      [0x7e00, "NaN"],
      [0x7c01, "NaN"],
    ] as const)
      expectRefusal(() => norm(bits, "float16"), "ERR_NON_FINITE", value);
    for (const [bits, value] of [
      [0x7f80, "Infinity"],
      [0xff80, "-Infinity"],
      [0x7fc0, "NaN"],
      [0x7f81, "NaN"],
    ] as const)
      expectRefusal(() => norm(bits, "bfloat16"), "ERR_NON_FINITE", value);
  });

  it("is float32 from there on, with strides, in a batch and in every function", () => {
    // 1 … 12 in bfloat16: the top half of float32.
    const exact = Float32Array.from({ length: 12 }, (_, i) => i + 1);
    const data = Uint16Array.from(new Uint32Array(exact.buffer), (word) => word >>> 16);
    const half = { data, dtype: "bfloat16" as const, shape: [3, 4] };
    expectSame(half, { data: exact, shape: [3, 4] });
    expectSame({ ...half, stride: [1, 3] }, { data: exact, shape: [3, 4], stride: [1, 3] });
    const { values, grads } = valueAndGradBatch({ ...half, shape: [2, 2, 3] });
    expect(grads.data).toBeInstanceOf(Float32Array);
    expect({ values, grads, converged: [true, true] }).toEqual(
      valueAndGradBatch({ data: exact, shape: [2, 2, 3] }),
    );
    expect(spectralNormBatch({ ...half, shape: [2, 2, 3] })).toEqual(
      spectralNormBatch({ data: exact, shape: [2, 2, 3] }),
    );
    // Without its dtype a Uint16Array holds integers.
    expect(spectralNorm({ data: Uint16Array.of(0x3c00), shape: [1, 1] })).toBe(0x3c00);
  });
});

describe("batches", () => {
  it("take strides of three, b = 0, b = 1, nested arrays and integers", () => {
    const data = normal(600);
    const stride = [-1, 40, 5];
    const batch = { data, shape: [4, 6, 7], stride, offset: 9 };
    const norms = spectralNormBatch(batch);
    const { values, grads } = valueAndGradBatch(batch);
    for (let k = 0; k < 4; k++) {
      const one = { data, shape: [6, 7], stride: stride.slice(1), offset: 9 - k };
      expect(norms[k]).toBe(spectralNorm(one));
      expect(values[k]).toBe(norms[k]);
      expect(grads.data.slice(k * 42, k * 42 + 42)).toEqual(valueAndGrad(one).grad.data);
    }
    const nothing = { data: new Float32Array(0), shape: [0, 3, 4] };
    expect(spectralNormBatch(nothing)).toEqual(new Float64Array(0));
    expect(valueAndGradBatch(nothing)).toEqual({
      values: new Float64Array(0),
      grads: { data: new Float32Array(0), shape: [0, 3, 4] },
      converged: [],
    });
    expect(spectralNormBatch([[[3, 4]], [[0, 1]]])).toEqual(Float64Array.of(5, 1));
    expect(spectralNormBatch({ data: Int16Array.of(3, 4, 0, 1), shape: [2, 2, 1] })).toEqual(
      Float64Array.of(5, 1),
    );
    expect(spectralNormBatch({ data: Float64Array.of(3), shape: [1, 1, 1] })).toEqual(Float64Array.of(3));
    // One matrix for all.
    expect(spectralNormBatch({ data: Float64Array.of(3, 4), shape: [3, 1, 2], stride: [0, 2, 1] })).toEqual(
      Float64Array.of(5, 5, 5),
    );
  });

  it("of one type: zero matrices among others have zero gradients", () => {
    const { values, grads } = valueAndGradBatch({ data: Float32Array.of(0, 0, 3, 4), shape: [2, 1, 2] });
    expect([...values]).toEqual([0, 5]);
    expect([...grads.data.slice(0, 2)]).toEqual([0, 0]);
    expect(grads.data[3]).toBeCloseTo(0.8, 6);
  });
});

describe("inputs", () => {
  it("are neither modified nor kept, nor views of what comes back", () => {
    for (const [m, n] of [
      [5, 4],
      [80, 70],
    ]) {
      const data = normal(m * n);
      const copy = data.slice();
      const A = Object.freeze({ data, shape: Object.freeze([m, n]) });
      const start = normal(n);
      const startCopy = start.slice();
      const first = valueAndGrad(A, { start });
      const triplet = singularTriplet(A);
      for (const norm of [svdvals, cond, (B: MatrixLike) => schattenNorm(B, 3)]) norm(A);
      for (const ord of NORM_ORDERS) matrixNorm(A, ord);
      expect(data).toEqual(copy);
      expect(start).toEqual(startCopy);
      const kept = matrix(data, [m, n]);
      data.fill(0);
      expect(kept.data).toEqual(copy);
      expect(first.grad.data.some((x) => x !== 0)).toBe(true);
      expect(triplet.u.buffer).not.toBe(triplet.v.buffer);
      expect(first.grad.data.buffer.byteLength).toBe(8 * m * n);
      expect(spectralNorm(A)).toBe(0);
      data.set(copy);
      expect(valueAndGrad(A, { start })).toEqual(first);
    }
  });

  it("matrix() copies data in the dtype it has", () => {
    expect(matrix([1, 2, 3, 4], [2, 2])).toEqual({ data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] });
    expect(matrix(BigInt64Array.of(1n, 2n), [1, 2]).data).toEqual(Float64Array.of(1, 2));
    expect(matrix(Float32Array.of(1, 2), [2, 1]).data).toBeInstanceOf(Float32Array);
    expect(matrix(Uint8Array.of(1, 2), [1, 2]).data).toEqual(Float64Array.of(1, 2));
  });
});
