import { allocate, type ByteSource, madeSource, readInto } from "./source.js";

/** Chosen: bytes of a source that are looked at together, and bytes of the result that are made together. */
const WINDOW = 1 << 18;
const BLOCK = 1 << 20;

/** Chosen: shorter runs are read with what lies between them. */
const SHORT = 1 << 12;

/** Where the numbers of a tensor lie. */
export interface Strided {
  /** bytes before the first one */
  readonly begin: number;
  readonly shape: readonly number[];
  /** from one index of each axis to the next, in units */
  readonly strides: readonly number[];
  /** bytes of a unit, which stay together: a number, or a part of a complex one */
  readonly unit: 1 | 2 | 4 | 8;
  /** whether a unit's bytes are reversed */
  readonly swapped: boolean;
}

/** Whether the numbers lie in the order of their indices, without gaps. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}

/** Whether what one index of the first axis has lies apart from what the others have. */
export function hasSeparateSlices(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.length === 0) return true;
  const span = shape.reduce(
    (sum, length, axis) => (axis === 0 ? sum : sum + (length - 1) * strides[axis]),
    1,
  );
  return strides[0] >= span;
}

/**
 * The numbers of a tensor in the order of their indices, the last one fastest.
 *
 * Cost: a megabyte of them is gathered at a time where the slices of the first axis lie apart; otherwise all are, when
 * the first one is read, and stay in memory.
 *
 * @param source  closed with it; the numbers have been seen to be within it, and none of the lengths is 0
 */
export function gatheredSource(source: ByteSource, strided: Strided): ByteSource {
  const { shape, strides, unit } = strided;
  const axes = shape.length === 0 ? { ...strided, shape: [1], strides: [1] } : strided;
  const slice = unit * axes.shape.slice(1).reduce((product, length) => product * length, 1);
  const size = axes.shape[0] * slice;
  const together = hasSeparateSlices(shape, strides) ? Math.max(1, Math.floor(BLOCK / slice)) : axes.shape[0];
  let kept: { readonly block: number; readonly bytes: Uint8Array } | undefined;
  const blockAt = (block: number): Uint8Array => {
    if (kept?.block === block) return kept.bytes;
    kept = undefined;
    const first = block * together;
    const count = Math.min(together, axes.shape[0] - first);
    const bytes = allocate(count * slice);
    gather(
      source,
      { ...axes, begin: axes.begin + first * axes.strides[0] * unit, shape: [count, ...axes.shape.slice(1)] },
      bytes,
    );
    kept = { block, bytes };
    return bytes;
  };
  const fill = (offset: number, into: Uint8Array) => {
    for (let done = 0; done < into.length; ) {
      const block = Math.floor((offset + done) / (together * slice));
      const from = offset + done - block * together * slice;
      const bytes = blockAt(block).subarray(from, from + into.length - done);
      into.set(bytes, done);
      done += bytes.length;
    }
  };
  return madeSource(size, fill, () => source.close());
}

/** An axis as it is walked. */
interface Step {
  readonly length: number;
  /** in the source and in the result, in units */
  readonly from: number;
  readonly to: number;
}

/** Walks through the source in its own order, as far as the strides have one. */
function gather(source: ByteSource, strided: Strided, into: Uint8Array<ArrayBuffer>): void {
  const { shape, strides, unit, swapped } = strided;
  const steps: Step[] = [];
  let to = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] > 1) steps.push({ length: shape[axis], from: strides[axis], to });
    to *= shape[axis];
  }
  steps.sort((a, b) => b.from - a.from);
  const inner = steps.pop() ?? { length: 1, from: 1, to: 1 };
  const runs = new Runs(source, strided, inner, steps.at(-1)?.from ?? 0, into);
  const index = steps.map(() => 0);
  for (let from = 0, at = 0; ; ) {
    runs.copy(from, at);
    let k = steps.length - 1;
    for (; k >= 0; k--) {
      from += steps[k].from;
      at += steps[k].to;
      if (++index[k] < steps[k].length) break;
      from -= steps[k].from * steps[k].length;
      at -= steps[k].to * steps[k].length;
      index[k] = 0;
    }
    if (k < 0) break;
  }
  if (swapped) reverseUnits(into, unit);
}

