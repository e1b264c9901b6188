import { type Adversary, adversary, filled, type Truth } from "../adversary.js";
import { exactTruth } from "../exact-truth.js";

const small = [3, -1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8, 9, 7, -9, 3, 2, 3, -8, 4, 6, 2, 6, -4, 3];
const entry = (i: number, j: number) => small[(7 * i + 3 * j + i * j) % 25];

function exact(name: string, rows: number, cols: number, gap: number, at: (i: number, j: number) => number) {
  return adversary({
    ...{ name, rows, cols },
    entries: () => filled(rows, cols, at),
    truth: (data) => exactTruth(data, rows, cols, gap),
  });
}

/** 4×4 with singular vectors that are not axes, times 2^e. */
function scaled(e: number, name: string): Adversary {
  return exact(name, 5, 4, 0.4, (i, j) => entry(i, j) * 2 ** e);
}

/** Rows from 2^e down to 2^-e. */
const graded = (e: number, i: number, count: number) => 2 ** Math.round(e - (2 * e * i) / (count - 1));

const tiny = 2 ** -1074;

/** Entries of unlike or of extreme size. */
export const scales: readonly Adversary[] = [
  exact("rows graded from 1e150 down to 1e-150", 12, 8, 1, (i, j) => entry(i, j) * graded(498, i, 12)),
  exact("rows graded from 1e-150 up to 1e150", 12, 8, 1, (i, j) => entry(i, j) * graded(-498, i, 12)),
  exact("columns graded from 1e-150 up to 1e150", 8, 12, 1, (i, j) => entry(i, j) * graded(-498, j, 12)),
  exact("rows graded from 1e30 down to 1e-30", 12, 8, 1, (i, j) => entry(i, j) * graded(100, i, 12)),
  exact(
    "graded rows and columns, 1e±150",
    9,
    9,
    1,
    (i, j) => entry(i, j) * graded(249, i, 9) * graded(-249, j, 9),
  ),
  // The large entries alone square to infinity, the small ones to zero.
  exact("a diagonal of 1e200, 1e-200, 1e160", 3, 3, 1, (i, j) => (i === j ? 2 ** [664, -664, 531][i] : 0)),
  scaled(996, "all times 1e300"),
  scaled(-996, "all times 1e-300"),
  scaled(512, "all times 1e154, squares overflow"),
  scaled(-540, "all times 1e-163, squares vanish"),
  scaled(120, "all times 1e36"),
  scaled(-100, "all times 1e-30"),
  scaled(10, "all times 1e3"),
  scaled(-10, "all times 1e-3, below the notebook's atol"),
  scaled(1020, "all times 1e307, the norm just below the largest double"),
  exact("subnormal entries of float64", 4, 3, 0.5, (i, j) => entry(i, j) * tiny),
  exact("subnormal and normal entries", 4, 3, 0.5, (i, j) =>
    i === j ? 2 ** (i - 1022) : entry(i, j) * tiny,
  ),
  exact("one entry, the smallest subnormal", 2, 3, 1, (i, j) => (i === 1 && j === 1 ? tiny : 0)),
  exact("subnormal entries of float32", 4, 3, 0.5, (i, j) => entry(i, j) * 2 ** -149),
  exact("a subnormal matrix with one entry of 1", 3, 3, 1, (i, j) => (i === 2 && j === 0 ? 1 : tiny)),
  adversary({
    name: "a norm beyond the largest double",
    rows: 2,
    cols: 2,
    entries: () => new Float64Array(4).fill(1.5e308),
    truth: (): Truth => ({ sigma: Number.POSITIVE_INFINITY, gap: 1, multiplicity: 1 }),
    answer: "overflow",
  }),
];
