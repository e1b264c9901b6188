import { FileError } from "../matrix/errors.js";
import { readInto } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import { Buffer64, type OpenTensor, storedNumbers } from "./tensor.js";
import { quote } from "./text.js";

/** How a matrix of integers lies in words of 32 bits, several in one. */
export interface WordLayout {
  readonly rows: number;
  readonly cols: number;
  readonly bits: 2 | 4 | 8;
  /** whether a word has numbers of one column, rather than of one row */
  readonly down: boolean;
  /** where in a word a number stands, by its row or column modulo the numbers in a word; absent: in order, from the lowest bits */
  readonly places?: readonly number[];
}

/** What makes numbers of integers: scale·q + offset. */
export interface WordScales {
  readonly scales: Float64Array;
  readonly offsets: Float64Array;
  /** the index of the scale and offset of a number is the sum of one for its row and one for its column */
  readonly ofRow: Uint32Array;
  readonly ofColumn: Uint32Array;
}

/** Words in a row of words. */
function wordsAcross({ cols, bits, down }: WordLayout): number {
  return down ? cols : Math.ceil((cols * bits) / 32);
}

/**
 * A matrix of integers as float32, rounded once.
 *
 * @param tensor  of words, row by row, as many as the layout takes
 * @throws FileError if its file is not what it was
 */
export function openWords(tensor: StoredTensor, layout: WordLayout, factors: WordScales): OpenTensor {
  const { cols, bits, down, places } = layout;
  const { scales, offsets, ofRow, ofColumn } = factors;
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const shifts = Uint8Array.from({ length: perWord }, (_, k) => bits * (places?.[k] ?? k));
  const wide = wordsAcross(layout);
  /** rows of numbers in a row of words */
  const high = down ? perWord : 1;
  const source = tensor.open();
  const [stored, decoded] = [new Buffer64(), new Buffer64()];
  return {
    numbers(first, count) {
      const into = new Float32Array(decoded.take(4 * count).buffer, 0, count);
      if (count === 0) return into;
      const top = Math.floor(Math.floor(first / cols) / high);
      const bottom = Math.floor(Math.floor((first + count - 1) / cols) / high);
      const bytes = stored.take(4 * wide * (bottom + 1 - top));
      readInto(source, tensor.begin + 4 * wide * top, bytes);
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      for (let i = 0; i < count; ) {
        const row = Math.floor((first + i) / cols);
        const line = wide * (Math.floor(row / high) - top);
        for (let col = first + i - row * cols; col < cols && i < count; col++, i++) {
          const word = words[line + (down ? col : Math.floor(col / perWord))];
          const q = (word >>> shifts[(down ? row : col) % perWord]) & mask;
          const at = ofRow[row] + ofColumn[col];
          into[i] = scales[at] * q + offsets[at];
        }
      }
      return into;
    },
    close: () => source.close(),
  };
}

/** What scales and zeros come to, scale·(q − zero) being scale·q + offset; both are exact for scales in float32. */
export function withZeros(scales: Float64Array, zeros: Float32Array): Pick<WordScales, "scales" | "offsets"> {
  return { scales, offsets: scales.map((scale, i) => -scale * zeros[i]) };
}

/** The integers of a whole matrix in words, row by row; it is to be a small one. */
export function integersIn(tensor: StoredTensor, layout: WordLayout): Float32Array {
  const { rows, cols } = layout;
  const opened = openWords(tensor, layout, {
    ...{ scales: Float64Array.of(1), offsets: Float64Array.of(0) },
    ...{ ofRow: new Uint32Array(rows), ofColumn: new Uint32Array(cols) },
  });
  try {
    return opened.numbers(0, rows * cols) as Float32Array;
  } finally {
    opened.close();
  }
}

/** A tensor of 32-bit integers, whole. */
export function wordsOf(tensor: StoredTensor): Uint32Array {
  const opened = storedNumbers(tensor.open(), tensor.begin, "float32");
  try {
    const { buffer, byteOffset, length } = opened.numbers(0, tensor.count);
    return new Uint32Array(buffer as ArrayBuffer, byteOffset, length);
  } finally {
    opened.close();
  }
}

/** The group of each row or column. @throws FileError if there is none such */
export function groupsIn(index: StoredTensor, groups: number): Uint32Array {
  const found = wordsOf(index);
  const at = found.findIndex((group) => group >= groups);
  if (at >= 0)
    throw new FileError(
      `number ${at} of ${quote(index.name)} is ${found[at] | 0}, and there are ${groups} groups`,
    );
  return found;
}
