import { UNIT, up } from "../certify/rounding.js";
import { FileError, SpectralNormError } from "../matrix/errors.js";
import { floatOf, integerOf, type OnnxItem, type OnnxNode } from "./onnx-graph.js";
import { onnxDecoder } from "./onnx-numbers.js";
import type { NumberPlaces } from "./onnx-places.js";
import { typeName } from "./onnx-tensor.js";
import {
  axisOf,
  type Evaluated,
  FLOAT_TYPES,
  INTEGER_TYPES,
  NoBound,
  type OnnxConstant,
  type OnnxValue,
  type ShapeValue,
} from "./onnx-values.js";
import type { Length, SymbolicLengths } from "./symbolic-lengths.js";
import { quote } from "./text.js";

/** Chosen: more numbers than the constants that a network computes have, all together. */
const COMPUTED_LIMIT = 2 ** 26;

/** Chosen: longer lists are no shapes. */
const LENGTHS_LIMIT = 64;

/** Chosen: constants of so many numbers are kept. */
const KEPT = 4096;

/** Chosen: more operators than the numbers of a constant pass through. */
const DEPTH_LIMIT = 128;

/** Beyond this and its reciprocal, relative errors are not kept. */
const LARGEST = 2 ** 1000;

/** What an operator that is evaluated takes. */
export interface ConstantOperands {
  readonly node: OnnxNode;
  readonly operator: string;
  readonly opset: number;
  /** none is a variable; an input that is left out is undefined */
  readonly inputs: readonly (OnnxValue | undefined)[];
}

interface Shaped {
  readonly shape: readonly number[];
  readonly type: string;
}

/** Computes what does not depend on an input of the network, when it is needed. */
export class OnnxEvaluation {
  readonly #places: NumberPlaces;
  readonly #lengths: SymbolicLengths;
  #computed = 0;

  constructor(places: NumberPlaces, lengths: SymbolicLengths) {
    this.#places = places;
    this.#lengths = lengths;
  }

