import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costOf, inShard } from "../../src/audit/shard.js";

const items = fc.array(
  fc.record({ key: fc.string({ maxLength: 3 }), cost: fc.integer({ min: 0, max: 1000 }) }),
  {
    maxLength: 40,
  },
);

describe("shards", () => {
  it("have every item once, together", () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 9 }), (all, count) => {
        const parts = Array.from({ length: count }, (_, k) => inShard(all, { index: k + 1, count }));
        all.forEach((_, i) => {
          expect(parts.filter((part) => part[i]).length).toBe(1);
        });
      }),
      { seed: 1 },
    );
  });

  it("do not depend on the order of the items", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          items.map((all) => all[0] ?? { key: "a", cost: 1 }),
          { selector: ({ key }) => key, maxLength: 20 },
        ),
        (all) => {
          const shard = { index: 2, count: 3 };
          const keysOf = (some: typeof all) =>
            some
              .filter((_, i) => inShard(some, shard)[i])
              .map(({ key }) => key)
              .sort();
          expect(keysOf([...all].reverse())).toEqual(keysOf(all));
        },
      ),
      { seed: 1 },
    );
  });

  it("cost much the same: the dearest no more than the mean and one item", () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 9 }), (all, count) => {
        const loads = Array.from({ length: count }, (_, k) => {
          const mine = inShard(all, { index: k + 1, count });
          return all.reduce((sum, { cost }, i) => sum + (mine[i] ? cost : 0), 0);
        });
        const mean = loads.reduce((a, b) => a + b, 0) / count;
        // The last item that the fullest was given was given to the least full.
        expect(Math.max(...loads)).toBeLessThanOrEqual(mean + Math.max(0, ...all.map(({ cost }) => cost)));
      }),
      { seed: 1 },
    );
  });
});

it("costs more the larger it is, and more with a proof", () => {
  expect(costOf(1000, 1000, false)).toBeGreaterThan(costOf(500, 1000, false));
  expect(costOf(1000, 500, false)).toBe(costOf(500, 1000, false));
  expect(costOf(500, 500, true)).toBeGreaterThan(costOf(500, 500, false));
});
