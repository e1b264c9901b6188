import { FileError, SpectralNormError } from "../matrix/errors.js";
import {
  attributeNumber,
  attributeNumbers,
  type NamedOnnxTensor,
  type OnnxTensor,
  readOnnxTensor,
  typeName,
} from "./onnx-tensor.js";
import type { Field, Message, ProtobufReader } from "./protobuf.js";

/** Fields of ONNX's messages. */
const MODEL = { irVersion: 1, graph: 7, opset: 8, functions: 25 } as const;
const OPSET = { domain: 1, version: 2 } as const;
const GRAPH = {
  node: 1,
  initializer: 5,
  input: 11,
  output: 12,
  valueInfo: 13,
  sparseInitializer: 15,
} as const;
const FUNCTION = { name: 1, input: 4, output: 5, node: 7, opset: 9, domain: 10, overload: 13 } as const;
const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7, overload: 8 } as const;
const ATTRIBUTE = {
  name: 1,
  float: 2,
  integer: 3,
  text: 4,
  tensor: 5,
  graph: 6,
  floats: 7,
  integers: 8,
  graphs: 11,
  reference: 21,
  sparse: 22,
} as const;

/** Of a `ValueInfoProto` and what lies in it, from the outside to the inside. */
const VALUE = { name: 1, type: 2, tensor: 1, element: 1, shape: 2, dim: 1, length: 1, symbol: 2 } as const;

/** Chosen: more axes than any value has. */
const AXES_LIMIT = 16;

/** Chosen: more nodes, or tensors, than any network has; each takes memory beyond its bytes in the file. */
const COUNT_LIMIT = 2 ** 20;

/** Chosen: more numbers than the strides, pads and permutations of an operator have. */
const NUMBERS_LIMIT = 64;

/** Domains whose operators are known by their names alone: ONNX's own, and that of ONNX Runtime. */
const KNOWN_DOMAINS: ReadonlySet<string> = new Set(["", "ai.onnx", "com.microsoft"]);

const NO_NUMBERS: ReadonlyMap<string, readonly number[]> = new Map();
const NO_TEXTS: ReadonlyMap<string, string> = new Map();

/** A node of a graph. */
export interface OnnxNode {
  /** "" if the file gives it none */
  readonly name: string;
  /** its type, such as "Conv"; with its domain if that is none of ONNX or ONNX Runtime, and with its overload if it has one */
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly integers: ReadonlyMap<string, readonly number[]>;
  readonly floats: ReadonlyMap<string, readonly number[]>;
  readonly texts: ReadonlyMap<string, string>;
  /** whether an attribute is in none of these maps */
  readonly partial?: boolean;
  /** an attribute that has more numbers than are kept */
  readonly tooLong?: string;
  /** the value of a `ConstantOfShape`, if it has one */
  readonly fill?: OnnxTensor | SpectralNormError;
  /** the graphs that it contains, such as the branches of an `If` */
  readonly graphs?: readonly OnnxScope[];
  /** whether it has attributes whose values the caller of its function gives */
  readonly refers?: boolean;
  /** where its inputs and outputs are named */
  readonly scope: OnnxScope;
}

/** The integer of an attribute. */
export function integerOf({ integers }: OnnxNode, name: string, otherwise: number): number {
  return integers.get(name)?.[0] ?? otherwise;
}

/** The float of an attribute. */
export function floatOf({ floats }: OnnxNode, name: string, otherwise: number): number {
  return floats.get(name)?.[0] ?? otherwise;
}

/** A value as an input of a node. */
export interface OnnxUse {
  readonly node: OnnxNode;
  /** which of the inputs, from 0 */
  readonly at: number;
}

/** A tensor of a graph, or something of it that cannot be read. */
export interface OnnxItem {
  readonly name: string;
  readonly scope: OnnxScope;
  readonly content: OnnxTensor | SpectralNormError | "sparse";
}

/** The names of a graph, a subgraph or the body of a function. */
export interface OnnxScope {
  /** where it is: "" for the model's graph, or "If_3/then_branch" */
  readonly path: string;
  /** the graph around it, whose names are known in it; a function has none */
  readonly outer: OnnxScope | undefined;
  /** in the order of the file */
  readonly nodes: OnnxNode[];
  readonly uses: Map<string, OnnxUse[]>;
  readonly defined: Set<string>;
  /** what it says of the shapes of values; a length is absent if it is not fixed */
  readonly shapes: Map<string, readonly (number | undefined)[]>;
  /** the inputs of a graph, with those that initializers give a value */
  readonly inputs: OnnxInput[];
  readonly outputs: string[];
}

