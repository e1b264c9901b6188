import { down, gamma, up } from "../certify/rounding.js";
import { FileError } from "../matrix/errors.js";
import { HARD_SWISH_SLOPE, SILU_SLOPE } from "./activation-slopes.js";
import { activationName, type KerasDialect } from "./keras-activations.js";
import {
  isReference,
  type KerasCall,
  type KerasGraph,
  type KerasGraphLayer,
  type KerasReference,
  layerTitle,
} from "./keras-graph.js";
import { layerSteps } from "./keras-layer-maps.js";
import { isOperation, operationStep } from "./keras-operations.js";
import { operatorSigma, type RoundedSum } from "./keras-operator-sigma.js";
import { isAbsent, KerasCallContext, type KerasStep } from "./keras-step.js";
import type { KerasVariables } from "./keras-variables.js";
import { multiple, steepest, unbounded } from "./lipschitz-maps.js";
import type {
  Network,
  NetworkInput,
  NetworkMap,
  NetworkNode,
  NetworkOptions,
  ValueShape,
} from "./network.js";
import { NoBound } from "./no-bound.js";
import { SymbolicLengths } from "./symbolic-lengths.js";
import { quote } from "./text.js";
import { UniqueNames } from "./unique-names.js";

/** Chosen: more calls of layers, and values that they take, than any network has, models in models counted each time. */
const CALLS_LIMIT = 200_000;

/** Chosen: longer than the name of a layer with those of the models that it is in. */
const NAME_LIMIT = 2000;

/** Chosen: more axes or outputs than a layer has. */
const [AXES_LIMIT, OUTPUTS_LIMIT] = [32, 256];

/** All inputs have the same batch. */
const BATCH = "batch";

/** A value in the network. */
interface Value {
  readonly name: string;
  readonly shape: ValueShape | undefined;
}

/**
 * The network of a model.
 *
 * @throws FileError, NonFiniteError if its graph, a layer or a variable is damaged
 */
export function kerasNetwork(
  model: KerasGraphLayer,
  variables: KerasVariables,
  dialect: KerasDialect,
  options: NetworkOptions,
): Network {
  return new NetworkBuilder(variables, dialect).build(model, options);
}

class NetworkBuilder {
  readonly #variables: KerasVariables;
  readonly #dialect: KerasDialect;
  readonly #lengths = new SymbolicLengths();
  readonly #nodes: NetworkNode[] = [];
  readonly #nodeNames = new UniqueNames();
  readonly #valueNames = new UniqueNames();
  /** values that are a sigmoid of another, and that one's name */
  readonly #sigmoids = new Map<string, { readonly of: string; readonly name: string; readonly op: string }>();
  readonly #indexes = new Map<KerasGraph, GraphIndex>();
  #calls = 0;

  constructor(variables: KerasVariables, dialect: KerasDialect) {
    this.#variables = variables;
    this.#dialect = dialect;
  }

  build(model: KerasGraphLayer, options: NetworkOptions): Network {
    const inputs = inputsOf(model, options, this.#lengths);
    const given = inputs.map(
      ({ name, shape }): Value => ({ name: this.#unique(this.#valueNames, name), shape }),
    );
    const outputs = this.#expand(model, given, "").map(({ name }) => name);
    return { inputs, outputs, nodes: needed(this.#nodes, outputs) };
  }

  #unique(names: UniqueNames, name: string): string {
    if (name.length > NAME_LIMIT) throw new FileError(`has names of more than ${NAME_LIMIT} characters`);
    return names.unique(name);
  }

  #expand(model: KerasGraphLayer, inputs: readonly Value[], prefix: string): Value[] {
    const { graph } = model;
    if (!graph) throw new FileError(`${layerTitle(model)} is no model`);
    return graph.sequential
      ? this.#sequence(model, graph, inputs, prefix)
      : new Evaluation(model, this.#indexOf(graph), inputs, (layer, call, values, outputs, k) =>
          this.#apply(
            layer,
            call,
            values,
            `${prefix}${layer.name}${k === 0 ? "" : ` (call ${k + 1})`}`,
            outputs,
          ),
        ).outputs();
  }

  #indexOf(graph: KerasGraph): GraphIndex {
    const index = this.#indexes.get(graph) ?? new GraphIndex(graph);
    this.#indexes.set(graph, index);
    return index;
  }

  #sequence(model: KerasGraphLayer, graph: KerasGraph, inputs: readonly Value[], prefix: string): Value[] {
    if (inputs.length !== 1)
      throw new FileError(`${layerTitle(model)} is called with ${inputs.length} values`);
    let [value] = inputs;
    for (const layer of graph.layers) {
      this.#count(0);
      if (layer.className === "InputLayer") continue;
      const results = this.#apply(layer, NO_CALL, [value], `${prefix}${layer.name}`, 1);
      if (results.length !== 1)
        throw new FileError(`${layerTitle(layer)} has ${results.length} outputs in a sequential model`);
      [value] = results;
    }
    return [value];
  }

