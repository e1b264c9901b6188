import { FileError } from "../matrix/errors.js";
import { groupsIn, integersIn, openWords, type WordLayout, withZeros, wordsOf } from "./packed-integers.js";
import { readsScales, scaleNumbers } from "./scales.js";
import { signedBytes } from "./small-floats.js";
import { type PartsOf, partIn, refuseAbsent, type StoredTensor } from "./stored-tensor.js";
import type { OpenTensor, WeightTensor } from "./tensor.js";
import { quote } from "./text.js";

/** The tensors of a weight. */
interface Parts {
  readonly packed: StoredTensor;
  readonly scale: StoredTensor;
  readonly zeros: StoredTensor | undefined;
  /** the group of each column */
  readonly index: StoredTensor | undefined;
}

/** The widths that compressed-tensors packs; those that are read are among them. */
const WIDTHS = [1, 2, 3, 4, 5, 6, 7, 8];

/**
 * Weights of the format `pack-quantized` of compressed-tensors, with 4 or 8 bits, [outputs, inputs]: `weight_packed` with
 * `weight_scale` and `weight_shape`, perhaps `weight_zero_point` and `weight_g_idx`. A number is scale·(q − zero), with a
 * scale for the tensor, each row, or each group of as many columns of a row.
 *
 * Format: q plus half its range is stored in a row's words, the first number in the lowest bits; the zeros likewise, but
 * by columns, or as bytes. How many bits a number has follows from the lengths of the rows.
 */
export const packQuantizedParts: PartsOf = (packed, find, whole) => {
  const beside = /^(.*[./])?weight_packed$/.exec(packed.name);
  if (!beside || packed.dtype !== "I32") return undefined;
  const named = (last: string) => `${beside[1] ?? ""}weight_${last}`;
  const names = ["scale", "shape", "zero_point", "g_idx"].map(named);
  return {
    parts: names.filter(find),
    weights() {
      const part = (last: string) => {
        if (find(named(last))) return partIn(find, named(last));
        refuseAbsent(named(last), whole);
        return undefined;
      };
      const scale = partIn(find, named("scale"));
      const shape = shapeIn(partIn(find, named("shape")));
      return [weightOfParts({ packed, scale, zeros: part("zero_point"), index: part("g_idx") }, shape)];
    },
  };
};

function shapeIn({ dtype, count, begin, bytes, open, name }: StoredTensor): readonly [number, number] {
  const size = dtype === "I64" ? 8 : 4;
  if (!["I64", "I32"].includes(dtype) || count !== 2 || bytes !== 2 * size)
    throw new FileError(`has a shape ${quote(name)} that is not two integers`);
  const source = open();
  try {
    const stored = source.read(begin, bytes);
    const view = new DataView(stored.buffer, stored.byteOffset, bytes);
    const [rows, cols] = [0, 1].map((k) =>
      size === 8 ? Number(view.getBigInt64(8 * k, true)) : view.getInt32(4 * k, true),
    );
    return [rows, cols];
  } finally {
    source.close();
  }
}

function weightOfParts(parts: Parts, [rows, cols]: readonly [number, number]): WeightTensor {
  const layout = layoutOf(parts, [rows, cols]);
  return {
    ...{ kind: "tensor", name: parts.packed.name, shape: [rows, cols], dtype: "float32" },
    ...{ layout: "pytorch", bytes: 4 * rows * cols },
    open: () => openParts(parts, layout),
  };
}

function layoutOf({ packed, scale, zeros, index }: Parts, [rows, cols]: readonly [number, number]) {
  const across = packed.shape[1];
  const widths = WIDTHS.filter((bits) => Math.ceil((cols * bits) / 32) === across);
  if (packed.shape.length !== 2 || packed.shape[0] !== rows || packed.count === 0 || widths.length === 0)
    throw new FileError(`has a weight_shape [${rows}, ${cols}] that does not fit`);
  if (widths.length > 1)
    throw new FileError(`has rows too short to tell how many bits its numbers have: ${widths.join(" or ")}`);
  const [bits] = widths;
  if (bits !== 4 && bits !== 8) throw new FileError(`has numbers of ${bits} bits, and 4 and 8 are read`);
  const layout: WordLayout = { rows, cols, bits, down: false };
  const groups = groupsOf(scale, layout);
  const fits =
    groups > 0 &&
    cols % groups === 0 &&
    readsScales(scale.dtype) &&
    (!zeros || zerosFit(zeros, scale, layout, groups)) &&
    (!index || (index.dtype === "I32" && index.count === cols));
  if (!fits)
    throw new FileError(
      "is packed in a way that is not understood: its weight_scale, weight_zero_point or weight_g_idx do not fit",
    );
  return layout;
}

/** Groups of columns that have a scale each; 0 if the scales are not understood. */
function groupsOf({ shape, count }: StoredTensor, { rows }: WordLayout): number {
  if (count === 1) return 1;
  return shape.length <= 2 && shape[0] === rows ? (shape[1] ?? 1) : 0;
}

function zerosFit(zeros: StoredTensor, scale: StoredTensor, { rows, bits }: WordLayout, groups: number) {
  if (zeros.dtype === "I8") return zeros.count === scale.count;
  const { dtype, shape } = zeros;
  const words = Math.ceil((rows * bits) / 32);
  return dtype === "I32" && shape.length === 2 && shape[0] === words && shape[1] === groups;
}

function openParts({ packed, scale, zeros, index }: Parts, layout: WordLayout): OpenTensor {
  const { rows, cols } = layout;
  const groups = groupsOf(scale, layout);
  const scales = scaleNumbers(scale, 0, scale.count, "finite");
  const groupOf = index && !isUnset(index) ? groupsIn(index, groups) : undefined;
  if (index && groupOf) refuseUneven(groupOf, groups, index.name);
  return openWords(packed, layout, {
    ...withZeros(
      scale.count === 1 ? new Float64Array(rows).fill(scales[0]) : scales,
      zerosIn(zeros, layout, groups),
    ),
    ofRow: Uint32Array.from({ length: rows }, (_, row) => row * groups),
    ofColumn: groupOf ?? Uint32Array.from({ length: cols }, (_, col) => Math.floor((col * groups) / cols)),
  });
}

/** Some writers leave -1 where columns are in order. */
function isUnset(index: StoredTensor): boolean {
  return wordsOf(index).includes(2 ** 32 - 1);
}

/** Readers sort columns by group and cut groups of one length, which is the same only if they have it. */
function refuseUneven(groupOf: Uint32Array, groups: number, name: string): void {
  const lengths = new Uint32Array(groups);
  for (const group of groupOf) lengths[group]++;
  if (lengths.some((length) => length !== groupOf.length / groups))
    throw new FileError(`has groups of different lengths in ${quote(name)}`);
}

/** The zero of each row and group, half the range included. */
function zerosIn(zeros: StoredTensor | undefined, { rows, bits }: WordLayout, groups: number): Float32Array {
  if (zeros?.dtype === "I32") return integersIn(zeros, { rows, cols: groups, bits, down: true });
  const all = new Float32Array(rows * groups).fill(2 ** (bits - 1));
  if (!zeros) return all;
  const source = zeros.open();
  try {
    const stored = source.read(zeros.begin, zeros.count);
    const signed = signedBytes();
    return all.map((half, i) => half + signed[stored[zeros.count === 1 ? 0 : i]]);
  } finally {
    source.close();
  }
}