/** An input of a graph. */
export interface OnnxInput {
  readonly name: string;
  /** of its numbers, as ONNX names it; undefined if it is no tensor */
  readonly type: string | undefined;
  /** a length that is not fixed is its symbol, or undefined if it has none; undefined if not even the rank is known */
  readonly shape: readonly (number | string | undefined)[] | undefined;
}

/** The body of a function. */
export interface OnnxFunction {
  readonly scope: OnnxScope;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** the versions of the operators in it by their domains, if it gives them */
  readonly opsets: ReadonlyMap<string, number>;
}

/** What a model consists of. */
export interface OnnxModel {
  /** in the order of the file */
  readonly items: readonly OnnxItem[];
  /** the bodies of functions by the operators that call them, and the names of their inputs */
  readonly functions: ReadonlyMap<string, OnnxFunction>;
  readonly main: OnnxScope;
  /** the versions of its operators by their domains; that of ONNX's own is "" */
  readonly opsets: ReadonlyMap<string, number>;
  /** the parts of its structure that cannot be read; each is one of the items, too */
  readonly damage: readonly { readonly name: string; readonly error: SpectralNormError }[];
}

/**
 * Reads the structure of a model: its nodes, subgraphs and functions, and its tensors without their numbers.
 *
 * Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 *
 * @throws FileError if it has no graph, or more than 1048576 nodes or tensors
 */
export function readOnnxGraph(reader: ProtobufReader): OnnxModel {
  const walk = new GraphWalk(reader);
  let graphs = 0;
  const whole = reader.whole;
  try {
    for (const field of reader.fields(whole, true)) {
      if (field.number === MODEL.irVersion && reader.integer(field) < 1)
        throw new FileError("has an ir_version that is not positive");
      if (field.number === MODEL.graph) {
        graphs++;
        walk.graph(reader.message(field, whole), walk.main);
      } else if (field.number === MODEL.functions) walk.function(reader.message(field, whole));
      else if (field.number === MODEL.opset) walk.opset(reader.message(field, whole), walk.opsets);
      if (field.missing)
        throw new FileError(`is cut short or damaged: ${field.missing} bytes more are promised than it has`);
    }
  } catch (error) {
    if (!(error instanceof SpectralNormError) || error instanceof TooMany) throw error;
    if (graphs === 0) throw new FileError(`is not an ONNX model, or ${error.message}`);
    walk.fail("the rest of the file", walk.main, error);
  }
  if (graphs === 0) throw new FileError("is not an ONNX model: it has no graph");
  return walk;
}

/** There is more than is worth reading. */
class TooMany extends FileError {}

class GraphWalk implements OnnxModel {
  readonly items: OnnxItem[] = [];
  readonly functions = new Map<string, OnnxFunction>();
  readonly opsets = new Map<string, number>();
  readonly damage: { name: string; error: SpectralNormError }[] = [];
  readonly main = scopeAt("");
  readonly #reader: ProtobufReader;
  #nodes = 0;

  constructor(reader: ProtobufReader) {
    this.#reader = reader;
  }

  fail(name: string, scope: OnnxScope, error: SpectralNormError): void {
    this.#add({ name, scope, content: error });
    this.damage.push({ name: scope.path === "" ? name : `${scope.path}/${name}`, error });
  }

  opset(message: Message, into: Map<string, number>): void {
    let [domain, version] = ["", 0];
    for (const field of this.#reader.fields(message)) {
      if (field.number === OPSET.domain) domain = this.#reader.text(field);
      else if (field.number === OPSET.version) version = this.#reader.integer(field);
    }
    if (into.size < NUMBERS_LIMIT) into.set(domain === "ai.onnx" ? "" : domain, version);
  }

