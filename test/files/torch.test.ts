import { describe, expect, it } from "vitest";
import { checkError } from "./hostile.js";
import { entriesOf, type Files, fault, floats, numbersOf, tensorIn } from "./models.js";
import {
  type Opcodes,
  pickled,
  quantizedTensor,
  type Storages,
  smallTorchFile,
  stridesOf,
  torchFile,
  torchStream,
  torchTensor,
  typedTensor,
} from "./torch-writer.js";
import { encode, join, latin1, zip } from "./writers.js";

const numbers = (count: number) => Array.from({ length: count }, (_, k) => Math.fround(Math.sin(k + 1) * 3));

const entriesIn = (root: Opcodes, storages: Storages = {}, name = "m.pt") =>
  entriesOf({ [name]: torchFile({ root, storages }) }, name);

/** The error that a file is refused with. */
function refused(bytes: Uint8Array, name = "m.pt", files: Files = {}): string {
  try {
    entriesOf({ ...files, [name]: bytes }, name);
  } catch (error) {
    return checkError(error).message;
  }
  throw new Error("it was read");
}

/** The numbers of a view in the order of its indices, by plain loops. */
function viewed<T>(
  storage: readonly T[],
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): T[] {
  const count = shape.reduce((product, length) => product * length, 1);
  const steps = stridesOf(shape);
  return Array.from({ length: count }, (_, k) => {
    let at = offset;
    for (let axis = 0; axis < shape.length; axis++)
      at += (Math.floor(k / steps[axis]) % shape[axis]) * strides[axis];
    return storage[at];
  });
}

