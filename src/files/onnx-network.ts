import { FileError, SpectralNormError } from "../matrix/errors.js";
import { broadcastShape } from "./broadcasting.js";
import type { Folder } from "./folder.js";
import { lipschitz, unbounded } from "./lipschitz-maps.js";
import type { Network, NetworkInput, NetworkNode, NetworkOptions, ValueShape } from "./network.js";
import { NoBound } from "./no-bound.js";
import { type OnnxContext, OnnxNames, within } from "./onnx-constants.js";
import { ELEMENTWISE_RULES } from "./onnx-elementwise.js";
import { OnnxEvaluation } from "./onnx-evaluation.js";
import { type OnnxItem, type OnnxModel, type OnnxNode, type OnnxScope, readOnnxGraph } from "./onnx-graph.js";
import { NORMALIZATION_RULES } from "./onnx-normalizations.js";
import { type EmittedNode, OnnxOperation, type OperatorRules, shapeOf } from "./onnx-operation.js";
import { type FlatStep, OnnxPatterns } from "./onnx-patterns.js";
import { NumberPlaces, overlapping } from "./onnx-places.js";
import { PRODUCT_RULES } from "./onnx-products.js";
import { dequantizationOf } from "./onnx-quantization.js";
import { REARRANGEMENT_RULES } from "./onnx-rearrangements.js";
import { REDUCTION_RULES } from "./onnx-reductions.js";
import type { OnnxValue } from "./onnx-values.js";
import { openQuantized } from "./onnx-weights.js";
import { ProtobufReader } from "./protobuf.js";
import type { ByteSource } from "./source.js";
import { type AxisLength, SymbolicLengths } from "./symbolic-lengths.js";
import { oneLine, quote } from "./text.js";
import { UniqueNames } from "./unique-names.js";

const RULES: OperatorRules = {
  ...ELEMENTWISE_RULES,
  ...PRODUCT_RULES,
  ...REARRANGEMENT_RULES,
  ...REDUCTION_RULES,
  ...NORMALIZATION_RULES,
};

/** Why operators that are known by their names have no rule. */
const REASONS: Readonly<Record<string, string>> = {
  ...reasons(
    "Attention MultiHeadAttention GroupQueryAttention QAttention DecoderMaskedMultiHeadAttention",
    (name) => `${name} multiplies values that all depend on the input`,
  ),
  ...reasons(
    "LSTM GRU RNN DynamicQuantizeLSTM",
    (name) => `${name} is recurrent, and how often it is applied depends on the input`,
  ),
  ...reasons("If Loop Scan SequenceMap", (name) => `${name} has a graph of its own, which is not followed`),
  ...reasons("ReduceProd ReduceSumSquare", (name) => `${name} is steeper the larger its input is`),
  ...reasons("ReduceLogSum Det", (name) => `${name} has slopes of any size`),
  ...reasons(
    "ConvInteger MatMulInteger QLinearConv QLinearMatMul QGemm QLinearAdd QLinearMul QLinearConcat QLinearAveragePool QLinearGlobalAveragePool QLinearSigmoid QLinearLeakyRelu DynamicQuantizeMatMul MatMulIntegerToFloat",
    (name) => `${name} takes integers to which its input is rounded, which is a step function`,
  ),
  ...reasons(
    "RandomNormal RandomUniform RandomNormalLike RandomUniformLike Multinomial",
    (name) => `${name} is random`,
  ),
};

function reasons(names: string, reason: (name: string) => string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, reason(name)]));
}

/** Chosen: more nodes than any network has when its functions are written out. */
const NODES_LIMIT = 2 ** 20;

/** Chosen: more calls within calls than any network has. */
const CALLS_LIMIT = 32;

/** A newer version than all that change the meaning of an operator. */
const NEWEST = 2 ** 15;

function tooLong(attribute: string): string {
  return `its attribute ${oneLine(attribute)} has more numbers than are read`;
}

