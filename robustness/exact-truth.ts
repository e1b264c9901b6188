import { dotExactly, near, root, scaleFor, shortRows } from "../test/certify/exact.js";
import type { Truth } from "./adversary.js";

const BITS = 700n;

/**
 * σ₁ of a small matrix of doubles, its multiplicity and its vectors, from integers of 700 bits.
 *
 * The Gram matrix G is exact. Squared over and over, with its trace kept at 1, it tends to P/k, where P projects onto
 * the k right singular vectors of σ₁; then σ₁² = tr(PG)/k. With 64 squarings, values closer than 1e-18·σ₁ alone pass for
 * equal, and over 180 digits are left.
 *
 * @param gap  1 − σ₂/σ₁, roughly, for the truth; not looked at
 */
export function exactTruth(data: Float64Array, rows: number, cols: number, gap: number): Truth {
  const scale = scaleFor(data);
  const A = shortRows(data, rows, cols, scale);
  const G = A.map((x) => A.map((y) => dotExactly(x, y)));
  const normalized = (M: bigint[][]) => {
    const trace = M.reduce((sum, row, i) => sum + row[i], 0n);
    return M.map((row) => row.map((x) => (x << BITS) / trace));
  };
  let M = normalized(G);
  for (let k = 0; k < 64; k++) {
    const last = M;
    M = last.map((row) => row.map(() => 0n));
    // Symmetric: half of it is computed.
    for (let i = 0; i < last.length; i++)
      for (let j = 0; j <= i; j++) {
        const product = dotExactly(last[i], last[j]);
        M[i][j] = product;
        M[j][i] = product;
      }
    M = normalized(M);
    if (M.every((row, i) => row.every((x, j) => (x - last[i][j]) ** 2n < 1n << 300n))) break;
  }
  const square = M.reduce((sum, row, i) => sum + dotExactly(row, G[i]), 0n);
  // 200 bits below the point of a root, also where the entries are tiny.
  const sigma = near(root(square << 400n), Number(BITS / 2n) + 200 + scale);
  const weight = M.reduce((sum, row) => sum + dotExactly(row, row), 0n);
  const multiplicity = Math.round(1 / near(weight, 2 * Number(BITS)));
  if (multiplicity > 1) return { sigma, gap: 0, multiplicity };

  const largest = M.reduce((most, row, i) => (row[i] > M[most][most] ? i : most), 0);
  const short = M[largest];
  const long = A[0].map((_, j) => A.reduce((sum, row, i) => sum + row[j] * short[i], 0n));
  const [u, v] = rows <= cols ? [short, long] : [long, short];
  return { sigma, gap, multiplicity, u: unitOf(u), v: unitOf(v) };
}

/** x/‖x‖ in doubles, from integers of any size. */
function unitOf(x: readonly bigint[]): Float64Array {
  const length = root(dotExactly(x, x));
  return Float64Array.from(x, (value) => near((value << BITS) / length, Number(BITS)));
}

/** Whether doubles are exactly what a narrower format can hold; NaN and infinities are in all of them. */
export function fits(data: Float64Array, format: "float32" | "float16" | "bfloat16"): boolean {
  if (format === "float32") return data.every((x) => Object.is(Math.fround(x), x));
  const [digits, least, most] = format === "float16" ? [11, -24, 2 ** 16] : [8, -133, 2 ** 128];
  return data.every((x) => {
    if (x === 0 || !Number.isFinite(x)) return true;
    if (Math.abs(x) >= most || Math.abs(x) < 2 ** least) return false;
    const top = Math.floor(Math.log2(Math.abs(x)));
    return Number.isInteger(x * 2 ** -Math.max(top - digits + 1, least));
  });
}
