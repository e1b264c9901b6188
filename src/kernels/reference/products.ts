import { halfDecoder } from "../../matrix/half.js";
import { blockedDot, norm2 } from "../../numerics/sums.js";
import type { Products } from "../contract.js";

/** Rows of a partial sum: √rows of them, so that the partial sums and their total have about as many terms. */
const blockRows = (rows: number) => Math.max(64, Math.ceil(Math.sqrt(rows)));

type Numbers = Float32Array | Float64Array;
/** The kernel memory as numbers of one type; read at each call, because the memory may have grown. */
type View<T extends Numbers = Numbers> = () => T;
type DoubleView = View<Float64Array>;

/**
 * The products in plain loops. The SIMD kernels are tested against them, and they run where WebAssembly does not. Sums
 * are blocked as in the SIMD kernels, because the rounding error of a running sum of n terms grows like n·ε (Higham,
 * Accuracy and Stability of Numerical Algorithms, §4.2). Everything is computed in float64 and rounded when it is stored,
 * so float32 results are at least as accurate as those of the SIMD kernels.
 */
export function referenceProducts(memory: () => ArrayBuffer): Products {
  const f32 = () => new Float32Array(memory());
  const f64 = () => new Float64Array(memory());
  const u16 = () => new Uint16Array(memory());
  return {
    multiply64: multiply(f64, f64, f64),
    multiplyWide: multiply(f32, f64, f64),
    multiplyTransposed64: multiplyTransposed(f64, f64),
    multiplyTransposedWide: multiplyTransposed(f32, f64),
    normalMatvec32: normalMatvec(f32, f32, f64),
    normalMatvec64: normalMatvec(f64, f64, f64),
    orthogonalize32: orthogonalize(f32, f64),
    orthogonalize64: orthogonalize(f64, f64),
    normalizeBlock32: normalizeBlock(f32, f64, 2 ** -23),
    normalizeBlock64: normalizeBlock(f64, f64, 2 ** -52),
    normalMatvecHalf(a, lda, rows, cols, x, ldx, width, t, scratch, z, half) {
      const A = decoded(u16(), a, lda, rows, cols, half);
      normalMatvec(A, f32, f64)(0, 4 * cols, rows, cols, x, ldx, width, t, scratch, z);
    },
    multiplyWideHalf(a, lda, rows, cols, x, ldx, width, y, _w, half) {
      multiply(decoded(u16(), a, lda, rows, cols, half), f64, f64)(0, 4 * cols, rows, cols, x, ldx, width, y);
    },
    multiplyTransposedWideHalf(a, lda, rows, cols, y, width, scratch, z, _w, half) {
      multiplyTransposed(decoded(u16(), a, lda, rows, cols, half), f64)(
        0,
        4 * cols,
        rows,
        cols,
        y,
        width,
        scratch,
        z,
      );
    },
    syrk32: syrk(f32, f64),
    syrk64: syrk(f64, f64),
    ger32: ger(f32),
    ger64: ger(f64),
    demote32(z, w, n) {
      f32().set(f64().subarray(z / 8, z / 8 + n), w / 4);
    },
    scale32: scale(f32),
    scale64: scale(f64),
    rotateBasis32: rotate(f32, f64),
    rotateBasis64: rotate(f64, f64),
  };
}

function scale(X: View): Products["scale64"] {
  return (x, n, c) => {
    const numbers = X();
    const from = x / numbers.BYTES_PER_ELEMENT;
    for (let i = from; i < from + n; i++) numbers[i] *= c;
  };
}

function multiply(A: View, X: View, f64: DoubleView): Products["multiply64"] {
  return (a, lda, rows, cols, x, ldx, width, y) => {
    const from = A();
    const by = X();
    const to = f64();
    const sa = from.BYTES_PER_ELEMENT;
    const sx = by.BYTES_PER_ELEMENT;
    for (let i = 0; i < rows; i++) {
      const row = (a + i * lda) / sa;
      for (let c = 0; c < width; c++) {
        const column = (x + c * ldx) / sx;
        to[y / 8 + i * width + c] = blockedDot(
          from.subarray(row, row + cols),
          by.subarray(column, column + cols),
        );
      }
    }
  };
}

function multiplyTransposed(A: View, f64: DoubleView): Products["multiplyTransposed64"] {
  return (a, lda, rows, cols, y, width, _scratch, z) => {
    const from = A();
    const numbers = f64();
    const sa = from.BYTES_PER_ELEMENT;
    const part = new Float64Array(cols);
    for (let c = 0; c < width; c++) {
      const height = blockRows(rows);
      for (let first = 0; first < rows; first += height) {
        const last = Math.min(first + height, rows);
        part.fill(0);
        for (let i = first; i < last; i++) {
          const row = (a + i * lda) / sa;
          const weight = numbers[y / 8 + i * width + c];
          for (let j = 0; j < cols; j++) part[j] += weight * from[row + j];
        }
        for (let j = 0; j < cols; j++) numbers[z / 8 + c * cols + j] += part[j];
      }
    }
  };
}

