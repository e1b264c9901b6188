import { FileError } from "../matrix/errors.js";
import type { OnnxDecoder, OnnxNumbers } from "./onnx-numbers.js";
import { type ByteSource, readInto } from "./source.js";
import { Buffer64, type OpenTensor } from "./tensor.js";

/**
 * Which scale each number of a tensor has. One axis counts; the tensor is taken as [outer, length, inner], with that axis
 * in the middle.
 */
export interface ScaleGrid {
  readonly length: number;
  readonly inner: number;
  /** so many indices of the axis have the same scales */
  readonly block: number;
  /** from one scale to the next: for each outer index, each block and each inner index */
  readonly steps: readonly [outer: number, block: number, inner: number];
  /** codes from one outer index to the next, if there is padding between them */
  readonly pitch?: number;
}

/**
 * The grid of scales whose shape is that of the tensor, but for one axis or for all, on which there is one for each block.
 *
 * @param axis  the one with blocks, or with a scale for each index
 * @param block  0 if there are no blocks
 * @returns nothing if the scales do not fit
 */
export function scaleGrid(
  shape: readonly number[],
  scales: readonly number[],
  axis: number,
  block: number,
): ScaleGrid | undefined {
  const product = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
  if (product(scales) === 1 && (block === 0 || scales.length === 0 || shape.length === scales.length)) {
    const whole = product(shape);
    return { length: whole, inner: 1, block: whole, steps: [0, 0, 0] };
  }
  if (!(axis >= 0 && axis < shape.length)) return undefined;
  const vector = scales.length === 1 && block === 0;
  const own = vector ? shape.map((_, k) => (k === axis ? scales[0] : 1)) : scales;
  if (own.length !== shape.length) return undefined;
  const behind = (k: number) => product(shape.slice(k + 1));
  if (block === 0 && own.every((count, k) => count === (k === axis ? shape[k] : 1)))
    return { length: shape[axis], inner: behind(axis), block: 1, steps: [0, 1, 0] };
  // Without blocks, one scale may be for all indices of an axis.
  const along = block > 0 ? axis : own.findIndex((count, k) => count !== shape[k]);
  if (along < 0) return undefined;
  const [length, inner] = [shape[along], behind(along)];
  const each = block > 0 ? block : length;
  const blocks = Math.ceil(length / each);
  if (!own.every((count, k) => count === (k === along ? blocks : shape[k]))) return undefined;
  return { length, inner, block: each, steps: [blocks * inner, inner, 1] };
}

/** The codes of a tensor, with what they stand for. */
export interface QuantizedNumbers {
  /** closed with the tensor */
  readonly source: ByteSource;
  readonly begin: number;
  /** of a code */
  readonly bits: number;
  readonly decode: OnnxDecoder;
  readonly grid: ScaleGrid;
  /** one, or as many as the grid has; the zeros likewise */
  readonly scales: Float64Array;
  readonly zeros: Float64Array;
  /** of all numbers */
  readonly factor: number;
  /** if these are no codes yet: the integers that they are rounded to, after division by the scale */
  readonly range?: readonly [least: number, greatest: number];
}

/**
 * The numbers factor·scale·(q − zero), decoded as they are read, in float32; each is rounded once.
 *
 * @throws FileError if a scale or a zero point is not finite
 */
export function linearNumbers(numbers: QuantizedNumbers): OpenTensor {
  const { source, begin, bits, decode, grid, factor, range } = numbers;
  const { inner, block, steps } = grid;
  const per = grid.length * inner;
  const pitch = grid.pitch ?? per;
  const most = Math.max(numbers.scales.length, numbers.zeros.length);
  const [scales, zeros] = [numbers.scales, numbers.zeros].map((all) =>
    all.length === most ? all : new Float64Array(most).fill(all[0]),
  );
  checkFinite(scales, "scales");
  checkFinite(zeros, "zero points");
  const products = scales.map((scale) => factor * scale);
  const codeOf = (k: number) => Math.floor(k / per) * pitch + (k % per);
  const [stored, decoded] = [new Buffer64(), new Buffer64()];
  return {
    numbers(first, count) {
      const into = new Float32Array(decoded.take(4 * count).buffer, 0, count);
      if (count === 0) return into;
      const start = codeOf(first);
      const codes = codeOf(first + count - 1) + 1 - start;
      const from = Math.floor((start * bits) / 8);
      const bytes = stored.take(Math.ceil(((start + codes) * bits) / 8) - from);
      readInto(source, begin + from, bytes);
      const values = decode(bytes, start - (from * 8) / bits, codes);
      for (let i = 0; i < count; ) {
        const outer = Math.floor((first + i) / per);
        const rest = first + i - outer * per;
        const row = Math.floor(rest / inner);
        const at = outer * steps[0] + Math.floor(row / block) * steps[1];
        const code = codeOf(first + i) - start;
        if (steps[2] === 0 || inner === 1) {
          const next = Math.min(per, (Math.floor(row / block) + 1) * block * inner);
          const end = Math.min(count, i + next - rest);
          if (range) roundRun(values, code, code + end - i, scales[at], zeros[at], range);
          scaleRun(values, code, into, i, end, products[at], zeros[at]);
          i = end;
        } else {
          const column = rest - row * inner;
          const end = Math.min(count, i + inner - column);
          const first = at + column;
          for (let k = 0; range && k < end - i; k++)
            roundRun(values, code + k, code + k + 1, scales[first + k], zeros[first + k], range);
          scaleEach(values, code, into, i, end, products, zeros, first);
          i = end;
        }
      }
      return into;
    },
    close: () => source.close(),
  };
}

function checkFinite(numbers: Float64Array, what: string): void {
  const bad = numbers.findIndex((number) => !Number.isFinite(number));
  if (bad >= 0) throw new FileError(`number ${bad} of its ${what} is ${numbers[bad]} (counted from 0)`);
}

/** Quantizes values[begin] … values[end − 1] where they are: to the nearest, and at a tie to the even one. */
function roundRun(
  values: OnnxNumbers,
  begin: number,
  end: number,
  scale: number,
  zero: number,
  [least, greatest]: readonly [number, number],
): void {
  for (let k = begin; k < end; k++) {
    const quotient = Math.fround(values[k] / scale);
    const up = Math.round(quotient);
    const nearest = up - quotient === 0.5 && up % 2 !== 0 ? up - 1 : up;
    values[k] = Math.min(Math.max(nearest + zero, least), greatest);
  }
}

function scaleRun(
  values: OnnxNumbers,
  from: number,
  into: Float32Array,
  begin: number,
  end: number,
  scale: number,
  zero: number,
): void {
  for (let i = begin, k = from; i < end; i++, k++) into[i] = (values[k] - zero) * scale;
}

function scaleEach(
  values: OnnxNumbers,
  from: number,
  into: Float32Array,
  begin: number,
  end: number,
  scales: Float64Array,
  zeros: Float64Array,
  first: number,
): void {
  for (let i = begin, k = from, at = first; i < end; i++, k++, at++)
    into[i] = (values[k] - zeros[at]) * scales[at];
}
