import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import type { Network, NetworkNode } from "../../src/files/network.js";
import { createRandom, type Random } from "../../src/numerics/random.js";
import {
  ACTIVATIONS,
  add,
  concatenation,
  convolution,
  flatten,
  matrix,
  maximum,
  maxPool,
  type Plain,
  type PlainLayer,
  plain,
  scaling,
  size,
  softmax,
  transposedConvolution,
} from "./plain-layers.js";

/** A network and what it computes. */
export class PlainNetwork implements Network {
  readonly inputs: Network["inputs"];
  readonly outputs: string[] = [];
  readonly nodes: NetworkNode[] = [];
  readonly input: readonly number[];
  private readonly steps: { layer: PlainLayer; inputs: readonly string[]; output: string }[] = [];
  private readonly shapes = new Map<string, readonly number[]>();

  constructor(shape: readonly number[]) {
    this.input = shape;
    this.inputs = [{ name: "x", shape }];
    this.shapes.set("x", shape);
  }

  shapeOf(value: string): readonly number[] {
    const shape = this.shapes.get(value);
    if (!shape) throw new Error(`no value ${value}`);
    return shape;
  }

  /** Adds a layer behind values; the name of its own value. */
  add(layer: PlainLayer, ...inputs: readonly string[]): string {
    const output = `v${this.nodes.length}`;
    const { op, map } = layer;
    const shape = this.shapeOf(inputs[0]);
    this.nodes.push({
      name: `${op.toLowerCase()}${this.nodes.length}`,
      op,
      inputs,
      outputs: [output],
      shape,
      map,
    });
    this.steps.push({ layer, inputs, output });
    const zeros = inputs.map((name) => plain(this.shapeOf(name), () => 0));
    this.shapes.set(output, layer.apply(...zeros).shape);
    return output;
  }

  /** The network as a function of its input. */
  apply(x: Float64Array, value = this.outputs[0]): Float64Array {
    const values = new Map<string, Plain>([["x", { shape: this.input, data: x }]]);
    for (const { layer, inputs, output } of this.steps)
      values.set(output, layer.apply(...inputs.map((name) => values.get(name) as Plain)));
    return (values.get(value) as Plain).data;
  }
}

const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
const minus = (x: Float64Array, y: Float64Array) => x.map((value, k) => value - y[k]);

/** ‖f(x) − f(y)‖/‖x − y‖. */
export function slope(network: PlainNetwork, x: Float64Array, y: Float64Array, value?: string): number {
  return norm(minus(network.apply(x, value), network.apply(y, value))) / norm(minus(x, y));
}

/** The Jacobian by central differences; of a network that is linear up to a constant, its matrix. */
export function jacobian(network: PlainNetwork, x: Float64Array, step: number, value?: string): Matrix {
  const columns = Array.from(x, (_, j) => {
    const ahead = network.apply(x.with(j, x[j] + step), value);
    const behind = network.apply(x.with(j, x[j] - step), value);
    return Array.from(ahead, (a, i) => (a - behind[i]) / (2 * step));
  });
  return new Matrix(columns).transpose();
}

/** σ₁ and its right vector, from the eigenvalues of the smaller Gram matrix. */
export function leading(J: Matrix): { sigma: number; v: Float64Array } {
  const gram = J.transpose().mmul(J);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const at = realEigenvalues.indexOf(Math.max(...realEigenvalues));
  return {
    sigma: Math.sqrt(Math.max(0, realEigenvalues[at])),
    v: Float64Array.from(eigenvectorMatrix.getColumn(at)),
  };
}

/** σ₁ by a dense decomposition. */
export function dense(J: Matrix): number {
  const wide = J.rows < J.columns ? J.transpose() : J;
  return new SingularValueDecomposition(wide, {
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
  }).diagonal[0];
}

/** The largest slope that a search finds: random pairs, directions of the Jacobian's σ₁, and ascent from there. */
export function steepest(network: PlainNetwork, random: Random, value?: string): number {
  const normals = (scale: number) =>
    Float64Array.from({ length: size(network.input) }, () => scale * random.normal());
  let best = 0;
  for (const scale of [0.1, 1, 5])
    best = Math.max(best, slope(network, normals(scale), normals(scale), value));
  const start = normals(random.uniform() < 0.5 ? 0.2 : 1);
  const { v } = leading(jacobian(network, start, 1e-4, value));
  if (!v.every(Number.isFinite)) return best;
  const pair = (x: Float64Array, direction: Float64Array) =>
    slope(
      network,
      x,
      x.map((value, k) => value + 1e-3 * direction[k]),
      value,
    );
  let [x, d] = [start, v];
  let found = pair(x, d);
  for (let step = 0; step < 12; step++) {
    const [x2, d2] = [minus(x, normals(0.2)), minus(d, normals(0.1))];
    const other = pair(x2, d2);
    if (other > found) [x, d, found] = [x2, d2, other];
  }
  return Math.max(best, found);
}

