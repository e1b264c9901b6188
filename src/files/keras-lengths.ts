import { FileError } from "../matrix/errors.js";
import type { ValueShape } from "./network.js";

/** The length of an axis: a number, or a text that stands for one that is open. */
export type AxisLength = ValueShape[number];

/** Chosen: longer texts become a new one each, which is equal to no other. */
const TEXT_LIMIT = 100;

/**
 * The lengths of axes that follow from others. Of equal lengths with the same operation comes the same text, so that two
 * texts are equal only where the lengths are.
 */
export class AxisLengths {
  #unknown = 0;

  /** One of which nothing is known. */
  unknown(): string {
    return `length ${++this.#unknown}`;
  }

  #text(text: string): string {
    return text.length > TEXT_LIMIT ? this.unknown() : text;
  }

  /** How many windows fit, `reach` places wide, the first at place 0 and `stride` apart: ⌈(length − reach + 1)/stride⌉. */
  windows(length: AxisLength, reach: number, stride: number): AxisLength {
    return this.#divided(this.plus(length, 1 - reach), stride);
  }

  /** ⌈length/stride⌉ */
  #divided(length: AxisLength, stride: number): AxisLength {
    if (typeof length === "number") return Math.ceil(length / stride);
    return stride === 1 ? length : this.#text(`⌈${length}/${stride}⌉`);
  }

  /** With padding "same": ⌈length/stride⌉. */
  same(length: AxisLength, stride: number): AxisLength {
    return this.#divided(length, stride);
  }

  /** @throws FileError if nothing is left */
  plus(length: AxisLength, more: number): AxisLength {
    if (more === 0) return length;
    if (typeof length === "string") return this.#text(`(${length}${more < 0 ? "−" : "+"}${Math.abs(more)})`);
    const sum = checked(length + more);
    if (sum <= 0) throw new FileError(`its input has ${length} places along an axis, which are too few`);
    return sum;
  }

  times(length: AxisLength, factor: number): AxisLength {
    if (factor === 1) return length;
    return typeof length === "string" ? this.#text(`${factor}·${length}`) : checked(length * factor);
  }

  product(lengths: readonly AxisLength[]): AxisLength {
    const open = lengths.filter((length) => typeof length === "string");
    const fixed = lengths.reduce<number>((p, length) => (typeof length === "number" ? p * length : p), 1);
    checked(fixed);
    if (open.length === 0) return fixed;
    return this.#text([...(fixed === 1 ? [] : [fixed]), ...open].join("·"));
  }
}

function checked(length: number): number {
  if (!Number.isSafeInteger(length)) throw new FileError("its values have more than 2^53 numbers");
  return length;
}
