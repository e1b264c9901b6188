import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readModel } from "../../src/files/model.js";
import { memorySource } from "../../src/files/source.js";
import { answers, isLeftOut } from "../audit/models.js";
import { checkError } from "./hostile.js";
import {
  entriesOf,
  fault,
  floats,
  folderOfFiles,
  numbersOf,
  type SafetensorsPart,
  safetensors,
  tensorIn,
  text,
} from "./models.js";
import {
  codes,
  denseNorms,
  E2M1,
  e4m3,
  f8,
  f32,
  kinds,
  positive,
  read,
  scaled,
  u8,
} from "./safetensors-parts.js";

const signed = (bytes: Uint8Array) => [...new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)];
const i8 = (name: string, shape: number[]): SafetensorsPart => ({ ...f8(name, shape), dtype: "I8" });
describe("FP8", () => {
  it("without any scale in the model is taken as it is", () => {
    const entries = read(f8("a.weight", [3, 5]), f32("norm.scale", [5], positive(5)));
    expect(tensorIn(entries, "a.weight")).toMatchObject({
      dtype: "bfloat16",
      shape: [3, 5],
      layout: "pytorch",
      bytes: 30,
    });
    expect(numbersOf(tensorIn(entries, "a.weight"))).toEqual([...codes(15)].map(e4m3));
  });

  it.each([
    ["F8_E5M2", 0x3e, 1.5],
    ["F8_E4M3FNUZ", 0x44, 1.5],
    ["F8_E5M2FNUZ", 0x42, 1.5],
  ])("%s is decoded as its type", (dtype, code, value) => {
    const entries = read({ name: "w", dtype, shape: [1, 2], data: Uint8Array.of(code, code | 0x80) });
    expect(numbersOf(tensorIn(entries, "w"))).toEqual([value, -value]);
  });

  it.each([
    ["layer.weight_scale", []],
    ["layer.weight_scale", [1]],
    ["layer.scale_weight", []],
    ["layer.scale_weight", [1]],
    ["layer.weight_scale_inv", []],
  ])("is multiplied with the one number of %s, of shape %j", (name, shape) => {
    const entries = read(f8("layer.weight", [3, 5]), f32(name, shape, [0.3]));
    expect(kinds(entries)).toEqual(["layer.weight tensor"]);
    const expected = scaled([...codes(15)].map(e4m3), () => Math.fround(0.3));
    expect(numbersOf(tensorIn(entries, "layer.weight"))).toEqual(expected);
  });

  it.each([[[4]], [[4, 1]]])("is multiplied with a scale of shape %j by rows", (shape) => {
    const entries = read(f32("x_scale", shape, positive(4)), f8("x", [4, 5]));
    expect(kinds(entries)).toEqual(["x tensor"]);
    const expected = scaled([...codes(20)].map(e4m3), (i) => positive(4)[Math.floor(i / 5)]);
    expect(numbersOf(tensorIn(entries, "x"))).toEqual(expected);
  });

  it("is multiplied with a scale of shape [1, columns] by columns", () => {
    const entries = read(f32("x_scale", [1, 5], positive(5)), f8("x", [4, 5]));
    const expected = scaled([...codes(20)].map(e4m3), (i) => positive(5)[i % 5]);
    expect(numbersOf(tensorIn(entries, "x"))).toEqual(expected);
  });

  it.each(["F64", "F16", "BF16"] as const)("takes a scale in %s", (dtype) => {
    const entries = read(f8("x", [2, 2]), { name: "x_scale", dtype, shape: [], data: floats(dtype, [0.25]) });
    expect(numbersOf(tensorIn(entries, "x"))).toEqual([...codes(4)].map((code) => e4m3(code) / 4));
  });

  it.each([
    [256, 128],
    [130, 257],
    [1, 300],
    [127, 5],
  ])("of %i×%i is multiplied with a scale for each block of 128×128", (rows, cols) => {
    const shape = [Math.ceil(rows / 128), Math.ceil(cols / 128)];
    const scales = positive(shape[0] * shape[1]);
    const entries = read(f8("w.weight", [rows, cols]), f32("w.weight_scale_inv", shape, scales));
    expect(kinds(entries)).toEqual(["w.weight tensor"]);
    const block = (i: number) =>
      Math.floor(Math.floor(i / cols) / 128) * shape[1] + Math.floor((i % cols) / 128);
    const expected = scaled([...codes(rows * cols)].map(e4m3), (i) => scales[block(i)]);
    expect(numbersOf(tensorIn(entries, "w.weight"))).toEqual(expected);
  });

  it.each(["F8_E8M0", "U8"])("is multiplied with a scale in %s for each 32 numbers", (dtype) => {
    const data = Uint8Array.of(127, 128, 126, 120, 130, 127);
    const entries = read(f8("w", [3, 64]), { name: "w_scale", dtype, shape: [3, 2], data });
    const expected = [...codes(192)].map((code, i) => e4m3(code) * 2 ** (data[Math.floor(i / 32)] - 127));
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(expected);
  });

  it("in a kernel of four axes has a scale for each output", () => {
    const entries = read(f8("c.weight", [3, 2, 2, 2]), f32("c.weight_scale", [3, 1, 1, 1], positive(3)));
    const expected = scaled([...codes(24)].map(e4m3), (i) => positive(3)[Math.floor(i / 8)]);
    expect(tensorIn(entries, "c.weight").shape).toEqual([3, 2, 2, 2]);
    expect(numbersOf(tensorIn(entries, "c.weight"))).toEqual(expected);
  });

  it("leaves out scales of activations, by name", () => {
    const entries = read(
      f8("a.weight", [3, 5]),
      f32("a.weight_scale", [], [2]),
      f32("a.input_scale", [1, 1], [2]),
      f32("b.scale_input", [1, 1], [2]),
      f32("a.k_scale", [], [2]),
    );
    expect(tensorIn(entries, "a.weight").shape).toEqual([3, 5]);
    for (const name of ["a.input_scale", "b.scale_input", "a.k_scale"])
      expect(fault(entries, name)).toBe("is a scale of activations, by its name");
  });

  it.each([
    [f32("w_scale", [3], positive(3)), /scale of shape \[3\], "F32", which is not understood/],
    [f32("w_scale", [5, 4], positive(20)), /scale of shape \[5, 4\]/],
    [f32("w_scale", [0], []), /scale of shape \[0\]/],
    [f32("w_scale_inv", [2, 1], positive(2)), /scale of shape \[2, 1\]/],
    [{ name: "w_scale", dtype: "I64", shape: [], data: new Uint8Array(8) }, /scale of shape \[\], "I64"/],
    [{ name: "w_scale", dtype: "F32", shape: [4], data: new Uint8Array(4) }, /a scale that cannot be read/],
    [f32("w.scale", [], [1]), /with a scale beside it that is not understood/],
    [f32("scale_of_w", [], [1]), /with a scale beside it that is not understood/],
    [f32("other_scale", [4], positive(4)), /with a scale beside it that is not understood/],
  ])("is left out, never taken without it, for the scale %#", (scale, reason) => {
    const entries = read(f8("w", [4, 5]), scale, f32("good", [1, 2], [1, 2]));
    expect(fault(entries, "w")).toMatch(reason);
    expect(numbersOf(tensorIn(entries, "good"))).toEqual([1, 2]);
    expect(entries).toHaveLength(3);
  });

  it("is left out for more than a scale, or two, or none where others have one", () => {
    const one = f32("w_scale", [], [1]);
    expect(fault(read(f8("w", [4, 5]), one, f32("w_scale_inv", [], [1])), "w")).toMatch(
      /more than one scale/,
    );
    expect(fault(read(f8("w", [4, 5]), one, f32("w_zero_point", [], [1])), "w")).toMatch(/more beside it/);
    const entries = read(f8("w", [4, 5]), one, f8("m.v", [4, 5]));
    expect(fault(entries, "m.v")).toMatch(/without a scale, and other weights of the model have one/);
    expect(tensorIn(entries, "w").shape).toEqual([4, 5]);
  });

  it.each([[Number.NaN], [0], [-1], [Number.POSITIVE_INFINITY]])(
    "fails when opened for the scale %f",
    (bad) => {
      const entries = read(f8("w", [3, 2]), f32("w_scale", [3], [1, bad, 1]));
      let why = "";
      try {
        tensorIn(entries, "w").open();
      } catch (error) {
        why = checkError(error).message;
      }
      expect(why).toMatch(new RegExp(`^number 1 of its scale "w_scale" is ${bad} .*must be positive$`));
    },
  );

  it("finds its scale in another file of the model", () => {
    const files = {
      "1.safetensors": safetensors([f8("w", [4, 5]), f8("v", [4, 5])]),
      "2.safetensors": safetensors([f32("w_scale", [4], positive(4))]),
      "m.index.json": text({
        weight_map: {
          w: "1.safetensors",
          v: "1.safetensors",
          w_scale: "2.safetensors",
          v_scale: "3.safetensors",
        },
      }),
    };
    const entries = entriesOf(files, "m.index.json");
    const expected = scaled([...codes(20)].map(e4m3), (i) => positive(4)[Math.floor(i / 5)]);
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(expected);
    expect(fault(entries, "v")).toMatch(/scale that cannot be read/);
  });
});

