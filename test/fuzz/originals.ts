import { gzipSync } from "node:zlib";
import { withoutGzip } from "../../src/files/gzip.js";
import { withUpdates } from "../../src/files/lora.js";
import { BaseModel } from "../../src/files/lora-base.js";
import { readModel } from "../../src/files/model.js";
import { memorySource } from "../../src/files/source.js";
import { type GgufPart, gguf, TYPE, u32, weightBlocks } from "../files/gguf-writer.js";
import { BOOLEAN, complexType, TYPE as HDF5, hdf5, heapText } from "../files/hdf5-writer.js";
import { checkError, readOrRefuse } from "../files/hostile.js";
import { keras2, keras3, kerasArchive, layer } from "../files/keras-models.js";
import { level4, MatlabWriter } from "../files/matlab-writer.js";
import { cell73, empty73, full73, list73, matlab73, sparse73, struct73 } from "../files/matlab73-writer.js";
import { type Files, floats, folderOfFiles, numbersOf, safetensors, text } from "../files/models.js";
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
  tensor as onnxTensor,
  value as onnxValue,
  raw,
  values,
  varint,
} from "../files/onnx-models.js";
import { range } from "../files/safetensors-parts.js";
import {
  pickled,
  quantizedTensor,
  smallTorchFile,
  torchFile,
  torchStream,
  torchTensor,
  typedTensor,
} from "../files/torch-writer.js";
import { encode, join, npy, zip } from "../files/writers.js";

/** A valid file, or several that belong together, small enough that a mutation is likely to hit what matters. */
export interface Original {
  readonly files: Files;
  /** the file that a user would name */
  readonly main: string;
  /** reads all there is, or throws what `checkError` lets pass; returns what it came to, for comparison */
  readonly read: (files: Files, name: string) => string;
}

/** What some work came to, or the error that says what is wrong. */
function guarded(work: () => string): string {
  try {
    return work();
  } catch (error) {
    return checkError(error).message;
  }
}

/** A matrix file by any name: it is read as what its name says, or its bytes. */
function matrices(files: Files, name: string): string {
  const entries = readOrRefuse(files[name], name);
  return Array.isArray(entries) ? entries.map(({ kind }) => kind).join() : entries.message;
}

/** A matrix file that may be compressed with gzip. */
function unpacked(files: Files, file: string): string {
  return guarded(() => {
    const { source, name } = withoutGzip(memorySource(files[file]), file, undefined);
    return matrices({ [name]: source.read(0, source.size) }, name);
  });
}

/** A model's files: every tensor is opened and read to its end. */
function model(files: Files, name: string): string {
  return guarded(() =>
    readModel(() => memorySource(files[name]), name, folderOfFiles(files))
      .map((entry) => {
        if (entry.kind === "tensor") return guarded(() => String(numbersOf(entry).length));
        return entry.kind === "failed" ? checkError(entry.error).message : entry.reason;
      })
      .join("; "),
  );
}

/** An adapter's files, perhaps with `base.safetensors`: every update is opened, and some of its numbers are computed. */
function adapter(files: Files, name: string): string {
  return guarded(() => {
    const folder = folderOfFiles(files);
    const entries = readModel(() => memorySource(files[name]), name, folder);
    const base = Object.hasOwn(files, "base.safetensors")
      ? new BaseModel(
          "base",
          readModel(() => memorySource(files["base.safetensors"]), "base.safetensors", folder),
        )
      : undefined;
    return withUpdates(entries, folder, base)
      .map((entry) => {
        if (entry.kind === "failed") return checkError(entry.error).message;
        if (entry.kind === "left out") return entry.reason;
        const count = entry.shape.reduce((product, length) => product * length, 1);
        return guarded(() => String(entry.open().numbers(0, Math.min(count, 50)).length));
      })
      .join("; ");
  });
}

const one = (main: string, bytes: Uint8Array, read = matrices): Original => ({
  files: { [main]: bytes },
  main,
  read,
});

