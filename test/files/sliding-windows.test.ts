import { describe, expect, it } from "vitest";
import { averageBound, meanNorm, windowsOfEntry } from "../../src/files/sliding-windows.js";

describe("windows along an axis", () => {
  it("have bounds for an open length that hold for every length", () => {
    for (const taps of [1, 2, 3, 5])
      for (const stride of [1, 2, 3])
        for (const [before, after] of [
          [0, 0],
          [1, 0],
          [1, 2],
        ])
          for (const dilation of [1, 2])
            for (const automatic of ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
              for (const withPadding of [false, true])
                for (const [ceil, cuts] of [
                  [false, false],
                  [true, false],
                  [false, true],
                ]) {
                  const axis = { taps, stride, dilation, automatic, before, after, ceil, cuts };
                  const open = averageBound({ ...axis, length: "n" }, withPadding);
                  for (let n = 1; n <= 60; n++)
                    expect(averageBound({ ...axis, length: n }, withPadding)).toBeLessThanOrEqual(open);
                }
  });

  it("are counted for an entry", () => {
    for (const taps of [1, 2, 3, 4, 7])
      for (const stride of [1, 2, 3, 4])
        for (const dilation of [1, 2, 3, 6]) {
          const counts = new Map<number, number>();
          for (let i = 0; i < 60; i++)
            for (let a = 0; a < taps; a++) {
              const place = i * stride + a * dilation;
              counts.set(place, (counts.get(place) ?? 0) + 1);
            }
          expect(windowsOfEntry({ taps, stride, dilation })).toBe(Math.max(...counts.values()));
        }
  });
});

describe("the mean of all entries", () => {
  it("has the norm 1/√n, and no larger one where some lengths are open", () => {
    for (const n of [1, 2, 3, 7, 12, 49, 1e6]) {
      const { constant } = meanNorm([n]);
      expect(constant ** 2 * n).toBeGreaterThanOrEqual(1 - 2 ** -52);
      expect(constant ** 2 * n).toBeLessThan(1 + 2 ** -49);
      expect(meanNorm([n, "h"]).constant).toBe(constant);
    }
    expect(meanNorm(undefined)).toEqual({ constant: 1, how: "1/√n ≤ 1" });
    expect(meanNorm([2 ** 40, 2 ** 40]).constant).toBeGreaterThan(2 ** -40);
  });
});