/** A node of the network, those of functions in the place of their calls. */
interface Step extends FlatStep {
  readonly name: string;
  readonly opset: number;
  readonly context: OnnxContext;
  /** of the graph around, which the graphs in this node take */
  readonly captured: readonly string[];
}

/**
 * The network of an ONNX model: the maps of its nodes, with Lipschitz constants in exact arithmetic on the numbers as they
 * are stored. What does not depend on an input becomes part of the maps. Weights are read when a map is. Nodes that have no
 * Lipschitz constant, or none that is known, say why. Exporters' spellings of an activation or a normalization become one
 * node; nodes that nothing needs then are still there.
 *
 * Not followed: graphs within nodes, sequences, sparse tensors, and functions whose attributes are given by their callers.
 *
 * Format: https://github.com/onnx/onnx/blob/main/docs/IR.md, operators: https://onnx.ai/onnx/operators and, for
 * `com.microsoft`, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * Cost: memory for the structure of the graph and for small constants; at most 2^26 numbers of constants are computed.
 *
 * @param source  where the structure is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param name  the file's; not used
 * @param folder  where files of external data are
 * @throws FileError if it is no ONNX model, part of its structure is damaged, a node takes what no node gives, nodes form a
 *   cycle, a tensor that is needed is damaged, it has no output, or `options.inputs` names no input of it
 */
export function readOnnxNetwork(
  source: ByteSource,
  again: () => ByteSource,
  name: string,
  folder: Folder,
  options: NetworkOptions = {},
): Network {
  void name;
  const model = readOnnxGraph(new ProtobufReader(source));
  const [damage] = model.damage;
  if (damage) throw new FileError(`${quote(damage.name)}: ${damage.error.message}`);
  return new NetworkBuilder(model, new NumberPlaces(source, again, folder), options).network();
}

class NetworkBuilder {
  readonly #model: OnnxModel;
  readonly #places: NumberPlaces;
  readonly #options: NetworkOptions;
  readonly #names: OnnxNames;
  readonly lengths = new SymbolicLengths();
  readonly evaluation: OnnxEvaluation;
  readonly #values = new Map<string, OnnxValue>();
  readonly #patterns = new OnnxPatterns(this.#values);
  readonly #nodes: NetworkNode[] = [];
  readonly #nodeNames = new UniqueNames();
  /** of values in functions, other than those of the graph */
  readonly #valueNames = new UniqueNames();
  readonly #items = new Map<OnnxScope, Map<string, OnnxItem>>();
  readonly #overlaps: ReadonlyMap<OnnxItem, string>;
  #steps = 0;
  /** of the node that is being made */
  #step: Step | undefined;

  constructor(model: OnnxModel, places: NumberPlaces, options: NetworkOptions) {
    this.#model = model;
    this.#places = places;
    this.#options = options;
    this.#names = new OnnxNames(model);
    this.evaluation = new OnnxEvaluation(places, this.lengths);
    this.#overlaps = overlapping(model.items);
    for (const item of model.items) {
      const named = this.#items.get(item.scope) ?? new Map<string, OnnxItem>();
      if (named.has(item.name)) throw new FileError(`tensor ${quote(item.name)} is there a second time`);
      this.#items.set(item.scope, named.set(item.name, item));
    }
  }