const numbers = (count: number) => Array.from({ length: count }, (_, k) => Math.sin(k) * 3);
const doubles = npy({ descr: "<f8", shape: [3, 4], data: encode("<f8", numbers(12)) });
const halves = npy({
  ...{ descr: "<f2", shape: [4, 2], fortran: true },
  data: encode("<f2", [1, 2, 3, 4, 5, 6, 7, 8]),
});
const whole = npy({
  ...{ descr: ">i4", shape: [2, 5], major: 2 },
  data: encode(">i4", [1, -2, 3, 4, 5, 6, 7, 8, 9, 1]),
});
const complex = npy({ descr: "<c16", shape: [2, 3], data: encode("<f8", numbers(12)) });
const swapped = npy({ descr: ">c8", shape: [3, 2], fortran: true, data: encode(">f4", numbers(12)) });
const i4 = (...values: number[]) => encode(">i4", values);
const f8 = (...values: number[]) => encode(">f8", values);

const vector = (descr: string, of: readonly number[]) =>
  npy({ descr, shape: [of.length], data: encode(descr, of) });
const sparse = (format: string, parts: Files, deflate: boolean) =>
  zip(
    Object.entries({
      ...parts,
      format: npy({ descr: "|S3", shape: [], data: text(format) }),
      shape: vector("<i8", [3, 4]),
    }).map(([name, content]) => ({ name: `${name}.npy`, content, deflate })),
  );
const csrParts = {
  data: vector("<f8", numbers(3)),
  indices: vector("<i4", [0, 1, 1]),
  indptr: vector("<i4", [0, 2, 2, 3]),
};

const matlab = new MatlabWriter();
const matlabVariables = [
  matlab.full("A", "double", [2, 3], numbers(6)),
  matlab.full("z", "single", [1, 2], [1, 2], { imaginary: [3, 4], stored: "int8" }),
  matlab.array({
    ...{ type: "sparse", dims: [3, 2], name: "S" },
    content: [
      matlab.numbers("int32", [0, 2, 1]),
      matlab.numbers("int32", [0, 2, 3]),
      matlab.numbers("double", [1, 2, 3]),
    ],
  }),
  matlab.struct(
    "s",
    [1, 1],
    ["a", "b"],
    [
      matlab.full("", "int8", [1, 2], [1, 2]),
      matlab.cell("", [1, 1], [matlab.full("", "double", [1, 1], [5])]),
    ],
  ),
];

const matlab73File = (version: 0 | 2, filters: readonly number[]) =>
  matlab73(
    {
      A: full73("double", [2, 3], numbers(6), { chunk: [2, 2], filters }),
      z: full73("int16", [1, 2], [1, 2, 3, 4], { complex: true }),
      S: sparse73(3, {
        ...{ ir: list73([0, 2, 1]), jc: list73([0, 2, 3]) },
        data: { ...full73("double", [3], numbers(3)), attributes: {} },
      }),
      c: cell73([1, 3], ["/#refs#/a", "/#refs#/b", "/#refs#/e"]),
    },
    {
      ...{ a: full73("single", [1, 1], [5]), e: empty73("double", [0, 0]) },
      b: struct73({ t: full73("logical", [1, 2], [1, 0]) }),
    },
    { version },
  );

const complexTensor = { name: "c", dtype: "C64", shape: [2, 3], data: encode("<f4", numbers(12)) };
const tensor = (name: string, dtype: "F64" | "F32" | "F16" | "BF16") => ({
  ...{ name, dtype, shape: [2, 3] },
  data: floats(dtype, numbers(6)),
});
const loraPair = (module: string, A: string, B: string) => [
  { name: `${module}.${A}`, dtype: "F32", shape: [2, 4], data: floats("F32", numbers(8)) },
  { name: `${module}.${B}`, dtype: "F16", shape: [3, 2], data: floats("F16", numbers(6)) },
];
const quantized = (
  type: "Q4_K" | "Q3_K" | "Q5_1" | "IQ4_XS" | "MXFP4",
  cols: number,
  blocks: number,
): GgufPart => ({
  ...{ name: type, type: TYPE[type], dims: [cols, 1], data: weightBlocks(type, blocks, 1).bytes },
});
const state = text({ shape: [8, 8], blocksize: 32, nested_blocksize: 256, nested_offset: 0.5 });
const bare = { name: "f", type: TYPE.F16, dims: [3, 2], data: floats("F16", numbers(6)) };
const shard = safetensors([tensor("b", "F16")]);
const weights = [
  { name: "a", shape: [2, 3], dtype: "float32" },
  { name: "q", shape: [4], dtype: "float32", quantization: { dtype: "uint8", scale: 0.5, min: -1 } },
];
const manifest = [{ paths: ["g.bin", "h.bin"], weights }];
const shards = { "g.bin": floats("F32", numbers(4)), "h.bin": join(floats("F32", numbers(2)), i4(70_000)) };