  /** @param outputs  how many are used */
  #apply(
    layer: KerasGraphLayer,
    call: KerasCall,
    values: readonly Value[],
    name: string,
    outputs: number,
  ): Value[] {
    this.#count(values.length);
    const context = this.#context(layer, values);
    const reason = refusal(context, call);
    if (reason !== undefined) return this.#unbounded(layer, values, name, outputs, reason);
    if (layer.graph) return this.#expand(layer, values, `${name}/`);
    const { inner } = layer;
    if (layer.className === "TimeDistributed" && inner) {
      if (values.length === 1) return this.#distributed(inner, values[0], name, outputs);
      return this.#unbounded(layer, values, name, outputs, "is called with several values");
    }
    let steps: readonly KerasStep[];
    try {
      if (isOperation(context)) steps = [operationStep(context, call)];
      else if (layer.className === "SpectralNormalization" && inner) steps = this.#normalized(context, inner);
      else steps = layerSteps(context);
    } catch (error) {
      if (!(error instanceof NoBound)) throw error;
      return this.#unbounded(layer, values, name, outputs, error.message);
    }
    if (steps.length === 1 && steps[0].map.kind === "unbounded") {
      const gated = this.#gated(values, steps[0], name);
      return gated ? [gated] : this.#unbounded(layer, values, name, outputs, steps[0].map.reason);
    }
    if (outputs > 1)
      throw new FileError(`${layerTitle(layer)} has no output ${outputs - 1} (counted from 0)`);
    return [this.#emit(steps, values, name, (shape) => shape)];
  }

  /** Counts a call with these many values. */
  #count(values: number): void {
    this.#calls += 1 + values;
    if (this.#calls > CALLS_LIMIT)
      throw new FileError(`has more than ${CALLS_LIMIT} calls of layers, with the values that they take`);
  }

  #context(layer: KerasGraphLayer, values: readonly Value[]): KerasCallContext {
    const shapes = values.map(({ shape }) => shape);
    return new KerasCallContext(layer, shapes, this.#dialect, this.#lengths, this.#variables);
  }

  #unbounded(
    layer: KerasGraphLayer,
    values: readonly Value[],
    name: string,
    outputs: number,
    reason: string,
  ): Value[] {
    const names = Array.from({ length: outputs }, (_, k) =>
      this.#unique(this.#valueNames, k === 0 ? name : `${name}:${k}`),
    );
    this.#nodes.push({
      name: this.#unique(this.#nodeNames, name),
      op: layer.givenClass.slice(0, 60) || "layer",
      inputs: values.map((value) => value.name),
      outputs: names,
      shape: values[0]?.shape,
      map: unbounded(reason),
    });
    return names.map((one) => ({ name: one, shape: undefined }));
  }

  /** Nodes that follow one another. The value that leaves the last has the layer's name. */
  #emit(
    steps: readonly KerasStep[],
    values: readonly Value[],
    name: string,
    lift: (shape: ValueShape | undefined) => ValueShape | undefined,
  ): Value {
    if (steps.length === 0) return values[0];
    let inputs = values;
    steps.forEach(({ op, map, output }, k) => {
      const last = k === steps.length - 1;
      const own = this.#unique(this.#valueNames, last ? name : `${name}:${op}`);
      const result = { name: own, shape: lift(output) };
      this.#nodes.push({
        name: this.#unique(this.#nodeNames, k === 0 ? name : `${name} (${op})`),
        op,
        inputs: inputs.map((value) => value.name),
        outputs: [result.name],
        shape: inputs[0].shape,
        map,
      });
      const plain = activationName(op.replace(/^Activation: /, ""));
      if ((plain === "sigmoid" || plain === "hard_sigmoid") && inputs.length === 1)
        this.#sigmoids.set(result.name, { of: inputs[0].name, name: plain, op });
      inputs = [result];
    });
    return inputs[0];
  }

  /** x·sigmoid(x) or x·hard_sigmoid(x) in two layers. */
  #gated(values: readonly Value[], { op }: KerasStep, name: string): Value | undefined {
    if (!/^(?:Multiply|math\.multiply)$/.test(op) || values.length !== 2) return undefined;
    for (const [x, gate] of [values, values.toReversed()]) {
      const found = this.#sigmoids.get(gate.name);
      if (found?.of !== x.name) continue;
      const smooth = found.name === "sigmoid";
      const step: KerasStep = {
        op: `${smooth ? "SiLU" : "HardSwish"} (${found.op}, ${op})`,
        map: steepest(smooth ? SILU_SLOPE : HARD_SWISH_SLOPE),
        output: x.shape,
      };
      return this.#emit([step], [x], name, (shape) => shape);
    }
    return undefined;
  }

  /** A layer at each place along the axis behind the batch. */
  #distributed(inner: KerasGraphLayer, value: Value, name: string, outputs: number): Value[] {
    const { shape } = value;
    if (shape && shape.length < 2)
      throw new FileError(`${layerTitle(inner)} has no axis to be distributed along`);
    const merged = shape && [this.#lengths.product(shape.slice(0, 2)), ...shape.slice(2)];
    const lift = (one: ValueShape | undefined) => shape && one && [shape[0], shape[1], ...one.slice(1)];
    const within = { name: value.name, shape: merged };
    if (inner.graph || inner.inner) {
      const results = inner.graph
        ? this.#expand(inner, [within], `${name}/`)
        : this.#apply(inner, NO_CALL, [within], name, outputs);
      return results.map((result) => ({ name: result.name, shape: lift(result.shape) }));
    }
    const context = this.#context(inner, [within]);
    const steps = isOperation(context) ? [] : layerSteps(context);
    if (steps.length === 0 || (steps.length === 1 && steps[0].map.kind === "unbounded")) {
      const [step] = steps;
      const reason = step?.map.kind === "unbounded" ? step.map.reason : "is not known";
      return this.#unbounded(inner, [value], name, outputs, reason);
    }
    return [this.#emit(steps, [value], name, lift)];
  }

  /**
   * A layer whose kernel is spectrally normalized. Keras stores the kernel as it is used. In TensorFlow.js the layer of
   * this package divides the kernel by σ where it is used: |uᵀ·W·v|, the rows of W the kernel's axes but the last; with
   * `conv: "operator"`, |uᵀ·A·v|, A the convolution on images of the size of v.
   */
  #normalized(context: KerasCallContext, inner: KerasGraphLayer): readonly KerasStep[] {
    const within = context.with(inner, context.shapes);
    const steps = inner.graph || inner.inner ? undefined : layerSteps(within);
    if (!steps || steps.length === 0) throw new NoBound("wraps a layer that is not known");
    if (this.#dialect !== "tfjs") return steps;
    const [first, ...rest] = steps;
    if (
      !["matrix", "convolution"].includes(first.map.kind) ||
      !/^(?:Dense|Conv[123]D(?:Transpose)?)$/.test(first.op)
    )
      throw new NoBound("wraps a layer that has no single kernel");
    const { scale, relativeError } = inverseSigma(context, within, first.map);
    const scaling: KerasStep = {
      op: "1/σ",
      map: multiple(scale, relativeError),
      output: first.output,
    };
    return [first, scaling, ...rest];
  }
}