  network(): Network {
    const { main } = this.#model;
    const inputs = this.#inputs(main);
    for (const [name] of this.#items.get(main) ?? []) this.#constantIn(main, name, name);
    const opset = this.#model.opsets.get("") ?? 1;
    for (const name of main.defined) this.#valueNames.unique(name);
    const steps = ordered(this.#flattened(main, { scope: main }, opset, "", new Map(), 0), this.#values);
    for (const step of steps) this.#add(step);
    if (main.outputs.length === 0) throw new FileError("its graph has no outputs");
    for (const output of new Set(main.outputs)) this.#output(output);
    return { inputs, outputs: [...new Set(main.outputs)], nodes: this.#nodes };
  }

  #inputs(main: OnnxScope): NetworkInput[] {
    const wanted = this.#options.inputs ?? new Map<string, readonly number[]>();
    const items = this.#items.get(main);
    // Inputs with initializers have a value, as all initializers had to be inputs once.
    const own = main.inputs.filter(({ name }) => !items?.has(name));
    const names = own.map(({ name }) => name);
    for (const name of wanted.keys())
      if (!names.includes(name))
        throw new FileError(
          `has no input ${quote(name)}; its inputs are ${names.map(quote).join(", ") || "none"}`,
        );
    if (new Set(names).size < names.length) throw new FileError("has two inputs of the same name");
    // A symbol is the same length everywhere.
    const symbols = new Map<string, number>();
    for (const { name, shape } of own)
      wanted.get(name)?.forEach((length, axis) => {
        const symbol = shape?.length === wanted.get(name)?.length ? shape?.[axis] : undefined;
        if (typeof symbol === "string") symbols.set(symbol, length);
      });
    return own.map(({ name, type, shape: said }): NetworkInput => {
      const shape: ValueShape | undefined =
        wanted.get(name) ??
        said?.map((length, axis): AxisLength => {
          if (length === undefined) return this.lengths.open(name, axis);
          return typeof length === "number" ? length : (symbols.get(length) ?? this.lengths.symbol(length));
        });
      this.#values.set(name, { kind: "variable", name, shape, type });
      return { name, shape };
    });
  }

  #constantIn(scope: OnnxScope, name: string, as: string): void {
    const item = this.#items.get(scope)?.get(name);
    if (!item || name === "") return;
    const other = this.#overlaps.get(item);
    if (other !== undefined)
      throw new FileError(`tensor ${quote(name)}: its external data overlaps that of ${quote(other)}`);
    this.#values.set(as, this.evaluation.stored(item));
  }

  /** The nodes of a graph, with those of functions in the place of their calls. */
  #flattened(
    scope: OnnxScope,
    context: OnnxContext,
    opset: number,
    prefix: string,
    given: Map<string, string>,
    depth: number,
  ): Step[] {
    const rename = (name: string): string => {
      if (name === "" || depth === 0) return name;
      const own = given.get(name) ?? this.#valueNames.unique(`${prefix}${name}`);
      given.set(name, own);
      return own;
    };
    const found: Step[] = [];
    scope.nodes.forEach((node, index) => {
      if (++this.#steps > NODES_LIMIT) throw new FileError(`has more than ${NODES_LIMIT} nodes`);
      const inputs = node.inputs.map(rename);
      const outputs = node.outputs.map(rename);
      const own = `${prefix}${node.name === "" ? `${node.operator}_${index}` : node.name}`;
      const called = this.#model.functions.get(node.operator);
      const captured = (node.graphs ?? []).flatMap((graph) =>
        [...graph.uses.keys()].filter((name) => name !== "" && !graph.defined.has(name)).map(rename),
      );
      if (
        !called ||
        depth >= CALLS_LIMIT ||
        called.scope.nodes.some((inner) => inner.refers || inner.graphs)
      ) {
        found.push({ node, inputs, outputs, name: own, opset, context, captured });
        return;
      }
      const names = new Map<string, string>();
      for (const [k, input] of called.inputs.entries()) names.set(input, inputs[k] ?? "");
      called.outputs.forEach((name, k) => {
        const output = outputs[k] || this.#valueNames.unique(`${own}/${name}`);
        // An output that is an input is passed on.
        if (names.has(name)) return;
        names.set(name, output);
      });
      const passed = called.outputs.some((name) => called.inputs.includes(name));
      if (passed || new Set(called.outputs).size < called.outputs.length) {
        found.push({ node, inputs, outputs, name: own, opset, context, captured });
        return;
      }
      const inner = within(called.scope, node, called.inputs, context);
      const innerPrefix = `${own}/`;
      for (const [name] of this.#items.get(called.scope) ?? []) {
        const as = names.get(name) ?? this.#valueNames.unique(`${innerPrefix}${name}`);
        names.set(name, as);
        this.#constantIn(called.scope, name, as);
      }
      const version = called.opsets.get("") ?? opset;
      for (const step of this.#flattened(called.scope, inner, version, innerPrefix, names, depth + 1))
        found.push(step);
    });
    return found;
  }

  #add(step: Step): void {
    const { node, outputs } = step;
    const { operator } = node;
    if (operator === "Constant") {
      this.#constantNode(step);
      return;
    }
    const inputs = step.inputs.map((name) => (name === "" ? undefined : this.#values.get(name)));
    const taken = [...inputs, ...step.captured.map((name) => this.#values.get(name))];
    if (!taken.some((value) => value?.kind === "variable")) {
      const value = this.#evaluated(step, inputs);
      outputs.forEach((name, k) => {
        const own: OnnxValue =
          k === 0 ? value : { kind: "unknown", reason: `its constant is output ${k} of ${operator}` };
        if (name !== "") this.#values.set(name, own);
      });
      this.#patterns.add(step);
      return;
    }
    if ((operator === "Shape" || operator === "Size") && inputs[0]) {
      const value = this.#shapeOf(step, inputs[0]);
      if (outputs[0]) this.#values.set(outputs[0], value);
      return;
    }
    this.#step = step;
    const before = this.#nodes.length;
    try {
      const rule = Object.hasOwn(RULES, operator) ? RULES[operator] : undefined;
      if (node.refers) throw new NoBound("it is in a function whose attributes its callers give");
      if (node.tooLong !== undefined) throw new NoBound(tooLong(node.tooLong));
      if (!rule) throw new NoBound(this.#reasonWithout(operator));
      const known = this.#recognized(step);
      const operation = new OnnxOperation(node, step.opset, inputs, outputs, this);
      if (known) this.#emitRecognized(operation, known);
      else rule(operation);
    } catch (error) {
      if (!(error instanceof NoBound)) throw error;
      this.#nodes.length = before;
      this.#unbounded(step, taken, outputs, error.message);
    }
    const missing = outputs.filter((name) => name !== "" && !this.#values.has(name));
    if (missing.length > 0)
      this.#unbounded(step, taken, missing, "this output is not followed", "other outputs");
    this.#patterns.add(step);
  }

  #recognized(step: Step) {
    // The last node is one of those that it is looked for among.
    this.#patterns.add(step);
    return this.#patterns.recognize(step);
  }

  #emitRecognized(operation: OnnxOperation, found: NonNullable<ReturnType<OnnxPatterns["recognize"]>>): void {
    const { x, name, pieces, constant, how, linear } = found;
    operation.emit({
      inputs: [x],
      op: `${name} (${pieces.join(", ")})`,
      outputs: [{ name: operation.outputs[0], shape: x.shape, type: x.type }],
      map: lipschitz(constant, how, linear),
    });
  }

  #reasonWithout(operator: string): string {
    const reason = Object.hasOwn(REASONS, operator) ? REASONS[operator] : undefined;
    if (reason !== undefined) return reason;
    if (this.#model.functions.has(operator)) return `the function ${oneLine(operator)} is not followed`;
    return `no constant is known of the operator ${oneLine(operator)}`;
  }

  #unbounded(
    step: Step,
    taken: readonly (OnnxValue | undefined)[],
    outputs: readonly string[],
    reason: string,
    part?: string,
  ): void {
    const variables = taken.filter((value) => value?.kind === "variable");
    this.#push(step, {
      ...{ inputs: variables, map: unbounded(reason) },
      ...(part && { part }),
      outputs: outputs
        .filter((name) => name !== "")
        .map((name) => ({ name, shape: this.#shapeBehind(step), type: undefined })),
    });
  }

  /** The shape of what is taken entry by entry is known even where it has no constant. */
  #shapeBehind({ node, inputs }: Step): ValueShape | undefined {
    if (!Object.hasOwn(ELEMENTWISE_RULES, node.operator)) return undefined;
    try {
      return broadcastShape(
        this.lengths,
        inputs.map((name) => shapeOf(this.#values.get(name))),
      );
    } catch (error) {
      if (!(error instanceof NoBound)) throw error;
      return undefined;
    }
  }

  emit(_: OnnxOperation, node: EmittedNode): void {
    if (this.#step) this.#push(this.#step, node);
  }

  #push(step: Step, { part, op, inputs, outputs, map }: EmittedNode): void {
    const named = outputs.filter(({ name }) => name !== "");
    if (named.length === 0) return;
    for (const output of named) this.#values.set(output.name, { ...output, kind: "variable" });
    this.#nodes.push({
      name: this.#nodeNames.unique(part === undefined ? step.name : `${step.name}: ${part}`),
      op: op ?? step.node.operator,
      inputs: inputs.map(({ name }) => name),
      outputs: named.map(({ name }) => name),
      shape: inputs[0]?.shape,
      map,
    });
  }

  /** `Constant` nodes whose value is a tensor are among the items. */
  #constantNode({ node, outputs }: Step): void {
    const [output] = outputs;
    if (output === undefined || this.#values.has(output)) return;
    const { integers } = node;
    const [integer, list] = [integers.get("value_int"), integers.get("value_ints")];
    this.#values.set(
      output,
      integer
        ? this.evaluation.integers(integer.slice(0, 1), [])
        : list
          ? this.evaluation.integers(list, [list.length])
          : { kind: "unknown", reason: "its constant is not understood" },
    );
  }

  #evaluated(step: Step, inputs: readonly (OnnxValue | undefined)[]): OnnxValue {
    try {
      return this.#evaluatedConstant(step, inputs);
    } catch (error) {
      if (!(error instanceof NoBound)) throw error;
      return { kind: "unknown", reason: error.message };
    }
  }

  #evaluatedConstant(step: Step, inputs: readonly (OnnxValue | undefined)[]): OnnxValue {
    const { node, opset, outputs } = step;
    if (node.tooLong !== undefined) return { kind: "unknown", reason: tooLong(node.tooLong) };
    if (node.operator === "ConstantOfShape") return this.#filled(step, inputs[0]);
    if ((node.operator === "Shape" || node.operator === "Size") && inputs[0])
      return this.#shapeOf(step, inputs[0]);
    if (node.operator === "Split" || outputs.length > 1)
      return { kind: "unknown", reason: `its constant is computed by ${node.operator}` };
    return this.evaluation.evaluate({ node, operator: node.operator, opset, inputs });
  }

  #filled({ node }: Step, shape: OnnxValue | undefined): OnnxValue {
    const unknown: OnnxValue = {
      kind: "unknown",
      reason: "its constant is made by ConstantOfShape, of an open shape",
    };
    const lengths = this.evaluation.listOf(shape);
    const { fill } = node;
    if (!lengths) return unknown;
    if (fill instanceof SpectralNormError)
      throw new FileError(`the value of ConstantOfShape: ${fill.message}`);
    const value =
      fill === undefined
        ? { ...this.evaluation.integers([0], [1]), type: "FLOAT" }
        : this.evaluation.stored({ name: "value of ConstantOfShape", scope: node.scope, content: fill });
    const expanded: OnnxNode = { ...node, operator: "Expand" };
    return this.evaluation.evaluate({
      node: expanded,
      operator: "Expand",
      opset: NEWEST,
      inputs: [value, shape],
    });
  }

