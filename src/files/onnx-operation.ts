import { down, up } from "../certify/rounding.js";
import type { LipschitzMap, NetworkMap, ValueShape } from "./network.js";
import type { OnnxEvaluation } from "./onnx-evaluation.js";
import type { OnnxNode } from "./onnx-graph.js";
import {
  axisOf,
  type Evaluated,
  INTEGER_TYPES,
  NoBound,
  type OnnxConstant,
  type OnnxValue,
  type Variable,
} from "./onnx-values.js";
import type { Length, SymbolicLengths } from "./symbolic-lengths.js";

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

/** How to say which sizes an input has. */
export const GIVE_SIZES = "give the sizes of the input by --input NAME=1x3x224x224";

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
  numbers(k: number, what: string): Evaluated {
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
  lengthList(k: number, name: string): readonly Length[] | undefined {
    const input = this.inputs[k];
    if (input === undefined) return this.node.integers.get(name);
    return this.#around.evaluation.lengthsOf(input);
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
  open(axis: number): Length {
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

/** @throws NoBound if a number is not finite */
export function checkFinite(values: Float32Array | Float64Array, what: string): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new NoBound(`number ${bad} of its ${what} is ${values[bad]} (counted from 0)`);
}

/** A map of one input with this constant. */
export function lipschitz(constant: number, how: string, linear = false): LipschitzMap {
  if (!(constant < Number.POSITIVE_INFINITY)) throw new NoBound("its constant is too large for a double");
  return { kind: "lipschitz", constants: [constant], combine: "sum", how, linear };
}

/** A linear map that multiplies all numbers by one, plus a constant. */
export function multiple(factor: number): NetworkMap {
  return { kind: "scaling", factors: Float64Array.of(factor), relativeError: 0, axis: -1 };
}

/** A double not below √x. */
export function rootUp(x: number): number {
  const root = Math.sqrt(x);
  const exact = Number.isSafeInteger(x) && Number.isInteger(root) && root * root === x;
  return exact ? root : up(root);
}

/** Not below the largest magnitude of the exact numbers. */
export function largestMagnitude({ values, relativeError }: Evaluated): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return relativeError === 0 ? most : up(most / down(1 - relativeError));
}

/** What shapes come to where they are taken entry by entry. @throws NoBound if they cannot be */
export function broadcastShape(
  lengths: SymbolicLengths,
  shapes: readonly (ValueShape | undefined)[],
): ValueShape | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape?.length ?? Number.POSITIVE_INFINITY));
  if (!Number.isFinite(rank)) return undefined;
  return Array.from({ length: rank }, (_, axis) => {
    const all = shapes.map((shape = []) => shape[axis - rank + shape.length] ?? 1);
    const fixed = all.find((length) => typeof length === "number" && length !== 1);
    if (all.some((length) => typeof length === "number" && length !== 1 && length !== fixed))
      throw new NoBound(
        `its inputs have shapes that do not fit together: ${shapes.map(shapeText).join(" and ")}`,
      );
    if (fixed !== undefined) return fixed;
    const open = [...new Set(all.filter((length) => typeof length === "string"))].sort();
    return open.length === 0 ? 1 : open.length === 1 ? open[0] : lengths.of("broadcast", ...open);
  });
}

/** Not below how often an entry of a value occurs where its shape becomes a larger one. @throws NoBound if that is open */
export function copiesOf(from: ValueShape | undefined, to: ValueShape | undefined): number {
  let copies = 1;
  const unclear = new NoBound(
    `it may repeat a value of shape ${shapeText(from)} to shape ${shapeText(to)}, and how often is open; ${GIVE_SIZES}`,
  );
  if (!to || !from) throw unclear;
  to.forEach((length, axis) => {
    const at = axis - to.length + from.length;
    const own = at < 0 ? 1 : from[at];
    if (own === length) return;
    if (typeof own === "number" && own !== 1) return;
    // An open length is 1 or the other one.
    if (typeof length !== "number") throw unclear;
    copies *= length;
  });
  return copies;
}

export function shapeText(shape: ValueShape | undefined): string {
  return shape ? `[${shape.slice(0, 8).join(", ")}${shape.length > 8 ? ", …" : ""}]` : "unknown";
}

/** The shape of a value; undefined if its rank is not known. */
export function shapeOf(value: OnnxValue | undefined): ValueShape | undefined {
  return value === undefined || value.kind === "unknown" ? undefined : value.shape;
}
