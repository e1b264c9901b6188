import type { OnnxModel, OnnxNode, OnnxScope, OnnxUse } from "./onnx-graph.js";

/** How a network uses a tensor. */
export type OnnxRole =
  /** a factor of a product: its last two axes are a matrix, of which there is one for each leading index */
  | { readonly kind: "factor"; readonly operator: string }
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
  /** the network dequantizes it */
  | { readonly kind: "quantized"; readonly operator: string }
  /** it belongs to a quantized tensor */
  | { readonly kind: "scale" }
  | { readonly kind: "no matrix"; readonly reason: string }
  /** nothing is known of what the operator does with it, or nothing uses it */
  | { readonly kind: "unknown" };

/** Which inputs of operators are quantized weights, and which are their scales and zero points. */
const QUANTIZED: Readonly<
  Record<string, { readonly weights: readonly number[]; readonly scales: readonly number[] }>
> = {
  DequantizeLinear: { weights: [0], scales: [1, 2] },
  QuantizeLinear: { weights: [0], scales: [1, 2] },
  DynamicQuantizeLSTM: { weights: [1, 2], scales: [8, 9, 10, 11] },
  DynamicQuantizeMatMul: { weights: [1], scales: [2, 3] },
  GatherBlockQuantized: { weights: [0], scales: [2, 3] },
  ConvInteger: { weights: [1], scales: [2, 3] },
  MatMulBnb4: { weights: [1], scales: [2] },
  MatMulInteger: { weights: [0, 1], scales: [2, 3] },
  MatMulIntegerToFloat: { weights: [1], scales: [2, 3, 4, 5] },
  MatMulNBits: { weights: [1], scales: [2, 3, 4] },
  QAttention: { weights: [1], scales: [3, 4, 6, 7] },
  QGemm: { weights: [3], scales: [1, 2, 4, 5, 7, 8] },
  QLinearConv: { weights: [3], scales: [1, 2, 4, 5, 6, 7] },
  QLinearMatMul: { weights: [0, 3], scales: [1, 2, 4, 5, 6, 7] },
};

/** Which inputs are a factor of a matrix product. */
const FACTORS: Readonly<Record<string, readonly number[]>> = {
  MatMul: [0, 1],
  Gemm: [0, 1],
  FusedMatMul: [0, 1],
  FusedGemm: [0, 1],
};

/** Operators whose second input is a kernel, and the axis of its output channels. */
const KERNELS: Readonly<Record<string, number>> = {
  Conv: 0,
  FusedConv: 0,
  DeformConv: 0,
  ConvTranspose: 1,
};

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
const SAME: ReadonlySet<string> = new Set(["Identity", "Cast", "Transpose"]);

/** Chosen: more uses of a tensor than matter. Every tensor is followed, and they may be as many as the nodes. */
const USES_LIMIT = 64;

/** What counts, if a tensor is used in several ways. */
const ORDER: readonly OnnxRole["kind"][] = [
  "kernel",
  "recurrent",
  "factor",
  "quantized",
  "table",
  "unknown",
  "scale",
  "no matrix",
];

/** How a model uses a tensor; what counts for most, if it is used in several ways. */
export function roleOf(model: OnnxModel, scope: OnnxScope, name: string, rank: number): OnnxRole {
  const roles = usesOf(model, scope, name, rank).map(({ use, axes }) => roleIn(use, axes));
  roles.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  return roles[0] ?? { kind: "unknown" };
}

interface Followed {
  readonly use: OnnxUse;
  /** the axis of the tensor that each axis of the operator's input is; undefined if that is unknown */
  readonly axes: readonly number[] | undefined;
}

/** The operators that a tensor comes to, itself or transposed, in its own graph or in the functions that it is given to. */
function usesOf(model: OnnxModel, scope: OnnxScope, name: string, rank: number): Followed[] {
  const found: Followed[] = [];
  const own = Array.from({ length: rank }, (_, axis) => axis);
  const open: { scope: OnnxScope; name: string; axes: readonly number[] | undefined }[] = [
    { scope, name, axes: own },
  ];
  let looked = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { axes } = next;
    for (const use of next.scope.uses.get(next.name) ?? []) {
      if (++looked > USES_LIMIT) return found;
      const { node, at } = use;
      const called = model.functions.get(node.operator);
      if (called) {
        if (at < called.inputs.length) open.push({ scope: called.scope, name: called.inputs[at], axes });
      } else if (SAME.has(node.operator) && at === 0) {
        const passed = node.operator === "Transpose" ? transposed(node, axes) : axes;
        if (node.outputs.length > 0) open.push({ scope: node.scope, name: node.outputs[0], axes: passed });
      } else found.push({ use, axes });
    }
  }
  return found;
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
  if (Object.hasOwn(QUANTIZED, operator)) {
    const { weights, scales } = QUANTIZED[operator];
    if (weights.includes(at)) return { kind: "quantized", operator };
    if (scales.includes(at)) return { kind: "scale" };
  }
  if (Object.hasOwn(FACTORS, operator)) {
    if (!FACTORS[operator].includes(at)) return { kind: "no matrix", reason: `is added by ${operator}` };
    // Which of the last two comes first does not matter: the transpose has the same norm.
    const leading = axes?.slice(0, -2).every((axis, k) => axis === k);
    return leading ? { kind: "factor", operator } : { kind: "unknown" };
  }
  if (Object.hasOwn(KERNELS, operator) && at === 1) {
    const outputs = axes?.[KERNELS[operator]];
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