  #shapeOf({ node, outputs }: Step, value: OnnxValue): OnnxValue {
    const shape = shapeOf(value);
    if (!shape)
      return {
        kind: "unknown",
        reason: `its constant is the shape of a value, ${outputs[0] ?? ""}, which is not known`,
      };
    if (node.operator === "Size") return this.evaluation.shapeValue([this.lengths.product(shape)], []);
    const [start, end] = ["start", "end"].map((name) => node.integers.get(name)?.[0]);
    const part = shape.slice(start ?? 0, end ?? shape.length);
    return this.evaluation.shapeValue(part, [part.length]);
  }

  packedMatrix({ node }: OnnxOperation): () => Float32Array {
    const context = this.#step?.context ?? { scope: node.scope };
    const item = this.#names.constant(node.inputs[1] ?? "", context);
    const content = item?.content;
    if (typeof content !== "object" || content instanceof SpectralNormError || !content.stored)
      throw new NoBound("its matrix is no constant that is read");
    const tensor = { ...content, stored: content.stored };
    try {
      const axes = content.shape.map((_, axis) => axis);
      const found = dequantizationOf(this.#names, { node, at: 1, axes, context }, tensor);
      const [rows, columns] = found.shape;
      return () => {
        const opened = openQuantized(tensor, found, 1, this.#places);
        try {
          return Float32Array.from(opened.numbers(0, rows * columns));
        } finally {
          opened.close();
        }
      };
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      throw new NoBound(`its matrix ${error.message}`);
    }
  }

  /** An output that does not depend on an input is a node without inputs. */
  #output(name: string): void {
    const value = this.#values.get(name);
    if (!value) throw new FileError(`its output ${quote(name)} is given by no node`);
    if (value.kind === "variable") return;
    this.#nodes.push({
      ...{ name: this.#nodeNames.unique(`${name}: constant`), op: "Constant", inputs: [], outputs: [name] },
      shape: undefined,
      map: {
        kind: "lipschitz",
        constants: [],
        combine: "sum",
        how: "does not depend on the input",
        linear: true,
      },
    });
  }
}

