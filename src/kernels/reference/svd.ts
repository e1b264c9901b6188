import { blockedDot, norm2 } from "../../numerics/sums.js";
import { removeAlong } from "../../numerics/vectors.js";
import { createArena } from "../arena.js";
import type { SvdKernels } from "../svd-contract.js";
import { plainMemory } from "./memory.js";

const EPSILON = 2 ** -52;
/** A column below this counts as zero: 2⁻³⁰⁰·2⁻¹⁵⁰, as the largest entry is at least 2⁻³⁰⁰. */
const NOTHING = 2 ** -450;
/** Chosen: some ten suffice. */
const MOST_SWEEPS = 60;

/**
 * The singular value decomposition in plain loops, by the one-sided Jacobi method: A·V = U·S, where V is a product of
 * plane rotations, each of which makes two columns of A·V orthogonal (Hestenes, J. SIAM 6:51, 1958; the stopping
 * criterion is that of Drmač & Veselić, SIAM J. Matrix Anal. Appl. 29:1322, 2008). It has nothing in common with the
 * method of the SIMD kernels, which are tested against it.
 */
export function referenceSvd(): SvdKernels {
  const memory = plainMemory(1 << 16);
  return { name: "reference", routines: routinesOver(() => memory.buffer()), arena: createArena(memory) };
}

function routinesOver(memory: () => ArrayBuffer): SvdKernels["routines"] {
  return {
    svd(a, lda, m, n, s, vectors, u, ldu, v, ldv) {
      const numbers = new Float64Array(memory());
      const columns = Array.from({ length: n }, (_, j) => ({
        image: Float64Array.from({ length: m }, (_, i) => numbers[a / 8 + i * lda + j]),
        right: Float64Array.from({ length: vectors ? n : 0 }, (_, i) => (i === j ? 1 : 0)),
        size: 0,
      }));
      const enough = Math.sqrt(m) * EPSILON;
      for (let sweep = 0, rotated = true; rotated; sweep++) {
        if (sweep === MOST_SWEEPS) return 0;
        rotated = false;
        for (let p = 0; p < n; p++)
          for (let q = p + 1; q < n; q++) {
            const [x, y] = [columns[p], columns[q]];
            const [a, b] = [norm2(x.image), norm2(y.image)];
            const overlap = blockedDot(x.image, y.image);
            if (Math.min(a, b) < NOTHING || Math.abs(overlap) <= enough * a * b) continue;
            rotated = true;
            const cotangent = ((b - a) * (b + a)) / (2 * overlap);
            const t = (cotangent < 0 ? -1 : 1) / (Math.abs(cotangent) + Math.hypot(1, cotangent));
            rotate(x.image, y.image, t);
            rotate(x.right, y.right, t);
          }
      }
      for (const column of columns) column.size = norm2(column.image);
      columns.sort((x, y) => y.size - x.size);
      const left: Float64Array[] = [];
      columns.forEach(({ image, right, size }, j) => {
        numbers[s / 8 + j] = size;
        if (!vectors) return;
        left.push(size < NOTHING ? unitBeside(left, m) : image.map((value) => value / size));
        for (let i = 0; i < m; i++) numbers[u / 8 + i * ldu + j] = left[j][i];
        for (let i = 0; i < n; i++) numbers[v / 8 + i * ldv + j] = right[i];
      });
      return 1;
    },
  };
}

/** (x, y) ← (x − t·y, y + t·x) / √(1 + t²). */
function rotate(x: Float64Array, y: Float64Array, t: number): void {
  const c = 1 / Math.sqrt(1 + t * t);
  const s = c * t;
  for (let i = 0; i < x.length; i++) {
    const old = x[i];
    x[i] = c * old - s * y[i];
    y[i] = s * old + c * y[i];
  }
}

/** A unit vector orthogonal to the given ones, which are fewer than m. */
function unitBeside(given: readonly Float64Array[], m: number): Float64Array {
  // Of the coordinate vectors, the one that the given ones contain least of.
  const contained = new Float64Array(m);
  for (const one of given) for (let i = 0; i < m; i++) contained[i] += one[i] * one[i];
  const x = new Float64Array(m);
  x[contained.reduce((least, part, i) => (part < contained[least] ? i : least), 0)] = 1;
  for (let round = 0; round < 2; round++) removeAlong(given, x);
  const size = norm2(x);
  return x.map((value) => value / size);
}