  graph(message: Message, scope: OnnxScope): void {
    const reader = this.#reader;
    this.#each(message, scope, (field, index) => {
      switch (field.number) {
        case GRAPH.node:
          this.#node(reader.message(field, message), scope, index);
          break;
        case GRAPH.initializer:
          this.#tensor(readOnnxTensor(reader, reader.message(field, message)), `initializer ${index}`, scope);
          break;
        case GRAPH.sparseInitializer:
          this.#sparse(reader.message(field, message), `sparse initializer ${index}`, scope);
          break;
        case GRAPH.input:
        case GRAPH.output:
        case GRAPH.valueInfo:
          this.#value(reader.message(field, message), scope, field.number);
      }
    });
  }

  #value(message: Message, scope: OnnxScope, part: number): void {
    const reader = this.#reader;
    if (++this.#nodes > COUNT_LIMIT) throw tooMany();
    let name = "";
    let type: Message | undefined;
    for (const field of reader.fields(message)) {
      if (field.number === VALUE.name) name = reader.text(field);
      else if (field.number === VALUE.type) type = reader.message(field, message);
    }
    const tensor = this.#inner(type, VALUE.tensor);
    const lengths = this.#shape(this.#inner(tensor, VALUE.shape));
    const shape = lengths?.map((length) => (typeof length === "number" ? length : undefined));
    if (shape) scope.shapes.set(name, shape);
    if (part === GRAPH.output) scope.outputs.push(name);
    if (part !== GRAPH.input) return;
    scope.defined.add(name);
    scope.inputs.push({ name, type: tensor && this.#elementType(tensor), shape: lengths });
  }

  #elementType(tensor: Message): string | undefined {
    let type: string | undefined;
    for (const field of this.#reader.fields(tensor))
      if (field.number === VALUE.element) type = typeName(this.#reader.integer(field));
    return type;
  }

  /** The lengths in a `TensorShapeProto`; one that is not fixed is its symbol, or undefined if it has none. */
  #shape(shape: Message | undefined): (number | string | undefined)[] | undefined {
    if (!shape) return undefined;
    const reader = this.#reader;
    const lengths: (number | string | undefined)[] = [];
    for (const field of reader.fields(shape)) {
      if (field.number !== VALUE.dim) continue;
      let length: number | undefined;
      let symbol: string | undefined;
      for (const inner of reader.fields(reader.message(field, shape))) {
        if (inner.number === VALUE.length) length = reader.integer(inner);
        else if (inner.number === VALUE.symbol) symbol = reader.text(inner);
      }
      // Some writers give −1 or 0 for a length that is not fixed.
      if (lengths.push(length !== undefined && length > 0 ? length : symbol || undefined) > AXES_LIMIT)
        return undefined;
    }
    return lengths;
  }

  #inner(message: Message | undefined, number: number): Message | undefined {
    if (!message) return undefined;
    for (const field of this.#reader.fields(message))
      if (field.number === number) return this.#reader.message(field, message);
    return undefined;
  }

  function(message: Message): void {
    const reader = this.#reader;
    let [name, domain, overload] = ["", "", ""];
    const inputs: string[] = [];
    const outputs: string[] = [];
    const opsets = new Map<string, number>();
    const nodes: Field[] = [];
    const named = (): string => (name === "" ? "a function" : name);
    const gathering = scopeAt("");
    this.#each(
      message,
      gathering,
      (field) => {
        if (field.number === FUNCTION.name) name = reader.text(field);
        else if (field.number === FUNCTION.domain) domain = reader.text(field);
        else if (field.number === FUNCTION.overload) overload = reader.text(field);
        else if (field.number === FUNCTION.input) inputs.push(reader.text(field));
        else if (field.number === FUNCTION.output) outputs.push(reader.text(field));
        else if (field.number === FUNCTION.opset) this.opset(reader.message(field, message), opsets);
        else if (field.number === FUNCTION.node) nodes.push(field);
        if (nodes.length + inputs.length + outputs.length > COUNT_LIMIT) throw tooMany();
      },
      named,
    );
    const scope = scopeAt(named());
    for (const input of inputs) scope.defined.add(input);
    const operator = operatorIn(domain, name, overload);
    if (this.functions.has(operator))
      this.fail(named(), gathering, new FileError("this function is there a second time"));
    else this.functions.set(operator, { scope, inputs, outputs, opsets });
    nodes.forEach((field, index) => {
      this.#guarded(`node ${index}`, scope, () => this.#node(reader.message(field, message), scope, index));
    });
  }

  /** Goes on behind a field whose content is damaged, and ends at one whose length is. */
  #each(
    message: Message,
    scope: OnnxScope,
    action: (field: Field, index: number) => void,
    named: () => string = () => (scope.path === "" ? "the graph" : scope.path),
  ): void {
    const counts = new Map<number, number>();
    try {
      for (const field of this.#reader.fields(message)) {
        const index = counts.get(field.number) ?? 0;
        // Numbers of fields that are not known are not kept.
        if (field.number <= FIELDS_KNOWN) counts.set(field.number, index + 1);
        const what = `${PARTS[field.number] ?? "node"} ${index}`;
        this.#guarded(what, scope, () => action(field, index));
      }
    } catch (error) {
      if (!(error instanceof SpectralNormError) || error instanceof TooMany) throw error;
      this.fail(named(), scope, new FileError(`${error.message}; what lies behind in it is lost`));
    }
  }

  #guarded(what: string, scope: OnnxScope, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof SpectralNormError) || error instanceof TooMany) throw error;
      this.fail(what, scope, error);
    }
  }

  #node(message: Message, scope: OnnxScope, index: number): void {
    const reader = this.#reader;
    if (++this.#nodes > COUNT_LIMIT) throw tooMany();
    const [inputs, outputs]: [string[], string[]] = [[], []];
    const attributes: Message[] = [];
    let [name, operator, domain, overload] = ["", "", "", ""];
    for (const field of reader.fields(message)) {
      switch (field.number) {
        case NODE.input:
          inputs.push(reader.text(field));
          break;
        case NODE.output:
          outputs.push(reader.text(field));
          break;
        case NODE.name:
          name = reader.text(field);
          break;
        case NODE.operator:
          operator = reader.text(field);
          break;
        case NODE.domain:
          domain = reader.text(field);
          break;
        case NODE.overload:
          overload = reader.text(field);
          break;
        case NODE.attribute:
          attributes.push(reader.message(field, message));
      }
      // A field takes less memory than a node.
      this.#nodes += 1 / 4;
      if (this.#nodes > COUNT_LIMIT) throw tooMany();
    }
    for (const output of outputs) scope.defined.add(output);
    // Most nodes of a large file have no attributes, and a map of their own would take more memory than they.
    const any = attributes.length > 0;
    const node: OnnxNode = {
      ...{ name, operator: operatorIn(domain, operator, overload), inputs, outputs, scope },
      integers: any ? new Map() : NO_NUMBERS,
      floats: any ? new Map() : NO_NUMBERS,
      texts: any ? new Map() : NO_TEXTS,
    };
    if (outputs.length > 0) scope.nodes.push(node);
    inputs.forEach((input, at) => {
      if (input !== "") addUses(scope.uses, input, [{ node, at }]);
    });
    const constant = node.operator === "Constant" ? (outputs[0] ?? `Constant ${index}`) : undefined;
    for (const attribute of attributes)
      this.#attribute(attribute, node, constant, `${name === "" ? `${operator}_${index}` : name}`);
  }

  /** @param constant  the name of the node's output, if it is a `Constant` */
  #attribute(message: Message, node: OnnxNode, constant: string | undefined, path: string): void {
    const reader = this.#reader;
    const { scope } = node;
    let name = "";
    let text: Field | undefined;
    let integers: number[] | undefined;
    const floats: Field[] = [];
    let floatBytes = 0;
    let content: OnnxItem["content"] | undefined;
    const graphs: Message[] = [];
    let fill: Message | undefined;
    for (const field of reader.fields(message)) {
      switch (field.number) {
        case ATTRIBUTE.name:
          name = reader.text(field);
          break;
        case ATTRIBUTE.text:
          text = field;
          break;
        case ATTRIBUTE.integer:
        case ATTRIBUTE.integers:
          integers ??= [];
          for (const value of field.type === "bytes" ? reader.varints(field) : [reader.integer(field)])
            if (integers.push(value) > NUMBERS_LIMIT) break;
          break;
        case ATTRIBUTE.reference:
          if (!node.refers) Object.assign(node, { refers: true });
          break;
        case ATTRIBUTE.tensor:
          if (node.operator === "ConstantOfShape") fill = reader.message(field, message);
          if (constant === undefined) break;
          if (content !== undefined) throw new FileError(`the attribute of ${path} has two values`);
          content = readOnnxTensor(reader, reader.message(field, message)).tensor;
          break;
        case ATTRIBUTE.sparse:
          content = "sparse";
          break;
        case ATTRIBUTE.float:
        case ATTRIBUTE.floats:
          if (floats.length <= NUMBERS_LIMIT) floats.push(field);
          floatBytes += field.end - field.begin;
          break;
        case ATTRIBUTE.graph:
        case ATTRIBUTE.graphs:
          if (graphs.push(reader.message(field, message)) > COUNT_LIMIT) throw tooMany();
      }
    }
    if (fill) Object.assign(node, { fill: readOnnxTensor(reader, fill).tensor });
    if (constant !== undefined && floats.length > 0)
      content ??=
        floats[0].number === ATTRIBUTE.float
          ? attributeNumber(floats[0])
          : attributeNumbers(message, ATTRIBUTE.floats, floatBytes);
    if (constant !== undefined && content !== undefined) this.#add({ name: constant, scope, content });
    const numbers = FLOATS.has(name) ? this.#floats(floats) : undefined;
    if (numbers) (node.floats as Map<string, readonly number[]>).set(name, numbers);
    if (integers && integers.length <= NUMBERS_LIMIT)
      (node.integers as Map<string, readonly number[]>).set(name, integers);
    // Others may hold any bytes.
    const known = text && TEXTS.has(name);
    if (known) (node.texts as Map<string, string>).set(name, reader.text(text as Field));
    if ((integers && integers.length > NUMBERS_LIMIT) || (floats.length > 0 && numbers?.length === 0))
      Object.assign(node, { tooLong: name });
    if (!known && !integers && !numbers?.length) Object.assign(node, { partial: true });
    graphs.forEach((graph, k) => {
      const inner = scopeAt(
        `${scope.path === "" ? "" : `${scope.path}/`}${path}/${name}${graphs.length > 1 ? `_${k}` : ""}`,
        scope,
      );
      this.graph(graph, inner);
      // An output may be a value of the graph around.
      for (const output of inner.outputs) if (!inner.defined.has(output)) addUses(inner.uses, output, []);
      Object.assign(node, { graphs: [...(node.graphs ?? []), inner] });
      // What a subgraph does not define itself is a name of the graph around it.
      for (const [value, uses] of inner.uses) if (!inner.defined.has(value)) addUses(scope.uses, value, uses);
    });
  }

  #floats(fields: readonly Field[]): number[] {
    const found: number[] = [];
    for (const field of fields) {
      if (field.type !== "bytes") found.push(this.#reader.float(field));
      else for (const value of this.#reader.floats(field)) if (found.push(value) > NUMBERS_LIMIT) return [];
      if (found.length > NUMBERS_LIMIT) return [];
    }
    return found;
  }

  #tensor({ name, tensor }: NamedOnnxTensor, otherwise: string, scope: OnnxScope): void {
    if (name !== undefined) scope.defined.add(name);
    this.#add({ name: name ?? otherwise, scope, content: tensor });
  }

  /** The name is that of the values, the first field of a `SparseTensorProto`. */
  #sparse(message: Message, otherwise: string, scope: OnnxScope): void {
    let name: string | undefined;
    for (const field of this.#reader.fields(message))
      if (field.number === 1) name = readOnnxTensor(this.#reader, this.#reader.message(field, message)).name;
    if (name !== undefined) scope.defined.add(name);
    this.#add({ name: name ?? otherwise, scope, content: "sparse" });
  }

  #add(item: OnnxItem): void {
    if (this.items.push(item) > COUNT_LIMIT) throw tooMany();
  }
}