describe("a file of torch.save", () => {
  it("has the tensors of a state dict by their names, in its order", () => {
    const values = numbers(6);
    const entries = entriesOf({ "m.pt": smallTorchFile(values) }, "m.pt");
    expect(entries.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "tensor a.weight",
      "tensor b.weight",
      "left out a.count",
      "tensor part",
      "left out args",
    ]);
    expect(tensorIn(entries, "a.weight")).toMatchObject({
      shape: [2, 3],
      dtype: "float32",
      layout: "pytorch",
      bytes: 24,
    });
    expect(numbersOf(tensorIn(entries, "a.weight"))).toEqual(values);
    expect(tensorIn(entries, "b.weight")).toMatchObject({ shape: [3, 2], reversed: true });
    expect(numbersOf(tensorIn(entries, "b.weight"))).toEqual(values);
    expect(numbersOf(tensorIn(entries, "part"))).toEqual([values[1], values[3]]);
    expect(fault(entries, "args")).toBe('is an object, and nothing of a pickle is run: "argparse.Namespace"');
  });

  it("is recognized by any name", () => {
    for (const name of ["m.pth", "m.ckpt", "pytorch_model.bin", "unnamed", "m.npz", "m.zip"])
      expect(
        numbersOf(tensorIn(entriesOf({ [name]: smallTorchFile(numbers(6)) }, name), "a.weight")),
      ).toEqual(numbers(6));
  });

  it("may be compressed by whoever packed it anew", () => {
    const entries = entriesOf({ "m.pt": smallTorchFile(numbers(6), true) }, "m.pt");
    expect(tensorIn(entries, "a.weight")).toMatchObject({ unpacked: true });
    for (let k = 0; k < 2; k++) expect(numbersOf(tensorIn(entries, "a.weight"))).toEqual(numbers(6));
  });

  it("may have any folder at its root, or none", () => {
    const root = pickled.dict({ w: torchTensor({ storage: "0", type: "Double", count: 2, shape: [1, 2] }) });
    for (const folder of ["", "model/", "a b/"]) {
      const bytes = torchFile({ root, storages: { "0": floats("F64", [1, 2]) }, folder });
      expect(numbersOf(tensorIn(entriesOf({ "m.pt": bytes }, "m.pt"), "w"))).toEqual([1, 2]);
    }
  });

  it("has numbers of every floating-point type, and complex ones", () => {
    const values = [1, -2, 0.5, 4, -0.25, 3];
    const types = [
      ["Double", "float64", floats("F64", values)],
      ["Float", "float32", floats("F32", values)],
      ["Half", "float16", floats("F16", values)],
      ["BFloat16", "bfloat16", floats("BF16", values)],
      ["ComplexFloat", "complex64", floats("F32", [...values, ...values])],
      ["ComplexDouble", "complex128", floats("F64", [...values, ...values])],
    ] as const;
    for (const [type, dtype, bytes] of types) {
      const view = { storage: "0", type, count: 6, shape: [3, 2] };
      const root = pickled.dict({
        w: torchTensor(view),
        t: torchTensor({ ...view, shape: [2, 3], strides: [1, 2] }),
        c: torchTensor({ ...view, shape: [1, 2], strides: [1, 3] }),
      });
      const entries = entriesIn(root, { "0": bytes });
      const parts = dtype.startsWith("complex") ? 2 : 1;
      const all = parts === 2 ? [...values, ...values] : values;
      const stored = [0, 1, 2, 3, 4, 5].map((k) => all.slice(parts * k, parts * (k + 1)));
      expect(tensorIn(entries, "w").dtype).toBe(dtype);
      expect(numbersOf(tensorIn(entries, "w"))).toEqual(all);
      expect(numbersOf(tensorIn(entries, "c"))).toEqual(viewed(stored, [1, 2], [1, 3]).flat());
      const transposed = tensorIn(entries, "t");
      const expected = transposed.reversed ? stored : viewed(stored, [2, 3], [1, 2]);
      expect(numbersOf(transposed)).toEqual(expected.flat());
    }
  });

  it("has the types that no class of storages has", () => {
    const codes = Uint8Array.of(0x38, 0xb8, 0x40, 0x30);
    const root = pickled.dict({
      a: typedTensor({ storage: "0", count: 4, shape: [2, 2] }, "float8_e4m3fn"),
      b: typedTensor({ storage: "0", count: 4, shape: [2, 2], strides: [1, 2] }, "float8_e5m2"),
      f: typedTensor({ storage: "1", count: 8, shape: [1, 2] }, "float32"),
      u: typedTensor({ storage: "1", count: 8, shape: [1, 4] }, "uint16"),
      x: typedTensor({ storage: "1", count: 8, shape: [1, 4] }, "float4_e2m1fn_x2"),
    });
    const entries = entriesIn(root, { "0": codes, "1": floats("F32", [1.5, -2]) });
    // E4M3 has 4 bits of exponent, with a bias of 7; E5M2 has 5, with a bias of 15.
    expect(numbersOf(tensorIn(entries, "a"))).toEqual([1, -1, 2, 0.5]);
    expect(numbersOf(tensorIn(entries, "b"))).toEqual([0.5, 2, -0.5, 0.125]);
    expect(numbersOf(tensorIn(entries, "f"))).toEqual([1.5, -2]);
    expect(fault(entries, "u")).toMatch(/^dtype "U16" is none of/);
    expect(fault(entries, "x")).toBe('its dtype "torch.float4_e2m1fn_x2" is not known');
  });

  it("has views with any strides", () => {
    const values = numbers(200);
    const views: (readonly [shape: number[], strides: number[], offset: number])[] = [
      [[3, 4], [4, 1], 7],
      [[4, 3], [1, 4], 5],
      [[5, 3], [20, 1], 2],
      [[5, 3], [9, 3], 1],
      [[2, 3, 4], [1, 8, 2], 0],
      [[2, 3, 2, 2], [12, 1, 6, 3], 3],
      [[4, 5], [1, 0], 9],
      [[6, 4], [2, 1], 0],
      [[1, 7], [999, 2], 0],
      [[7], [3], 1],
      [[], [], 3],
      [[0, 3], [3, 1], 200],
    ];
    const root = pickled.list(
      ...views.map(([shape, strides, offset]) =>
        torchTensor({ storage: "0", type: "Float", count: 200, shape, strides, offset }),
      ),
    );
    const entries = entriesIn(root, { "0": floats("F32", values) });
    for (const [k, [shape, strides, offset]] of views.entries()) {
      const tensor = tensorIn(entries, String(k));
      expect(tensor.shape).toEqual(shape);
      const expected = tensor.reversed
        ? viewed(values, shape.toReversed(), strides.toReversed(), offset)
        : viewed(values, shape, strides, offset);
      expect(numbersOf(tensor)).toEqual(expected);
    }
    expect(entries.filter((entry) => entry.kind === "tensor" && entry.reversed)).toHaveLength(1);
    const kept = entries.filter((entry) => entry.kind === "tensor" && entry.unpacked);
    expect(kept.map(({ name }) => name)).toEqual(["4", "7"]);
  });

  it("may have its numbers with the high byte first", () => {
    const order = { name: "archive/byteorder", content: latin1("big") };
    const root = pickled.dict({
      w: torchTensor({ storage: "0", type: "Float", count: 6, shape: [2, 3] }),
      t: torchTensor({ storage: "0", type: "Float", count: 6, shape: [3, 2], strides: [1, 3] }),
      c: torchTensor({ storage: "0", type: "ComplexFloat", count: 3, shape: [3, 1] }),
      b: typedTensor({ storage: "1", count: 2, shape: [2, 1] }, "float8_e4m3fn"),
    });
    const values = numbers(6);
    const storages = { "0": encode(">f4", values), "1": Uint8Array.of(0x38, 0xb8) };
    const entries = entriesOf({ "m.pt": torchFile({ root, storages, more: [order] }) }, "m.pt");
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(values);
    expect(numbersOf(tensorIn(entries, "t"))).toEqual(viewed(values, [3, 2], [1, 3]));
    expect(numbersOf(tensorIn(entries, "c"))).toEqual(values);
    expect(numbersOf(tensorIn(entries, "b"))).toEqual([1, -1]);
    const strange = torchFile({ root, storages, more: [{ ...order, content: latin1("middle") }] });
    expect(refused(strange)).toBe('its byte order "middle" is not known');
  });

  it("gives a tensor the path to it", () => {
    const tensor = torchTensor({ storage: "0", type: "Float", count: 2, shape: [1, 2] });
    const root = pickled.dict({
      state_dict: pickled.ordered({ "net.0.weight": tensor }),
      list: pickled.list(tensor, pickled.tuple(tensor, pickled.none)),
      "": tensor,
    });
    const entries = entriesIn(root, { "0": floats("F32", [1, 2]) });
    expect(entries.map(({ name }) => name)).toEqual(["state_dict.net.0.weight", "list.0", "list.1.0", ""]);
    expect(entriesIn(tensor, { "0": floats("F32", [1, 2]) }).map(({ name }) => name)).toEqual(["tensor"]);
  });

  it("has parameters, and tensors with attributes", () => {
    const { global, reduce, tuple } = pickled;
    const tensor = torchTensor({ storage: "0", type: "Float", count: 2, shape: [1, 2] });
    const parts = tuple(
      pickled.persistent(
        tuple(
          pickled.string("storage"),
          global("torch", "FloatStorage"),
          pickled.string("0"),
          pickled.string("cpu"),
          pickled.small(2),
        ),
      ),
      ...[
        pickled.small(0),
        tuple(pickled.small(1), pickled.small(2)),
        tuple(pickled.small(2), pickled.small(1)),
      ],
    );
    const typed = (type: Opcodes) =>
      reduce(
        global("torch._tensor", "_rebuild_from_type_v2"),
        tuple(
          global("torch._utils", "_rebuild_tensor"),
          type,
          parts,
          pickled.dict({ note: pickled.small(1) }),
        ),
      );
    const root = pickled.dict({
      p: reduce(global("torch._utils", "_rebuild_parameter"), tuple(tensor, pickled.true, pickled.dict({}))),
      s: reduce(
        global("torch._utils", "_rebuild_parameter_with_state"),
        tuple(tensor, pickled.true, pickled.dict({}), pickled.dict({})),
      ),
      a: typed(global("torch", "Tensor")),
      o: typed(global("my.code", "Tensor")),
    });
    const entries = entriesIn(root, { "0": floats("F32", [1, 2]) });
    for (const name of ["p", "s", "a"]) expect(numbersOf(tensorIn(entries, name))).toEqual([1, 2]);
    expect(fault(entries, "o")).toBe('is of class "my.code.Tensor", which is not read');
  });

  it("has quantized tensors, which are read as the network uses them", () => {
    const { global, small, real } = pickled;
    const codes = Uint8Array.of(0, 3, 255, 128, 4, 5);
    const storages = {
      q: codes,
      s: floats("F64", [0.5, 0.25]),
      z: encode("<i8", [0n, 0n]),
      d: encode("<i8", [0n, 1n]),
      f: floats("F32", [0.5, 0.25]),
    };
    const view = { storage: "q", count: 6, shape: [2, 3] };
    const vector = (storage: string, type: string) => torchTensor({ storage, type, count: 2, shape: [2] });
    const channels = (zeros: string, axis: number, scales = vector("s", "Double")) => [
      global("torch", "per_channel_affine"),
      ...[scales, vector(zeros, "Long"), small(axis)],
    ];
    const root = pickled.dict({
      unsigned: quantizedTensor(
        { ...view, type: "QUInt8" },
        global("torch", "per_tensor_affine"),
        real(0.1),
        small(3),
      ),
      signed: quantizedTensor(
        { ...view, type: "QInt8" },
        global("torch", "per_tensor_affine"),
        real(0.1),
        small(0),
      ),
      rows: quantizedTensor({ ...view, type: "QInt8" }, ...channels("z", 0)),
      columns: quantizedTensor({ ...view, type: "QInt8" }, ...channels("z", 1)),
      zeros: quantizedTensor({ ...view, type: "QInt8" }, ...channels("d", 0)),
      wrong: quantizedTensor({ ...view, type: "QInt8" }, ...channels("z", 0, vector("f", "Float"))),
      transposed: quantizedTensor(
        { ...view, shape: [3, 2], strides: [1, 3], type: "QUInt8" },
        global("torch", "per_tensor_affine"),
        real(1),
        small(0),
      ),
      negative: quantizedTensor(
        { ...view, type: "QInt8" },
        global("torch", "per_tensor_affine"),
        real(-0.1),
        small(0),
      ),
      wide: quantizedTensor(
        { storage: "s", type: "QInt32", count: 4, shape: [2, 2] },
        global("torch", "per_tensor_affine"),
        real(0.1),
        small(0),
      ),
      other: quantizedTensor(
        { ...view, type: "QUInt8" },
        global("torch", "per_channel_affine_float_qparams"),
        real(0.1),
      ),
    });
    const entries = entriesIn(root, storages);
    const read = (name: string) => numbersOf(tensorIn(entries, name));
    const signed = [...codes].map((byte) => (byte < 128 ? byte : byte - 256));
    expect(tensorIn(entries, "unsigned")).toMatchObject({ dtype: "float32", bytes: 24 });
    expect(read("unsigned")).toEqual([...codes].map((q) => Math.fround((q - 3) * 0.1)));
    expect(read("signed")).toEqual(signed.map((q) => Math.fround(q * 0.1)));
    expect(read("rows")).toEqual(signed.map((q, k) => q * (k < 3 ? 0.5 : 0.25)));
    expect(read("wrong")).toEqual(read("rows"));
    expect(read("transposed")).toEqual(viewed([...codes], [3, 2], [1, 3]));
    expect(fault(entries, "columns")).toMatch(/scales that are not one for each index of its first axis/);
    expect(() => read("zeros")).toThrow(/different zero points/);
    expect(() => read("negative")).toThrow(/scale "scale" is -0.1 .* must be positive/);
    expect(fault(entries, "wide")).toBe("dtype qint32 is not read");
    expect(fault(entries, "other")).toBe(
      'is quantized as "torch.per_channel_affine_float_qparams", which is not read',
    );
  });

  it("leaves out what is no strided tensor of numbers", () => {
    const { global, reduce, tuple } = pickled;
    const view = { storage: "0", type: "ComplexFloat", count: 2, shape: [1, 2] };
    const marked = (mark: string, is: Opcodes) => torchTensor(view, pickled.dict({ [mark]: is }));
    const root = pickled.dict({
      meta: reduce(
        global("torch._utils", "_rebuild_meta_tensor_no_storage"),
        tuple(global("torch", "float32")),
      ),
      sparse: reduce(global("torch._utils", "_rebuild_sparse_tensor"), tuple(global("torch", "sparse_coo"))),
      nested: reduce(global("torch._utils", "_rebuild_nested_tensor"), tuple()),
      conjugated: marked("conj", pickled.true),
      plain: marked("conj", pickled.false),
      half: torchTensor({ ...view, type: "ComplexHalf" }),
    });
    const entries = entriesIn(root, { "0": floats("F32", [1, 2, 3, 4]) });
    expect(fault(entries, "meta")).toBe("is on the meta device, without numbers");
    expect(fault(entries, "sparse")).toBe("is a sparse tensor");
    expect(fault(entries, "nested")).toBe(
      'is an object, and nothing of a pickle is run: "torch._utils._rebuild_nested_tensor"',
    );
    expect(fault(entries, "conjugated")).toMatch(/^is a conjugated or negated view/);
    expect(numbersOf(tensorIn(entries, "plain"))).toEqual([1, 2, 3, 4]);
    expect(fault(entries, "half")).toBe('its storage "torch.ComplexHalfStorage" is of an unknown type');
  });

  it("takes weights with their scales from it, too", () => {
    const root = pickled.dict({
      "a.weight": typedTensor({ storage: "0", count: 4, shape: [2, 2] }, "float8_e4m3fn"),
      "a.weight_scale": torchTensor({ storage: "1", type: "Float", count: 2, shape: [2, 1] }),
    });
    const entries = entriesIn(root, {
      "0": Uint8Array.of(0x38, 0xb8, 0x40, 0x30),
      "1": floats("F32", [3, 5]),
    });
    expect(entries).toHaveLength(1);
    expect(numbersOf(tensorIn(entries, "a.weight"))).toEqual([3, -3, 10, 2.5]);
  });

  it("has experts that are a matrix each, in any order of axes", () => {
    const values = numbers(12);
    const view = { storage: "0", type: "Float", count: 12, shape: [2, 3, 2] };
    const root = pickled.dict({
      "experts.up": torchTensor(view),
      "experts.down": torchTensor({ ...view, strides: [6, 1, 3] }),
    });
    const entries = entriesIn(root, { "0": floats("F32", values) });
    expect(numbersOf(tensorIn(entries, "experts.up[1]"))).toEqual(values.slice(6));
    expect(numbersOf(tensorIn(entries, "experts.down[1]"))).toEqual(viewed(values, [3, 2], [1, 3], 6));
  });
});

