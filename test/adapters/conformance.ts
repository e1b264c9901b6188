import { describe, expect, it } from "vitest";
import { CLOSED, inner, nuclear, TIED } from "../closed-forms.js";
import { fromEntries, normalMatrix, withSpectrum } from "../matrices.js";

type Shape = [number, number];

interface ValueAndGrad {
  value: number;
  grad: ArrayLike<number>;
}

/** What computes ‖A‖₂ with its gradient, whatever its arrays are: a kernel set, or an engine's adapter. */
export interface Implementation {
  name: string;
  /** the arithmetic's spacing at 1 */
  epsilon: number;
  valueAndGrad(data: Float64Array, shape: Shape): ValueAndGrad | Promise<ValueAndGrad>;
}

/** The promises that every implementation keeps, first derivatives only. */
export function conformance({ name, epsilon, valueAndGrad }: Implementation): void {
  const single = epsilon > 2 ** -40;
  const rounded = (data: Float64Array) => (single ? Float64Array.from(Float32Array.from(data)) : data);
  // As the README has them; a float32 σ comes back as a float32 number.
  const sigmaTolerance = single ? 1e-6 : 1e-13;
  const gradientTolerance = single ? 2e-6 : 1e-12;

  describe(name, () => {
    it.each(CLOSED)("$name", async ({ m, n, entry, sigma }) => {
      const { data } = fromEntries(m, n, entry);
      const { value, grad } = await valueAndGrad(data, [m, n]);
      expect(grad.length).toBe(m * n);
      expect(Math.abs(value / sigma - 1)).toBeLessThan(sigmaTolerance);
      expect(Math.abs(inner(grad, rounded(data)) / sigma - 1)).toBeLessThan(20 * epsilon + 2 * epsilon);
    });

    it.each(TIED)("tied: $name, a subgradient", async ({ m, n, entry, sigma }) => {
      const { data } = fromEntries(m, n, entry);
      const { value, grad } = await valueAndGrad(data, [m, n]);
      expect(Math.abs(value / sigma - 1)).toBeLessThan(sigmaTolerance);
      expect(Math.abs(inner(grad, rounded(data)) / sigma - 1)).toBeLessThan(22 * epsilon);
      if (m <= 30) expect(nuclear(grad, m, n)).toBeLessThan(1 + 20 * epsilon);
    });

    it.each<[string, (i: number) => number]>([
      ["simple", (i) => 1 / (1 + i)],
      ["graded", (i) => 0.9 ** i],
      ["gap 1e-3", (i) => (i === 0 ? 1 : i === 1 ? 0.999 : 0.9 - i / 1000)],
      ["tied below", (i) => (i === 0 ? 3 : 1)],
      ["rank one", (i) => (i === 0 ? 1 : 0)],
    ])("known gradient, %s", async (_, spectrum) => {
      for (const [m, n] of [
        [1, 5],
        [5, 1],
        [9, 7],
        [33, 65],
        [80, 70],
      ] as Shape[]) {
        const known = withSpectrum(m, n, spectrum, m + n);
        const gap = Math.min(m, n) > 1 ? (spectrum(0) - spectrum(1)) / spectrum(0) : 1;
        for (const scale of [1, 1e-12, 1e12]) {
          const { value, grad } = await valueAndGrad(
            known.data.map((x) => x * scale),
            [m, n],
          );
          expect(Math.abs(value / (scale * spectrum(0)) - 1)).toBeLessThan(sigmaTolerance);
          let square = 0;
          for (let i = 0; i < m; i++)
            for (let j = 0; j < n; j++) square += (grad[i * n + j] - known.u![i] * known.v![j]) ** 2;
          expect(Math.sqrt(square) * gap).toBeLessThan(gradientTolerance + (single ? 0 : 1e-14 * m * n));
        }
      }
    });

    it("the zero matrix: 0 and 0", async () => {
      for (const [m, n] of [
        [1, 1],
        [3, 2],
        [70, 66],
      ] as Shape[]) {
        const { value, grad } = await valueAndGrad(new Float64Array(m * n), [m, n]);
        expect(value).toBe(0);
        expect(Array.from(grad).every((x) => x === 0)).toBe(true);
      }
    });

    it("triangle inequality, and the gradient as a support: ‖B‖ ≥ ⟨G(A), B⟩", async () => {
      for (let seed = 0; seed < 12; seed++) {
        const [m, n] = [1 + (seed % 5), 1 + ((3 * seed) % 7)];
        const A = normalMatrix(m, n, 100 + seed).data;
        const B = normalMatrix(m, n, 200 + seed).data;
        const a = await valueAndGrad(A, [m, n]);
        const b = await valueAndGrad(B, [m, n]);
        const sum = await valueAndGrad(
          A.map((x, i) => x + B[i]),
          [m, n],
        );
        expect(sum.value).toBeLessThanOrEqual((a.value + b.value) * (1 + 20 * epsilon));
        expect(inner(a.grad, B)).toBeLessThanOrEqual(b.value * (1 + 20 * epsilon));
      }
    });
  });
}
