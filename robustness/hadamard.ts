import { type Adversary, adversary, type Truth } from "./adversary.js";

/** Entry of Sylvester's Hadamard matrix: (−1)^popcount(i AND j). */
export function sign(i: number, j: number): 1 | -1 {
  let bits = i & j;
  let odd = 0;
  for (; bits; bits &= bits - 1) odd ^= 1;
  return odd ? -1 : 1;
}

/** Singular values below the first ones: eighths, so that nothing is rounded. */
export function below(i: number): number {
  return [0.75, 0.625, 0.5, 0.375, 0.25, 0.125][i % 6];
}

interface Rotated {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  /** singular value of column i of the Hadamard matrices, on a binary scale coarse enough to be exact */
  readonly values: (i: number) => number;
  /** rows and columns shuffled and their signs changed; default true */
  readonly shuffled?: boolean;
  readonly start?: (v: Float64Array, second: Float64Array) => Float64Array;
}

/**
 * H_m·diag(d)·H_nᵀ/√(mn), m and n powers of two with √(mn) one too: dense, and with a decomposition that is known
 * without any rounding, since every sum is one of few binary digits.
 */
export function rotated({ name, rows, cols, values, shuffled = true, start }: Rotated): Adversary {
  const k = Math.min(rows, cols);
  const scale = Math.sqrt(rows * cols);
  if (!Number.isInteger(Math.log2(scale)))
    throw new RangeError(`${name}: √(${rows}·${cols}) is no power of two`);
  const d = Array.from({ length: k }, (_, i) => values(i));
  const ordered = [...d].sort((a, b) => b - a);
  const multiplicity = ordered.filter((value) => value === ordered[0]).length;
  const place = (i: number, size: number) => (shuffled ? (5 * i + 3) % size : i);
  const flip = (i: number) => (shuffled && i % 3 === 1 ? -1 : 1);
  const column = (c: number, size: number) => {
    const x = new Float64Array(size);
    for (let i = 0; i < size; i++) x[place(i, size)] = (flip(i) * sign(i, c)) / Math.sqrt(size);
    return x;
  };
  const first = d.indexOf(ordered[0]);
  const vectors = multiplicity === 1 ? { u: column(first, rows), v: column(first, cols) } : {};
  const truth: Truth = {
    sigma: ordered[0],
    gap: k === 1 ? 1 : 1 - ordered[1] / ordered[0],
    multiplicity,
    ...vectors,
  };
  return adversary({
    ...{ name, rows, cols },
    entries() {
      const data = new Float64Array(rows * cols);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < cols; j++) {
          let sum = 0;
          for (let r = 0; r < k; r++) sum += d[r] * sign(i ^ j, r);
          data[place(i, rows) * cols + place(j, cols)] = (flip(i) * flip(j) * sum) / scale;
        }
      return data;
    },
    truth: () => truth,
    ...(start && vectors.v
      ? { start: () => start(column(first, cols), column(d.indexOf(ordered[1]), cols)) }
      : {}),
  });
}
