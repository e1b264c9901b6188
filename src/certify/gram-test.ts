import { blockFor, choleskyHeight, type ProofKernels, sumHeight } from "../kernels/proof-contract.js";
import type { BlockedEntries } from "./blocked-entries.js";
import { excess, gamma, UNDERFLOW, UNIT, up } from "./rounding.js";

/** Upper bounds on the eigenvalues of M = P·Pᵀ, by floating-point Cholesky. */
export interface GramTest {
  /**
   * Tries to factor s·I − M + z·zᵀ. If that succeeds, returns an upper bound on the largest eigenvalue of M − z·zᵀ, which
   * bounds the largest eigenvalue of M if z = 0 and the second one for any z. The bound is s plus the rounding errors,
   * about s + `loss(s)`.
   */
  bound(s: number, z?: Float64Array): number | undefined;
  /** About how far `bound` is above s. */
  loss(s: number): number;
  /**
   * Estimates by how much s could have been smaller: the smallest eigenvalue of the matrix factored last, which must have
   * succeeded, minus the uncertainty of that eigenvalue. Not a bound.
   */
  slack(): number;
}

/** What is known of P beyond its entries; it makes the bounds closer. */
export interface GramStructure {
  /** Vectors whose outer products are taken out together for z; their sum of squares is counted. */
  deflations(z: Float64Array): readonly Float64Array[];
  /** not below the rounding error of the Gram matrix in norm */
  readonly gramError: number;
  /**
   * Not below the error of the factorization in norm.
   *
   * @param L - of order n, in groups of four rows, `padded` columns; the part above the diagonal is no part of it
   * @param block - of the sums, see `choleskyHeight`
   */
  factorError(L: Float64Array, n: number, padded: number, block: number): number;
  /** About that error, for a matrix with this trace. */
  expectedError(trace: number): number;
}

/** Chosen: steps of inverse iteration; `slack` subtracts what they leave open. */
const STEPS = 4;

/** Flops of the Gram matrix. */
export function gramCost(short: number, long: number): number {
  return short * short * long;
}

/** Flops of one test. */
export function testCost(short: number): number {
  return short ** 3 / 3 + 4 * short * short;
}

/**
 * Forms the Gram matrix, once for all tests.
 *
 * Cost: min²·max flops and 2·min² numbers of the proof's memory.
 * Source: Rump, BIT 46:433, 2006 and BIT 51:367, 2011, with heights of the sums as they are computed here instead of
 * their lengths; each inequality in docs/certificate.md.
 */
export function gramTest(
  { arena, routines }: ProofKernels,
  P: BlockedEntries,
  structure?: GramStructure,
): GramTest {
  const { groups, short: n } = P;
  const padded = 4 * groups;
  const g = arena.take(8 * padded * padded);
  const b = arena.take(8 * padded * padded);
  const G = arena.f64(g, padded * padded);
  G.fill(0);
  const sumBlock = blockFor(P.long);
  routines.gramOf(P.pointer, groups, P.long, sumBlock, g);
  // No `take` comes after this, so the view stays attached.
  const B = arena.f64(b, padded * padded);

  const block = blockFor(n);
  const factorError = excess(choleskyHeight(n, block));
  const height = sumHeight(P.long, sumBlock);
  /** Not below ‖|P|·|P|ᵀ‖₂, for its trace is ‖P‖_F². */
  const weight = up(P.frobenius * P.frobenius);
  const gramError = structure?.gramError ?? up(up(gamma(height) * weight) + UNDERFLOW);
  /** Not below ‖|G|‖₂. */
  const computedWeight = up(up(weight * up(1 + gamma(height))) + UNDERFLOW);

  /** B's lower triangle ← s·I − G + Σ z·zᵀ; the sum of its diagonal. */
  const form = (s: number, vectors: readonly Float64Array[]): number => {
    let trace = 0;
    for (let group = 0; group < groups; group++) {
      const row = 4 * group * padded;
      const end = row + 4 * (4 * group + 4);
      for (let k = row; k < end; k++) B[k] = -G[k];
      for (let i = 0; i < 4; i++) B[end - 16 + 5 * i] = 4 * group + i < n ? s - G[end - 16 + 5 * i] : 1;
      for (const z of vectors) {
        const [p, q, r, t] = z.subarray(4 * group, 4 * group + 4);
        for (let k = row, j = 0; k < end; k += 4, j++) {
          const w = z[j];
          B[k] += p * w;
          B[k + 1] += q * w;
          B[k + 2] += r * w;
          B[k + 3] += t * w;
        }
      }
      for (let i = 0; i < 4 && 4 * group + i < n; i++) trace += B[end - 16 + 5 * i];
    }
    return trace;
  };

  /** x ← (L·Lᵀ)⁻¹·x */
  const solve = (x: Float64Array): void => {
    for (let i = 0; i < n; i++) {
      const row = 4 * (i >> 2) * padded + (i & 3);
      let sum = x[i];
      for (let j = 0, k = row; j < i; j++, k += 4) sum -= B[k] * x[j];
      x[i] = sum / B[row + 4 * i];
    }
    for (let i = n - 1; i >= 0; i--) {
      const row = 4 * (i >> 2) * padded + (i & 3);
      x[i] /= B[row + 4 * i];
      for (let j = 0, k = row; j < i; j++, k += 4) x[j] -= B[k] * x[i];
    }
  };

  return {
    bound(s, vector) {
      const given = vector ? (structure?.deflations(vector) ?? [vector]) : [];
      const vectors = given.map((one) => {
        const z = new Float64Array(padded);
        z.set(one);
        return z;
      });
      const trace = form(s, vectors);
      if (!(trace > 0) || routines.choleskyOf(b, groups, block) === 0) return undefined;
      let lengthSquared = 0;
      for (const z of vectors) for (let i = 0; i < n; i++) lengthSquared += z[i] * z[i];
      const count = Math.max(1, vectors.length);
      lengthSquared = up(up(lengthSquared * up(1 + excess(count * n))) + UNDERFLOW);
      const formError = up(up(up(s + computedWeight) + lengthSquared) * ((count + 2) * UNIT));
      const cholesky =
        structure?.factorError(B, n, padded, block) ?? up(factorError * up(trace * up(1 + excess(n))));
      return up(up(up(up(s + cholesky) + formError) + gramError) + UNDERFLOW);
    },
    slack() {
      const x = Float64Array.from({ length: n }, (_, i) => 1 + Math.sin(i + 1) / 2);
      let growth = 0;
      let before = 0;
      for (let step = 0; step < STEPS; step++) {
        before = growth;
        solve(x);
        const length = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
        for (let i = 0; i < n; i++) x[i] /= length;
        growth = length;
      }
      const unsettled = Math.max(2 ** -20, 8 * (1 - before / growth));
      return (1 - unsettled) / growth;
    },
    loss(s) {
      const factor = structure?.expectedError(n * s) ?? factorError * n * s;
      return factor + 3 * UNIT * (s + computedWeight) + gramError;
    },
  };
}
