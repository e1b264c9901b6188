import { expect, it } from "vitest";
import { experimentTables } from "../../src/cli/experiment-tables.js";
import { sampleResult } from "../experiment/sample-result.js";

const text = experimentTables(sampleResult);

it("has every row with its engine and dtype, and what is missing", () => {
  expect(text).toMatch(/power +core +float64 +1\.00e-8 +2\.00e-5 +2\.00e-3/);
  expect(text).toMatch(/matrixNorm +core +float64 +0 +2\.00e-16/);
  expect(text).toMatch(/unrolled +tfjs-wasm +float32 +920\.000 +900\.000 +950\.000 +3 × 1 +15,333/);
  expect(text).toContain("Not here: PyTorch: <how> to get it");
});

it("keeps its tables within 96 columns, without colours", () => {
  const rows = text.split("\n").filter((line) => line.startsWith("─") || line.startsWith("  "));
  expect(Math.max(...rows.map(({ length }) => length))).toBeLessThanOrEqual(96);
  expect(text).not.toContain("\u001b");
});
