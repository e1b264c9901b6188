/** Fixed-point numbers of 2⁻²⁴⁰ as whole multiples of it. */
const BITS = 240n;

function fixed(x: number): bigint {
  // Exact: |x| ≥ 2⁻¹⁸⁰ has no bit below 2⁻²³³.
  let shift = 0n;
  let mantissa = x;
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    shift++;
  }
  return (BigInt(mantissa) << BITS) >> shift;
}

function root(x: bigint): bigint {
  let r = 1n << BigInt(Math.ceil(x.toString(2).length / 2));
  for (;;) {
    const next = (r + x / r) >> 1n;
    if (next >= r) return r;
    r = next;
  }
}

function asNumber(x: bigint): number {
  const size = (x < 0n ? -x : x).toString(2).length;
  const drop = BigInt(Math.max(0, size - 64));
  // 64 bits are rounded once, correctly, to 53.
  return Number(x >> drop) * 2 ** (Number(drop) - Number(BITS));
}

/**
 * The largest singular triplet of a small matrix of doubles, to 40 digits and more: power iteration in integers, on
 * AᵀA squared seven times, until it stands still. Its σ₂ should not be above 0.999·σ₁.
 */
export function exactTriplet({ data, shape: [m, n] }: { data: ArrayLike<number>; shape: readonly number[] }) {
  const A = Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => fixed(data[i * n + j])));
  const norm = (x: bigint[]) => root(x.reduce((sum, value) => sum + value * value, 0n));
  const times = (rows: bigint[][], x: bigint[]) =>
    rows.map((row) => row.reduce((sum, value, j) => sum + value * x[j], 0n) >> BITS);
  const T = Array.from({ length: n }, (_, j) => A.map((row) => row[j]));
  let G = T.map((row) => times(T, row));
  for (let square = 0; square < 7; square++) {
    G = G.map((row) => times(G, row));
    // Of trace 1: nothing overflows or vanishes.
    const trace = G.reduce((sum, row, j) => sum + row[j], 0n);
    G = G.map((row) => row.map((value) => (value << BITS) / trace));
  }
  const scaled = (x: bigint[]) => {
    const size = norm(x);
    return x.map((value) => (value << BITS) / size);
  };
  let v = scaled(G.map((_, j) => fixed(1 + j / 64)));
  for (let step = 0; step < 400; step++) {
    const next = scaled(times(G, v));
    const still = next.every((value, j) => (value > v[j] ? value - v[j] : v[j] - value) < 1n << 20n);
    v = next;
    if (still) break;
  }
  const image = times(A, v);
  return {
    sigma: asNumber(norm(image)),
    u: Float64Array.from(scaled(image), asNumber),
    v: Float64Array.from(v, asNumber),
  };
}
