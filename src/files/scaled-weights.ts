import { FileError, SpectralNormError } from "../matrix/errors.js";
import { bitsandbytesParts } from "./bitsandbytes.js";
import { BlockScales, type Codes, codedWeight } from "./coded-numbers.js";
import type { NumberType } from "./complex-numbers.js";
import { gptqParts } from "./gptq.js";
import { mlxParts } from "./mlx.js";
import { type ModelConfig, NO_CONFIG } from "./model-config.js";
import { E2M1, nvfp4Parts } from "./nvfp4.js";
import { packQuantizedParts } from "./pack-quantized.js";
import { isOfActivations, isQuantization, lastPart, moduleOf } from "./quantization-names.js";
import { type RowMaxima, readsScales, storedScales } from "./scales.js";
import { float8Format, signedBytes, valuesOf } from "./small-floats.js";
import {
  isStack,
  leaveOut,
  type PartsOf,
  type StoredTensor,
  stackOf,
  type WeightInParts,
} from "./stored-tensor.js";
import { BYTES, storedNumbers, type TensorEntry, type WeightTensor } from "./tensor.js";
import { quote } from "./text.js";

/** The types that can be computed with as they are. */
const PLAIN: Readonly<Record<string, NumberType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  C64: "complex64",
};

/** The types whose numbers are decoded. */
const CODED: Readonly<Record<string, Codes>> = {
  F8_E4M3: float8("F8_E4M3"),
  F8_E5M2: float8("F8_E5M2"),
  F8_E4M3FNUZ: float8("F8_E4M3FNUZ"),
  F8_E5M2FNUZ: float8("F8_E5M2FNUZ"),
  F4: E2M1,
  I8: { bits: 8, values: signedBytes, layout: "integer" },
};

function float8(type: Parameters<typeof float8Format>[0]): Codes {
  return { bits: 8, values: () => valuesOf(type), layout: float8Format(type) };
}

/** Numbers of a microscaled format that share a scale. */
const MX_BLOCK = 32;
const MX_BYTES = 16;

/** Rows and columns of DeepSeek's blocks. */
const SQUARE = 128;

/** bitsandbytes' largest absolute value of each row. */
const ROW_MAXIMA = "SCB";

type Entry = StoredTensor | TensorEntry;

/** Bytes of numbers that are no weights. */
const OTHER_BYTES: Readonly<Record<string, number>> = {
  ...{ F8_E8M0: 1, BOOL: 1, U8: 1, I16: 2, U16: 2, I32: 4, U32: 4, I64: 8, U64: 8 },
};

/** Bytes of a number of a type whose layout is known; two numbers may share a byte. */
export function bytesOfNumber(dtype: string): number | undefined {
  if (Object.hasOwn(PLAIN, dtype)) return BYTES[PLAIN[dtype]];
  if (Object.hasOwn(CODED, dtype)) return CODED[dtype].bits / 8;
  return Object.hasOwn(OTHER_BYTES, dtype) ? OTHER_BYTES[dtype] : undefined;
}

/** Whether a tensor may belong together with others: it is quantized, or has scales, zeros or a quantization state. */
export function mayNeedOthers({ name, dtype }: StoredTensor): boolean {
  return Object.hasOwn(CODED, dtype) || ["U8", "I32", "U32"].includes(dtype) || isQuantization(name);
}

/**
 * The weights of a model out of the tensors that its safetensors files have, in the same order.
 *
 * | stored | beside it | read as |
 * |---|---|---|
 * | F64, F32 | | themselves |
 * | F16, BF16 | | their bits, in a `Uint16Array` |
 * | C64 | | real and imaginary parts in turn, in a `Float32Array` |
 * | F8_E4M3, F8_E5M2, F8_E4M3FNUZ, F8_E5M2FNUZ, F4 | no scale in the whole model | bfloat16, which has all their values |
 * | the same, I8 | `NAME_scale`, `NAME_scale_inv`, `scale_weight`, `SCB` | float32: the number times the scale, rounded once |
 * | U8 `NAME_blocks` | `NAME_scales` | MXFP4, as bfloat16 `NAME`, which is exact |
 * | I32 `qweight` | `qzeros`, `scales`, perhaps `g_idx` | GPTQ or AWQ, as float32; see `gptqParts` |
 * | I32 `weight_packed` | `weight_scale`, `weight_shape` and others | compressed-tensors, as float32; see `packQuantizedParts` |
 * | U8, F4 | `weight_scale`, `weight_scale_2` or `weight_global_scale` | NVFP4, as float32; see `nvfp4Parts` |
 * | U32 `weight` | `scales`, `biases` | MLX, as float32 or bfloat16; see `mlxParts` |
 * | any | `NAME.quant_state.bitsandbytes__nf4` or `__fp4` and others | float32; see `bitsandbytesParts` |
 * | anything else | | left out, by name |
 *
 * A scale is one number, or one for each row (or column), for each 128×128 block (the last ones may be partial) or, if it
 * is E8M0, for each 32 numbers of a row. bitsandbytes has the largest absolute value of each row in `SCB`, which is 127
 * times the scale; the order of its numbers is checked when a weight is opened. A scale has no entry of its own once it is
 * used. A weight whose scale is damaged or not understood is left out, so it is never taken without it. Experts on a
 * leading axis are a matrix each.
 *
 * Formats: OCP Microscaling Formats 1.0 for MXFP4, two numbers a byte, the first in the low half; the names are those of
 * compressed-tensors, ComfyUI, bitsandbytes, DeepSeek-V3 and gpt-oss.
 */
