import { SpectralNormError } from "../matrix/errors.js";
import type { OnnxNames } from "./onnx-constants.js";
import { integerOf, type OnnxNode, type OnnxScope } from "./onnx-graph.js";
import type { PlacedTensor } from "./onnx-tensor.js";
import { slidingShape } from "./onnx-window.js";

/** The lengths of a value's axes, as far as they are known. */
export type KnownShape = readonly (number | undefined)[];

/** Chosen: more axes than any value has. */
const AXES_LIMIT = 16;

/** Operators whose first output has the shape of the first input. */
const SAME: ReadonlySet<string> = new Set(
  (
    "Relu LeakyRelu PRelu Sigmoid Tanh Clip Elu Selu Celu Gelu FastGelu QuickGelu BiasGelu Mish Swish Softplus Softsign " +
    "HardSigmoid HardSwish ThresholdedRelu Shrink Erf Abs Neg Exp Log Sqrt Reciprocal Floor Ceil Round Sign Sin Cos Not " +
    "Cast Identity Dropout BatchNormalization InstanceNormalization LayerNormalization GroupNormalization " +
    "LpNormalization MeanVarianceNormalization LRN Softmax LogSoftmax Hardmax QuantizeLinear DequantizeLinear " +
    "DynamicQuantizeLinear QLinearLeakyRelu QLinearSigmoid"
  ).split(" "),
);

/** Operators that take their inputs entry by entry. */
const ENTRYWISE: ReadonlySet<string> = new Set(
  "Add Sub Mul Div Pow Mod Min Max Sum Mean Where And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual".split(
    " ",
  ),
);

/** What a rule knows of the node. */
interface Known {
  readonly node: OnnxNode;
  /** of each input; undefined if its rank is not known */
  readonly shapes: readonly (KnownShape | undefined)[];
  /** the numbers of an input, or the attribute that older versions have in its place */
  list(at: number, attribute: string): readonly number[] | undefined;
}

type Rule = (known: Known, first: KnownShape) => KnownShape | undefined;

