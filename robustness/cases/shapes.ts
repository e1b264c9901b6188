import { type Adversary, adversary, axis, filled, unit } from "../adversary.js";
import { sign } from "../hadamard.js";

function constant(name: string, rows: number, cols: number, value = 1): Adversary {
  return adversary({
    ...{ name, rows, cols },
    entries: () => new Float64Array(rows * cols).fill(value),
    truth: () => ({
      ...{ sigma: value * Math.sqrt(rows * cols), gap: 1, multiplicity: 1 },
      u: new Float64Array(rows).fill(1 / Math.sqrt(rows)),
      v: new Float64Array(cols).fill(1 / Math.sqrt(cols)),
    }),
  });
}

function zero(rows: number, cols: number): Adversary {
  return adversary({
    name: `zero, ${rows}×${cols}`,
    ...{ rows, cols },
    entries: () => new Float64Array(rows * cols),
    truth: () => ({ sigma: 0, gap: 0, multiplicity: Math.min(rows, cols) }),
  });
}

/** a·bᵀ with integer entries. */
function rankOne(rows: number, cols: number): Adversary {
  const a = Float64Array.from({ length: rows }, (_, i) => ((i * 7) % 11) - 4);
  const b = Float64Array.from({ length: cols }, (_, j) => ((j * 5) % 13) - 6);
  const square = (x: Float64Array) => x.reduce((sum, value) => sum + value * value, 0);
  return adversary({
    name: `rank one, ${rows}×${cols}`,
    ...{ rows, cols },
    entries: () => filled(rows, cols, (i, j) => a[i] * b[j]),
    truth: () => ({
      ...{ sigma: Math.sqrt(square(a) * square(b)), gap: 1, multiplicity: 1 },
      u: a.map((x) => x / Math.sqrt(square(a))),
      v: b.map((x) => x / Math.sqrt(square(b))),
    }),
  });
}

/** Four Walsh functions as rows of unlike length: orthogonal, so that their lengths are the singular values. */
function walsh(long: number, tall: boolean): Adversary {
  const weights = [0.5, 1, 0.875, 0.25];
  const vector = Float64Array.from({ length: long }, (_, j) => sign(j % 4, 1) / Math.sqrt(long));
  return adversary({
    name: tall ? `${long}×4, orthogonal columns` : `4×${long}, orthogonal rows`,
    ...(tall ? { rows: long, cols: 4 } : { rows: 4, cols: long }),
    entries: () =>
      tall
        ? filled(long, 4, (i, j) => weights[j] * sign(i % 4, j))
        : filled(4, long, (i, j) => weights[i] * sign(j % 4, i)),
    truth: () => ({
      ...{ sigma: Math.sqrt(long), gap: 0.125, multiplicity: 1 },
      ...(tall ? { u: vector, v: axis(4, 1) } : { u: axis(4, 1), v: vector }),
    }),
  });
}

/** One entry of 1e8 that swallows the squares of all the others when they are added one by one. */
function swallowing(count: number): Adversary {
  return adversary({
    name: `${count}×1, 1e8 and then ones`,
    rows: count,
    cols: 1,
    entries: () => filled(count, 1, (i) => (i === 0 ? 1e8 : 1)),
    truth: (data) => {
      const sigma = Math.sqrt(1e16 + count - 1);
      return { sigma, gap: 1, multiplicity: 1, u: data.map((x) => x / sigma), v: Float64Array.of(1) };
    },
  });
}

/** Shapes, and matrices with next to nothing in them. */
export const shapes: readonly Adversary[] = [
  constant("1×1", 1, 1, 0.7),
  adversary({
    name: "1×1, negative",
    rows: 1,
    cols: 1,
    entries: () => Float64Array.of(-3),
    truth: () => ({ sigma: 3, gap: 1, multiplicity: 1, u: Float64Array.of(-1), v: Float64Array.of(1) }),
  }),
  adversary({
    name: "1×7",
    rows: 1,
    cols: 7,
    entries: () => Float64Array.from({ length: 7 }, (_, j) => j - 2),
    truth: (data) => ({
      ...{ sigma: Math.sqrt(35), gap: 1, multiplicity: 1 },
      ...{ u: Float64Array.of(1), v: unit(data) },
    }),
  }),
  constant("1000000×1, all 0.7", 1_000_000, 1, 0.7),
  constant("1×1000000, all 0.7", 1, 1_000_000, 0.7),
  swallowing(1_000_001),
  constant("100000×32, ones", 100_000, 32),
  walsh(50_000, true),
  walsh(50_000, false),
  rankOne(31, 47),
  rankOne(150, 90),
  zero(1, 1),
  zero(5, 3),
  zero(80, 100),
];

/** Entries that are not finite. */
export const refused: readonly Adversary[] = (
  [
    ["NaN in the last entry, 4×3", Number.NaN, 4, 3, 11],
    ["NaN in the middle, 90×90", Number.NaN, 90, 90, 4567],
    ["an infinite entry, 4×3", Number.POSITIVE_INFINITY, 4, 3, 5],
    ["a negative infinite entry, 80×100", Number.NEGATIVE_INFINITY, 80, 100, 7999],
  ] as const
).map(([name, value, rows, cols, at]) =>
  adversary({
    ...{ name, rows, cols },
    entries: () => filled(rows, cols, (i, j) => (i * cols + j === at ? value : 1)),
    truth: () => ({ sigma: Number.NaN, gap: 1, multiplicity: 1 }),
    answer: "refused",
  }),
);
