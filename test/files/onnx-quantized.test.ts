import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/numerics/random.js";
import { entriesOf, fault, floats, numbersOf, tensorIn } from "./models.js";
import {
  attribute,
  constant,
  external,
  field,
  functionOf,
  graph,
  inputs,
  microsoft,
  node,
  type OnnxType,
  onnx,
  outputs,
  raw,
  tensor,
  value,
  varint,
} from "./onnx-models.js";
import { outputsOf } from "./onnx-runtime.js";
import { encode, join } from "./writers.js";

const random = createRandom(17);
const integers = (count: number, low: number, high: number) =>
  Array.from({ length: count }, () => low + Math.floor(random.uniform() * (high - low + 1)));
const positives = (count: number) =>
  Array.from(Float32Array.from({ length: count }, () => 0.01 + random.uniform()));

/** Codes of a few bits, the first in the lowest. */
function packed(codes: readonly number[], bits: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((codes.length * bits) / 8));
  for (const [k, code] of codes.entries())
    bytes[Math.floor((k * bits) / 8)] |= (code & (2 ** bits - 1)) << ((k * bits) % 8);
  return bytes;
}

const RANGES = {
  INT8: [-128, 127],
  UINT8: [0, 255],
  INT16: [-32768, 32767],
  UINT16: [0, 65535],
  INT32: [-100_000, 100_000],
  INT4: [-8, 7],
  UINT4: [0, 15],
  INT2: [-2, 1],
  UINT2: [0, 3],
} as const;

type IntegerType = keyof typeof RANGES;

function encoded(type: IntegerType, numbers: readonly number[]): Uint8Array {
  if (type === "INT4" || type === "UINT4") return packed(numbers, 4);
  if (type === "INT2" || type === "UINT2") return packed(numbers, 2);
  const sizes = { INT8: "<i1", UINT8: "<u1", INT16: "<i2", UINT16: "<u2", INT32: "<i4" } as const;
  return encode(sizes[type], numbers);
}

const integer = (name: string, type: IntegerType, dims: readonly number[], numbers: readonly number[]) =>
  tensor(name, type, dims, raw(encoded(type, numbers)));
const float = (name: string, dims: readonly number[], numbers: readonly number[]) =>
  tensor(name, "FLOAT", dims, raw(floats("F32", numbers)));
const numbersIn = (type: IntegerType, count: number) => integers(count, RANGES[type][0], RANGES[type][1]);
const rounded = (numbers: readonly number[]) => Array.from(Float32Array.from(numbers));

const [rows, cols] = [6, 5];
const size = rows * cols;

/** Reads the weight "w" of a graph. */
function weightIn(nodes: readonly Uint8Array[], initializers: readonly Uint8Array[], name = "w") {
  const entries = entriesOf({ "m.onnx": onnx(graph(nodes, initializers)) }, "m.onnx");
  return tensorIn(entries, name);
}
const whyNot = (nodes: readonly Uint8Array[], initializers: readonly Uint8Array[]) =>
  fault(entriesOf({ "m.onnx": onnx(graph(nodes, initializers)) }, "m.onnx"), "w");

