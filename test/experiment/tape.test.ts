import { expect, it } from "vitest";
import { groundTruth } from "../../src/experiment/ground-truth.js";
import { checkTapeTwice, tapeFits } from "../../src/experiment/methods/tape.js";

it("fits for the notebook's matrix, and not for ones of a million entries", () => {
  expect(tapeFits(64, 128)).toBe(true);
  expect(tapeFits(256, 256)).toBe(true);
  expect(tapeFits(1024, 1024)).toBe(false);
  expect(tapeFits(2048, 257)).toBe(false);
});

it("is refused before it is kept twice where it would not fit", () => {
  const { entries, rows, cols } = groundTruth(64, 128, 0);
  expect(() => checkTapeTwice({ data: entries, rows, cols })).not.toThrow();
  // σ₁ and σ₂ a percent apart take a thousand steps and more.
  const data = new Float64Array(300 * 300);
  for (let i = 0; i < 300; i++) data[i * 301] = i === 0 ? 1 : 0.99;
  expect(() => checkTapeTwice({ data, rows: 300, cols: 300 })).toThrow(
    /^differentiated twice, its \d+ steps take [\d.]+ GB$/,
  );
});
