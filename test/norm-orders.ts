/** Every order of `matrixNorm`. */
export const NORM_ORDERS = [
  2,
  -2,
  "fro",
  "nuc",
  1,
  -1,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
] as const;
