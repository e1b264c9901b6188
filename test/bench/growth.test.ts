import { describe, expect, it } from "vitest";
import { fitPower } from "../../bench/growth.js";

describe("fitPower", () => {
  it("finds the exponent and the factor of an exact power", () => {
    const fit = fitPower([256, 512, 1024, 4096].map((n) => ({ n, t: 3e-6 * n ** 2.25 })));
    // Logarithms of numbers up to 1e4 are rounded at 1e-15, divided by a spread of about 1.
    expect(fit?.exponent).toBeCloseTo(2.25, 12);
    expect(fit && fit.factor / 3e-6).toBeCloseTo(1, 10);
  });

  it("weighs a deviation up as one down", () => {
    const fit = fitPower([
      { n: 1, t: 2 },
      { n: 2, t: 2 },
      { n: 2, t: 8 },
      { n: 4, t: 8 },
    ]);
    // log t against log n, in base 2: (0, 1), (1, 1), (1, 3), (2, 3), whose best line is 1 + x.
    expect(fit?.exponent).toBeCloseTo(1, 12);
    expect(fit?.factor).toBeCloseTo(2, 12);
  });

  it("has none of one size", () => {
    expect(fitPower([{ n: 256, t: 1 }])).toBeUndefined();
    expect(fitPower([])).toBeUndefined();
  });
});
