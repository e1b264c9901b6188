import type { Certificate } from "../index.js";

/** What is certain of a norm: as a certificate has it or, of a matrix that is not in memory, nothing. */
export type Bounds = Certificate | typeof UNBOUNDED;

export const UNBOUNDED = {
  lower: 0,
  upper: Number.POSITIVE_INFINITY,
  sigma2Upper: Number.POSITIVE_INFINITY,
  gradientErrorBound: Number.POSITIVE_INFINITY,
  proven: false,
} as const;