  /** A tensor of the file. @throws FileError if it is damaged */
  stored({ name, content }: OnnxItem): OnnxValue {
    if (content instanceof SpectralNormError)
      throw new FileError(`tensor ${quote(name)}: ${content.message}`);
    if (content === "sparse") return unknown(`its constant ${quote(name)} is sparse`);
    const { shape, count, type, stored } = content;
    if (!stored || !onnxDecoder(type)) return unknown(`its constant ${quote(name)} is ${type}`);
    const read = (): Evaluated => {
      try {
        return { values: this.#places.floatsOf({ ...content, stored }), relativeError: 0 };
      } catch (error) {
        if (!(error instanceof SpectralNormError)) throw error;
        throw new FileError(`tensor ${quote(name)}: ${error.message}`);
      }
    };
    return constantOf({ shape, type }, count, true, 0, count <= KEPT ? once(read) : read);
  }

  /** The integers of an attribute. */
  integers(values: readonly number[], shape: readonly number[]): OnnxConstant {
    const numbers = { values: Float64Array.from(values), relativeError: 0 };
    return constantOf({ shape, type: "INT64" }, values.length, true, 0, () => numbers);
  }

  /** Lengths of axes: a constant if all of them are fixed. */
  shapeValue(lengths: readonly Length[], shape: readonly number[], type = "INT64"): OnnxValue {
    if (lengths.every((length) => typeof length === "number"))
      return { ...this.integers(lengths as readonly number[], shape), type };
    return { kind: "lengths", shape, lengths, type };
  }

  /** A value as a list of lengths; undefined if it is none. */
  lengthsOf(value: OnnxValue | undefined): readonly Length[] | undefined {
    if (value?.kind === "lengths") return value.lengths;
    if (value?.kind !== "constant" || value.count > LENGTHS_LIMIT || value.shape.length > 1) return undefined;
    return [...value.numbers().values];
  }

  /** The numbers of a value that is a small list; undefined if some are open or it is not known. */
  listOf(value: OnnxValue | undefined): readonly number[] | undefined {
    const lengths = value?.kind === "constant" ? this.lengthsOf(value) : undefined;
    return lengths as readonly number[] | undefined;
  }

  /** The outputs of an operator. */
  evaluate(operands: ConstantOperands): OnnxValue {
    const { operator, inputs } = operands;
    const missing = inputs.find((input) => input?.kind === "unknown");
    if (missing?.kind === "unknown") return missing;
    try {
      if (inputs.some((input) => input?.kind === "lengths")) return this.#ofLengths(operands);
      const rule = Object.hasOwn(CONSTANT_RULES, operator) ? CONSTANT_RULES[operator] : undefined;
      if (!rule) return unknown(`its constant is computed by ${operator}`);
      const constants = inputs.map((input) => (input?.kind === "constant" ? input : undefined));
      const depth = 1 + Math.max(0, ...constants.map((input) => input?.depth ?? 0));
      if (depth > DEPTH_LIMIT)
        return unknown(`its constant is computed by more than ${DEPTH_LIMIT} operators`);
      const found = rule({ ...operands, inputs: constants, list: (k) => this.listOf(constants[k]) });
      const count = found.shape.reduce((a, b) => a * b, 1);
      if (!(count <= COMPUTED_LIMIT) || found.shape.length > LENGTHS_LIMIT)
        return unknown(`its constant is computed, and has more than ${COMPUTED_LIMIT} numbers`);
      const compute = () => {
        this.#computed += count;
        if (this.#computed > COMPUTED_LIMIT * (found.cheap ? 16 : 1))
          throw new NoBound(`the constants that it computes have more than ${COMPUTED_LIMIT} numbers in all`);
        return found.compute();
      };
      const kept = !found.cheap || count <= KEPT;
      return constantOf(found, count, found.exact, depth, kept ? once(compute) : compute);
    } catch (error) {
      if (!(error instanceof NoBound)) throw error;
      return unknown(error.message);
    }
  }

  #ofLengths({ node, operator, inputs }: ConstantOperands): OnnxValue {
    const lengths = this.#lengths;
    const lists = inputs.map((input) => this.lengthsOf(input));
    const [first, second] = inputs as readonly (ShapeValue | OnnxConstant | undefined)[];
    const [a, b] = lists;
    const no = unknown(`its constant is computed by ${operator} out of lengths that are open`);
    if (!first || !a) return no;
    const type = first.type;
    const same = (shape: readonly number[]) => this.shapeValue(a, shape, type);
    switch (operator) {
      case "Identity":
      case "Floor":
      case "Ceil":
        return same(first.shape);
      case "Cast": {
        const to = typeName(integerOf(node, "to", 0));
        if (to === "BOOL") return no;
        return this.shapeValue(a, first.shape, to);
      }
      case "Squeeze":
        return a.length === 1 ? same([]) : no;
      case "Unsqueeze":
        return first.shape.length === 0 ? same([1]) : no;
      case "Reshape": {
        const shape = this.listOf(second) ?? node.integers.get("shape");
        if (shape?.length === 0 && a.length === 1) return same([]);
        return shape?.length === 1 ? same([a.length]) : no;
      }
      case "Concat":
        if (lists.some((list, k) => list === undefined || inputs[k] === undefined)) return no;
        return this.shapeValue(
          lists.flatMap((list) => list ?? []),
          [lists.flat().length],
          type,
        );
      case "Gather": {
        const at = this.listOf(second);
        if (first.shape.length !== 1 || !at || second?.kind !== "constant") return no;
        return this.shapeValue(
          at.map((k) => a[axisOf(k, a.length)]),
          second.shape,
          type,
        );
      }
      case "Slice": {
        if (first.shape.length !== 1) return no;
        const [begin, end] = [1, 2].map((k) => this.listOf(inputs[k] as OnnxValue | undefined)?.[0]);
        const starts = begin ?? node.integers.get("starts")?.[0];
        const ends = end ?? node.integers.get("ends")?.[0];
        const step = inputs[4] === undefined ? 1 : this.listOf(inputs[4])?.[0];
        if (starts === undefined || ends === undefined || step === undefined) return no;
        const part = sliceIndices(a.length, starts, ends, step).map((k) => a[k]);
        return this.shapeValue(part, [part.length], type);
      }
      case "ReduceProd":
        return this.shapeValue([lengths.product(a)], integerOf(node, "keepdims", 1) ? [1] : [], type);
      case "Add":
      case "Sub":
      case "Mul":
      case "Div":
      case "Equal":
      case "Where": {
        const choices = operator === "Where" ? lists : [a, b];
        const most = Math.max(...choices.map((list) => list?.length ?? 0));
        if (choices.some((list) => !list || (list.length !== most && list.length !== 1))) return no;
        const at = (list: readonly Length[] | undefined, k: number): Length =>
          list?.length === 1 ? list[0] : (list?.[k] ?? Number.NaN);
        const found = Array.from({ length: most }, (_, k): Length | undefined => {
          const [x, y] = [at(a, k), at(b, k)];
          if (operator === "Where") return typeof x === "number" ? at(lists[x !== 0 ? 1 : 2], k) : undefined;
          if (operator === "Equal") return this.#equal(x, y);
          if (![x, y].every((z) => typeof z === "string" || Number.isSafeInteger(z))) return undefined;
          if (operator === "Add") return lengths.plus(x, y);
          if (operator === "Sub") return lengths.plus(x, lengths.times(y, -1));
          if (operator === "Mul") return lengths.times(x, y);
          // Rounded toward zero, which is down for what is positive.
          if (!INTEGER_TYPES.has(type) || typeof y !== "number" || y <= 0 || !lengths.isPositive(x))
            return undefined;
          return lengths.floor(x, y);
        });
        if (found.some((length) => length === undefined)) return no;
        const rank = Math.max(
          ...inputs.map((input) =>
            input?.kind === "lengths" || input?.kind === "constant" ? input.shape.length : 0,
          ),
        );
        const own =
          operator === "Equal" ? "BOOL" : operator === "Where" ? ((second?.type ?? type) as string) : type;
        return this.shapeValue(found as Length[], rank === 0 ? [] : [most], own);
      }
    }
    return no;
  }

  /** Whether two lengths are equal, as 1 or 0; undefined if that depends on what is open. */
  #equal(a: Length, b: Length): number | undefined {
    if (a === b) return 1;
    if (typeof a === "number" && typeof b === "number") return 0;
    const difference = this.#lengths.plus(a, this.#lengths.times(b, -1));
    const opposite = this.#lengths.times(difference, -1);
    return this.#lengths.isPositive(difference) || this.#lengths.isPositive(opposite) ? 0 : undefined;
  }
}

