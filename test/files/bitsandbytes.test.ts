import { describe, expect, it } from "vitest";
import { checkError } from "./hostile.js";
import {
  entriesOf,
  fault,
  floats,
  numbersOf,
  type SafetensorsPart,
  safetensors,
  tensorIn,
  text,
} from "./models.js";
import { fourBits } from "./quantized-weights.js";
import { f32, kinds, range, read, sizeOf, u8 } from "./safetensors-parts.js";

describe("four bits of bitsandbytes", () => {
  it.each([
    ["nf4", [6, 64], {}],
    ["fp4", [5, 7], {}],
    ["nf4", [33, 33], { blocksize: 32 }],
    ["nf4", [80, 512], { nested: true }],
    ["fp4", [3, 5], { nested: true }],
    ["nf4", [16, 64], { dtype: "BF16" }],
    ["nf4", [16, 64], { dtype: "F32" }],
    ["nf4", [2, 3, 3, 3], {}],
  ] as const)("%s of shape %j with %j are the map's numbers times their block's", (type, shape, options) => {
    const { parts, numbers } = fourBits("l.weight", shape, { type, ...options });
    const entries = read(...parts, f32("l.bias", [2], [1, 2]));
    expect(kinds(entries)).toEqual(["l.weight tensor", "l.bias tensor"]);
    const tensor = tensorIn(entries, "l.weight");
    expect(tensor).toMatchObject({ shape, dtype: "float32", layout: "pytorch", bytes: 4 * numbers.length });
    expect(numbersOf(tensor)).toEqual(numbers);
  });

  it("in a stack of experts are a matrix each, if blocks end with them", () => {
    const { parts, numbers } = fourBits("experts.up", [3, 4, 32]);
    const entries = read(...parts);
    expect(kinds(entries)).toEqual(range(3).map((k) => `experts.up[${k}] tensor`));
    expect(range(3).flatMap((k) => numbersOf(tensorIn(entries, `experts.up[${k}]`)))).toEqual(numbers);
    const uneven = read(...fourBits("experts.up", [3, 5, 10]).parts);
    expect(fault(uneven, "experts.up")).toBe("has matrices of 50 numbers, and blocks of 64");
  });

  it("may have their parts in other files of the model", () => {
    const { parts, numbers } = fourBits("w", [4, 64], { nested: true, dtype: "BF16" });
    const files = {
      "m-00001-of-00002.safetensors": safetensors(parts.slice(0, 1)),
      "m-00002-of-00002.safetensors": safetensors(parts.slice(1)),
      "m.safetensors.index.json": text({
        weight_map: Object.fromEntries(
          parts.map(({ name }, k) => [name, `m-0000${k === 0 ? 1 : 2}-of-00002.safetensors`]),
        ),
      }),
    };
    for (const main of ["m.safetensors.index.json", "m-00001-of-00002.safetensors"])
      expect(numbersOf(tensorIn(entriesOf(files, main), "w"))).toEqual(numbers);
  });

  it.each([
    ["{", /is not JSON/],
    ["[]", /is not a JSON object/],
    [{}, /shape is not a list/],
    [{ shape: [2 ** 40, 2 ** 40], blocksize: 64 }, /more than 2\^53 numbers/],
    [{ shape: [4, 65], blocksize: 64 }, /of shape \[4, 65\] takes 130 bytes, not 128/],
    [{ shape: [4, -64], blocksize: 64 }, /-64 where an integer belongs/],
    [{ shape: [4, 64] }, /blocksize is not a positive integer/],
    [{ shape: [4, 64], blocksize: 0 }, /blocksize is not/],
    [{ shape: [4, 64], blocksize: 1.5 }, /blocksize is not/],
    [{ shape: [4, 64], blocksize: "64" }, /blocksize is not/],
    [{ shape: [4, 64], blocksize: 128 }, /has 4 numbers in its absmax, for 2 blocks/],
    [{ shape: [4, 64], blocksize: 64, nested_blocksize: 256 }, /no nested_offset/],
    [{ shape: [4, 64], blocksize: 64, nested_offset: 1 }, /nested_blocksize is not/],
    [
      { shape: [4, 64], blocksize: 64, nested_blocksize: 256, nested_offset: 0 },
      /"w.nested_absmax", which is not there/,
    ],
    ['{"shape":[4,64],"blocksize":64,"blocksize":32}', /has the key "blocksize" twice/],
    ["[".repeat(4000), /nested deeper than 512/],
  ])("are left out for the state %j", (state, reason) => {
    const { parts } = fourBits("w", [4, 64], { state });
    const entries = read(...parts, f32("good", [1, 2], [1, 2]));
    expect(fault(entries, "w")).toMatch(reason);
    for (const { name } of parts.slice(1))
      expect(fault(entries, name)).toMatch(/belongs to a weight that is left out/);
    expect(numbersOf(tensorIn(entries, "good"))).toEqual([1, 2]);
  });

  it("are left out without what belongs to them, whatever the type of their bytes", () => {
    const { parts } = fourBits("w", [4, 64], { nested: true, dtype: "BF16" });
    const without = (last: string) => read(...parts.filter(({ name }) => !name.includes(last)));
    expect(fault(without(".absmax"), "w")).toMatch(/"w.absmax", which is not there/);
    expect(fault(without(".quant_map"), "w")).toMatch(/"w.quant_map", which is not there/);
    expect(fault(without(".nested_quant"), "w")).toMatch(/"w.nested_quant_map", which is not there/);
    expect(fault(without("quant_state"), "w")).toBe("has an absmax beside it, and no quantization state");
    const two = text({ shape: [4, 64], blocksize: 64 });
    const both = read(...parts, u8("w.quant_state.bitsandbytes__fp4", [two.length], two));
    expect(fault(both, "w")).toBe("has two quantization states");
    const more = read(...parts, f32("w.scale", [1], [1]));
    expect(fault(more, "w")).toMatch(/has more beside it/);
    const changed = (last: string, change: Partial<SafetensorsPart>) =>
      read(...parts.map((part) => (part.name.endsWith(last) ? { ...part, ...change } : part)));
    expect(fault(changed("quant_map", { shape: [8], data: new Uint8Array(32) }), "w")).toMatch(/8 codes/);
    expect(fault(changed("absmax", { shape: [4], data: new Uint8Array(16), dtype: "F32" }), "w")).toMatch(
      /nested absmax that is not understood/,
    );
    expect(fault(changed("nf4", { dtype: "I8" }), "w")).toMatch(/is not a short text in U8/);
    const long = text(`{"shape":[4,64],"blocksize":64}${" ".repeat(2 ** 16)}`);
    expect(fault(changed("nf4", { shape: [long.length], data: long }), "w")).toMatch(/not a short text/);
  });

  it.each([
    ["w.absmax", "its scale", Number.NaN],
    ["w.absmax", "its scale", Number.POSITIVE_INFINITY],
    ["w.quant_map", "its scale", Number.NaN],
  ])("fail when opened for a number of %s that is not finite", (name, what, bad) => {
    const { parts } = fourBits("w", [4, 64]);
    const entries = read(
      ...parts.map((part) =>
        part.name === name
          ? { ...part, data: floats("F32", [bad, ...new Array(sizeOf(part.shape) - 1).fill(1)]) }
          : part,
      ),
    );
    let why = "";
    try {
      tensorIn(entries, "w").open();
    } catch (error) {
      why = checkError(error).message;
    }
    expect(why).toMatch(`number 0 of ${what} "${name}" is ${bad}`);
  });

  it("of a block of zeros are zeros", () => {
    const { parts } = fourBits("w", [1, 64]);
    const entries = read(
      ...parts.map((part) => (part.name === "w.absmax" ? { ...part, data: new Uint8Array(4) } : part)),
    );
    expect(numbersOf(tensorIn(entries, "w")).every((x) => x === 0)).toBe(true);
  });
});
