import { describe, expect, it } from "vitest";
import { spectralNorm, spectralNormBatch, valueAndGrad, valueAndGradBatch } from "../../src/index.js";
import { normalMatrix } from "../matrices.js";

describe("a batch of small matrices", () => {
  const shapes: [number, number, number][] = [
    [5, 8, 8],
    [7, 64, 128],
    [9, 128, 64],
    [3, 1, 17],
    [3, 17, 1],
    [4, 33, 31],
    [40, 64, 257],
  ];
  for (const Type of [Float32Array, Float64Array])
    for (const scale of [1, 2 ** 90, 2 ** -90])
      it.each(shapes)(`%i × (%i×%i), ${Type.name} · ${scale}: the bits of single calls`, (b, m, n) => {
        const size = m * n;
        const data = new Type(normalMatrix(b, size, 3).data.map((x) => x * scale));
        data.fill(0, size, 2 * size);
        const { values, grads } = valueAndGradBatch({ data, shape: [b, m, n] });
        const alone = spectralNormBatch({ data, shape: [b, m, n] });
        for (let k = 0; k < b; k++) {
          const A = { data: data.subarray(k * size, (k + 1) * size), shape: [m, n] };
          const { value, grad } = valueAndGrad(A);
          expect(values[k]).toBe(value);
          const part = grads.data.subarray(k * size, (k + 1) * size);
          expect(part.every((g, i) => g === grad.data[i])).toBe(true);
          expect(alone[k]).toBe(spectralNorm(A));
        }
        expect(values[1]).toBe(0);
      });
});
