import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import { readModel } from "../../src/files/model.js";
import { ProtobufReader } from "../../src/files/protobuf.js";
import { type ByteSource, memorySource } from "../../src/files/source.js";
import { SpectralNormError } from "../../src/matrix/errors.js";
import { answers } from "../audit/models.js";
import { checkError, largestAllocation, mutations } from "./hostile.js";
import { entriesOf, type Files, fault, floats, folderOfFiles, numbersOf, tensorIn } from "./models.js";
import {
  attribute,
  constant,
  external,
  field,
  functionOf,
  graph,
  node,
  type OnnxType,
  onnx,
  raw,
  tensor,
  varint,
} from "./onnx-models.js";
import { encode, join } from "./writers.js";

const numbers = [1, -2, 0.5, 4, -0.25, 3];
const weight = (name: string, dims: readonly number[], values: readonly number[] = numbers) =>
  tensor(name, "FLOAT", dims, raw(floats("F32", values)));
const read = (bytes: Uint8Array, more: Files = {}) => entriesOf({ "m.onnx": bytes, ...more }, "m.onnx");
const readGraph = (...parts: Parameters<typeof graph>) => read(onnx(graph(...parts)));
const refused = (bytes: Uint8Array, name = "m.onnx") => {
  try {
    entriesOf({ [name]: bytes }, name);
  } catch (error) {
    if (error instanceof SpectralNormError) return checkError(error).message;
    throw error;
  }
  throw new Error("was read");
};
const bits = (dtype: "F16" | "BF16") => {
  const bytes = floats(dtype, numbers);
  return [...new Uint16Array(bytes.buffer)];
};

describe("Protocol Buffers", () => {
  const fieldsOf = (bytes: Uint8Array) => {
    const reader = new ProtobufReader(memorySource(bytes));
    return [...reader.fields(reader.whole)];
  };
  const whyNot = (bytes: Uint8Array) => {
    try {
      fieldsOf(bytes);
    } catch (error) {
      return checkError(error).message;
    }
    throw new Error("was read");
  };

  it("have integers of 64 bits with a sign", () => {
    const values = [0, 1, 127, 128, 2 ** 28, 2 ** 31, 2 ** 53 - 1, -1, -2, -(2 ** 31), -(2 ** 53) + 1];
    for (const value of values) expect(fieldsOf(field(3, value))[0]).toMatchObject({ number: 3, value });
    expect(fieldsOf(field(3, -(2n ** 63n)))[0].value).toBe(-(2 ** 63));
    expect(fieldsOf(field(3, 2n ** 62n))[0].value).toBe(2 ** 62);
  });

  it("are read whatever the source is, with the places of their fields", () => {
    const long = new Uint8Array(40_000).fill(7);
    const bytes = join(
      field(1, long),
      Uint8Array.of(0x15, 1, 2, 3, 4),
      Uint8Array.of(0x19, 1, 2, 3, 4, 5, 6, 7, 8),
      field(100_000, 5),
      field(4, long),
    );
    const [a, b, c, d, e] = fieldsOf(bytes);
    expect([a.number, b.number, c.number, d.number, e.number]).toEqual([1, 2, 3, 100_000, 4]);
    expect([b.type, c.type, d.type]).toEqual(["fixed32", "fixed64", "varint"]);
    expect(bytes.slice(b.begin, b.end)).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(e.end).toBe(bytes.length);
    expect(e.end - e.begin).toBe(40_000);
  });

  it("are refused where they are damaged", () => {
    const eleven = join(Uint8Array.of(8), new Uint8Array(10).fill(0x80), Uint8Array.of(1));
    expect(whyNot(eleven)).toMatch(/damaged at byte 1: a number has more than 10 bytes/);
    expect(whyNot(join(Uint8Array.of(8), new Uint8Array(9).fill(0xff), Uint8Array.of(2)))).toMatch(/64 bits/);
    expect(whyNot(Uint8Array.of(8, 0x80))).toMatch(/a number extends beyond its message/);
    expect(whyNot(Uint8Array.of(0x0a, 5, 1, 2))).toMatch(/a field of 5 bytes extends beyond .* byte 4/);
    expect(whyNot(Uint8Array.of(0x15, 5, 1, 2))).toMatch(/a field extends beyond/);
    expect(whyNot(Uint8Array.of(0x0b, 0x0c))).toMatch(/wire type 3/);
    expect(whyNot(Uint8Array.of(0x0c))).toMatch(/wire type 4/);
    expect(whyNot(Uint8Array.of(0x02, 0))).toMatch(/no field has this number/);
    expect(whyNot(join(varint(2n ** 40n), varint(0)))).toMatch(/no field has this number/);
    expect(whyNot(join(Uint8Array.of(0x0a), varint(-1)))).toMatch(/extends beyond/);
    expect(whyNot(join(Uint8Array.of(0x0a), varint(2n ** 62n)))).toMatch(/extends beyond/);
  });
});

