import { type OnnxContext, within } from "./onnx-constants.js";
import type { OnnxModel, OnnxNode, OnnxScope, OnnxUse } from "./onnx-graph.js";
import { QUANTIZED_INPUTS, type QuantizedUse, SCALE_INPUTS } from "./onnx-quantization.js";

/** What a network takes a tensor for. */
export type OnnxRole =
  /** a factor of a product: its last two axes are a matrix, of which there is one for each leading index */
  | { readonly kind: "factor"; readonly operator: string; readonly node: OnnxNode }
  /** recurrent weights: the same, its first axis being that of the directions */
  | { readonly kind: "recurrent"; readonly operator: string }
  | {
      /** the kernel of a convolution */
      readonly kind: "kernel";
      readonly operator: string;
      /** the axis of the output channels */
      readonly outputs: number;
      /** whether the axes are in ONNX's order, or in TensorFlow's of a convolution */
      readonly regular: boolean;
      readonly node: OnnxNode;
    }
  /** its rows are looked up */
  | { readonly kind: "table"; readonly operator: string }
  /** it belongs to a quantized tensor */
  | { readonly kind: "scale" }
  | { readonly kind: "no matrix"; readonly reason: string }
  /** nothing is known of what the operator does with it, or nothing uses it */
  | { readonly kind: "unknown" };

/** One of the ways in which a network uses a tensor. */
export interface FoundUse {
  readonly role: OnnxRole;
  /** where it is dequantized on the way, or by the operator itself */
  readonly quantized: QuantizedUse | undefined;
}

/** Which inputs are a factor of a matrix product. */
const FACTORS: Readonly<Record<string, readonly number[]>> = {
  MatMul: [0, 1],
  Gemm: [0, 1],
  FusedMatMul: [0, 1],
  FusedGemm: [0, 1],
  DynamicQuantizeMatMul: [1],
  MatMulBnb4: [1],
  MatMulInteger: [0, 1],
  MatMulIntegerToFloat: [0, 1],
  MatMulNBits: [1],
  QAttention: [1],
  QGemm: [0, 3],
  QLinearMatMul: [0, 3],
};

/** Operators with a kernel: which input it is, and the axis of its output channels. */
const KERNELS: Readonly<Record<string, { readonly at: number; readonly outputs: number }>> = {
  Conv: { at: 1, outputs: 0 },
  FusedConv: { at: 1, outputs: 0 },
  DeformConv: { at: 1, outputs: 0 },
  ConvInteger: { at: 1, outputs: 0 },
  QLinearConv: { at: 3, outputs: 0 },
  ConvTranspose: { at: 1, outputs: 1 },
};

/** The domain of operators for whose kernels ONNX Runtime has put the weights into another order. */
const BLOCKED = "com.microsoft.nchwc.";

const RECURRENT: ReadonlySet<string> = new Set(["LSTM", "GRU", "RNN"]);

/** Operators that take a tensor entry by entry, or by its channels. */
const ENTRYWISE: ReadonlySet<string> = new Set(
  (
    "Add Sub Mul Div Pow Mod Min Max Sum Mean Where PRelu And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual " +
    "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization RMSNormalization " +
    "SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization BiasGelu FastGelu"
  ).split(" "),
);

/** Operators whose output is their first input, for this purpose. */
const SAME: ReadonlySet<string> = new Set(["Identity", "Cast"]);

/** Chosen: more uses of a tensor than matter. Every tensor is followed, and they may be as many as the nodes. */
const USES_LIMIT = 64;

/** What counts, if a tensor is used in several ways. */
const ORDER: readonly OnnxRole["kind"][] = [
  "kernel",
  "recurrent",
  "factor",
  "table",
  "unknown",
  "scale",
  "no matrix",
];

/** How a model uses a tensor: what counts for most comes first. */
export function usesOf(model: OnnxModel, scope: OnnxScope, name: string, rank: number): FoundUse[] {
  return operatorsOf(model, scope, name, rank)
    .map((followed) => foundUse(followed))
    .sort((a, b) => ORDER.indexOf(a.role.kind) - ORDER.indexOf(b.role.kind));
}

interface Followed {
  readonly context: OnnxContext;
  /** the axis of the tensor that each axis of the operator's input is; undefined if that is unknown */
  readonly axes: readonly number[] | undefined;
  /** absent if it is dequantized and then not used */
  readonly use?: OnnxUse | undefined;
  /** where it was quantized, and where it was dequantized */
  readonly rounded?: QuantizedUse | undefined;
  readonly dequantized?: QuantizedUse | undefined;
}