function unknown(reason: string): OnnxValue {
  return { kind: "unknown", reason };
}

function constantOf(
  { shape, type }: Shaped,
  count: number,
  exact: boolean,
  depth: number,
  numbers: () => Evaluated,
): OnnxConstant {
  return { kind: "constant", shape, count, type, exact, depth, numbers };
}

function once<T>(compute: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => {
    found ??= { value: compute() };
    return found.value;
  };
}

/** What a rule computes. */
interface Computed extends Shaped {
  readonly exact: boolean;
  /** whether it takes no arithmetic, and one input; it is computed again each time, and not kept */
  readonly cheap: boolean;
  compute(): Evaluated;
}

interface RuleOperands extends ConstantOperands {
  readonly inputs: readonly (OnnxConstant | undefined)[];
  list(k: number): readonly number[] | undefined;
}

type ConstantRule = (operands: RuleOperands) => Computed;

function need<T>(value: T | undefined, operator: string): T {
  return value ?? unfollowed(operator);
}

function unfollowed(operator: string): never {
  throw new NoBound(`its constant is computed by ${operator} in a way that is not followed`);
}

/** A list of integers that newer versions have as an input and older ones as an attribute. */
function listAt(
  { node, inputs, list }: RuleOperands,
  k: number,
  attribute: string,
): readonly number[] | undefined {
  return inputs[k] === undefined ? node.integers.get(attribute) : list(k);
}

/** The same numbers in another shape. */
function reshaped(input: OnnxConstant, shape: readonly number[]): Computed {
  if (shape.reduce((a, b) => a * b, 1) !== input.count)
    throw new NoBound("its constant is reshaped to another size");
  return { shape, type: input.type, exact: input.exact, cheap: true, compute: () => input.numbers() };
}

/** The numbers at places that are affine in the indices. */
function strided(
  input: OnnxConstant,
  shape: readonly number[],
  strides: readonly number[],
  begin = 0,
): Computed {
  return {
    ...{ shape, type: input.type, exact: input.exact, cheap: true },
    compute() {
      const { values, relativeError } = input.numbers();
      return { values: stridedValues(values, shape, strides, begin), relativeError };
    },
  };
}

/** Row-major numbers out of an array with strides. */
export function stridedValues(
  values: Float32Array | Float64Array,
  shape: readonly number[],
  strides: readonly number[],
  begin = 0,
): Float32Array | Float64Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const found = values instanceof Float64Array ? new Float64Array(count) : new Float32Array(count);
  if (count === 0) return found;
  const index = new Array<number>(shape.length).fill(0);
  let at = begin;
  for (let k = 0; ; k++) {
    found[k] = values[at];
    let axis = shape.length - 1;
    for (; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) return found;
  }
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/** Strides with which a constant is read as one of a larger shape, its axes of length 1 repeated. */
function expandedStrides(from: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(from);
  return to.map((_, axis) => {
    const at = axis - to.length + from.length;
    return at < 0 || from[at] === 1 ? 0 : own[at];
  });
}

/** The shape of constants that are taken entry by entry. @throws NoBound if they do not fit */
function common(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const long = lengths.find((length) => length !== 1) ?? 1;
    if (lengths.some((length) => length !== 1 && length !== long))
      throw new NoBound("its constant is computed from shapes that do not fit together");
    return long;
  });
}