describe("objects of unknown classes", () => {
  const tensor = torchTensor({ storage: "0", type: "Float", count: 2, shape: [1, 2] });
  const storages = { "0": floats("F32", [1, 2]) };

  it("are left out in one line, and the tensors beside them are read", () => {
    const entries = entriesIn(
      pickled.dict({
        w: tensor,
        args: pickled.object("argparse", "Namespace", pickled.dict({ w: tensor })),
        made: pickled.reduce(pickled.global("os", "system"), pickled.tuple(pickled.string("true"))),
        old: pickled.reduce(
          pickled.global("copy_reg", "_reconstructor"),
          pickled.tuple(
            pickled.global("my.code", "Config"),
            pickled.global("__builtin__", "object"),
            pickled.none,
          ),
        ),
      }),
      storages,
    );
    expect(numbersOf(tensorIn(entries, "w"))).toEqual([1, 2]);
    const reasons = new Set(["args", "made", "old"].map((name) => fault(entries, name)));
    expect([...reasons]).toEqual([
      'is an object, and nothing of a pickle is run: "argparse.Namespace", "os.system", "my.code.Config"',
    ]);
  });

  it("are refused if they are all that there is", () => {
    const module = pickled.object("my.code", "Net", pickled.dict({ _modules: pickled.dict({}), w: tensor }));
    const said =
      'is a whole module of class "my.code.Net", and nothing of a pickle is run; save its state_dict()';
    expect(refused(torchFile({ root: module, storages }))).toBe(`${said} instead`);
    expect(refused(torchFile({ root: pickled.object("my", "Arguments"), storages }))).toBe(
      'is an object of class "my.Arguments", and nothing of a pickle is run',
    );
    expect(fault(entriesIn(pickled.dict({ model: module, w: tensor }), storages), "model")).toBe(said);
  });

  it("of TorchScript have their attributes' names", () => {
    const layer = pickled.object(
      "__torch__.torch.nn.modules.linear",
      "Linear",
      pickled.dict({ weight: tensor, training: pickled.false }),
    );
    const root = pickled.object("__torch__.my", "Net", pickled.dict({ fc: layer }));
    const constants = pickled.whole(
      pickled.tuple(torchTensor({ storage: "7", type: "Float", count: 2, shape: [2, 1] })),
    );
    const bytes = torchFile({
      root,
      storages,
      more: [
        { name: "archive/constants.pkl", content: constants },
        { name: "archive/constants/7", content: floats("F32", [5, 6]) },
        { name: "archive/code/__torch__/my.py", content: latin1("class Net(Module):\n") },
      ],
    });
    const entries = entriesOf({ "m.pt": bytes }, "m.pt");
    expect(entries.map(({ name }) => name)).toEqual(["fc.weight", "constants.0"]);
    expect(numbersOf(tensorIn(entries, "fc.weight"))).toEqual([1, 2]);
    expect(numbersOf(tensorIn(entries, "constants.0"))).toEqual([5, 6]);
  });
});

