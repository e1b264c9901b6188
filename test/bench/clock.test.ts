import { describe, expect, it } from "vitest";
import { quotients, Turns } from "../../bench/clock.js";

/** A contender whose calls take so many milliseconds, by its own account. */
function taking(name: string, ms: number, order: string[] = []) {
  return {
    name,
    loaded: {
      time(loops: number) {
        order.push(name);
        return loops * ms;
      },
      answer: () => ({ sigmas: [] }),
    },
  };
}

const clock = { rounds: 4, budgetMs: 80, sampleMs: 10, warmUpMs: 0 };

describe("turns", () => {
  it("give each a sample a round, and skip rounds of what would exceed its budget", async () => {
    const turns = await Turns.of([taking("a", 1), taking("b", 40)], clock);
    await turns.takeAll();
    const times = turns.times();
    expect(times.get("a")?.samples).toEqual([1, 1, 1, 1]);
    expect(times.get("b")?.samples).toEqual([null, 40, 40, 40]);
    expect(times.get("a")?.loops).toBe(10);
  });

  it("has further rounds of some, which the others sit out", async () => {
    const order: string[] = [];
    const turns = await Turns.of([taking("a", 60, order), taking("b", 70), taking("c", 70, order)], clock);
    await turns.takeAll();
    order.length = 0;
    await turns.takeSome(["a", "c"], 5, 1000);
    expect(order).toEqual(["a", "c", "a", "c", "a", "c", "a", "c", "a", "c"]);
    const times = turns.times();
    expect(times.get("b")?.samples.length).toBeLessThanOrEqual(clock.rounds);
    expect(times.get("a")?.samples).toHaveLength(clock.rounds + 5);
    expect(times.get("a")?.samples.slice(clock.rounds)).toEqual([60, 60, 60, 60, 60]);
  });

  it("has as many further rounds as the budget allows, or none", async () => {
    const turns = await Turns.of([taking("a", 100), taking("b", 100)], clock);
    await turns.takeSome(["a", "b"], 5, 700);
    expect(turns.times().get("a")?.samples).toHaveLength(3);
    await turns.takeSome(["a", "b"], 5, 500);
    expect(turns.times().get("a")?.samples).toHaveLength(3);
  });

  it("are compared in the rounds that both took part in", () => {
    expect(quotients([1, null, 9, 8], [2, 3, 3])).toEqual([0.5, 3]);
  });
});
