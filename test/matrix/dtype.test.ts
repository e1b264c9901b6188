import * as np from "numpy-ts";
import { describe, expect, it } from "vitest";
import {
  type ConvKernel,
  type CsrParts,
  conv2d,
  coo,
  csc,
  csr,
  type MatrixBatch,
  type MatrixLike,
  type RowPanelSource,
  rowPanels,
  type SparseMatrix,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { packArguments } from "../../src/threads/pack.js";
import { expectRefusal } from "../refusal.js";

const shape = [2, 3];
/** 1 … 6, exact in each type */
const numbers = [1, 2, 3, 4, 5, 6];
const bits = {
  float16: Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600),
  // The top half of float32.
  bfloat16: Uint16Array.from(new Uint32Array(Float32Array.from(numbers).buffer), (word) => word >>> 16),
};
const expected = {
  float32: valueAndGrad({ data: Float32Array.from(numbers), shape }),
  float64: valueAndGrad({ data: Float64Array.from(numbers), shape }),
};

/** What takes numbers with a type: the same six numbers in each of its forms, as a gradient of the 2×3 matrix. */
const READERS: [string, (data: unknown, dtype: unknown) => unknown | Promise<unknown>][] = [
  ["a matrix", (data, dtype) => valueAndGrad({ data, dtype, shape } as MatrixLike)],
  [
    "a batch",
    (data, dtype) => {
      const { values, grads } = valueAndGradBatch({ data, dtype, shape: [1, 2, 3] } as MatrixBatch);
      return { value: values[0], grad: { data: grads.data, shape } };
    },
  ],
  [
    "a thread",
    async (data, dtype) => {
      const [A] = (await packArguments("valueAndGrad", [{ data, dtype, shape }])).matrices;
      return valueAndGrad(A as unknown as MatrixLike);
    },
  ],
  ...(["csr", "csc", "coo"] as const).map((form): [string, (data: unknown, dtype: unknown) => unknown] => [
    form,
    (data, dtype) => valueAndGrad(sparse(form, data, dtype)),
  ]),
  [
    "a kernel",
    (data, dtype) => {
      // As a product with one input of three channels.
      const kernel = { data, dtype, shape: [2, 3, 1, 1] } as ConvKernel;
      const A = conv2d(kernel, { input: [1, 1] });
      const { data: grad } = A.parameterGrad([1, 0], [1, 0, 0]);
      const rows = [0, 1].map((i) => {
        const row = new Float64Array(3);
        A.rmatvec(Float64Array.of(1 - i, i), row);
        return row;
      });
      const Type = grad.constructor as Float32ArrayConstructor;
      return valueAndGrad({ data: Type.from([...rows[0], ...rows[1]]), shape });
    },
  ],
];

function sparse(form: "csr" | "csc" | "coo", data: unknown, dtype: unknown): SparseMatrix {
  const given = { data, dtype, shape: [2, 3] } as unknown as Pick<CsrParts, "data" | "dtype" | "shape">;
  if (form === "csr") return csr({ ...given, indices: [0, 1, 2, 0, 1, 2], indptr: [0, 3, 6] });
  if (form === "coo") return coo({ ...given, row: [0, 0, 0, 1, 1, 1], col: [0, 1, 2, 0, 1, 2] });
  // Column pointers that take the entries in the order of the rows would not be compressed columns.
  const { data: turned } = turnedBy([0, 3, 1, 4, 2, 5], data);
  return csc({ ...given, data: turned as never, indices: [0, 1, 0, 1, 0, 1], indptr: [0, 2, 4, 6] });
}

function turnedBy(order: number[], data: unknown): { data: unknown } {
  if (Array.isArray(data)) return { data: order.map((k) => data[k]) };
  if (!ArrayBuffer.isView(data) || !("slice" in data)) return { data };
  const numbers = data as Float64Array;
  const copy = numbers.slice();
  if (copy.length === order.length)
    order.forEach((from, to) => {
      copy[to] = numbers[from];
    });
  return { data: copy };
}

