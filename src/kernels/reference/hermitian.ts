import { createArena } from "../arena.js";
import type { HermitianKernels } from "../hermitian-contract.js";
import { plainMemory } from "./memory.js";

/** The routines for Hermitian matrices in plain loops. */
export function referenceHermitian(): HermitianKernels {
  const memory = plainMemory(1 << 16);
  const numbersAt = (pointer: number) => new Float64Array(memory.buffer(), pointer);
  const viewsOf = (h: number, lda: number, n: number, d: number) => {
    const rows = (plane: number) =>
      Array.from({ length: n + 3 }, (_, i) => numbersAt(h + 8 * lda * ((n + 3) * plane + i)).subarray(0, n));
    const [diagonal, off, half, re, im] = Array.from({ length: 5 }, (_, k) =>
      numbersAt(d + 8 * n * k).subarray(0, n),
    );
    return { H: { re: rows(0), im: rows(1) }, form: { diagonal, off, half, re, im } };
  };
  return {
    name: "reference",
    routines: {
      hermitianGramOf(p, groups, columns, block, g) {
        const P = numbersAt(p);
        const G = numbersAt(g);
        const rows = 4 * groups;
        for (let i = 0; i < rows; i++)
          for (let j = 0; j <= i; j++)
            for (let part = 0; part < 2; part++) {
              let total = 0;
              for (let first = 0; first < columns; first += block)
                total += sumOfProducts(P, columns, i, j, part, first, Math.min(first + block, columns));
              G[place(i, 2 * j + part, 2 * rows)] += total;
            }
      },
      hermitianCholeskyOf(b, groups, block) {
        const L = numbersAt(b);
        const rows = 4 * groups;
        const columns = 2 * rows;
        for (let j = 0; j < rows; j++) {
          const tile = 2 * (j - (j % 2));
          for (let i = j; i < rows; i++) {
            const parts = [0, 1].map((part) => {
              let x = L[place(i, 2 * j + part, columns)];
              for (let first = 0; first < tile; first += block)
                x -= sumOfProducts(L, columns, i, j, part, first, Math.min(first + block, tile));
              for (let k = tile; k < 2 * j; k++)
                x -= L[place(i, k, columns)] * turnedEntry(L, columns, j, part, k);
              return x;
            });
            const [at, next] = [place(i, 2 * j, columns), place(i, 2 * j + 1, columns)];
            if (i > j) {
              const pivot = L[place(j, 2 * j, columns)];
              L[at] = parts[0] / pivot;
              L[next] = parts[1] / pivot;
            } else {
              if (!(parts[0] > 0)) return 0;
              L[at] = Math.sqrt(parts[0]);
              L[next] = 0;
            }
          }
        }
        return 1;
      },
      hermitianTridiagonalOf(h, lda, n, d) {
        const { H, form } = viewsOf(h, lda, n, d);
        for (let i = n - 1; i > 0; i--) {
          form.diagonal[i] = H.re[i][i];
          // The part of column i above the diagonal.
          const x = column(H, i);
          const lastLength = Math.hypot(x.re[i - 1], x.im[i - 1]);
          let rest = 0;
          for (let j = 0; j < i - 1; j++) rest += x.re[j] ** 2 + x.im[j] ** 2;
          const square = rest + lastLength ** 2;
          const length = Math.sqrt(square);
          const [a, b] = lastLength > 0 ? [x.re[i - 1] / lastLength, x.im[i - 1] / lastLength] : [1, 0];
          const done = rest <= 1e-300 || rest <= 1e-34 * square;
          form.off[i] = done ? lastLength : length;
          form.half[i] = done ? 0 : square + lastLength * length;
          form.re[i] = done ? a : -a;
          form.im[i] = done ? b : -b;
          if (done) continue;
          x.re[i - 1] += a * length;
          x.im[i - 1] += b * length;
          const q = productOf(H, x, i);
          let inner = 0;
          for (let j = 0; j < i; j++) inner += x.re[j] * q.re[j] + x.im[j] * q.im[j];
          const share = inner / (2 * form.half[i]);
          for (let j = 0; j < i; j++) {
            q.re[j] = (q.re[j] - share * x.re[j]) / form.half[i];
            q.im[j] = (q.im[j] - share * x.im[j]) / form.half[i];
          }
          for (let j = 0; j < i; j++)
            for (let k = 0; k <= j; k++) {
              H.re[j][k] -= x.re[j] * q.re[k] + x.im[j] * q.im[k] + q.re[j] * x.re[k] + q.im[j] * x.im[k];
              H.im[j][k] -= x.im[j] * q.re[k] - x.re[j] * q.im[k] + q.im[j] * x.re[k] - q.re[j] * x.im[k];
            }
          H.re[i].set(x.re);
          H.im[i].set(x.im);
        }
        form.diagonal[0] = H.re[0][0];
      },
      hermitianVectorOf(h, lda, n, d) {
        const { H, form } = viewsOf(h, lda, n, d);
        const x = { re: H.re[n], im: H.im[n] };
        let [a, b] = [1, 0];
        for (let i = n - 1; i >= 0; i--) {
          [x.re[i], x.im[i]] = [a * x.re[i], b * x.re[i]];
          [a, b] = [a * form.re[i] - b * form.im[i], a * form.im[i] + b * form.re[i]];
        }
        for (let i = 1; i < n; i++) {
          if (form.half[i] === 0) continue;
          const [v, w] = [H.re[i], H.im[i]];
          let [re, im] = [0, 0];
          for (let j = 0; j < i; j++) {
            re += (v[j] * x.re[j] + w[j] * x.im[j]) / form.half[i];
            im += (v[j] * x.im[j] - w[j] * x.re[j]) / form.half[i];
          }
          for (let j = 0; j < i; j++) {
            x.re[j] -= v[j] * re - w[j] * im;
            x.im[j] -= v[j] * im + w[j] * re;
          }
        }
      },
      complexOuter(u, m, p, q, n, single, g) {
        const inTypeOfG = (at: number) => (single ? new Float32Array(memory.buffer(), at) : numbersAt(at));
        const [U, P, Q, G] = [inTypeOfG(u), numbersAt(p), numbersAt(q), inTypeOfG(g)];
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) G[i * n + j] = U[2 * i] * P[j] + U[2 * i + 1] * Q[j];
      },
    },
    arena: createArena(memory),
  };
}