const NO_CALL: KerasCall = { values: [], named: new Map(), keyed: false };

/** 1/σ and the bound of its relative error, σ = |uᵀ·W·v|, or |uᵀ·A·v| of the convolution A. */
function inverseSigma(
  wrapper: KerasCallContext,
  layer: KerasCallContext,
  map: NetworkMap,
): { readonly scale: number; readonly relativeError: number } {
  const { conv = "reshape" } = wrapper.config;
  if (conv !== "reshape" && conv !== "operator")
    throw wrapper.fault("its conv is neither reshape nor operator");
  if (conv === "operator" && map.kind !== "convolution") throw wrapper.fault("wraps no convolution");
  const { sum, size, roundings } =
    conv === "operator" && map.kind === "convolution"
      ? operatorSigma(wrapper, layer, map)
      : matrixSigma(wrapper, layer);
  // A kernel of zeros stays as it is.
  if (size === 0 && layer.numbers("kernel").every((x) => x === 0)) return { scale: 1, relativeError: 0 };
  // The bound of the relative error holds of the sizes as well, which is the second factor.
  const h = gamma(roundings);
  const error = up(up(h * up(size * up(1 + up(2 * h)))) / down(Math.abs(sum)));
  if (!(error < 1e-3 && size > 2 ** -900 && Math.abs(sum) < 2 ** 900))
    throw new NoBound("uᵀ·W·v, by which its kernel is divided, is not known to be away from zero");
  return { scale: 1 / Math.abs(sum), relativeError: up(error + gamma(2)) };
}

