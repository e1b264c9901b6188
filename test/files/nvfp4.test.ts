import { describe, expect, it } from "vitest";
import { checkError } from "./hostile.js";
import { fault, numbersOf, type SafetensorsPart, tensorIn } from "./models.js";
import { codes, E2M1, e4m3, f32, kinds, read, u8 } from "./safetensors-parts.js";

const [ROWS, COLS] = [5, 64];
const bytes = codes((ROWS * COLS) / 2, 7);
/** One of them is zero, as a block of tiny numbers has it. */
const blocks = Uint8Array.from(codes((ROWS * COLS) / 16, 9), (code, k) => (k === 3 ? 0 : code & 0x7f));
const numbers = [...bytes].flatMap((byte) => [E2M1[byte & 15], E2M1[byte >> 4]]);

const e4m3Part = (name: string, shape: readonly number[], data = blocks): SafetensorsPart => ({
  ...{ name, dtype: "F8_E4M3", shape, data },
});
const whole = Math.fround(0.0123);

describe("NVFP4", () => {
  it("of TensorRT Model Optimizer is multiplied with both scales", () => {
    const parts = [
      e4m3Part("l.weight_scale", [ROWS, COLS / 16]),
      f32("l.weight_scale_2", [], [whole]),
      f32("l.input_scale", [], [2]),
    ];
    const expected = numbers.map((x, i) => Math.fround(x * (e4m3(blocks[Math.floor(i / 16)]) * whole)));
    for (const weight of [
      u8("l.weight", [ROWS, COLS / 2], bytes),
      { ...u8("l.weight", [ROWS, COLS], bytes), dtype: "F4" },
    ]) {
      const entries = read(weight, ...parts);
      expect(kinds(entries)).toEqual(["l.weight tensor", "l.input_scale left out"]);
      expect(tensorIn(entries, "l.weight")).toMatchObject({ shape: [ROWS, COLS], dtype: "float32" });
      expect(numbersOf(tensorIn(entries, "l.weight"))).toEqual(expected);
    }
  });

  it("of compressed-tensors is multiplied with one scale and divided by the other", () => {
    const entries = read(
      u8("weight_packed", [ROWS, COLS / 2], bytes),
      e4m3Part("weight_scale", [ROWS, COLS / 16]),
      f32("weight_global_scale", [1], [81.5]),
      f32("input_global_scale", [1], [3]),
    );
    expect(kinds(entries)).toEqual(["weight_packed tensor", "input_global_scale left out"]);
    const expected = numbers.map((x, i) => Math.fround(x * (e4m3(blocks[Math.floor(i / 16)]) / 81.5)));
    expect(numbersOf(tensorIn(entries, "weight_packed"))).toEqual(expected);
  });

  it("without a scale for the tensor is MXFP4 of compressed-tensors, if that of blocks is E8M0", () => {
    const powers = Uint8Array.from({ length: (ROWS * COLS) / 32 }, (_, k) => 120 + k);
    for (const dtype of ["U8", "F8_E8M0"]) {
      const entries = read(u8("a.weight_packed", [ROWS, COLS / 2], bytes), {
        ...{ name: "a.weight_scale", dtype, shape: [ROWS, COLS / 32], data: powers },
      });
      expect(tensorIn(entries, "a.weight_packed")).toMatchObject({ shape: [ROWS, COLS], dtype: "bfloat16" });
      expect(numbersOf(tensorIn(entries, "a.weight_packed"))).toEqual(
        numbers.map((x, i) => x * 2 ** (powers[Math.floor(i / 32)] - 127)),
      );
    }
    const other = read(
      u8("weight_packed", [ROWS, COLS / 2], bytes),
      e4m3Part("weight_scale", [ROWS, COLS / 16]),
    );
    expect(fault(other, "weight_packed")).toMatch(/no weight_global_scale/);
  });

  it("is left out for scales that do not fit, and so are they", () => {
    const weight = u8("weight", [ROWS, COLS / 2], bytes);
    const scale = e4m3Part("weight_scale", [ROWS, COLS / 16]);
    const second = f32("weight_scale_2", [], [whole]);
    const cases: [SafetensorsPart[], RegExp][] = [
      [[weight, scale], /dtype "U8" is none of/],
      [[weight, e4m3Part("weight_scale", [ROWS * 4, COLS / 64]), second], /\[20, 1\] that does not fit/],
      [[weight, e4m3Part("weight_scale", [(ROWS * COLS) / 16]), second], /\[20\] that does not fit/],
      [[u8("weight", [ROWS * COLS, 1], new Uint8Array(ROWS * COLS)), scale, second], /does not fit/],
      [[weight, scale, f32("weight_scale_2", [2], [1, 2])], /scales that are not understood/],
      [[weight, { ...scale, dtype: "I8" }, second], /scales that are not understood/],
      [[weight, { ...scale, data: scale.data.subarray(1) }, second], /cannot be read/],
      [[weight, scale, second, f32("pre_quant_scale", [COLS], new Array(COLS).fill(1))], /more beside it/],
    ];
    for (const [parts, reason] of cases) {
      const entries = read(...parts, f32("good", [1, 2], [1, 2]));
      expect(fault(entries, "weight")).toMatch(reason);
      for (const entry of entries)
        if (entry.kind === "tensor" && entry.name !== "good") expect(entry.shape.length).toBeLessThan(2);
    }
  });

  it.each([
    [
      "weight_scale_2",
      f32("weight_scale_2", [], [0]),
      /number 0 of its scale "weight_scale_2" is 0 .* must be positive/,
    ],
    ["weight_scale_2", f32("weight_scale_2", [], [Number.NaN]), /is NaN/],
    ["weight_scale", e4m3Part("weight_scale", [1, 1], Uint8Array.of(0x7f)), /is NaN .* zero or positive/],
    ["weight_scale", e4m3Part("weight_scale", [1, 1], Uint8Array.of(0x81)), /must be zero or positive/],
  ])("fails when opened for a damaged %s", (name, part, reason) => {
    const good = [e4m3Part("weight_scale", [1, 1], Uint8Array.of(0x38)), f32("weight_scale_2", [], [1])];
    const parts = good.map((one) => (one.name === name ? part : one));
    const entries = read(u8("weight", [1, 8], codes(8)), ...parts);
    let why = "";
    try {
      tensorIn(entries, "weight").open();
    } catch (error) {
      why = checkError(error).message;
    }
    expect(why).toMatch(reason);
  });
});
