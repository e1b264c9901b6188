/**
 * A stand-in for the core's `hessianVectorProduct` and `tripletVjp`: the same contract by a dense
 * solve in float64, O(mn·min(m, n)).
 */
import { TiedError } from "../matrix/errors.js";
import type { DenseMatrix, Matrix } from "../matrix/types.js";
import type { SingularTriplet } from "../solve/options.js";
import { combinationDerivative, type Decomposition, decompose } from "./singular-values.js";

type Dense = DenseMatrix<Float32Array>;

/** The derivative of u·vᵀ in the direction E. */
export function hessianVectorProduct(
  A: Dense,
  E: Dense,
  { triplet }: { triplet: SingularTriplet },
): Matrix<Float32Array> {
  refuseTies(triplet);
  const d = decomposition(A);
  const first = Float64Array.from(d.S, (_, i) => (i === 0 ? 1 : 0));
  const data = combinationDerivative(d, first, E.data.subarray(E.offset ?? 0));
  return { data: Float32Array.from(data), shape: [d.m, d.n] };
}

/** p·vᵀ + u·qᵀ + σ̄·u·vᵀ for the solution (p, q) of the bordered system, here diagonal in the SVD's basis. */
export function tripletVjp(
  A: Dense,
  triplet: SingularTriplet,
  bar: { sigma?: number; u?: ArrayLike<number>; v?: ArrayLike<number> },
): Matrix<Float32Array> {
  refuseTies(triplet);
  const d = decomposition(A);
  const { m, n, S, U, V } = d;
  const { u, v } = triplet;
  const uBar = Float64Array.from(bar.u ?? new Float64Array(m));
  const vBar = Float64Array.from(bar.v ?? new Float64Array(n));
  const [p, q] = [new Float64Array(m), new Float64Array(n)];
  for (let j = 0; j < S.length; j++) {
    const a = removed(uBar, U, S.length, j);
    const b = removed(vBar, V, S.length, j);
    if (j === 0) continue;
    const determinant = (S[0] - S[j]) * (S[0] + S[j]);
    for (let i = 0; i < m; i++) p[i] += ((S[0] * a + S[j] * b) / determinant) * U[i * S.length + j];
    for (let i = 0; i < n; i++) q[i] += ((S[j] * a + S[0] * b) / determinant) * V[i * S.length + j];
  }
  for (let i = 0; i < m; i++) p[i] += uBar[i] / S[0];
  for (let i = 0; i < n; i++) q[i] += vBar[i] / S[0];
  const sigma = bar.sigma ?? 0;
  const data = Float32Array.from(
    { length: m * n },
    (_, i) =>
      (sigma * u[Math.floor(i / n)] + p[Math.floor(i / n)]) * v[i % n] + u[Math.floor(i / n)] * q[i % n],
  );
  return { data, shape: [m, n] };
}

function decomposition(A: Dense): Decomposition {
  const [m, n] = A.shape as readonly [number, number];
  return decompose(A.data.subarray(A.offset ?? 0), 0, m, n);
}

function refuseTies({ tied }: SingularTriplet): void {
  if (tied) throw new TiedError("σ₁ is tied to working accuracy: u and v have no derivative there");
}

/** ⟨bⱼ, x⟩ for column j of B, which is taken out of x. */
function removed(x: Float64Array, B: Float64Array, k: number, j: number): number {
  let along = 0;
  for (let i = 0; i < x.length; i++) along += x[i] * B[i * k + j];
  for (let i = 0; i < x.length; i++) x[i] -= along * B[i * k + j];
  return along;
}