/** uᵀ·W·v of the kernel as a matrix. */
function matrixSigma(wrapper: KerasCallContext, layer: KerasCallContext): RoundedSum {
  const tensor = layer.tensor("kernel");
  const columns = tensor.shape.at(-1) ?? 0;
  const [w, u, v] = [layer.read(tensor), wrapper.numbers("vector_u"), wrapper.numbers("vector_v")];
  const rows = u.length;
  if (v.length !== columns || rows * columns !== w.length)
    throw wrapper.fault(`its vectors have ${rows} and ${v.length} numbers, and its kernel ${w.length}`);
  let [sum, size] = [0, 0];
  for (let i = 0; i < rows; i++) {
    let [row, rowSize] = [0, 0];
    for (let j = 0; j < columns; j++) {
      const term = w[i * columns + j] * v[j];
      row += term;
      rowSize += Math.abs(term);
    }
    sum += u[i] * row;
    size += Math.abs(u[i]) * rowSize;
  }
  return { sum, size, roundings: rows + columns + 2 };
}

/** Why a call is not that of the layer at inference with its values alone. */
function refusal(context: KerasCallContext, call: KerasCall): string | undefined {
  const { layer, shapes } = context;
  const { graph } = layer;
  const several = graph && (graph.inputs.length > 1 || graph.outputs.length > 1);
  if (call.keyed || (graph?.keyed && several)) return "is called with values by names";
  const operation = isOperation(context);
  for (const [name, values] of call.named) {
    if (values.every(isAbsent)) continue;
    if (name === "training") return "is called as in training";
    if (!operation) return `is called with a further argument, ${name.slice(0, 60)}`;
  }
  if (!operation && call.values.some((value) => !isReference(value) && !isAbsent(value)))
    return "is called with further arguments";
  return shapes.length === 0 ? "is called with no value of the network" : undefined;
}

type Apply = (
  layer: KerasGraphLayer,
  call: KerasCall,
  values: readonly Value[],
  outputs: number,
  index: number,
) => Value[];

/** The layers of a functional model by their names, and how they are referred to. */
class GraphIndex {
  readonly graph: KerasGraph;
  readonly layers: ReadonlyMap<string, KerasGraphLayer>;
  /** the first and the last call of each layer that is referred to, and the last output */
  readonly used = new Map<string, { first: number; last: number; output: number }>();

  constructor(graph: KerasGraph) {
    this.graph = graph;
    this.layers = new Map(graph.layers.map((layer) => [layer.name, layer]));
    for (const reference of graph.outputs) this.#use(reference);
    for (const { calls } of graph.layers)
      for (const call of calls) for (const reference of referencesOf(call)) this.#use(reference);
  }