/** The shape of the first output, where that of the first input is known. */
const RULES: Readonly<Record<string, Rule>> = {
  Conv: slidingShape,
  FusedConv: slidingShape,
  ConvInteger: slidingShape,
  QLinearConv: slidingShape,
  ConvTranspose: slidingShape,
  MaxPool: slidingShape,
  AveragePool: slidingShape,
  LpPool: slidingShape,
  QLinearAveragePool: slidingShape,
  GlobalAveragePool: pooledToOne,
  GlobalMaxPool: pooledToOne,
  QLinearGlobalAveragePool: pooledToOne,
  Concat: ({ node, shapes }) => concatenated(shapes, integerOf(node, "axis", 1)),
  QLinearConcat: ({ node, shapes }) =>
    concatenated(
      shapes.filter((_, k) => k > 1 && k % 3 === 2),
      integerOf(node, "axis", 1),
    ),
  QLinearAdd: ({ shapes }) => broadcast([shapes[0], shapes[3]]),
  QLinearMul: ({ shapes }) => broadcast([shapes[0], shapes[3]]),
  Transpose({ node }, shape) {
    const order = node.integers.get("perm") ?? shape.map((_, axis) => shape.length - 1 - axis);
    return order.length === shape.length ? order.map((axis) => shape[axis]) : undefined;
  },
  Reshape: reshaped,
  Flatten({ node }, shape) {
    const axis = axisIn(integerOf(node, "axis", 1), shape.length + 1);
    return axis === undefined ? undefined : [product(shape.slice(0, axis)), product(shape.slice(axis))];
  },
  Squeeze({ list }, shape) {
    const axes = list(1, "axes")?.map((axis) => axisIn(axis, shape.length));
    return axes && shape.filter((_, axis) => !axes.includes(axis));
  },
  Unsqueeze({ list }, shape) {
    const axes = list(1, "axes");
    const rank = shape.length + (axes?.length ?? 0);
    const ones = axes?.map((axis) => axisIn(axis, rank));
    if (!ones || rank > AXES_LIMIT || new Set(ones).size < ones.length) return undefined;
    const rest = [...shape];
    return Array.from({ length: rank }, (_, axis) => (ones.includes(axis) ? 1 : rest.shift()));
  },
  Slice: sliced,
  Pad({ node, list }, shape) {
    const pads = list(1, "pads");
    if ((node.inputs[3] ?? "") !== "" || pads?.length !== 2 * shape.length) return undefined;
    return shape.map((length, axis) => plus(length, pads[axis] + pads[axis + shape.length]));
  },
  Resize: resized,
  Upsample({ list }, shape) {
    const scales = list(1, "scales");
    return scales?.length === shape.length ? scaled(shape, scales) : undefined;
  },
  DepthToSpace({ node }, [batch, channels, ...lengths]) {
    const block = integerOf(node, "blocksize", 0);
    return [batch, over(channels, block ** 2), ...lengths.map((length) => times(length, block))];
  },
  SpaceToDepth({ node }, [batch, channels, ...lengths]) {
    const block = integerOf(node, "blocksize", 0);
    return [batch, times(channels, block ** 2), ...lengths.map((length) => over(length, block))];
  },
  Gather({ node, shapes }, shape) {
    const axis = axisIn(integerOf(node, "axis", 0), shape.length);
    const chosen = shapes[1];
    if (axis === undefined || !chosen) return undefined;
    return [...shape.slice(0, axis), ...chosen, ...shape.slice(axis + 1)];
  },
  MatMul({ shapes }, shape) {
    const other = shapes[1];
    if (!other || shape.length < 2 || other.length < 2) return undefined;
    const leading = broadcast([shape.slice(0, -2), other.slice(0, -2)]);
    return leading && [...leading, shape[shape.length - 2], other[other.length - 1]];
  },
  ReduceL1: reduced,
  ReduceL2: reduced,
  ReduceLogSumExp: reduced,
  ReduceMax: reduced,
  ReduceMean: reduced,
  ReduceMin: reduced,
  ReduceSum: reduced,
  ReduceSumSquare: reduced,
};

/** Chosen: more numbers than the arguments of an operator that are shapes, axes and the like. */
const NUMBERS_LIMIT = 64;

/**
 * The shapes of the values of a model, from those of its inputs and from what it says of others, one node after the other.
 * What is not known is left open, and nothing is guessed; where the model contradicts itself, the length is unknown.
 *
 * The meaning of operators: https://onnx.ai/onnx/operators
 */
export class OnnxShapes {
  readonly #names: OnnxNames;
  readonly #numbersOf: (tensor: PlacedTensor) => Float64Array;
  readonly #scopes = new Map<OnnxScope, Map<string, KnownShape>>();

  /** @param numbersOf  reads a constant */
  constructor(names: OnnxNames, numbersOf: (tensor: PlacedTensor) => Float64Array) {
    this.#names = names;
    this.#numbersOf = numbersOf;
  }

  /** The shape of a value; undefined if not even its rank is known. */
  of(name: string, scope: OnnxScope): KnownShape | undefined {
    for (let around: OnnxScope | undefined = scope; around; around = around.outer) {
      const found = this.#inferred(around).get(name);
      if (found) return found;
      const item = around.defined.has(name) ? this.#names.constant(name, { scope: around }) : undefined;
      if (item && typeof item.content === "object" && "shape" in item.content) return item.content.shape;
      if (around.defined.has(name)) return undefined;
    }
    return undefined;
  }

