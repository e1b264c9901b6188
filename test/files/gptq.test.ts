import { describe, expect, it } from "vitest";
import {
  entriesOf,
  type Files,
  fault,
  numbersOf,
  type SafetensorsPart,
  safetensors,
  tensorIn,
  text,
} from "./models.js";
import { type GptqOptions, gptq } from "./quantized-weights.js";
import { f32, int32, kinds, positive, range, read } from "./safetensors-parts.js";

describe("GPTQ and AWQ", () => {
  it.each<GptqOptions>([
    { bits: 2 },
    { bits: 4, order: range(32).map((i) => i % 2) },
    { bits: 8, groups: 4 },
    { awq: true },
    { awq: true, groups: 1, inputs: 7, outputs: 24 },
  ])("with %j are scale·(q − zero)", (options) => {
    const { parts, numbers } = gptq("l", options);
    const entries = read(...parts);
    expect(kinds(entries)).toEqual(["l.qweight tensor"]);
    expect(numbersOf(tensorIn(entries, "l.qweight"))).toEqual(numbers);
  });

  const file = (less: number) => safetensors(gptq("l", { less }).parts);
  const { numbers } = gptq("l");
  const v2 = { bits: 4, checkpoint_format: "gptq_v2" };

  it.each<[string, number, Record<string, unknown>]>([
    ["nothing", 1, {}],
    ["a configuration that does not say it", 1, { "config.json": { quantization_config: { bits: 4 } } }],
    ["a configuration of something else", 1, { "config.json": [1], "quantize_config.json": 3 }],
    ["version 1", 1, { "quantize_config.json": { checkpoint_format: "gptq" } }],
    ["version 2", 0, { "quantize_config.json": v2 }],
    ["version 2", 0, { "config.json": { quantization_config: v2 } }],
    ["version 2 twice", 0, { "config.json": { quantization_config: v2 }, "quantize_config.json": v2 }],
    [
      "version 2 once",
      0,
      { "config.json": { quantization_config: { bits: 4 } }, "quantize_config.json": v2 },
    ],
  ])("have their zeros by %s beside them", (_what, less, configs) => {
    const beside = Object.fromEntries(
      Object.entries(configs).map(([name, value]) => [name, text(value as object)]),
    );
    const index = text({
      weight_map: Object.fromEntries(gptq("l").parts.map(({ name }) => [name, "m.safetensors"])),
    });
    const files: Files = { ...beside, "m.safetensors": file(less), "m.safetensors.index.json": index };
    for (const main of ["m.safetensors", "m.safetensors.index.json"])
      expect(numbersOf(tensorIn(entriesOf(files, main), "l.qweight"))).toEqual(numbers);
  });

  it.each<[Files, RegExp]>([
    [{ "config.json": text("{") }, /its "config.json": is not JSON/],
    [{ "config.json": new Uint8Array(2 ** 24 + 1) }, /is a JSON text of 16777217 bytes/],
    [{ "quantize_config.json": text({ checkpoint_format: "marlin" }) }, /GPTQ in the format "marlin"/],
    [{ "quantize_config.json": text({ is_marlin_format: true }) }, /GPTQ in the format "marlin"/],
    [{ "quantize_config.json": text({ checkpoint_format: 7 }) }, /GPTQ in the format "7"/],
    [
      {
        "config.json": text({ quantization_config: v2 }),
        "quantize_config.json": text({ checkpoint_format: "gptq" }),
      },
      /name different formats/,
    ],
  ])("are left out for a configuration that is not understood, and AWQ is not", (configs, reason) => {
    const parts = [...gptq("l").parts, ...gptq("a", { awq: true }).parts, f32("good", [1, 2], [1, 2])];
    const entries = entriesOf({ ...configs, "m.safetensors": safetensors(parts) }, "m.safetensors");
    expect(fault(entries, "l.qweight")).toMatch(reason);
    expect(numbersOf(tensorIn(entries, "a.qweight"))).toEqual(gptq("a", { awq: true }).numbers);
    expect(tensorIn(entries, "good").shape).toEqual([1, 2]);
  });

  it("are left out if their parts do not fit or cannot be read, and so are these", () => {
    const { parts } = gptq("l", { order: range(32).map((i) => i % 2) });
    const [qweight, qzeros, scales, index] = parts;
    const cases: [SafetensorsPart[], RegExp][] = [
      [[qweight, qzeros, f32("l.scales", [1, 16], positive(16)), index], /do not fit/],
      [[qweight, int32("l.qzeros", [2, 1], [1, 2]), scales, index], /do not fit/],
      [[qweight, { ...qzeros, dtype: "F32" }, scales, index], /do not fit/],
      [[qweight, qzeros, { ...scales, dtype: "I32" }, index], /do not fit/],
      [[qweight, qzeros, scales, int32("l.g_idx", [16], range(16))], /do not fit/],
      [
        [qweight, { ...qzeros, data: qzeros.data.slice(4) }, scales, index],
        /"l.qzeros", which cannot be read/,
      ],
    ];
    for (const [found, reason] of cases) {
      const entries = read(...found, f32("good", [1, 2], [1, 2]));
      expect(fault(entries, "l.qweight")).toMatch(reason);
      expect(kinds(entries).filter((kind) => kind.endsWith("tensor"))).toEqual(["good tensor"]);
    }
    for (const bad of [2, -1]) {
      const order = range(32).map((i) => (i === 3 ? bad : 0));
      const entries = read(qweight, qzeros, scales, int32("l.g_idx", [32], order));
      expect(() => tensorIn(entries, "l.qweight").open()).toThrow(
        `number 3 of "l.g_idx" is ${bad}, and there are 2 groups`,
      );
    }
    expect(fault(read(qweight, scales), "l.qweight")).toMatch(/dtype "I32"/);
  });

  it("without g_idx are left out in one file of a model of which the others are not known", () => {
    const name = "m-00001-of-00002.safetensors";
    const ordered = gptq("o", { order: range(32).map((i) => i % 2) });
    const parts = [...gptq("l").parts, ...gptq("a", { awq: true }).parts, ...ordered.parts];
    const entries = entriesOf({ [name]: safetensors(parts) }, name);
    expect(fault(entries, "l.qweight")).toBe('may belong with "g_idx" in another file of the model');
    for (const kept of ["a.qweight", "o.qweight"]) expect(tensorIn(entries, kept).dtype).toBe("float32");
  });

  it("look for no configuration beside a pipe", () => {
    const files = { "-": file(1), "config.json": text("{") };
    expect(numbersOf(tensorIn(entriesOf(files, "-"), "l.qweight"))).toEqual(numbers);
  });
});