describe("a fault", () => {
  const view = { storage: "0", type: "Float", count: 6, shape: [2, 3] };
  const storages = { "0": floats("F32", numbers(6)) };
  const good = torchTensor(view);

  it("of a tensor costs that tensor alone", () => {
    const root = pickled.dict({
      good,
      beyond: torchTensor({ ...view, offset: 1 }),
      strides: torchTensor({ ...view, strides: [4, 1] }),
      negative: torchTensor({ ...view, strides: [3, -1] }),
      axes: torchTensor({ ...view, strides: [1] }),
      lost: torchTensor({ ...view, storage: "9" }),
      short: torchTensor({ ...view, count: 7 }),
      shape: torchTensor({ ...view, shape: [-1, 3] }),
      huge: torchTensor({ ...view, shape: [2 ** 31 - 1, 2 ** 31 - 1, 4], strides: [0, 0, 1] }),
      nothing: pickled.reduce(pickled.global("torch._utils", "_rebuild_tensor"), pickled.tuple()),
    });
    const entries = entriesIn(root, storages);
    expect(numbersOf(tensorIn(entries, "good"))).toEqual(numbers(6));
    expect(fault(entries, "beyond")).toBe(
      "its last number is number 6 of its storage (counted from 0), which has 6",
    );
    expect(fault(entries, "strides")).toMatch(/^its last number is number 6/);
    expect(fault(entries, "negative")).toBe("its strides are not nonnegative integers, one for each axis");
    expect(fault(entries, "axes")).toBe("its strides are not nonnegative integers, one for each axis");
    expect(fault(entries, "lost")).toBe('its archive has no "archive/data/9"');
    expect(fault(entries, "short")).toBe("its storage 0 should have 28 bytes, and has 24");
    expect(fault(entries, "shape")).toBe("its shape is not a list of nonnegative integers");
    expect(fault(entries, "huge")).toMatch(/more than 2\^53 numbers/);
    expect(fault(entries, "nothing")).toBe("has no storage");
  });

  it("of a storage costs its tensors", () => {
    const root = pickled.dict({
      good,
      other: torchTensor({ ...view, storage: "1" }),
      twice: torchTensor({ ...view, storage: "2" }),
    });
    const content = floats("F32", numbers(6));
    const more = [
      { name: "archive/data/1", content, crc: 1 },
      { name: "archive/data/2", content },
      { name: "archive/data/2", content },
    ];
    const entries = entriesOf({ "m.pt": torchFile({ root, storages, more }) }, "m.pt");
    expect(numbersOf(tensorIn(entries, "good"))).toEqual(numbers(6));
    expect(() => numbersOf(tensorIn(entries, "other"))).toThrow("is damaged: its checksum does not fit");
    expect(fault(entries, "twice")).toBe('its archive has more than one "archive/data/2"');
  });

  it("is not a checksum that was not computed", () => {
    const more = [{ name: "archive/data/0", content: floats("F32", numbers(6)), crc: 0 }];
    const entries = entriesOf({ "m.pt": torchFile({ root: pickled.dict({ good }), more }) }, "m.pt");
    expect(numbersOf(tensorIn(entries, "good"))).toEqual(numbers(6));
  });

  it("of the archive or the pickle costs the file", () => {
    const bytes = torchFile({ root: pickled.dict({ good }), storages });
    expect(refused(bytes.subarray(0, bytes.length - 30))).toMatch(/not a whole zip archive/);
    const version = { name: "archive/version", content: latin1("11\n") };
    const pkl = (content: Uint8Array, crc?: number) => ({
      name: "a/data.pkl",
      content,
      ...(crc !== undefined && { crc }),
    });
    expect(refused(zip([pkl(pickled.whole(pickled.dict({ good })), 5)]))).toBe(
      "is damaged: its checksum does not fit",
    );
    expect(refused(zip([pkl(pickled.whole(pickled.none)), { ...version, name: "a/version" }]))).toMatch(
      /version 11/,
    );
    expect(refused(zip([pkl(Uint8Array.of(0x80, 2))]))).toBe("its pickle is cut short");
    expect(refused(zip([{ name: "a/b.pkl", content: latin1("x") }]))).toMatch(/no file of torch.save/);
    expect(refused(pickled.whole(pickled.dict({})))).toBe("is a pickle, and not one that torch.save wrote");
    expect(refused(latin1("x".repeat(100)), "weights.bin")).toMatch(
      /^is none of .*\.pt, .*by way of its model\.json$/,
    );
    expect(refused(zip([pkl(pickled.whole(pickled.persistent(pickled.small(1))))]))).toMatch(/no storage/);
  });

  it("is a name that is there twice, or too long", () => {
    const root = pickled.dict({
      "a.b": good,
      a: pickled.dict({ b: good }),
      [`long${"x".repeat(5000)}`]: good,
    });
    const entries = entriesIn(root, storages);
    expect(entries.map(({ kind }) => kind)).toEqual(["tensor", "failed", "failed"]);
    expect(entries[1]).toMatchObject({
      name: "a.b",
      error: { message: "is there a second time under the same name" },
    });
    expect(entries[2]).toMatchObject({ error: { message: "its name has more than 4096 characters" } });
  });

  it("is a file that has changed since", () => {
    const bytes = torchFile({ root: pickled.dict({ good }), storages });
    const files: Record<string, Uint8Array> = { "m.pt": bytes };
    const entries = entriesOf(files, "m.pt");
    files["m.pt"] = join(bytes, bytes);
    expect(() => numbersOf(tensorIn(entries, "good"))).toThrow(
      "its file has changed since the pickle was read",
    );
  });
});

