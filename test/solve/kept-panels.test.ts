import { describe, expect, it } from "vitest";
import { withKernelBudget } from "../../src/kernels/budget.js";
import { NonFiniteError, OptionError } from "../../src/matrix/errors.js";
import { rowPanels } from "../../src/matrix/row-panels.js";
import type { PanelData, PanelType } from "../../src/matrix/types.js";
import { createRandom } from "../../src/numerics/random.js";
import { singularTriplet, spectralNorm } from "../../src/solve/triplet.js";
import { floats } from "../files/models.js";

const FORMATS = { float64: "F64", float32: "F32", float16: "F16", bfloat16: "BF16" } as const;
const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
} as const;

function numbers(dtype: PanelType, count: number, scale = 1): PanelData {
  const random = createRandom(count);
  const values = Float64Array.from({ length: count }, () => scale * random.normal());
  return new ARRAYS[dtype](floats(FORMATS[dtype], values).buffer) as PanelData;
}

function source(data: PanelData, [m, n]: readonly [number, number], dtype: PanelType, panelRows?: number) {
  const read = { rows: 0 };
  const A = rowPanels({
    shape: [m, n],
    dtype,
    keep: true,
    panelRows,
    rows(first, count) {
      read.rows += count;
      return data.slice(first * n, (first + count) * n) as PanelData;
    },
  });
  return { A, read };
}

const shapes = [
  [300, 130],
  [130, 300],
  [129, 131],
  [1, 500],
  [500, 1],
  [1, 1],
  [3, 4],
  [700, 20],
  [20, 700],
  [90, 9],
  // Long enough for its Gram matrix to be iterated on.
  [6000, 70],
  [70, 6000],
] as const;

describe("a source of row panels that may be kept", () => {
  it.each(shapes)("of %i×%i is read once, and gives the bits of the matrix in memory", (m, n) => {
    for (const dtype of Object.keys(FORMATS) as PanelType[])
      for (const scale of dtype === "float16" ? [1] : [1, 1e30]) {
        const data = numbers(dtype, m * n, scale);
        const half = dtype === "float16" || dtype === "bfloat16" ? { dtype } : {};
        const whole = { data, shape: [m, n] as const, ...half } as Parameters<typeof singularTriplet>[0];
        for (const panelRows of [undefined, 7]) {
          const { A, read } = source(data, [m, n], dtype, panelRows);
          expect(singularTriplet(A)).toEqual(singularTriplet(whole));
          expect(read.rows).toBe(m);
          expect(spectralNorm(A)).toBe(spectralNorm(whole));
        }
      }
  });

  it("is streamed where it does not fit", () => {
    const data = numbers("float32", 400 * 300);
    const { A, read } = source(data, [400, 300], "float32");
    const whole = singularTriplet({ data: data as Float32Array, shape: [400, 300] });
    const streamed = withKernelBudget(1_000_000, () => singularTriplet(A));
    expect(read.rows).toBe(400 * streamed.passes);
    expect(Math.abs(streamed.sigma / whole.sigma - 1)).toBeLessThan(1e-6);
  });

  it.each([
    [300, 100],
    [100, 300],
    [4, 9],
  ])("of %i×%i says where a NaN is", (m, n) => {
    for (const dtype of ["float32", "bfloat16"] as const) {
      const data = numbers(dtype, m * n);
      data[(m - 1) * n + 2] = dtype === "float32" ? Number.NaN : 0x7fc0;
      let error: unknown;
      try {
        singularTriplet(source(data, [m, n], dtype).A);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(NonFiniteError);
      expect(error).toMatchObject({ row: m - 1, column: 2 });
    }
  });

  it("takes true or false", () => {
    const bad = { shape: [2, 2], dtype: "float64", keep: 1, rows: () => new Float64Array(4) };
    expect(() => singularTriplet(bad as never)).toThrow(OptionError);
  });
});