describe("an ONNX file", () => {
  it("gives the numbers of every form of storage", () => {
    const F64 = floats("F64", numbers);
    const F32 = floats("F32", numbers);
    const singly = [...numbers.keys()].map((k) => join(varint(4 * 8 + 5), F32.subarray(4 * k, 4 * k + 4)));
    const forms: readonly [name: string, type: OnnxType, ...content: Uint8Array[]][] = [
      ["raw float", "FLOAT", raw(F32)],
      ["raw double", "DOUBLE", raw(F64)],
      ["raw half", "FLOAT16", raw(floats("F16", numbers))],
      ["raw bfloat", "BFLOAT16", raw(floats("BF16", numbers))],
      ["float_data", "FLOAT", field(4, F32)],
      ["float_data in pieces", "FLOAT", field(4, F32.subarray(0, 8)), field(4, F32.subarray(8))],
      ["float_data singly", "FLOAT", ...singly],
      ["double_data", "DOUBLE", field(10, F64)],
      ["int32_data of half", "FLOAT16", field(5, join(...bits("F16").map(varint)))],
      ["int32_data singly", "FLOAT16", ...bits("F16").map((value) => field(5, value))],
      ["int32_data of bfloat", "BFLOAT16", field(5, join(...bits("BF16").map(varint)))],
    ];
    const entries = readGraph(
      [],
      forms.map(([name, type, ...content]) => tensor(name, type, [2, 3], ...content)),
    );
    expect(entries.map(({ name }) => name)).toEqual(forms.map(([name]) => name));
    for (const [name, type] of forms) {
      const found = tensorIn(entries, name);
      expect(found).toMatchObject({ shape: [2, 3], layout: "pytorch" });
      expect(found.dtype).toBe(
        { FLOAT: "float32", DOUBLE: "float64", FLOAT16: "float16", BFLOAT16: "bfloat16" }[type as "FLOAT"],
      );
      expect(numbersOf(found), name).toEqual(numbers);
    }
  });

  it("gives complex numbers, and takes packed axes and fields in any order", () => {
    const c8 = encode("<f4", numbers);
    const bytes = join(
      field(9, encode("<f8", numbers)),
      field(8, "c16"),
      field(1, join(varint(1), varint(3))),
      field(2, 15),
    );
    const entries = readGraph([], [tensor("c8", "COMPLEX64", [3, 1], field(4, c8)), bytes]);
    expect(tensorIn(entries, "c8").dtype).toBe("complex64");
    const wide = tensorIn(entries, "c16");
    expect(wide).toMatchObject({ dtype: "complex128", shape: [1, 3] });
    const opened = wide.open();
    expect([...opened.numbers(0, 3)]).toEqual(numbers);
    expect([...opened.numbers(2, 1)]).toEqual(numbers.slice(4));
    opened.close();
  });

  it("is known by its first bytes or its extension", () => {
    const bytes = onnx(graph([], [weight("w", [2, 3])]));
    for (const name of ["m.onnx", "M.ONNX", "m", "m.bin", ""])
      expect(entriesOf({ [name]: bytes }, name), name).toHaveLength(1);
    // Fields in another order.
    const turned = join(field(7, graph([], [weight("w", [2, 3])])), field(1, 8));
    expect(read(turned)).toHaveLength(1);
    expect(refused(turned, "m")).toMatch(/is none of .*\.onnx/);
    expect(refused(join(field(1, 8), field(2, "x")))).toBe("is not an ONNX model: it has no graph");
    expect(refused(join(field(1, 0), field(7, graph([]))))).toMatch(/ir_version/);
    expect(refused(new TextEncoder().encode("hello, this is a text"))).toMatch(
      /^is not an ONNX model, or is damaged at byte 2: /,
    );
  });

  it("reads Constant nodes, by the names of their outputs, and says what is no matrix", () => {
    const entries = readGraph(
      [
        constant("w", weight("inner", [2, 3])),
        constant("shape", tensor("", "INT64", [2], raw(new Uint8Array(16)))),
        node(
          "Constant",
          [],
          ["floats"],
          field(5, join(field(1, "value_floats"), field(7, floats("F32", [1, 2])))),
        ),
        node(
          "Constant",
          [],
          ["float"],
          field(5, join(field(1, "value_float"), varint(21), floats("F32", [1]))),
        ),
        node("Constant", [], ["ints"], attribute.integers("value_ints", [1, 2])),
        node("Constant", [], ["text"], attribute.text("value_string", "a")),
        node(
          "Constant",
          [],
          ["sparse"],
          field(5, join(field(1, "sparse_value"), field(22, field(1, weight("", [6]))))),
        ),
      ],
      [
        tensor("ids", "INT64", [1, 2], raw(new Uint8Array(16))),
        tensor("axes", "INT64", [2], raw(new Uint8Array(16))),
        tensor("f8", "FLOAT8E4M3FN", [2, 2], raw(new Uint8Array(4))),
        tensor("new", "FLOAT", [1, 1]).map((byte, k) => (k === 5 ? 77 : byte)),
        weight("", [2, 3]),
      ],
      field(15, join(field(1, weight("thin", [6])), field(3, 9), field(3, 9))),
    );
    expect(entries.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
      "w: tensor",
      "floats: tensor",
      "float: tensor",
      "sparse: left out",
      "ids: left out",
      "f8: left out",
      "new: left out",
      "initializer 4: tensor",
      "thin: left out",
    ]);
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(numbers);
    expect(numbersOf(tensorIn(entries, "floats"))).toEqual([1, 2]);
    expect(tensorIn(entries, "float").shape).toEqual([]);
    expect(numbersOf(tensorIn(entries, "float"))).toEqual([1]);
    expect(fault(entries, "ids")).toMatch(/^dtype INT64 is none of FLOAT, /);
    expect(fault(entries, "f8")).toMatch(/^dtype FLOAT8E4M3FN is none of/);
    expect(fault(entries, "new")).toMatch(/^dtype number 77 is none of/);
    expect(fault(entries, "thin")).toMatch(/is sparse/);
  });

  it("reads subgraphs and functions, and gives what has one name in two of them two", () => {
    const branch = (name: string, ...nodes: Uint8Array[]) =>
      attribute.graph(name, graph([constant("w", weight("", [2, 3])), ...nodes]));
    const body = graph(
      [
        node(
          "If",
          ["c"],
          ["y"],
          branch("then_branch"),
          branch("else_branch", node("MatMul", ["x", "outer"], ["z"])),
        ),
      ],
      [weight("deep", [3, 2])],
    );
    const bytes = onnx(
      graph(
        [
          node("Loop", ["n"], ["y"], field(3, "around"), attribute.graph("body", body)),
          node("mine", ["x", "given"], ["q"], field(7, "my")),
        ],
        [weight("outer", [1, 2, 3]), weight("given", [3, 1, 2])],
      ),
      functionOf(
        "my",
        "mine",
        ["a", "b"],
        [constant("w", weight("", [6, 1])), node("MatMul", ["a", "b"], ["c"])],
      ),
    );
    const entries = read(bytes);
    expect(entries.map(({ name }) => name)).toEqual([
      "w",
      "around/body/If_0/else_branch/w",
      "deep",
      "outer",
      "given[0]",
      "given[1]",
      "given[2]",
      "mine/w",
    ]);
    // The uses in a subgraph and in a function are those of the names outside.
    expect(tensorIn(entries, "outer")).toMatchObject({ shape: [2, 3], use: { operator: "MatMul" } });
    expect(tensorIn(entries, "given[2]").shape).toEqual([1, 2]);
    expect(numbersOf(tensorIn(entries, "given[2]"))).toEqual(numbers.slice(4));
    for (const entry of entries)
      if (entry.kind === "tensor" && !entry.name.startsWith("given"))
        expect(numbersOf(entry)).toEqual(numbers);
  });
});