/** What messages call the parts of a graph, other than its nodes. */
const PARTS: Readonly<Record<number, string>> = {
  [GRAPH.initializer]: "initializer",
  [GRAPH.sparseInitializer]: "sparse initializer",
  [GRAPH.input]: "input",
  [GRAPH.output]: "output",
  [GRAPH.valueInfo]: "value_info",
};

/** Larger than the numbers of all fields of a graph or a function. */
const FIELDS_KNOWN = 32;

/** Attributes whose text is kept. */
const TEXTS: ReadonlySet<string> = new Set(
  "activation approximate auto_pad coordinate_transformation_mode keep_aspect_ratio_policy mode nearest_mode padding_mode".split(
    " ",
  ),
);

/** Attributes whose floats are kept. */
const FLOATS: ReadonlySet<string> = new Set(
  "activation_alpha activation_params alpha beta bias cubic_coeff_a epsilon extrapolation_value gamma lambd max min p scale scales value".split(
    " ",
  ),
);

function scopeAt(path: string, outer?: OnnxScope): OnnxScope {
  return {
    path,
    outer,
    nodes: [],
    uses: new Map(),
    defined: new Set(),
    shapes: new Map(),
    inputs: [],
    outputs: [],
  };
}

function addUses(all: Map<string, OnnxUse[]>, name: string, uses: readonly OnnxUse[]): void {
  const found = all.get(name);
  if (!found) all.set(name, [...uses]);
  else for (const use of uses) found.push(use);
}

function operatorIn(domain: string, type: string, overload: string): string {
  const own = KNOWN_DOMAINS.has(domain) ? type : `${domain}.${type}`;
  return overload === "" ? own : `${own}:${overload}`;
}

function tooMany(): TooMany {
  return new TooMany(`has more than ${COUNT_LIMIT} nodes or tensors`);
}