describe("DequantizeLinear", () => {
  const dequantize = (...attributes: Uint8Array[]) => [
    node("DequantizeLinear", ["w", "s", "z"], ["dq"], ...attributes),
    node("MatMul", ["x", "dq"], ["y"]),
  ];

  const cases: readonly {
    readonly title: string;
    readonly type: IntegerType;
    readonly scales: readonly number[];
    readonly attributes?: readonly Uint8Array[];
    readonly at: (i: number, j: number) => number;
    /** whether ONNX Runtime has no such kernel */
    readonly alone?: boolean;
  }[] = [
    ...(["INT8", "UINT8", "INT4", "UINT4", "INT16", "UINT16"] as const).map((type) => ({
      ...{ title: `${type}, one scale`, type, scales: [], at: () => 0 },
    })),
    { title: "INT2", type: "INT2", scales: [], at: () => 0, alone: true },
    { title: "UINT2", type: "UINT2", scales: [1], at: () => 0, alone: true },
    { title: "a scale for each column", type: "INT8", scales: [cols], at: (_, j) => j },
    {
      ...{ title: "a scale for each row", type: "UINT8", scales: [rows], at: (i) => i },
      attributes: [attribute.integer("axis", 0)],
    },
    {
      ...{ title: "the axis from the end", type: "INT8", scales: [rows], at: (i) => i },
      attributes: [attribute.integer("axis", -2)],
    },
    ...(["INT4", "UINT4", "INT8"] as const).flatMap((type) => [
      {
        ...{ title: `${type} in blocks of rows`, type, scales: [3, cols] },
        attributes: [attribute.integer("axis", 0), attribute.integer("block_size", 2)],
        at: (i: number, j: number) => Math.floor(i / 2) * cols + j,
      },
      {
        ...{ title: `${type} in blocks of columns, the last of them partial`, type, scales: [rows, 2] },
        attributes: [attribute.integer("axis", 1), attribute.integer("block_size", 3)],
        at: (i: number, j: number) => 2 * i + Math.floor(j / 3),
      },
    ]),
  ];

  for (const { title, type, scales: shape, attributes = [], at, alone } of cases)
    it(`has ${title}`, async () => {
      const count = shape.reduce((a, b) => a * b, 1);
      const [q, s, z] = [numbersIn(type, size), positives(count), numbersIn(type, count)];
      const initializers = [
        ...[integer("w", type, [rows, cols], q), float("s", shape, s), integer("z", type, shape, z)],
      ];
      const expected = q.map((code, k) => {
        const place = at(Math.floor(k / cols), k % cols);
        return (code - z[place]) * s[place];
      });
      const found = weightIn(dequantize(...attributes), initializers);
      expect(found).toMatchObject({ dtype: "float32", shape: [rows, cols], bytes: 4 * size });
      expect(found.use).toEqual({ operator: "MatMul" });
      expect(numbersOf(found)).toEqual(rounded(expected));
      if (alone) return;
      const model = onnx(
        graph([dequantize(...attributes)[0]], initializers, outputs(value("dq", "FLOAT", [rows, cols]))),
      );
      expect(Array.from((await outputsOf(model))["dq"].data)).toEqual(rounded(expected));
    });

  it("has no zero point, and scales of 16 bits", () => {
    const q = numbersIn("INT8", size);
    const half = [0.5, 1.25, 2, 0.375, 3];
    for (const type of ["FLOAT16", "BFLOAT16"] as const) {
      const scales = tensor("s", type, [cols], raw(floats(type === "FLOAT16" ? "F16" : "BF16", half)));
      const found = weightIn(
        [node("DequantizeLinear", ["w", "s"], ["dq"]), node("Gemm", ["x", "dq"], ["y"])],
        [integer("w", "INT8", [rows, cols], q), scales],
      );
      expect(numbersOf(found)).toEqual(q.map((code, k) => code * half[k % cols]));
    }
  });

  it("has INT32 and floats of eight and four bits", () => {
    const q = numbersIn("INT32", size);
    const found = weightIn(
      [node("DequantizeLinear", ["w", "s"], ["dq"])],
      [integer("w", "INT32", [rows, cols], q), float("s", [], [0.125])],
    );
    expect(numbersOf(found)).toEqual(q.map((code) => code / 8));
    expect(found.use).toBeUndefined();
    // 1, −2, 0.5 and 0 by their bits.
    const codes: Partial<Record<OnnxType, readonly number[]>> = {
      FLOAT8E4M3FN: [0x38, 0xc0, 0x30, 0],
      FLOAT8E4M3FNUZ: [0x40, 0xc8, 0x38, 0],
      FLOAT8E5M2: [0x3c, 0xc0, 0x38, 0],
      FLOAT8E5M2FNUZ: [0x40, 0xc4, 0x3c, 0],
      FLOAT4E2M1: [0x2 | 0xc0, 0x1],
    };
    for (const [type, bytes] of Object.entries(codes)) {
      const small = weightIn(
        [node("DequantizeLinear", ["w", "s", "z"], ["dq"])],
        [
          tensor("w", type as OnnxType, [2, 2], raw(Uint8Array.from(bytes))),
          ...[float("s", [], [3]), tensor("z", type as OnnxType, [], raw(Uint8Array.of(0)))],
        ],
      );
      expect(numbersOf(small), type).toEqual([3, -6, 1.5, 0]);
    }
  });

  it("is followed to the operator, behind it and before it", () => {
    const q = numbersIn("INT8", 24);
    const s = positives(3);
    const up = weightIn(
      [
        node("DequantizeLinear", ["w", "s"], ["dq"]),
        node("ConvTranspose", ["x", "dq"], ["y"], attribute.integers("strides", [2, 2])),
      ],
      [integer("w", "INT8", [2, 3, 2, 2], q), float("s", [3], s)],
    );
    expect(up).toMatchObject({ outputs: 1, use: { operator: "ConvTranspose", stride: [2, 2] } });
    expect(numbersOf(up)).toEqual(
      rounded(
        Array.from({ length: 24 }, (_, k) => {
          const [o, i, tap] = [Math.floor(k / 8), Math.floor(k / 4) % 2, k % 4];
          return q[(i * 3 + o) * 4 + tap] * s[o];
        }),
      ),
    );
    // The axis counts behind the transposition.
    const turned = weightIn(
      [
        node("Transpose", ["w"], ["t"]),
        node("DequantizeLinear", ["t", "s"], ["dq"], attribute.integer("axis", 0)),
        node("MatMul", ["x", "dq"], ["y"]),
      ],
      [integer("w", "INT8", [8, 3], q), float("s", [3], s)],
    );
    expect(numbersOf(turned)).toEqual(rounded(q.map((code, k) => code * s[k % 3])));
    const stack = entriesOf(
      {
        "m.onnx": onnx(
          graph(
            [node("DequantizeLinear", ["w", "s"], ["dq"]), node("LSTM", ["x", "dq"], ["y"])],
            [integer("w", "INT8", [2, 4, 3], q), float("s", [4], positives(4))],
          ),
        ),
      },
      "m.onnx",
    );
    expect(stack.map(({ name }) => name)).toEqual(["w[0]", "w[1]"]);
  });

  it("has its scales in the graph around it, in a function's caller, in Constants and in other files", () => {
    const q = numbersIn("INT8", 6);
    const expected = q.map((code) => (code - 3) * 0.5);
    const inner = graph([
      node("DequantizeLinear", ["w", "s", "z"], ["dq"]),
      node("MatMul", ["x", "dq"], ["y"]),
    ]);
    const others = [
      node("Identity", ["s0"], ["s"]),
      node("Constant", [], ["s0"], attribute.float("value_float", 0.5)),
    ];
    const outside = tensor("w", "INT8", [2, 3], external({ location: "w.bin", offset: "1" }));
    const zero = tensor("z", "INT8", [], field(5, 3));
    const path = (nodes: readonly Uint8Array[], ...functions: Uint8Array[]) =>
      entriesOf(
        {
          "m.onnx": onnx(graph([...nodes, ...others], [outside, zero]), ...functions),
          "w.bin": join(Uint8Array.of(99), encode("<i1", q)),
        },
        "m.onnx",
      );
    const branch = path([node("If", ["c"], ["y"], attribute.graph("then_branch", inner))]);
    const call = node("mine", ["w", "s", "z"], ["y"], field(7, "my"));
    const body = [node("DequantizeLinear", ["a", "b", "c"], ["d"]), node("MatMul", ["x", "d"], ["e"])];
    const called = path([call], functionOf("my", "mine", ["a", "b", "c"], body));
    for (const entries of [branch, called]) {
      expect(entries.map(({ name, kind }) => `${name}: ${kind}`)).toEqual(["w: tensor"]);
      expect(numbersOf(tensorIn(entries, "w"))).toEqual(expected);
      expect(tensorIn(entries, "w").use).toEqual({ operator: "MatMul" });
    }
  });

  it("has no zero point where a function is called without", () => {
    const q = numbersIn("INT8", 6);
    const body = [node("DequantizeLinear", ["a", "b", "c"], ["d"]), node("MatMul", ["x", "d"], ["e"])];
    const call = node("mine", ["w", "s"], ["y"], field(7, "my"));
    const model = onnx(
      graph([call], [integer("w", "INT8", [2, 3], q), float("s", [], [0.5])]),
      functionOf("my", "mine", ["a", "b", "c"], body),
    );
    expect(numbersOf(tensorIn(entriesOf({ "m.onnx": model }, "m.onnx"), "w"))).toEqual(
      q.map((code) => code / 2),
    );
  });

  it("may be there once for each operator that takes the weight, if it is the same", () => {
    const q = numbersIn("INT8", size);
    const nodes = ["a", "b"].flatMap((name) => [
      node("DequantizeLinear", ["w", "s"], [name]),
      node("MatMul", ["x", name], [`y-${name}`]),
    ]);
    const initializers = [integer("w", "INT8", [rows, cols], q), float("s", [], [0.5])];
    expect(numbersOf(weightIn(nodes, initializers))).toEqual(q.map((code) => code / 2));
    const other = [node("DequantizeLinear", ["w", "t"], ["c"]), node("MatMul", ["x", "c"], ["y-c"])];
    expect(whyNot([...nodes, ...other], [...initializers, float("t", [], [0.25])])).toBe(
      "is dequantized in more than one way",
    );
  });

  it("is left out where it is not understood, and fails where it is damaged", () => {
    const nodes = dequantize();
    const w = integer("w", "INT8", [rows, cols], numbersIn("INT8", size));
    const s = float("s", [], [1]);
    const z = integer("z", "INT8", [], [0]);
    expect(whyNot(nodes, [w, z])).toBe("has a scale that is no constant of the model");
    expect(whyNot(nodes, [w, s])).toBe("has a zero point that is no constant of the model");
    expect(whyNot(nodes, [w, float("s", [rows], positives(rows)), z])).toMatch(
      /^has scales of shape \[6\], and it is not understood to which of its numbers they belong/,
    );
    const perColumn = float("s", [cols], positives(cols));
    expect(whyNot(nodes, [w, perColumn, integer("z", "INT8", [rows], numbersIn("INT8", rows))])).toMatch(
      /^has zero points of shape \[6\]/,
    );
    expect(whyNot(nodes, [w, tensor("s", "STRING", [], field(6, "1")), z])).toMatch(/type is not read/);
    expect(whyNot(nodes, [float("w", [2, 3], [1, 2, 3, 4, 5, 6]), s, z])).toBe(
      "is FLOAT, and DequantizeLinear does not dequantize that",
    );
    expect(whyNot([node("DequantizeLinear", ["w"], ["dq"])], [w])).toBe("has no scale at DequantizeLinear");
    expect(whyNot(nodes, [w, tensor("s", "FLOAT", [2], raw(floats("F32", [1]))), z])).toMatch(
      /^its scale "s": \[2\] FLOAT takes 8 bytes/,
    );
    const blocks = dequantize(attribute.integer("block_size", 4));
    expect(whyNot(blocks, [w, float("s", [rows, 3], positives(18)), z])).toMatch(/shape \[6, 3\]/);
    const infinite = weightIn(nodes, [w, float("s", [cols], [1, 1, Number.POSITIVE_INFINITY, 1, 1]), z]);
    expect(() => infinite.open()).toThrow("number 2 of its scales is Infinity (counted from 0)");
  });

  it("leaves out vectors as such, and gives no line to scales that are shared", () => {
    const entries = entriesOf(
      {
        "m.onnx": onnx(
          graph(
            [
              ...dequantize(),
              node("DequantizeLinear", ["b", "bs"], ["bias"], attribute.integer("axis", 0)),
              node("Conv", ["x", "k", "bias"], ["c"]),
            ],
            [
              integer("w", "INT8", [rows, cols], numbersIn("INT8", size)),
              ...[float("s", [1, 1], [1]), integer("z", "INT8", [1, 1], [0])],
              ...[integer("b", "INT32", [4], [1, 2, 3, 4]), float("bs", [4], [1, 1, 1, 1])],
            ],
          ),
        ),
      },
      "m.onnx",
    );
    expect(entries.map(({ name }) => name)).toEqual(["w"]);
  });
});

