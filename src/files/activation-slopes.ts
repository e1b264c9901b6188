import { up } from "../certify/rounding.js";
import { rootUp } from "./rounded-roots.js";

// Least Lipschitz constants of activations, each a decimal above the exact value. docs/certificate.md has the proofs.

/** 1/(1 + e^−x): its derivative σ(1 − σ) is at most ¼. */
export const SIGMOID_SLOPE = 0.25;

/**
 * x·σ(x), SiLU: 1.09983932012886692, at x = 2.3994. For x·σ(βx) it is the same for every β: with t = βx the slope is
 * σ(t) + t·σ'(t). At β = 0 it is ½.
 */
export const SILU_SLOPE = 1.099839320129;

/**
 * erf(t) + t·erf'(t) = erf(t) + 2t·exp(−t²)/√π lies between −g and g, g = erf(1) + 2/(√π·e) = 1.25780829037030957 at
 * t = 1: its derivative is 4(1 − t²)·exp(−t²)/√π. So x·(a + b·erf(s·x)) has the slope |a| + |b|·g, for every s.
 */
const ERF_PART = 1.257808290371;

/** x·(1 + erf(x/√2))/2: ½ + g/2 = 1.12890414518515479. */
export const GELU_SLOPE = 1.128904145186;

/**
 * tanh(u) + t·u'(t)/cosh²(u), where u = t + μ·t³, for μ from `TANH_GELU.cubic[0]` to `[1]`; at μ = 0.044715·π/2 it is
 * 1.25798613731754353, at t = 1.1318.
 */
const TANH_PART = 1.25799;

/** x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2: (1 + 1.25798613731754353)/2 = 1.12899306865877177. */
export const TANH_GELU_SLOPE = 1.128993068659;

/** The coefficients of x³ over the cube of that of x, in the argument of the tanh, for which `TANH_PART` is proven. */
export const TANH_GELU_CUBIC: readonly [number, number] = [0.0702361, 0.0702401];

/** x·tanh(log(1 + eˣ)): 1.08849816125172786, at x = 1.4906. */
export const MISH_SLOPE = 1.088498161252;

/** x·clip(αx + ½, 0, 1) for every α: where the clip has no effect, αx ≤ ½, and the slope is 2αx + ½. */
export const HARD_SWISH_SLOPE = 1.5;

/**
 * diag(p) − p·pᵀ of a softmax p is at most ½: its form is the variance of a vector, two entries of which differ by √2 at
 * most.
 */
export const SOFTMAX_SLOPE = 0.5;

/** The derivative of erf is 2·exp(−x²)/√π, at most 2/√π = 1.12837916709551257. */
export const ERF_SLOPE = 1.128379167096;

/** A slope of c·x·(a + b·erf(s·x)), for every s. */
export function erfGateSlope(c: number, a: number, b: number): number {
  return up(Math.abs(c) * up(Math.abs(a) + up(Math.abs(b) * ERF_PART)));
}

/** A slope of c·x·(a + b·tanh(u)), u = k·x + m·x³ with m/k³ in `TANH_GELU_CUBIC`. */
export function tanhGateSlope(c: number, a: number, b: number): number {
  return up(Math.abs(c) * up(Math.abs(a) + up(Math.abs(b) * TANH_PART)));
}

/**
 * The least slope of x·clip(a·x + b, low, high), as Hard Swish is. Where the clip has an effect, the slope is low or high;
 * between, it is 2(a·x + b) − b, which lies between 2·low − b and 2·high − b. Here low ≤ high, and both are finite.
 */
export function clipGateSlope(b: number, low: number, high: number): number {
  return up(Math.max(Math.abs(low), Math.abs(high), up(Math.abs(2 * low - b)), up(Math.abs(2 * high - b))));
}

/** A slope of an activation with α = `alpha`; nothing if it has none. */
export const PARAMETRIC_SLOPES = {
  /** αx for x < 0, x otherwise */
  LeakyRelu: (alpha: number): number => Math.max(1, Math.abs(alpha)),
  /** α(eˣ − 1) for x < 0, x otherwise */
  Elu: (alpha: number): number => Math.max(1, Math.abs(alpha)),
  /** α(exp(x/α) − 1) for x < 0, x otherwise; for α < 0 it grows like exp */
  Celu: (alpha: number): number | undefined => (alpha > 0 ? 1 : undefined),
  /** x for x > α, 0 otherwise; a step unless α = 0 */
  ThresholdedRelu: (alpha: number): number | undefined => (alpha === 0 ? 1 : undefined),
} as const;

/** The largest slope of log(softmax) of n numbers: I − 1·pᵀ is a projection, and has the norm of 1·pᵀ, √n·‖p‖ ≤ √n. */
export function logSoftmaxSlope(n: number): number {
  return rootUp(n);
}

/** γ·α(eˣ − 1) for x < 0, γ·x otherwise. */
export function seluSlope(alpha: number, gamma: number): number {
  return Math.max(Math.abs(gamma), up(Math.abs(alpha * gamma)));
}
