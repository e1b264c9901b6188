import type {
  FailedTensor,
  KernelLayout,
  LeftOutTensor,
  TensorEntry,
  WeightTensor,
} from "../files/tensor.js";
import { NonFiniteError } from "../index.js";

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

/**
 * A model's tensor as a matrix, or why it is left out: fewer than two axes, empty, or an embedding table.
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
  // A graph knows better than who runs the audit.
  const layout = entry.use ? entry.layout : (options.layout ?? entry.layout);
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
  const parts = name.split(/[./:]/).filter((part) => part !== "");
  let last = parts.length - 1;
  while (last > 0 && PARAMETER.test(parts[last])) last--;
  const part = parts[last] ?? "";
  return /^(wte|wpe)$/i.test(part) || (/embed/i.test(part) && !/proj|map|out/i.test(part));
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