describe("QuantizeLinear", () => {
  const numbers = Array.from(Float32Array.from({ length: size }, () => 40 * random.normal()));
  const even = (x: number) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

  for (const type of ["INT8", "UINT8"] as const)
    for (const shape of [[], [cols]])
      it(`rounds a weight to ${type} before it is dequantized, ${shape.length > 0 ? "by columns" : "as a whole"}`, async () => {
        const count = shape[0] ?? 1;
        // Halves are rounded to even; what is beyond the range is not.
        const s = [0.25, 0.5, 1, 0.125, 0.0625].slice(0, count);
        const z = numbersIn(type, count);
        const values = numbers.map((x, k) => (k % 3 === 0 ? Math.round(x) / 4 + 0.125 : x));
        const nodes = ["Quantize", "Dequantize"].map((what, k) =>
          node(`${what}Linear`, [k === 0 ? "w" : "q", "s", "z"], [k === 0 ? "q" : "d"]),
        );
        const initializers = [
          float("w", [rows, cols], values),
          float("s", shape, s),
          integer("z", type, shape, z),
        ];
        const found = weightIn(
          [...nodes, node("Gemm", ["x", "d"], ["y"], attribute.float("alpha", 2))],
          initializers,
        );
        const [low, high] = RANGES[type];
        const expected = rounded(
          values.map((x, k) => {
            const own = k % count;
            const code = Math.min(high, Math.max(low, even(x / s[own]) + z[own]));
            return (code - z[own]) * s[own];
          }),
        );
        expect(numbersOf(found)).toEqual(expected.map((x) => 2 * x));
        const model = onnx(graph(nodes, initializers, outputs(value("d", "FLOAT", [rows, cols]))));
        const { d } = await outputsOf(model);
        expect(Array.from(d.data, (x) => x + 0)).toEqual(expected.map((x) => x + 0));
      });

  it("is not passed over where its scales are others", () => {
    const w = float("w", [rows, cols], numbers);
    const scales = [float("s", [], [0.5]), float("t", [], [0.25]), float("row", [rows], positives(rows))];
    const quantize = node("QuantizeLinear", ["w", "s"], ["q"]);
    const unclear = "is quantized by QuantizeLinear, and not dequantized as it was quantized";
    expect(whyNot([quantize, node("DequantizeLinear", ["q", "t"], ["d"])], [w, ...scales])).toBe(unclear);
    expect(whyNot([quantize], [w, ...scales])).toBe(unclear);
    const cast = [node("Cast", ["q"], ["c"]), node("MatMul", ["x", "c"], ["y"])];
    expect(whyNot([quantize, ...cast], [w, ...scales])).toBe(unclear);
    const both = [quantize, node("DequantizeLinear", ["q", "s"], ["d"])];
    const plain = node("MatMul", ["x", "w"], ["y"]);
    const products = [...both, node("MatMul", ["x", "d"], ["y2"]), plain];
    expect(whyNot(products, [w, ...scales])).toBe("is quantized for some operators, and not for others");
    const again = node("QuantizeLinear", ["q", "s"], ["r"]);
    expect(whyNot([quantize, again], [w, ...scales])).toBe(unclear);
    expect(whyNot([quantize], [integer("w", "INT32", [2, 1], [1, 2]), ...scales])).toBe(unclear);
    const nodes = [
      node("QuantizeLinear", ["w", "row"], ["q"], attribute.integer("axis", 0)),
      node("DequantizeLinear", ["q", "row"], ["d"], attribute.integer("axis", 0)),
    ];
    expect(numbersOf(weightIn(nodes, [w, ...scales]))).toHaveLength(size);
  });
});

