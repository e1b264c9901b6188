import type { BlockedEntries } from "../certify/blocked-entries.js";
import type { GramStructure } from "../certify/gram-test.js";
import { excess, gamma, UNDERFLOW, up } from "../certify/rounding.js";
import { blockFor, type ProofKernels } from "../kernels/proof-contract.js";
import { blockedNumbers } from "./complex-entries.js";

/**
 * Of an error with |E| ≤ f·fᵀ, entry by entry, what remains in norm if E is replaced by the mean of E and JᵀEJ, J being
 * the multiplication by i. Only the mean matters for the eigenvalues of a real form.
 */
const MEAN = up(Math.SQRT1_2);

/**
 * What makes the Cholesky test of a real form as close as that of a real matrix of the same size: errors count with
 * their mean over multiplication by i, and each column with the roundings that its own products pass through, instead
 * of the most that any passes through.
 *
 * Source: docs/certificate.md, "Complex matrices".
 */
export function realFormStructure(kernels: ProofKernels, P: BlockedEntries): GramStructure {
  return {
    deflations: (z) => [z, timesI(z)],
    gramError: gramErrorOf(kernels, P),
    factorError,
    // Most of a factor is on its diagonal, where the height is that of `ownHeight`, on average over the blocks.
    expectedError: (trace) => MEAN * gamma(P.short / blockFor(P.short) / 2 + 5) * trace,
  };
}

/** i·z */
function timesI(z: Float64Array): Float64Array {
  const out = new Float64Array(z.length);
  for (let k = 0; k < z.length; k += 2) {
    out[k] = -z[k + 1];
    out[k + 1] = z[k];
  }
  return out;
}

/** Not below √½·Σₖ γₕ·‖column k‖², h being the most roundings of a product of that column. */
function gramErrorOf(kernels: ProofKernels, P: BlockedEntries): number {
  const { groups, long } = P;
  const numbers = blockedNumbers(kernels, P);
  // Columns 2j and 2j + 1 are as long as each other.
  const squares = new Float64Array(long / 2);
  for (let g = 0; g < groups; g++)
    for (let j = 0, k = 4 * g * long; 2 * j < long; j++, k += 8)
      squares[j] += numbers[k] ** 2 + numbers[k + 1] ** 2 + (numbers[k + 2] ** 2 + numbers[k + 3] ** 2);
  const block = blockFor(long);
  let total = 0;
  for (let k = 0; k < long; k++) total = up(total + up(gamma(gramHeight(k, long, block)) * squares[k >> 1]));
  return up(up(MEAN * up(total * up(1 + excess(groups + 3)))) + UNDERFLOW);
}

/** Roundings of a product of column k in `gramOf`: its own, additions in its block, additions of the blocks' sums. */
export function gramHeight(k: number, columns: number, block: number): number {
  const q = Math.floor(k / block);
  const blocks = Math.ceil(columns / block);
  return inBlock(k, columns, block) + blocks - Math.max(q, 1);
}

/** Roundings of a product before it is a part of its block's sum. The first addition of a sum is to 0, and exact. */
function inBlock(k: number, columns: number, block: number): number {
  const p = k % block;
  return 1 + Math.min(block, columns - (k - p)) - Math.max(p, 1);
}

/** Roundings in `choleskyOf` of a product of column k where the entry is in another group of four columns. */
export function otherHeight(k: number, n: number, block: number): number {
  return inBlock(k, n, block) + Math.floor(k / block);
}

/** The same where the entry is in the same group: the factor's diagonal, and at most three single products. */
export function ownHeight(k: number, block: number): number {
  return Math.ceil((k - (k % 4)) / block) + 5;
}

/** Not below √½·Σₖ (γ of its own height·‖rows of its group‖² + γ of the larger height·‖rows below‖²), for column k of L. */
export function factorError(L: Float64Array, n: number, padded: number, block: number): number {
  const own = new Float64Array(n);
  const below = new Float64Array(n);
  for (let first = 0; first < n; first += 4) {
    const row = first * padded;
    for (let k = 0, at = row; k < first; k++, at += 4)
      below[k] += L[at] ** 2 + L[at + 1] ** 2 + (L[at + 2] ** 2 + L[at + 3] ** 2);
    for (let k = first; k < Math.min(first + 4, n); k++)
      for (let i = k; i < Math.min(first + 4, n); i++) own[k] += L[row + 4 * k + i - first] ** 2;
  }
  let total = 0;
  for (let k = 0; k < n; k++) {
    const height = ownHeight(k, block);
    total = up(total + up(gamma(height) * own[k]));
    total = up(total + up(gamma(Math.max(height, otherHeight(k, n, block))) * below[k]));
  }
  return up(MEAN * up(total * up(1 + excess(n / 4 + 4))));
}
