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
export function gramTest({ arena, routines }: ProofKernels, P: BlockedEntries): GramTest {
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
  const gramError = up(up(gamma(height) * weight) + UNDERFLOW);
  /** Not below ‖|G|‖₂. */
  const computedWeight = up(up(weight * up(1 + gamma(height))) + UNDERFLOW);

  /** B's lower triangle ← s·I − G + z·zᵀ; the sum of its diagonal. */
  const form = (s: number, z: Float64Array | undefined): number => {
    let trace = 0;
    for (let group = 0; group < groups; group++) {
      const row = 4 * group * padded;
      const end = row + 4 * (4 * group + 4);
      if (z) {
        const [p, q, r, t] = z.subarray(4 * group, 4 * group + 4);
        for (let k = row, j = 0; k < end; k += 4, j++) {
          const w = z[j];
          B[k] = p * w - G[k];
          B[k + 1] = q * w - G[k + 1];
          B[k + 2] = r * w - G[k + 2];
          B[k + 3] = t * w - G[k + 3];
        }
      } else for (let k = row; k < end; k++) B[k] = -G[k];
      for (let i = 0; i < 4; i++) {
        const k = end - 16 + 5 * i;
        const row4 = 4 * group + i;
        if (row4 >= n) B[k] = 1;
        else {
          B[k] = s - G[k] + (z ? z[row4] * z[row4] : 0);
          trace += B[k];
        }
      }
    }
    return trace;
  };

  /** x ← (L·Lᵀ)⁻¹·x, four rows at a time as they are stored; x has a number for each padded row. */
  const solve = (x: Float64Array): void => {
    for (let top = 0; top < padded; top += 4) {
      const row = top * padded;
      let [s0, s1, s2, s3] = x.subarray(top, top + 4);
      for (let j = 0, k = row; j < top; j++, k += 4) {
        s0 -= B[k] * x[j];
        s1 -= B[k + 1] * x[j];
        s2 -= B[k + 2] * x[j];
        s3 -= B[k + 3] * x[j];
      }
      x.set([s0, s1, s2, s3], top);
      for (let q = 0, k = row + 4 * top; q < 4; q++, k += 4) {
        x[top + q] /= B[k + q];
        for (let r = q + 1; r < 4; r++) x[top + r] -= B[k + r] * x[top + q];
      }
    }
    for (let top = padded - 4; top >= 0; top -= 4) {
      const row = top * padded;
      for (let q = 3, k = row + 4 * (top + 3); q >= 0; q--, k -= 4) {
        for (let r = q + 1; r < 4; r++) x[top + q] -= B[k + r] * x[top + r];
        x[top + q] /= B[k + q];
      }
      const [x0, x1, x2, x3] = x.subarray(top, top + 4);
      for (let j = 0, k = row; j < top; j++, k += 4)
        x[j] -= B[k] * x0 + B[k + 1] * x1 + B[k + 2] * x2 + B[k + 3] * x3;
    }
  };

  return {
    bound(s, vector) {
      const z = vector && new Float64Array(padded);
      z?.set(vector as Float64Array);
      const trace = form(s, z);
      if (!(trace > 0) || routines.choleskyOf(b, groups, block) === 0) return undefined;
      let lengthSquared = 0;
      if (z) for (let i = 0; i < n; i++) lengthSquared += z[i] * z[i];
      lengthSquared = up(up(lengthSquared * up(1 + excess(n))) + UNDERFLOW);
      const formError = up(up(up(s + computedWeight) + lengthSquared) * (3 * UNIT));
      const cholesky = up(factorError * up(trace * up(1 + excess(n))));
      return up(up(up(up(s + cholesky) + formError) + gramError) + UNDERFLOW);
    },
    slack() {
      // Padded rows are those of I.
      const x = Float64Array.from({ length: padded }, (_, i) => (i < n ? 1 + Math.sin(i + 1) / 2 : 0));
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
      return factorError * n * s + 3 * UNIT * (s + computedWeight) + gramError;
    },
  };
}