describe("typed fields", () => {
  it("hold integers as varints, with a sign, and those of four bits in pairs", () => {
    const read = (type: IntegerType, dims: readonly number[], ...content: Uint8Array[]) =>
      numbersOf(
        weightIn(
          [node("DequantizeLinear", ["w", "s"], ["dq"])],
          [tensor("w", type, dims, ...content), float("s", [], [1])],
        ),
      );
    const list = (numbers: readonly number[]) => field(5, join(...numbers.map((x) => varint(x))));
    expect(read("INT8", [2, 2], list([-128, 127, -1, 5]))).toEqual([-128, 127, -1, 5]);
    expect(read("UINT8", [2, 2], ...[255, 0, 7, 128].map((x) => field(5, x)))).toEqual([255, 0, 7, 128]);
    expect(read("INT16", [1, 2], list([-32768, 300]))).toEqual([-32768, 300]);
    expect(read("INT32", [1, 2], list([-(2 ** 31), 2 ** 20]))).toEqual([-(2 ** 31), 2 ** 20]);
    expect(read("INT4", [1, 3], list([0x8f, 0x03]))).toEqual([-1, -8, 3]);
    expect(read("UINT2", [5, 1], list([0b11100100, 0b01]))).toEqual([0, 1, 2, 3, 1]);
    expect(() => read("INT8", [1, 2], list([128, 0]))).toThrow(/has 128, which is no number of 8 bits/);
    expect(() => read("UINT8", [1, 2], list([-1, 0]))).toThrow(/has -1, which is no number of 8 bits/);
    expect(() => read("INT4", [1, 3], list([256, 0]))).toThrow(/has 256, which is no number of 8 bits/);
    expect(whyNot([], [tensor("w", "INT4", [1, 3], list([1]))])).toMatch(
      /^\[1, 3\] INT4 has 3 numbers, and its int32_data of 1 bytes has others/,
    );
  });
});

