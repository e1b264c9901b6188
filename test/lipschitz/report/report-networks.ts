import type { LipschitzMap, Network, NetworkMap, NetworkNode } from "../../../src/files/network.js";
import { networkBounds } from "../../../src/lipschitz/network-bounds.js";
import type { BoundedModel } from "../../../src/lipschitz/report/bounded-model.js";

/** A network that is built node by node; a node and its value have the same name. */
export class NetworkBuilder implements Network {
  readonly inputs: { name: string; shape: undefined }[] = [];
  readonly outputs: string[] = [];
  readonly nodes: NetworkNode[] = [];

  input(name: string): string {
    this.inputs.push({ name, shape: undefined });
    return name;
  }

  output(...names: string[]): this {
    this.outputs.push(...names);
    return this;
  }

  node(name: string, op: string, map: NetworkMap, ...inputs: string[]): string {
    this.nodes.push({ name, op, inputs, outputs: [name], shape: undefined, map });
    return name;
  }

  /** A matrix whose norm is the absolute value of a factor. */
  gemm(name: string, factor: number, input: string): string {
    const read = () => Float64Array.of(factor, 0, 0, factor / 2);
    return this.node(name, "Gemm", { kind: "matrix", shape: [2, 2], axis: -1, read }, input);
  }

  relu(name: string, input: string): string {
    return this.node(name, "Relu", lipschitz([1], "1-Lipschitz"), input);
  }

  add(name: string, ...inputs: string[]): string {
    const constants = inputs.map(() => 1);
    return this.node(name, "Add", { ...lipschitz(constants, "sum"), linear: true }, ...inputs);
  }

  concat(name: string, ...inputs: string[]): string {
    const map = lipschitz(
      inputs.map(() => 1),
      "concatenation",
    );
    return this.node(name, "Concat", { ...map, combine: "root of squares" }, ...inputs);
  }

  unbounded(name: string, op: string, reason: string, ...inputs: string[]): string {
    return this.node(name, op, { kind: "unbounded", reason }, ...inputs);
  }

  bounded(file: string): BoundedModel {
    return { file, ...networkBounds(this) };
  }
}

function lipschitz(constants: readonly number[], how: string): LipschitzMap {
  return { kind: "lipschitz", constants, combine: "sum", how, linear: false };
}

/** Layers in a row, with an activation behind each. */
export function chain(depth: number): NetworkBuilder {
  const network = new NetworkBuilder();
  let at = network.input("x");
  for (let k = 0; k < depth; k++) {
    at = network.gemm(`dense_${k}`, [3, 0.5, 1.4, 2, 0.8][k % 5], at);
    if (k < depth - 1) at = network.relu(`relu_${k}`, at);
  }
  return network.output(at);
}

/** Blocks around which a skip connection leads. */
export function residual(blocks: number): NetworkBuilder {
  const network = new NetworkBuilder();
  let at = network.relu("/stem/act", network.gemm("/stem/conv", 2, network.input("images")));
  for (let k = 0; k < blocks; k++) {
    const name = `/layer${k}/0`;
    const first = network.relu(`${name}/relu`, network.gemm(`${name}/conv1`, 1.3 + (k % 3), at));
    const second = network.gemm(`${name}/conv2`, 0.7, first);
    const skip = k % 2 === 0 ? at : network.gemm(`${name}/downsample`, 1.1, at);
    at = network.relu(`${name}/relu_1`, network.add(`${name}/Add`, second, skip));
  }
  return network.output(network.gemm("/fc/Gemm", 5.5, at));
}

/** Blocks of parallel branches that are joined, with every earlier block. */
export function dense(blocks: number): NetworkBuilder {
  const network = new NetworkBuilder();
  const all = [network.input("x")];
  for (let k = 0; k < blocks; k++) {
    const from = all.length === 1 ? all[0] : network.concat(`concat_${k}`, ...all);
    const left = network.gemm(`left_${k}`, 1.2, from);
    const right = network.relu(`act_${k}`, network.gemm(`right_${k}`, 0.9, from));
    all.push(network.add(`join_${k}`, left, right));
  }
  return network.output(network.concat("features", ...all));
}

/** An output with a bound, and one without. */
export function attention(): NetworkBuilder {
  const network = new NetworkBuilder();
  const x = network.input("tokens");
  const encoded = network.gemm("embed", 4, x);
  const query = network.gemm("query", 2, encoded);
  const key = network.gemm("key", 3, encoded);
  const product = network.unbounded(
    "scores",
    "MatMul",
    "the product of two values that both depend on the input",
    query,
    key,
  );
  const behind = network.gemm("project", 1.5, network.relu("softmax", product));
  return network.output(behind, encoded);
}