describe("one file of a model", () => {
  const part = (k: number) => `m-0000${k}-of-00002.safetensors`;
  const first = safetensors([f8("w", [4, 5]), f32("plain", [1, 2], [1, 2])]);
  const second = safetensors([f32("w_scale", [4], positive(4))]);
  const index = (weight_map: object) => text({ weight_map });
  const map = { w: part(1), plain: part(1), w_scale: part(2) };
  const whole = { [part(1)]: first, [part(2)]: second, "m.safetensors.index.json": index(map) };

  it("takes its scales from the others, by the index", () => {
    const entries = entriesOf(whole, part(1));
    expect(kinds(entries).toSorted()).toEqual(["plain tensor", "w tensor"]);
    const expected = scaled([...codes(20)].map(e4m3), (i) => positive(4)[Math.floor(i / 5)]);
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(expected);
    expect(entriesOf(whole, part(2))).toEqual([]);
  });

  it("opens no others than those with something that may belong to its tensors", () => {
    const more = { "layer.weight": "3.safetensors", "layer.scale": "3.safetensors" };
    const files = { ...whole, "m.safetensors.index.json": index({ ...map, ...more }) };
    const opened: string[] = [];
    const folder = {
      open(name: string) {
        opened.push(name);
        return folderOfFiles(files).open(name);
      },
    };
    const entries = readModel(() => memorySource(first), part(1), folder);
    expect(kinds(entries).toSorted()).toEqual(["plain tensor", "w tensor"]);
    expect(opened).toEqual(["m.safetensors.index.json", part(2)]);
  });

  it("leaves FP8 without a scale out if others of the model have one", () => {
    const { w_scale: _, ...without } = map;
    const files = {
      ...whole,
      "m.safetensors.index.json": index({ ...without, "l.w_scale": "3.safetensors" }),
    };
    expect(fault(entriesOf(files, part(1)), "w")).toBe(
      "is F8_E4M3 without a scale, and other weights of the model have one",
    );
  });

  it("takes FP8 as it is if the whole model has no scale", () => {
    const { w_scale: _, ...without } = map;
    const files = {
      ...{ [part(1)]: first, [part(2)]: safetensors([f32("other", [4], positive(4))]) },
      "m.safetensors.index.json": index({ ...without, other: part(2) }),
    };
    expect(numbersOf(tensorIn(entriesOf(files, part(1)), "w"))).toEqual([...codes(20)].map(e4m3));
  });

  it.each([
    ["no index", undefined],
    ["an index that is none", "[]"],
    ["a damaged index", "{"],
  ])("leaves FP8 without a scale out if there is %s", (_what, json) => {
    const files = {
      [part(1)]: first,
      [part(2)]: second,
      ...(json && { "m.safetensors.index.json": text(json) }),
    };
    const entries = entriesOf(files, part(1));
    expect(fault(entries, "w")).toBe("is F8_E4M3 without a scale, which may be in another file of the model");
    expect(tensorIn(entries, "plain").shape).toEqual([1, 2]);
    const alone = entriesOf({ "m-00001-of-00001.safetensors": first }, "m-00001-of-00001.safetensors");
    expect(tensorIn(alone, "w").dtype).toBe("bfloat16");
  });

  it("leaves scales without their weight out if there is no index", () => {
    const scales = safetensors([f32("w_scale_inv", [2, 2], positive(4)), f32("plain", [1, 2], [1, 2])]);
    const entries = entriesOf({ [part(2)]: scales }, part(2));
    expect(fault(entries, "w_scale_inv")).toBe("belongs to the quantization of a weight, by its name");
    expect(tensorIn(entries, "plain").shape).toEqual([1, 2]);
  });

  it("says that a scale cannot be read whose file is not there", () => {
    const { [part(2)]: _, ...files } = whole;
    expect(fault(entriesOf(files, part(1)), "w")).toBe("has a scale that cannot be read");
  });
});