describe("hostile nesting and sharing", () => {
  const good = torchTensor({ storage: "0", type: "Float", count: 6, shape: [2, 3] });
  const storages = { "0": floats("F32", numbers(6)) };

  it("names the tensors of a dictionary once, and then the dictionary", () => {
    const root = pickled.dict({
      model: pickled.memorize(pickled.dict({ w: good }), 9),
      ema: pickled.recall(9),
    });
    const entries = entriesIn(root, storages);
    expect(entries.map(({ name }) => name)).toEqual(["model.w", "ema"]);
    expect(fault(entries, "ema")).toBe('is the same as "model"');
  });

  it("ends at a list that is in itself, and at doubled dictionaries", () => {
    const cycle = join(pickled.memorize(Uint8Array.of(0x5d), 1), pickled.recall(1), latin1("a"));
    let doubled = pickled.memorize(pickled.dict({ w: good }), 100);
    for (let k = 0; k < 40; k++)
      doubled = pickled.memorize(pickled.dict({ a: doubled, b: pickled.recall(100 + k) }), 101 + k);
    const entries = entriesIn(pickled.dict({ cycle, doubled }), storages);
    expect(entries.filter(({ kind }) => kind === "tensor")).toHaveLength(1);
    expect(entries.length).toBeLessThan(50);
  });

  it("goes a hundred levels deep", () => {
    let [deep, deeper] = [good, good];
    for (let k = 0; k < 90; k++) deep = pickled.list(deep);
    for (let k = 0; k < 50_000; k++) deeper = join(Uint8Array.of(0x5d), deeper);
    deeper = join(deeper, latin1("a".repeat(50_000)));
    const entries = entriesIn(pickled.dict({ deep, deeper }), storages);
    expect(entries.map(({ kind }) => kind)).toEqual(["tensor", "left out"]);
    expect(entries[1]).toMatchObject({ reason: "is nested deeper than 100 levels" });
    const scripted = pickled.global("__torch__", "A");
    const chain = Array.from({ length: 30_000 }, () => join(scripted, latin1(")\x81")));
    const objects = join(...chain, pickled.dict({ w: good }), latin1("b".repeat(30_000)));
    expect(entriesIn(objects, storages)).toMatchObject([
      { kind: "left out", reason: "is nested deeper than 100 levels" },
    ]);
  });

  it("has no more tensors, and no longer names, than its size allows", () => {
    const again = (count: number, from = 10_000) =>
      join(...Array.from({ length: count }, (_, k) => join(latin1(`U\x05${from + k}`), pickled.recall(1))));
    const many = (count: number) =>
      join(latin1("}"), pickled.memorize(good, 1), latin1("0("), again(count, 10_000), latin1("u"));
    expect(entriesIn(many(2 ** 16), storages)).toHaveLength(2 ** 16);
    expect(refused(torchFile({ root: many(2 ** 16 + 1), storages }))).toMatch(/^has more than 65536 tensors/);
    const long = pickled.dict({ ["x".repeat(4000)]: many(2000) });
    expect(refused(torchFile({ root: long, storages }))).toBe(
      "the names of its tensors are longer than the file",
    );
    const key = "k".repeat(1_000_000);
    const deep = pickled.dict({ [key]: pickled.dict({ [key]: many(10) }), b: good });
    expect(entriesIn(deep, storages).map(({ kind }) => kind)).toEqual(["failed", "tensor"]);
  });

  it("reads a small storage for so many numbers and no more", () => {
    const wide = torchTensor({
      storage: "0",
      type: "Float",
      count: 6,
      shape: [1000, 1000, 16],
      strides: [0, 0, 0],
    });
    const entries = entriesIn(pickled.list(good, wide, wide, good), storages);
    expect(entries.map(({ kind }) => kind)).toEqual(["tensor", "tensor", "failed"]);
    expect(entries[2]).toMatchObject({ name: "2" });
    expect(fault(entries, "2")).toMatch(
      /views of the file's numbers take more than 67108864 bytes; the same holds for 1 more: "3"/,
    );
  });
});

