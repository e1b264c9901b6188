import { spectralNorm } from "spectral-norm";
import { largestOverFrequencies, type Peak, type Response } from "../largest-over-frequencies.js";
import { solveComplex } from "./solve-complex.js";

/** The stable linear system x′ = A·x + B·w, y = C·x + D·w. */
export interface LinearSystem {
  readonly A: readonly (readonly number[])[];
  readonly B: readonly (readonly number[])[];
  readonly C: readonly (readonly number[])[];
  readonly D: readonly (readonly number[])[];
}

/** G(iω) = C·(iωI − A)⁻¹·B + D, and its derivative −i·C·(iωI − A)⁻²·B. */
export function responseOf({ A, B, C, D }: LinearSystem): Response {
  const n = A.length;
  const inputs = B[0].length;
  const outputs = C.length;
  const right = interleaved(B);
  return (omega) => {
    const M = interleaved(A).map((x) => -x);
    for (let i = 0; i < n; i++) M[2 * i * (n + 1) + 1] += omega;
    const X = solveComplex(M, right, n, inputs);
    const Y = solveComplex(M, X, n, inputs);
    const matrix = new Float64Array(2 * outputs * inputs);
    const slope = new Float64Array(2 * outputs * inputs);
    for (let i = 0; i < outputs; i++)
      for (let j = 0; j < inputs; j++) {
        const to = 2 * (i * inputs + j);
        matrix[to] = D[i][j];
        for (let k = 0; k < n; k++) {
          const from = 2 * (k * inputs + j);
          matrix[to] += C[i][k] * X[from];
          matrix[to + 1] += C[i][k] * X[from + 1];
          slope[to] += C[i][k] * Y[from + 1];
          slope[to + 1] -= C[i][k] * Y[from];
        }
      }
    const shape = [outputs, inputs] as const;
    return {
      matrix: { data: matrix, shape, dtype: "complex128" },
      slope: { data: slope, shape, dtype: "complex128" },
    };
  };
}

/**
 * The H∞ norm of a stable system: the largest factor by which it amplifies the energy of a signal, which is the largest
 * σ₁ of G(iω) over all frequencies. Of a real system ω ≥ 0 is enough. At ω = ∞ the response is D.
 *
 * @param range - lowest and highest frequency of a logarithmic grid, and its number of points. A resonance of damping ζ
 *   is found if neighbouring frequencies differ by less than about 2ζ, relatively
 */
export function hInfinityNorm(
  system: LinearSystem,
  { from = 1e-3, to = 1e3, points = 200, warm = true } = {},
): Peak {
  const ratio = (to / from) ** (1 / (points - 1));
  const grid = [0, ...Array.from({ length: points }, (_, k) => from * ratio ** k)];
  const peak = largestOverFrequencies(responseOf(system), grid, warm);
  const atInfinity = spectralNorm(system.D);
  return atInfinity > peak.sigma ? { ...peak, sigma: atInfinity, omega: Number.POSITIVE_INFINITY } : peak;
}

/** A real matrix as a complex one. */
function interleaved(rows: readonly (readonly number[])[]): Float64Array {
  return Float64Array.from(rows.flatMap((row) => row.flatMap((x) => [x, 0])));
}
