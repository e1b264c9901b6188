import { up } from "../certify/rounding.js";
import { activationMap, configuredActivation, lipschitz, unbounded } from "./keras-activations.js";
import { convolutionSteps } from "./keras-convolutions.js";
import { roundsInput } from "./keras-int8.js";
import type { AxisLength } from "./keras-lengths.js";
import { mergeSteps, PRODUCT } from "./keras-merges.js";
import { normalizationSteps } from "./keras-normalizations.js";
import { poolingSteps } from "./keras-pooling.js";
import { type KerasCallContext, type KerasStep, NoBound, withLengths } from "./keras-step.js";
import type { MatrixMap, ValueShape } from "./network.js";

/** Layers that change nothing at inference. */
const IDENTITY: readonly string[] = [
  ...["Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"],
  ...["GaussianDropout", "GaussianNoise", "ActivityRegularization", "InputLayer"],
  ...[
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
  ],
];

const RECURRENT: readonly string[] = [
  ...["LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "StackedRNNCells", "CuDNNLSTM", "CuDNNGRU"],
  ...["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "ConvLSTM2DCell", "LSTMCell", "GRUCell", "SimpleRNNCell"],
];

const ATTENTION: readonly string[] = [
  ...["Attention", "AdditiveAttention", "MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention"],
];

/**
 * What a layer does at inference, as maps that follow one another; none for the identity. A layer that is not known, or
 * has no bound, is one map that says so.
 *
 * Source: the definitions in `keras.layers`; of TensorFlow.js those in `@tensorflow/tfjs-layers`.
 *
 * @throws FileError, NonFiniteError if the layer's configuration or variables are damaged
 */
export function layerSteps(context: KerasCallContext): KerasStep[] {
  const { className, givenClass } = context.layer;
  try {
    const several = mergeSteps(context);
    if (several) return several;
    if (context.shapes.length > 1 && !ATTENTION.includes(className) && !RECURRENT.includes(className))
      if (className !== "" && className !== "Lambda") throw new NoBound("is called with several values");
    return (
      simpleSteps(context) ??
      convolutionSteps(context) ??
      poolingSteps(context) ??
      normalizationSteps(context) ??
      activationSteps(context) ?? [none(givenClass, reasonOf(className, givenClass))]
    );
  } catch (error) {
    if (!(error instanceof NoBound)) throw error;
    return [none(givenClass, error.message)];
  }
}

function none(op: string, reason: string): KerasStep {
  return { op: op.slice(0, 60) || "layer", map: unbounded(reason), output: undefined };
}

function reasonOf(className: string, givenClass: string): string {
  if (RECURRENT.includes(className))
    return "a recurrent layer multiplies values that all depend on the input";
  if (ATTENTION.includes(className)) return `attention is ${PRODUCT}`;
  if (className === "Embedding") return "its input is an index, which is no vector";
  if (className === "Lambda") return "runs code that is not read";
  if (className === "Masking") return "passes a mask on, which jumps";
  return `a layer of class ${JSON.stringify(givenClass.slice(0, 60))} is not known`;
}

function simpleSteps(context: KerasCallContext): KerasStep[] | undefined {
  const { layer, shape, config, lengths } = context;
  const { className: op } = layer;
  if (IDENTITY.includes(op)) return op === "InputLayer" ? [] : [identity(op, shape)];
  const arranged = (output: ValueShape | undefined) => [identity(op, output)];
  switch (op) {
    case "Dense":
      return denseSteps(context);
    case "EinsumDense":
      return einsumSteps(context);
    case "Flatten":
      return arranged(shape && [shape[0], lengths.product(shape.slice(1))]);
    case "Reshape":
      return arranged(reshaped(context));
    case "Permute":
      return arranged(permuted(context));
    case "RepeatVector": {
      const [n] = context.counts("n", 1, undefined);
      const map = lipschitz(n === 1 ? 1 : up(Math.sqrt(n)), "√copies", true);
      return [{ op, map, output: shape?.length === 2 ? [shape[0], n, shape[1]] : undefined }];
    }
    case "UpSampling1D":
    case "UpSampling2D":
    case "UpSampling3D":
      return [enlarged(context, Number(op.at(-2)))];
    case "ZeroPadding1D":
    case "ZeroPadding2D":
    case "ZeroPadding3D":
      return arranged(bordered(context, Number(op.at(-2)), "padding", 1));
    case "Cropping1D":
    case "Cropping2D":
    case "Cropping3D":
      return arranged(bordered(context, Number(op.at(-2)), "cropping", -1));
    case "Activation": {
      const found = configuredActivation(config["activation"], context.dialect, shape);
      return found
        ? [{ op: `Activation: ${found.name}`, map: found.map, output: shape }]
        : [identity("Activation: linear", shape)];
    }
    default:
      return undefined;
  }
}

/** Its numbers in another order or place, or as they are. */
function identity(op: string, output: ValueShape | undefined): KerasStep {
  return { op, map: lipschitz(1, "1-Lipschitz", true), output };
}

/** Layers that are one function of each number. */
function activationSteps(context: KerasCallContext): KerasStep[] | undefined {
  const { layer, shape, config, dialect } = context;
  const { className: op } = layer;
  if (op === "PReLU") {
    const slopes = context.numbers("alpha");
    let most = 1;
    for (const slope of slopes) most = Math.max(most, Math.abs(slope));
    return [{ op, map: lipschitz(most, "max(1, |α|)"), output: shape }];
  }
  if (op === "ThresholdedReLU") {
    const theta = context.number("theta", 1);
    const map = theta === 0 ? lipschitz(1, "1-Lipschitz") : unbounded(`jumps at its threshold ${theta}`);
    return [{ op, map, output: shape }];
  }
  if (op === "LeakyReLU") {
    const map = activationMap("leaky_relu", { alpha: 0.3, ...config }, dialect, shape);
    return map && [{ op, map, output: shape }];
  }
  if (op !== "ReLU" && op !== "ELU" && op !== "Softmax") return undefined;
  const map = activationMap(op.toLowerCase(), config, dialect, shape);
  return map && [{ op, map, output: shape }];
}

/** The kernel is [inputs, outputs], applied to the last axis. */
function denseSteps(context: KerasCallContext): KerasStep[] {
  const kernel = context.tensor("kernel");
  if (kernel.shape.length !== 2 || kernel.shape.includes(0))
    throw context.fault(`its kernel has the shape [${kernel.shape.join(", ")}], and not two axes`);
  const [inputs, outputs] = kernel.shape;
  const { units } = context.config;
  if (typeof units === "number" && units !== outputs)
    throw context.fault(`its kernel has ${outputs} outputs, and its configuration ${units}`);
  if (roundsInput(context.config)) throw new NoBound("rounds its input to 8 bits, which jumps");
  const output = withLengths(context.shape, [-1, outputs]);
  return [
    {
      op: "Dense",
      map: matrixMap(context, inputs, outputs, () => transposed(context.read(kernel), inputs, outputs)),
      output,
    },
    ...context.activation(output),
  ];
}

function matrixMap(
  context: KerasCallContext,
  inputs: number,
  outputs: number,
  read: () => Float32Array | Float64Array,
): MatrixMap {
  const comes = context.shape?.at(-1);
  if (typeof comes === "number" && comes !== inputs)
    throw context.fault(`its kernel takes ${inputs} numbers, and ${comes} come in`);
  return { kind: "matrix", shape: [outputs, inputs], axis: -1, read };
}

function transposed(
  stored: Float32Array | Float64Array,
  rows: number,
  columns: number,
): Float32Array | Float64Array {
  const result = stored.slice();
  for (let j = 0, to = 0; j < columns; j++)
    for (let i = 0; i < rows; i++, to++) result[to] = stored[i * columns + j];
  return result;
}

/** Equations that contract the last axis of the input with one of the kernel, such as "abc,cd->abd" or "...x,xyz->...yz". */
function einsumSteps(context: KerasCallContext): KerasStep[] {
  const { equation } = context.config;
  const parts =
    typeof equation === "string" && equation.length < 100
      ? /^(\.\.\.)?([A-Za-z]+),([A-Za-z]+)->(\.\.\.)?([A-Za-z]*)$/.exec(equation.replaceAll(" ", ""))
      : null;
  const refused = () => new NoBound("its equation is no product of a matrix with the last axis");
  if (!parts) throw refused();
  const [, dots = "", from, weights, dotsOut = "", to] = parts;
  const summed = from[from.length - 1];
  const kept = from.slice(0, -1);
  const made = to.slice(kept.length);
  const distinct = (labels: string) => new Set(labels).size === labels.length;
  const first = weights[0] === summed;
  const last = weights[weights.length - 1] === summed;
  const others = first ? weights.slice(1) : weights.slice(0, -1);
  const fits =
    dots === dotsOut &&
    distinct(from) &&
    distinct(weights) &&
    distinct(to) &&
    to.startsWith(kept) &&
    (first || last);
  if (!fits || made !== others || made.includes(summed) || [...made].some((label) => from.includes(label)))
    throw refused();
  const kernel = context.tensor("kernel");
  const { shape } = kernel;
  if (shape.length !== weights.length || shape.includes(0))
    throw context.fault(`its kernel has the shape [${shape.join(", ")}], and not the axes of its equation`);
  const inputs = first ? shape[0] : shape[shape.length - 1];
  const lengths = first ? shape.slice(1) : shape.slice(0, -1);
  const outputs = lengths.reduce((a, b) => a * b, 1);
  const read = () => {
    const stored = context.read(kernel);
    return first ? transposed(stored, inputs, outputs) : stored;
  };
  const output = context.shape && [...context.shape.slice(0, -1), ...lengths];
  return [
    { op: "EinsumDense", map: matrixMap(context, inputs, outputs, read), output },
    ...context.activation(output),
  ];
}

function reshaped(context: KerasCallContext): ValueShape | undefined {
  const { shape, config, lengths } = context;
  const target: unknown = config["target_shape"];
  if (!Array.isArray(target)) throw context.fault("its target_shape is not a list");
  const open = target.filter((length) => length === -1 || length === null);
  const isLength = (length: unknown) => Number.isSafeInteger(length) && (length as number) >= 0;
  if (open.length > 1 || !target.every((length) => length === -1 || length === null || isLength(length)))
    throw context.fault("its target_shape is not a list of lengths");
  if (!shape) return undefined;
  const all = lengths.product(shape.slice(1));
  const known = lengths.product(target.filter((length) => isLength(length)) as number[]);
  if (open.length === 0) {
    if (typeof all === "number" && all !== known)
      throw context.fault(`its input has ${all} numbers, and its target_shape ${known}`);
    return [shape[0], ...(target as number[])];
  }
  let rest: AxisLength = lengths.unknown();
  if (typeof all === "number" && typeof known === "number") {
    if (known === 0 || all % known !== 0)
      throw context.fault(`its input has ${all} numbers, no multiple of ${known}`);
    rest = all / known;
  }
  return [shape[0], ...target.map((length: number | null) => (isLength(length) ? (length as number) : rest))];
}

function permuted(context: KerasCallContext): ValueShape | undefined {
  const { shape, config } = context;
  const dims: unknown = config["dims"];
  const isOrder =
    Array.isArray(dims) && dims.toSorted((a, b) => Number(a) - Number(b)).every((one, k) => one === k + 1);
  if (!isOrder) throw context.fault("its dims are no order of axes");
  if (!shape) return undefined;
  if (dims.length !== shape.length - 1)
    throw context.fault(`its dims are ${dims.length}, and its input has ${shape.length - 1} axes`);
  return [shape[0], ...(dims as number[]).map((axis) => shape[axis])];
}

/** Every entry is copied, or the weights of bilinear interpolation have the row sums 1. */
function enlarged(context: KerasCallContext, axes: number): KerasStep {
  const { shape, config, lengths, layer, dialect } = context;
  context.checkRank(axes + 2);
  const { space } = context.places(axes);
  const sizes = context.counts("size", axes, 2);
  const output = withLengths(
    shape,
    ...space.map((axis, k) => [axis, lengths.times(shape?.at(axis) ?? "", sizes[k])] as const),
  );
  const { interpolation = "nearest" } = config;
  if (interpolation !== "nearest" && interpolation !== "bilinear" && interpolation !== null)
    throw new NoBound("its interpolation is neither nearest nor bilinear");
  // Centers of places as Keras has them give columns the sum of the copies. Where the first places lie over each other, as
  // in TensorFlow.js, the last one also has the (size − 1)/2 that lie beyond it.
  const beyond = interpolation === "bilinear" && dialect === "tfjs";
  const square = sizes.reduce((p, size) => up(p * (beyond ? size + (size - 1) / 2 : size)), 1);
  const how = interpolation === "bilinear" ? "√(largest row sum · largest column sum)" : "√copies";
  return { op: layer.className, map: lipschitz(up(Math.sqrt(square)), how, true), output };
}

function bordered(
  context: KerasCallContext,
  axes: number,
  key: string,
  sign: 1 | -1,
): ValueShape | undefined {
  const { shape, config, lengths } = context;
  context.checkRank(axes + 2);
  const { space } = context.places(axes);
  const given = config[key] ?? 1;
  const isCount = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 2 ** 24;
  const pairs: unknown[] =
    axes === 1 && Array.isArray(given) && given.length === 2 && given.every(isCount)
      ? [given]
      : Array.isArray(given)
        ? given
        : new Array<unknown>(axes).fill(given);
  if (pairs.length !== axes) throw context.fault(`its ${key} is not one for each of ${axes} axes`);
  return withLengths(
    shape,
    ...space.map((axis, k) => {
      const pair: unknown = Array.isArray(pairs[k]) ? pairs[k] : [pairs[k], pairs[k]];
      if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(isCount))
        throw context.fault(`its ${key} is not a number of places`);
      return [axis, lengths.plus(shape?.at(axis) ?? lengths.unknown(), sign * (pair[0] + pair[1]))] as const;
    }),
  );
}