/**
 * Nodes in an order in which each comes behind those whose outputs it takes. It is that of the file if that is one.
 *
 * @throws FileError if there is none, or a node takes a value that no node gives
 */
function ordered(steps: readonly Step[], given: ReadonlyMap<string, OnnxValue>): readonly Step[] {
  const producers = new Map<string, number>();
  steps.forEach(({ node, outputs, name }, k) => {
    for (const output of outputs) {
      if (output === "") continue;
      const constant = node.operator === "Constant";
      if (producers.has(output) || (given.has(output) && !constant))
        throw new FileError(`node ${quote(name)} gives ${quote(output)}, which is there already`);
      producers.set(output, k);
    }
  });
  const waiting = new Int32Array(steps.length);
  const takers = new Map<number, number[]>();
  let inOrder = true;
  steps.forEach(({ inputs, captured, name }, k) => {
    for (const input of new Set([...inputs, ...captured])) {
      if (input === "") continue;
      const from = producers.get(input);
      if (from === undefined) {
        if (given.has(input)) continue;
        throw new FileError(`node ${quote(name)} takes ${quote(input)}, which no node gives`);
      }
      if (from >= k) inOrder = false;
      waiting[k]++;
      const list = takers.get(from);
      if (list) list.push(k);
      else takers.set(from, [k]);
    }
  });
  if (inOrder) return steps;
  const found: Step[] = [];
  const ready = steps.map((_, k) => k).filter((k) => waiting[k] === 0);
  for (let at = 0; at < ready.length; at++) {
    found.push(steps[ready[at]]);
    for (const k of takers.get(ready[at]) ?? []) if (--waiting[k] === 0) ready.push(k);
  }
  if (found.length < steps.length) {
    const stuck = steps[waiting.findIndex((count) => count > 0)];
    throw new FileError(`node ${quote(stuck.name)} is part of a cycle, or behind one`);
  }
  return found;
}
