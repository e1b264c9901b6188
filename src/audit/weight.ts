import type {
  FailedTensor,
  KernelLayout,
  LeftOutTensor,
  TensorEntry,
  WeightTensor,
} from "../files/tensor.js";
import { NonFiniteError } from "../index.js";
import { partsOfName } from "./name-parts.js";
import { trainingStateIn } from "./training-state.js";
import { normalizedFactorsIn } from "./weight-normalization.js";

/** A tensor as the matrix that spectral normalization makes of it. */
export interface Weight {
  readonly kind: "weight";
  readonly tensor: WeightTensor;
  readonly rows: number;
  readonly cols: number;
  readonly layout: KernelLayout;
  /**
   * Rows and columns of the matrix that the numbers are, row by row, as they lie: A itself or, in Fortran's order, Aᵀ,
   * whose columns (or rows) may stand in another order, which changes no singular value.
   */
  readonly stored: readonly [number, number];
}

export interface WeightOptions {
  /** which axis is that of the outputs, where no graph says it; default: what the kind of file has */
  readonly layout?: KernelLayout;
  /** whether embedding tables are included; default false */
  readonly embeddings?: boolean;
}

/** Last parts of names that stand for the parameter of a layer and not for the layer. */
const PARAMETER = /^(weight|weights|kernel|kernels|embedding|embeddings|table|params?|vars|value|data|\d+)$/i;

/** The parameters of normalizations, and the layers that are one, by their names. */
const SCALING = /^(scale|gamma|beta|g|offset|running_mean|running_var|moving_mean|moving_variance)$/i;
const NORMALIZATION = /^(.*_)?((layer|batch|group|rms|instance)_?norm(alization)?|norms?)(_?\d+|_[a-z])?$/i;
/** Some call linear layers so, whose parameter is "weight". */
const SHORT = /^(.*_)?ln(_?\d+|_[a-z])?$/i;

/**
 * A model's tensors as matrices, or why each is left out: as `weightOf` has it, or because training left it in the file
 * beside the weights, or it is one of two factors of a weight.
 */
export function weightsAmong(
  entries: readonly TensorEntry[],
  options: WeightOptions,
): (Weight | LeftOutTensor | FailedTensor)[] {
  const tensors = entries.filter((entry) => entry.kind === "tensor");
  const state = trainingStateIn(tensors);
  const factors = normalizedFactorsIn(tensors);
  return entries.map((entry) => {
    const found = weightOf(entry, options);
    if (entry.kind !== "tensor" || found.kind !== "weight") return found;
    const reason =
      state.get(entry) ??
      (factors.has(entry) ? "is a factor of a normalized weight, by its name" : undefined);
    if (reason === undefined) return found;
    return { kind: "left out", name: entry.name, shape: entry.shape, dtype: entry.dtype, reason };
  });
}

/**
 * A model's tensor as a matrix, or why it is left out: fewer than two axes, empty, an embedding table, or vectors that
 * are stacked.
 *
 * With more than two axes, TensorFlow's [h, w, in, out] becomes (h·w·in)×out, PyTorch's [out, in, h, w] becomes
 * out×(in·h·w), and other numbers of axes likewise. TensorFlow's depthwise kernels [h, w, in, multiplier] become
 * (h·w·in)×multiplier, as its own spectral normalization has it. Where a graph says
 * that the outputs are on another axis than the first, as in ONNX's [in, out, h, w] of transposed convolutions, the matrix
 * is out×(in·h·w).
 */
export function weightOf(entry: TensorEntry, options: WeightOptions): Weight | LeftOutTensor | FailedTensor {
  if (entry.kind !== "tensor") return entry;
  const { name, shape, dtype, reversed } = entry;
  const leave = (reason: string): LeftOutTensor => ({ kind: "left out", name, shape, dtype, reason });
  if (shape.length === 0) return leave("is a scalar");
  if (shape.length === 1) return leave("is a vector");
  if (shape.includes(0)) return leave("is empty");
  if (!options.embeddings && entry.table) return leave("is an embedding table, whose rows are looked up");
  if (!options.embeddings && entry.table === undefined && isEmbedding(name))
    return leave("is an embedding table, by its name");
  const stacked = entry.use ? undefined : vectorsByName(name);
  if (stacked) return leave(stacked);
  // A graph knows better than who runs the audit, and factors have one layout.
  const layout = entry.use || entry.factors ? entry.layout : (options.layout ?? entry.layout);
  const count = product(shape);
  if (entry.outputs !== undefined) {
    const rows = shape[entry.outputs];
    const cols = count / rows;
    return { kind: "weight", tensor: entry, rows, cols, layout: "pytorch", stored: [rows, cols] };
  }
  const out = layout === "pytorch" ? shape[0] : shape[shape.length - 1];
  const [rows, cols] = layout === "pytorch" ? [out, count / out] : [count / out, out];
  return {
    kind: "weight",
    tensor: entry,
    rows,
    cols,
    layout,
    stored: reversed ? [cols, rows] : [rows, cols],
  };
}

/**
 * Whether a name is that of an embedding table: its last part, words like "weight" left out, contains "embed" (and
 * none of "proj", "map", "out", which name layers), or is GPT-2's "wte" or "wpe".
 */
export function isEmbedding(name: string): boolean {
  const parts = partsOfName(name);
  let last = parts.length - 1;
  while (last > 0 && PARAMETER.test(parts[last])) last--;
  const part = parts[last] ?? "";
  return /^(wte|wpe)$/i.test(part) || (/embed/i.test(part) && !/proj|map|out/i.test(part));
}

/**
 * What a tensor is that is added or multiplied entry by entry, and so is no matrix whatever its axes, by its name: biases
 * (of several experts, as a mask or relative to positions) and what belongs to normalizations (of several heads or
 * layers).
 */
function vectorsByName(name: string): string | undefined {
  const parts = partsOfName(name);
  const last = parts.at(-1) ?? "";
  if (/^(.*_)?bias(es)?(_table|_[a-z])?$/i.test(last)) return "is a bias, by its name";
  const layer = parts.slice(0, -1).findLast((part) => !/^\d+$/.test(part)) ?? "";
  const scaling = SCALING.test(last);
  const normalizes = NORMALIZATION.test(layer)
    ? scaling || /^weight$/i.test(last)
    : scaling && SHORT.test(layer);
  return normalizes ? "belongs to a normalization, by its name" : undefined;
}

/** Translates the position of a NaN from the stored matrix to the weight matrix. */
export function errorInMatrix({ tensor, rows, cols, stored }: Weight, error: unknown): unknown {
  if (!(error instanceof NonFiniteError) || error.row === undefined || error.column === undefined)
    return error;
  const value = /\bis (\S+) \(/.exec(error.message)?.[1] ?? "not finite";
  let flat = error.row * stored[1] + error.column;
  if (tensor.reversed) {
    // The stored numbers have the first axis fastest, the matrix the last one.
    let rest = flat;
    flat = 0;
    let step = product(tensor.shape);
    for (const length of tensor.shape) {
      step /= length;
      flat += (rest % length) * step;
      rest = Math.floor(rest / length);
    }
  }
  const row = Math.floor(flat / cols);
  const column = flat % cols;
  return new NonFiniteError(
    `row ${row}, column ${column} of ${rows}×${cols} is ${value} (counted from 0)`,
    row,
    column,
  );
}

function product(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
