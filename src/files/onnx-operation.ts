import type { NetworkMap, ValueShape } from "./network.js";
import { GIVE_SIZES, NoBound } from "./no-bound.js";
import type { OnnxEvaluation } from "./onnx-evaluation.js";
import type { OnnxNode } from "./onnx-graph.js";
import { axisOf, INTEGER_TYPES, type OnnxConstant, type OnnxValue, type Variable } from "./onnx-values.js";
import { checkFinite, type RoundedNumbers } from "./rounded-numbers.js";
import type { AxisLength, SymbolicLengths } from "./symbolic-lengths.js";

/** What a rule says of a value that a node gives. */
export interface EmittedValue {
  readonly name: string;
  readonly shape: ValueShape | undefined;
  readonly type: string | undefined;
}

/** A node of the network that a rule makes. */
export interface EmittedNode {
  /** of what the operator does, if it is several nodes */
  readonly part?: string;
  readonly op?: string;
  readonly inputs: readonly Variable[];
  readonly outputs: readonly EmittedValue[];
  readonly map: NetworkMap;
}

/** What all rules share. */
export interface OnnxSurroundings {
  readonly lengths: SymbolicLengths;
  readonly evaluation: OnnxEvaluation;
  /** a matrix that `MatMulNBits` has in packed form, [N, K] */
  packedMatrix(operation: OnnxOperation): () => Float32Array;
  emit(operation: OnnxOperation, node: EmittedNode): void;
}

/** What a convolution or pooling says of its windows. */
export interface WindowAttributes {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** `auto_pad` */
  readonly automatic: string;
  /** all that come before, then all that come after; 0 with any `auto_pad` */
  readonly pads: readonly number[];
}

/** Chosen: larger than the attributes of any convolution or pooling. */
const MOST = 2 ** 20;

/** A node some of whose inputs depend on an input of the network. */
export class OnnxOperation {
  readonly node: OnnxNode;
  readonly operator: string;
  readonly opset: number;
  /** one that is left out is undefined */
  readonly inputs: readonly (OnnxValue | undefined)[];
  /** names of values; "" for one that is not taken */
  readonly outputs: readonly string[];
  readonly #around: OnnxSurroundings;

  constructor(
    node: OnnxNode,
    opset: number,
    inputs: readonly (OnnxValue | undefined)[],
    outputs: readonly string[],
    around: OnnxSurroundings,
  ) {
    this.node = node;
    this.operator = node.operator;
    this.opset = opset;
    this.inputs = inputs;
    this.outputs = outputs;
    this.#around = around;
  }

  get lengths(): SymbolicLengths {
    return this.#around.lengths;
  }

  get variables(): readonly Variable[] {
    return this.inputs.filter((input) => input?.kind === "variable");
  }

  packedMatrix(): () => Float32Array {
    return this.#around.packedMatrix(this);
  }

  /** An input that depends on an input of the network. @throws NoBound if it does not */
  variable(k: number, what = "input"): Variable {
    const input = this.inputs[k];
    if (input?.kind !== "variable")
      throw new NoBound(
        input ? `its ${what} is a constant, and others of its inputs are not` : `it has no ${what}`,
      );
    return input;
  }

  /** The same, whose numbers are real ones. @throws NoBound */
  real(k: number, what?: string): Variable {
    return checkedReal(this.variable(k, what));
  }

  isOmitted(k: number): boolean {
    return this.inputs[k] === undefined;
  }

  /** @throws NoBound if the input depends on an input of the network, or is not known */
  constant(k: number, what: string): OnnxConstant {
    const input = this.inputs[k];
    if (input?.kind === "constant") return input;
    if (input?.kind === "variable") throw new NoBound(`its ${what} depends on the input of the network`);
    if (input?.kind === "unknown") throw new NoBound(input.reason);
    throw new NoBound(
      input ? `its ${what} depends on lengths that are open; ${GIVE_SIZES}` : `it has no ${what}`,
    );
  }

