import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecimalReader, oneLine, quote } from "../../src/files/text.js";
import { latin1 } from "./writers.js";

const number = (text: string) => new DecimalReader(latin1(text)).number(0, text.length);

describe("decimal numbers", () => {
  it("are rounded as JavaScript rounds them, written in any way", () => {
    const digits = fc.stringMatching(/^\d{0,25}$/);
    const text = fc
      .tuple(
        fc.constantFrom("", "+", "-"),
        digits,
        fc.boolean(),
        digits,
        fc.option(fc.integer({ min: -345, max: 330 })),
      )
      .filter(([, whole, , fraction]) => whole !== "" || fraction !== "")
      .map(([sign, whole, point, fraction, exponent]) => {
        const mantissa = point ? `${whole}.${fraction}` : whole + fraction;
        return `${sign}${mantissa}${exponent === null ? "" : `e${exponent}`}`;
      });
    fc.assert(
      fc.property(text, (each) => {
        expect(number(each)).toBe(Number(each));
      }),
      { numRuns: 5000 },
    );
  });

  it("are rounded correctly at the edges", () => {
    for (const text of [
      "9007199254740993",
      "0.1",
      "1.0000000000000000e+00",
      "123456789012345e22",
      "123456789012345e23",
      "999999999999999e-22",
      "1e-400",
      "-1e-400",
      "-0",
      "-0.0e5",
      "000000000000000000000000001",
      "0.00000000000000000000000000000000000001",
      "100000000000000000000000000000000000000000",
      "2.2250738585072011e-308",
      "4.9406564584124654e-324",
      "1.7976931348623157e308",
      `${"0".repeat(2000)}1${"0".repeat(30)}e-30`,
      `0.${"0".repeat(2_000_000)}1e2000001`,
      `0.${"0".repeat(2_000_000)}1e5000000`,
    ]) {
      expect(number(text), text.slice(0, 50)).toBe(Number(text));
    }
  });

  it("take Fortran's exponent letter", () => {
    expect(number("1.5d3")).toBe(1500);
    expect(number("1.5D+300")).toBe(1.5e300);
  });

  it("are told from everything else", () => {
    for (const text of [
      "",
      "+",
      ".",
      "e5",
      "1e",
      "1e+",
      "1 ",
      " 1",
      "0x1",
      "1f3",
      "1..2",
      "1e5.0",
      "infinit",
      "nano",
      "1n",
    ]) {
      expect(number(text), text).toBeUndefined();
    }
    expect(number("nAn")).toBeNaN();
    expect(number("-iNf")).toBe(Number.NEGATIVE_INFINITY);
  });

  it("are found anywhere in a long text", () => {
    const numbers = Array.from({ length: 20_000 }, (_, k) => Math.sin(k) * 10 ** ((k % 40) - 20));
    const text = numbers.join(" ");
    const reader = new DecimalReader(latin1(text));
    let at = 0;
    for (const value of numbers) {
      const end = at + String(value).length;
      expect(reader.number(at, end)).toBe(value);
      at = end + 1;
    }
  });
});

describe("text in messages", () => {
  it("stays on one line and leaves the terminal alone", () => {
    const hostile = fc.string({ unit: "binary", maxLength: 200 });
    fc.assert(
      fc.property(hostile, (text) => {
        expect(oneLine(text)).not.toMatch(/\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(quote(text).length).toBeLessThan(400);
      }),
    );
    expect(oneLine("a\nb\r\tc\u001b\u2028")).toBe("a\\nb\\r\\tc\\x1b\\u2028");
  });
});