/** Numbers that `operation` makes, each rounded once at most unless it is exact. */
function entrywise(
  inputs: readonly OnnxConstant[],
  type: string,
  operation: (values: readonly number[], errors: readonly number[]) => number,
  /** the relative error, by those of the inputs; undefined if nothing is rounded */
  error: ((errors: readonly number[]) => number) | undefined,
): Computed {
  const shape = common(inputs.map((input) => input.shape));
  return {
    ...{ shape, type, cheap: false },
    exact: error === undefined && inputs.every((input) => input.exact),
    compute() {
      const all = inputs.map((input) => input.numbers());
      const errors = all.map((one) => one.relativeError);
      const whole = all.map(({ values }, k) =>
        stridedValues(values, shape, expandedStrides(inputs[k].shape, shape)),
      );
      const count = shape.reduce((a, b) => a * b, 1);
      const values = Float64Array.from({ length: count }, (_, i) => {
        const value = operation(
          whole.map((one) => one[i]),
          errors,
        );
        if (error && INTEGER_TYPES.has(type) && !fitsInteger(value, type))
          throw new NoBound("its constant is computed, with integers that are too large");
        if (
          error &&
          !INTEGER_TYPES.has(type) &&
          !(Math.abs(value) <= LARGEST && (value === 0 || Math.abs(value) >= 1 / LARGEST))
        )
          throw new NoBound("its constant is computed, and is too small, too large or not a number");
        return value;
      });
      const relativeError = error && !INTEGER_TYPES.has(type) ? error(errors) : Math.max(...errors);
      return { values, relativeError };
    },
  };
}

/** Whether an integer is not rounded and does not wrap around. */
function fitsInteger(value: number, type: string): boolean {
  if (type === "INT64") return Number.isSafeInteger(value);
  return type === "INT32" && Number.isInteger(value) && Math.abs(value) < 2 ** 31;
}

/** A bound on Π(1 + δₖ) − 1, some of the factors dividing, and on its negative: with S the sum of the |δₖ|, S + 2S². */
function compounded(...errors: readonly number[]): number {
  const sum = errors.reduce((a, b) => up(a + b), 0);
  if (!(sum < 2 ** -20)) throw new NoBound("its constant is computed, with too large an error");
  return up(sum * up(1 + up(2 * sum)));
}

/** Of one operation whose result is rounded once. */
const ROUNDED = UNIT;

function two({ inputs, operator }: RuleOperands): readonly OnnxConstant[] {
  return [need(inputs[0], operator), need(inputs[1], operator)];
}

const sumRule =
  (sign: 1 | -1): ConstantRule =>
  (operands) => {
    const inputs = two(operands);
    return entrywise(
      inputs,
      inputs[0].type,
      ([x, y], [d, e]) => {
        // Relative errors hold for sums of numbers of one sign only.
        if ((d > 0 || e > 0) && x !== 0 && y !== 0 && x > 0 !== sign * y > 0)
          throw new NoBound("its constant is computed as a difference of rounded numbers");
        const sum = x + sign * y;
        return Math.abs(sum) < 1 / LARGEST && Math.abs(sum) > 0 ? Number.NaN : sum;
      },
      (errors) => compounded(Math.max(...errors), ROUNDED),
    );
  };

const comparison =
  (compare: (x: number, y: number) => boolean): ConstantRule =>
  (operands) => {
    const inputs = two(operands);
    return entrywise(
      inputs,
      "BOOL",
      ([x, y], [d, e]) => {
        if (d > 0 || e > 0) throw new NoBound("its constant is computed by comparing rounded numbers");
        return Number(compare(x, y));
      },
      undefined,
    );
  };

const extreme =
  (choose: (...values: number[]) => number): ConstantRule =>
  ({ inputs, operator }) => {
    const all = inputs.map((input) => need(input, operator));
    return entrywise(all, need(all[0], operator).type, (values) => choose(...values), undefined);
  };

const exactFunction =
  (f: (x: number) => number): ConstantRule =>
  ({ inputs, operator }) => {
    const input = need(inputs[0], operator);
    return entrywise([input], input.type, ([x]) => f(x), undefined);
  };

/** Rounding to integers takes exact numbers. */
const step =
  (f: (x: number) => number): ConstantRule =>
  ({ inputs, operator }) => {
    const input = need(inputs[0], operator);
    return entrywise(
      [input],
      input.type,
      ([x], [d]) => {
        if (d > 0) throw new NoBound("its constant is computed by rounding numbers that are rounded already");
        return f(x);
      },
      undefined,
    );
  };

const sameNumbers: ConstantRule = ({ inputs, operator }) => {
  const input = need(inputs[0], operator);
  return reshaped(input, input.shape);
};

