import { afterEach, expect, it, vi } from "vitest";
import { FrobeniusSum } from "../../src/audit/frobenius-sum.js";
import type { PanelType } from "../../src/matrix/types.js";
import { createRandom } from "../../src/numerics/random.js";
import { floats } from "../files/models.js";

const FORMATS = { float64: "F64", float32: "F32", float16: "F16", bfloat16: "BF16" } as const;
const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
} as const;

function normOf(dtype: PanelType, numbers: Float64Array, run: number): number {
  const all = new ARRAYS[dtype](floats(FORMATS[dtype], numbers).buffer);
  const sum = new FrobeniusSum(dtype);
  for (let first = 0; first < all.length; first += run) sum.add(all.subarray(first, first + run));
  return sum.total();
}

it("is exact to a few ε, in whatever runs the numbers come, at any scale that the type has", () => {
  const random = createRandom(5);
  // Small whole numbers times a power of two: exact in each type, and so are the sums of their squares.
  const whole = Float64Array.from({ length: 20_000 }, () => Math.round(8 * random.normal()));
  const exact = Math.sqrt(whole.reduce((sum, x) => sum + x * x, 0));
  const scales: Record<PanelType, readonly number[]> = {
    float64: [1, 2 ** 1000, 2 ** -1000, 2 ** -1030],
    float32: [1, 2 ** 120, 2 ** -120, 2 ** -149],
    float16: [1, 2 ** 9, 2 ** -24],
    bfloat16: [1, 2 ** 120, 2 ** -133],
  };
  for (const dtype of Object.keys(scales) as PanelType[])
    for (const scale of scales[dtype])
      for (const run of [20_000, 4097, 4096, 333, 1]) {
        if (run === 1 && scale !== 1) continue;
        const found = normOf(
          dtype,
          whole.map((x) => x * scale),
          run,
        );
        expect(Math.abs(found / scale / exact - 1)).toBeLessThan(8 * 2 ** -52);
      }
});

it("of zeros is zero", () => {
  for (const dtype of Object.keys(FORMATS) as PanelType[])
    expect(normOf(dtype, new Float64Array(7), 3)).toBe(0);
});

afterEach(() => void vi.unstubAllGlobals());

it("gives the same without WebAssembly, up to the order of the additions", async () => {
  const random = createRandom(6);
  const numbers = Float64Array.from({ length: 300_001 }, () => random.normal());
  const expected = (["float16", "bfloat16", "float32"] as const).map((dtype) =>
    normOf(dtype, numbers, 300_001),
  );
  vi.stubGlobal("WebAssembly", undefined);
  vi.resetModules();
  const { FrobeniusSum: Plain } = await import("../../src/audit/frobenius-sum.js");
  (["float16", "bfloat16", "float32"] as const).forEach((dtype, k) => {
    const sum = new Plain(dtype);
    sum.add(new ARRAYS[dtype](floats(FORMATS[dtype], numbers).buffer));
    expect(Math.abs(sum.total() / expected[k] - 1)).toBeLessThan(1e-13);
    expect(sum.total()).not.toBe(0);
  });
});
