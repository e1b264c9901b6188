// The dense path for one small matrix, whole: of a batch or alone, on whichever thread.

import { dot, eigenLargest } from "./eigen";
import { largest32, largest64, transpose32, transpose64 } from "./load";
import {
  demote32, ger32, ger64, multiply64, multiplyTransposed64, multiplyTransposedWide, multiplyWide, scale32, scale64,
  syrk32, syrk64,
} from "./products";

/** Exponents beyond ± this are scaled away: SAFE_EXPONENT in load-matrix.ts. */
const SAFE32: i32 = 10, SAFE64: i32 = 100;

/** ⌊log₂ x⌋ of a positive number. */
function exponentOf(x: f64): i32 {
  const e = <i32>(reinterpret<u64>(x) >> 52);
  return e == 0 ? exponentOf(x * 18014398509481984.0) - 54 : e - 1023;
}

function powerOfTwo(e: i32): f64 {
  return reinterpret<f64>(<u64>(e + 1023) << 52);
}

/** ‖x‖₂ in blocks of 128, so that its rounding does not grow with n. */
function norm(x: usize, n: usize): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i += 128) sum += dot(x + (i << 3), x + (i << 3), <i32>min<usize>(128, n - i));
  return Math.sqrt(sum);
}

/** Rows of `cols` numbers ← numbers `across` bytes apart, with zeros up to `lda` bytes. */
function place(from: usize, down: usize, across: usize, rows: usize, cols: usize, to: usize, lda: usize, single: bool): void {
  const size: usize = single ? 4 : 8, used = cols * size;
  for (let i: usize = 0; i < rows; i++, from += down, to += lda) {
    if (across == size) memory.copy(to, from, used);
    else {
      let p = from, q = to;
      if (single) for (; q < to + used; q += 4, p += across) store<u32>(q, load<u32>(p));
      else for (; q < to + used; q += 8, p += across) store<u64>(q, load<u64>(p));
    }
    memory.fill(to + used, 0, lda - used);
  }
}

/** n numbers ← the nearest float32. */
function round(x: usize, n: usize): void {
  for (const end = x + (n << 3); x < end; x += 8) f64.store(x, <f64><f32>f64.load(x));
}

/** ‖y − σ·x‖² */
function distance(y: usize, sigma: f64, x: usize, n: usize): f64 {
  let sum: f64 = 0;
  for (const end = x + (n << 3); x < end; x += 8, y += 8) {
    const d = f64.load(y) - sigma * f64.load(x);
    sum += d * d;
  }
  return sum;
}

export function small(
  a: usize, m: usize, n: usize, columns: bool, single: bool, wanted: i32, work: usize, out: usize, g: usize,
): void {
  const transposed = m > n, rows = min(m, n), cols = max(m, n), shift: usize = single ? 2 : 3;
  const paddedRows = (rows + 3) & ~3;
  let paddedCols = (cols + 3) & ~3;
  if (((paddedCols << shift) & 4095) == 0) paddedCols += 64 >> shift;
  const lda = paddedCols << shift;
  const x = work, long = x + (paddedRows << 3), product = long + (paddedCols << 3), scratch = product + (paddedCols << 3);
  const gram = scratch + (paddedCols << 3), end = gram + (paddedRows * paddedRows << 3);
  let p = end;
  const rest = p + paddedRows * lda;

  // Whether the numbers of a row of P lie end to end.
  if (transposed == columns && cols == paddedCols && rows == paddedRows) p = a;
  else {
    const strided = transposed != columns, size: usize = 1 << shift;
    if (strided && !((m | n) & 3) && cols == paddedCols) {
      if (single) transpose32(a, cols, rows, p, lda);
      else transpose64(a, cols, rows, p, lda);
    } else {
      const down = strided ? size : cols << shift, across = strided ? rows << shift : size;
      place(a, down, across, rows, cols, p, lda, single);
      memory.fill(p + rows * lda, 0, (paddedRows - rows) * lda);
    }
  }

  const count = paddedRows * paddedCols;
  const largest = single ? largest32(p, count, out) : largest64(p, count, out);
  f64.store(out, largest);
  if (largest != largest) return;
  let e = largest > 0 ? exponentOf(largest) : 0;
  if (abs(e) <= (single ? SAFE32 : SAFE64)) e = 0;
  else {
    // Not in place: another thread may read A, too.
    if (p == a) {
      memory.copy(end, a, count << shift);
      p = end;
    }
    // In two factors: 2^1074 is not a double, 2^149 no float32.
    for (let i = 0, k = -e / 2; i < 2; i++, k = -e - k) {
      if (single) scale32(p, count, <f32>powerOfTwo(k));
      else scale64(p, count, powerOfTwo(k));
    }
  }
  f64.store(out, <f64>e, 8);

  if (single) syrk32(p, lda, paddedRows, paddedCols, rest, gram, paddedRows);
  else syrk64(p, lda, paddedRows, paddedCols, rest, gram, paddedRows);
  f64.store(out, 0, 32);
  eigenLargest(gram, paddedRows, <i32>rows, wanted == 2 && rows > 1 ? 2 : 1, 1, out + 24, x, paddedRows, rest);
  memory.fill(x + (rows << 3), 0, (paddedRows - rows) << 3);
  // A value keeps the digits of its vector; a gradient is that of the vectors as they are rounded.
  const rounded = single && wanted > 0;
  if (rounded) round(x, rows);
  memory.fill(product, 0, paddedCols << 4);
  if (single) multiplyTransposedWide(p, lda, paddedRows, paddedCols, x, 1, scratch, product);
  else multiplyTransposed64(p, lda, paddedRows, paddedCols, x, 1, scratch, product);
  const size = norm(product, cols), sigma = size / norm(x, rows);
  f64.store(out, sigma, 16);
  if (wanted == 0) return;
  for (let j: usize = 0; j < paddedCols; j++)
    f64.store(long + (j << 3), size > 0 ? f64.load(product + (j << 3)) / size : j == 0 ? 1 : 0);
  if (rounded) round(long, cols);
  if (wanted == 2) {
    // The Gram matrix is no longer needed.
    if (single) multiplyWide(p, lda, paddedRows, paddedCols, long, 0, 1, gram);
    else multiply64(p, lda, paddedRows, paddedCols, long, 0, 1, gram);
    // In float64, `long` is a multiple of the product but for rounding.
    const square = distance(gram, sigma, x, rows) + (single ? distance(product, sigma, long, cols) : 0);
    f64.store(out, Math.sqrt(square), 40);
  }
  if (single) {
    demote32(x, x, paddedRows);
    demote32(long, long, paddedCols);
  }
  if (g == 0) return;
  const u = transposed ? long : x, v = transposed ? x : long;
  if (sigma == 0) memory.fill(g, 0, m * n << shift);
  else if (single) ger32(u, m, v, n, g);
  else ger64(u, m, v, n, g);
}
