import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type SafetensorsPart, safetensors } from "../files/models.js";
import { fourBits, gptq, mlx, nvfp4, packQuantized, type Quantized } from "../files/quantized-weights.js";
import { denseNorms, f32, positive, range } from "../files/safetensors-parts.js";
import { answers } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "quantized-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, parts: readonly SafetensorsPart[]): string {
  const path = join(folder, name);
  writeFileSync(path, safetensors(parts));
  return path;
}

describe("the audit of quantized weights", () => {
  const weights: Readonly<Record<string, Quantized>> = {
    "nf4.weight": fourBits("nf4.weight", [30, 50], { nested: true }),
    "fp4.weight": fourBits("fp4.weight", [24, 64], { type: "fp4", dtype: "BF16" }),
    "nv.weight": nvfp4("nv", 20, 48),
    "mlx.weight": mlx("mlx", { shape: [30, 128] }),
    "c4.weight_packed": packQuantized("c4.", { rows: 21, zeros: "packed" }),
    "c8.weight_packed": packQuantized("c8.", { rows: 40, cols: 32, bits: 8, group: 32 }),
    "gptq.qweight": gptq("gptq", { inputs: 64, outputs: 40, groups: 4 }),
    "ordered.qweight": gptq("ordered", {
      ...{ inputs: 48, outputs: 56, groups: 3 },
      order: range(48).map((i) => (i * 7) % 3),
    }),
    "eight.qweight": gptq("eight", { inputs: 32, outputs: 128, groups: 2, bits: 8 }),
    "two.qweight": gptq("two", { inputs: 64, outputs: 32, groups: 2, bits: 2 }),
    "awq.qweight": gptq("awq", { inputs: 60, outputs: 48, groups: 5, awq: true }),
  };

  it.each([
    ["whole", {}],
    ["a few rows at a time", { memory: 4000 }],
  ])("has the norms of what the network uses, read %s", async (_how, flags) => {
    writeFileSync(join(folder, "config.json"), '{"quantization":{"bits":4,"group_size":64}}');
    const path = write(
      "m.safetensors",
      Object.values(weights).flatMap(({ parts }) => parts),
    );
    const { status, lines, stderr } = await answers([path], flags);
    expect([status, stderr]).toEqual([0, ""]);
    expect(lines.map(({ tensor }) => tensor)).toEqual(Object.keys(weights));
    for (const line of lines) {
      const { numbers, shape } = weights[line.tensor];
      const { sigma, frobenius } = denseNorms(numbers, shape[0]);
      expect(line).toMatchObject({
        shape,
        rows: shape[0],
        cols: shape[1],
        dtype: "float32",
        converged: true,
      });
      expect(Math.abs(line.sigma / sigma - 1), line.tensor).toBeLessThan(1e-6);
      expect(Math.abs(line.frobenius / frobenius - 1), line.tensor).toBeLessThan(1e-6);
    }
  });

  it("says in a line a reason what is no weight", async () => {
    const matrix = (name: string) => f32(name, [2, 3], positive(6));
    const path = write(
      "trained.safetensors",
      [
        ...["layer.weight", "ema.layer.weight", "optimizer.state.0.exp_avg", "optimizer.state.0.exp_avg_sq"],
        ...["experts.gate_up_proj_bias", "attn.q_norm.weight", "layer.weight.grad"],
      ].map(matrix),
    );
    const { status, lines, stderr } = await answers([path]);
    expect(status).toBe(0);
    expect(lines.map(({ tensor }) => tensor)).toEqual(["layer.weight"]);
    for (const line of [
      /1 tensor left out: a moving average of another tensor/,
      /2 tensors left out: what an optimizer keeps/,
      /1 tensor left out: a bias/,
      /1 tensor left out: belongs to a normalization/,
      /1 tensor left out: a gradient/,
    ])
      expect(stderr).toMatch(line);
  });

  it("is a fault where nothing but an optimizer's tensors is there", async () => {
    const path = write("optimizer.safetensors", [f32("state.0.exp_avg", [2, 3], positive(6))]);
    const { status, lines, stderr } = await answers([path]);
    expect([status, lines.length]).toEqual([2, 0]);
    expect(stderr).toMatch(/holds no weight matrix: "state.0.exp_avg" is what an optimizer keeps/);
  });
});
