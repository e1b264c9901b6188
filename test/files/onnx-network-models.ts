import { Matrix, SingularValueDecomposition } from "ml-matrix";
import type { ConvolutionMap, Network, NetworkMap } from "../../src/files/network.js";
import { readOnnxNetwork } from "../../src/files/onnx-network.js";
import { memorySource } from "../../src/files/source.js";
import { floats } from "./models.js";
import { attribute, graph, inputs, node, onnx, outputs, raw, tensor, value } from "./onnx-models.js";

export interface ModelConstant {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const single = (data: number): ModelConstant => ({ shape: [], data: [data] });

/** A node that gives constant integers. */
export const int64 = (name: string, values: readonly number[]): Uint8Array =>
  node("Constant", [], [name], attribute.integers("value_ints", values));

/** A graph from x (and others) to y. */
export function modelOf(
  nodes: readonly Uint8Array[],
  shapes: Readonly<Record<string, readonly (number | string)[]>>,
  constants: Readonly<Record<string, ModelConstant>> = {},
  ...results: readonly string[]
): Uint8Array {
  const initializers = Object.entries(constants).map(([name, { shape, data }]) =>
    tensor(name, "FLOAT", shape, raw(floats("F32", data))),
  );
  return onnx(
    graph(
      nodes,
      initializers,
      inputs(...Object.entries(shapes).map(([name, shape]) => value(name, "FLOAT", shape))),
      outputs(...(results.length > 0 ? results : ["y"]).map((name) => value(name, "FLOAT"))),
    ),
  );
}

export function networkOf(bytes: Uint8Array, sizes?: Readonly<Record<string, readonly number[]>>): Network {
  const folder = {
    open(): never {
      throw new Error("no other file");
    },
  };
  const options = sizes ? { inputs: new Map(Object.entries(sizes)) } : {};
  return readOnnxNetwork(memorySource(bytes), () => memorySource(bytes), "m.onnx", folder, options);
}

export function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
}

/** The matrix of a convolution on an input of known size, by its definition; channels first. */
export function convolutionMatrix(map: ConvolutionMap): Matrix {
  const { outputs, depth, groups, axes, transposed } = map;
  const weights = map.read();
  const channels = depth * groups;
  const sizes = axes.map((axis) => (transposed ? axis.outputSize : axis.size) ?? Number.NaN);
  const counts = axes.map(({ taps, stride, dilation, padding }, k) => {
    const [before, after] = padding ?? [Number.NaN, Number.NaN];
    return Math.floor((sizes[k] + before + after - (taps - 1) * dilation - 1) / stride) + 1;
  });
  const total = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
  const digits = (index: number, lengths: readonly number[]): number[] => {
    const found = new Array<number>(lengths.length);
    for (let k = lengths.length - 1, rest = index; k >= 0; k--) {
      found[k] = rest % lengths[k];
      rest = Math.floor(rest / lengths[k]);
    }
    return found;
  };
  const taps = axes.map((axis) => axis.taps);
  const matrix = Matrix.zeros(outputs * total(counts), channels * total(sizes));
  for (let o = 0; o < outputs; o++)
    for (let place = 0; place < total(counts); place++)
      for (let d = 0; d < depth; d++)
        for (let tap = 0; tap < total(taps); tap++) {
          const [i, a] = [digits(place, counts), digits(tap, taps)];
          const at = axes.map(
            (axis, k) => i[k] * axis.stride + a[k] * axis.dilation - (axis.padding?.[0] ?? 0),
          );
          if (at.some((p, k) => p < 0 || p >= sizes[k])) continue;
          const channel = Math.floor(o / (outputs / groups)) * depth + d;
          const column = at.reduce((index, p, k) => index * sizes[k] + p, channel);
          const row = o * total(counts) + place;
          matrix.set(row, column, matrix.get(row, column) + weights[(o * depth + d) * total(taps) + tap]);
        }
  return transposed ? matrix.transpose() : matrix;
}

function largestSingularValue(matrix: Matrix): number {
  return Math.max(...new SingularValueDecomposition(matrix, { autoTranspose: true }).diagonal);
}

type Constants = { readonly constants: readonly number[]; readonly squares: boolean };

const known = new WeakMap<NetworkMap, Constants>();

/** Constants of a map for its inputs, by a dense SVD where it is a matrix. */
export function constantsOf(map: NetworkMap): Constants {
  const found = known.get(map) ?? computedConstants(map);
  known.set(map, found);
  return found;
}

function computedConstants(map: NetworkMap): Constants {
  switch (map.kind) {
    case "unbounded":
      throw new Error(map.reason);
    case "lipschitz":
      return { constants: map.constants, squares: map.combine === "root of squares" };
    case "scaling":
      return {
        constants: [norm([Math.max(...map.factors.map(Math.abs)) * (1 + map.relativeError)])],
        squares: false,
      };
    case "matrix": {
      const [rows, columns] = map.shape;
      const data = [...map.read()];
      const matrix = new Matrix(
        Array.from({ length: rows }, (_, i) => data.slice(i * columns, (i + 1) * columns)),
      );
      return { constants: [largestSingularValue(matrix)], squares: false };
    }
    case "convolution":
      return { constants: [largestSingularValue(convolutionMatrix(map))], squares: false };
  }
}

/** The bound on the change of an output, by changes of the inputs. */
export function changeOf(
  network: Network,
  output: string,
  changes: Readonly<Record<string, number>>,
): number {
  const found = new Map(Object.entries(changes));
  const needed = new Set([output]);
  for (const node of [...network.nodes].reverse())
    if (node.outputs.some((name) => needed.has(name))) for (const input of node.inputs) needed.add(input);
  for (const node of network.nodes) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    const { constants, squares } = constantsOf(node.map);
    const terms = node.inputs.map((input, k) => constants[k] * (found.get(input) ?? Number.NaN));
    const sum = squares ? norm(terms) : terms.reduce((a, b) => a + b, 0);
    for (const name of node.outputs) found.set(name, sum);
  }
  return found.get(output) ?? Number.NaN;
}
