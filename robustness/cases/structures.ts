import { type Adversary, adversary, filled, unit } from "../adversary.js";
import { exactTruth } from "../exact-truth.js";

function exact(name: string, rows: number, cols: number, gap: number, at: (i: number, j: number) => number) {
  return adversary({
    ...{ name, rows, cols },
    entries: () => filled(rows, cols, at),
    truth: (data) => exactTruth(data, rows, cols, gap),
  });
}

/** Kahan's matrix: sⁱ on the diagonal, −c·sⁱ above it. */
function kahan(i: number, j: number): number {
  const [s, c] = [Math.sin(1.2), Math.cos(1.2)];
  return i === j ? s ** i : i < j ? -c * s ** i : 0;
}

const binomial = (n: number, k: number): number => (k === 0 ? 1 : (binomial(n - 1, k - 1) * n) / k);

/** 2^10 and −2^10 in turn, and a row of ones: the columns' product is 1, left over from terms of a million. */
const cancelling = (big: number) => (i: number, j: number) =>
  i === 8 ? 1 : j === 1 && i % 2 === 1 ? -big : big;

/** Matrices that textbooks warn of. */
export const structures: readonly Adversary[] = [
  exact("Hilbert 10×10", 10, 10, 0.8, (i, j) => 1 / (i + j + 1)),
  exact("Hilbert 20×6", 20, 6, 0.8, (i, j) => 1 / (i + j + 1)),
  exact("Kahan 10×10, θ = 1.2", 10, 10, 0.3, kahan),
  exact("Pascal 12×12", 12, 12, 0.97, (i, j) => binomial(i + j, i)),
  exact("Vandermonde 12×6", 12, 6, 0.9, (i, j) => (i + 1) ** j),
  exact("Läuchli 6×5, ε = 2^-27", 6, 5, 1, (i, j) => (i === 0 ? 1 : i === j + 1 ? 2 ** -27 : 0)),
  exact("Gram matrix that cancels to 2^-21", 9, 2, 2 ** -23, cancelling(2 ** 10)),
  exact("Gram matrix that cancels to 2^-41", 9, 2, 2 ** -43, cancelling(2 ** 20)),
  exact("Gram matrix that cancels to 2^-53", 9, 2, 2 ** -55, cancelling(2 ** 26)),
  exact("Frank 12×12", 12, 12, 0.7, (i, j) => (j < i - 1 ? 0 : 12 - Math.max(i, j))),
  exact("Jordan block of order 12", 12, 12, 0.02, (i, j) => (i === j || j === i + 1 ? 1 : 0)),
  exact("Grcar 14×14", 14, 14, 0.05, (i, j) => (j === i - 1 ? -1 : j >= i && j <= i + 3 ? 1 : 0)),
  exact("one entry of 2^30 among ones, 9×7", 9, 7, 1, (i, j) => (i === 4 && j === 5 ? 2 ** 30 : 1)),
  adversary({
    name: "lower-triangular ones of order 100",
    rows: 100,
    cols: 100,
    entries: () => filled(100, 100, (i, j) => (j <= i ? 1 : 0)),
    // σ = 1/(2 sin(π/(4n+2))), vectors of sines and cosines.
    truth: () => ({
      ...{ sigma: 1 / (2 * Math.sin(Math.PI / 402)), gap: 2 / 3, multiplicity: 1 },
      u: unit(Array.from({ length: 100 }, (_, i) => Math.sin(((i + 1) * Math.PI) / 201))),
      v: unit(Array.from({ length: 100 }, (_, j) => Math.cos(((2 * j + 1) * Math.PI) / 402))),
    }),
  }),
  adversary({
    name: "differences 99×100, σ₂ within 4e-4",
    rows: 99,
    cols: 100,
    entries: () => filled(99, 100, (i, j) => (j === i ? -1 : j === i + 1 ? 1 : 0)),
    // σ = 2cos(π/2n): v has cosines, u sines, of the highest frequency.
    truth: () => ({
      ...{ sigma: 2 * Math.cos(Math.PI / 200), gap: 3.7e-4, multiplicity: 1 },
      u: unit(Array.from({ length: 99 }, (_, i) => -Math.sin((99 * (i + 1) * Math.PI) / 100))),
      v: unit(Array.from({ length: 100 }, (_, j) => Math.cos((99 * (j + 0.5) * Math.PI) / 100))),
    }),
  }),
];