  #inferred(scope: OnnxScope): Map<string, KnownShape> {
    const known = this.#scopes.get(scope);
    if (known) return known;
    const shapes = new Map(scope.shapes);
    this.#scopes.set(scope, shapes);
    for (const node of scope.nodes) {
      const found = this.#outputsOf(node);
      found?.forEach((shape, k) => {
        const name = node.outputs[k] ?? "";
        if (name === "" || !shape || shape.length > AXES_LIMIT) return;
        shapes.set(name, agreed(shape.map(positive), scope.shapes.get(name)));
      });
    }
    return shapes;
  }

  #outputsOf(node: OnnxNode): readonly (KnownShape | undefined)[] | undefined {
    const { operator, inputs, scope } = node;
    const rule = Object.hasOwn(RULES, operator) ? RULES[operator] : undefined;
    if (!rule && !SAME.has(operator) && !ENTRYWISE.has(operator) && operator !== "Split") return undefined;
    const shapes = inputs.slice(0, NUMBERS_LIMIT).map((name) => this.of(name, scope));
    if (ENTRYWISE.has(operator)) return inputs.length > shapes.length ? undefined : [broadcast(shapes)];
    const first = shapes[operator === "QLinearConcat" ? 2 : 0];
    if (!first) return undefined;
    if (SAME.has(operator)) return [first];
    const list = (at: number, attribute: string) =>
      node.integers.get(attribute) ?? node.floats.get(attribute) ?? this.#numbers(inputs[at] ?? "", scope);
    if (operator === "Split") return split(node, first, list(1, "split"));
    if (operator.endsWith("Concat") && inputs.length > shapes.length) return undefined;
    return [rule?.({ node, shapes, list }, first)];
  }

  /** The numbers of a small constant. */
  #numbers(name: string, scope: OnnxScope): readonly number[] | undefined {
    const content = this.#names.constant(name, { scope })?.content;
    if (typeof content !== "object" || content instanceof SpectralNormError) return undefined;
    const { stored, count, shape } = content;
    if (!stored || count > NUMBERS_LIMIT || shape.length > 1) return undefined;
    try {
      return [...this.#numbersOf({ ...content, stored })];
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      return undefined;
    }
  }
}

function positive(length: number | undefined): number | undefined {
  return length !== undefined && Number.isSafeInteger(length) && length > 0 ? length : undefined;
}

/** What is inferred and what the model says, if both can be true. */
function agreed(shape: KnownShape, said: KnownShape | undefined): KnownShape {
  if (said?.length !== shape.length) return said ? shape.map(() => undefined) : shape;
  return shape.map((length, axis) => {
    const other = said[axis];
    if (length === undefined || other === undefined) return length ?? other;
    return length === other ? length : undefined;
  });
}

function plus(length: number | undefined, more: number): number | undefined {
  return length === undefined ? undefined : length + more;
}

function times(length: number | undefined, factor: number): number | undefined {
  return length === undefined ? undefined : length * factor;
}

function over(length: number | undefined, divisor: number): number | undefined {
  return length === undefined ? undefined : length / divisor;
}

function product(lengths: KnownShape): number | undefined {
  return lengths.reduce<number | undefined>(
    (all, length) => (length === undefined ? undefined : times(all, length)),
    1,
  );
}

/** An axis that may be counted from the end. */
function axisIn(axis: number, rank: number): number | undefined {
  const own = axis < 0 ? axis + rank : axis;
  return own >= 0 && own < rank ? own : undefined;
}

function pooledToOne(_: Known, shape: KnownShape): KnownShape {
  return shape.map((length, axis) => (axis < 2 ? length : 1));
}

function reduced({ node, list }: Known, shape: KnownShape): KnownShape | undefined {
  const axes = list(1, "axes")?.map((axis) => axisIn(axis, shape.length));
  if (!axes) return undefined;
  if (integerOf(node, "keepdims", 1) === 0) return shape.filter((_, axis) => !axes.includes(axis));
  return shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
}

/** The shape of what shapes of possibly fewer axes, or with axes of length 1, come to together. */
function broadcast(shapes: readonly (KnownShape | undefined)[]): KnownShape | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape?.length ?? Number.POSITIVE_INFINITY));
  if (rank > AXES_LIMIT) return undefined;
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape = []) => {
      const at = axis - rank + shape.length;
      return at < 0 ? 1 : shape[at];
    });
    const long = lengths.filter((length) => length !== 1);
    if (long.length === 0) return 1;
    // Behind a length that is known there can only be the same, or 1.
    const known = long.find((length) => length !== undefined);
    return long.every((length) => length === undefined || length === known) ? known : undefined;
  });
}

