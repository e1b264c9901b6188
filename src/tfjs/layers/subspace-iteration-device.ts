/** One step of subspace iteration by tensor operations, for data on a device. */
import {
  abs,
  add,
  concat,
  div,
  max,
  mul,
  sign,
  slice,
  sqrt,
  step,
  sub,
  sum,
  type Tensor,
  tidy,
} from "@tensorflow/tfjs-core";
import type { Products } from "./layer-map.js";
import type { Near, Tracked } from "./tracked.js";

/**
 * As `follow`, with two vectors (u and the first of `subspace`), and without reading anything back.
 *
 * Cost: two products with two vectors, about sixty kernels on vectors.
 */
export function followOnDevice(A: Products, { u, v, subspace }: Near): Tracked {
  return tidy(() => {
    const { rows: m, columns: n } = A;
    const second = slice(subspace, [0, 0], [1, m]);
    const rest = slice(subspace, [1, 0]);
    const images = A.fromLeft(concat([u, second], 0));
    const z1 = unit(slice(images, [0, 0], [1, n]), v);
    // Normalized each time, because little may be left; orthogonalized twice, which is enough.
    let z2 = unit(slice(images, [1, 0], [1, n]));
    for (let i = 0; i < 2; i++) z2 = unit(sub(z2, mul(sum(mul(z1, z2)), z1)));

    const y = A.fromRight(concat([z1, z2], 0));
    const y1 = slice(y, [0, 0], [1, m]);
    const y2 = slice(y, [1, 0], [1, m]);
    const { c, s } = rotation(y1, y2);
    const image = add(mul(c, y1), mul(s, y2));
    return {
      sigma: length(image),
      u: unit(image, u),
      v: add(mul(c, z1), mul(s, z2)),
      subspace: concat([unit(sub(mul(c, y2), mul(s, y1)), second), rest], 0),
    };
  });
}

/**
 * (c, s) with c² + s² = 1 that makes c·y₁ + s·y₂ longest; (1, 0) where all are equal.
 *
 * With d = ‖y₁‖² − ‖y₂‖², b = ⟨y₁, y₂⟩, r = √(d² + 4b²) both (r + d, 2b) and (2b, r − d) have this direction
 * unless they vanish. Their sum, with matching signs, vanishes only if both do.
 */
function rotation(y1: Tensor, y2: Tensor): { c: Tensor; s: Tensor } {
  const size = nonZero(max(abs(concat([y1, y2], 0))));
  const [a1, a2] = [div(y1, size), div(y2, size)];
  const d = sub(sum(mul(a1, a1)), sum(mul(a2, a2)));
  const b2 = mul(sum(mul(a1, a2)), 2);
  const r = sqrt(add(mul(d, d), mul(b2, b2)));
  const p = add(add(r, d), abs(b2));
  const q = mul(add(sub(r, d), abs(b2)), sub(add(sign(b2), 1), abs(sign(b2))));
  const size2 = sqrt(add(mul(p, p), mul(q, q)));
  const known = step(size2);
  const scale = nonZero(size2);
  return { c: add(div(p, scale), sub(1, known)), s: div(q, scale) };
}

/** x/‖x‖, or `otherwise` for 0; x of any scale. */
function unit(x: Tensor, otherwise?: Tensor): Tensor {
  const size = max(abs(x));
  const scaled = div(x, nonZero(size));
  const result = div(scaled, nonZero(sqrt(sum(mul(scaled, scaled)))));
  return otherwise ? add(result, mul(otherwise, sub(1, step(size)))) : result;
}

/** ‖x‖; x of any scale. */
function length(x: Tensor): Tensor {
  const size = max(abs(x));
  const scaled = div(x, nonZero(size));
  return mul(size, sqrt(sum(mul(scaled, scaled))));
}

/** x for x > 0, and 1 for x = 0; the derivative is 1. */
export function nonZero(x: Tensor): Tensor {
  return add(x, sub(1, step(x)));
}