describe("I8", () => {
  it.each([
    [[], () => positive(4)[0]],
    [[4], (i: number) => positive(4)[Math.floor(i / 5)]],
    [[4, 1], (i: number) => positive(4)[Math.floor(i / 5)]],
  ])("is multiplied with a scale of shape %j", (shape, scale) => {
    const entries = read(i8("w", [4, 5]), f32("w_scale", shape, positive(shape.length ? 4 : 1)));
    expect(kinds(entries)).toEqual(["w tensor"]);
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(scaled(signed(codes(20)), scale));
  });

  it("of bitsandbytes is multiplied with the largest value of each row over 127", () => {
    const parts = [i8("l.weight", [4, 5]), f32("l.SCB", [4], positive(4))];
    const expected = scaled(signed(codes(20)), (i) => positive(4)[Math.floor(i / 5)] / 127);
    for (const more of [[], [u8("l.weight_format", [], Uint8Array.of(0))]]) {
      const entries = read(...parts, ...more);
      expect(kinds(entries)).toEqual(["l.weight tensor"]);
      expect(numbersOf(tensorIn(entries, "l.weight"))).toEqual(expected);
    }
    const other = read(...parts, u8("l.weight_format", [], Uint8Array.of(2)));
    expect(() => tensorIn(other, "l.weight").open()).toThrow(/lie in the order 2 of bitsandbytes/);
    const wrong = read(...parts, u8("l.weight_format", [2], Uint8Array.of(0, 0)));
    expect(fault(wrong, "l.weight")).toMatch(/weight_format that is not understood/);
  });

  it("that is damaged takes its scales with it", () => {
    const entries = read(
      { ...i8("w", [4, 5]), data: new Uint8Array(3) },
      f32("w_scale", [4, 1], positive(4)),
    );
    expect(fault(entries, "w")).toMatch(/takes 20 bytes/);
    expect(fault(entries, "w_scale")).toMatch(/belongs to the quantization/);
  });

  it("without a scale is left out", () => {
    expect(fault(read(i8("w", [4, 5])), "w")).toBe("is an integer tensor without a scale");
  });

  it("with scales of groups is left out, and so are they", () => {
    const entries = read(
      { name: "q.qweight", dtype: "I32", shape: [1, 2], data: new Uint8Array(8) },
      f32("q.scales", [1, 2], [1, 2]),
    );
    expect(fault(entries, "q.qweight")).toMatch(/dtype "I32"/);
    expect(fault(entries, "q.scales")).toBe("belongs to the quantization of a weight, by its name");
  });
});