describe("the operators of an ONNX graph", () => {
  const lined = (name: string, dims: readonly number[]) => {
    const count = dims.reduce((a, b) => a * b, 1);
    return weight(
      name,
      dims,
      Array.from({ length: count }, (_, k) => k + 1),
    );
  };

  it("say which axis is that of the outputs", () => {
    const entries = readGraph(
      [
        node(
          "Conv",
          ["x", "conv", "bias"],
          ["a"],
          attribute.integers("strides", [2, 1]),
          attribute.integers("pads", [1, 2, 3, 4]),
          attribute.integers("dilations", [1, 2]),
          attribute.integer("group", 3),
        ),
        node("ConvTranspose", ["a", "up"], ["b"], attribute.text("auto_pad", "SAME_UPPER")),
        node(
          "Conv",
          ["x", "odd"],
          ["c"],
          attribute.integers("strides", [0, 1]),
          attribute.integers("pads", [1]),
          attribute.integer("group", -1),
        ),
        node("Transpose", ["hwio"], ["oihw"], attribute.integers("perm", [3, 2, 0, 1])),
        node("Conv", ["x", "oihw"], ["d"]),
      ],
      [
        lined("conv", [3, 1, 2, 2]),
        lined("up", [2, 3, 1, 2]),
        lined("odd", [1, 1, 2, 2]),
        lined("hwio", [2, 1, 3, 4]),
        weight("bias", [3], [1, 2, 3]),
      ],
    );
    expect(tensorIn(entries, "conv").use).toEqual({
      ...{ operator: "Conv", stride: [2, 1], padding: [1, 3, 2, 4], dilation: [1, 2], groups: 3 },
    });
    const up = tensorIn(entries, "up");
    expect(up).toMatchObject({ shape: [2, 3, 1, 2], outputs: 1, unpacked: true });
    expect(up.use).toEqual({
      operator: "ConvTranspose",
      stride: [1, 1],
      padding: "same",
      dilation: [1, 1],
      groups: 1,
    });
    expect(numbersOf(up)).toEqual([1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12]);
    expect(tensorIn(entries, "odd").use).toEqual({ operator: "Conv", dilation: [1, 1] });
    expect(tensorIn(entries, "hwio").layout).toBe("tensorflow");
    expect(tensorIn(entries, "conv").layout).toBe("pytorch");
  });

  it("are taken as they are where they come transposed, and without what makes no sense", () => {
    const transpose = (from: string, to: string, ...perm: number[]) =>
      node("Transpose", [from], [to], ...(perm.length > 0 ? [attribute.integers("perm", perm)] : []));
    const one = [1, 1, 2, 3];
    const entries = readGraph(
      [
        ...[transpose("swapped", "s", 1, 0, 3, 2), node("Conv", ["x", "s"], ["a"])],
        ...[transpose("reversed", "r"), node("Conv", ["x", "r"], ["b"])],
        ...[transpose("wrong", "w", 0, 0, 1, 2), node("Conv", ["x", "w"], ["c"])],
        node("ConvTranspose", ["x", "larger"], ["d"], attribute.integers("output_padding", [1, 0])),
        node("Conv", ["x", "lower"], ["e"], attribute.text("auto_pad", "SAME_LOWER")),
        node("Conv", ["x", "long"], ["f"], attribute.integers("pads", new Array(100).fill(1))),
        ...[node("Identity", ["passed"], ["p"]), node("Cast", ["p"], ["q"]), node("Conv", ["x", "q"], ["g"])],
      ],
      ["swapped", "reversed", "wrong", "larger", "lower", "long", "passed"].map((name) => weight(name, one)),
    );
    expect(tensorIn(entries, "swapped")).toMatchObject({ outputs: 1, use: { operator: "Conv" } });
    expect(tensorIn(entries, "swapped").use?.stride).toBeUndefined();
    expect(tensorIn(entries, "reversed")).toMatchObject({ layout: "tensorflow", use: { operator: "Conv" } });
    expect(tensorIn(entries, "reversed").use?.stride).toBeUndefined();
    expect(tensorIn(entries, "wrong").use).toBeUndefined();
    expect(tensorIn(entries, "larger").use).toMatchObject({ padding: [0, 0, 0, 0], outputPadding: [1, 0] });
    expect(tensorIn(entries, "lower").use).toMatchObject({ padding: "same-lower" });
    expect(tensorIn(entries, "long").use?.padding).toEqual([0, 0, 0, 0]);
    expect(tensorIn(entries, "passed").use).toMatchObject({ operator: "Conv", padding: [0, 0, 0, 0] });
  });

  it("make one matrix for each leading index of a product, and each direction of a recurrent layer", () => {
    const entries = readGraph(
      [
        node("MatMul", ["x", "stack"], ["a"]),
        node("MatMul", ["x", "one"], ["b"]),
        node("LSTM", ["x", "W", "R", "B", "", "h"], ["c"]),
        node("GRU", ["x", "W1", "R1"], ["d"]),
        node("Transpose", ["turned"], ["t"], attribute.integers("perm", [0, 2, 1])),
        node("MatMul", ["x", "t"], ["e"]),
        node("Transpose", ["mixed"], ["u"], attribute.integers("perm", [1, 0, 2])),
        node("MatMul", ["x", "u"], ["f"]),
        node("MatMul", ["x", "empty"], ["g"]),
        node("MatMul", ["x", "many"], ["h2"]),
      ],
      [
        lined("stack", [2, 1, 2, 3]),
        lined("one", [1, 1, 2, 3]),
        lined("W", [2, 4, 3]),
        lined("R", [2, 4, 1]),
        lined("B", [2, 8]),
        lined("h", [2, 1, 1]),
        lined("W1", [1, 3, 2]),
        lined("R1", [1, 3, 1]),
        lined("turned", [2, 2, 3]),
        lined("mixed", [2, 2, 3]),
        lined("empty", [2, 0, 3]),
        lined("many", [5000, 1, 1]),
      ],
    );
    const shapes = Object.fromEntries(
      entries.map((entry) => [
        entry.name,
        entry.kind === "failed" ? entry.error.message : entry.shape?.join("×"),
      ]),
    );
    expect(shapes).toEqual({
      ...{ "stack[0]": "2×3", "stack[1]": "2×3", one: "2×3", "W[0]": "4×3", "W[1]": "4×3" },
      ...{ "R[0]": "4×1", "R[1]": "4×1", B: "2×8", h: "2×1×1", W1: "3×2", R1: "3×1" },
      ...{ "turned[0]": "2×3", "turned[1]": "2×3", mixed: "2×2×3", empty: "2×0×3", many: "5000×1×1" },
    });
    expect(numbersOf(tensorIn(entries, "W[1]"))).toEqual(Array.from({ length: 12 }, (_, k) => k + 13));
    expect(fault(entries, "B")).toBe("is the bias of LSTM");
    expect(fault(entries, "h")).toBe("is the first state of LSTM");
    expect(fault(entries, "many")).toBe("is a stack of 5000 matrices, more than 4096");
    expect(tensorIn(entries, "mixed").use).toBeUndefined();
  });

  it("divide stacks whose numbers are gathered", () => {
    const values = bits("F16");
    const entries = readGraph(
      [node("MatMul", ["x", "w"], ["y"])],
      [tensor("w", "FLOAT16", [3, 1, 2], field(5, join(...values.map(varint))))],
    );
    expect(["w[0]", "w[1]", "w[2]"].flatMap((name) => numbersOf(tensorIn(entries, name)))).toEqual(numbers);
  });

  it("tell tables, entries and quantized weights from matrices", () => {
    const bytes = (name: string, dims: readonly number[]) =>
      tensor(name, "INT8", dims, raw(new Uint8Array(dims.reduce((a, b) => a * b, 1))));
    const scale = (name: string) => weight(name, [], [0.5]);
    const entries = readGraph(
      [
        node("Gather", ["table", "i"], ["a"]),
        node("Gather", ["tied", "i"], ["b"]),
        node("Transpose", ["tied"], ["t"]),
        node("MatMul", ["x", "t"], ["logits"]),
        node("Add", ["x", "added"], ["c"]),
        node("Gemm", ["x", "fc", "C"], ["d"], attribute.integer("transB", 1)),
        node("DequantizeLinear", ["q", "s", "z"], ["dq"]),
        node("MatMul", ["x", "dq"], ["e"]),
        node("QLinearConv", ["x", "xs", "xz", "qc", "ws", "wz", "ys", "yz"], ["f"]),
        node("MatMulNBits", ["x", "nb", "ns"], ["g"], field(7, "com.microsoft")),
        node("MatMulInteger", ["x", "mi"], ["h"]),
        node("Strange", ["strange"], ["k"], field(7, "my.own")),
        node("Conv", ["x", "blocked"], ["l"], field(7, "com.microsoft.nchwc")),
      ],
      [
        ...[
          weight("table", [2, 3]),
          weight("tied", [3, 2]),
          weight("added", [1, 2, 3]),
          weight("fc", [2, 3]),
        ],
        ...[weight("C", [2, 3]), bytes("q", [2, 3]), scale("s"), bytes("z", []), bytes("qc", [2, 1, 2, 2])],
        ...[
          scale("xs"),
          scale("ws"),
          scale("ys"),
          bytes("xz", []),
          bytes("nb", [2, 1, 8]),
          weight("ns", [3, 2]),
        ],
        ...[
          weight("blocked", [2, 3, 1, 1]),
          bytes("mi", [2, 2]),
          weight("strange", [2, 3]),
          weight("unused", [3, 2]),
        ],
      ],
    );
    expect(
      Object.fromEntries(
        entries.map((entry) => [entry.name, entry.kind === "left out" ? entry.reason : entry.kind]),
      ),
    ).toEqual({
      ...{ table: "tensor", tied: "tensor", fc: "tensor", strange: "tensor", unused: "tensor" },
      added: "is taken entry by entry by Add",
      blocked: "is in blocks of channels for com.microsoft.nchwc.Conv, which is not read",
      C: "is added by Gemm",
      q: "tensor",
      qc: "has a zero point that is no constant of the model",
      nb: "is a weight of MatMulNBits whose attributes make no sense",
      mi: "is a factor of MatMulInteger, and it is not clear which scale behind that is its own",
    });
    expect(tensorIn(entries, "table").table).toBe(true);
    expect(tensorIn(entries, "tied").table).toBe(false);
    expect(tensorIn(entries, "unused").table).toBeUndefined();
  });
});

