import type { Arena } from "../kernels/contract.js";
import { blockFor, sumHeight } from "../kernels/proof-contract.js";
import { NonFiniteError } from "../matrix/errors.js";
import { type OperatorView, throwNonFinite, type View } from "../matrix/view.js";
import { padTo } from "../numerics/padding.js";
import { exponentOf } from "../numerics/powers.js";
import type { Entries } from "./entries.js";
import { lengthOf } from "./rounded-sums.js";

/** Dense entries in the memory of the proof kernels, four rows interleaved. */
export interface BlockedEntries extends Entries {
  readonly pointer: number;
  /** groups of four rows; the last is padded with zeros */
  readonly groups: number;
}

/**
 * Copies a matrix, sparse ones with their zeros, into the proof's memory, scaled by a power of two. Scaling down may
 * lose what is more than 2^1022 times smaller than the largest entry, at most 2^-1074 of each.
 *
 * @returns undefined for the zero matrix
 * @throws NonFiniteError naming the first row and column that is NaN or infinite
 */
export function blockedEntries(
  { arena }: { readonly arena: Arena },
  view: View | OperatorView,
): BlockedEntries | undefined {
  const transposed = view.m > view.n;
  const short = Math.min(view.m, view.n);
  const long = Math.max(view.m, view.n);
  const groups = padTo(short, 4) / 4;
  const total = 4 * groups * long;
  const pointer = arena.take(8 * total);
  /** A new view for each use: growing the memory detaches old ones. */
  const numbers = () => arena.f64(pointer, total);
  const all = numbers();
  const largest = view.kind === "dense" ? fill(all, view, transposed) : scatter(all, view, transposed);
  if (Number.isNaN(largest)) {
    if (view.kind === "dense") throwNonFinite(view);
    throw new NonFiniteError("csr: holds a NaN or an infinity");
  }
  if (largest === 0) return undefined;
  const exponent = exponentOf(largest);
  if (exponent !== 0) {
    // In two factors, as 2^1074 is no double; the first cannot round.
    const half = Math.trunc(-exponent / 2);
    const [first, second] = [2 ** half, 2 ** (-exponent - half)];
    for (let k = 0; k < total; k++) all[k] = all[k] * first * second;
  }

  const block = blockFor(long);
  return {
    short,
    long,
    transposed,
    exponent,
    count: short * long,
    frobenius: lengthOf(all).upper,
    pointer,
    groups,
    shortHeight: sumHeight(long, block),
    longHeight: groups + 3,
    matvec(y) {
      const P = numbers();
      const out = new Float64Array(4 * groups);
      for (let g = 0; g < groups; g++) {
        const row = 4 * g * long;
        for (let start = 0; start < long; start += block) {
          const end = Math.min(start + block, long);
          let a = 0;
          let b = 0;
          let c = 0;
          let d = 0;
          for (let j = start, k = row + 4 * start; j < end; j++, k += 4) {
            const weight = y[j];
            a += P[k] * weight;
            b += P[k + 1] * weight;
            c += P[k + 2] * weight;
            d += P[k + 3] * weight;
          }
          out[4 * g] += a;
          out[4 * g + 1] += b;
          out[4 * g + 2] += c;
          out[4 * g + 3] += d;
        }
      }
      return out.subarray(0, short);
    },
    rmatvec(x) {
      const P = numbers();
      const out = new Float64Array(long);
      for (let g = 0; g < groups; g++) {
        const i = 4 * g;
        const [a, b, c, d] = [x[i], x[i + 1] ?? 0, x[i + 2] ?? 0, x[i + 3] ?? 0];
        for (let j = 0, k = i * long; j < long; j++, k += 4)
          out[j] += P[k] * a + P[k + 1] * b + (P[k + 2] * c + P[k + 3] * d);
      }
      return out;
    },
    takeMagnitudes() {
      const P = numbers();
      for (let k = 0; k < total; k++) P[k] = Math.abs(P[k]);
    },
  };
}

/** Interleaves four rows at a time; the largest magnitude, NaN where one is NaN or infinite. */
function fill(P: Float64Array, view: View, transposed: boolean): number {
  const { data, read, offset } = view;
  const [down, across] = transposed
    ? [view.columnStride, view.rowStride]
    : [view.rowStride, view.columnStride];
  const short = Math.min(view.m, view.n);
  const long = Math.max(view.m, view.n);
  let largest = 0;
  // 0·x is 0 for finite x and NaN for the rest, and stays so in a sum.
  let spoilt = 0;
  const whole = read ? 0 : short - (short % 4);
  for (let i = 0, to = 0; i < whole; i += 4) {
    let first = offset + i * down;
    for (let j = 0; j < long; j++, to += 4, first += across) {
      const a = data[first];
      const b = data[first + down];
      const c = data[first + 2 * down];
      const d = data[first + 3 * down];
      P[to] = a;
      P[to + 1] = b;
      P[to + 2] = c;
      P[to + 3] = d;
      spoilt += 0 * a + 0 * b + (0 * c + 0 * d);
      largest = Math.max(largest, Math.abs(a), Math.abs(b), Math.abs(c), Math.abs(d));
    }
  }
  for (let i = whole; i < padTo(short, 4); i++) {
    let to = 4 * (i >> 2) * long + (i & 3);
    let from = offset + i * down;
    for (let j = 0; j < long; j++, to += 4, from += across) {
      const value = i >= short ? 0 : read ? read(data[from]) : data[from];
      spoilt += 0 * value;
      largest = Math.max(largest, Math.abs(value));
      P[to] = value;
    }
  }
  return largest + spoilt;
}

/** The same from a sparse matrix. */
function scatter(P: Float64Array, { entries, m, n }: OperatorView, transposed: boolean): number {
  if (!entries) throw new TypeError("an operator has no entries");
  const { data, indices, indptr } = entries;
  const long = Math.max(m, n);
  P.fill(0);
  let largest = 0;
  let spoilt = 0;
  for (let i = 0; i < m; i++)
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const [row, column] = transposed ? [indices[k], i] : [i, indices[k]];
      P[4 * ((row >> 2) * long + column) + (row & 3)] = data[k];
      spoilt += 0 * data[k];
      largest = Math.max(largest, Math.abs(data[k]));
    }
  return largest + spoilt;
}
