import { FileError } from "../matrix/errors.js";
import { BlockScales, type Codes, codedWeight } from "./coded-numbers.js";
import { isObject, type JsonObject, parseJson } from "./json.js";
import { type ScaleSource, scaleNumbers } from "./scales.js";
import {
  isStack,
  type PartsOf,
  partIn,
  type StoredTensor,
  stackOf,
  type TensorsByName,
} from "./stored-tensor.js";
import { checkedShape, type WeightTensor } from "./tensor.js";
import { quote } from "./text.js";

const STATES = ["nf4", "fp4"].map((type) => `quant_state.bitsandbytes__${type}`);

/** Chosen: a quantization state has some 200 bytes. */
const STATE_LIMIT = 2 ** 16;

const CODES = 16;
const NESTED_CODES = 256;

/** What the quantization state says. */
interface State {
  readonly shape: readonly number[];
  readonly count: number;
  readonly blockSize: number;
  /** how the largest values of the blocks are quantized themselves */
  readonly nested: { readonly blockSize: number; readonly offset: number } | undefined;
}

/**
 * Weights that bitsandbytes has quantized to NF4 or FP4: `NAME` with `NAME.absmax`, `NAME.quant_map` and
 * `NAME.quant_state.bitsandbytes__nf4` (or `__fp4`). A number is an entry of the map times the largest absolute value of
 * its block; blocks are runs of all numbers of the tensor.
 *
 * Format: `QuantState.as_dict(packed=True)` of bitsandbytes. Two codes lie in a byte, the first in the high half, and the
 * bytes in a tensor of any type. The state is a JSON text. If the largest values are quantized, they are bytes; such a
 * value is an entry of `nested_quant_map` times a number of `nested_absmax`, plus an offset, each step in float32.
 */
export const bitsandbytesParts: PartsOf = (numbers, find) => {
  const { name } = numbers;
  const there = STATES.map((state) => `${name}.${state}`).filter(find);
  if (there.length === 0) return undefined;
  const others = ["absmax", "quant_map", "nested_absmax", "nested_quant_map"].map(
    (last) => `${name}.${last}`,
  );
  return {
    parts: [...there, ...others.filter(find)],
    weights() {
      if (there.length > 1) throw new FileError("has two quantization states");
      return weightsOf(numbers, stateIn(partIn(find, there[0])), find);
    },
  };
};

function stateIn(tensor: StoredTensor): State {
  const where = `its ${quote(tensor.name)}`;
  if (tensor.dtype !== "U8" || tensor.bytes > STATE_LIMIT)
    throw new FileError(`${where} is not a short text in U8`);
  const source = tensor.open();
  try {
    return stateOf(parseJson(source.read(tensor.begin, tensor.bytes)));
  } catch (error) {
    throw error instanceof FileError ? new FileError(`${where}: ${error.message}`) : error;
  } finally {
    source.close();
  }
}

function stateOf(value: unknown): State {
  if (!isObject(value)) throw new FileError("is not a JSON object");
  const { shape, count } = checkedShape(value["shape"]);
  const nested = "nested_blocksize" in value || "nested_offset" in value;
  const offset = value["nested_offset"];
  if (nested && !(typeof offset === "number" && Number.isFinite(offset)))
    throw new FileError("has no nested_offset");
  return {
    shape,
    count,
    blockSize: positive(value, "blocksize"),
    nested: nested ? { blockSize: positive(value, "nested_blocksize"), offset: offset as number } : undefined,
  };
}

function positive(state: JsonObject, key: string): number {
  const value = state[key];
  if (!(Number.isSafeInteger(value) && (value as number) > 0))
    throw new FileError(`its ${key} is not a positive integer`);
  return value as number;
}

function weightsOf(numbers: StoredTensor, state: State, find: TensorsByName): WeightTensor[] {
  const { name, bytes } = numbers;
  const { shape, count, blockSize } = state;
  if (bytes !== Math.ceil(count / 2))
    throw new FileError(
      `of shape [${shape.slice(0, 8).join(", ")}] takes ${Math.ceil(count / 2)} bytes, not ${bytes}`,
    );
  const map = partIn(find, `${name}.quant_map`);
  if (map.count !== CODES) throw new FileError(`has ${map.count} codes in its quant_map, not ${CODES}`);
  const codes: Codes = {
    bits: 4,
    highFirst: true,
    values: () => Float32Array.from(scaleNumbers(float32(map), 0, CODES, "finite")),
  };
  const maxima = maximaOf(partIn(find, `${name}.absmax`), state, find, name);
  const stacked = isStack(name, shape) && count > 0;
  const size = stacked ? count / shape[0] : count;
  if (stacked && size % blockSize !== 0)
    throw new FileError(`has matrices of ${size} numbers, and blocks of ${blockSize}`);
  const matrix = (own: string, axes: readonly number[], index: number) =>
    codedWeight(numbers, own, axes, codes, index, new BlockScales(maxima, index, [1, size], [1, blockSize]));
  if (!stacked) return [matrix(name, shape, 0)];
  return stackOf(name, shape[0], (own, index) => matrix(own, shape.slice(1), index));
}

function float32(tensor: StoredTensor): StoredTensor {
  if (tensor.dtype !== "F32") throw new FileError(`its ${quote(tensor.name)} is not F32`);
  return tensor;
}

/** The largest absolute value of each block. */
function maximaOf(absmax: StoredTensor, state: State, find: TensorsByName, name: string): ScaleSource {
  const { count, blockSize, nested } = state;
  const blocks = Math.ceil(count / blockSize);
  if (absmax.count !== blocks)
    throw new FileError(`has ${absmax.count} numbers in its absmax, for ${blocks} blocks`);
  if (!nested) {
    float32(absmax);
    return { powers: false, read: (first, length) => scaleNumbers(absmax, first, length, "finite") };
  }
  const outer = float32(partIn(find, `${name}.nested_absmax`));
  const map = float32(partIn(find, `${name}.nested_quant_map`));
  if (
    absmax.dtype !== "U8" ||
    outer.count !== Math.ceil(blocks / nested.blockSize) ||
    map.count !== NESTED_CODES
  )
    throw new FileError("has a nested absmax that is not understood");
  return {
    powers: false,
    read: (first, length) => nestedMaxima(absmax, { map, outer, ...nested }, first, length),
  };
}

function nestedMaxima(
  { begin, open }: StoredTensor,
  nested: { map: StoredTensor; outer: StoredTensor; blockSize: number; offset: number },
  first: number,
  count: number,
): Float64Array {
  const { blockSize } = nested;
  const values = scaleNumbers(nested.map, 0, NESTED_CODES, "finite");
  const outer = scaleNumbers(nested.outer, 0, nested.outer.count, "finite");
  const offset = Math.fround(nested.offset);
  const source = open();
  try {
    const stored = source.read(begin + first, count);
    return Float64Array.from(stored, (code, i) => {
      const scaled = Math.fround(values[code] * outer[Math.floor((first + i) / blockSize)]);
      return Math.fround(scaled + offset);
    });
  } finally {
    source.close();
  }
}
