import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const tests = fileURLToPath(new URL("..", import.meta.url));

/** Those that read the clock for other things than to judge by it. */
const ALLOWED = [
  // Draws a seed, and says how long it took.
  "fuzz/run.ts",
  // Saved models have a date.
  "tfjs/constraint-regularizer.test.ts",
  "tfjs/layers.test.ts",
];

// A test that measures time fails on a busy machine. What it means can be counted: passes, allocations, turns.
it("no test reads a clock", () => {
  const clock = /performance\.now\(|Date\.now\(|new Date\(\)|hrtime/;
  const found = readdirSync(tests, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.m?[jt]s$/.test(name) && !name.includes("node_modules"))
    .map((name) => relative(tests, join(tests, name)).replaceAll("\\", "/"))
    .filter((name) => !name.startsWith("fuzz/dist/") && clock.test(readFileSync(join(tests, name), "utf8")));
  expect(found.filter((name) => name !== "architecture/clock.test.ts").sort()).toEqual(ALLOWED);
});
