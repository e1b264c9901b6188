import { type BlockedEntries, blockedEntries } from "../certify/blocked-entries.js";
import type { Entries } from "../certify/entries.js";
import { hypotenuse } from "../certify/rounded-sums.js";
import { up } from "../certify/rounding.js";
import { sparseEntries } from "../certify/sparse-entries.js";
import type { Arena } from "../kernels/contract.js";
import { blockFor, sumHeight } from "../kernels/proof-contract.js";
import type { SparseMatrix } from "../matrix/types.js";
import { allocateArray, type View } from "../matrix/view.js";
import { type ComplexView, partsAt, throwComplexNonFinite } from "./complex-view.js";

interface ProofMemory {
  readonly arena: Arena;
}

/** What a proof takes of a complex matrix P: A, or Aᴴ if m > n, scaled. */
export interface ComplexEntries {
  /** The real form of P: its products with interleaved vectors, and its ‖·‖_F. */
  readonly real: Entries;
  /**
   * P itself: its size and ‖·‖_F. `takeMagnitudes` makes its products those of the real matrix |P|; before, it has none.
   */
  readonly own: Entries;
  /** the interleaved rows of P in memory; absent where P is sparse and not written out */
  readonly blocked?: BlockedEntries | undefined;
}

/** Numbers of blocked rows: the real part of entry (i, j) is number 4·(⌊i/4⌋·long + 2j) + i mod 4, the imaginary part 4 after it. */
export function blockedNumbers({ arena }: ProofMemory, P: BlockedEntries): Float64Array {
  return arena.f64(P.pointer, 4 * P.groups * P.long);
}

/**
 * A dense matrix, or a sparse one with its zeros, as interleaved rows in blocks.
 *
 * @returns undefined for the zero matrix
 * @throws NonFiniteError naming the first row and column with a part that is NaN or infinite
 */
export function blockedComplex(memory: ProofMemory, A: ComplexView): ComplexEntries | undefined {
  const transposed = A.m > A.n;
  const blocked = blockedEntries(memory, interleavedRows(A, transposed));
  if (!blocked) return undefined;
  const { short, long } = blocked;
  const size = { ...blocked, transposed };
  return {
    // The real form has every part twice.
    real: {
      ...size,
      ...productsOf(memory, blocked),
      short: 2 * short,
      frobenius: up(blocked.frobenius * up(Math.SQRT2)),
    },
    own: withMagnitudes({ ...size, long: long / 2, count: blocked.count / 2 }, () =>
      blockedMagnitudes(memory, blocked),
    ),
    blocked,
  };
}

/** The real matrix of the interleaved rows of A or, `adjoint`, of its conjugate transpose. */
function interleavedRows(A: ComplexView, adjoint: boolean): View {
  const { dtype, data, offset } = A;
  const base = { kind: "dense", dtype, read: undefined, columnStride: 1 } as const;
  const refuse = (): never => throwComplexNonFinite(A);
  if (!adjoint && (A.columnStride === 1 || A.n === 1))
    return { ...base, m: A.m, n: 2 * A.n, data, offset: 2 * offset, rowStride: 2 * A.rowStride, refuse };
  const [m, n] = adjoint ? [A.n, A.m] : [A.m, A.n];
  const out = allocateArray(dtype, 2 * m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [re, im] = adjoint ? partsAt(A, j, i) : partsAt(A, i, j);
      out[2 * (i * n + j)] = re;
      out[2 * (i * n + j) + 1] = adjoint ? -im : im;
    }
  return { ...base, m, n: 2 * n, data: out, offset: 0, rowStride: 2 * n, refuse };
}

/**
 * Products with interleaved vectors. Each part of a result is a sum of products of parts, those of the real form; the two
 * of one complex product are added first.
 */
