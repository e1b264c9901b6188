import { createRandom } from "../src/numerics/random.js";

/** A matrix whose largest singular triplet is known. */
export interface Known {
  name: string;
  data: Float64Array;
  shape: [number, number];
  sigma: number;
  /** σ₂; absent where nobody has said */
  second?: number;
  /** u₁ and v₁; absent where σ₁ is tied */
  u?: Float64Array;
  v?: Float64Array;
}

/** x ← (I − 2wwᵀ)·x on every stride-th element. */
function reflect(w: Float64Array, x: Float64Array, offset = 0, stride = 1): void {
  let dot = 0;
  for (let i = 0; i < w.length; i++) dot += w[i] * x[offset + i * stride];
  for (let i = 0; i < w.length; i++) x[offset + i * stride] -= 2 * dot * w[i];
}

/**
 * U·diag(σ)·Vᵀ with U and V products of three random reflections: orthogonal to a few ε, so that σ₁ and its
 * vectors are known as well as float64 can say.
 */
export function withSpectrum(
  m: number,
  n: number,
  spectrum: (i: number) => number,
  seed: number,
  name = "spectrum",
): Known {
  const random = createRandom(seed);
  const unit = (length: number) => {
    const w = Float64Array.from({ length }, () => random.normal());
    const norm = Math.hypot(...w);
    return w.map((x) => x / norm);
  };
  const left = [unit(m), unit(m), unit(m)];
  const right = [unit(n), unit(n), unit(n)];
  const data = new Float64Array(m * n);
  for (let i = 0; i < Math.min(m, n); i++) data[i * n + i] = spectrum(i);
  for (const w of left) for (let j = 0; j < n; j++) reflect(w, data, j, n);
  for (const w of right) for (let i = 0; i < m; i++) reflect(w, data, i * n, 1);
  const u = new Float64Array(m);
  const v = new Float64Array(n);
  u[0] = 1;
  v[0] = 1;
  for (const w of left) reflect(w, u);
  for (const w of right) reflect(w, v);
  const known: Known = { name, data, shape: [m, n], sigma: spectrum(0), u, v };
  if (Math.min(m, n) > 1) known.second = spectrum(1);
  else known.second = 0;
  return known;
}

/** Entries independent and standard normal. */
export function normalMatrix(
  m: number,
  n: number,
  seed: number,
): { data: Float64Array; shape: [number, number] } {
  const random = createRandom(seed);
  return { data: Float64Array.from({ length: m * n }, () => random.normal()), shape: [m, n] };
}

export function fromEntries(
  m: number,
  n: number,
  entry: (i: number, j: number) => number,
): { data: Float64Array; shape: [number, number] } {
  const data = new Float64Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j] = entry(i, j);
  return { data, shape: [m, n] };
}

/** ‖ûv̂ᵀ − uvᵀ‖_F without forming either, exact also where it is tiny. */
export function gradientDistance(
  a: { u: ArrayLike<number>; v: ArrayLike<number> },
  b: { u: ArrayLike<number>; v: ArrayLike<number> },
): number {
  // ûv̂ᵀ − uvᵀ = (û−u)v̂ᵀ + u(v̂−v)ᵀ once the signs agree.
  let sign = 0;
  for (let i = 0; i < a.v.length; i++) sign += a.v[i] * b.v[i];
  const s = sign < 0 ? -1 : 1;
  let du2 = 0;
  let dv2 = 0;
  let uu = 0;
  let vv = 0;
  let udu = 0;
  let vdv = 0;
  for (let i = 0; i < a.u.length; i++) {
    const d = s * a.u[i] - b.u[i];
    du2 += d * d;
    uu += b.u[i] * b.u[i];
    udu += b.u[i] * d;
  }
  for (let i = 0; i < a.v.length; i++) {
    const d = s * a.v[i] - b.v[i];
    dv2 += d * d;
    vv += a.v[i] * a.v[i];
    vdv += s * a.v[i] * d;
  }
  return Math.sqrt(Math.max(0, du2 * vv + uu * dv2 + 2 * udu * vdv));
}