const view = { storage: "0", type: "Float", count: 12, shape: [3, 4] };
const checkpoint = pickled.dict({
  state: pickled.ordered({
    a: torchTensor(view),
    t: torchTensor({ ...view, shape: [4, 3], strides: [1, 4] }),
    p: torchTensor({ ...view, shape: [2, 3, 2], strides: [1, 4, 2] }),
    f: typedTensor({ storage: "1", count: 4, shape: [2, 2] }, "float8_e5m2"),
  }),
  list: pickled.list(
    quantizedTensor(
      { storage: "1", type: "QUInt8", count: 4, shape: [2, 2] },
      ...[pickled.global("torch", "per_tensor_affine"), pickled.real(0.5), pickled.small(3)],
    ),
    pickled.object("my.code", "Settings", pickled.dict({ x: pickled.long(5n) })),
  ),
});
const storages = { "0": floats("F32", numbers(12)), "1": Uint8Array.of(1, 60, 200, 7) };
const torchShard = torchFile({
  root: pickled.dict({ b: torchTensor({ ...view, shape: [12, 1] }) }),
  storages: { "0": storages["0"] },
});

const float = (name: string, dims: readonly number[]) =>
  onnxTensor(name, "FLOAT", dims, raw(floats("F32", numbers(dims.reduce((a, b) => a * b, 1)))));
const network = onnx(
  graph(
    [
      constant("c", float("", [2, 3])),
      node(
        "Conv",
        ["x", "k"],
        ["y"],
        attribute.integers("pads", [1, 1, 1, 1]),
        attribute.text("auto_pad", "NOTSET"),
      ),
      node("ConvTranspose", ["x", "t"], ["u"]),
      node("MatMul", ["y", "h"], ["z"]),
      node(
        "If",
        ["b"],
        ["z"],
        attribute.graph(
          "then_branch",
          graph([constant("c", float("", [3, 2])), node("MatMul", ["y", "k"], ["q"])]),
        ),
      ),
    ],
    [
      float("k", [1, 1, 2, 3]),
      float("t", [2, 3, 1, 2]),
      onnxTensor("h", "FLOAT16", [2, 3, 1], field(5, join(...[1, 2, 15360, 4, 48128, 6].map(varint)))),
      onnxTensor("d", "DOUBLE", [2, 1], field(10, encode("<f8", numbers(2)))),
      onnxTensor("e", "FLOAT", [2, 3], external({ location: "w.bin", offset: "4", length: "24" })),
      onnxTensor("i", "INT8", [2, 2], raw(Uint8Array.of(1, 2, 3, 4))),
    ],
  ),
  functionOf("my", "f", ["a"], [node("MatMul", ["a", "a"], ["b"])]),
);

const bytesOnnx = (name: string, type: OnnxType, dims: readonly number[], count: number) =>
  onnxTensor(name, type, dims, raw(Uint8Array.from({ length: count }, (_, k) => 37 * k)));
