import type { Certificate } from "../index.js";

/** Bounds on a norm: a certificate, or the trivial bounds if the matrix is not in memory. */
export type Bounds = Certificate | typeof UNBOUNDED;

export const UNBOUNDED = {
  lower: 0,
  upper: Number.POSITIVE_INFINITY,
  sigma2Upper: Number.POSITIVE_INFINITY,
  gradientErrorBound: Number.POSITIVE_INFINITY,
  proven: false,
} as const;
