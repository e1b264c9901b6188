import type { Tensor } from "@tensorflow/tfjs-core";

/** State of the tracking of an m×n matrix: unit vectors, or zero vectors. */
export type Tracked = {
  /** uᵀ·w·v after the step, a scalar */
  sigma: Tensor;
  /** left vector, 1×m */
  u: Tensor;
  /** right vector, 1×n */
  v: Tensor;
  /** the other left vectors as rows, at least one */
  subspace: Tensor;
};

/** The vectors from which a step starts. */
export type Near = Omit<Tracked, "sigma">;
