import { FileError } from "../matrix/errors.js";
import { BlockScales } from "./coded-numbers.js";
import { readInto } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import { Buffer64, type OpenTensor, storedNumbers, type WeightTensor } from "./tensor.js";
import { quote } from "./text.js";

/** The tensors of a weight whose integers lie several in a word of 32 bits. */
export interface PackedTensors {
  readonly qweight: StoredTensor;
  readonly qzeros: StoredTensor;
  readonly scales: StoredTensor;
  /** the group of each input, in GPTQ */
  readonly groups: StoredTensor | undefined;
}

/** Where in a word of AWQ the column stands whose number has this remainder by eight. */
const AWQ_PLACES = [0, 4, 1, 5, 2, 6, 3, 7];

/** Where the numbers of a matrix of inputs by outputs lie. */
interface Packing {
  readonly inputs: number;
  readonly outputs: number;
  readonly groups: number;
  readonly bits: 4 | 8;
  readonly awq: boolean;
}

/**
 * A weight of GPTQ (4 or 8 bits) or AWQ (4 bits), [inputs, outputs]: scale·(q − zero) with a scale and a zero for each
 * output and group of inputs.
 *
 * Format: GPTQ packs inputs, the first in the lowest bits, and zeros by outputs, less one (version 1 of its files; a file
 * does not say its version); AWQ packs outputs, in the order 0 2 4 6 1 3 5 7, and its zeros likewise.
 *
 * @throws FileError if the shapes do not fit
 */
export function packedWeight(tensors: PackedTensors): WeightTensor {
  const packing = packingOf(tensors);
  const { inputs, outputs } = packing;
  return {
    ...{ kind: "tensor", name: tensors.qweight.name, shape: [inputs, outputs], dtype: "float32" },
    layout: "tensorflow",
    bytes: 4 * inputs * outputs,
    open: () => openPacked(tensors, packing),
  };
}

function packingOf({ qweight, qzeros, scales, groups: index }: PackedTensors): Packing {
  const matrices = [qweight, qzeros, scales].every(({ shape, count }) => shape.length === 2 && count > 0);
  const integers = [qweight, qzeros, ...(index ? [index] : [])].every(
    ({ dtype, bytes, count }) => dtype === "I32" && bytes === 4 * count,
  );
  const [groups, outputs] = scales.shape;
  const words = qzeros.shape[1];
  const bits = (32 * words) / outputs;
  const awq = qweight.shape[1] === words && words !== outputs;
  const inputs = awq ? qweight.shape[0] : (32 * qweight.shape[0]) / bits;
  const fits =
    matrices &&
    integers &&
    BlockScales.reads(scales.dtype) &&
    (bits === 4 || (bits === 8 && !awq)) &&
    qzeros.shape[0] === groups &&
    (awq || qweight.shape[1] === outputs) &&
    (index ? index.count === inputs && !awq : inputs % groups === 0);
  if (!fits)
    throw new FileError("is packed in a way that is not understood: its qzeros, scales or g_idx do not fit");
  return { inputs, outputs, groups, bits, awq };
}

function openPacked({ qweight, qzeros, scales, groups: index }: PackedTensors, packing: Packing): OpenTensor {
  const { inputs, outputs, groups, bits, awq } = packing;
  const factors = new BlockScales(scales, 0, [groups, outputs], [1, 1]).read();
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const place = (k: number) => bits * (awq ? AWQ_PLACES[k] : k);
  const zeroWords = words(qzeros);
  const zeros = Float32Array.from({ length: groups * outputs }, (_, k) => {
    const column = k % outputs;
    const word = zeroWords[(k - column) / perWord + Math.floor(column / perWord)];
    return ((word >>> place(column % perWord)) & mask) + (awq ? 0 : 1);
  });
  const groupOf = index ? checkedGroups(index, groups) : undefined;
  const source = qweight.open();
  const [stored, decoded] = [new Buffer64(), new Buffer64()];
  /** words in a row of words, and rows of numbers in it */
  const [wide, high] = awq ? [outputs / perWord, 1] : [outputs, perWord];
  return {
    numbers(first, count) {
      const top = Math.floor(Math.floor(first / outputs) / high);
      const bottom = Math.floor(Math.floor((first + count - 1) / outputs) / high);
      const bytes = stored.take(4 * wide * Math.max(0, bottom + 1 - top));
      readInto(source, qweight.begin + 4 * wide * top, bytes);
      const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      const into = new Float32Array(decoded.take(4 * count).buffer, 0, count);
      for (let i = 0; i < count; ) {
        const row = Math.floor((first + i) / outputs);
        const group = groupOf ? groupOf[row] : Math.floor(row / (inputs / groups));
        const line = wide * (Math.floor(row / high) - top);
        let column = first + i - row * outputs;
        for (; column < outputs && i < count; column++, i++) {
          const word = awq ? packed[line + (column >>> 3)] : packed[line + column];
          const q = (word >>> place(awq ? column & 7 : row % perWord)) & mask;
          const at = group * outputs + column;
          into[i] = factors[at] * (q - zeros[at]);
        }
      }
      return into;
    },
    close: () => source.close(),
  };
}

/** A tensor of 32-bit integers, whole. */
function words(tensor: StoredTensor): Uint32Array {
  const opened = storedNumbers(tensor.open(), tensor.begin, "float32");
  try {
    const { buffer, byteOffset, length } = opened.numbers(0, tensor.count);
    return new Uint32Array(buffer as ArrayBuffer, byteOffset, length);
  } finally {
    opened.close();
  }
}

function checkedGroups(index: StoredTensor, groups: number): Uint32Array {
  const found = words(index);
  const at = found.findIndex((group) => group >= groups);
  if (at >= 0)
    throw new FileError(
      `number ${at} of ${quote(index.name)} is ${found[at] | 0}, and there are ${groups} groups`,
    );
  return found;
}
