import { describe, expect, it } from "vitest";
import { checkError } from "./hostile.js";
import { entriesOf, fault, numbersOf, type SafetensorsPart, safetensors, tensorIn, text } from "./models.js";
import { type PackOptions, packQuantized } from "./quantized-weights.js";
import { f32, int32, int64, kinds, positive, range, read } from "./safetensors-parts.js";

describe("compressed-tensors' packed integers", () => {
  it.each<PackOptions>([
    {},
    { bits: 8 },
    { group: 64 },
    { group: 0 },
    { cols: 60, group: 20 },
    { cols: 61, group: 61, bits: 8 },
    { zeros: "packed" },
    { rows: 13, zeros: "packed" },
    { rows: 3, bits: 8, zeros: "packed", group: 32 },
    { zeros: "bytes" },
    { order: range(64).map((j) => j % 4) },
    { rows: 9, zeros: "packed", order: range(64).map((j) => 3 - Math.floor(j / 16)) },
  ])("with %j are scale·(q − zero)", (options) => {
    const { parts, numbers, shape } = packQuantized("l.", options);
    const entries = read(...parts);
    expect(kinds(entries)).toEqual(["l.weight_packed tensor"]);
    const tensor = tensorIn(entries, "l.weight_packed");
    expect(tensor).toMatchObject({ shape, dtype: "float32", layout: "pytorch", bytes: 4 * numbers.length });
    expect(numbersOf(tensor)).toEqual(numbers);
  });

  it("have their columns in order where the order was not set", () => {
    const { parts, numbers } = packQuantized("");
    const entries = read(...parts, int32("weight_g_idx", [64], new Array(64).fill(-1)));
    expect(numbersOf(tensorIn(entries, "weight_packed"))).toEqual(numbers);
  });

  it("are left out if a part is missing or does not fit, and so are their parts", () => {
    const { parts } = packQuantized("");
    const without = (name: string) => parts.filter((part) => part.name !== name);
    const withPart = (part: SafetensorsPart) => [...without(part.name), part];
    const shape = (...numbers: number[]) => withPart(int64("weight_shape", [numbers.length], numbers));
    const cases: [SafetensorsPart[], RegExp][] = [
      [without("weight_scale"), /"weight_scale", which is not there/],
      [without("weight_shape"), /"weight_shape", which is not there/],
      [shape(384), /not two integers/],
      [withPart(f32("weight_shape", [2], [6, 64])), /not two integers/],
      [
        withPart({ ...int64("weight_shape", [2], [6]), dtype: "I64" }),
        /"weight_shape", which cannot be read/,
      ],
      [shape(5, 64), /weight_shape \[5, 64\] that does not fit/],
      [shape(6, -64), /does not fit/],
      [shape(6, 2 ** 50), /does not fit/],
      [shape(6, 85), /has numbers of 3 bits/],
      [withPart(f32("weight_scale", [6, 5], positive(30))), /do not fit/],
      [withPart(f32("weight_scale", [4, 6], positive(24))), /do not fit/],
      [withPart(int32("weight_scale", [6, 4], range(24))), /do not fit/],
      [withPart(int32("weight_zero_point", [6, 4], range(24))), /do not fit/],
      [withPart(int32("weight_g_idx", [3], [0, 0, 0])), /do not fit/],
    ];
    for (const [found, reason] of cases) {
      const entries = read(...found, f32("good", [1, 2], [1, 2]));
      expect(fault(entries, "weight_packed")).toMatch(reason);
      const matrices = entries.filter((entry) => entry.kind === "tensor" && entry.shape.length > 1);
      expect(matrices.map(({ name }) => name)).toEqual(["good"]);
    }
  });

  it("without zeros or an order are left out in one file of a model of which the others are not known", () => {
    const name = "m-00001-of-00002.safetensors";
    const { parts } = packQuantized("l.");
    const entries = entriesOf({ [name]: safetensors(parts) }, name);
    expect(fault(entries, "l.weight_packed")).toBe(
      'may belong with "weight_zero_point" in another file of the model',
    );
    const index = text({ weight_map: Object.fromEntries(parts.map((part) => [part.name, name])) });
    const known = entriesOf({ [name]: safetensors(parts), "m.safetensors.index.json": index }, name);
    expect(tensorIn(known, "l.weight_packed").shape).toEqual([6, 64]);
  });

  it("of rows too short to tell how many bits they have are left out", () => {
    const { parts } = packQuantized("", { cols: 8, group: 8 });
    expect(fault(read(...parts), "weight_packed")).toBe(
      "has rows too short to tell how many bits its numbers have: 1 or 2 or 3 or 4",
    );
  });

  it.each([
    [range(64).map((j) => (j === 5 ? 4 : j % 4)), /number 5 of "weight_g_idx" is 4, and there are 4 groups/],
    [range(64).map((j) => (j === 0 ? 1 : j % 4)), /groups of different lengths/],
  ])("fail when opened for groups that are none", (order, reason) => {
    const entries = read(...packQuantized("").parts, int32("weight_g_idx", [64], order));
    let why = "";
    try {
      tensorIn(entries, "weight_packed").open();
    } catch (error) {
      why = checkError(error).message;
    }
    expect(why).toMatch(reason);
  });
});
