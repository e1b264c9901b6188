import { describe, expect, it } from "vitest";
import { digitsAbove, digitsBelow } from "../../src/lipschitz/rounded-digits.js";
import { createRandom } from "../../src/numerics/random.js";

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** The number that is printed. */
function numberIn(text: string): number {
  const [mantissa, power] = text.split("\u202f×\u202f10");
  if (power === undefined) return Number(mantissa);
  const exponent = [...power].map((c) => (c === "⁻" ? "-" : SUPERSCRIPTS.indexOf(c))).join("");
  return Number(`${mantissa}e${exponent}`);
}

const random = createRandom(5);
const values = [
  1,
  0.1,
  1 / 3,
  2 / 3,
  9.9994,
  9.9996,
  9.99999,
  99999.5,
  999999,
  1e6,
  1e21,
  1e-4,
  9.9999e-5,
  123456789,
  1 + 2 ** -52,
  1 - 2 ** -53,
  2 - 2 ** -52,
  Number.MIN_VALUE,
  2 ** -1022,
  Number.MAX_VALUE / 2,
  ...Array.from({ length: 2000 }, () => Math.exp(80 * random.normal())),
];

describe("rounded digits", () => {
  it.each([3, 4, 6])("are not below, or not above, by less than a unit of the last of %i digits", (count) => {
    for (const value of values) {
      const [above, below] = [numberIn(digitsAbove(value, count)), numberIn(digitsBelow(value, count))];
      // A unit of the last digit is at most 10^(1−count) times the value; one digit more at a power of ten.
      const unit = value * 10 ** (1 - count) * (1 + 1e-12) + Number.MIN_VALUE;
      expect(above, String(value)).toBeGreaterThanOrEqual(value);
      expect(above - value, String(value)).toBeLessThanOrEqual(unit);
      expect(below, String(value)).toBeLessThanOrEqual(value);
      expect(value - below, String(value)).toBeLessThanOrEqual(unit);
    }
  });

  it("keep what has few digits as it is", () => {
    for (const value of [0, 1, 2.5, 0.125, 1e5, 30])
      expect([digitsAbove(value), digitsBelow(value)]).toEqual([String(value), String(value)]);
    expect(digitsAbove(1e12)).toBe("1\u202f×\u202f10¹²");
    expect(digitsAbove(2 ** -30, 3)).toBe("9.32\u202f×\u202f10⁻¹⁰");
  });
});