function concatenated(shapes: readonly (KnownShape | undefined)[], along: number): KnownShape | undefined {
  const rank = shapes[0]?.length ?? 0;
  const axis = axisIn(along, rank);
  const whole = shapes.filter((shape) => shape !== undefined);
  if (axis === undefined || whole.length < shapes.length || whole.some((shape) => shape.length !== rank))
    return undefined;
  return Array.from({ length: rank }, (_, k) => {
    const lengths = whole.map((shape) => shape[k]);
    if (k !== axis) return lengths.find((length) => length !== undefined);
    return lengths.reduce((sum, length) => (length === undefined ? undefined : plus(sum, length)), 0);
  });
}

function reshaped({ node, list }: Known, shape: KnownShape): KnownShape | undefined {
  const wanted = list(1, "shape");
  if (!wanted) return undefined;
  const zeros = integerOf(node, "allowzero", 0) === 0;
  const lengths = wanted.map((length, axis) => (length === 0 && zeros ? shape[axis] : length));
  const rest = lengths.indexOf(-1);
  if (rest < 0) return lengths;
  const whole = product(shape);
  const others = product(lengths.filter((_, k) => k !== rest));
  return lengths.map((length, k) =>
    k !== rest ? length : whole === undefined || others === undefined ? undefined : whole / others,
  );
}

function sliced({ node, list }: Known, shape: KnownShape): KnownShape | undefined {
  const [starts, ends] = [list(1, "starts"), list(2, "ends")];
  const given = (at: number, name: string) => (node.inputs[at] ?? "") !== "" || node.integers.has(name);
  const axes = given(3, "axes") ? list(3, "axes") : starts?.map((_, k) => k);
  const steps = given(4, "steps") ? list(4, "steps") : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps) return undefined;
  const result = [...shape];
  for (const [k, given] of axes.entries()) {
    const axis = axisIn(given, shape.length);
    if (axis === undefined) return undefined;
    const length = shape[axis];
    const step = steps[k];
    if (length === undefined) continue;
    const place = (at: number) => Math.min(Math.max(at < 0 ? at + length : at, 0), length);
    // Backwards, the ends are others; this is not needed for images.
    result[axis] = step > 0 ? Math.ceil((place(ends[k]) - place(starts[k])) / step) : undefined;
  }
  return result;
}

function resized({ node, list }: Known, shape: KnownShape): KnownShape | undefined {
  // With these, the axes or the meaning of the lengths are others.
  if (node.integers.has("axes") || integerOf(node, "antialias", 0) !== 0) return undefined;
  if (node.texts.has("keep_aspect_ratio_policy")) return undefined;
  const sizes = list(3, "sizes");
  if (sizes?.length === shape.length) return sizes;
  const scales = list(node.inputs.length === 2 ? 1 : 2, "scales");
  return scales?.length === shape.length ? scaled(shape, scales) : undefined;
}

function scaled(shape: KnownShape, scales: readonly number[]): KnownShape {
  return shape.map((length, axis) => (length === undefined ? undefined : Math.floor(length * scales[axis])));
}

function split(
  node: OnnxNode,
  shape: KnownShape,
  given: readonly number[] | undefined,
): readonly KnownShape[] | undefined {
  const axis = axisIn(integerOf(node, "axis", 0), shape.length);
  const parts = node.outputs.length;
  if (axis === undefined || parts > NUMBERS_LIMIT) return undefined;
  const hasList = node.integers.has("split") || (node.inputs[1] ?? "") !== "";
  const length = shape[axis];
  const each = length === undefined ? undefined : Math.ceil(length / parts);
  return node.outputs.map((_, k) => {
    const own = hasList
      ? given?.[k]
      : length === undefined || each === undefined
        ? undefined
        : Math.min(each, length - k * each);
    return shape.map((other, at) => (at === axis ? own : other));
  });
}
