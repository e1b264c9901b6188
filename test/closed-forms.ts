import { Matrix, SVD } from "ml-matrix";

/** A matrix whose norm is known in closed form. */
export interface ClosedForm {
  name: string;
  m: number;
  n: number;
  entry: (i: number, j: number) => number;
  sigma: number;
}

export const CLOSED: ClosedForm[] = [
  { name: "ones 1×1", m: 1, n: 1, entry: () => 1, sigma: 1 },
  { name: "ones 30×50", m: 30, n: 50, entry: () => 1, sigma: Math.sqrt(1500) },
  { name: "ones 90×80", m: 90, n: 80, entry: () => 1, sigma: Math.sqrt(7200) },
  {
    name: "rank one",
    m: 77,
    n: 66,
    entry: (i, j) => (i + 1) * (j + 1),
    sigma: Math.sqrt(((77 * 78 * 155) / 6) * ((66 * 67 * 133) / 6)),
  },
  { name: "row", m: 1, n: 9, entry: (_, j) => j + 1, sigma: Math.sqrt((9 * 10 * 19) / 6) },
  { name: "column", m: 9, n: 1, entry: (i) => i + 1, sigma: Math.sqrt((9 * 10 * 19) / 6) },
  {
    name: "tridiagonal (1, −3, 1) of order 40",
    m: 40,
    n: 40,
    entry: (i, j) => (i === j ? -3 : Math.abs(i - j) === 1 ? 1 : 0),
    sigma: 3 + 2 * Math.cos(Math.PI / 41),
  },
  {
    name: "differences 119×120",
    m: 119,
    n: 120,
    entry: (i, j) => (j === i ? -1 : j === i + 1 ? 1 : 0),
    sigma: 2 * Math.cos(Math.PI / 240),
  },
  {
    name: "lower-triangular ones of order 100",
    m: 100,
    n: 100,
    entry: (i, j) => (j <= i ? 1 : 0),
    sigma: 1 / (2 * Math.sin(Math.PI / 402)),
  },
  {
    name: "I + uuᵀ",
    m: 70,
    n: 70,
    entry: (i, j) => (i === j ? 1 : 0) + Math.sin(i) * Math.sin(j),
    sigma: 1 + Array.from({ length: 70 }, (_, i) => Math.sin(i) ** 2).reduce((a, b) => a + b),
  },
  {
    name: "2×2",
    m: 2,
    n: 2,
    entry: (i, j) =>
      [
        [3, 4],
        [0, 5],
      ][i][j],
    sigma: (Math.sqrt(50 + 30) + Math.sqrt(50 - 30)) / 2,
  },
  {
    name: "circulant of order 12",
    m: 12,
    n: 12,
    entry: (i, j) => [4, 1, 0.5, 0, 0, 0, 0, 0, 0, 0, 0.5, 1][(j - i + 12) % 12],
    sigma: 7,
  },
];

export const TIED: ClosedForm[] = [
  { name: "identity of order 5", m: 5, n: 5, entry: (i, j) => (i === j ? 1 : 0), sigma: 1 },
  { name: "identity of order 100", m: 100, n: 100, entry: (i, j) => (i === j ? 2 : 0), sigma: 2 },
  { name: "identity 90×80", m: 90, n: 80, entry: (i, j) => (i === j ? 1 : 0), sigma: 1 },
  { name: "Hadamard 16", m: 16, n: 16, entry: hadamard, sigma: 4 },
  { name: "Hadamard 128", m: 128, n: 128, entry: hadamard, sigma: Math.sqrt(128) },
  {
    name: "star graph",
    m: 30,
    n: 30,
    entry: (i, j) => ((i === 0) !== (j === 0) ? 1 : 0),
    sigma: Math.sqrt(29),
  },
  {
    name: "star graph of order 200",
    m: 200,
    n: 200,
    entry: (i, j) => ((i === 0) !== (j === 0) ? 1 : 0),
    sigma: Math.sqrt(199),
  },
];

function hadamard(i: number, j: number): number {
  let bits = i & j;
  let parity = 0;
  for (; bits; bits &= bits - 1) parity ^= 1;
  return parity ? -1 : 1;
}

/** ‖G‖_* by an independent SVD. */
export function nuclear(data: ArrayLike<number>, m: number, n: number): number {
  const G = new Matrix(m, n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) G.set(i, j, data[i * n + j]);
  return new SVD(G, { autoTranspose: true }).diagonal.reduce((a, b) => a + b, 0);
}

/** Σ aᵢbᵢ with Neumaier's correction: the plain sum of 7200 equal numbers is itself off by 1e-13. */
export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < a.length; i++) {
    const term = a[i] * b[i];
    const next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + lost;
}
