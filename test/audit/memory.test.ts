import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createRandom } from "../../src/numerics/random.js";
import { floats, safetensors } from "../files/models.js";
import { npy, zip } from "../files/writers.js";
import { answers } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "memory-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = createRandom(1);
const normal = (count: number) => Float64Array.from({ length: count }, () => random.normal());

it("streams what is larger than --memory, of every type, to the same answer", async () => {
  const shapes = [
    [260, 130],
    [130, 260],
    [500, 40],
    [40, 500],
    [16, 8, 5, 5],
  ];
  const parts = (["F64", "F32", "F16", "BF16"] as const).flatMap((dtype) =>
    shapes.map((shape, k) => ({
      name: `${dtype}${k}`,
      dtype,
      shape,
      data: floats(dtype, normal(shape.reduce((a, b) => a * b))),
    })),
  );
  const path = join(folder, "m.safetensors");
  writeFileSync(path, safetensors(parts));
  const whole = await answers([path]);
  const streamed = await answers([path], { memory: 4000 });
  expect([streamed.status, streamed.stderr]).toEqual([0, ""]);
  streamed.lines.forEach((line, k) => {
    const { sigma, frobenius, dtype } = whole.lines[k];
    // To the type's rounding in the vectors, squared, and that of sums in float64.
    expect(Math.abs(line.sigma / sigma - 1)).toBeLessThan(dtype === "float64" ? 1e-13 : 1e-10);
    expect(Math.abs(line.frobenius / frobenius - 1)).toBeLessThan(1e-14);
    expect(line.converged).toBe(true);
  });
});

it("refuses a compressed member that is larger", async () => {
  const content = npy({ descr: "<f8", shape: [100, 10], data: new Uint8Array(normal(1000).buffer) });
  const path = join(folder, "m.npz");
  writeFileSync(
    path,
    zip([
      { name: "packed.npy", content, deflate: true },
      { name: "stored.npy", content },
    ]),
  );
  const { status, stderr, lines } = await answers([path], { memory: 4000 });
  expect(status).toBe(2);
  expect(stderr).toMatch(/"packed": is compressed .* 8000 bytes are more than the memory allowed/);
  expect(lines.map(({ tensor }) => tensor)).toEqual(["stored"]);
});
