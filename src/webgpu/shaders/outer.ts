import { BINDING, ENTRY, GROUP, PARAMS } from "./common.js";

/** Numbers that a thread writes. */
export const WRITTEN = 8;

/** A part of u·vᵀ, of p.rows rows from p.first_row on: v lies in the basis' place, u in the side's, the result in the partials'. */
export const outer = `${PARAMS}
@group(0) @binding(${BINDING.basis}) var<storage, read_write> v: array<f32>;
@group(0) @binding(${BINDING.side}) var<storage, read_write> u: array<f32>;
@group(0) @binding(${BINDING.partials}) var<storage, read_write> to: array<f32>;
${ENTRY}
  let begin = group * ${GROUP * WRITTEN}u;
  let end = min(p.rows * p.cols, begin + ${GROUP * WRITTEN}u);
  for (var i = begin + local; i < end; i += ${GROUP}u) {
    to[p.to + i] = u[p.first_row + i / p.cols] * v[i % p.cols];
  }
}`;