describe("the format of PyTorch before 1.6", () => {
  const values = numbers(6);
  const view = { storage: "s94", type: "Float", count: 6, shape: [2, 3] };
  const root = pickled.ordered({
    a: torchTensor(view),
    t: torchTensor({ ...view, shape: [3, 2], strides: [1, 3] }),
    h: torchTensor({ storage: "s95", type: "Half", count: 2, shape: [1, 2] }),
  });
  const storages = { s95: [2, floats("F16", [0.5, 3])], s94: [6, floats("F32", values)] } as const;

  it("is read", () => {
    for (const name of ["m.pt", "pytorch_model.bin", "unnamed"]) {
      const entries = entriesOf({ [name]: torchStream(root, storages) }, name);
      expect(numbersOf(tensorIn(entries, "a"))).toEqual(values);
      expect(tensorIn(entries, "t").reversed).toBe(true);
      expect(numbersOf(tensorIn(entries, "h"))).toEqual([0.5, 3]);
    }
  });

  it("has dictionaries as lists of items, and strings, of Python 2", () => {
    const old = (value: string) => join(latin1("U"), Uint8Array.of(value.length), latin1(value));
    const { global, reduce, tuple, list } = pickled;
    const items = reduce(
      global("collections", "OrderedDict"),
      tuple(list(list(old("a.weight"), torchTensor(view)))),
    );
    const entries = entriesOf({ "m.pt": torchStream(items, { s94: storages["s94"] }) }, "m.pt");
    expect(numbersOf(tensorIn(entries, "a.weight"))).toEqual(values);
  });

  it("loses what is behind its end or a damaged storage", () => {
    const bytes = torchStream(root, storages);
    const cut = entriesOf({ "m.pt": bytes.subarray(0, bytes.length - 1) }, "m.pt");
    expect(numbersOf(tensorIn(cut, "h"))).toEqual([0.5, 3]);
    expect(fault(cut, "a")).toBe("the file ends before its storage, or is damaged there");
    const other = entriesOf(
      { "m.pt": torchStream(root, { ...storages, s95: [3, floats("F16", [1, 2])] }) },
      "m.pt",
    );
    expect(other.map(({ kind }) => kind)).toEqual(["failed", "failed", "failed"]);
  });

  it("is refused if it is of another version", () => {
    expect(refused(torchStream(root, storages, 1002))).toMatch(/another version .* than 1001/);
    expect(refused(torchStream(pickled.object("my", "Net"), {}))).toMatch(/object of class "my.Net"/);
  });
});