describe("microscaled FP4", () => {
  const nibbles = (bytes: Uint8Array) => [...bytes].flatMap((byte) => [E2M1[byte & 15], E2M1[byte >> 4]]);
  const scales = (count: number) => Uint8Array.from({ length: count }, (_, k) => 120 + ((k * 5) % 13));

  it.each([
    [[3, 2, 16], ["e.w"]],
    [
      [2, 3, 2, 16],
      ["e.w[0]", "e.w[1]"],
    ],
    [[1, 3, 2, 16], ["e.w"]],
  ])("in blocks of shape %j is one matrix for each expert", (shape, names) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const entries = read(
      u8("e.w_blocks", shape, codes(size)),
      u8("e.w_scales", shape.slice(0, -1), scales(size / 16)),
    );
    expect(kinds(entries)).toEqual(names.map((name) => `${name} tensor`));
    const all = nibbles(codes(size)).map((x, i) => x * 2 ** (scales(size / 16)[Math.floor(i / 32)] - 127));
    expect(names.flatMap((name) => numbersOf(tensorIn(entries, name)))).toEqual(all);
    expect(tensorIn(entries, names[0]).shape).toEqual([3, 64]);
  });

  it("without scales that fit is left out", () => {
    const blocks = u8("w_blocks", [3, 2, 16], codes(96));
    expect(fault(read(blocks), "w_blocks")).toMatch(/dtype "U8"/);
    expect(fault(read(blocks, u8("w_scales", [3], scales(3))), "w_blocks")).toMatch(
      /shape \[3\].*not understood/,
    );
    expect(fault(read(blocks, f32("w_scales", [3, 2], positive(6))), "w_blocks")).toMatch(/not understood/);
    expect(fault(read(blocks, u8("w_scales", [3, 2], scales(6)), f32("w", [1, 1], [1])), "w_blocks")).toMatch(
      /beside/,
    );
    const bad = read(blocks, u8("w_scales", [3, 2], Uint8Array.of(1, 2, 3, 255, 5, 6)));
    expect(() => tensorIn(bad, "w").open()).toThrow(/number 3 of its scale "w_scales" is NaN/);
  });

  it("is exact for every scale, the least and the largest", () => {
    const bytes = Uint8Array.from({ length: 255 * 16 }, (_, k) => (((k % 8) * 2 + 1) << 4) | ((k % 8) * 2));
    const powers = Uint8Array.from({ length: 255 }, (_, k) => k);
    const entries = read(u8("w_blocks", [255, 1, 16], bytes), u8("w_scales", [255, 1], powers));
    const expected = nibbles(bytes).map((x, i) => Math.fround(x * 2 ** (Math.floor(i / 32) - 127)));
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(expected);
  });

  it("as F4 is decoded with and without scales", () => {
    const w = { name: "w", dtype: "F4", shape: [2, 32], data: codes(32) };
    expect(numbersOf(tensorIn(read(w), "w"))).toEqual(nibbles(codes(32)));
    const s = { name: "w_scale", dtype: "F8_E8M0", shape: [2, 1], data: Uint8Array.of(127, 130) };
    const expected = nibbles(codes(32)).map((x, i) => (i < 32 ? x : 8 * x));
    expect(numbersOf(tensorIn(read(w, s), "w"))).toEqual(expected);
  });
});

