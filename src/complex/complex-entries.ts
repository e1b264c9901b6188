import type { BlockedEntries } from "../certify/blocked-entries.js";
import { blockedEntries } from "../certify/blocked-entries.js";
import type { Entries } from "../certify/entries.js";
import { hypotenuse } from "../certify/rounded-sums.js";
import { up } from "../certify/rounding.js";
import { sparseEntries } from "../certify/sparse-entries.js";
import { blockFor, type ProofKernels, sumHeight } from "../kernels/proof-contract.js";
import type { SparseMatrix } from "../matrix/types.js";

/** Numbers of a blocked matrix, and how to find them: entry (i, j) is number 4·(⌊i/4⌋·long + j) + i mod 4. */
export function blockedNumbers({ arena }: ProofKernels, P: BlockedEntries): Float64Array {
  return arena.f64(P.pointer, 4 * P.groups * P.long);
}

/**
 * The products of a real form, each entry a + ib read once: the block [a −b; b a] has it twice. The terms are those of
 * the real form, so the error is bounded as `Entries` says, with smaller heights: the two terms of a part are added first.
 */
export function realFormEntries(kernels: ProofKernels, P: BlockedEntries): BlockedEntries {
  const { groups, long } = P;
  const width = long / 2;
  const block = blockFor(width);
  const groupBlock = blockFor(groups);
  return {
    ...P,
    // The sum of two products is one term of the sum over columns.
    shortHeight: sumHeight(width, block) + 1,
    // The sum of four products is one term of the sum over groups.
    longHeight: sumHeight(groups, groupBlock) + 2,
    matvec(y) {
      const numbers = blockedNumbers(kernels, P);
      const out = new Float64Array(4 * groups);
      for (let g = 0; g < groups; g++)
        for (let start = 0; start < width; start += block) {
          let [re, im, re2, im2] = [0, 0, 0, 0];
          const end = Math.min(start + block, width);
          for (let j = start, k = 4 * g * long + 8 * start; j < end; j++, k += 8) {
            const [c, d] = [y[2 * j], y[2 * j + 1]];
            re += numbers[k] * c - numbers[k + 1] * d;
            im += numbers[k] * d + numbers[k + 1] * c;
            re2 += numbers[k + 2] * c - numbers[k + 3] * d;
            im2 += numbers[k + 2] * d + numbers[k + 3] * c;
          }
          out[4 * g] += re;
          out[4 * g + 1] += im;
          out[4 * g + 2] += re2;
          out[4 * g + 3] += im2;
        }
      return out.subarray(0, P.short);
    },
    rmatvec(x) {
      const numbers = blockedNumbers(kernels, P);
      const out = new Float64Array(long);
      const sums = new Float64Array(long);
      for (let start = 0; start < groups; start += groupBlock) {
        sums.fill(0);
        for (let g = start; g < Math.min(start + groupBlock, groups); g++) {
          const i = 4 * g;
          const [re, im, re2, im2] = [x[i], x[i + 1], x[i + 2] ?? 0, x[i + 3] ?? 0];
          for (let j = 0, k = i * long; j < long; j += 2, k += 8) {
            const [a, b, a2, b2] = [numbers[k], numbers[k + 1], numbers[k + 2], numbers[k + 3]];
            sums[j] += a * re + b * im + (a2 * re2 + b2 * im2);
            sums[j + 1] += a * im - b * re + (a2 * im2 - b2 * re2);
          }
        }
        for (let j = 0; j < long; j++) out[j] += sums[j];
      }
      return out;
    },
  };
}

/**
 * What the upper bounds take of a complex matrix, from its real form P: half as many rows and columns, its own ‖·‖_F,
 * and products with the magnitudes |a + ib|, which are no larger in norm than those of the parts.
 */
export function complexEntries(
  kernels: ProofKernels,
  P: Entries,
  blocked: BlockedEntries | undefined,
  sparse: SparseMatrix | undefined,
): Entries {
  const entries = {
    ...P,
    short: P.short / 2,
    long: P.long / 2,
    count: P.count / 4,
    // ‖P‖_F of the real form counts every part twice.
    frobenius: up(P.frobenius * up(Math.SQRT1_2)),
    takeMagnitudes() {
      const N = blocked
        ? blockedMagnitudes(kernels, blocked)
        : sparseMagnitudes(sparse as SparseMatrix, P.exponent);
      N.takeMagnitudes();
      // A magnitude may be √2 times the larger part, and the scale of N another than that of P: by 2, exactly.
      const factor = 2 ** N.exponent;
      entries.matvec = (y) => N.matvec(y).map((value) => factor * value);
      entries.rmatvec = (x) => N.rmatvec(x).map((value) => factor * value);
      entries.shortHeight = N.shortHeight;
      entries.longHeight = N.longHeight;
    },
  };
  return entries;
}

/** The magnitudes of the complex numbers, rounded up, of a blocked real form. */
function blockedMagnitudes(kernels: ProofKernels, P: BlockedEntries): Entries {
  const [m, n] = [P.short / 2, P.long / 2];
  const numbers = blockedNumbers(kernels, P);
  const data = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const k = 4 * ((i >> 1) * P.long + 2 * j) + 2 * (i & 1);
      data[i * n + j] = modulus(numbers[k], numbers[k + 1]);
    }
  const layout = { rowStride: n, columnStride: 1, offset: 0, read: undefined };
  const view = { kind: "dense", m, n, dtype: "float64", data, ...layout } as const;
  // P is not zero.
  return blockedEntries(kernels, view) as Entries;
}

/** The same of the sparse real form, whose even rows have a and −b of each entry side by side. */
function sparseMagnitudes(real: SparseMatrix, exponent: number): Entries {
  const { data, indices, indptr, shape } = real;
  const [m, n] = [shape[0] / 2, shape[1] / 2];
  const count = data.length / 4;
  const values = new Float64Array(count);
  const columns = new Uint32Array(count);
  const pointers = new Float64Array(m + 1);
  const half = Math.trunc(-exponent / 2);
  const scaled = (x: number) => x * 2 ** half * 2 ** (-exponent - half);
  let to = 0;
  for (let i = 0; i < m; i++) {
    for (let k = indptr[2 * i]; k < indptr[2 * i + 1]; k += 2) {
      values[to] = modulus(scaled(data[k]), scaled(data[k + 1]));
      columns[to++] = indices[k] >> 1;
    }
    pointers[i + 1] = to;
  }
  return sparseEntries({
    ...real,
    data: values,
    indices: columns,
    indptr: pointers,
    shape: [m, n],
  }) as Entries;
}

/** Not below |a + ib|; zeros stay zeros. */
function modulus(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : hypotenuse(a, b);
}
