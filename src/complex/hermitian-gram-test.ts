import type { BlockedEntries } from "../certify/blocked-entries.js";
import type { GramTest } from "../certify/gram-test.js";
import { excess, gamma, UNDERFLOW, UNIT, up } from "../certify/rounding.js";
import type { HermitianKernels } from "../kernels/hermitian-contract.js";
import { blockFor } from "../kernels/proof-contract.js";
import { blockedNumbers } from "./complex-entries.js";

/** Not below √2: both parts of an error may be at their bound. */
const BOTH_PARTS = up(Math.SQRT2);

/** Chosen: steps of inverse iteration; `slack` subtracts what they leave open. */
const STEPS = 4;

/** Flops of the Gram matrix of P, short×long. */
export function hermitianGramCost(short: number, long: number): number {
  return 4 * short * short * long;
}

/** Flops of one test: the factorization, forming the matrix, and the lengths of the factor's columns. */
export function hermitianTestCost(short: number): number {
  return (4 * short ** 3) / 3 + 16 * short * short;
}

/** Bytes that the tests need, those of P with them. */
export function hermitianBytes(short: number, long: number): number {
  return 16 * (short + 4) * (long + 2 * (short + 4) + 4);
}

/**
 * `gramTest` for a complex matrix: M = P·Pᴴ, and z·zᴴ is taken out. Each column counts with the roundings that its own
 * products pass through instead of the most that any passes through, so that the bound is as close as that of a real
 * matrix, in spite of sums that are twice as long.
 *
 * Cost: 4·min²·max flops and 4·min² numbers of the proof's memory.
 * Source: docs/certificate.md, "Complex matrices".
 *
 * @param P - interleaved rows
 */
export function hermitianGramTest(kernels: HermitianKernels, P: BlockedEntries): GramTest {
  const { arena, routines } = kernels;
  const { groups, short: n, long: columns } = P;
  const padded = 4 * groups;
  const width = 2 * padded;
  const sumBlock = blockFor(columns);
  const g = arena.take(8 * padded * width);
  const b = arena.take(8 * padded * width);
  const scratch = arena.take(32 * Math.max(width, 8 * Math.min(sumBlock, columns)));
  const G = arena.f64(g, padded * width);
  G.fill(0);
  routines.hermitianGramOf(P.pointer, groups, columns, sumBlock, g, scratch);
  // No `take` comes after this, so the view stays attached.
  const B = arena.f64(b, padded * width);

  const block = blockFor(2 * n);
  const gramError = gramErrorOf(blockedNumbers(kernels, P), groups, columns, sumBlock);
  /** Not below the norm of the magnitudes of G. */
  const computedWeight = up(up(up(P.frobenius * P.frobenius) + gramError) + UNDERFLOW);

  /** B's lower triangle ← s·I − G + z·zᴴ; the sum of its diagonal. */
  const form = (s: number, z: Float64Array | undefined): number => {
    let trace = 0;
    for (let i = 0; i < padded; i++) {
      const row = 4 * (i >> 2) * width + (i & 3);
      const [a, b] = z ? [z[2 * i], z[2 * i + 1]] : [0, 0];
      for (let j = 0, k = row; j < i; j++, k += 8) {
        const [c, d] = z ? [z[2 * j], z[2 * j + 1]] : [0, 0];
        B[k] = a * c + b * d - G[k];
        B[k + 4] = b * c - a * d - G[k + 4];
      }
      const at = row + 8 * i;
      B[at] = i < n ? s - G[at] + (a * a + b * b) : 1;
      B[at + 4] = 0;
      if (i < n) trace += B[at];
    }
    return trace;
  };

  return {
    bound(s, vector) {
      let z: Float64Array | undefined;
      let lengthSquared = 0;
      if (vector) {
        z = new Float64Array(width);
        z.set(vector);
        for (const value of z) lengthSquared += value * value;
        lengthSquared = up(up(lengthSquared * up(1 + excess(2 * n))) + UNDERFLOW);
      }
      const trace = form(s, z);
      if (!(trace > 0) || routines.hermitianCholeskyOf(b, groups, block, scratch) === 0) return undefined;
      const formError = up(up(up(s + computedWeight) * (3 * UNIT)) + up(lengthSquared * (5 * UNIT)));
      const cholesky = factorErrorOf(B, n, padded, block);
      return up(up(up(up(s + cholesky) + formError) + gramError) + UNDERFLOW);
    },
    slack() {
      const x = Float64Array.from({ length: 2 * n }, (_, i) => 1 + Math.sin(i + 1) / 2);
      let growth = 0;
      let before = 0;
      for (let step = 0; step < STEPS; step++) {
        before = growth;
        solveHermitian(B, n, width, x);
        growth = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
        for (let i = 0; i < x.length; i++) x[i] /= growth;
      }
      const unsettled = Math.max(2 ** -20, 8 * (1 - before / growth));
      return (1 - unsettled) / growth;
    },
    loss(s) {
      // Most of a factor is on its diagonal, where the height is that of `ownHeight`, half its largest on average.
      const expected = gamma(Math.ceil(n / block) + 4) * n * s;
      return expected + 3 * UNIT * (s + computedWeight) + gramError;
    },
  };
}