describe("operators with quantized weights", () => {
  const q = numbersIn("INT8", size);
  const perColumn = positives(cols);
  const zeros = numbersIn("INT8", cols);
  const w = integer("w", "INT8", [rows, cols], q);
  const others = [
    ...[float("as", [], [0.5]), integer("az", "UINT8", [], [0])],
    ...[float("ys", [], [0.5]), integer("yz", "UINT8", [], [0])],
  ];
  const columns = [...others, float("ws", [cols], perColumn), integer("wz", "INT8", [cols], zeros)];
  const byColumn = rounded(q.map((code, k) => (code - zeros[k % cols]) * perColumn[k % cols]));

  it("take them with a scale for each column", () => {
    const nodes: Readonly<Record<string, Uint8Array>> = {
      QLinearMatMul: node("QLinearMatMul", ["x", "as", "az", "w", "ws", "wz", "ys", "yz"], ["y"]),
      QGemm: node("QGemm", ["x", "as", "az", "w", "ws", "wz", "", "ys", "yz"], ["y"], microsoft),
      MatMulIntegerToFloat: node(
        "MatMulIntegerToFloat",
        ["x", "w", "as", "ws", "az", "wz"],
        ["y"],
        microsoft,
      ),
      DynamicQuantizeMatMul: node("DynamicQuantizeMatMul", ["x", "w", "ws", "wz"], ["y"], microsoft),
      QAttention: node("QAttention", ["x", "w", "b", "as", "ws", "", "az", "wz"], ["y"], microsoft),
    };
    for (const [operator, bytes] of Object.entries(nodes)) {
      const found = weightIn([bytes], [w, ...columns]);
      expect(numbersOf(found), operator).toEqual(byColumn);
      expect(found.use, operator).toEqual({ operator });
    }
  });

  it("take them transposed, times alpha, and as the first factor", () => {
    const perRow = positives(rows);
    const zero = numbersIn("INT8", rows);
    const scales = [...others, float("ws", [rows], perRow), integer("wz", "INT8", [rows], zero)];
    const byRow = q.map((code, k) => (code - zero[Math.floor(k / cols)]) * perRow[Math.floor(k / cols)]);
    const gemm = ["x", "as", "az", "w", "ws", "wz"];
    const turned = [attribute.integer("transB", 1), attribute.float("alpha", 2), microsoft];
    expect(numbersOf(weightIn([node("QGemm", gemm, ["y"], ...turned)], [w, ...scales]))).toEqual(
      rounded(byRow.map((x) => 2 * x)),
    );
    const first = node("QLinearMatMul", ["w", "ws", "wz", "x", "as", "az", "ys", "yz"], ["y"]);
    expect(numbersOf(weightIn([first], [w, ...scales]))).toEqual(rounded(byRow));
  });

  it("have scales for each matrix of a stack", () => {
    const s = positives(2 * 3);
    const codes = numbersIn("INT8", 24);
    const entries = entriesOf(
      {
        "m.onnx": onnx(
          graph(
            [node("QLinearMatMul", ["x", "as", "az", "w", "ws", "wz", "ys", "yz"], ["y"])],
            [
              ...[integer("w", "INT8", [2, 4, 3], codes), ...others, float("ws", [2, 1, 3], s)],
              integer("wz", "INT8", [], [1]),
            ],
          ),
        ),
      },
      "m.onnx",
    );
    const expected = rounded(codes.map((code, k) => (code - 1) * s[3 * Math.floor(k / 12) + (k % 3)]));
    expect(["w[0]", "w[1]"].flatMap((name) => numbersOf(tensorIn(entries, name)))).toEqual(expected);
  });

  it("are convolutions with a scale for each output", async () => {
    const codes = numbersIn("UINT8", 3 * 2 * 4);
    const s = positives(3);
    const z = numbersIn("UINT8", 3);
    const found = weightIn(
      [
        node(
          "QLinearConv",
          ["x", "as", "az", "w", "ws", "wz", "ys", "yz"],
          ["y"],
          attribute.integers("strides", [2, 1]),
        ),
      ],
      [
        ...[integer("w", "UINT8", [3, 2, 2, 2], codes), ...others, float("ws", [3], s)],
        integer("wz", "UINT8", [3], z),
      ],
    );
    expect(found.use).toMatchObject({ operator: "QLinearConv", stride: [2, 1], padding: [0, 0, 0, 0] });
    expect(numbersOf(found)).toEqual(
      rounded(codes.map((code, k) => (code - z[Math.floor(k / 8)]) * s[Math.floor(k / 8)])),
    );
  });

  /** Products of integers as they are quantized dynamically. */
  const dynamic = (product: Uint8Array, ...scaling: readonly Uint8Array[]) => [
    node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
    product,
    node("Cast", ["p"], ["f"], attribute.integer("to", 1)),
    ...scaling,
  ];
  const together = [node("Mul", ["xs", "ws"], ["s"]), node("Mul", ["f", "s"], ["y"])];
  const inTurn = [node("Mul", ["f", "ws"], ["t"]), node("Mul", ["xs", "t"], ["y"])];
  const product = node("MatMulInteger", ["xq", "w", "xz", "wz"], ["p"]);

  it("find the scale of a product of integers behind it", async () => {
    const initializers = [w, float("ws", [cols], perColumn), integer("wz", "INT8", [cols], zeros)];
    for (const scaling of [together, inTurn]) {
      const found = weightIn(dynamic(product, ...scaling), initializers);
      expect(numbersOf(found)).toEqual(byColumn);
      expect(found.use).toEqual({ operator: "MatMulInteger" });
    }
    const model = onnx(
      graph(
        dynamic(product, ...together),
        initializers,
        inputs(value("x", "FLOAT", [rows, rows])),
        outputs(value("y", "FLOAT", [rows, cols])),
      ),
    );
    const identity = Float32Array.from({ length: rows * rows }, (_, k) => (k % (rows + 1) === 0 ? 1 : 0));
    const { data: y } = (await outputsOf(model, { x: { data: identity, dims: [rows, rows] } }))["y"];
    for (const [k, number] of byColumn.entries())
      expect(Math.abs(y[k] - number)).toBeLessThan(1e-5 * Math.abs(number) + 1e-9);
    const codes = numbersIn("INT8", 24);
    const scales = positives(3);
    const conv = weightIn(dynamic(node("ConvInteger", ["xq", "w", "xz"], ["p"]), ...together), [
      integer("w", "INT8", [3, 2, 2, 2], codes),
      float("ws", [1, 3, 1, 1], scales),
    ]);
    expect(conv.use).toMatchObject({ operator: "ConvInteger", groups: 1 });
    expect(numbersOf(conv)).toEqual(rounded(codes.map((code, k) => code * scales[Math.floor(k / 8)])));
  });

  it("are left out where it is not clear which scale is theirs", () => {
    const zero = integer("wz", "INT8", [cols], zeros);
    const unclear = /^is a factor of MatMulInteger, and it is not clear which scale behind that is its own/;
    const scale = float("ws", [], [0.5]);
    const cases: readonly (readonly Uint8Array[])[] = [
      dynamic(product),
      dynamic(product, node("Mul", ["f", "ws"], ["y"])),
      dynamic(product, node("Mul", ["ws", "other"], ["s"]), node("Mul", ["f", "s"], ["y"])),
      dynamic(product, ...together, node("Add", ["f", "b"], ["z"])),
      dynamic(
        product,
        node("Mul", ["xs", "ws"], ["s"]),
        node("Mul", ["s", "ws"], ["r"]),
        node("Mul", ["f", "r"], ["y"]),
      ),
      [product],
    ];
    for (const nodes of cases) expect(whyNot(nodes, [w, scale, zero])).toMatch(unclear);
    expect(whyNot(dynamic(product, ...together), [w, float("ws", [rows, 1], positives(rows)), zero])).toMatch(
      /^has scales of shape \[6, 1\] behind it/,
    );
  });

  it("are left out by name where they are not read", () => {
    const reason = (operator: string) => `is quantized by ${operator}, which is not read`;
    const nodes: Readonly<Record<string, Uint8Array>> = {
      DynamicQuantizeLSTM: node("DynamicQuantizeLSTM", ["x", "w"], ["y"], microsoft),
      GatherBlockQuantized: node("GatherBlockQuantized", ["w", "i", "ws"], ["y"], microsoft),
      MatMulBnb4: node("MatMulBnb4", ["x", "w", "ws"], ["y"], microsoft),
    };
    for (const [operator, bytes] of Object.entries(nodes))
      expect(whyNot([bytes], [w, ...columns])).toBe(reason(operator));
  });
});

