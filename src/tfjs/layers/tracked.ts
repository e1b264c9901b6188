import type { Tensor } from "@tensorflow/tfjs-core";

/** Where the tracking of an m×n matrix stands: unit vectors, or zero where there is none. */
export type Tracked = {
  /** uᵀ·w·v at the time, a scalar */
  sigma: Tensor;
  /** left vector, 1×m */
  u: Tensor;
  /** right vector, n×1 */
  v: Tensor;
  /** further left vectors as rows, at least one */
  others: Tensor;
};

/** What a step starts from. */
export type Near = Omit<Tracked, "sigma">;