const choose = <T>(random: Random, all: readonly T[]): T => all[Math.floor(random.uniform() * all.length)];
const integer = (random: Random, from: number, to: number) =>
  from + Math.floor(random.uniform() * (to - from + 1));

const divisors = (a: number, b: number) => [1, 2, 3, 4].filter((g) => a % g === 0 && b % g === 0);

/** A convolution of random settings that fits an image, or its adjoint. */
export function randomConvolution(
  shape: readonly number[],
  channelsLast: boolean,
  random: Random,
): PlainLayer | undefined {
  const space = channelsLast ? shape.slice(0, -1) : shape.slice(1);
  const channels = channelsLast ? shape[shape.length - 1] : shape[0];
  const transposed = random.uniform() < 0.25;
  const settings = {
    taps: space.map(() => choose(random, [1, 1, 2, 3])),
    stride: space.map(() => choose(random, [1, 1, 2])),
    dilation: space.map(() => choose(random, [1, 1, 2])),
    padding: space.map(() =>
      choose(random, [
        [0, 0],
        [0, 0],
        [1, 1],
        [0, 1],
        [-1, 0],
      ] as const),
    ),
    channelsLast,
    sized: random.uniform() < 0.6,
  };
  const outputs = integer(random, 1, 4);
  const groups = choose(random, divisors(channels, outputs));
  const layer = transposed
    ? transposedConvolution(
        shape,
        {
          ...settings,
          depth: outputs / groups,
          groups,
          outputPadding: settings.stride.map((s) => (s > 1 ? integer(random, 0, 1) : 0)),
        },
        random,
      )
    : convolution(shape, { ...settings, outputs, groups }, random);
  const out = layer.apply(plain(shape, () => 0)).shape;
  return out.every((length) => length >= 1) && size(out) <= 160 ? layer : undefined;
}

/** A random network of up to six layers; without `linear`, with activations, pooling, sums and concatenations. */
export function randomNetwork(seed: number, linear = false): PlainNetwork {
  const random = createRandom(seed);
  const dimensions = integer(random, 1, 2);
  const channelsLast = random.uniform() < 0.4;
  const space = Array.from({ length: dimensions }, () => integer(random, 2, dimensions === 1 ? 8 : 4));
  const channels = integer(random, 1, 4);
  const network = new PlainNetwork(channelsLast ? [...space, channels] : [channels, ...space]);
  const layers = integer(random, 2, 6);
  let at = "x";
  const made = ["x"];
  let flat = false;
  while (network.nodes.length < layers) {
    const shape = network.shapeOf(at);
    const axis = flat || channelsLast ? -1 : -shape.length;
    const same = made.filter((name) => name !== at && String(network.shapeOf(name)) === String(shape));
    const draw = random.uniform();
    let next: string | undefined;
    if (draw < 0.35 && !flat) {
      const layer = randomConvolution(shape, channelsLast, random);
      if (layer) next = network.add(layer, at);
    } else if (draw < 0.5)
      next = network.add(matrix(shape, choose(random, [axis, -1]), integer(random, 1, 4), random), at);
    else if (draw < 0.62) {
      const along = choose(random, [axis, axis, -1]);
      const count = choose(random, [1, shape[shape.length + along]]);
      next = network.add(scaling(shape, along, count, random), at);
    } else if (draw < 0.68 && !flat) {
      next = network.add(flatten, at);
      flat = true;
    } else if (linear) {
      if (same.length > 0) next = network.add(add, at, choose(random, same));
    } else if (draw < 0.8) next = network.add(choose(random, ACTIVATIONS), at);
    else if (draw < 0.85 && shape[shape.length - 1] >= 3)
      next = network.add(maxPool(choose(random, [2, 3]), choose(random, [1, 2])), at);
    else if (draw < 0.95 && same.length > 0)
      next = network.add(choose(random, [add, maximum, concatenation]), at, choose(random, same));
    else if (draw >= 0.95) next = network.add(softmax, at);
    if (next === undefined) continue;
    at = next;
    made.push(at);
  }
  network.outputs.push(at);
  return network;
}