describe("an index of several files", () => {
  const shard = (name: string, value: number) =>
    torchFile({
      root: pickled.dict({
        [name]: torchTensor({ storage: "0", type: "Double", count: 2, shape: [1, 2] }),
        n: quantizedTensor(
          { storage: "0", type: "QUInt8", count: 2, shape: [1, 2] },
          pickled.global("torch", "per_tensor_affine"),
          pickled.real(1),
          pickled.small(0),
        ),
      }),
      storages: { "0": floats("F64", [value, 2]) },
    });
  const index = (map: Record<string, string>) => latin1(JSON.stringify({ metadata: {}, weight_map: map }));

  it("is read as that of safetensors is", () => {
    const files = {
      "pytorch_model.bin.index.json": index({ a: "1.bin", b: "2.bin", c: "2.bin", d: "3.bin" }),
      "1.bin": shard("a", 3),
      "2.bin": shard("b", 4),
    };
    const entries = entriesOf(files, "pytorch_model.bin.index.json");
    expect(numbersOf(tensorIn(entries, "a"))).toEqual([3, 2]);
    expect(numbersOf(tensorIn(entries, "b"))).toEqual([4, 2]);
    expect(fault(entries, "c")).toBe('is not in "2.bin", where the index has it');
    expect(fault(entries, "d")).toBe('its file "3.bin": no such file');
    expect(entries.filter(({ name }) => name === "n").map(({ kind }) => kind)).toEqual([
      "left out",
      "left out",
    ]);
  });
});
