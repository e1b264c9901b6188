import { type Adversary, adversary, axis, filled } from "../adversary.js";
import { exactTruth } from "../exact-truth.js";
import { below, rotated } from "../hadamard.js";

/** 2^-10 is 1e-3, …, 2^-50 is 9e-16. */
const exponents = [10, 13, 17, 20, 23, 27, 30, 33, 37, 40, 43, 46, 50];
const size = (e: number) => (e > 49 ? 8 : 16);

function gap(e: number, n: number): Adversary {
  return rotated({
    name: `gap 2^-${e} ≈ ${(2 ** -e).toExponential(0)}, ${n}×${n}`,
    rows: n,
    cols: n,
    values: (i) => (i === 5 ? 1 : i === 2 ? 1 - 2 ** -e : below(i)),
  });
}

/** Two singular values ever closer. */
export const gaps: readonly Adversary[] = [
  ...exponents.map((e) => gap(e, size(e))),
  // Beyond what goes dense, where an iteration has to tell them apart.
  ...[10, 20, 30, 40, 46].map((e) => gap(e, 128)),
  rotated({
    name: "gap 2^-33 ≈ 1e-10, 512×128",
    rows: 512,
    cols: 128,
    values: (i) => (i === 7 ? 1 : i === 9 ? 1 - 2 ** -33 : below(i)),
  }),
  adversary({
    name: "gap 2^-30 ≈ 1e-9 on a diagonal, 200×200",
    rows: 200,
    cols: 200,
    entries: () =>
      filled(200, 200, (i, j) => (i !== j ? 0 : i === 120 ? 1 : i === 3 ? 1 - 2 ** -30 : below(i))),
    truth: () => ({ sigma: 1, gap: 2 ** -30, multiplicity: 1, u: axis(200, 120), v: axis(200, 120) }),
  }),
  // More values close together than a block has vectors.
  ...[20, 30, 40].map((e) =>
    rotated({
      name: `five values of spacing 2^-${e} ≈ ${(2 ** -e).toExponential(0)}, 128×128`,
      rows: 128,
      cols: 128,
      values: (i) => (i < 5 ? 1 - i * 2 ** -e : below(i)),
    }),
  ),
  adversary({
    name: "Wilkinson's W₂₁⁺, two values that agree in 14 digits",
    rows: 21,
    cols: 21,
    entries: () => filled(21, 21, (i, j) => (i === j ? Math.abs(i - 10) : Math.abs(i - j) === 1 ? 1 : 0)),
    truth: (data) => exactTruth(data, 21, 21, 7e-15),
  }),
];

/** σ₁ with every multiplicity. */
export const ties: readonly Adversary[] = [
  ...[2, 3, 4, 8, 16].map((k) => tie(k, 16, 16)),
  ...[2, 3, 4, 64, 128].map((k) => tie(k, 128, 128)),
  tie(2, 512, 128),
  tie(128, 128, 512),
  adversary({
    name: "tie of 2, star graph of order 90",
    rows: 90,
    cols: 90,
    entries: () => filled(90, 90, (i, j) => ((i === 0) !== (j === 0) ? 1 : 0)),
    truth: () => ({ sigma: Math.sqrt(89), gap: 0, multiplicity: 2 }),
  }),
  adversary({
    name: "tie of all, −I of order 70",
    rows: 70,
    cols: 70,
    entries: () => filled(70, 70, (i, j) => (i === j ? -1 : -0)),
    truth: () => ({ sigma: 1, gap: 0, multiplicity: 70 }),
  }),
];

function tie(k: number, rows: number, cols: number): Adversary {
  const all = k === Math.min(rows, cols);
  return rotated({
    name: `tie of ${all ? "all" : k}, ${rows}×${cols}`,
    ...{ rows, cols },
    // Not the first columns, which are the simplest.
    values: (i) => (i >= 3 && i < 3 + k ? 1 : all ? 1 : i + k > Math.min(rows, cols) && i < 3 ? 1 : below(i)),
  });
}
