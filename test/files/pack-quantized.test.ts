import { describe, expect, it } from "vitest";
import { checkError } from "./hostile.js";
import { fault, numbersOf, type SafetensorsPart, tensorIn } from "./models.js";
import { f32, int32, int64, kinds, positive, range, read, word } from "./safetensors-parts.js";

interface Options {
  readonly rows?: number;
  readonly cols?: number;
  readonly bits?: 4 | 8;
  /** columns of a row that share a scale; 0: one scale for all */
  readonly group?: number;
  readonly zeros?: "none" | "packed" | "bytes";
  readonly order?: readonly number[];
}

/** Numbers in the lowest bits first, in as many words as they take. */
const wordsOf = (numbers: readonly number[], bits: number) => {
  const perWord = 32 / bits;
  return range(Math.ceil(numbers.length / perWord)).map((w) =>
    word(numbers.slice(w * perWord, (w + 1) * perWord), bits),
  );
};

function packed(name: string, options: Options = {}) {
  const { rows = 6, cols = 64, bits = 4, group = 16, zeros = "none", order } = options;
  const half = 2 ** (bits - 1);
  const groups = group === 0 ? 1 : cols / group;
  const q = (i: number, j: number) => ((i * 7 + j * 5 + 3 * ((i * j) % 11)) % (2 * half)) - half;
  const zero = (i: number, g: number) => (zeros === "none" ? 0 : ((i + 3 * g) % half) - half / 2);
  const scales = positive(group === 0 ? 1 : rows * groups);
  const scale = (i: number, g: number) => scales[group === 0 ? 0 : i * groups + g];
  const groupOf = (j: number) => order?.[j] ?? Math.floor((j * groups) / cols);
  const down = range(groups).map((g) =>
    wordsOf(
      range(rows).map((i) => zero(i, g) + half),
      bits,
    ),
  );
  const parts: SafetensorsPart[] = [
    int32(
      `${name}weight_packed`,
      [rows, Math.ceil((cols * bits) / 32)],
      range(rows).flatMap((i) =>
        wordsOf(
          range(cols).map((j) => q(i, j) + half),
          bits,
        ),
      ),
    ),
    f32(`${name}weight_scale`, group === 0 ? [1] : [rows, groups], scales),
    int64(`${name}weight_shape`, [2], [rows, cols]),
  ];
  if (zeros === "packed")
    parts.push(
      int32(
        `${name}weight_zero_point`,
        [down[0].length, groups],
        down[0].flatMap((_, w) => down.map((g) => g[w])),
      ),
    );
  if (zeros === "bytes")
    parts.push({
      ...{ name: `${name}weight_zero_point`, dtype: "I8", shape: [rows, groups] },
      data: new Uint8Array(
        Int8Array.from(range(rows).flatMap((i) => range(groups).map((g) => zero(i, g)))).buffer,
      ),
    });
  if (order) parts.push(int32(`${name}weight_g_idx`, [cols], order));
  const numbers = range(rows).flatMap((i) =>
    range(cols).map((j) => Math.fround(scale(i, groupOf(j)) * (q(i, j) - zero(i, groupOf(j))))),
  );
  return { parts, numbers, shape: [rows, cols] };
}

describe("compressed-tensors' packed integers", () => {
  it.each<Options>([
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
    const { parts, numbers, shape } = packed("l.", options);
    const entries = read(...parts);
    expect(kinds(entries)).toEqual(["l.weight_packed tensor"]);
    const tensor = tensorIn(entries, "l.weight_packed");
    expect(tensor).toMatchObject({ shape, dtype: "float32", layout: "pytorch", bytes: 4 * numbers.length });
    expect(numbersOf(tensor)).toEqual(numbers);
  });

  it("have their columns in order where the order was not set", () => {
    const { parts, numbers } = packed("");
    const entries = read(...parts, int32("weight_g_idx", [64], new Array(64).fill(-1)));
    expect(numbersOf(tensorIn(entries, "weight_packed"))).toEqual(numbers);
  });

  it("are left out if a part is missing or does not fit, and so are their parts", () => {
    const { parts } = packed("");
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

  it("of rows too short to tell how many bits they have are left out", () => {
    const { parts } = packed("", { cols: 8, group: 8 });
    expect(fault(read(...parts), "weight_packed")).toBe(
      "has rows too short to tell how many bits its numbers have: 1 or 2 or 3 or 4",
    );
  });

  it.each([
    [range(64).map((j) => (j === 5 ? 4 : j % 4)), /number 5 of "weight_g_idx" is 4, and there are 4 groups/],
    [range(64).map((j) => (j === 0 ? 1 : j % 4)), /groups of different lengths/],
  ])("fail when opened for groups that are none", (order, reason) => {
    const entries = read(...packed("").parts, int32("weight_g_idx", [64], order));
    let why = "";
    try {
      tensorIn(entries, "weight_packed").open();
    } catch (error) {
      why = checkError(error).message;
    }
    expect(why).toMatch(reason);
  });
});
