import { Matrix, SVD } from "ml-matrix";
import type { ConvolutionMap, Network, NetworkMap } from "../../src/files/network.js";

/** Numbers, row-major, with their shape. */
export interface Values {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A linear map applied by its definition, without the constant that the layer adds. */
export function applyMap(map: NetworkMap, x: Values): Values {
  if (map.kind === "matrix") return applyMatrix(map.read(), map.shape, map.axis, x);
  if (map.kind === "convolution") return applyConvolution(map, x);
  if (map.kind !== "scaling") throw new Error(`${map.kind} is not applied`);
  const axis = x.shape.length + map.axis;
  const inner = product(x.shape.slice(axis + 1));
  const { length } = map.factors;
  const data = x.data.map(
    (value, i) => value * map.factors[length === 1 ? 0 : Math.floor(i / inner) % length],
  );
  if (length > 1 && x.shape[axis] !== length)
    throw new Error(`${length} factors for ${x.shape[axis]} places`);
  return { data, shape: x.shape };
}

function applyMatrix(
  A: ArrayLike<number>,
  [m, n]: readonly [number, number],
  axis: number,
  { data, shape }: Values,
): Values {
  if (axis !== -1 || shape.at(-1) !== n) throw new Error(`${n} columns for the shape ${shape}`);
  const rows = data.length / n;
  const y = new Float64Array(rows * m);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) y[r * m + i] += A[i * n + j] * data[r * n + j];
  return { data: y, shape: [...shape.slice(0, -1), m] };
}

/** Sums over every output, channel and tap; three axes in space. The axes before are a batch. */
function applyConvolution(map: ConvolutionMap, { data, shape }: Values): Values {
  const kernel = map.read();
  const { outputs, depth, groups, axes, transposed, channelsLast } = map;
  const leading = shape.length - axes.length - 1;
  const space = channelsLast ? shape.slice(leading, -1) : shape.slice(leading + 1);
  const sizes = axes.map(({ size }, k) => {
    if (size !== undefined && size !== space[k]) throw new Error(`size ${size} of ${space[k]}`);
    return space[k];
  });
  const ends = axes.map(({ taps, stride, dilation, padding, outputSize }, k) => {
    if (!padding) throw new Error("the padding is open");
    if (transposed) return outputSize ?? -1;
    return Math.floor((sizes[k] + padding[0] + padding[1] - (taps - 1) * dilation - 1) / stride) + 1;
  });
  /** of the convolution, of which a transposed one is the adjoint */
  const [large, small] = transposed ? [ends, sizes] : [sizes, ends];
  const batch = product(shape.slice(0, leading));
  const comes = channelsLast ? (shape.at(-1) as number) : shape[leading];
  const goes = transposed ? depth * groups : outputs;
  if (comes !== (transposed ? outputs : depth * groups)) throw new Error(`${comes} channels come in`);
  const result = new Float64Array(batch * goes * product(ends));
  const at = (
    b: number,
    channel: number,
    place: readonly number[],
    channels: number,
    lengths: readonly number[],
  ) => {
    let i = channelsLast ? b : b * channels + channel;
    place.forEach((one, k) => {
      i = i * lengths[k] + one;
    });
    return channelsLast ? i * channels + channel : i;
  };
  const taps = axes.map((axis) => axis.taps);
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < outputs; o++)
      for (let c = 0; c < depth; c++)
        for (const place of places(small))
          for (const tap of places(taps)) {
            const from = place.map(
              (one, k) => one * axes[k].stride + tap[k] * axes[k].dilation - (axes[k].padding?.[0] ?? 0),
            );
            if (from.some((one, k) => one < 0 || one >= large[k])) continue;
            const weight = kernel[(o * depth + c) * product(taps) + flat(tap, taps)];
            const channel = Math.floor(o / (outputs / groups)) * depth + c;
            const i = at(b, channel, from, depth * groups, large);
            const j = at(b, o, place, outputs, small);
            if (transposed) result[i] += weight * data[j];
            else result[j] += weight * data[i];
          }
  return {
    data: result,
    shape: [...shape.slice(0, leading), ...(channelsLast ? [...ends, goes] : [goes, ...ends])],
  };
}

function flat(place: readonly number[], lengths: readonly number[]): number {
  return place.reduce((i, one, k) => i * lengths[k] + one, 0);
}

function places(lengths: readonly number[]): number[][] {
  return lengths.reduce<number[][]>(
    (all, length) => all.flatMap((one) => Array.from({ length }, (_, i) => [...one, i])),
    [[]],
  );
}

/** The norm of a linear map on values of a shape, by the SVD of its matrix. */
export function normOf(map: NetworkMap, shape: readonly number[]): number {
  const n = product(shape);
  const columns = Array.from({ length: n }, (_, j) => {
    const data = new Float64Array(n);
    data[j] = 1;
    return Array.from(applyMap(map, { data, shape }).data);
  });
  return new SVD(new Matrix(columns), { autoTranspose: true }).diagonal[0];
}

/** Bounds of the slope from the one input to each value, composed node by node; infinite where there is none. */
export function composed(
  network: Network,
  shapes?: ReadonlyMap<string, readonly number[]>,
): Map<string, number> {
  const bounds = new Map(network.inputs.map(({ name }) => [name, 1]));
  for (const { inputs, outputs, map, shape } of network.nodes) {
    const from = inputs.map((name) => {
      const bound = bounds.get(name);
      if (bound === undefined) throw new Error(`${name} is used before it is there`);
      return bound;
    });
    let bound = Number.POSITIVE_INFINITY;
    if (map.kind === "lipschitz") {
      const parts = from.map((one, k) => one * map.constants[k]);
      bound = map.combine === "sum" ? parts.reduce((a, b) => a + b) : Math.hypot(...parts);
    } else if (map.kind !== "unbounded") {
      const given = shapes?.get(inputs[0]) ?? shape;
      const fixed = given?.map((length) => (typeof length === "number" ? length : 1));
      if (!fixed) throw new Error(`the shape of ${inputs[0]} is not known`);
      bound = from[0] * normOf(map, fixed);
    }
    for (const name of outputs) bounds.set(name, bound);
  }
  return bounds;
}