describe("experts that are stacked", () => {
  it("are a matrix each, plain and scaled", () => {
    const entries = read(
      f32("mlp.experts.down_proj", [2, 2, 3], positive(12)),
      f8("mlp.experts.up_proj", [2, 3, 2]),
      f32("mlp.experts.up_proj_scale", [2, 3, 1], positive(6)),
    );
    expect(numbersOf(tensorIn(entries, "mlp.experts.down_proj[1]"))).toEqual(positive(12).slice(6));
    const expected = scaled([...codes(12)].map(e4m3), (i) => positive(6)[Math.floor(i / 2)]);
    const found = [0, 1].flatMap((k) => numbersOf(tensorIn(entries, `mlp.experts.up_proj[${k}]`)));
    expect(found).toEqual(expected);
    expect(entries).toHaveLength(4);
  });

  it("may have a scale each, one for all, or blocks", () => {
    const name = "experts.w";
    const [E, out, cols] = [2, 130, 3];
    const numbers = [...codes(E * out * cols)].map(e4m3);
    const cases: [number[], (e: number, row: number) => number][] = [
      [[], () => 0],
      [[2], (e) => e],
      [[2, 1, 1], (e) => e],
      [[2, 2, 1], (e, row) => 2 * e + (row < 128 ? 0 : 1)],
    ];
    for (const [shape, at] of cases) {
      const scales = positive(shape.reduce((a, b) => a * b, 1));
      const blocks = shape[1] === 2;
      const entries = read(
        f8(name, [E, out, cols]),
        f32(`${name}_scale${blocks ? "_inv" : ""}`, shape, scales),
      );
      const found = [0, 1].flatMap((e) => numbersOf(tensorIn(entries, `${name}[${e}]`)));
      const expected = scaled(numbers, (i) => {
        const row = Math.floor(i / cols);
        return scales[at(Math.floor(row / out), row % out)];
      });
      expect(found).toEqual(expected);
    }
  });

  it("are left out if they are more than there are anywhere", () => {
    expect(
      fault(read(i8("experts.w", [20_000, 1, 1]), f32("experts.w_scale", [], [1])), "experts.w"),
    ).toMatch(/stack of 20000 matrices/);
  });
});