describe("MatMulNBits", () => {
  const [N, K, block] = [5, 40, 16];
  const blocks = Math.ceil(K / block);
  const sizes = (bits: number) => [
    attribute.integer("N", N),
    attribute.integer("K", K),
    attribute.integer("bits", bits),
    attribute.integer("block_size", block),
    microsoft,
  ];
  const scales = positives(N * blocks);
  const floating = positives(N * blocks);

  for (const bits of [2, 4, 8] as const)
    for (const form of ["none", "packed", "float"] as const)
      it(`has ${bits} bits, zero points: ${form}`, async () => {
        const codes = integers(N * blocks * block, 0, 2 ** bits - 1);
        const bytes = bits === 8 ? Uint8Array.from(codes) : packed(codes, bits);
        const zeros = integers(N * blocks, 0, 2 ** bits - 1);
        const zeroRows = Array.from({ length: N }, (_, n) => {
          const row = zeros.slice(n * blocks, (n + 1) * blocks);
          return bits === 8 ? Uint8Array.from(row) : packed(row, bits);
        });
        const zeroBytes = join(...zeroRows);
        const zero = { none: [], float: [float("z", [N, blocks], floating)] } as const;
        const packedZero = [tensor("z", "UINT8", [zeroBytes.length], raw(zeroBytes))];
        const more = form === "packed" ? packedZero : zero[form];
        const initializers = [
          tensor("w", "UINT8", [N, blocks, (block * bits) / 8], raw(bytes)),
          ...[float("s", [N * blocks], scales), ...more],
        ];
        const taken = ["x", "w", "s", ...(form === "none" ? [] : ["z"])];
        const nodes = [node("MatMulNBits", taken, ["y"], ...sizes(bits))];
        const found = weightIn(nodes, initializers);
        expect(found).toMatchObject({ shape: [N, K], use: { operator: "MatMulNBits" }, table: false });
        const zeroAt = (place: number) =>
          ({ none: 2 ** (bits - 1), packed: zeros[place], float: floating[place] })[form];
        const expected = Array.from({ length: N * K }, (_, k) => {
          const [n, j] = [Math.floor(k / K), k % K];
          const place = n * blocks + Math.floor(j / block);
          return (codes[n * blocks * block + j] - zeroAt(place)) * scales[place];
        });
        expect(numbersOf(found)).toEqual(rounded(expected));
        // ONNX Runtime multiplies weights of four bits alone.
        if (bits !== 4) return;
        const model = onnx(
          graph(
            nodes,
            initializers,
            inputs(value("x", "FLOAT", [K, K])),
            outputs(value("y", "FLOAT", [K, N])),
          ),
        );
        const identity = Float32Array.from({ length: K * K }, (_, k) => (k % (K + 1) === 0 ? 1 : 0));
        const { data: y } = (await outputsOf(model, { x: { data: identity, dims: [K, K] } }))["y"];
        for (const [k, number] of expected.entries())
          expect(Math.abs(y[(k % K) * N + Math.floor(k / K)] - number)).toBeLessThan(1e-5);
      });

  it("may also be a table that is looked up in a form that is not read", () => {
    const bytes = new Uint8Array((N * blocks * block) / 2);
    const nodes = [
      node("MatMulNBits", ["x", "w", "s"], ["y"], ...sizes(4)),
      node("GatherBlockQuantized", ["w", "i", "s"], ["t"], microsoft),
    ];
    const initializers = [
      tensor("w", "UINT8", [N, blocks, block / 2], raw(bytes)),
      float("s", [N, blocks], scales),
    ];
    expect(weightIn(nodes, initializers).shape).toEqual([N, K]);
  });

  it("is left out where its parts do not fit", () => {
    const s = float("s", [N * blocks], scales);
    const z = (count: number) => tensor("z", "UINT8", [count], raw(new Uint8Array(count)));
    const bytes = (N * blocks * block) / 2;
    const why = (taken: readonly string[], attributes: readonly Uint8Array[], ...all: Uint8Array[]) =>
      whyNot([node("MatMulNBits", taken, ["y"], ...attributes)], all);
    const plain = ["x", "w", "s"];
    const few = (count: number) => tensor("w", "UINT8", [count / 2, 2], raw(new Uint8Array(count)));
    expect(why(plain, sizes(3), few(bytes), s)).toBe("has 3 bits, none of 2, 4 and 8");
    expect(why(plain, sizes(4), few(bytes + 2), s)).toMatch(/are not as many as 5×40 in blocks of 16 takes/);
    expect(why(plain, sizes(4), few(bytes), float("s", [2], [1, 2]))).toMatch(/are not as many/);
    expect(why([...plain, "z"], sizes(4), few(bytes), s, z(7))).toMatch(/are not as many/);
    expect(why([...plain, "", "g"], sizes(4), few(bytes), s)).toMatch(/g_idx/);
    expect(why(plain, [microsoft], few(bytes), s)).toMatch(/attributes make no sense/);
    expect(why(["x", "w", "t"], sizes(4), few(bytes))).toBe("has a scale that is no constant of the model");
    expect(why(["x", "w"], sizes(4), few(bytes))).toBe("has no scale at MatMulNBits");
  });
});