const quantizedNetwork = onnx(
  graph(
    [
      node("DequantizeLinear", ["w4", "s4", "z4"], ["d4"], attribute.integer("block_size", 2)),
      node("MatMul", ["x", "d4"], ["a"]),
      node("DequantizeLinear", ["k", "s", "z"], ["dk"], attribute.integer("axis", 0)),
      node("ConvTranspose", ["image", "dk"], ["b"], attribute.integers("output_padding", [0, 0])),
      node("Resize", ["b", "", "scales"], ["r"]),
      node("Conv", ["r", "f"], ["c"], attribute.text("auto_pad", "SAME_LOWER")),
      node(
        "MatMulNBits",
        ["x", "n", "ns", "nz"],
        ["e"],
        ...[attribute.integer("N", 2), attribute.integer("K", 20), attribute.integer("block_size", 16)],
        microsoft,
      ),
      node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
      node("MatMulInteger", ["xq", "m", "xz"], ["p"]),
      node("Mul", ["xs", "one"], ["ps"]),
      node("Mul", ["p", "ps"], ["g"]),
      node("Gemm", ["g", "f"], ["h"], attribute.float("alpha", 0.5)),
    ],
    [
      ...[bytesOnnx("w4", "INT4", [3, 4], 6), float("s4", [3, 2]), bytesOnnx("z4", "INT4", [3, 2], 3)],
      onnxTensor("k", "INT8", [2, 1, 1, 2], field(5, join(...[3, -4, 127, -128].map((x) => varint(x))))),
      ...[float("s", [2]), bytesOnnx("z", "INT8", [2], 2), float("f", [1, 1, 2, 3])],
      onnxTensor("scales", "FLOAT", [4], raw(floats("F32", [1, 1, 2, 2]))),
      ...[bytesOnnx("n", "UINT8", [2, 2, 8], 32), float("ns", [4]), bytesOnnx("nz", "UINT8", [2], 2)],
      ...[bytesOnnx("m", "INT8", [2, 3], 6), float("one", [1])],
    ],
    inputs(onnxValue("image", "FLOAT", [1, 2, 3, 4])),
    values(onnxValue("r", "FLOAT", [1, 1, "h", 10])),
  ),
);

const singles = (shape: readonly number[]) => {
  const values = numbers(shape.reduce((a, b) => a * b, 1));
  return { type: HDF5.f4, shape, data: floats("F32", values) };
};
const arrays = {
  attributes: { t: heapText("abc") },
  links: {
    a: { ...singles([5, 4]), chunk: [2, 3], filters: [2, 1, 3], missing: [1], fill: floats("F32", [2]) },
    f: { ...singles([4, 4]), chunk: [2, 2], index: "fixed", filters: [1] },
    g: { links: { s: { ...singles([2, 2]), chunk: [2, 2], index: "single" }, c: singles([3]) } },
    i: { ...singles([3, 3]), chunk: [2, 2], index: "implicit" },
    k: { type: complexType("f4", ["r", "i"]), shape: [2], data: encode("<f4", numbers(4)), compact: true },
    l: { soft: "/g/c" },
    b: { type: BOOLEAN, shape: [2], data: new Uint8Array(2) },
    r: { type: HDF5.reference, shape: [1], references: ["/a"] },
  },
} as const;
const kerasKernels = {
  "c/kernel:0": { shape: [2, 1, 2, 3], numbers: numbers(12) },
  "c/bias:0": { shape: [3], numbers: numbers(3) },
};
const kerasPaths = {
  "layers/conv2d/vars/0": kerasKernels["c/kernel:0"],
  "layers/conv2d_transpose/vars/0": kerasKernels["c/kernel:0"],
  "layers/dense/vars/0": {
    ...{ shape: [2, 3], numbers: [] },
    how: { type: HDF5.i1, data: Uint8Array.of(1, 255, 128, 127, 0, 7) },
  },
  "layers/dense/vars/1": { shape: [3], numbers: [0.5, 3, 100] },
  "optimizer/vars/0": { shape: [2], numbers: [1, 2] },
};
const kerasModel = {
  class_name: "Sequential",
  config: {
    name: "m",
    layers: [
      layer(
        "Conv2D",
        "c",
        { padding: "same", strides: [2, 1] },
        { build_config: { input_shape: [null, 5, 4, 2] } },
      ),
      layer("Conv2DTranspose", "u", { padding: "valid", strides: 2 }),
      layer("Dense", "d", { use_bias: false, dtype: { config: { mode: "int8" } } }),
    ],
  },
};

/**
 * Files of every format that is read. A reader joins the fuzzer by a line here: its `read` has to look at everything
 * and to hand to `checkError` what is thrown.
 */