function normalMatvec(A: View, X: View, f64: DoubleView): Products["normalMatvec64"] {
  const forward = multiply(A, X, f64);
  return (a, lda, rows, cols, x, ldx, width, t, _scratch, z) => {
    const from = A();
    const numbers = f64();
    const height = blockRows(rows);
    const part = new Float64Array(width * cols);
    for (let first = 0; first < rows; first += height) {
      const last = Math.min(first + height, rows);
      part.fill(0);
      for (let i = first; i < last; i++) {
        const row = a + i * lda;
        forward(row, lda, 1, cols, x, ldx, width, t);
        for (let c = 0; c < width; c++) {
          const weight = numbers[t / 8 + c];
          for (let j = 0; j < cols; j++)
            part[c * cols + j] += weight * from[row / from.BYTES_PER_ELEMENT + j];
        }
      }
      for (let j = 0; j < width * cols; j++) numbers[z / 8 + j] += part[j];
    }
  };
}

/**
 * Takes the part along the rows from … to−1 of Q out of the vector at w, by classical Gram–Schmidt.
 *
 * @param q, ld, w - in numbers
 * @returns the coefficients
 */
function takeOut(
  numbers: Numbers,
  q: number,
  ld: number,
  from: number,
  to: number,
  cols: number,
  w: number,
): number[] {
  const vector = numbers.subarray(w, w + cols);
  const found: number[] = [];
  for (let i = from; i < to; i++)
    found.push(blockedDot(numbers.subarray(q + i * ld, q + i * ld + cols), vector));
  for (let j = 0; j < cols; j++) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += found[i - from] * numbers[q + i * ld + j];
    numbers[w + j] -= sum;
  }
  return found;
}

function orthogonalize(Q: View, f64: DoubleView): Products["orthogonalize64"] {
  return (q, ldq, near, count, cols, width, c) => {
    const basis = Q();
    const ld = ldq / basis.BYTES_PER_ELEMENT;
    const first = q / basis.BYTES_PER_ELEMENT;
    const coefficients = f64().subarray(c / 8, c / 8 + count * width);
    coefficients.fill(0);
    for (let k = 0; k < width; k++)
      for (const from of [near, 0])
        takeOut(basis, first, ld, from, count, cols, first + (count + k) * ld).forEach((value, i) => {
          coefficients[(from + i) * width + k] += value;
        });
  };
}

function normalizeBlock(Q: View, f64: DoubleView, epsilon: number): Products["normalizeBlock64"] {
  return (q, ldq, count, cols, first, room, width, r) => {
    const basis = Q();
    const ld = ldq / basis.BYTES_PER_ELEMENT;
    const start = q / basis.BYTES_PER_ELEMENT;
    const R = f64().subarray(r / 8, r / 8 + 5);
    for (let i = first; i < width; i++) {
      const row = start + (count + i) * ld;
      const w = basis.subarray(row, row + cols);
      let norm = norm2(w);
      let before: number;
      // Until little is taken out: then what is left is not rounding.
      do {
        before = norm;
        const found = takeOut(basis, start, ld, 0, count + i, cols, row);
        if (i > 0) R[1] += found[count + i - 1];
        norm = norm2(w);
      } while (norm < 0.5 * before);
      if (i >= room) continue;
      if (!(norm > epsilon * R[4])) return i;
      R[3 * i] = norm;
      for (let j = 0; j < cols; j++) w[j] /= norm;
    }
    return width;
  };
}

/** A matrix of 16-bit numbers in float32, its rows end to end. */
function decoded(
  bits: Uint16Array,
  a: number,
  lda: number,
  rows: number,
  cols: number,
  half: number,
): View<Float32Array> {
  const decode = halfDecoder(half ? "bfloat16" : "float16");
  // Undoes `prescale16`.
  const unscale = half ? 1 : 2 ** -10;
  const numbers = Float32Array.from(
    { length: rows * cols },
    (_, k) => unscale * decode(bits[(a + Math.floor(k / cols) * lda) / 2 + (k % cols)]),
  );
  return () => numbers;
}

function syrk(A: View, f64: DoubleView): Products["syrk64"] {
  const forward = multiply(A, A, f64);
  return (a, lda, rows, cols, t, c, ldc) => {
    for (let j = 0; j < rows; j++) {
      for (let i = j - (j % 4); i < rows; i += 4) {
        forward(a + i * lda, lda, 4, cols, a + j * lda, 0, 1, t);
        const to = f64();
        for (let k = 0; k < 4; k++) to[c / 8 + (i + k) * ldc + j] = to[t / 8 + k];
      }
    }
  };
}

function rotate(Q: View, f64: DoubleView): Products["rotateBasis64"] {
  return (q, ldq, k, cols, y, keep) => {
    const basis = Q();
    const numbers = f64();
    const s = basis.BYTES_PER_ELEMENT;
    const column = new Float64Array(keep);
    for (let j = 0; j < cols; j++) {
      for (let p = 0; p < keep; p++) {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += numbers[y / 8 + p * k + i] * basis[(q + i * ldq) / s + j];
        column[p] = sum;
      }
      for (let p = 0; p < keep; p++) basis[(q + p * ldq) / s + j] = column[p];
    }
  };
}

function ger(G: View): Products["ger64"] {
  return (u, m, v, n, g) => {
    const numbers = G();
    const s = numbers.BYTES_PER_ELEMENT;
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) numbers[g / s + i * n + j] = numbers[u / s + i] * numbers[v / s + j];
  };
}