describe("alpha", () => {
  it("is part of the matrix", () => {
    const numbers = [1, -2, 0.5, 4, -0.25, 3];
    const alpha = Math.fround(0.3);
    const scaled = [attribute.float("alpha", 0.3)];
    const times = rounded(numbers.map((x) => alpha * x));
    const found = weightIn([node("Gemm", ["x", "w"], ["y"], ...scaled)], [float("w", [2, 3], numbers)]);
    expect(numbersOf(found)).toEqual(times);
    const first = [attribute.integer("transA", 1), ...scaled];
    expect(
      numbersOf(weightIn([node("Gemm", ["w", "x"], ["y"], ...first)], [float("w", [2, 3], numbers)])),
    ).toEqual(times);
    const half = tensor("w", "FLOAT16", [2, 3], raw(floats("F16", numbers)));
    const wide = weightIn([node("FusedMatMul", ["x", "w"], ["y"], ...scaled, microsoft)], [half]);
    expect(wide.dtype).toBe("float32");
    expect(numbersOf(wide)).toEqual(times);
    const double = tensor("w", "DOUBLE", [2, 3], raw(floats("F64", numbers)));
    expect(numbersOf(weightIn([node("Gemm", ["x", "w"], ["y"], ...scaled)], [double]))).toEqual(
      numbers.map((x) => alpha * x),
    );
    const twice = [
      node("Gemm", ["x", "w"], ["y"], ...scaled),
      node("Gemm", ["y", "w"], ["z"], attribute.integer("transB", 1)),
    ];
    expect(whyNot(twice, [float("w", [2, 3], numbers)])).toBe("is multiplied by more than one alpha");
  });
});

it("a Constant may be quantized", () => {
  const bytes = onnx(
    graph(
      [
        constant("w", tensor("", "INT8", [2, 3], raw(encode("<i1", [1, 2, 3, -4, 5, 6])))),
        node("Constant", [], ["s"], attribute.floats("value_floats", [0.5, 2, 4])),
        node("DequantizeLinear", ["w", "s"], ["d"]),
      ],
      [],
    ),
  );
  const entries = entriesOf({ "m.onnx": bytes }, "m.onnx");
  expect(entries.map(({ name }) => name)).toEqual(["w"]);
  expect(numbersOf(tensorIn(entries, "w"))).toEqual([0.5, 4, 12, -2, 10, 24]);
});
