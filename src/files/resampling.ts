import { excess, up } from "../certify/rounding.js";
import { GIVE_SIZES, NoBound } from "./no-bound.js";
import { rootUp } from "./rounded-roots.js";

/** How an axis is sampled anew. */
export interface Resampling {
  readonly mode: string;
  readonly coordinates: string;
  readonly nearest: string;
  readonly length: number | undefined;
  readonly result: number | undefined;
  readonly scale: number;
  readonly cubic: number;
}

/** Chosen: longer axes are not resampled place by place. */
const RESAMPLED_LIMIT = 2 ** 16;

/** A bound on the norm of an interpolation along some axes, and how it was found. @throws NoBound */
export function resampledNorm(axes: readonly Resampling[]): {
  readonly constant: number;
  readonly how: string;
} {
  // It is the Kronecker product of those along each axis.
  const square = axes.map(resampledSquare).reduce((a, b) => {
    const exact = [a, b, a * b].every(Number.isSafeInteger);
    return exact ? a * b : up(a * b);
  }, 1);
  const copies = axes.every(({ mode }) => mode === "nearest");
  const how = copies ? "√copies" : "√(largest row sum · largest column sum)";
  return { constant: rootUp(square), how: axes.length === 0 ? "changes nothing" : how };
}

/** A bound on the square of the norm of one axis' interpolation. @throws NoBound */
function resampledSquare(axis: Resampling): number {
  const { mode, coordinates, nearest, length: n, result: m, scale } = axis;
  if (!["nearest", "linear", "cubic"].includes(mode)) throw new NoBound(`its mode is ${mode}`);
  const known = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "tf_half_pixel_for_nn"];
  if (!known.includes(coordinates)) throw new NoBound(`its coordinate_transformation_mode is ${coordinates}`);
  const centered = coordinates === "half_pixel" || coordinates === "pytorch_half_pixel";
  const whole = Number.isInteger(scale) && (m === undefined || n === undefined || m === n * scale);
  if (mode === "nearest") {
    // Each entry is repeated `scale` times: the nearest of (i + ½)/scale − ½, which is no tie, or the floor of i/scale.
    const regular =
      (coordinates === "asymmetric" && nearest === "floor") || (centered && nearest.startsWith("round"));
    if (whole && regular) return scale;
    if (coordinates === "align_corners") {
      if (n === undefined || m === undefined)
        throw new NoBound(`its corners are aligned, and its sizes are open; ${GIVE_SIZES}`);
      return n === 1 ? m : Math.floor((m - 1) / (n - 1)) + 2;
    }
    // Places lie 1/scale apart. Those of one entry fill an interval of length 1, and at an edge one more.
    return Math.floor(2 * Math.max(scale, m && n ? m / n : scale)) + 1;
  }
  // Tents of integer scale, half a place off, have the sum `scale`, at the edges as well.
  if (mode === "linear" && whole && centered) return scale;
  // Where the first places lie over each other, the last has the (scale − 1)/2 that lie beyond it, too.
  if (mode === "linear" && whole && coordinates === "asymmetric") return scale + (scale - 1) / 2;
  if (mode === "linear" && n === undefined) {
    if (coordinates === "align_corners")
      throw new NoBound(`its corners are aligned, and its sizes are open; ${GIVE_SIZES}`);
    // The tent has an integral of 1 and a maximum of 1; beyond an edge, over less than one place, weights are 1.
    return up(1.5 * scale + 2);
  }
  if (n === undefined || m === undefined)
    throw new NoBound(`it is cubic, and its sizes are open; ${GIVE_SIZES}`);
  if (n > RESAMPLED_LIMIT || m > RESAMPLED_LIMIT) throw new NoBound("its axes are too long");
  return interpolationSums(axis, n, m);
}

/** The largest row sum times the largest column sum of the magnitudes of an interpolation matrix, m×n. */
function interpolationSums({ mode, coordinates, scale, cubic: a }: Resampling, n: number, m: number): number {
  const columns = new Float64Array(n);
  let row = 0;
  for (let i = 0; i < m; i++) {
    const at = coordinateOf(coordinates, i, n, m, scale);
    const left = Math.floor(at);
    const t = at - left;
    const weights =
      mode === "linear"
        ? [1 - t, t]
        : [
            ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
            ((a + 2) * t - (a + 3)) * t * t + 1,
            ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
            ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a,
          ];
    const first = mode === "linear" ? left : left - 1;
    const sum = weights.reduce((s, w) => s + Math.abs(w), 0);
    row = Math.max(row, sum);
    weights.forEach((weight, k) => {
      columns[Math.min(Math.max(first + k, 0), n - 1)] += Math.abs(weight);
    });
  }
  const column = columns.reduce((max, sum) => Math.max(max, sum), 0);
  // A coordinate below 2^17 is off by less than 2^-34, and a weight by less than 16 times that; the sums are rounded, too.
  const slack = 2 ** -29;
  if (mode === "linear") return up(up(column * (1 + excess(m))) + (m / n + 4) * slack);
  return up(up(up(row + slack) * up(column * (1 + excess(4 * m)))) + (m / n + 4) * slack * 8);
}

function coordinateOf(mode: string, i: number, n: number, m: number, scale: number): number {
  if (mode === "align_corners") return m === 1 ? 0 : (i * (n - 1)) / (m - 1);
  if (mode === "asymmetric") return i / scale;
  if (mode === "tf_half_pixel_for_nn") return (i + 0.5) / scale;
  if (mode === "pytorch_half_pixel" && m === 1) return 0;
  return (i + 0.5) / scale - 0.5;
}