/** x ← (L·Lᴴ)⁻¹·x for n interleaved numbers and the factor that `hermitianCholeskyOf` left, `width` numbers a row. */
export function solveHermitian(L: Float64Array, n: number, width: number, x: Float64Array): void {
  for (let i = 0; i < n; i++) {
    const row = 4 * (i >> 2) * width + (i & 3);
    let [re, im] = [x[2 * i], x[2 * i + 1]];
    for (let j = 0, k = row; j < i; j++, k += 8) {
      re -= L[k] * x[2 * j] - L[k + 4] * x[2 * j + 1];
      im -= L[k] * x[2 * j + 1] + L[k + 4] * x[2 * j];
    }
    x[2 * i] = re / L[row + 8 * i];
    x[2 * i + 1] = im / L[row + 8 * i];
  }
  for (let i = n - 1; i >= 0; i--) {
    const row = 4 * (i >> 2) * width + (i & 3);
    const re = x[2 * i] / L[row + 8 * i];
    const im = x[2 * i + 1] / L[row + 8 * i];
    x[2 * i] = re;
    x[2 * i + 1] = im;
    for (let j = 0, k = row; j < i; j++, k += 8) {
      x[2 * j] -= L[k] * re + L[k + 4] * im;
      x[2 * j + 1] -= L[k] * im - L[k + 4] * re;
    }
  }
}

/** Not below √2·Σⱼ γₕ·‖column j‖², h being the roundings of a product of that column in the Gram matrix. */
function gramErrorOf(numbers: Float64Array, groups: number, columns: number, block: number): number {
  const squares = new Float64Array(columns);
  for (let g = 0, at = 0; g < groups; g++)
    for (let k = 0; k < columns; k++, at += 4)
      squares[k] += numbers[at] ** 2 + numbers[at + 1] ** 2 + (numbers[at + 2] ** 2 + numbers[at + 3] ** 2);
  let total = 0;
  for (let k = 0; k < columns; k++)
    total = up(total + up(gamma(gramHeight(k - (k % 2), columns, block)) * squares[k]));
  return up(up(BOTH_PARTS * up(total * up(1 + excess(groups + 2)))) + UNDERFLOW);
}

/** Roundings of a product of column k in `hermitianGramOf`: its own, additions in its block, additions of the blocks' sums. */
export function gramHeight(k: number, columns: number, block: number): number {
  const blocks = Math.ceil(columns / block);
  return inBlock(k, columns, block) + blocks - Math.max(Math.floor(k / block), 1);
}

/** Roundings of a product before its block's sum is complete. The first addition of a sum is to 0, and exact. */
function inBlock(k: number, columns: number, block: number): number {
  const p = k % block;
  return 1 + Math.min(block, columns - (k - p)) - Math.max(p, 1);
}

/** Roundings in `hermitianCholeskyOf` of a product of complex column k, for entries in other groups of two columns. */
export function otherHeight(k: number, n: number, block: number): number {
  return inBlock(2 * k, 2 * n, block) + Math.floor((2 * k) / block);
}

/** The same for entries in the same group. */
export function ownHeight(k: number, block: number): number {
  return Math.ceil((4 * (k >> 1)) / block) + 4;
}

/** Not below Σₖ (γ of its own height·lₖₖ² + √2·γ of the larger height·‖the rest of column k‖²). */
export function factorErrorOf(L: Float64Array, n: number, padded: number, block: number): number {
  const below = new Float64Array(padded);
  const width = 2 * padded;
  for (let first = 0; first < n; first += 4) {
    const row = first * width;
    for (let k = 0, at = row; k < first; k++, at += 8)
      for (let i = at; i < at + 4; i++) below[k] += L[i] ** 2 + L[i + 4] ** 2;
    for (let k = first; k < first + 4; k++)
      for (let i = k + 1; i < first + 4; i++) {
        const at = row + 8 * k + i - first;
        below[k] += L[at] ** 2 + L[at + 4] ** 2;
      }
  }
  let total = 0;
  for (let k = 0; k < n; k++) {
    const own = ownHeight(k, block);
    const pivot = L[4 * (k >> 2) * width + 8 * k + (k & 3)];
    const rest = up(BOTH_PARTS * up(gamma(Math.max(own, otherHeight(k, n, block))) * below[k]));
    total = up(total + up(up(gamma(own) * up(pivot * pivot)) + rest));
  }
  return up(total * up(1 + excess(n + 2)));
}
