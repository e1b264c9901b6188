import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { answers } from "../audit/models.js";
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
import { denseNorms, f32, int32, kinds, positive, range, read, word } from "./safetensors-parts.js";

interface Options {
  readonly inputs?: number;
  readonly outputs?: number;
  readonly groups?: number;
  readonly bits?: 2 | 4 | 8;
  readonly awq?: boolean;
  /** what is taken from a zero when it is stored */
  readonly less?: number;
  readonly order?: readonly number[];
}

/** A weight as its format has it, and its numbers by plain loops. */
function packed(name: string, options: Options = {}) {
  const { inputs = 32, outputs = 16, groups = 2, bits = 4, awq = false, order } = options;
  const { less = awq ? 0 : 1 } = options;
  const per = 32 / bits;
  const q = (i: number, o: number) => (i * 7 + o * 5 + 3 + ((i * o) % 5)) % 2 ** bits;
  const zero = (g: number, o: number) => 1 + ((g + 3 * o) % (2 ** bits - 1));
  const scales = positive(groups * outputs);
  const groupOf = (i: number) => order?.[i] ?? Math.floor((i * groups) / inputs);
  const places = awq ? [0, 2, 4, 6, 1, 3, 5, 7] : range(per);
  const across = (at: (o: number) => number) =>
    range(outputs / per).map((w) => word(places.map((k) => at(w * per + k))));
  const down = (w: number) => range(outputs).map((o) => word(range(per).map((k) => q(w * per + k, o))));
  const parts: SafetensorsPart[] = [
    awq
      ? int32(
          `${name}.qweight`,
          [inputs, outputs / per],
          range(inputs).flatMap((i) => across((o) => q(i, o))),
        )
      : int32(`${name}.qweight`, [inputs / per, outputs], range(inputs / per).flatMap(down)),
    int32(
      `${name}.qzeros`,
      [groups, outputs / per],
      range(groups).flatMap((g) => across((o) => zero(g, o) - less)),
    ),
    f32(`${name}.scales`, [groups, outputs], scales),
    ...(order ? [int32(`${name}.g_idx`, [inputs], order)] : []),
  ];
  const numbers = range(inputs).flatMap((i) =>
    range(outputs).map((o) =>
      Math.fround(scales[groupOf(i) * outputs + o] * (q(i, o) - zero(groupOf(i), o))),
    ),
  );
  return { parts, numbers };
}

describe("GPTQ and AWQ", () => {
  it.each<Options>([
    { bits: 2 },
    { bits: 4, order: range(32).map((i) => i % 2) },
    { bits: 8, groups: 4 },
    { awq: true },
    { awq: true, groups: 1, inputs: 7, outputs: 24 },
  ])("with %j are scale·(q − zero)", (options) => {
    const { parts, numbers } = packed("l", options);
    const entries = read(...parts);
    expect(kinds(entries)).toEqual(["l.qweight tensor"]);
    expect(numbersOf(tensorIn(entries, "l.qweight"))).toEqual(numbers);
  });

  const file = (less: number) => safetensors(packed("l", { less }).parts);
  const { numbers } = packed("l");
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
      weight_map: Object.fromEntries(packed("l").parts.map(({ name }) => [name, "m.safetensors"])),
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
    const parts = [...packed("l").parts, ...packed("a", { awq: true }).parts, f32("good", [1, 2], [1, 2])];
    const entries = entriesOf({ ...configs, "m.safetensors": safetensors(parts) }, "m.safetensors");
    expect(fault(entries, "l.qweight")).toMatch(reason);
    expect(numbersOf(tensorIn(entries, "a.qweight"))).toEqual(packed("a", { awq: true }).numbers);
    expect(tensorIn(entries, "good").shape).toEqual([1, 2]);
  });

  it("are left out if their parts do not fit or cannot be read, and so are these", () => {
    const { parts } = packed("l", { order: range(32).map((i) => i % 2) });
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

  it("look for no configuration beside a pipe", () => {
    const files = { "-": file(1), "config.json": text("{") };
    expect(numbersOf(tensorIn(entriesOf(files, "-"), "l.qweight"))).toEqual(numbers);
  });
});

describe("the audit of packed integers", () => {
  const folder = mkdtempSync(join(tmpdir(), "gptq-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("has the norms of what the network uses, whole and a few rows at a time", async () => {
    const cases: Record<string, Options> = {
      plain: { inputs: 64, outputs: 40, groups: 4 },
      ordered: { inputs: 48, outputs: 56, groups: 3, order: range(48).map((i) => (i * 7) % 3) },
      wide: { inputs: 32, outputs: 128, groups: 2, bits: 8 },
      two: { inputs: 64, outputs: 32, groups: 2, bits: 2 },
      awq: { inputs: 60, outputs: 48, groups: 5, awq: true },
    };
    const weights = Object.entries(cases).map(([name, options]) => ({
      name,
      options,
      ...packed(name, options),
    }));
    const path = join(folder, "m.safetensors");
    writeFileSync(path, safetensors(weights.flatMap(({ parts }) => parts)));
    for (const flags of [{}, { memory: 4000 }]) {
      const { status, lines, stderr } = await answers([path], flags);
      expect([status, stderr]).toEqual([0, ""]);
      expect(lines.map(({ tensor }) => tensor)).toEqual(weights.map(({ name }) => `${name}.qweight`));
      for (const [k, line] of lines.entries()) {
        const { inputs = 0, outputs } = weights[k].options;
        const { sigma, frobenius } = denseNorms(weights[k].numbers, inputs);
        expect(line).toMatchObject({ rows: inputs, cols: outputs, dtype: "float32", converged: true });
        expect(Math.abs(line.sigma / sigma - 1)).toBeLessThan(1e-6);
        expect(Math.abs(line.frobenius / frobenius - 1)).toBeLessThan(1e-6);
      }
    }
  });
});