  #use({ layer, call, output }: KerasReference): void {
    const used = this.used.get(layer);
    if (!used) this.used.set(layer, { first: call, last: call, output });
    else {
      used.first = Math.min(used.first, call);
      used.last = Math.max(used.last, call);
      used.output = Math.max(used.output, output);
    }
  }
}

/** The calls of a functional model in an order in which each is behind what it takes. */
class Evaluation {
  readonly #model: KerasGraphLayer;
  readonly #index: GraphIndex;
  readonly #apply: Apply;
  /** by layer and call: undefined while what it takes is evaluated */
  readonly #results = new Map<string, readonly Value[] | undefined>();

  constructor(model: KerasGraphLayer, index: GraphIndex, inputs: readonly Value[], apply: Apply) {
    this.#model = model;
    this.#index = index;
    this.#apply = apply;
    const { graph, layers } = index;
    if (inputs.length !== graph.inputs.length)
      throw new FileError(
        `${layerTitle(model)} takes ${graph.inputs.length} values, and gets ${inputs.length}`,
      );
    graph.inputs.forEach(({ layer, call }, k) => {
      if (layers.get(layer)?.className !== "InputLayer")
        throw new FileError(`${layerTitle(model)}: its input ${quote(layer)} is no InputLayer`);
      this.#results.set(keyOf(layer, call), [inputs[k]]);
    });
  }

  outputs(): Value[] {
    return this.#index.graph.outputs.map((reference) => {
      this.#evaluate(reference);
      return this.#valueOf(reference);
    });
  }

  #valueOf({ layer, call, output }: KerasReference): Value {
    const value = this.#results.get(keyOf(layer, call))?.[output];
    if (!value) throw this.#fault(layer, `has no output ${output} of call ${call} (counted from 0)`);
    return value;
  }

  #fault(layer: string, why: string): FileError {
    return new FileError(`layer ${quote(layer)} ${why}`);
  }

  #evaluate(reference: KerasReference): void {
    const open = [reference];
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const key = keyOf(top.layer, top.call);
      if (this.#results.get(key)) {
        open.pop();
        continue;
      }
      const { layer, call, index } = this.#callOf(top);
      const taken = referencesOf(call);
      if (this.#results.has(key)) {
        // All that it takes has been evaluated since it was seen first.
        const values = taken.map((one) => this.#valueOf(one));
        const outputs = 1 + (this.#index.used.get(top.layer)?.output ?? 0);
        if (!(Number.isInteger(outputs) && outputs >= 1 && outputs <= OUTPUTS_LIMIT))
          throw this.#fault(top.layer, `has no output ${outputs - 1} (counted from 0)`);
        const results = this.#apply(layer, call, values, layer.graph ? 1 : outputs, index);
        this.#results.set(key, results);
        open.pop();
        continue;
      }
      this.#results.set(key, undefined);
      for (const one of taken.toReversed()) {
        const other = keyOf(one.layer, one.call);
        if (this.#results.has(other) && !this.#results.get(other))
          throw this.#fault(one.layer, "takes, by way of other layers, its own output");
        if (!this.#results.has(other)) open.push(one);
      }
    }
  }

  #callOf({ layer: name, call: number }: KerasReference): {
    readonly layer: KerasGraphLayer;
    readonly call: KerasCall;
    readonly index: number;
  } {
    const layer = this.#index.layers.get(name);
    if (!layer) throw this.#fault(name, `is not there, and ${layerTitle(this.#model)} refers to it`);
    if (layer.className === "InputLayer")
      throw this.#fault(name, `is no input of ${layerTitle(this.#model)}`);
    const used = this.#index.used.get(name);
    const { mayCountOwn } = this.#index.graph;
    const counted = mayCountOwn && layer.graph && used?.first === 1 && used.last === layer.calls.length;
    const shift = counted ? 1 : 0;
    const index = number - shift;
    const call = Number.isInteger(index) ? layer.calls[index] : undefined;
    if (!call) throw this.#fault(name, `has no call ${number} (counted from 0)`);
    return { layer, call, index };
  }
}

