import { Matrix, SVD } from "ml-matrix";
import { createRandom } from "../../src/numerics/random.js";

/** A dense complex matrix as the package takes it: 2·m·n parts, row-major, interleaved. */
export interface Complex<D extends Float32Array | Float64Array = Float64Array> {
  data: D;
  shape: [number, number];
  dtype: "complex64" | "complex128";
}

/** A complex matrix whose largest singular triplet is known. */
export interface KnownComplex extends Complex {
  sigma: number;
  /** σ₂ */
  second: number;
  u: Float64Array;
  v: Float64Array;
}

/** The two types, with what is promised of each: σ, and the gradient's error times the relative gap. */
export const PRECISIONS = [
  {
    dtype: "complex128" as const,
    Type: Float64Array,
    eps: 2 ** -52,
    sigma: 1e-13,
    gradient: 1e-12,
    far: [1e-300, 1e300],
  },
  {
    dtype: "complex64" as const,
    Type: Float32Array,
    eps: 2 ** -23,
    sigma: 1e-6,
    gradient: 2e-6,
    far: [1e-30, 1e37],
  },
];
export type Precision = (typeof PRECISIONS)[number];

export function complex128(data: Float64Array, shape: [number, number]): Complex {
  return { data, shape, dtype: "complex128" };
}

/** The same matrix in another type, every part times a factor. */
export function cast(
  { data, shape }: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">,
  { Type, dtype }: Pick<Precision, "Type" | "dtype">,
  factor = 1,
): Complex<Float32Array | Float64Array> {
  const copy = new Type(data.length);
  for (let k = 0; k < data.length; k++) copy[k] = data[k] * factor;
  return { data: copy, shape, dtype };
}

export function fromComplexEntries(
  m: number,
  n: number,
  entry: (i: number, j: number) => readonly [re: number, im: number],
): Complex {
  const data = new Float64Array(2 * m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) [data[2 * (i * n + j)], data[2 * (i * n + j) + 1]] = entry(i, j);
  return complex128(data, [m, n]);
}

/** Parts independent and standard normal. */
export function complexNormal(m: number, n: number, seed: number): Complex {
  const random = createRandom(seed);
  return complex128(
    Float64Array.from({ length: 2 * m * n }, () => random.normal()),
    [m, n],
  );
}

export function randomVector(n: number, seed: number): Float64Array {
  return complexNormal(n, 1, seed).data;
}

export function unitVector(n: number, seed: number): Float64Array {
  const w = randomVector(n, seed);
  const norm = Math.hypot(...w);
  return w.map((x) => x / norm);
}

/** Σ conj(wᵢ)·xᵢ */
export function hermitianInner(w: ArrayLike<number>, x: ArrayLike<number>): [re: number, im: number] {
  let re = 0;
  let im = 0;
  for (let j = 0; j < w.length; j += 2) {
    re += w[j] * x[j] + w[j + 1] * x[j + 1];
    im += w[j] * x[j + 1] - w[j + 1] * x[j];
  }
  return [re, im];
}

/** ‖XᴴX − I‖_max of vectors that should be orthonormal over the complex numbers. */
export function offOrthonormal(vectors: readonly ArrayLike<number>[]): number {
  let most = 0;
  vectors.forEach((x, i) => {
    for (let j = 0; j <= i; j++) {
      const [re, im] = hermitianInner(vectors[j], x);
      most = Math.max(most, Math.hypot(re - (i === j ? 1 : 0), im));
    }
  });
  return most;
}

/** x ← (I − 2wwᴴ)·x on every stride-th complex element, w or its conjugate. */
function reflect(w: Float64Array, x: Float64Array, offset = 0, stride = 1, conjugate = false): void {
  let re = 0;
  let im = 0;
  const sign = conjugate ? -1 : 1;
  for (let i = 0; i < w.length / 2; i++) {
    const [a, b] = [w[2 * i], sign * w[2 * i + 1]];
    const at = 2 * (offset + i * stride);
    re += a * x[at] + b * x[at + 1];
    im += a * x[at + 1] - b * x[at];
  }
  for (let i = 0; i < w.length / 2; i++) {
    const [a, b] = [w[2 * i], sign * w[2 * i + 1]];
    const at = 2 * (offset + i * stride);
    x[at] -= 2 * (a * re - b * im);
    x[at + 1] -= 2 * (a * im + b * re);
  }
}

/**
 * U·diag(σ)·Vᴴ, U and V products of three complex Householder reflections and of a diagonal of phases: unitary to a few
 * ε, so that σ₁ and its vectors are known as well as float64 can say.
 */
