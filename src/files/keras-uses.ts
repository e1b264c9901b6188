import type { JsonObject } from "./json.js";
import type { KerasLayer } from "./keras-config.js";
import { outputsFirst } from "./outputs-first.js";
import type { OperatorUse, TensorEntry, WeightTensor } from "./tensor.js";

/** Chosen: larger than the attributes of any convolution. */
const MOST = 2 ** 20;

/** Keras' convolutions: the kind, how many axes, and whether it is transposed. */
const CONVOLUTION = /^(Depthwise|Separable)?Conv([123])D(Transpose)?$/;

/** Layers whose kernel is the matrix of a product. */
const PRODUCTS: readonly string[] = ["Dense", "LSTM", "GRU", "SimpleRNN"];

const CLASSES: readonly string[] = [
  ...PRODUCTS,
  ...["EinsumDense", "Embedding", "MultiHeadAttention", "GroupQueryAttention"],
  ...["1", "2", "3"].flatMap((axes) => [`Conv${axes}D`, `Conv${axes}DTranspose`]),
  ...["1", "2"].flatMap((axes) => [`DepthwiseConv${axes}D`, `SeparableConv${axes}D`]),
];

/** As Keras names the groups of layers: "DepthwiseConv2D" is "depthwise_conv2d". */
export function inSnakeCase(className: string): string {
  return className
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** The layer that a group such as "dense_1" is of, where only its name says it. */
export function layerOfGroup(group: string): KerasLayer | undefined {
  const kind = group.replace(/_\d+$/, "");
  const className = CLASSES.find((name) => inSnakeCase(name) === kind);
  return className === undefined ? undefined : { name: "", className, config: undefined, layers: [] };
}

/** A layer within a layer, by its member's name: the one that it wraps, or a product of attention. */
export function memberLayer(layer: KerasLayer | undefined, member: string): KerasLayer | undefined {
  if (/^(forward_|backward_)?layer$/.test(member)) return layer?.wrapped;
  return /Attention$/.test(layer?.className ?? "") && /_dense$/.test(member)
    ? { name: "", className: "EinsumDense", config: undefined, layers: [] }
    : undefined;
}

/** Names of the variables of a layer, in the order in which Keras 3 numbers them. */
export function variablesOf(className: string): readonly string[] {
  if (["LSTM", "GRU", "SimpleRNN"].includes(className)) return ["kernel", "recurrent_kernel", "bias"];
  if (className === "Embedding") return ["embeddings"];
  if (className.startsWith("SeparableConv")) return ["depthwise_kernel", "pointwise_kernel", "bias"];
  return CONVOLUTION.test(className) || className === "Dense" || className === "EinsumDense"
    ? ["kernel", "bias"]
    : [];
}

/**
 * A weight as its layer uses it. Of a transposed convolution's kernel, [h, w, out, in], the axis of the outputs is brought
 * to the front. What is not known of the layer leaves the weight as it is. A bias is left out, however many axes it has.
 *
 * @param variable  its name in the layer: "kernel", "depthwise_kernel" …
 */
export function usedBy(tensor: WeightTensor, layer: KerasLayer | undefined, variable: string): TensorEntry {
  const { name, shape, dtype } = tensor;
  if (shape.length < 2) return tensor;
  if (variable === "bias") return { kind: "left out", name, shape, dtype, reason: "is a bias" };
  const applied = layer?.className === "TimeDistributed" ? layer.wrapped : layer;
  const { className = "", config } = applied ?? {};
  if (className === "Embedding" && variable === "embeddings")
    return { ...tensor, table: true, use: { operator: className } };
  if (PRODUCTS.includes(className) && (variable === "kernel" || variable === "recurrent_kernel"))
    return { ...tensor, table: false, use: { operator: className } };
  const parts = CONVOLUTION.exec(className);
  if (!parts || shape.length !== Number(parts[2]) + 2 || !variable.endsWith("kernel")) return tensor;
  const described = config ?? (variable === "pointwise_kernel" ? {} : undefined);
  const use = described && convolutionUse(className, described, parts[1], variable, shape, applied?.input);
  if (className === `Conv${parts[2]}D`) return { ...tensor, table: false, ...(use && { use }) };
  const operator = parts[1] === "Separable" ? `DepthwiseConv${parts[2]}D` : className;
  const known = { ...tensor, table: false, use: use ?? { operator } };
  if (parts[3] === undefined) return known;
  const outputs = shape.length - 2;
  return { ...known, outputs, unpacked: true, open: () => outputsFirst(tensor, outputs) };
}

/** How a convolution applies one of its kernels; what makes no sense with its axes is left out. */
function convolutionUse(
  className: string,
  config: JsonObject,
  kind: string | undefined,
  variable: string,
  shape: readonly number[],
  inputShape: readonly unknown[] | undefined,
): OperatorUse {
  const axes = shape.length - 2;
  if (kind === "Separable" && variable === "pointwise_kernel") {
    const ones = new Array<number>(axes).fill(1);
    return { operator: `Conv${axes}D`, stride: ones, padding: "valid", dilation: ones, groups: 1 };
  }
  const stride = perAxis(config["strides"] ?? 1, axes);
  const dilation = perAxis(config["dilation_rate"] ?? 1, axes);
  const padding = paddingOf(config, axes === 1 ? dilation?.[0] : undefined, shape[0]);
  const { groups = 1 } = config;
  const size = inputSize(inputShape, axes, config["data_format"]);
  const depthwise = kind !== undefined;
  const divided = depthwise ? shape[axes] : groups;
  return {
    operator: kind === "Separable" ? `DepthwiseConv${axes}D` : className,
    ...(stride && { stride }),
    ...(padding && { padding }),
    ...(dilation && { dilation }),
    ...(isCount(divided) && { groups: divided }),
    ...(size && { input: size }),
  };
}

/** The lengths of a layer's input without its batch and channels, if all are known. */
function inputSize(
  shape: readonly unknown[] | undefined,
  axes: number,
  format: unknown,
): readonly number[] | undefined {
  if (shape?.length !== axes + 2) return undefined;
  const lengths = format === "channels_first" ? shape.slice(2) : shape.slice(1, -1);
  return lengths.every(isCount) ? lengths : undefined;
}

/** @param dilation  of a convolution with one axis, which may be causal */
function paddingOf(
  config: JsonObject,
  dilation: number | undefined,
  taps: number,
): OperatorUse["padding"] | undefined {
  const { padding, output_padding: more } = config;
  // With it, the size of the outputs is another than the padding says.
  if (more !== undefined && more !== null) return undefined;
  if (padding === "same" || padding === "valid") return padding;
  return padding === "causal" && dilation !== undefined ? [dilation * (taps - 1), 0] : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MOST;
}

function perAxis(value: unknown, axes: number): readonly number[] | undefined {
  const list: unknown[] = Array.isArray(value) ? value : new Array<unknown>(axes).fill(value);
  return list.length === axes && list.every(isCount) ? list : undefined;
}
