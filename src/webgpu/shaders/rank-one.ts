import { BINDING, ENTRY, GROUP, PARAMS } from "./common.js";

/** Numbers that a thread writes. Chosen: enough to repay the start of a thread. */
export const NUMBERS_PER_THREAD = 8;

/** p.rows rows of u·vᵀ, from p.first_row on. v is bound as `basis`, u as `side` and the result as `partials`. */
export const rankOne = `${PARAMS}
@group(0) @binding(${BINDING.basis}) var<storage, read_write> v: array<f32>;
@group(0) @binding(${BINDING.side}) var<storage, read_write> u: array<f32>;
@group(0) @binding(${BINDING.partials}) var<storage, read_write> to: array<f32>;
${ENTRY}
  let begin = group * ${GROUP * NUMBERS_PER_THREAD}u;
  let end = min(p.rows * p.cols, begin + ${GROUP * NUMBERS_PER_THREAD}u);
  for (var i = begin + local; i < end; i += ${GROUP}u) {
    to[p.to + i] = u[p.first_row + i / p.cols] * v[i % p.cols];
  }
}`;
