import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { singularTriplet } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { floats, safetensors } from "../files/models.js";
import { answers } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "value-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = createRandom(3);
const normal = Float64Array.from({ length: 400 * 300 }, () => random.normal());
/** Two copies of the same numbers on the diagonal: every singular value twice. */
const twice = new Float64Array(400 * 300);
for (let i = 0; i < 200; i++)
  for (let j = 0; j < 150; j++)
    for (const k of [0, 1]) twice[(i + 200 * k) * 300 + j + 150 * k] = normal[i * 150 + j];

const path = join(folder, "m.safetensors");
writeFileSync(
  path,
  safetensors(
    (["F64", "F32"] as const).flatMap((dtype) => [
      { name: `${dtype}.normal`, dtype, shape: [400, 300], data: floats(dtype, normal) },
      { name: `${dtype}.twice`, dtype, shape: [400, 300], data: floats(dtype, twice) },
    ]),
  ),
);

it("stops when σ₁ is accurate, unless more is asked for", async () => {
  const { lines } = await answers([path]);
  const certified = await answers([path], { certify: true });
  const [line] = lines;
  const whole = singularTriplet({ data: normal, shape: [400, 300] });
  expect(line.passes).toBeLessThan(whole.passes);
  expect(certified.lines[0].passes).toBe(whole.passes);
  // To the rounding of a product in float64.
  expect(Math.abs(line.sigma / whole.sigma - 1)).toBeLessThan(1e-14);
  expect(line.converged).toBe(true);
  // Both errors are those of the vectors that it stopped with.
  expect(line.residual).toBeGreaterThan(whole.residual);
  expect(line.gradientError).toBeGreaterThan(whole.gradientError);
});

it("still tells a tie, in either type", async () => {
  const { lines, status } = await answers([path]);
  expect(status).toBe(0);
  expect(lines.map(({ tensor, tied }) => [tensor, tied])).toEqual([
    ["F64.normal", false],
    ["F64.twice", true],
    ["F32.normal", false],
    ["F32.twice", true],
  ]);
});