/** Complex numbers, or rows of them, by their parts. */
interface Parts<T> {
  readonly re: T;
  readonly im: T;
}

/** Column i of a Hermitian matrix above the diagonal, from its lower triangle. */
function column({ re, im }: Parts<Float64Array[]>, i: number): Parts<Float64Array> {
  return { re: re[i].slice(0, i), im: im[i].slice(0, i).map((x) => -x) };
}

/** H·x of the first n rows and columns. */
function productOf(H: Parts<Float64Array[]>, x: Parts<Float64Array>, n: number): Parts<Float64Array> {
  const y = { re: new Float64Array(n), im: new Float64Array(n) };
  for (let j = 0; j < n; j++)
    for (let k = 0; k < n; k++) {
      const [a, b] = k <= j ? [H.re[j][k], k < j ? H.im[j][k] : 0] : [H.re[k][j], -H.im[k][j]];
      y.re[j] += a * x.re[k] - b * x.im[k];
      y.im[j] += a * x.im[k] + b * x.re[k];
    }
  return y;
}

/** The part of Σ x·conj(y) over some columns of rows i and j. */
function sumOfProducts(
  X: Float64Array,
  columns: number,
  i: number,
  j: number,
  part: number,
  first: number,
  end: number,
): number {
  let sum = 0;
  for (let k = first; k < end; k++) sum += X[place(i, k, columns)] * turnedEntry(X, columns, j, part, k);
  return sum;
}

/** Number k of row j or, for the imaginary part, of i times the row: (−im, re) in place of (re, im). */
function turnedEntry(X: Float64Array, columns: number, j: number, part: number, k: number): number {
  if (part === 0) return X[place(j, k, columns)];
  return k % 2 === 0 ? -X[place(j, k + 1, columns)] : X[place(j, k - 1, columns)];
}

/** Index of number k of row i. */
function place(i: number, k: number, columns: number): number {
  return 4 * ((i >> 2) * columns + k) + (i & 3);
}
