import { describe, expect, it } from "vitest";
import { entriesOf, fault, numbersOf, type SafetensorsPart, safetensors, tensorIn, text } from "./models.js";
import { type MlxOptions, mlx } from "./quantized-weights.js";
import { codes, E2M1, e4m3, f32, kinds, positive, range, u8 } from "./safetensors-parts.js";

/** Beside a config.json, if there is one. */
const read = (config: unknown, ...parts: readonly SafetensorsPart[]) =>
  entriesOf(
    {
      "m.safetensors": safetensors(parts),
      ...(config !== undefined && { "config.json": text(config as object) }),
    },
    "m.safetensors",
  );
const quantization = (bits: number, group: number) => ({ quantization: { bits, group_size: group } });

describe("the affine mode of MLX", () => {
  it.each<MlxOptions>([
    {},
    { bits: 2, group: 32 },
    { bits: 8, group: 128 },
    { shape: [1, 64] },
    { shape: [1, 3, 64] },
  ])("with %j is scale·q + bias", (options) => {
    const { bits = 4, group = 64 } = options;
    const { parts, shape, numbers } = mlx("l", options);
    const entries = read(quantization(bits, group), ...parts);
    expect(kinds(entries)).toEqual(["l.weight tensor"]);
    const tensor = tensorIn(entries, "l.weight");
    expect(tensor).toMatchObject({ shape: shape.slice(-2), dtype: "float32", layout: "pytorch" });
    expect(numbersOf(tensor)).toEqual(numbers);
  });

  it("in a stack is a matrix each", () => {
    const { parts, numbers } = mlx("switch_mlp.up_proj", { shape: [3, 5, 64], group: 32 });
    const entries = read(quantization(4, 32), ...parts);
    const names = range(3).map((k) => `switch_mlp.up_proj.weight[${k}]`);
    expect(kinds(entries)).toEqual(names.map((name) => `${name} tensor`));
    expect(names.flatMap((name) => numbersOf(tensorIn(entries, name)))).toEqual(numbers);
  });

  it("is packed as the configuration has it for the layer", () => {
    const { parts, numbers } = mlx("a.b", { bits: 8, group: 32 });
    const config = { quantization: { bits: 4, group_size: 64, "a.b": { bits: 8, group_size: 32 } } };
    expect(numbersOf(tensorIn(read(config, ...parts), "a.b.weight"))).toEqual(numbers);
  });

  it("is left out without a configuration that fits, and so are its parts", () => {
    const { parts } = mlx("l");
    const [weight, scales, biases] = parts;
    const good = quantization(4, 64);
    const cases: [unknown, readonly SafetensorsPart[], RegExp][] = [
      [undefined, parts, /no config.json of MLX beside it that says/],
      [{}, parts, /no config.json of MLX/],
      [{ quantization: { bits: "4", group_size: 64 } }, parts, /no config.json of MLX/],
      ["{", parts, /its "config.json": is not JSON/],
      [quantization(3, 64), parts, /numbers of 3 bits, and 2, 4 and 8 are read/],
      [quantization(8, 64), parts, /do not fit groups of 64 numbers with 8 bits/],
      [quantization(4, 0), parts, /do not fit groups of 0/],
      [good, [weight, scales, f32("l.biases", [6, 1], positive(6))], /scales or biases that do not fit/],
      [good, [weight, f32("l.scales", [12], positive(12)), biases], /scales or biases that do not fit/],
      [good, [weight, { ...scales, dtype: "I32" }, biases], /do not fit groups/],
      [good, [weight, { ...scales, data: scales.data.slice(4) }, biases], /"l.scales", which cannot be read/],
      [good, [weight, scales], /a mode that is not understood/],
    ];
    for (const [config, found, reason] of cases) {
      const entries = read(config, ...found, f32("good", [1, 2], [1, 2]));
      expect(fault(entries, "l.weight")).toMatch(reason);
      const matrices = entries.filter((entry) => entry.kind === "tensor" && entry.shape.length > 1);
      expect(matrices.map(({ name }) => name)).toEqual(["good"]);
    }
    expect(fault(read(good, weight), "l.weight")).toMatch(/dtype "U32"/);
  });
});

describe("the microscaled modes of MLX", () => {
  const powers = Uint8Array.of(120, 127, 125, 130);
  const bytes = codes(128);

  it("are floats times powers of two", () => {
    const words = (across: number, data: Uint8Array) => ({
      ...{ name: "l.weight", dtype: "U32", shape: [2, across], data },
    });
    const four = read(undefined, words(8, bytes.slice(0, 64)), u8("l.scales", [2, 2], powers));
    const scale = (i: number) => 2 ** (powers[Math.floor(i / 32)] - 127);
    const nibbles = [...bytes.slice(0, 64)].flatMap((byte) => [E2M1[byte & 15], E2M1[byte >> 4]]);
    expect(tensorIn(four, "l.weight")).toMatchObject({ shape: [2, 64], dtype: "bfloat16" });
    expect(numbersOf(tensorIn(four, "l.weight"))).toEqual(nibbles.map((x, i) => x * scale(i)));
    const eight = read(undefined, words(16, bytes), u8("l.scales", [2, 2], powers));
    expect(tensorIn(eight, "l.weight")).toMatchObject({ shape: [2, 64], dtype: "float32" });
    expect(numbersOf(tensorIn(eight, "l.weight"))).toEqual(
      [...bytes].map((code, i) => e4m3(code) * scale(i)),
    );
    const other = read(undefined, words(4, bytes.slice(0, 32)), u8("l.scales", [2, 2], powers));
    expect(fault(other, "l.weight")).toBe("has scales of MLX in a mode that is not understood");
  });
});