describe("an audit", () => {
  const folder = mkdtempSync(join(tmpdir(), "scaled-weights-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("gives the norm of what the network uses", async () => {
    const [rows, cols] = [140, 150];
    const blocks = [0.02, 0.5, 1, 0.1].map(Math.fround);
    const mx = Uint8Array.from({ length: 2 * 10 * 3 }, (_, k) => 121 + (k % 9));
    const file = join(folder, "m.safetensors");
    writeFileSync(
      file,
      safetensors([
        f8("a.weight", [rows, cols]),
        f32("a.weight_scale_inv", [2, 2], blocks),
        i8("b.weight", [20, 30]),
        f32("b.weight_scale", [20, 1], positive(20)),
        u8("e_blocks", [2, 10, 3, 16], codes(960)),
        u8("e_scales", [2, 10, 3], mx),
        f8("bad.weight", [2, 2]),
        f32("bad.weight_scale", [], [0]),
      ]),
    );
    const a = scaled(
      [...codes(rows * cols)].map(e4m3),
      (i) => blocks[2 * Number(i >= 128 * cols) + Number(i % cols >= 128)],
    );
    const b = scaled(signed(codes(600)), (i) => positive(20)[Math.floor(i / 30)]);
    const e = [...codes(960)]
      .flatMap((byte) => [E2M1[byte & 15], E2M1[byte >> 4]])
      .map((x, i) => x * 2 ** (mx[Math.floor(i / 32)] - 127));
    const expected = {
      "a.weight": denseNorms(a, rows),
      "b.weight": denseNorms(b, 20),
      "e[0]": denseNorms(e.slice(0, 960), 10),
      "e[1]": denseNorms(e.slice(960), 10),
    };
    const { status, lines, stderr } = await answers([file]);
    expect(lines.map(({ tensor }) => tensor)).toEqual(Object.keys(expected));
    for (const line of lines) {
      if (isLeftOut(line)) throw new Error(line.leftOut);
      const { sigma, frobenius } = expected[line.tensor as keyof typeof expected];
      expect(Math.abs(line.sigma - sigma)).toBeLessThan(1e-5 * sigma);
      expect(Math.abs(line.frobenius - frobenius)).toBeLessThan(1e-5 * frobenius);
      expect(line.dtype).toBe(line.tensor.startsWith("e") ? "bfloat16" : "float32");
    }
    expect(status).toBe(2);
    expect(stderr).toMatch(/bad\.weight.*is 0 .*must be positive/);
    // Larger than the memory allowed: read in each pass.
    const streamed = await answers([file], { memory: 10_000 });
    for (const line of streamed.lines) {
      const { sigma } = expected[line.tensor as keyof typeof expected];
      expect(Math.abs(line.sigma - sigma)).toBeLessThan(1e-5 * sigma);
    }
    expect(streamed.lines).toHaveLength(4);
  });
});