/** Sums over axes of numbers that do not cancel. */
const reduction =
  (of: (x: number) => number, after: "sum" | "mean" | "root"): ConstantRule =>
  (operands) => {
    const { node, inputs, operator } = operands;
    const input = need(inputs[0], operator);
    const given = listAt(operands, 1, "axes");
    if (given === undefined && inputs[1] !== undefined)
      throw new NoBound(`its constant is computed by ${operator}`);
    const rank = input.shape.length;
    if ((given === undefined || given.length === 0) && integerOf(node, "noop_with_empty_axes", 0) !== 0)
      throw new NoBound(`its constant is computed by ${operator}`);
    const axes = new Set(
      given === undefined || given.length === 0
        ? input.shape.map((_, k) => k)
        : given.map((axis) => axisOf(axis, rank)),
    );
    const kept = input.shape.map((length, k) => (axes.has(k) ? 1 : length));
    const keep = integerOf(node, "keepdims", 1) !== 0;
    const strides = stridesOf(kept).map((stride, k) => (axes.has(k) ? 0 : stride));
    const own = stridesOf(input.shape);
    return {
      ...{
        shape: keep ? kept : kept.filter((_, k) => !axes.has(k)),
        type: input.type,
        exact: false,
        cheap: false,
      },
      compute() {
        if (INTEGER_TYPES.has(input.type))
          throw new NoBound(`its constant is computed by ${operator} of integers`);
        const { values, relativeError } = input.numbers();
        const sums = new Float64Array(kept.reduce((a, b) => a * b, 1));
        const signs = new Int8Array(sums.length);
        for (let i = 0; i < values.length; i++) {
          let at = 0;
          for (let k = 0; k < rank; k++) at += strides[k] * (Math.floor(i / own[k]) % input.shape[k]);
          const term = of(values[i]);
          if (term === 0) {
            if (values[i] !== 0) throw new NoBound("its constant is computed, and is too small");
            continue;
          }
          const sign = Math.sign(term);
          if (signs[at] === -sign) throw new NoBound("its constant is computed as a sum of both signs");
          signs[at] = sign;
          sums[at] += term;
        }
        const n = Math.max(1, input.count / Math.max(1, sums.length));
        for (let k = 0; k < sums.length; k++) {
          if (after === "mean") sums[k] /= n;
          if (after === "root") sums[k] = Math.sqrt(sums[k]);
          if (!(Math.abs(sums[k]) <= LARGEST && (sums[k] === 0 || Math.abs(sums[k]) >= 1 / LARGEST)))
            throw new NoBound("its constant is computed, and is too small, too large or not a number");
        }
        const error = compounded(relativeError, relativeError, (n + 2) * ROUNDED);
        return { values: sums, relativeError: error };
      },
    };
  };

