import { describe, expect, it } from "vitest";
import { type SmallFloat, valuesOf } from "../../src/files/small-floats.js";

/** A code as text, and the fields cut out of it: v = (−1)^S · 2^(E − bias) · 1.M, or 2^(1 − bias) · 0.M where E = 0. */
function formula(code: number, bits: number, exponent: number, bias: number): number {
  const text = code.toString(2).padStart(bits, "0");
  const e = Number.parseInt(text.slice(1, 1 + exponent), 2);
  let fraction = 0;
  [...text.slice(1 + exponent)].forEach((bit, k) => {
    if (bit === "1") fraction += 0.5 ** (k + 1);
  });
  const size = e === 0 ? 0.5 ** (bias - 1) * fraction : 2 ** e * 0.5 ** bias * (1 + fraction);
  return text[0] === "1" ? -size : size;
}

const decoded = (type: SmallFloat) => [...valuesOf(type)];
const codes = (count: number) => Array.from({ length: count }, (_, code) => code);

describe("every code of", () => {
  it("E4M3 has the value of the OCP specification: no infinities, NaN for S.1111.111", () => {
    const expected = codes(256).map((code) => ((code & 0x7f) === 0x7f ? Number.NaN : formula(code, 8, 4, 7)));
    expect(decoded("F8_E4M3")).toEqual(expected);
    expect(valuesOf("F8_E4M3")[0x7e]).toBe(448);
    expect(valuesOf("F8_E4M3")[1]).toBe(2 ** -9);
    expect(valuesOf("F8_E4M3")[0x80]).toBe(-0);
  });

  it("E5M2 has the value of the OCP specification: infinities and NaN as in IEEE 754", () => {
    const expected = codes(256).map((code) => {
      const size = code & 0x7f;
      if (size > 0x7c) return Number.NaN;
      if (size === 0x7c) return code < 128 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      return formula(code, 8, 5, 15);
    });
    expect(decoded("F8_E5M2")).toEqual(expected);
    expect(valuesOf("F8_E5M2")[0x7b]).toBe(57344);
    expect(valuesOf("F8_E5M2")[1]).toBe(2 ** -16);
  });

  it.each([
    ["F8_E4M3FNUZ", 4, 8, 240, 2 ** -10],
    ["F8_E5M2FNUZ", 5, 16, 57344, 2 ** -17],
  ] as const)(
    "%s has the value of its formula, and only 0x80 is NaN",
    (type, exponent, bias, most, least) => {
      const expected = codes(256).map((code) =>
        code === 0x80 ? Number.NaN : formula(code, 8, exponent, bias),
      );
      expect(decoded(type)).toEqual(expected);
      expect(valuesOf(type)[0x7f]).toBe(most);
      expect(valuesOf(type)[1]).toBe(least);
    },
  );

  it("E2M1 has the values that the OCP specification lists", () => {
    const sizes = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
    expect(decoded("F4")).toEqual([...sizes, ...sizes.map((size) => -size)]);
    expect(decoded("F4")).toEqual(codes(16).map((code) => formula(code, 4, 2, 1)));
  });

  it("E2M3 and E3M2 has the value of the formula", () => {
    expect(decoded("F6_E2M3")).toEqual(codes(64).map((code) => formula(code, 6, 2, 1)));
    expect(decoded("F6_E3M2")).toEqual(codes(64).map((code) => formula(code, 6, 3, 3)));
    expect(Math.max(...decoded("F6_E2M3"))).toBe(7.5);
    expect(Math.max(...decoded("F6_E3M2"))).toBe(28);
  });

  it("E8M0 is a power of two, and 255 is NaN", () => {
    let power = 2 ** -127;
    const expected = codes(255).map(() => {
      power *= 2;
      return power / 2;
    });
    expect(decoded("F8_E8M0")).toEqual([...expected, Number.NaN]);
  });
});