/** The operators that a tensor comes to, itself, dequantized or transposed, in its own graph or in the functions that it is given to. */
function operatorsOf(model: OnnxModel, scope: OnnxScope, name: string, rank: number): Followed[] {
  const found: Followed[] = [];
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const open: (Followed & { readonly name: string })[] = [{ name, context: { scope }, axes }];
  let looked = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const uses = next.context.scope.uses.get(next.name) ?? [];
    if (uses.length === 0 && (next.dequantized ?? next.rounded)) found.push({ ...next, use: undefined });
    for (const use of uses) {
      if (++looked > USES_LIMIT) return found;
      const { node, at } = use;
      const context = { ...next.context, scope: node.scope };
      const here: Followed = { ...next, context, use };
      const called = model.functions.get(node.operator);
      if (called) {
        const { inputs } = called;
        if (at < inputs.length)
          open.push({ ...next, name: inputs[at], context: within(called.scope, node, inputs, context) });
        continue;
      }
      const passed = passedOn(here, node, at);
      if (passed && node.outputs.length > 0) open.push({ ...passed, name: node.outputs[0] });
      else found.push(here);
    }
  }
  return found;
}

/** A tensor behind an operator whose output is that tensor, for this purpose. */
function passedOn(here: Followed, node: OnnxNode, at: number): Followed | undefined {
  if (at !== 0) return undefined;
  const { axes, context, rounded, dequantized } = here;
  if (node.operator === "Transpose") return { ...here, axes: transposed(node, axes) };
  if (node.operator === "QuantizeLinear" && !rounded && !dequantized)
    return { ...here, rounded: { node, at, axes, context } };
  if (node.operator === "DequantizeLinear" && !dequantized)
    return { ...here, dequantized: { node, at, axes, context, ...(rounded && { rounded }) } };
  return SAME.has(node.operator) ? here : undefined;
}

function foundUse({ use, axes, context, rounded, dequantized }: Followed): FoundUse {
  if (!use) return { role: { kind: "unknown" }, quantized: dequantized ?? rounded };
  const { operator } = use.node;
  const takes = QUANTIZED_INPUTS[operator]?.some(({ at }) => at === use.at);
  const own = takes ? { ...use, axes, context, ...(rounded && { rounded }) } : rounded;
  return { role: roleIn(use, axes), quantized: dequantized ?? own };
}

function transposed(node: OnnxNode, axes: readonly number[] | undefined): readonly number[] | undefined {
  const order = node.integers.get("perm");
  if (!axes || !order) return axes?.toReversed();
  const sorted = order.toSorted((a, b) => a - b);
  if (order.length !== axes.length || sorted.some((axis, k) => axis !== k)) return undefined;
  return order.map((axis) => axes[axis]);
}

function roleIn({ node, at }: OnnxUse, axes: readonly number[] | undefined): OnnxRole {
  const { operator } = node;
  if (operator.startsWith(BLOCKED) && at > 0)
    return { kind: "no matrix", reason: `is in blocks of channels for ${operator}, which is not read` };
  if (Object.hasOwn(SCALE_INPUTS, operator) && SCALE_INPUTS[operator].includes(at)) return { kind: "scale" };
  if (Object.hasOwn(FACTORS, operator)) {
    if (!FACTORS[operator].includes(at)) return { kind: "no matrix", reason: `is added by ${operator}` };
    // Which of the last two comes first does not matter: the transpose has the same norm.
    const leading = axes?.slice(0, -2).every((axis, k) => axis === k);
    return leading ? { kind: "factor", operator, node } : { kind: "unknown" };
  }
  if (Object.hasOwn(KERNELS, operator) && at === KERNELS[operator].at) {
    const outputs = axes?.[KERNELS[operator].outputs];
    if (!axes || outputs === undefined) return { kind: "unknown" };
    const order = axes.join();
    const own = axes.toSorted((a, b) => a - b);
    const regular =
      order === own.join() ||
      (order === [...own.slice(-2).reverse(), ...own.slice(0, -2)].join() && operator !== "ConvTranspose");
    return { kind: "kernel", operator, outputs, regular, node };
  }
  if (RECURRENT.has(operator)) {
    if (at === 3) return { kind: "no matrix", reason: `is the bias of ${operator}` };
    if (at === 5 || at === 6) return { kind: "no matrix", reason: `is the first state of ${operator}` };
    if (at === 7)
      return { kind: "no matrix", reason: `is taken entry by entry by ${operator}, as peepholes` };
    if ((at === 1 || at === 2) && axes?.[0] === 0) return { kind: "recurrent", operator };
  }
  if (operator === "Gather" && at === 0) return { kind: "table", operator };
  if (operator === "EmbedLayerNormalization" && at >= 2 && at <= 4) return { kind: "table", operator };
  if (ENTRYWISE.has(operator)) return { kind: "no matrix", reason: `is taken entry by entry by ${operator}` };
  return { kind: "unknown" };
}
