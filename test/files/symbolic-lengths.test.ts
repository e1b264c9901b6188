import fc from "fast-check";
import { expect, it } from "vitest";
import { type AxisLength, fixedCount, SymbolicLengths } from "../../src/files/symbolic-lengths.js";

it("gives two lengths one text only if they are equal for every size", () => {
  const lengths = new SymbolicLengths();
  const names = ["a", "b"] as const;
  const expression = fc.letrec<{ e: (v: readonly number[]) => readonly [number | string, number] }>(
    (tie) => ({
      e: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(0, 1).map((k) => (v: readonly number[]) => [lengths.symbol(names[k]), v[k]] as const),
        fc.integer({ min: 1, max: 6 }).map((n) => () => [n, n] as const),
        fc.tuple(tie("e"), tie("e")).map(([f, g]) => (v: readonly number[]) => {
          const [[p, x], [q, y]] = [f(v), g(v)];
          return [lengths.plus(p, q), x + y] as const;
        }),
        fc.tuple(tie("e"), fc.integer({ min: -3, max: 3 })).map(([f, n]) => (v: readonly number[]) => {
          const [p, x] = f(v);
          return [lengths.times(p, n), x * n + 0] as const;
        }),
        fc.tuple(tie("e"), fc.integer({ min: 1, max: 4 })).map(([f, n]) => (v: readonly number[]) => {
          const [p, x] = f(v);
          return [lengths.floor(p, n), Math.floor(x / n)] as const;
        }),
      ),
    }),
  ).e;
  const seen = new Map<string | number, string>();
  const at = [
    [1, 1],
    [2, 7],
    [5, 3],
    [16, 9],
    [1000, 17],
  ];
  fc.assert(
    fc.property(expression, (e) => {
      const values = JSON.stringify(at.map((v) => e(v)[1]));
      const text = e(at[0])[0];
      if (typeof text === "number") for (const v of at) expect(e(v)[1]).toBe(text);
      expect(seen.get(text) ?? values).toBe(values);
      seen.set(text, values);
    }),
    { numRuns: 2000, seed: 18 },
  );
});

it("knows the lengths of branches that take other ways to the same one", () => {
  const lengths = new SymbolicLengths();
  const n = lengths.symbol("n");
  /** ⌈a/stride⌉ */
  const same = (a: AxisLength, stride: number) => lengths.floor(lengths.plus(a, stride - 1), stride);
  const windows = (a: AxisLength, reach: number, stride: number) => same(lengths.plus(a, 1 - reach), stride);
  expect(same(same(n, 2), 2)).toBe(same(n, 4));
  expect(windows(windows(n, 3, 1), 3, 1)).toBe(windows(n, 5, 1));
  expect(windows(lengths.plus(n, 2), 3, 2)).toBe(same(n, 2));
  expect(same(lengths.times(n, 4), 2)).toBe(lengths.times(n, 2));
  expect(lengths.times(same(n, 2), 2)).not.toBe(n);
  expect(lengths.over(lengths.times(n, 6), 3)).toBe(lengths.times(n, 2));
  expect(lengths.unknown()).not.toBe(lengths.unknown());
});

it("takes numbers that doubles need not be equal to as open lengths", () => {
  const lengths = new SymbolicLengths();
  const large = lengths.times(2 ** 40, 2 ** 20);
  expect(large).toBeTypeOf("string");
  expect(lengths.product([2 ** 20, 2 ** 40])).toBe(large);
  expect(lengths.plus(2 ** 53 - 1, 1)).toBeTypeOf("string");
  expect(lengths.plus(large, 1)).not.toBe(large);
  expect(fixedCount([2 ** 40, 2 ** 20])).toBeUndefined();
  expect(fixedCount([4, 5])).toBe(20);
  expect(fixedCount([4, "n"])).toBeUndefined();
});

it("gives texts that are too long a name of their own", () => {
  const lengths = new SymbolicLengths();
  let length = lengths.symbol("n");
  for (let k = 0; k < 100; k++) length = lengths.floor(lengths.plus(lengths.times(length, 3), 1), 2);
  expect(String(length).length).toBeLessThan(300);
});
