import { expect, it } from "vitest";
import { experimentTables } from "../../src/cli/experiment-tables.js";
import { sampleResult } from "../experiment/sample-result.js";

const text = experimentTables(sampleResult, 120);

it("has every row with its engine and dtype, and what is missing", () => {
  expect(text).toMatch(/power +core +float64 +1\.00e-8 +2\.00e-5 +2\.00e-3 +below by 1\.0e-8$/m);
  expect(text).toMatch(/matrixNorm +core +float64 +0 +2\.00e-16 +8\.00e-16 +inside$/m);
  expect(text).toMatch(/unrolled +tfjs-wasm +float32 +920\.000 +900\.000 +950\.000 +3 × 1 +15,333/);
  expect(text).toContain("Not here: PyTorch: <how> to get it");
});

it("has the proven interval of each dtype", () => {
  const { lower, upper } = sampleResult.certificate.float64;
  expect(text).toContain(
    `\nfloat64  [${lower}, ${upper}], relative width 3.33e-14; gradient within 5.00e-15\n`,
  );
});

it("has every second derivative with its error or the word for it, and why in notes", () => {
  expect(text).toMatch(/hessianVectorProduct +core +float64 +2\.00e-13 +0$/m);
  expect(text).toMatch(/power \[1\] +core +float64 +none +none$/m);
  expect(text).toMatch(/unrolled +tfjs-wasm +float32 +4\.00e-5 +silently wrong 1\.2$/m);
  expect(text).toMatch(/norm +pytorch +float64 +1\.00e-13 +NaN$/m);
  expect(text).toMatch(/SpectralNorm \[3\] +pytorch +float64 +silently wrong 1 +silently wrong 1$/m);
  expect(text).toContain("\n[1] numbers <only>\n[2] throws: once\n[3] alone it throws\n");
  expect(text).toContain("own error is about 8.00e-13 and 2.00e-13");
});

it("has no colours", () => {
  expect(text).not.toContain("\u001b");
});