function keyOf(layer: string, call: number): string {
  return `${call}\n${layer}`;
}

function referencesOf({ values, named }: KerasCall): KerasReference[] {
  return [...values, ...[...named.values()].flat()].filter(isReference);
}

/** The nodes that outputs depend on. */
function needed(nodes: readonly NetworkNode[], outputs: readonly string[]): NetworkNode[] {
  const wanted = new Set(outputs);
  const kept: NetworkNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) wanted.add(name);
  }
  return kept.reverse();
}

function inputsOf(
  model: KerasGraphLayer,
  { inputs: given }: NetworkOptions,
  lengths: SymbolicLengths,
): NetworkInput[] {
  const { graph } = model;
  const found =
    graph && !graph.sequential
      ? graph.inputs.map(({ layer }) => inputNamed(graph, layer, lengths))
      : [firstInput(model, lengths)];
  const names = found.map(({ name }) => name);
  if (new Set(names).size < names.length) throw new FileError("has two inputs of the same name");
  for (const name of given?.keys() ?? [])
    if (!names.includes(name))
      throw new FileError(`has no input ${quote(name)}; it has ${names.slice(0, 5).map(quote).join(", ")}`);
  return found.map(({ name, shape }) => {
    const own = given?.get(name);
    if (!own) return { name, shape };
    if (shape && own.length !== shape.length)
      throw new FileError(
        `its input ${quote(name)} has ${shape.length} axes with that of the batch, not ${own.length}`,
      );
    if (
      own.length < 1 ||
      own.length > AXES_LIMIT ||
      !own.every((length) => Number.isSafeInteger(length) && length >= 1)
    )
      throw new FileError(`its input ${quote(name)} cannot have the shape ${own.slice(0, 8).join("x")}`);
    return { name, shape: own };
  });
}

function inputNamed(graph: KerasGraph, name: string, lengths: SymbolicLengths): NetworkInput {
  const layer = graph.layers.find((one) => one.name === name);
  if (!layer) throw new FileError(`layer ${quote(name)} is not there, and the model has it as an input`);
  return { name, shape: shapeIn(layer, name, lengths) };
}

/** The input of a sequential model, named for its first layer if it has no name of its own. */
function firstInput(model: KerasGraphLayer, lengths: SymbolicLengths): NetworkInput {
  const first = model.graph?.layers[0];
  if (!first) throw new FileError(`model ${quote(model.name)} has no layers`);
  const name = first.className === "InputLayer" ? first.name : `${first.name}_input`;
  let at: KerasGraphLayer | undefined = first;
  while (at?.graph) {
    const { graph }: KerasGraphLayer = at;
    at = graph.sequential ? graph.layers[0] : graph.layers.find((one) => one.name === graph.inputs[0].layer);
  }
  return {
    name,
    shape:
      (at && shapeIn(at, name, lengths)) ??
      shapeFrom(model.config["build_input_shape"], model, name, lengths) ??
      shapeFrom(model.built, model, name, lengths),
  };
}

function shapeIn(layer: KerasGraphLayer, name: string, lengths: SymbolicLengths): ValueShape | undefined {
  const { config } = layer;
  return shapeFrom(config["batch_input_shape"] ?? config["batch_shape"], layer, name, lengths);
}

/** Lengths that are null are open; the first is that of the batch. */
function shapeFrom(
  value: unknown,
  layer: KerasGraphLayer,
  name: string,
  lengths: SymbolicLengths,
): ValueShape | undefined {
  if (value === undefined || value === null) return undefined;
  const isLength = (length: unknown) =>
    length === null || (Number.isSafeInteger(length) && (length as number) >= 1);
  if (!Array.isArray(value) || value.length < 1 || value.length > AXES_LIMIT || !value.every(isLength))
    throw new FileError(`${layerTitle(layer)}: the shape of its input is no list of lengths`);
  return value.map(
    (length: number | null, axis) =>
      length ?? (axis === 0 ? lengths.symbol(BATCH) : lengths.open(name, axis)),
  );
}