export function withComplexSpectrum(
  m: number,
  n: number,
  spectrum: (i: number) => number,
  seed: number,
): KnownComplex {
  const left = [1, 2, 3].map((k) => unitVector(m, 7 * seed + k));
  const right = [4, 5, 6].map((k) => unitVector(n, 7 * seed + k));
  const data = new Float64Array(2 * m * n);
  const phase = 0.7 + seed;
  for (let i = 0; i < Math.min(m, n); i++) {
    data[2 * (i * n + i)] = spectrum(i) * Math.cos(phase * (i + 1));
    data[2 * (i * n + i) + 1] = spectrum(i) * Math.sin(phase * (i + 1));
  }
  for (const w of left) for (let j = 0; j < n; j++) reflect(w, data, j, n);
  // A·(I − 2wwᴴ): each row is multiplied by the conjugate reflection.
  for (const w of right) for (let i = 0; i < m; i++) reflect(w, data, i * n, 1, true);
  const u = new Float64Array(2 * m);
  const v = new Float64Array(2 * n);
  [u[0], u[1]] = [Math.cos(phase), Math.sin(phase)];
  v[0] = 1;
  for (const w of left) reflect(w, u);
  for (const w of right) reflect(w, v);
  return {
    ...complex128(data, [m, n]),
    sigma: spectrum(0),
    second: Math.min(m, n) > 1 ? spectrum(1) : 0,
    u,
    v,
  };
}

/** A·x */
export function times(
  { data, shape: [m, n] }: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">,
  x: ArrayLike<number>,
): Float64Array {
  const y = new Float64Array(2 * m);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [a, b] = [data[2 * (i * n + j)], data[2 * (i * n + j) + 1]];
      y[2 * i] += a * x[2 * j] - b * x[2 * j + 1];
      y[2 * i + 1] += a * x[2 * j + 1] + b * x[2 * j];
    }
  return y;
}

/** Aᴴ·y */
export function adjointTimes(
  { data, shape: [m, n] }: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">,
  y: ArrayLike<number>,
): Float64Array {
  const x = new Float64Array(2 * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [a, b] = [data[2 * (i * n + j)], -data[2 * (i * n + j) + 1]];
      x[2 * j] += a * y[2 * i] - b * y[2 * i + 1];
      x[2 * j + 1] += a * y[2 * i + 1] + b * y[2 * i];
    }
  return x;
}

/** √(‖Av−σu‖² + ‖Aᴴu−σv‖²), by plain loops. */
export function residualOf(
  A: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">,
  { sigma, u, v }: { sigma: number; u: ArrayLike<number>; v: ArrayLike<number> },
): number {
  return Math.hypot(
    ...times(A, v).map((x, i) => x - sigma * u[i]),
    ...adjointTimes(A, u).map((x, j) => x - sigma * v[j]),
  );
}

export interface ComplexPair {
  u: ArrayLike<number>;
  v: ArrayLike<number>;
}

/** ‖ûv̂ᴴ − uvᴴ‖_F without forming either, exact also where it is tiny. Pairs are known up to a common phase. */
export function complexDistance(a: ComplexPair, b: ComplexPair): number {
  // ûv̂ᴴ − uvᴴ = (û−u)v̂ᴴ + u(v̂−v)ᴴ once the phases agree.
  const [re, im] = hermitianInner(a.v, b.v);
  const size = Math.hypot(re, im) || 1;
  const turned = (x: ArrayLike<number>) => {
    const out = new Float64Array(x.length);
    for (let j = 0; j < x.length; j += 2) {
      out[j] = (re * x[j] - im * x[j + 1]) / size;
      out[j + 1] = (re * x[j + 1] + im * x[j]) / size;
    }
    return out;
  };
  const [u, v] = [turned(a.u), turned(a.v)];
  const du = u.map((x, i) => x - b.u[i]);
  const dv = v.map((x, i) => x - b.v[i]);
  const square = (x: ArrayLike<number>) => hermitianInner(x, x)[0];
  // ⟨du·v̂ᴴ, u·dvᴴ⟩ = (duᴴu)·(dvᴴv̂)
  const [p, q] = hermitianInner(du, b.u);
  const [r, s] = hermitianInner(dv, v);
  const cross = p * r - q * s;
  return Math.sqrt(Math.max(0, square(du) * square(v) + square(b.u) * square(dv) + 2 * cross));
}

/** u·vᴴ */
export function outerOf({ u, v }: ComplexPair): Float64Array {
  const out = new Float64Array((u.length * v.length) / 2);
  let to = 0;
  for (let i = 0; i < u.length; i += 2)
    for (let j = 0; j < v.length; j += 2) {
      out[to++] = u[i] * v[j] + u[i + 1] * v[j + 1];
      out[to++] = u[i + 1] * v[j] - u[i] * v[j + 1];
    }
  return out;
}

/** The blocks [Re −Im; Im Re]: a real 2m×2n matrix with every singular value twice. */
export function blockForm({
  data,
  shape: [m, n],
}: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">): Matrix {
  const M = new Matrix(2 * m, 2 * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [a, b] = [data[2 * (i * n + j)], data[2 * (i * n + j) + 1]];
      M.set(i, j, a);
      M.set(m + i, n + j, a);
      M.set(i, n + j, -b);
      M.set(m + i, j, b);
    }
  return M;
}

/** Singular values by ml-matrix, descending. */
export function valuesByMlMatrix(A: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">): number[] {
  const { diagonal } = new SVD(blockForm(A), { autoTranspose: true });
  return [...diagonal].sort((a, b) => b - a).filter((_, k) => k % 2 === 0);
}

/** ‖G‖_* by ml-matrix. */
export function complexNuclear(A: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">): number {
  return valuesByMlMatrix(A).reduce((a, b) => a + b, 0);
}
