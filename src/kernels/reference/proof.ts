import { createArena } from "../arena.js";
import type { ProofKernels } from "../proof-contract.js";
import { plainMemory } from "./memory.js";

/** The routines of a proof in plain loops. */
export function referenceProof(): ProofKernels {
  const memory = plainMemory(1 << 16);
  const numbersAt = (pointer: number) => new Float64Array(memory.buffer(), pointer);
  return {
    name: "reference",
    routines: {
      gramOf(p, groups, columns, block, g) {
        const P = numbersAt(p);
        const G = numbersAt(g);
        const n = 4 * groups;
        for (let i = 0; i < n; i++)
          for (let j = 0; j < 4 * (Math.floor(i / 4) + 1); j++) {
            let total = 0;
            for (let first = 0; first < columns; first += block) {
              let sum = 0;
              for (let k = first; k < Math.min(first + block, columns); k++)
                sum += P[index(i, k, columns)] * P[index(j, k, columns)];
              total += sum;
            }
            G[index(i, j, n)] += total;
          }
      },
      choleskyOf(b, groups, block) {
        const L = numbersAt(b);
        const n = 4 * groups;
        for (let j = 0; j < n; j++) {
          const tile = j - (j % 4);
          for (let i = j; i < n; i++) {
            let x = L[index(i, j, n)];
            for (let first = 0; first < tile; first += block) {
              let sum = 0;
              for (let k = first; k < Math.min(first + block, tile); k++)
                sum += L[index(i, k, n)] * L[index(j, k, n)];
              x -= sum;
            }
            for (let k = tile; k < j; k++) x -= L[index(i, k, n)] * L[index(j, k, n)];
            if (i > j) x /= L[index(j, j, n)];
            else if (x > 0) x = Math.sqrt(x);
            else return 0;
            L[index(i, j, n)] = x;
          }
        }
        return 1;
      },
    },
    arena: createArena(memory),
  };
}

/** Index of entry (i, j) of a matrix with `columns` columns. */
function index(i: number, j: number, columns: number): number {
  return 4 * ((i >> 2) * columns + j) + (i & 3);
}