describe("external data", () => {
  const F32 = floats("F32", numbers);
  const outside = (name: string, entries: Readonly<Record<string, string>>) =>
    tensor(name, "FLOAT", [2, 3], external(entries));
  const whyNot = (entries: Readonly<Record<string, string>>, files: Files = { "w.bin": F32 }) =>
    fault(read(onnx(graph([], [outside("w", entries)])), files), "w");

  it("is read from a file of the folder, from its offset on", () => {
    const entries = read(
      onnx(
        graph(
          [],
          [
            outside("a", { location: "w.bin", offset: "4", length: "24" }),
            outside("b", { location: "./w.bin", offset: "28" }),
            outside("shared", { location: "w.bin", offset: "4", checksum: "0" }),
            outside("c", { location: "sub/v.bin" }),
          ],
        ),
      ),
      {
        "w.bin": join(new Uint8Array(4), F32, F32),
        "./w.bin": join(new Uint8Array(4), F32, F32),
        "sub/v.bin": F32,
      },
    );
    for (const entry of entries) expect(numbersOf(tensorIn(entries, entry.name))).toEqual(numbers);
    expect(entries).toHaveLength(4);
  });

  it("is refused outside the folder, or where it does not fit", () => {
    for (const location of ["../w.bin", "/w.bin", "a/../../w.bin", "\\w.bin", "C:\\w.bin", "file:///w.bin"])
      expect(whyNot({ location }), location).toMatch(/is not a file in the model's own folder/);
    expect(whyNot({ location: "" })).toMatch(/its name is not a string/);
    expect(whyNot({ offset: "0" })).toBe("its external_data does not say in which file it is");
    expect(whyNot({ location: "lost" })).toBe('its file "lost": no such file');
    expect(whyNot({ location: "w.bin", offset: "1" })).toBe(
      'ends at byte 25 of its file "w.bin", which has 24',
    );
    expect(whyNot({ location: "w.bin", length: "23" })).toBe("takes 24 bytes, and its external data has 23");
    for (const offset of ["-1", "1e3", "99999999999999999999", "x"])
      expect(whyNot({ location: "w.bin", offset })).toBe("the offset of its external_data is not an integer");
    const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n");
    expect(whyNot({ location: "w.bin" }, { "w.bin": pointer })).toMatch(/git-lfs pointer/);
  });

  it("fails where it overlaps, and once for all tensors of a missing file", () => {
    const file = { "w.bin": join(F32, F32) };
    const at = (name: string, offset: number) => outside(name, { location: "w.bin", offset: String(offset) });
    const entries = read(onnx(graph([], [at("a", 0), at("b", 20), at("c", 24)])), file);
    expect(fault(entries, "a")).toBe('its external data overlaps that of "b"');
    expect(fault(entries, "b")).toMatch(/overlaps that of/);
    expect(fault(entries, "c")).toMatch(/overlaps that of/);
    const lost = read(
      onnx(
        graph(
          [],
          ["a", "b", "c"].map((name) => outside(name, { location: "lost" })),
        ),
      ),
    );
    expect(lost).toHaveLength(1);
    expect(fault(lost, "a")).toBe('its file "lost": no such file; the same holds for 2 more: "b", "c"');
  });

  it("notices a file that has changed", () => {
    let bytes = F32;
    const model = onnx(graph([], [outside("w", { location: "w.bin" })]));
    const folder = { open: () => memorySource(bytes) };
    const [entry] = readModel(() => memorySource(model), "m.onnx", folder);
    bytes = join(F32, F32) as typeof F32;
    expect(entry.kind === "tensor" && entry.open).toThrow(/has changed/);
  });
});

describe("a damaged ONNX file", () => {
  it("costs the tensors that are damaged, and no others", () => {
    const F32 = floats("F32", numbers);
    const negative = tensor("negative", "FLOAT", [-2, -3], raw(F32));
    const cases: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
      ["negative", negative, /^its shape has -2 where an integer belongs/],
      ["huge", tensor("huge", "FLOAT", [2n ** 40n, 2n ** 40n], raw(F32)), /more than 2\^53/],
      [
        "short",
        tensor("short", "FLOAT", [2, 4], raw(F32)),
        /^\[2, 4\] FLOAT takes 32 bytes, and its raw_data has 24/,
      ],
      ["few", tensor("few", "DOUBLE", [2, 2], field(10, F32)), /double_data has 24/],
      ["bare", tensor("bare", "FLOAT", [2, 3]), /has no numbers in the file/],
      ["other", tensor("other", "FLOAT", [2, 3], field(10, F32)), /in a field of another type/],
      ["twice", tensor("twice", "FLOAT", [2, 3], raw(F32), field(4, F32)), /has its numbers twice/],
      ["segment", tensor("segment", "FLOAT", [2, 3], field(3, field(1, 1))), /segment/],
      ["axes", tensor("axes", "FLOAT", new Array(70).fill(1), raw(F32)), /more than 64 axes/],
      ["halves", tensor("halves", "FLOAT16", [2, 3], field(5, Uint8Array.of(1, 2))), /int32_data of 2 bytes/],
      ["wire", tensor("wire", "FLOAT", [2, 3], field(9, 5)), /not the sequence of bytes/],
    ];
    const entries = readGraph(
      [],
      [weight("first", [2, 3]), ...cases.map(([, bytes]) => bytes), weight("last", [3, 2])],
    );
    for (const [name, , message] of cases) expect(fault(entries, name), name).toMatch(message);
    expect(entries).toHaveLength(cases.length + 2);
    expect(numbersOf(tensorIn(entries, "first"))).toEqual(numbers);
    expect(numbersOf(tensorIn(entries, "last"))).toEqual(numbers);
    const again = readGraph([], [weight("w", [2, 3]), weight("w", [2, 3])]);
    expect(fault(again, "w #2")).toBe("is there a second time under the same name");
  });

  it("says when it opens a tensor that it has too few numbers, or such as are none", () => {
    const half = (...values: number[]) =>
      tensorIn(readGraph([], [tensor("w", "FLOAT16", [2, 1], field(5, join(...values.map(varint))))]), "w");
    expect(() => half(1, 2).open()).not.toThrow();
    expect(() => half(70_000, 2).open()).toThrow(/has 70000, which is no number of 16 bits/);
    expect(() => half(-1, 2).open()).toThrow(/has -1/);
    expect(() => half(300).open()).toThrow(/has 2 numbers, and 1 of them are in the file/);
    expect(() => half(1, 2, 3).open()).toThrow(/more than its 2 numbers/);
  });

  it("goes on behind a damaged node, and answers what lies before the end of a cut file", () => {
    const bad = node("Conv", ["x"], ["y"], field(5, Uint8Array.of(0x0a, 9)));
    const nodes = [constant("a", weight("", [2, 3])), bad, constant("b", weight("", [2, 3]))];
    const bytes = onnx(graph(nodes, [weight("w", [2, 3])]));
    const entries = read(bytes);
    expect(entries.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
      "a: tensor",
      "node 1: failed",
      "b: tensor",
      "w: tensor",
    ]);
    expect(fault(entries, "node 1")).toMatch(/^is damaged at byte \d+: a field of 9 bytes extends beyond/);
    const cut = read(bytes.subarray(0, -30));
    expect(cut.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
      "a: tensor",
      "node 1: failed",
      "b: tensor",
      "the graph: failed",
      "the rest of the file: failed",
    ]);
    expect(fault(cut, "the rest of the file")).toMatch(
      /^is cut short or damaged: \d+ bytes more are promised/,
    );
  });

  it("is refused beyond a hundred levels, and what is above them is read", () => {
    let inner = graph([], [weight("deepest", [2, 3])]);
    for (let k = 0; k < 2000; k++)
      inner = graph(
        [node("If", ["c"], ["y"], attribute.graph("then_branch", inner))],
        [weight(`w${k}`, [2, 3])],
      );
    const entries = read(onnx(inner));
    expect(entries.filter(({ kind }) => kind === "tensor").length).toBeGreaterThan(25);
    const failed = entries.filter(({ kind }) => kind === "failed");
    expect(failed).toHaveLength(2);
    for (const { name } of failed) expect(fault(failed, name)).toMatch(/nested deeper than 100 levels/);
  });

  it("is not followed round in circles, nor along every path", () => {
    const names = Array.from({ length: 300 }, (_, k) => `v${k}`);
    const chain = names
      .slice(1)
      .flatMap((name, k) => [node("Identity", [names[k]], [name]), node("Identity", [names[k]], [name])]);
    const circle = [node("Identity", ["w"], ["u"]), node("Identity", ["u"], ["w"])];
    const own = functionOf("my", "f", ["a"], [node("f", ["a"], ["b"], field(7, "my"))]);
    const entries = read(
      onnx(
        graph(
          [...chain, ...circle, node("f", ["w"], ["x"], field(7, "my"))],
          [weight("v0", [2, 3]), weight("w", [2, 3])],
        ),
        own,
      ),
    );
    expect(entries.map(({ kind }) => kind)).toEqual(["tensor", "tensor"]);
  });

  it("is refused with more nodes or tensors than any network has", () => {
    const many = (number: number) =>
      onnx(new Uint8Array(2 * (2 ** 20 + 1)).map((_, k) => (k % 2 ? 0 : 8 * number + 2)));
    for (const number of [1, 5]) expect(refused(many(number))).toBe("has more than 1048576 nodes or tensors");
    const inputs = node(
      "Sum",
      [],
      [],
      new Uint8Array(2 * (2 ** 22 + 1)).map((_, k) => (k % 2 ? 0 : 10)),
    );
    expect(refused(onnx(graph([inputs])))).toBe("has more than 1048576 nodes or tensors");
  });

  it("takes little memory, whatever it claims, and whatever its weights take", () => {
    const claims = tensor("w", "FLOAT", [2 ** 30, 2 ** 10], field(4, floats("F32", numbers)));
    expect(largestAllocation(() => readGraph([], [claims]))).toBeLessThan(2 ** 16);
    // A sparse source of 10 GB: a graph of one tensor, whose numbers are all zero.
    const size = 10 * 2 ** 30;
    const inner = join(tensor("w", "FLOAT", [size / 2 ** 12, 2 ** 10]), varint(9 * 8 + 2), varint(size));
    const around = join(varint(5 * 8 + 2), varint(inner.length + size), inner);
    const after = field(5, weight("v", [2, 3]));
    const head = join(field(1, 8), varint(7 * 8 + 2), varint(around.length + size + after.length), around);
    let bytesRead = 0;
    const source: ByteSource = {
      size: head.length + size + after.length,
      read(offset, length) {
        bytesRead += length;
        const bytes = new Uint8Array(length);
        for (const [at, part] of [
          [0, head],
          [head.length + size, after],
        ] as const)
          for (let k = Math.max(at, offset); k < Math.min(at + part.length, offset + length); k++)
            bytes[k - offset] = part[k - at];
        return bytes;
      },
      close() {},
    };
    const entries = readModel(() => source, "m.onnx", folderOfFiles({}));
    expect(entries.map(({ name, kind }) => `${name}: ${kind}`)).toEqual(["w: tensor", "v: tensor"]);
    expect(bytesRead).toBeLessThan(2 ** 17);
    const opened = tensorIn(entries, "w").open();
    expect([...opened.numbers(2 ** 31, 2)]).toEqual([0, 0]);
    expect(numbersOf(tensorIn(entries, "v"))).toEqual(numbers);
  });

  const whole = onnx(
    graph(
      [
        constant("c", weight("", [2, 3])),
        node("Conv", ["x", "k"], ["y"], attribute.integers("pads", [1, 1, 1, 1])),
        node("MatMul", ["y", "half"], ["z"]),
        node("If", ["b"], ["z"], attribute.graph("then_branch", graph([constant("d", weight("", [3, 2]))]))),
      ],
      [
        weight("k", [1, 1, 2, 3]),
        tensor("half", "FLOAT16", [2, 3, 1], field(5, join(...bits("F16").map(varint)))),
        tensor("e", "FLOAT", [2, 3], external({ location: "w.bin", offset: "0" })),
      ],
    ),
    functionOf("my", "f", ["a"], [node("MatMul", ["a", "a"], ["b"])]),
  );

  it("is read or refused, whatever is wrong with it", () => {
    fc.assert(
      fc.property(mutations(whole), (bytes) => {
        try {
          for (const entry of read(bytes, { "w.bin": floats("F32", numbers) })) {
            if (entry.kind === "failed") checkError(entry.error);
            if (entry.kind !== "tensor") continue;
            try {
              numbersOf(entry);
            } catch (error) {
              checkError(error);
            }
          }
        } catch (error) {
          checkError(error);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("the audit of an ONNX file", () => {
  const folder = mkdtempSync(pathOf(tmpdir(), "onnx-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const random = (count: number, seed: number) =>
    Array.from(Float32Array.from({ length: count }, (_, k) => Math.sin(seed + 37.7 * k * (k + seed))));
  const norm = (rows: number, cols: number, at: (i: number, j: number) => number) =>
    new SingularValueDecomposition(
      new Matrix(Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (_, j) => at(i, j)))),
      { autoTranspose: true },
    ).norm2;

  it("gives the norms of a dense decomposition", async () => {
    const conv = random(4 * 3 * 2 * 2, 1);
    const up = random(3 * 5 * 2 * 2, 2);
    const fc1 = random(6 * 7, 3);
    const stack = random(2 * 4 * 3, 4);
    const path = pathOf(folder, "net.onnx");
    writeFileSync(
      path,
      onnx(
        graph(
          [
            node("Conv", ["x", "conv"], ["a"], attribute.integers("strides", [2, 2])),
            node("ConvTranspose", ["a", "up"], ["b"]),
            node("Gemm", ["b", "fc"], ["c"], attribute.integer("transB", 1)),
            node("LSTM", ["c", "W"], ["d"]),
            node("Gather", ["table", "i"], ["e"]),
          ],
          [
            weight("conv", [4, 3, 2, 2], conv),
            weight("up", [3, 5, 2, 2], up),
            tensor("fc", "FLOAT", [6, 7], external({ location: "net.data", offset: "8", length: "168" })),
            weight("W", [2, 4, 3], stack),
            weight("table", [3, 2]),
          ],
        ),
      ),
    );
    writeFileSync(pathOf(folder, "net.data"), join(new Uint8Array(8), floats("F32", fc1)));
    const { status, lines, stderr } = await answers([path]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/1 tensor left out: an embedding table, whose rows are looked up/);
    const expected = {
      conv: norm(4, 12, (i, j) => conv[12 * i + j]),
      up: norm(5, 12, (o, j) => up[(Math.floor(j / 4) * 5 + o) * 4 + (j % 4)]),
      fc: norm(6, 7, (i, j) => fc1[7 * i + j]),
      "W[0]": norm(4, 3, (i, j) => stack[3 * i + j]),
      "W[1]": norm(4, 3, (i, j) => stack[12 + 3 * i + j]),
    };
    expect(lines.map(({ tensor }) => tensor)).toEqual(Object.keys(expected));
    for (const line of lines) {
      const sigma = expected[line.tensor as keyof typeof expected];
      expect(Math.abs(line.sigma - sigma) / sigma).toBeLessThan(1e-6);
    }
    expect(lines[0]).toMatchObject({
      shape: [4, 3, 2, 2],
      rows: 4,
      cols: 12,
      operator: "Conv",
      stride: [2, 2],
      groups: 1,
    });
    expect(lines[1]).toMatchObject({ shape: [3, 5, 2, 2], rows: 5, cols: 12, operator: "ConvTranspose" });
    expect(lines[2]).toMatchObject({ operator: "Gemm", dtype: "float32" });
    const streamed = await answers([path], { memory: 8 } as never);
    expect(streamed.stderr).toMatch(/"up": .* more than the memory allowed/);
    expect(streamed.lines.map(({ tensor }) => tensor)).toEqual(["conv", "fc", "W[0]", "W[1]"]);
    expect((await answers([path], { certify: true })).lines.every(({ proven }) => proven)).toBe(true);
    expect((await answers([path], { embeddings: true })).lines).toHaveLength(6);
  });
});
