import type { LinearSystem } from "./h-infinity.js";

/** A system whose H∞ norm is known, and where it is reached. */
export interface KnownSystem {
  readonly name: string;
  readonly system: LinearSystem;
  readonly norm: number;
  readonly omega: number;
}

const identity = (n: number) =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
const zero = (n: number) => identity(n).map((row) => row.map(() => 0));

/** 1/(s + a): the norm is 1/a, at ω = 0. */
export function lag(a: number): KnownSystem {
  return {
    name: `1/(s + ${a})`,
    system: { A: [[-a]], B: [[1]], C: [[1]], D: [[0]] },
    norm: 1 / a,
    omega: 0,
  };
}

/** s/(s + 1): the norm is 1, at ω = ∞. */
export function highPass(): KnownSystem {
  return {
    name: "s/(s + 1)",
    system: { A: [[-1]], B: [[1]], C: [[-1]], D: [[1]] },
    norm: 1,
    omega: Number.POSITIVE_INFINITY,
  };
}

/** 1/(s² + 2ζs + 1) with ζ < 1/√2: the norm is 1/(2ζ√(1 − ζ²)), at ω = √(1 − 2ζ²). */
export function resonance(zeta: number): KnownSystem {
  return {
    name: `1/(s² + 2ζs + 1), ζ = ${zeta}`,
    system: {
      A: [
        [0, 1],
        [-1, -2 * zeta],
      ],
      B: [[0], [1]],
      C: [[1, 0]],
      D: [[0]],
    },
    norm: 1 / (2 * zeta * Math.sqrt(1 - zeta * zeta)),
    omega: Math.sqrt(1 - 2 * zeta * zeta),
  };
}

/**
 * A damped rotation with two inputs and two outputs: (sI − A)⁻¹ with A = [−a w; −w −a]. A is normal with the eigenvalues
 * −a ± iw, so the singular values are 1/|iω + a ± iw|, and the norm is 1/a, at ω = w.
 */
export function rotor(a: number, w: number): KnownSystem {
  return {
    name: `rotor, 2×2, a = ${a}, w = ${w}`,
    system: {
      A: [
        [-a, w],
        [-w, -a],
      ],
      B: identity(2),
      C: identity(2),
      D: zero(2),
    },
    norm: 1 / a,
    omega: w,
  };
}

/**
 * Heat in a rod of n cells with cold ends, every cell heated and measured: (sI + K)⁻¹, K tridiagonal with 2 on the
 * diagonal and −1 beside it. The norm is 1/λ for the least eigenvalue λ = 2 − 2cos(π/(n + 1)) of K, at ω = 0.
 */
export function rod(n: number): KnownSystem {
  const A = identity(n).map((row, i) => row.map((_, j) => (i === j ? -2 : Math.abs(i - j) === 1 ? 1 : 0)));
  return {
    name: `heat in a rod of ${n} cells`,
    system: { A, B: identity(n), C: identity(n), D: zero(n) },
    norm: 1 / (2 - 2 * Math.cos(Math.PI / (n + 1))),
    omega: 0,
  };
}