/** The operators that constants are computed with. What is not here is not followed. */
const CONSTANT_RULES: Readonly<Record<string, ConstantRule>> = {
  Identity: sameNumbers,
  Dropout: sameNumbers,
  Cast({ node, inputs, operator }) {
    const input = need(inputs[0], operator);
    const to = typeName(integerOf(node, "to", 0));
    const toInteger = INTEGER_TYPES.has(to);
    if (!toInteger && !FLOAT_TYPES.has(to)) throw new NoBound(`its constant is cast to ${to}`);
    if (!toInteger || (INTEGER_TYPES.has(input.type) && /^INT(32|64)$/.test(to)))
      return { ...reshaped(input, input.shape), type: to };
    if (to !== "BOOL" && !/^INT(32|64)$/.test(to)) throw new NoBound(`its constant is cast to ${to}`);
    return entrywise(
      [input],
      to,
      ([x], [d]) => {
        if (d > 0 || !Number.isFinite(x)) throw new NoBound("its constant is cast to integers");
        return to === "BOOL" ? Number(x !== 0) : Math.trunc(x);
      },
      undefined,
    );
  },
  Reshape(operands) {
    const { node, inputs, operator } = operands;
    const input = need(inputs[0], operator);
    const wanted = need(listAt(operands, 1, "shape"), operator);
    const zeros = integerOf(node, "allowzero", 0) === 0;
    const shape = wanted.map((length, k) =>
      length === 0 && zeros ? (input.shape[k] ?? Number.NaN) : length,
    );
    const others = shape.filter((length) => length !== -1).reduce((a, b) => a * b, 1);
    return reshaped(
      input,
      shape.map((length) => (length === -1 ? input.count / others : length)),
    );
  },
  Flatten({ node, inputs, operator }) {
    const input = need(inputs[0], operator);
    const given = integerOf(node, "axis", 1);
    const axis = axisOf(given, input.shape.length + 1);
    const product = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
    return reshaped(input, [product(input.shape.slice(0, axis)), product(input.shape.slice(axis))]);
  },
  Squeeze(operands) {
    const input = need(operands.inputs[0], operands.operator);
    const axes = listAt(operands, 1, "axes")?.map((axis) => axisOf(axis, input.shape.length));
    if (axes === undefined && operands.inputs[1] !== undefined) return unfollowed(operands.operator);
    return reshaped(
      input,
      input.shape.filter((length, k) => (axes ? !axes.includes(k) : length !== 1)),
    );
  },
  Unsqueeze(operands) {
    const input = need(operands.inputs[0], operands.operator);
    const axes = need(listAt(operands, 1, "axes"), operands.operator);
    const rank = input.shape.length + axes.length;
    const own = axes.map((axis) => axisOf(axis, rank));
    const rest = [...input.shape];
    return reshaped(
      input,
      Array.from({ length: rank }, (_, k) => (own.includes(k) ? 1 : (rest.shift() ?? 1))),
    );
  },
  Transpose({ node, inputs, operator }) {
    const input = need(inputs[0], operator);
    const order = permutationOf(node, input.shape.length);
    const strides = stridesOf(input.shape);
    return strided(
      input,
      order.map((k) => input.shape[k]),
      order.map((k) => strides[k]),
    );
  },
  Expand(operands) {
    const input = need(operands.inputs[0], operands.operator);
    const wanted = need(operands.list(1), operands.operator);
    if (wanted.some((length) => !(length > 0))) return unfollowed(operands.operator);
    const shape = common([input.shape, wanted]);
    return { ...strided(input, shape, expandedStrides(input.shape, shape)), cheap: false };
  },
  Slice(operands) {
    const { node, inputs, operator } = operands;
    const input = need(inputs[0], operator);
    const starts = need(listAt(operands, 1, "starts"), operator);
    const ends = need(listAt(operands, 2, "ends"), operator);
    const axes =
      inputs[3] || node.integers.has("axes")
        ? need(listAt(operands, 3, "axes"), operator)
        : starts.map((_, k) => k);
    const steps = inputs[4] ? need(operands.list(4), operator) : starts.map(() => 1);
    const shape = [...input.shape];
    const strides = stridesOf(shape);
    let begin = 0;
    axes.forEach((given, k) => {
      const axis = axisOf(given, shape.length);
      const [first, length] = sliceRange(
        shape[axis],
        need(starts[k], operator),
        need(ends[k], operator),
        need(steps[k], operator),
      );
      begin += first * strides[axis];
      strides[axis] *= steps[k];
      shape[axis] = length;
    });
    return strided(input, shape, strides, begin);
  },
  Gather(operands) {
    const { node, inputs, operator } = operands;
    const input = need(inputs[0], operator);
    const indices = need(inputs[1], operator);
    const axis = axisOf(integerOf(node, "axis", 0), input.shape.length);
    const inner = input.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const outer = input.shape.slice(0, axis).reduce((a, b) => a * b, 1);
    const length = input.shape[axis];
    return {
      shape: [...input.shape.slice(0, axis), ...indices.shape, ...input.shape.slice(axis + 1)],
      ...{ type: input.type, exact: input.exact, cheap: false },
      compute() {
        const { values, relativeError } = input.numbers();
        const at = Array.from(indices.numbers().values, (k) => axisOf(k, length));
        const found = new Float64Array(outer * at.length * inner);
        for (let o = 0, k = 0; o < outer; o++)
          for (const place of at)
            for (let i = 0; i < inner; i++) found[k++] = values[(o * length + place) * inner + i];
        return { values: found, relativeError };
      },
    };
  },
  Concat({ node, inputs, operator }) {
    const all = inputs.map((input) => need(input, operator));
    const first = need(all[0], operator);
    const axis = axisOf(integerOf(node, "axis", 1), first.shape.length);
    const shape = first.shape.map((length, k) =>
      k === axis ? all.reduce((sum, one) => sum + one.shape[k], 0) : length,
    );
    for (const one of all)
      if (
        one.shape.length !== shape.length ||
        one.shape.some((length, k) => k !== axis && length !== shape[k])
      )
        throw new NoBound("its constant is computed by Concat of shapes that do not fit together");
    const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
    return {
      ...{ shape, type: first.type, exact: all.every((one) => one.exact), cheap: false },
      compute() {
        const parts = all.map((one) => one.numbers());
        const count = shape.reduce((a, b) => a * b, 1);
        const double = parts.some(({ values }) => values instanceof Float64Array);
        const values = double ? new Float64Array(count) : new Float32Array(count);
        for (let o = 0, at = 0; o < outer; o++)
          parts.forEach((part) => {
            const size = part.values.length / outer;
            values.set(part.values.subarray(o * size, (o + 1) * size), at);
            at += size;
          });
        return { values, relativeError: Math.max(...parts.map((part) => part.relativeError)) };
      },
    };
  },
  Range({ inputs, operator }) {
    const [start, limit, delta] = [0, 1, 2].map((k) => need(inputs[k], operator).numbers().values[0]);
    const { type } = need(inputs[0], operator);
    const count = Math.max(0, Math.ceil((limit - start) / delta));
    if (!INTEGER_TYPES.has(type) || !(count <= COMPUTED_LIMIT)) return unfollowed(operator);
    return {
      ...{ shape: [count], type, exact: true, cheap: false },
      compute: () => ({
        values: Float64Array.from({ length: count }, (_, k) => start + k * delta),
        relativeError: 0,
      }),
    };
  },
  Add: sumRule(1),
  Sub: sumRule(-1),
  Mul(operands) {
    const inputs = two(operands);
    return entrywise(
      inputs,
      inputs[0].type,
      ([x, y]) => (x * y === 0 && x !== 0 && y !== 0 ? Number.NaN : x * y),
      (errors) => compounded(...errors, ROUNDED),
    );
  },
  Div(operands) {
    const inputs = two(operands);
    const integers = INTEGER_TYPES.has(inputs[0].type);
    return entrywise(
      inputs,
      inputs[0].type,
      ([x, y]) => {
        if (integers) return Math.trunc(x / y);
        return x / y === 0 && x !== 0 ? Number.NaN : x / y;
      },
      (errors) => compounded(...errors, ROUNDED),
    );
  },
  Sqrt({ inputs, operator }) {
    const input = need(inputs[0], operator);
    return entrywise(
      [input],
      input.type,
      ([x]) => Math.sqrt(x),
      (errors) => compounded(...errors, ROUNDED),
    );
  },
  Reciprocal({ inputs, operator }) {
    const input = need(inputs[0], operator);
    return entrywise(
      [input],
      input.type,
      ([x]) => 1 / x,
      (errors) => compounded(...errors, ROUNDED),
    );
  },
  Pow(operands) {
    const [base, exponent] = two(operands);
    // Products and roots are rounded once each; other powers are not known to be.
    return entrywise(
      [base, exponent],
      base.type,
      ([x, p], [, e]) => {
        if (e > 0) return Number.NaN;
        if (p === 1) return x;
        if (p === 2) return x * x === 0 && x !== 0 ? Number.NaN : x * x;
        if (p === 0.5) return Math.sqrt(x);
        if (p === -0.5) return 1 / Math.sqrt(x);
        if (p === -1) return 1 / x;
        return Number.NaN;
      },
      ([error]) => compounded(error, error, ROUNDED, ROUNDED),
    );
  },
  Neg: exactFunction((x) => -x),
  Abs: exactFunction(Math.abs),
  Relu: exactFunction((x) => Math.max(x, 0)),
  Floor: step(Math.floor),
  Ceil: step(Math.ceil),
  Not: step((x) => Number(x === 0)),
  Max: extreme(Math.max),
  Min: extreme(Math.min),
  Equal: comparison((x, y) => x === y),
  Greater: comparison((x, y) => x > y),
  GreaterOrEqual: comparison((x, y) => x >= y),
  Less: comparison((x, y) => x < y),
  LessOrEqual: comparison((x, y) => x <= y),
  And: comparison((x, y) => x !== 0 && y !== 0),
  Or: comparison((x, y) => x !== 0 || y !== 0),
  Where({ inputs, operator }) {
    const all = [0, 1, 2].map((k) => need(inputs[k], operator));
    return entrywise(all, all[1].type, ([condition, x, y]) => (condition !== 0 ? x : y), undefined);
  },
  Clip({ node, inputs, operator }) {
    const input = need(inputs[0], operator);
    const bound = (k: number, name: string, otherwise: number) =>
      inputs[k] ? inputs[k].numbers().values[0] : floatOf(node, name, otherwise);
    return entrywise(
      [input],
      input.type,
      ([x]) => Math.min(Math.max(x, bound(1, "min", -Infinity)), bound(2, "max", Infinity)),
      undefined,
    );
  },
  ReduceSum: reduction((x) => x, "sum"),
  ReduceMean: reduction((x) => x, "mean"),
  ReduceSumSquare: reduction((x) => x * x, "sum"),
  ReduceL1: reduction(Math.abs, "sum"),
  ReduceL2: reduction((x) => x * x, "root"),
  DequantizeLinear: dequantized,
  QuantizeLinear: quantized,
};

