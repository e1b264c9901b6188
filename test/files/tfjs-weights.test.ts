import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTfjsModel } from "../../src/files/tfjs-weights.js";
import { SpectralNormError } from "../../src/matrix/errors.js";
import { mutations } from "./hostile.js";
import { entriesOf, type Files, fault, floats, folderOfFiles, numbersOf, tensorIn, text } from "./models.js";
import { join } from "./writers.js";

const numbers = [1, -2, 0.5, 4, -0.25, 3];
const weight = (name: string, more: object = {}) => ({ name, shape: [2, 3], dtype: "float32", ...more });
const manifest = (weights: readonly unknown[], files: Files, paths: readonly string[] = Object.keys(files)) =>
  entriesOf({ "w.json": text([{ paths, weights }]), ...files }, "w.json");
/** Bytes cut at these places, as files. */
const cut = (bytes: Uint8Array, ...places: number[]): Files =>
  Object.fromEntries(
    [...places, bytes.length].map((end, k) => [`part${k}.bin`, bytes.subarray(places[k - 1] ?? 0, end)]),
  );
const quantized = (dtype: string, scale?: unknown, min?: unknown) => ({
  quantization: { dtype, scale, min },
});

describe("TensorFlow.js weights", () => {
  it("are read from a manifest and from model.json", () => {
    const data = floats("F32", [...numbers, 9]);
    const weights = [weight("a"), weight("b", { shape: [] })];
    const groups = [{ paths: ["g.bin"], weights }];
    for (const description of [
      groups,
      { format: "layers-model", modelTopology: {}, weightsManifest: groups },
    ]) {
      const entries = entriesOf({ "model.json": text(description), "g.bin": data }, "model.json");
      expect(entries.map(({ name, kind }) => `${name} ${kind}`)).toEqual(["a tensor", "b tensor"]);
      expect(tensorIn(entries, "a")).toMatchObject({ shape: [2, 3], dtype: "float32", layout: "tensorflow" });
      expect(numbersOf(tensorIn(entries, "a"))).toEqual(numbers);
      expect(numbersOf(tensorIn(entries, "b"))).toEqual([9]);
    }
  });

  it("may begin in one file and end in another, in the midst of a number, whatever is quantized", () => {
    const bytes = join(
      Uint8Array.of(0, 1, 2, 3, 4, 255),
      new Uint8Array(Uint16Array.of(0, 1, 2, 3, 65535, 5).buffer),
      floats("F16", numbers),
      floats("F32", numbers),
    );
    const weights = [
      weight("u8", quantized("uint8", 0.1, -1)),
      weight("u16", quantized("uint16", 1e-3, 2)),
      weight("f16", quantized("float16")),
      weight("f32"),
    ];
    for (const places of [[], [3], [7, 8, 19], [31], [6, 6, 53]]) {
      const entries = manifest(weights, cut(bytes, ...places));
      const affine = (q: readonly number[], scale: number, min: number) =>
        q.map((x) => Math.fround(scale * x + min));
      expect(numbersOf(tensorIn(entries, "u8"))).toEqual(affine([0, 1, 2, 3, 4, 255], 0.1, -1));
      expect(numbersOf(tensorIn(entries, "u16"))).toEqual(affine([0, 1, 2, 3, 65535, 5], 1e-3, 2));
      expect(tensorIn(entries, "f16").dtype).toBe("float16");
      expect(numbersOf(tensorIn(entries, "f16"))).toEqual(numbers);
      expect(numbersOf(tensorIn(entries, "f32"))).toEqual(numbers);
    }
  });

  it("of an optimizer are left out, and counted over", () => {
    const entries = manifest([weight("kept", { group: "optimizer" }), weight("a", { group: "model" })], {
      "g.bin": join(floats("F32", [9, 9, 9, 9, 9, 9]), floats("F32", numbers)),
    });
    expect(fault(entries, "kept")).toBe("is what an optimizer keeps, by the manifest");
    expect(numbersOf(tensorIn(entries, "a"))).toEqual(numbers);
  });

  it("of other types are left out, and counted over, strings too", () => {
    const words = join(Uint8Array.of(2, 0, 0, 0, 104, 105), Uint8Array.of(0, 0, 0, 0));
    const data = join(
      new Uint8Array(8),
      words,
      Uint8Array.of(1, 0),
      new Uint8Array(8),
      floats("F32", numbers),
    );
    const entries = manifest(
      [
        { name: "i", shape: [2], dtype: "int32" },
        { name: "s", shape: [2], dtype: "string" },
        { name: "t", shape: [2], dtype: "bool" },
        { name: "c", shape: [], dtype: "complex64" },
        weight("w"),
      ],
      { "g.bin": data },
    );
    for (const name of ["i", "s", "t", "c"])
      expect(fault(entries, name)).toMatch(/dtype ".*" is not float32/);
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(numbers);
  });

  it.each([
    [quantized("uint8", undefined, 0), /quantization to uint8 of float32 has no number for scale/],
    [quantized("uint8", 1), /no number for min/],
    [quantized("uint8", "1", null), /no number for scale and min/],
  ])("with the quantization %j fail alone", (more, message) => {
    const entries = manifest([weight("bad", more), weight("w")], {
      "g.bin": join(new Uint8Array(6), floats("F32", numbers)),
    });
    expect(fault(entries, "bad")).toMatch(message);
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(numbers);
  });

  it.each([
    [weight("bad", quantized("int4", 1, 0)), /has the dtype "int4"/],
    [weight("bad", { quantization: { scale: 1, min: 0 } }), /has no dtype; it may be uint8/],
    [weight("bad", { quantization: { dtype: 7, scale: 1, min: 0 } }), /has no dtype; it may be uint8/],
    [weight("bad", { quantization: 7 }), /quantization is not an object/],
    [weight("bad", { shape: [2 ** 40, 2 ** 40] }), /more than 2\^53 numbers/],
    [weight("bad", { shape: [-1] }), /its shape has -1/],
    [weight("bad", { dtype: "float99" }), /its dtype "float99" is not known/],
    [weight("bad", { dtype: undefined }), /has no dtype/],
    [7, /not an object/],
  ])("of unknown length, %j, take those behind them along and not those before", (bad, message) => {
    const entries = manifest([weight("before"), bad, weight("behind")], {
      "g.bin": floats("F32", [...numbers, ...numbers]),
    });
    expect(fault(entries, typeof bad === "number" ? "weight 1" : "bad")).toMatch(message);
    expect(fault(entries, "behind")).toMatch(/lies somewhere behind "(bad|weight 1)"/);
    expect(numbersOf(tensorIn(entries, "before"))).toEqual(numbers);
  });

  it("that are cut short, or in a file that is missing, fail; those before do not", () => {
    const data = floats("F32", [...numbers, ...numbers]);
    const short = manifest([weight("a"), weight("b")], { "g.bin": data.subarray(0, 47) });
    expect(numbersOf(tensorIn(short, "a"))).toEqual(numbers);
    expect(fault(short, "b")).toMatch(/ends at byte 48 of 47 that are there; "g.bin" hold/);
    const missing = manifest([weight("a"), weight("b")], cut(data, 30), [
      "part0.bin",
      "lost.bin",
      "part1.bin",
    ]);
    expect(numbersOf(tensorIn(missing, "a"))).toEqual(numbers);
    expect(fault(missing, "b")).toMatch(/its file "lost.bin": no such file/);
  });

  it("of the same name are read once", () => {
    const data = floats("F32", [...numbers, ...numbers]);
    const entries = manifest([weight("a"), weight("a")], { "g.bin": data });
    expect(entries.map(({ kind }) => kind)).toEqual(["tensor", "failed"]);
  });

  it("that one missing file takes along have one line", () => {
    const many = Array.from({ length: 60_000 }, (_, k) => weight(`w${k}`));
    const entries = manifest(many, {}, ["lost.bin"]);
    expect(entries).toHaveLength(1);
    expect(fault(entries, "w0")).toMatch(
      /its file "lost.bin": no such file; the same holds for 59999 more: "w1"/,
    );
    const unknown = manifest([weight("bad", { dtype: "float99" }), ...many], {}, ["lost.bin"]);
    expect(unknown).toHaveLength(2);
    expect(fault(unknown, "w0")).toMatch(/behind "bad".* 59999 more/);
  });

  it("open only those of many files that they lie in", () => {
    const parts = Array.from({ length: 500 }, (_, k) => [`${k}.bin`, floats("F32", [k])] as const);
    const files: Files = Object.fromEntries(parts);
    const opened = new Map<string, number>();
    const folder = folderOfFiles(files);
    const counting = {
      open(name: string) {
        opened.set(name, (opened.get(name) ?? 0) + 1);
        return folder.open(name);
      },
    };
    const json = [
      { paths: Object.keys(files), weights: parts.map(([name]) => ({ name, shape: [1], dtype: "float32" })) },
    ];
    const entries = readTfjsModel(json, counting);
    for (const [k, [name]] of parts.entries()) expect(numbersOf(tensorIn(entries, name))).toEqual([k]);
    expect(Math.max(...opened.values())).toBe(2);
  });

  it("in a file that is a git-lfs pointer say so", () => {
    const pointer = text("version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea\nsize 24\n");
    expect(fault(manifest([weight("a")], { "g.bin": pointer }), "a")).toMatch(
      /its file "g.bin": is a git-lfs pointer/,
    );
  });

  it.each([
    ['{"weightsManifest":7}', /not a list/],
    ['{"weightsManifest":[],"weightsManifest":[]}', /the key "weightsManifest" twice/],
    ['[{"paths":["g.bin"],"weights":[{"name":"a","shape":[1],"shape":[1]}]}]', /the key "shape" twice/],
    ['[{"paths":["a"]}]', /entry 0 of its weights manifest/],
    ["[7]", /entry 0/],
    ['[{"paths":["../a.bin"],"weights":[]}]', /own folder/],
    ['[{"paths":["https://example.org/a.bin"],"weights":[]}]', /own folder/],
    ['{"modelTopology":{}}', /none of/],
    ["7", /none of/],
    ["[", /not JSON/],
  ])("refuses %s", (json, message) => {
    expect(() => entriesOf({ "m.json": text(json) }, "m.json")).toThrow(message);
  });

  it("answer or are refused, whatever becomes of the manifest", () => {
    const json = text([{ paths: ["g.bin"], weights: [weight("a"), weight("b", quantized("uint8", 1, 0))] }]);
    fc.assert(
      fc.property(mutations(json), (bytes) => {
        try {
          const entries = entriesOf(
            { "m.json": bytes, "g.bin": floats("F32", [...numbers, 1, 2]) },
            "m.json",
          );
          for (const entry of entries) if (entry.kind === "tensor") numbersOf(entry);
        } catch (error) {
          if (!(error instanceof SpectralNormError)) throw error;
          expect(error.message).not.toMatch(/[\n\r]|undefined|\[object/);
        }
      }),
      { numRuns: 400, seed: 1 },
    );
  });
});