const big = (Type: typeof BigInt64Array | typeof BigUint64Array) => Type.from(numbers.map(BigInt));
const HONOURED: [unknown, readonly unknown[], "float32" | "float64"][] = [
  [bits.float16, ["float16", "F16", "f16", "fp16", "FP16", "half", "<f2", "=f2", "f2", "e"], "float32"],
  [bits.float16, ["torch.float16", "torch.half", "Float16", "np.float16"], "float32"],
  [bits.bfloat16, ["bfloat16", "BF16", "bf16", "torch.bfloat16"], "float32"],
  // Decoded already: npyjs and numpy-ts leave the name of the file's type on it.
  [Float32Array.from(numbers), ["f2", "float16", "BF16"], "float32"],
  [Float32Array.from(numbers), ["float32", "<f4", "F32", "f", "single", "float", "Float32Array"], "float32"],
  [Float32Array.from(numbers), [undefined, null, "generic"], "float32"],
  [Float64Array.from(numbers), ["float64", "<f8", "f8", "F64", "d", "double", "float", "generic"], "float64"],
  [Int8Array.from(numbers), ["int8", "|i1", ">i1", "I8", "i8"], "float64"],
  [Uint8Array.from(numbers), ["uint8", "|u1", "U8", "bool", "b1"], "float64"],
  [Uint8ClampedArray.from(numbers), ["uint8_clamped", "uint8c", "uint8"], "float64"],
  [Int16Array.from(numbers), ["int16", "<i2", "I16", "short"], "float64"],
  [Uint16Array.from(numbers), ["uint16", "<u2", "U16", undefined, "generic"], "float64"],
  [Int32Array.from(numbers), ["int32", "<i4", "int", "torch.int32"], "float64"],
  [Uint32Array.from(numbers), ["uint32", "<u4"], "float64"],
  [big(BigInt64Array), ["int64", "<i8", "I64", "bigint64", "long", undefined], "float64"],
  [big(BigUint64Array), ["uint64", "<u8", "biguint64"], "float64"],
  [numbers, [undefined, "array", "generic", "number", "float64", "float", "int32", "uint8"], "float64"],
  [numbers, ["float32", "<f4"], "float32"],
];

describe.each(READERS)("%s", (_, run) => {
  it("is of the type that it says", async () => {
    for (const [data, names, type] of HONOURED)
      for (const name of names) {
        const what = `${String(name)} of ${(data as object).constructor.name}`;
        const { value, grad } = expected[type];
        expect(await run(data, name), what).toMatchObject({ value, grad });
      }
  });

  it.each<[string, unknown, unknown, string[]]>([
    ["float32 for float64", Float64Array.from(numbers), "float32", ["Float32Array", "a Float64Array"]],
    ["float64 for float32", Float32Array.from(numbers), "<f8", ["Float64Array", "a Float32Array"]],
    ["int8 for float32", Float32Array.from(numbers), "int8", ["Int8Array"]],
    ["float32 for integers", Int32Array.from(numbers), "float32", ["Float32Array", "an Int32Array"]],
    ["int16 for the bits of another", bits.float16, "int16", ["Int16Array"]],
    ["half precision in signed integers", Int16Array.from(numbers), "F16", ["Uint16Array", "an Int16Array"]],
    ["half precision in bytes", new Uint8Array(12), "F16", ["Uint16Array", "a Uint8Array"]],
    ["half precision in bytes, brain float", new Uint8Array(12), "bf16", ["Uint16Array"]],
    ["half precision in a plain array", numbers, "half", ["Uint16Array", "an array"]],
    ["eight bytes in one", Uint8Array.from(numbers), "<u8", ["BigUint64Array", "a Uint8Array"]],
    ["another byte order", Float32Array.from(numbers), ">f4", ["big-endian"]],
    ["another byte order of half precision", bits.float16, ">f2", ["big-endian"]],
    ["fractions for integers", [1, 2, 3.5, 4, 5, 6], "int32", ["integers", "3.5"]],
    ["quarter precision", Uint8Array.from(numbers), "F8_E4M3", ["float16", '"F8_E4M3"']],
    ["text", Float64Array.from(numbers), "<U3", ['"<U3"']],
    ["a name of the prototype", Float64Array.from(numbers), "constructor", ['"constructor"']],
    ["nothing", Float64Array.from(numbers), "", ['""']],
    ["a number", Float64Array.from(numbers), 7, ["7"]],
    ["an object", Float64Array.from(numbers), { name: "float64" }, ["an object"]],
  ])("is refused with %s", async (_name, data, dtype, words) => {
    let refusal: unknown;
    try {
      await run(data, dtype);
    } catch (error) {
      refusal = error;
    }
    const again = () => {
      if (refusal) throw refusal;
    };
    expectRefusal(again, "ERR_UNSUPPORTED", "dtype", ...words);
  });
});

it("the type may be a getter of the prototype", () => {
  class Tensor {
    data = bits.float16;
    get dtype() {
      return "F16";
    }
    constructor(readonly shape: number[]) {}
  }
  expect(valueAndGrad(new Tensor(shape) as unknown as MatrixLike)).toEqual(expected.float32);
  const A = conv2d(new Tensor([1, 1, 2, 3]) as ConvKernel, { input: [2, 3] });
  expect(spectralNorm(A)).toBeCloseTo(Math.hypot(...numbers), 12);
});