/** A permutation of axes. @throws NoBound if it is none */
export function permutationOf(node: OnnxNode, rank: number): readonly number[] {
  const order = node.integers.get("perm") ?? Array.from({ length: rank }, (_, k) => rank - 1 - k);
  if (order.length !== rank || order.toSorted((a, b) => a - b).some((axis, k) => axis !== k))
    throw new NoBound("its perm is no permutation of the axes of its input");
  return order;
}

/** The first index and the number of indices of a slice. @throws NoBound */
export function sliceRange(
  length: number,
  start: number,
  end: number,
  step: number,
): readonly [number, number] {
  if (!Number.isInteger(step) || step === 0) throw new NoBound(`it has a step of ${step}`);
  const place = (at: number, least: number, most: number) =>
    Math.min(Math.max(at < 0 ? at + length : at, least), most);
  if (step > 0) {
    const first = place(start, 0, length);
    return [first, Math.max(0, Math.ceil((place(end, 0, length) - first) / step))];
  }
  const first = place(start, 0, length - 1);
  const last = end < -length ? -1 : place(end, -1, length - 1);
  return [Math.max(0, first), length === 0 ? 0 : Math.max(0, Math.ceil((last - first) / step))];
}

function sliceIndices(length: number, start: number, end: number, step: number): number[] {
  const [first, count] = sliceRange(length, start, end, step);
  return Array.from({ length: count }, (_, k) => first + k * step);
}