  /** @throws NoBound if an input that is given depends on an input of the network */
  notVariable(...inputs: readonly (readonly [k: number, what: string])[]): void {
    for (const [k, what] of inputs)
      if (this.inputs[k]?.kind === "variable")
        throw new NoBound(`its ${what} depends on the input of the network`);
  }

  /** The numbers of a constant, finite ones. @throws NoBound */
  numbers(k: number, what: string): RoundedNumbers {
    const numbers = this.constant(k, what).numbers();
    checkFinite(numbers.values, what);
    return numbers;
  }

  /**
   * The integers that newer versions have as an input and older ones as an attribute; undefined if there are none.
   *
   * @throws NoBound if they are not known
   */
  list(k: number, name: string): readonly number[] | undefined {
    const input = this.inputs[k];
    if (input === undefined) return this.node.integers.get(name) ?? this.node.floats.get(name);
    const found = this.#around.evaluation.listOf(this.constant(k, name));
    if (!found) throw new NoBound(`its ${name} is not a short list`);
    return found;
  }

  /** The same for lengths, some of which may be open; undefined if they are not known, too. */
  lengthList(k: number, name: string): readonly AxisLength[] | undefined {
    const input = this.inputs[k];
    if (input === undefined) return this.node.integers.get(name);
    return this.#around.evaluation.lengthsOf(input);
  }

  /**
   * Integers of an attribute.
   *
   * @throws NoBound if they are not as many, or one is below the least or too large
   */
  counts(name: string, length: number, least: number, otherwise: number): readonly number[] {
    const given = this.node.integers.get(name) ?? new Array<number>(length).fill(otherwise);
    if (given.length !== length || !given.every((x) => x >= least && Math.abs(x) <= MOST))
      throw new NoBound(`its ${name} are [${given.slice(0, 8).join(", ")}], which is not understood`);
    return given;
  }

  /** @param leastPad  the least of `pads` @throws NoBound */
  windowAttributes(axes: number, leastPad: number): WindowAttributes {
    const automatic = this.node.texts.get("auto_pad") ?? "NOTSET";
    if (!["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"].includes(automatic))
      throw new NoBound(`its auto_pad is ${automatic}`);
    const none = new Array<number>(2 * axes).fill(0);
    return {
      automatic,
      strides: this.counts("strides", axes, 1, 1),
      dilations: this.counts("dilations", axes, 1, 1),
      pads: automatic === "NOTSET" ? this.counts("pads", 2 * axes, leastPad, 0) : none,
    };
  }

  axis(otherwise: number, rank: number): number {
    return axisOf(this.node.integers.get("axis")?.[0] ?? otherwise, rank);
  }

  emit(node: EmittedNode): void {
    this.#around.emit(this, node);
  }

  /** Makes one node of the first input and the first output. */
  emitFirst(map: NetworkMap, shape: ValueShape | undefined, type?: string): void {
    const inputs = this.variables.slice(0, 1);
    const [input] = inputs;
    this.emit({ inputs, outputs: [{ name: this.outputs[0] ?? "", shape, type: type ?? input?.type }], map });
  }

  /** An axis of the first output, of open length. */
  open(axis: number): AxisLength {
    return this.lengths.open(this.outputs[0] ?? "", axis);
  }
}

/** Makes the nodes of a network out of an operator. @throws NoBound if it has no Lipschitz constant, or none is known */
export type OperatorRule = (operation: OnnxOperation) => void;

export type OperatorRules = Readonly<Record<string, OperatorRule>>;

/** @throws NoBound if the numbers are integers of a machine */
export function checkedReal(variable: Variable): Variable {
  if (variable.type !== undefined && INTEGER_TYPES.has(variable.type))
    throw new NoBound(`its input is ${variable.type}, whose arithmetic is not that of real numbers`);
  return variable;
}

/** The shape of a value; undefined if its rank is not known. */
export function shapeOf(value: OnnxValue | undefined): ValueShape | undefined {
  return value === undefined || value.kind === "unknown" ? undefined : value.shape;
}
