import { expect, it } from "vitest";
import { type AxisLength, AxisLengths, LengthError } from "../../src/files/keras-lengths.js";
import { normal } from "../tfjs/setup.js";

/** Operations on lengths, and what they are for numbers. */
type Step = readonly [kind: "windows" | "same" | "plus" | "times", a: number, b: number];

function applied(lengths: AxisLengths, from: AxisLength, steps: readonly Step[]): AxisLength {
  return steps.reduce<AxisLength>((length, [kind, a, b]) => {
    if (kind === "windows") return lengths.windows(length, a, b);
    if (kind === "same") return lengths.same(length, a);
    return kind === "plus" ? lengths.plus(length, a) : lengths.times(length, a);
  }, from);
}

it("gives two lengths one text only if they are equal for every size", () => {
  const numbers = normal(40_000, 3).map((x) => Math.abs(x * 1000));
  let at = 0;
  const draw = (n: number) => Math.floor(numbers[at++ % numbers.length]) % n;
  const made = Array.from({ length: 3000 }, (): Step[] =>
    Array.from({ length: 1 + draw(4) }, (): Step => {
      const kind = (["windows", "same", "plus", "times"] as const)[draw(4)];
      return [kind, kind === "plus" ? draw(7) - 3 : 1 + draw(3), 1 + draw(3)];
    }),
  );
  const lengths = new AxisLengths();
  const first = new Map<string, readonly Step[]>();
  let compared = 0;
  for (const steps of made) {
    const text = String(applied(lengths, "n", steps));
    const same = first.get(text);
    if (!same) first.set(text, steps);
    else if (JSON.stringify(same) !== JSON.stringify(steps)) {
      compared++;
      for (let n = 40; n < 90; n++) expect(applied(lengths, n, steps), text).toBe(applied(lengths, n, same));
    }
  }
  expect(compared).toBeGreaterThan(200);
});

it("knows the lengths of branches that take other ways to the same one", () => {
  const lengths = new AxisLengths();
  const n = "n";
  expect(lengths.same(lengths.same(n, 2), 2)).toBe(lengths.same(n, 4));
  expect(lengths.windows(lengths.windows(n, 3, 1), 3, 1)).toBe(lengths.windows(n, 5, 1));
  expect(lengths.windows(lengths.plus(n, 2), 3, 2)).toBe(lengths.same(n, 2));
  expect(lengths.same(lengths.times(n, 4), 2)).toBe(lengths.times(n, 2));
  expect(lengths.times(lengths.same(n, 2), 2)).not.toBe(n);
  expect(lengths.unknown()).not.toBe(lengths.unknown());
});

it("refuses lengths that no value has", () => {
  const lengths = new AxisLengths();
  expect(() => lengths.plus(3, -3)).toThrow(LengthError);
  expect(() => lengths.times(2 ** 40, 2 ** 20)).toThrow(LengthError);
  expect(() => lengths.product([2 ** 40, 2 ** 20])).toThrow(LengthError);
  expect(lengths.product([2, "n", 3])).toBe("6·n");
});

it("gives texts that are too long a name of their own", () => {
  const lengths = new AxisLengths();
  let length: AxisLength = "n";
  for (let k = 0; k < 100; k++) length = lengths.same(lengths.plus(length, 1), 2);
  expect(String(length).length).toBeLessThan(300);
});