function productsOf(memory: ProofMemory, P: BlockedEntries) {
  const { groups, short, long } = P;
  const width = long / 2;
  const block = blockFor(width);
  const groupBlock = blockFor(groups);
  return {
    // A complex product, two numbers, is one term of the sum over columns.
    shortHeight: sumHeight(width, block) + 1,
    // Four complex products, eight numbers, are one term of the sum over groups.
    longHeight: sumHeight(groups, groupBlock) + 3,
    matvec(y: Float64Array): Float64Array {
      const numbers = blockedNumbers(memory, P);
      const out = new Float64Array(8 * groups);
      const re = new Float64Array(4);
      const im = new Float64Array(4);
      for (let g = 0; g < groups; g++)
        for (let start = 0; start < width; start += block) {
          re.fill(0);
          im.fill(0);
          const end = Math.min(start + block, width);
          for (let j = start, k = 4 * g * long + 8 * start; j < end; j++, k += 8) {
            const [c, d] = [y[2 * j], y[2 * j + 1]];
            for (let i = 0; i < 4; i++) {
              const [a, b] = [numbers[k + i], numbers[k + 4 + i]];
              re[i] += a * c - b * d;
              im[i] += a * d + b * c;
            }
          }
          for (let i = 0; i < 4; i++) {
            out[8 * g + 2 * i] += re[i];
            out[8 * g + 2 * i + 1] += im[i];
          }
        }
      return out.subarray(0, 2 * short);
    },
    rmatvec(x: Float64Array): Float64Array {
      const numbers = blockedNumbers(memory, P);
      const out = new Float64Array(long);
      const sums = new Float64Array(long);
      const padded = new Float64Array(8 * groups);
      padded.set(x);
      for (let start = 0; start < groups; start += groupBlock) {
        sums.fill(0);
        for (let g = start; g < Math.min(start + groupBlock, groups); g++) {
          const [p, p1, q, q1, r, r1, s, s1] = padded.subarray(8 * g, 8 * g + 8);
          for (let j = 0, k = 4 * g * long; j < long; j += 2, k += 8) {
            const [a, b, c, d] = [numbers[k], numbers[k + 1], numbers[k + 2], numbers[k + 3]];
            const [a1, b1, c1, d1] = [numbers[k + 4], numbers[k + 5], numbers[k + 6], numbers[k + 7]];
            sums[j] += a * p + a1 * p1 + (b * q + b1 * q1) + (c * r + c1 * r1 + (d * s + d1 * s1));
            sums[j + 1] += a * p1 - a1 * p + (b * q1 - b1 * q) + (c * r1 - c1 * r + (d * s1 - d1 * s));
          }
        }
        for (let j = 0; j < long; j++) out[j] += sums[j];
      }
      return out;
    },
  };
}

/** A sparse matrix from its real form, which is not written out; undefined for the zero matrix. */
export function sparseComplex(form: SparseMatrix): ComplexEntries | undefined {
  const real = sparseEntries(form);
  if (!real) return undefined;
  const own = {
    ...real,
    short: real.short / 2,
    long: real.long / 2,
    count: real.count / 4,
    frobenius: up(real.frobenius * up(Math.SQRT1_2)),
  };
  return { real, own: withMagnitudes(own, () => sparseMagnitudes(form, real.exponent)) };
}

/** Entries whose products, once magnitudes are taken, are those of N. */
function withMagnitudes(own: Entries, magnitudes: () => Entries): Entries {
  const entries = {
    ...own,
    takeMagnitudes() {
      const N = magnitudes();
      // A magnitude may be √2 times the larger part, and so the scale of N be another: by 2, exactly.
      const factor = 2 ** N.exponent;
      entries.matvec = (y) => N.matvec(y).map((value) => factor * value);
      entries.rmatvec = (x) => N.rmatvec(x).map((value) => factor * value);
      entries.shortHeight = N.shortHeight;
      entries.longHeight = N.longHeight;
    },
  };
  return entries;
}

/** |P| of blocked rows, rounded up. P is not zero. */
function blockedMagnitudes(memory: ProofMemory, P: BlockedEntries): Entries {
  const [m, n] = [P.short, P.long / 2];
  const numbers = blockedNumbers(memory, P);
  const data = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const k = 4 * ((i >> 2) * P.long + 2 * j) + (i & 3);
      data[i * n + j] = modulus(numbers[k], numbers[k + 4]);
    }
  const view = {
    kind: "dense",
    m,
    n,
    dtype: "float64",
    data,
    read: undefined,
    offset: 0,
    rowStride: n,
    columnStride: 1,
  } as const;
  return blockedEntries(memory, view) as Entries;
}

/** The same of a sparse real form, whose even rows have a and −b of each entry side by side. */
function sparseMagnitudes(form: SparseMatrix, exponent: number): Entries {
  const { data, indices, indptr, shape } = form;
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
  const magnitudes = { ...form, data: values, indices: columns, indptr: pointers, shape: [m, n] as const };
  return sparseEntries(magnitudes as unknown as SparseMatrix) as Entries;
}

/** Not below |a + ib|; |a| where b is 0. */
function modulus(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : hypotenuse(a, b);
}
