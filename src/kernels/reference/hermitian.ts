import { createArena } from "../arena.js";
import type { HermitianKernels } from "../hermitian-contract.js";
import { plainMemory } from "./memory.js";

/** The routines of a proof for complex matrices in plain loops. */
export function referenceHermitian(): HermitianKernels {
  const memory = plainMemory(1 << 16);
  const numbersAt = (pointer: number) => new Float64Array(memory.buffer(), pointer);
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
    },
    arena: createArena(memory),
  };
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
