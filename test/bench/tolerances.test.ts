import { describe, expect, test } from "vitest";
import { loosestPlaces, TOLERANCES } from "../../bench/tolerances.js";
import { createRandom } from "../../src/numerics/random.js";

test("tolerances descend by steps of two or two and a half", () => {
  for (let i = 1; i < TOLERANCES.length; i++) {
    const step = TOLERANCES[i - 1] / TOLERANCES[i];
    expect(Math.min(Math.abs(step - 2), Math.abs(step - 2.5))).toBeLessThan(1e-12);
  }
  // From far looser than any rival to the precision of float64.
  expect(TOLERANCES[0]).toBe(0.05);
  expect(TOLERANCES.at(-1)).toBe(1e-13);
});

describe("the loosest tolerance that is as accurate as a bound", () => {
  const counted = (errors: readonly number[]) => {
    const calls: number[] = [];
    const errorAt = async (place: number) => {
      calls.push(place);
      return errors[place];
    };
    return { calls, errorAt };
  };

  test("is found for each bound, and no error is computed twice", async () => {
    const errors = Array.from({ length: 36 }, (_, i) => 2 ** -i);
    for (let first = 0; first < 36; first++) {
      const { calls, errorAt } = counted(errors);
      const bounds = [2 ** -first, 2 ** -20, 2 ** -first];
      expect(await loosestPlaces(bounds, 36, errorAt)).toEqual(new Set([first, 20]));
      expect(new Set(calls).size).toBe(calls.length);
      // Bisections of 36 places.
      expect(calls.length).toBeLessThanOrEqual(12);
    }
  });

  test("is none where no tolerance is as accurate, or there is none", async () => {
    const { errorAt } = counted([1e-1, 1e-2, 1e-3]);
    expect(await loosestPlaces([1e-4, Number.NaN], 3, errorAt)).toEqual(new Set());
    expect(await loosestPlaces([1], 0, errorAt)).toEqual(new Set());
  });

  test("is as accurate even if errors do not fall everywhere", async () => {
    const random = createRandom(3);
    for (let trial = 0; trial < 200; trial++) {
      const errors = Array.from({ length: 30 }, (_, i) => 2 ** (-i + 4 * random.normal()));
      const bound = 2 ** (-30 * random.uniform());
      for (const place of await loosestPlaces([bound], 30, counted(errors).errorAt))
        expect(errors[place]).toBeLessThanOrEqual(bound);
    }
  });
});