it("row panels take the names too, and no other type than the array's", () => {
  const source = (data: Uint16Array | Float32Array, dtype: unknown) =>
    ({
      dtype,
      shape,
      rows: (i: number, count: number) => data.subarray(3 * i, 3 * (i + count)),
    }) as RowPanelSource;
  for (const wrap of [rowPanels, (A: RowPanelSource) => A]) {
    for (const name of ["F16", "half", "<f2"])
      expect(valueAndGrad(wrap(source(bits.float16, name)))).toEqual(expected.float32);
    expect(valueAndGrad(wrap(source(bits.bfloat16, "BF16")))).toEqual(expected.float32);
    expect(valueAndGrad(wrap(source(Float32Array.from(numbers), "F32")))).toEqual(expected.float32);
    for (const [dtype, word] of [
      ["float", "rowPanels"],
      [">f2", "big-endian"],
      ["int16", "rowPanels"],
    ])
      expectRefusal(() => spectralNorm(wrap(source(bits.float16, dtype))), "ERR_UNSUPPORTED", word);
    expectRefusal(() => spectralNorm(wrap(source(bits.float16, "complex64"))), "ERR_SHAPE", "Float32Array");
    expectRefusal(() => spectralNorm(wrap(source(bits.float16, "float32"))), "ERR_SHAPE", "Float32Array");
  }
});

const COMPLEX = {
  single: ["complex64", "c8", "<c8", "F", "torch.cfloat", "Complex64Array"],
  double: ["complex128", "c16", "<c16", "D", "torch.cdouble", "Complex128Array"],
};

it.each(COMPLEX.single)("complex numbers of two float32 are called %s, too", (dtype) => {
  expect(spectralNorm({ data: Float32Array.of(3, 4), dtype, shape: [1, 1] })).toBe(5);
  expect(valueAndGrad({ data: Float32Array.of(3, 4), dtype, shape: [1, 1] }).grad.dtype).toBe("complex64");
});

it.each(COMPLEX.double)("complex numbers of two float64 are called %s, too", (dtype) => {
  expect(spectralNorm({ data: Float64Array.of(3, 4), dtype, shape: [1, 1] })).toBe(5);
  expectRefusal(
    () => spectralNorm({ data: Float32Array.of(3, 4), dtype, shape: [1, 1] }),
    "ERR_UNSUPPORTED",
    "Float64Array",
  );
});

it.each([...COMPLEX.single, ...COMPLEX.double])("a kernel is real, not %s", (dtype) => {
  const kernel = { data: Float64Array.from(numbers), dtype, shape: [1, 1, 1, 3] } as ConvKernel;
  expectRefusal(() => conv2d(kernel, { input: [3, 3] }), "ERR_UNSUPPORTED", "real numbers", `"${dtype}"`);
});

it("an operator may say of which type it is", () => {
  const product = (x: Float64Array, out: Float64Array) => out.set(x);
  const operator = (dtype: string) => ({ dtype, shape: [2, 2], matvec: product, rmatvec: product });
  expect(spectralNorm(operator("float32"))).toBe(1);
  expect(singularTriplet(operator("float32")).u).toBeInstanceOf(Float64Array);
  expect(spectralNorm(operator("complex128"))).toBe(1);
  expect(singularTriplet(operator("complex64")).u).toEqual(expect.any(Float32Array));
  expectRefusal(() => spectralNorm(operator("posit16")), "ERR_UNSUPPORTED", '"posit16"');
});

it("arrays of numpy-ts of every real type", () => {
  const rows = [numbers.slice(0, 3), numbers.slice(3)];
  for (const dtype of [
    "float64",
    "float32",
    "int64",
    "int32",
    "int16",
    "uint8",
    "uint16",
    "uint64",
  ] as const) {
    const A = np.array(rows, dtype) as unknown as MatrixLike;
    expect(valueAndGrad(A), dtype).toEqual(expected[dtype === "float32" ? "float32" : "float64"]);
  }
  expect(spectralNorm(np.array(rows, "float16") as unknown as MatrixLike)).toBe(expected.float32.value);
  expect(spectralNorm(np.array([[true, false]], "bool") as unknown as MatrixLike)).toBe(1);
});

it("arrays of numpy-ts of complex numbers", () => {
  for (const dtype of ["complex64", "complex128"] as const) {
    const rows = [numbers.slice(0, 3), numbers.slice(3)];
    const A = np.array(rows, dtype) as unknown as MatrixLike;
    expect(spectralNorm(A)).toBeCloseTo(expected.float64.value, dtype === "complex64" ? 5 : 12);
    expect(valueAndGrad(A).grad.dtype).toBe(dtype);
  }
});

it("a Float16Array, or what stands for it, is float32 in sparse matrices too", () => {
  class Stand extends Float32Array {
    override get [Symbol.toStringTag]() {
      return "Float16Array" as "Float32Array";
    }
  }
  const A = csr({ data: Stand.from(numbers), indices: [0, 1, 2, 0, 1, 2], indptr: [0, 3, 6], shape: [2, 3] });
  expect(valueAndGrad(A)).toEqual(expected.float32);
  expect(spectralNormBatch({ data: Stand.from(numbers), dtype: "float16", shape: [1, 2, 3] })[0]).toBe(
    expected.float32.value,
  );
});
