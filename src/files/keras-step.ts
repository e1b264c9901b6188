import { FileError } from "../matrix/errors.js";
import { configuredActivation, type KerasDialect, numberOf } from "./keras-activations.js";
import { isReference, type KerasGraphLayer, layerTitle } from "./keras-graph.js";
import type { AxisLengths } from "./keras-lengths.js";
import { allNumbers, type KerasVariables } from "./keras-variables.js";
import type { NetworkMap, ValueShape } from "./network.js";
import type { WeightTensor } from "./tensor.js";

/** A part of what a layer does, which is one node of the network. */
export interface KerasStep {
  readonly op: string;
  readonly map: NetworkMap;
  /** of what comes out, if its rank is known */
  readonly output: ValueShape | undefined;
}

/** Why there is no bound, where the file itself is whole. */
export class NoBound extends Error {}

/** Chosen: larger than the sizes, strides and counts of layers. */
const MOST = 2 ** 24;

/** A layer that is called, and what its map is made from. */
export class KerasCallContext {
  readonly layer: KerasGraphLayer;
  /** of the values that it is called with */
  readonly shapes: readonly (ValueShape | undefined)[];
  readonly dialect: KerasDialect;
  readonly lengths: AxisLengths;
  readonly #variables: KerasVariables;

  constructor(
    layer: KerasGraphLayer,
    shapes: readonly (ValueShape | undefined)[],
    dialect: KerasDialect,
    lengths: AxisLengths,
    variables: KerasVariables,
  ) {
    this.layer = layer;
    this.shapes = shapes;
    this.dialect = dialect;
    this.lengths = lengths;
    this.#variables = variables;
  }

  /** The same for another layer or other shapes. */
  with(layer: KerasGraphLayer, shapes: readonly (ValueShape | undefined)[]): KerasCallContext {
    return new KerasCallContext(layer, shapes, this.dialect, this.lengths, this.#variables);
  }

  get config(): KerasGraphLayer["config"] {
    return this.layer.config;
  }

  get shape(): ValueShape | undefined {
    return this.shapes[0];
  }

  fault(why: string): FileError {
    return new FileError(`${layerTitle(this.layer)}: ${why}`);
  }

  /**
   * A variable of the layer, by the first of these names that there is.
   *
   * @throws FileError if there is none, or it is damaged; NoBound if its numbers are not read
   */
  tensor(...names: readonly string[]): WeightTensor {
    for (const name of names) {
      const entry = this.#variables.find(this.layer, name);
      if (!entry) continue;
      if (entry.kind === "failed") throw this.fault(`its ${name}: ${entry.error.message}`);
      if (entry.kind === "left out") throw new NoBound(`its ${name} is not read: ${entry.reason}`);
      if (entry.dtype.startsWith("complex")) throw new NoBound(`its ${name} has complex numbers`);
      return entry;
    }
    throw this.fault(`its ${names[0]} is not in the file`);
  }

  /** @throws FileError, NonFiniteError, NoBound */
  numbers(...names: readonly string[]): Float32Array | Float64Array {
    return allNumbers(this.tensor(...names), this.layer);
  }

  read(tensor: WeightTensor): Float32Array | Float64Array {
    return allNumbers(tensor, this.layer);
  }

  /** A parameter that is a number, with Keras' default. @throws FileError */
  number(key: string, otherwise: number): number {
    const given = this.config[key];
    const value = given === undefined || given === null ? otherwise : numberOf(this.config, key);
    if (value === undefined) throw this.fault(`its ${key} is not a number`);
    return value;
  }

  /** A positive integer for each axis, or one for all. @throws FileError */
  counts(key: string, axes: number, otherwise: number | undefined): readonly number[] {
    const given = this.config[key] ?? otherwise;
    const list: unknown[] = Array.isArray(given) ? given : new Array<unknown>(axes).fill(given);
    const isCount = (value: unknown) =>
      Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST;
    if (list.length !== axes || !list.every(isCount))
      throw this.fault(
        `its ${key} is not ${axes === 1 ? "a positive integer" : `${axes} positive integers`}`,
      );
    return list as number[];
  }

  /** The axes of the channels and of space, counted from the end. @throws FileError */
  places(axes: number): {
    readonly channels: number;
    readonly space: readonly number[];
    readonly last: boolean;
  } {
    const { data_format: format } = this.config;
    if (format !== undefined && format !== null && format !== "channels_last" && format !== "channels_first")
      throw this.fault("its data_format is neither channels_last nor channels_first");
    const last = format !== "channels_first";
    const space = Array.from({ length: axes }, (_, k) => k - axes - (last ? 1 : 0));
    return { channels: last ? -1 : -1 - axes, space, last };
  }

  /** @throws FileError if the rank is known and less */
  checkRank(least: number): void {
    if (this.shape && this.shape.length < least)
      throw this.fault(`its input has ${this.shape.length} axes, and it takes at least ${least}`);
  }

  /** The step of the activation in the layer's configuration, if it has one. */
  activation(output: ValueShape | undefined): KerasStep[] {
    const { activation } = this.config;
    if (activation === undefined || activation === null) return [];
    const found = configuredActivation(activation, this.dialect, output);
    return found ? [{ op: found.name, map: found.map, output }] : [];
  }
}

/** A shape with other lengths at some axes, which are counted from the end. */
export function withLengths(
  shape: ValueShape | undefined,
  ...changes: readonly (readonly [axis: number, length: number | string])[]
): ValueShape | undefined {
  if (!shape) return undefined;
  const result = [...shape];
  for (const [axis, length] of changes) result[shape.length + axis] = length;
  return result;
}

/** An axis counted from the end; undefined if there is none, or that takes a rank that is not known. */
export function fromEnd(axis: number, shape: ValueShape | undefined): number | undefined {
  if (axis >= 0) return shape && axis < shape.length ? axis - shape.length : undefined;
  return shape && -axis > shape.length ? undefined : axis;
}

/** Whether a value is passed that is no more than an absent argument. */
export function isAbsent(value: Parameters<typeof isReference>[0]): boolean {
  return !isReference(value) && (value.constant === null || value.constant === false);
}