/** The numbers of the innermost axis, for one index of the others after the other. */
class Runs {
  readonly #source: ByteSource;
  readonly #begin: number;
  readonly #unit: number;
  readonly #axis: Step;
  readonly #into: Uint8Array<ArrayBuffer>;
  /** how many numbers of the run are copied at once, which the window holds */
  readonly #part: number;
  /** whether more is read than the run needs at the moment */
  readonly #ahead: boolean;
  readonly #window: Uint8Array<ArrayBuffer>;
  readonly #copy: Copy;
  #start = 0;
  #end = 0;

  /** @param next  from the run to the next one, in units of the source */
  constructor(
    source: ByteSource,
    { begin, unit }: Strided,
    axis: Step,
    next: number,
    into: Uint8Array<ArrayBuffer>,
  ) {
    this.#source = source;
    this.#begin = begin;
    this.#unit = unit;
    this.#axis = axis;
    this.#into = into;
    const room = WINDOW / unit;
    this.#part = axis.from === 0 ? axis.length : Math.max(1, Math.floor((room - 1) / axis.from));
    const length = (axis.length - 1) * axis.from + 1;
    this.#ahead = next * unit <= SHORT + 2 * length * unit;
    this.#window = allocate(unit * Math.min(room, Math.floor((source.size - begin) / unit)));
    this.#copy = copyOf(this.#window, into, unit);
  }

  /** @param from, at  of the first number, in units of the source and of the result */
  copy(from: number, at: number): void {
    const { length, from: stride, to } = this.#axis;
    const unit = this.#unit;
    if (stride === 1 && to === 1 && length * unit >= SHORT) {
      const bytes = this.#into.subarray(at * unit, (at + length) * unit);
      readInto(this.#source, this.#begin + from * unit, bytes);
      return;
    }
    for (let i = 0; i < length; i += this.#part) {
      const count = Math.min(this.#part, length - i);
      const first = this.#hold(from + i * stride, (count - 1) * stride + 1);
      this.#copy(first, stride, at + i * to, to, count);
    }
  }

  /** Where number `from` of the source is in the window, with `count` that follow. */
  #hold(from: number, count: number): number {
    if (from < this.#start || from + count > this.#end) {
      const byte = this.#begin + from * this.#unit;
      const there = Math.floor((this.#source.size - byte) / this.#unit);
      const wanted = Math.min(there, Math.max(count, this.#ahead ? WINDOW / this.#unit : count));
      readInto(this.#source, byte, this.#window.subarray(0, wanted * this.#unit));
      this.#start = from;
      this.#end = from + wanted;
    }
    return from - this.#start;
  }
}

/** Copies `count` units, each `stride` after the one before in the source and `step` in the result. */
type Copy = (from: number, stride: number, at: number, step: number, count: number) => void;

/** Copies integers, whose bits no number type changes. */
function copyOf(source: Uint8Array<ArrayBuffer>, into: Uint8Array<ArrayBuffer>, unit: number): Copy {
  const [a, b] = [integersOf(source, unit), integersOf(into, unit)];
  if (unit === 8)
    return (from, stride, at, step, count) => {
      for (let i = 0; i < count; i++) {
        const [j, k] = [2 * (from + i * stride), 2 * (at + i * step)];
        b[k] = a[j];
        b[k + 1] = a[j + 1];
      }
    };
  return (from, stride, at, step, count) => {
    for (let i = 0; i < count; i++) b[at + i * step] = a[from + i * stride];
  };
}

function integersOf(bytes: Uint8Array<ArrayBuffer>, unit: number) {
  if (unit >= 4) return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return unit === 2 ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2) : bytes;
}

function reverseUnits(bytes: Uint8Array, unit: number): void {
  for (let at = 0; at < bytes.length; at += unit) bytes.subarray(at, at + unit).reverse();
}