/** For each index of a tensor the index of its scale, as `DequantizeLinear` defines it. */
function scalePlaces(
  { node, inputs, operator }: RuleOperands,
  k: number,
):
  | { readonly strides: readonly number[]; readonly block: readonly number[]; readonly part: OnnxConstant }
  | undefined {
  const part = inputs[k];
  if (!part) return undefined;
  const { shape } = need(inputs[0], operator);
  const ones = shape.map(() => 1);
  if (part.count === 1) return { strides: shape.map(() => 0), block: ones, part };
  const axis = axisOf(integerOf(node, "axis", 1), shape.length);
  const size = integerOf(node, "block_size", 0);
  if (size === 0) {
    if (part.shape.length !== 1 || part.count !== shape[axis]) return unfollowed(operator);
    return { strides: shape.map((_, at) => (at === axis ? 1 : 0)), block: ones, part };
  }
  const fits = shape.every(
    (length, at) => part.shape[at] === (at === axis ? Math.ceil(length / size) : length),
  );
  if (!fits || part.shape.length !== shape.length) return unfollowed(operator);
  return { strides: stridesOf(part.shape), block: ones.map((_, at) => (at === axis ? size : 1)), part };
}

type ByScale = (value: number, scale: number, zero: number) => number;

function withScales(operands: RuleOperands, type: string, of: ByScale): Computed {
  const input = need(operands.inputs[0], operands.operator);
  const scales = need(scalePlaces(operands, 1), operands.operator);
  const zeros = scalePlaces(operands, 2);
  const { shape } = input;
  return {
    ...{ shape, type, exact: true, cheap: false },
    compute() {
      const [numbers, scale, zero] = [input, scales.part, zeros?.part].map((one) => one?.numbers().values);
      const values = new Float32Array(input.count);
      const own = stridesOf(shape);
      const at = (places: typeof zeros, i: number): number => {
        let place = 0;
        if (places && places.part.count > 1)
          for (let k = 0; k < shape.length; k++)
            if (places.strides[k] !== 0)
              place += places.strides[k] * Math.floor((Math.floor(i / own[k]) % shape[k]) / places.block[k]);
        return place;
      };
      for (let i = 0; i < values.length; i++)
        values[i] = of(numbers![i], scale![at(scales, i)], zero ? zero[at(zeros, i)] : 0);
      return { values, relativeError: 0 };
    },
  };
}

/** Each number rounded to float32 once, as the network does it. */
function dequantized(operands: RuleOperands): Computed {
  const [input, scale] = two(operands);
  if (!input.exact || !scale.exact) return unfollowed(operands.operator);
  return withScales(operands, scale.type, (q, s, zero) => (q - zero) * s);
}

/** What the types that a network quantizes to hold. */
const RANGES: Readonly<Record<string, readonly [least: number, greatest: number]>> = {
  INT8: [-128, 127],
  UINT8: [0, 255],
  INT16: [-32768, 32767],
  UINT16: [0, 65535],
};

function quantized(operands: RuleOperands): Computed {
  const [input, scale] = two(operands);
  const type = operands.inputs[2]?.type ?? "UINT8";
  const { integers } = operands.node;
  if (!input.exact || !scale.exact || input.type !== "FLOAT" || !Object.hasOwn(RANGES, type))
    return unfollowed(operands.operator);
  if (integers.has("output_dtype") || integers.has("precision")) return unfollowed(operands.operator);
  const [least, greatest] = RANGES[type];
  return withScales(operands, type, (value, s, zero) => {
    const quotient = Math.fround(value / s);
    const above = Math.round(quotient);
    const nearest = above - quotient === 0.5 && above % 2 !== 0 ? above - 1 : above;
    return Math.min(Math.max(nearest + zero, least), greatest);
  });
}