export const ORIGINALS: readonly Original[] = [
  one("doubles.npy", doubles),
  one("halves.npy", halves),
  one("whole.npy", whole),
  one(
    "stored.npz",
    zip([
      { name: "a.npy", content: doubles },
      { name: "b.npy", content: whole },
    ]),
  ),
  one(
    "packed.npz",
    zip([
      { name: "a.npy", content: doubles, deflate: true },
      { name: "b.npy", content: halves, deflate: true },
    ]),
  ),
  one("sparse.npz", sparse("csr", csrParts, true)),
  one("sparse-columns.npz", sparse("csc", { ...csrParts, indptr: vector("<i4", [0, 1, 1, 2, 3]) }, false)),
  one(
    "sparse-blocks.npz",
    sparse(
      "bsr",
      {
        data: npy({ descr: "<f4", shape: [2, 1, 2], data: encode("<f4", numbers(4)) }),
        indices: vector("<i4", [1, 0]),
        indptr: vector("<i4", [0, 1, 2, 2]),
      },
      false,
    ),
  ),
  one(
    "sparse-diagonals.npz",
    sparse(
      "dia",
      {
        data: npy({ descr: "|i1", shape: [2, 3], data: encode("|i1", [1, 2, 3, 4, 5, 6]) }),
        offsets: vector("<i4", [0, -1]),
      },
      true,
    ),
  ),
  one(
    "sparse-places.npz",
    sparse(
      "coo",
      {
        data: npy({ descr: "<c8", shape: [2], data: encode("<f4", numbers(4)) }),
        row: vector("<i8", [1, 2]),
        col: vector("<i8", [0, 0]),
      },
      false,
    ),
  ),
  one("long.npz", zip([{ name: "a.npy", content: doubles, zip64: true }], true)),
  one(
    "coordinate.mtx",
    text("%%MatrixMarket matrix coordinate real general\n% why\n4 5 3\n1 1 2.5\n3 4 -1e3\n4 5 7\n"),
  ),
  one(
    "symmetric.mtx",
    text("%%MatrixMarket matrix coordinate integer symmetric\n3 3 3\n1 1 2\n2 1 -1\n3 3 4\n"),
  ),
  one(
    "packed.mtx.gz",
    gzipSync(text("%%MatrixMarket matrix coordinate real general\n4 5 3\n1 1 2.5\n3 4 -1e3\n4 5 7\n")),
    unpacked,
  ),
  one("packed.csv.gz", join(gzipSync(text("1,2.5,-3\n")), gzipSync(text("4e2,5,6\n"))), unpacked),
  one("pattern.mtx", text("%%MatrixMarket matrix coordinate pattern skew-symmetric\n3 3 1\n2 1\n")),
  one("array.mtx", text("%%MatrixMarket matrix array real general\n2 3\n1\n2\n3.5\n4\n-5e-1\n6\n")),
  one("complex.npy", complex),
  one("swapped.npy", swapped),
  one(
    "complex.npz",
    zip([
      { name: "a.npy", content: complex },
      { name: "b.npy", content: swapped, deflate: true },
    ]),
  ),
  one(
    "complex.mtx",
    text("%%MatrixMarket matrix coordinate complex general\n4 5 3\n1 1 2.5 -1\n3 4 -1e3 0\n4 5 7 7\n"),
  ),
  one(
    "hermitian.mtx",
    text("%%MatrixMarket matrix coordinate complex hermitian\n3 3 3\n1 1 2 0\n2 1 -1 4\n3 3 4 0\n"),
  ),
  one("skew.mtx", text("%%MatrixMarket matrix array complex skew-symmetric\n3 3\n1 2\n-3 4\n5 -6\n")),
  one("hermitian-array.mtx", text("%%MatrixMarket matrix array complex hermitian\n2 2\n1 0\n-3 4\n5 0\n")),
  one("plain.mat", matlab.file(...matlabVariables)),
  one("plain73.mat", matlab73File(0, [])),
  one("packed73.mat", matlab73File(2, [2, 1])),
  one("packed.mat", matlab.file(...matlabVariables.map((variable) => matlab.compressed(variable)))),
  one(
    "big.mat",
    new MatlabWriter(true).file(new MatlabWriter(true).full("A", "int16", [2, 2], [1, 2, 3, 4])),
  ),
  one(
    "four.mat",
    join(
      level4({ name: "A", rows: 2, cols: 2, data: encode("<f8", numbers(4)) }),
      level4({ name: "s", rows: 3, cols: 3, code: 2, data: encode("<f8", [1, 3, 3, 1, 2, 2, 5, 7, 0]) }),
    ),
  ),
  one("table.csv", text('a,b,"c d"\n1,2.5,-3\n4e2,"5",6\n')),
  one("table.tsv", text("1\t2\t3\n4\t5\t6\n")),
  one("labelled.csv", text(",0,1\nx,1.5,2\ny,-3,4\n")),
  one("frame.csv", text('"a" "b"\n"1" 1.5 2\n"2" -3 4\n')),
  one("excel.csv", text("sep=;\r\nid;a b\r\n7;2,5\r\n")),
  one("semicolons.csv", join(Uint8Array.of(0xef, 0xbb, 0xbf), text("1,5;2\n3;4\r\n"))),
  one("sparse.petsc", join(i4(1211216, 3, 3, 3), i4(2, 0, 1), i4(0, 2, 1), f8(1.5, -2, 4))),
  one("dense.petsc", join(i4(1211216, 2, 3, -1), f8(1, 2, 3, 4, 5, 6))),
  one("complex.petsc", join(i4(1211216, 3, 3, 3), i4(2, 0, 1), i4(0, 2, 1), f8(1.5, 1, -2, 0, 4, -5))),
  one("complex-dense.petsc", join(i4(1211216, 2, 2, -1), f8(1, 2, 3, 4, 5, 6, 7, 8))),
  one(
    "weights.safetensors",
    safetensors([tensor("a", "F32"), tensor("b", "BF16"), complexTensor], { format: "pt" }),
    model,
  ),
  one(
    "scaled.safetensors",
    safetensors([
      { name: "a", dtype: "F8_E4M3", shape: [2, 3], data: Uint8Array.of(1, 60, 200, 7, 80, 126) },
      { name: "a_scale", dtype: "F32", shape: [2, 1], data: floats("F32", [0.5, 3]) },
      { name: "q", dtype: "I8", shape: [2, 2], data: Uint8Array.of(1, 255, 128, 127) },
      { name: "q_scale", dtype: "BF16", shape: [], data: floats("BF16", [0.25]) },
      { name: "l.weight", dtype: "I8", shape: [2, 1], data: Uint8Array.of(1, 255) },
      { name: "l.SCB", dtype: "F32", shape: [2], data: floats("F32", [0.5, 3]) },
      { name: "l.weight_format", dtype: "U8", shape: [], data: Uint8Array.of(0) },
      { name: "x_blocks", dtype: "U8", shape: [2, 1, 1, 16], data: new Uint8Array(32).fill(0x5e) },
      { name: "x_scales", dtype: "U8", shape: [2, 1, 1], data: Uint8Array.of(127, 130) },
    ]),
    model,
  ),
  one(
    "plain-float8.safetensors",
    safetensors([
      { name: "a", dtype: "F8_E5M2", shape: [2, 2], data: Uint8Array.of(1, 60, 200, 7) },
      { name: "b", dtype: "F4", shape: [2, 2], data: Uint8Array.of(0x12, 0x9a) },
    ]),
    model,
  ),
  one(
    "packed.safetensors",
    safetensors([
      { name: "g.qweight", dtype: "I32", shape: [1, 8], data: new Uint8Array(32).fill(0x5c) },
      { name: "g.qzeros", dtype: "I32", shape: [2, 1], data: new Uint8Array(8).fill(0x77) },
      { name: "g.scales", dtype: "F16", shape: [2, 8], data: floats("F16", new Array(16).fill(0.5)) },
      { name: "g.g_idx", dtype: "I32", shape: [8], data: encode("<i4", [0, 1, 0, 1, 0, 0, 1, 1]) },
      { name: "a.qweight", dtype: "I32", shape: [2, 1], data: new Uint8Array(8).fill(0x5c) },
      { name: "a.qzeros", dtype: "I32", shape: [1, 1], data: new Uint8Array(4).fill(0x77) },
      { name: "a.scales", dtype: "F32", shape: [1, 8], data: floats("F32", new Array(8).fill(0.5)) },
    ]),
    model,
  ),
  {
    files: {
      "adapter_model.safetensors": safetensors([
        ...loraPair("base_model.model.a.b", "lora_A.weight", "lora_B.weight"),
        ...loraPair("base_model.model.a.e", "lora_embedding_A", "lora_embedding_B"),
      ]),
      "adapter_config.json": text({
        peft_type: "LORA",
        r: 2,
        lora_alpha: 4,
        use_rslora: false,
        rank_pattern: { "a.e": 2 },
        alpha_pattern: {},
        fan_in_fan_out: false,
      }),
      "base.safetensors": safetensors([
        { name: "a.b.weight", dtype: "BF16", shape: [3, 4], data: floats("BF16", numbers(12)) },
        { name: "b.a.e.weight", dtype: "F32", shape: [4, 3], data: floats("F32", numbers(12)) },
      ]),
    },
    main: "adapter_model.safetensors",
    read: adapter,
  },
  one(
    "kohya.safetensors",
    safetensors([
      ...loraPair("lora_unet_a", "lora_down.weight", "lora_up.weight"),
      { name: "lora_unet_a.alpha", dtype: "F16", shape: [], data: floats("F16", [1]) },
    ]),
    adapter,
  ),
  one(
    "four-bits.safetensors",
    safetensors([
      { name: "b.weight", dtype: "U8", shape: [32, 1], data: new Uint8Array(32).fill(0x5c) },
      { name: "b.weight.absmax", dtype: "U8", shape: [2], data: Uint8Array.of(3, 200) },
      { name: "b.weight.quant_map", dtype: "F32", shape: [16], data: floats("F32", numbers(16)) },
      { name: "b.weight.nested_absmax", dtype: "F32", shape: [1], data: floats("F32", [2]) },
      { name: "b.weight.nested_quant_map", dtype: "F32", shape: [256], data: floats("F32", numbers(256)) },
      { name: "b.weight.quant_state.bitsandbytes__nf4", dtype: "U8", shape: [state.length], data: state },
      { name: "n.weight", dtype: "U8", shape: [2, 8], data: new Uint8Array(16).fill(0x5c) },
      { name: "n.weight_scale", dtype: "F8_E4M3", shape: [2, 1], data: Uint8Array.of(60, 0) },
      { name: "n.weight_scale_2", dtype: "F32", shape: [], data: floats("F32", [0.5]) },
    ]),
    model,
  ),
  one(
    "compressed.safetensors",
    safetensors([
      { name: "n.weight_packed", dtype: "U8", shape: [1, 16], data: new Uint8Array(16).fill(0x5c) },
      { name: "n.weight_scale", dtype: "F8_E4M3", shape: [1, 2], data: Uint8Array.of(60, 9) },
      { name: "n.weight_global_scale", dtype: "F32", shape: [1], data: floats("F32", [0.5]) },
      { name: "p.weight_packed", dtype: "I32", shape: [2, 4], data: new Uint8Array(32).fill(0x5c) },
      { name: "p.weight_scale", dtype: "BF16", shape: [2, 2], data: floats("BF16", [1, 2, 3, 4]) },
      { name: "p.weight_zero_point", dtype: "I32", shape: [1, 2], data: encode("<i4", [7, 9]) },
      {
        name: "p.weight_g_idx",
        dtype: "I32",
        shape: [32],
        data: encode(
          "<i4",
          range(32).map((k) => k % 2),
        ),
      },
      { name: "p.weight_shape", dtype: "I64", shape: [2], data: encode("<i8", [2, 32]) },
    ]),
    model,
  ),
  {
    files: {
      "q-00001-of-00002.safetensors": safetensors([
        { name: "g.qweight", dtype: "I32", shape: [1, 8], data: new Uint8Array(32).fill(0x5c) },
        { name: "g.qzeros", dtype: "I32", shape: [1, 1], data: new Uint8Array(4).fill(0x77) },
      ]),
      "q-00002-of-00002.safetensors": safetensors([
        { name: "g.scales", dtype: "F16", shape: [1, 8], data: floats("F16", new Array(8).fill(0.5)) },
      ]),
      "q.safetensors.index.json": text({
        weight_map: {
          ...{ "g.qweight": "q-00001-of-00002.safetensors", "g.qzeros": "q-00001-of-00002.safetensors" },
          ...{ "g.scales": "q-00002-of-00002.safetensors" },
        },
      }),
      "config.json": text({ quantization_config: { checkpoint_format: "gptq_v2" } }),
    },
    main: "q-00001-of-00002.safetensors",
    read: model,
  },
  {
    files: {
      "mlx.safetensors": safetensors([
        { name: "a.weight", dtype: "U32", shape: [2, 8], data: new Uint8Array(64).fill(0x5c) },
        { name: "a.scales", dtype: "BF16", shape: [2, 1], data: floats("BF16", [1, 2]) },
        { name: "a.biases", dtype: "BF16", shape: [2, 1], data: floats("BF16", [3, 4]) },
        { name: "m.weight", dtype: "U32", shape: [2, 1, 4], data: new Uint8Array(32).fill(0x5c) },
        { name: "m.scales", dtype: "U8", shape: [2, 1, 1], data: Uint8Array.of(127, 130) },
      ]),
      "config.json": text({ quantization: { bits: 8, group_size: 32, a: { bits: 4, group_size: 64 } } }),
    },
    main: "mlx.safetensors",
    read: model,
  },
  one(
    "quantized.gguf",
    gguf([quantized("Q4_K", 256, 1), bare, quantized("Q5_1", 64, 2)], {
      metadata: [["general.alignment", 4, u32(32)]],
    }),
    model,
  ),
  {
    files: {
      "g-00001-of-00002.gguf": gguf([quantized("Q3_K", 256, 1), quantized("MXFP4", 32, 1)], { version: 2 }),
      "g-00002-of-00002.gguf": gguf([
        quantized("IQ4_XS", 256, 1),
        { ...bare, name: "x_exps.weight", dims: [1, 3, 2] },
      ]),
    },
    main: "g-00001-of-00002.gguf",
    read: model,
  },
  one("checkpoint.pt", torchFile({ root: checkpoint, storages }), model),
  one("small.pth", smallTorchFile(numbers(6)), model),
  one("packed.pt", smallTorchFile(numbers(6), true), model),
  one(
    "big-endian.bin",
    torchFile({ root: checkpoint, storages, more: [{ name: "archive/byteorder", content: text("big") }] }),
    model,
  ),
  one(
    "stream.pt",
    torchStream(
      pickled.dict({
        a: torchTensor({ ...view, storage: "k" }),
        h: torchTensor({ storage: "h", type: "Half", count: 4, shape: [2, 2], strides: [1, 2] }),
      }),
      { h: [4, floats("F16", numbers(4))], k: [12, storages["0"]] },
    ),
    model,
  ),
  {
    files: {
      "pytorch_model.bin.index.json": text({ weight_map: { a: "1.bin", b: "2.bin" } }),
      "1.bin": smallTorchFile(numbers(6)),
      "2.bin": torchShard,
    },
    main: "pytorch_model.bin.index.json",
    read: model,
  },
  one("complex-weights.npz", zip([{ name: "a.npy", content: swapped, deflate: true }]), model),
  one("weights.npz", zip([{ name: "a.npy", content: doubles, deflate: true }]), model),
  {
    files: {
      "m.safetensors.index.json": text({
        metadata: {},
        weight_map: { a: "1.safetensors", b: "2.safetensors" },
      }),
      "1.safetensors": safetensors([tensor("a", "F64")]),
      "2.safetensors": shard,
    },
    main: "m.safetensors.index.json",
    read: model,
  },
  {
    files: { "m.json": text({ weight_map: { a: "lost", b: "lost", c: "b.bin" } }), "b.bin": shard },
    main: "m.json",
    read: model,
  },
  {
    files: { "network.onnx": network, "w.bin": floats("F32", numbers(7)) },
    main: "network.onnx",
    read: model,
  },
  one("quantized.onnx", quantizedNetwork, model),
  ...([0, 2] as const).map((version) => one(`arrays-${version}.h5`, hdf5(arrays, { version }), model)),
  one("behind.h5", hdf5(arrays, { version: 0, userBlock: 512 }), model),
  one("layers.h5", keras2({ c: kerasKernels }, kerasModel), model),
  one("paths.weights.h5", keras3(kerasPaths, { version: 3 }), model),
  one("network.keras", kerasArchive(keras3(kerasPaths), kerasModel), model),
  one("packed.keras", kerasArchive(keras3(kerasPaths), kerasModel, true), model),
  { files: { "weights.json": text(manifest), ...shards }, main: "weights.json", read: model },
  {
    files: {
      "model.json": text({ format: "layers-model", modelTopology: {}, weightsManifest: manifest }),
      ...shards,
    },
    main: "model.json",
    read: model,
  },
];