export function weightsIn(entries: readonly Entry[], context: Context = {}): TensorEntry[] {
  const model = new Model(entries, context);
  return entries.flatMap((entry) => {
    if (entry.kind !== "stored") return [entry];
    try {
      return model.weightsOf(entry);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      return [leaveOut(entry, error.message)];
    }
  });
}

/** What is known beside the tensors. */
interface Context {
  /** tensors of the model's other files that may belong to these */
  readonly others?: readonly Entry[];
  /** whether the model has other files, in which scales are, or of which nothing is known */
  readonly rest?: "scaled" | "unknown" | undefined;
  readonly config?: ModelConfig;
}

class Model {
  readonly #named = new Map<string, Entry>();
  /** each scale or other part that a weight has, and whether it is used */
  readonly #parts = new Map<string, boolean>();
  readonly #found = new Map<string, TensorEntry[]>();
  /** the modules with something of a quantization that no weight has by its name */
  readonly #unclear = new Set<string>();
  /** the modules with numbers in types that are no weights by themselves, or with damaged ones */
  readonly #packed = new Set<string>();
  readonly #rest: Context["rest"];

  constructor(own: readonly Entry[], { others = [], rest, config = NO_CONFIG }: Context) {
    this.#rest = rest;
    for (const entry of [...others, ...own]) {
      if (entry.kind === "failed" || (entry.kind === "stored" && isPacked(entry)))
        this.#packed.add(moduleOf(entry.name));
      // A file may have a tensor a second time that the index has elsewhere.
      if (entry.kind === "stored" || !this.#named.has(entry.name)) this.#named.set(entry.name, entry);
    }
    const formats: readonly PartsOf[] = [
      bitsandbytesParts,
      nvfp4Parts,
      packQuantizedParts,
      gptqParts(config.gptqZeros),
      mlxParts(config.mlxPacking),
    ];
    const inParts = this.#stored().flatMap((weight) => this.#inParts(weight, formats));
    const taken = new Set(inParts.map(([{ name }]) => name));
    const paired = this.#stored().flatMap((weight) => (taken.has(weight.name) ? [] : this.#paired(weight)));
    for (const [, { parts }] of inParts) for (const name of parts) this.#parts.set(name, false);
    for (const [, names] of paired) for (const name of names) this.#parts.set(name, false);
    for (const name of this.#named.keys())
      if (isQuantization(name) && !this.#parts.has(name)) this.#unclear.add(moduleOf(name));
    for (const [weight, { parts, weights }] of inParts) this.#make(weight, parts, weights);
    for (const [weight, names] of paired) this.#make(weight, names, () => this.#scaled(weight, names));
  }

  #stored(): StoredTensor[] {
    return [...this.#named.values()].filter((entry) => entry.kind === "stored");
  }

  #inParts(weight: StoredTensor, formats: readonly PartsOf[]): [StoredTensor, WeightInParts][] {
    for (const partsOf of formats) {
      const found = partsOf(weight, (name) => this.#named.get(name), this.#rest !== "unknown");
      if (found) return [[weight, found]];
    }
    return [];
  }

  /** The weight, or why it is left out, and with it its parts. */
  #make(weight: StoredTensor, parts: readonly string[], weights: () => TensorEntry[]): void {
    try {
      if (this.#unclear.has(moduleOf(weight.name)) || this.#unclear.has(weight.name))
        throw new FileError("has more beside it than a scale, which is not understood");
      this.#found.set(weight.name, weights());
      for (const name of parts) this.#parts.set(name, true);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      this.#found.set(weight.name, [leaveOut(weight, error.message)]);
    }
  }

  weightsOf(tensor: StoredTensor): TensorEntry[] {
    const { name, dtype, shape } = tensor;
    const used = this.#parts.get(name);
    if (used !== undefined) return used ? [] : [leaveOut(tensor, "belongs to a weight that is left out")];
    const found = this.#found.get(name);
    if (found) return found;
    if (isOfActivations(name)) throw new FileError("is a scale of activations, by its name");
    const coded = Object.hasOwn(CODED, dtype);
    if (!coded && !Object.hasOwn(PLAIN, dtype)) throw new FileError(reasonOf(dtype));
    const ofOther = coded || this.#packed.has(moduleOf(name)) || this.#rest === "unknown";
    if (shape.length >= 2 && isQuantization(name) && ofOther)
      throw new FileError("belongs to the quantization of a weight, by its name");
    // bitsandbytes may store its bytes in tensors of any type.
    if (shape.length >= 2 && this.#named.has(`${name}.absmax`))
      throw new FileError("has an absmax beside it, and no quantization state");
    if (!coded) return plainWeights(tensor, PLAIN[dtype]);
    if (dtype === "I8") throw new FileError("is an integer tensor without a scale");
    if (shape.length >= 2) {
      if (this.#unclear.has(moduleOf(name)) || this.#unclear.has(name))
        throw new FileError(`is ${dtype} with a scale beside it that is not understood`);
      if (this.#parts.size > 0 || this.#rest === "scaled")
        throw new FileError(`is ${dtype} without a scale, and other weights of the model have one`);
      if (this.#rest === "unknown")
        throw new FileError(`is ${dtype} without a scale, which may be in another file of the model`);
    }
    return codedWeights(tensor, CODED[dtype]);
  }

  /** A quantized weight with the names of the scales beside it, if it has any. */
  #paired(weight: StoredTensor): [StoredTensor, string[]][] {
    if (!isQuantized(weight)) return [];
    const names = scaleNames(weight).filter((name) => this.#named.has(name));
    return names.length > 0 ? [[weight, names]] : [];
  }

  #scaled(weight: StoredTensor, names: readonly string[]): TensorEntry[] {
    if (names.length > 1) throw new FileError("has more than one scale beside it");
    const scale = this.#named.get(names[0]);
    if (scale?.kind !== "stored") throw new FileError("has a scale that cannot be read");
    if (weight.dtype !== "U8") return scaledWeights(weight, scale, this.#order(weight, scale));
    const name = mxfp4Name(weight);
    if (this.#named.has(name)) throw new FileError(`is beside a tensor ${quote(name)}, which it stands for`);
    return mxfp4Weights(weight, scale, name);
  }

  #order(weight: StoredTensor, scale: StoredTensor): RowMaxima | undefined {
    if (lastPart(scale.name) !== ROW_MAXIMA) return undefined;
    const order = this.#named.get(`${weight.name}_format`);
    if (order === undefined) return { divisor: 127 };
    if (order.kind !== "stored" || order.dtype !== "U8" || order.count !== 1)
      throw new FileError("has a weight_format that is not understood");
    this.#parts.set(order.name, true);
    return { divisor: 127, order };
  }
}

function mxfp4Name({ name }: StoredTensor): string {
  return name.slice(0, -"_blocks".length);
}

function isQuantized({ name, dtype, shape }: StoredTensor): boolean {
  if (dtype === "U8") return name.endsWith("_blocks");
  return Object.hasOwn(CODED, dtype) && shape.length >= 2 && !isQuantization(name) && !isOfActivations(name);
}

function isPacked({ dtype, shape }: StoredTensor): boolean {
  return shape.length >= 2 && !Object.hasOwn(PLAIN, dtype);
}

function scaleNames({ name, dtype }: StoredTensor): string[] {
  if (dtype === "U8") return [`${name.slice(0, -"_blocks".length)}_scales`];
  const names = [`${name}_scale`, `${name}_scale_inv`];
  if (lastPart(name) !== "weight") return names;
  const beside = name.slice(0, -"weight".length);
  return [...names, `${beside}scale_weight`, ...(dtype === "I8" ? [`${beside}${ROW_MAXIMA}`] : [])];
}

function reasonOf(dtype: string): string {
  if (/^F6_/.test(dtype)) return `is ${dtype}, and no specification says how its numbers lie in bytes`;
  if (dtype === "F8_E8M0") return "is F8_E8M0, which holds scales";
  return `dtype ${quote(dtype)} is none of ${[...Object.keys(PLAIN), "F8", "F4"].join(", ")}`;
}

/** One matrix of a tensor that may be a stack of them. */
function plainWeights(tensor: StoredTensor, dtype: NumberType): TensorEntry[] {
  const { name, shape, begin, bytes, columns, unpacked } = tensor;
  const entry = (own: string, axes: readonly number[], offset: number, size: number): WeightTensor => ({
    ...{ kind: "tensor", name: own, shape: axes, dtype, layout: "pytorch", bytes: size },
    ...(unpacked && { unpacked }),
    open: () => storedNumbers(tensor.open(), offset, dtype),
  });
  if (columns)
    return [
      {
        ...{ kind: "tensor", name, shape, dtype, layout: "pytorch", reversed: true, bytes },
        open: () => storedNumbers(columns.open(), columns.begin, dtype),
      },
    ];
  if (!isStack(name, shape) || shape.includes(0)) return [entry(name, shape, begin, bytes)];
  const size = bytes / shape[0];
  return stackOf(name, shape[0], (own, index) => entry(own, shape.slice(1), begin + index * size, size));
}

function codedWeights(tensor: StoredTensor, codes: Codes): TensorEntry[] {
  const { name, shape, count } = tensor;
  if (!isStack(name, shape) || count === 0) return [codedWeight(tensor, name, shape, codes, 0)];
  return stackOf(name, shape[0], (own, index) => codedWeight(tensor, own, shape.slice(1), codes, index));
}

function scaledWeights(weight: StoredTensor, scale: StoredTensor, maxima?: RowMaxima): TensorEntry[] {
  const { name, dtype, shape, count } = weight;
  if (count === 0) return [codedWeight(weight, name, shape, CODED[dtype], 0)];
  const wide = scale.shape.length === 3 && !(scale.shape[1] === 1 && scale.shape[2] === 1);
  const stacked = isStack(name, shape) || (shape.length === 3 && wide && scale.shape[0] === shape[0]);
  const length = stacked ? shape[0] : 1;
  const axes = stacked ? shape.slice(1) : shape;
  const [rows, cols] = [axes[0], count / length / axes[0]];
  const shared = stacked && scale.count === 1;
  if (stacked && !shared && scale.shape[0] !== length) throw notUnderstood(scale);
  const own = stacked && !shared ? scale.shape.slice(1) : scale.shape;
  const block = blockOf(own, [rows, cols], axes.length, scale);
  return stackOf(name, length, (each, index) => {
    const scales = new BlockScales(storedScales(scale, maxima), shared ? 0 : index, [rows, cols], block);
    return codedWeight(weight, each, axes, CODED[dtype], index, scales);
  });
}

/** Rows and columns of the blocks that have one scale each. */
function blockOf(
  own: readonly number[],
  [rows, cols]: readonly [number, number],
  axes: number,
  scale: StoredTensor,
): readonly [number, number] {
  if (!readsScales(scale.dtype)) throw notUnderstood(scale);
  const [first = 1, second = 1] = own;
  const squares = scale.name.endsWith("_inv") && own.length === 2;
  if (!squares && own.every((length) => length === 1)) return [rows, cols];
  if (
    !squares &&
    first === rows &&
    own.length <= Math.max(2, axes) &&
    own.slice(1).every((length) => length === 1)
  )
    return [1, cols];
  if (own.length === 2 && axes === 2) {
    if (!squares && first === 1 && second === cols) return [rows, 1];
    const microscaled = scale.dtype === "F8_E8M0" || scale.dtype === "U8";
    if (microscaled && first === rows && second * MX_BLOCK === cols) return [1, MX_BLOCK];
    if (first === Math.ceil(rows / SQUARE) && second === Math.ceil(cols / SQUARE)) return [SQUARE, SQUARE];
  }
  throw notUnderstood(scale);
}

function notUnderstood({ dtype, shape }: StoredTensor): FileError {
  const axes = shape.slice(0, 8).join(", ") + (shape.length > 8 ? ", …" : "");
  return new FileError(`has a scale of shape [${axes}], ${quote(dtype)}, which is not understood`);
}

function mxfp4Weights(blocks: StoredTensor, scale: StoredTensor, name: string): TensorEntry[] {
  const { shape } = blocks;
  const fits =
    shape.length >= 3 &&
    shape[shape.length - 1] === MX_BYTES &&
    (scale.dtype === "U8" || scale.dtype === "F8_E8M0") &&
    scale.shape.length === shape.length - 1 &&
    scale.shape.every((length, axis) => length === shape[axis]);
  if (!fits) throw notUnderstood(scale);
  const [rows, across] = shape.slice(-3);
  const cols = MX_BLOCK * across;
  if (blocks.count === 0) return [leaveOut(blocks, "is empty")];
  return stackOf(name, blocks.count / (rows * across * MX_BYTES), (own, index) =>
    codedWeight(
      blocks,
      own,
      [rows, cols],
      E2M1,
      index,
      new BlockScales(storedScales(scale), index, [rows, cols], [1, MX_BLOCK]),
    ),
  );
}
