import { expect, it } from "vitest";
import { UniqueNames } from "../../src/files/unique-names.js";

it("gives every name once, whatever names are asked for", () => {
  const names = new UniqueNames();
  const asked = ["a", "a", "a #2", "a", "a #2", "b", "a #2 #2"];
  expect(asked.map((name) => names.unique(name))).toEqual([
    ...["a", "a #2", "a #2 #2", "a #3", "a #2 #3", "b", "a #2 #2 #2"],
  ]);
});

it("does not search again for numbers that are taken", () => {
  const names = new UniqueNames();
  const found = new Set(Array.from({ length: 50_000 }, () => names.unique("layer")));
  expect(found.size).toBe(50_000);
});
