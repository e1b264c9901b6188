import type { ValueShape } from "./network.js";

/** The length of an axis: a number, or a text that stands for one that is open. */
export type AxisLength = ValueShape[number];

/** A length that no value can have. The layer adds its name. */
export class LengthError extends Error {}

/** Chosen: longer texts become a new one each, which is equal to no other. */
const TEXT_LIMIT = 200;

/** A text that stands for base + offset, or for ⌈base/divisor⌉, or for factor·base. */
interface Derived {
  readonly base: string;
  readonly by: "offset" | "divisor" | "factor";
  readonly number: number;
}

/**
 * The lengths of axes that follow from others. Of equal lengths with the same operation comes the same text, so that two
 * texts are equal only where the lengths are.
 */
export class AxisLengths {
  #unknown = 0;
  readonly #derived = new Map<string, Derived>();

  /** One of which nothing is known. */
  unknown(): string {
    return `length ${++this.#unknown}`;
  }

  #text(text: string, derived?: Derived): string {
    if (text.length > TEXT_LIMIT) return this.unknown();
    if (derived) this.#derived.set(text, derived);
    return text;
  }

  /** What a text stands for, if it was derived in this way. */
  #partsOf(text: string, by: Derived["by"]): Derived | undefined {
    const found = this.#derived.get(text);
    return found?.by === by ? found : undefined;
  }

  /** How many windows fit, `reach` places wide, the first at place 0 and `stride` apart: ⌈(length − reach + 1)/stride⌉. */
  windows(length: AxisLength, reach: number, stride: number): AxisLength {
    return this.same(this.plus(length, 1 - reach), stride);
  }

  /** With padding "same": ⌈length/stride⌉. Of two such divisions comes one by the product. */
  same(length: AxisLength, stride: number): AxisLength {
    if (typeof length === "number") return Math.ceil(length / stride);
    if (stride === 1) return length;
    const product = this.#partsOf(length, "factor");
    if (product && product.number % stride === 0) return this.times(product.base, product.number / stride);
    const { base, number } = this.#partsOf(length, "divisor") ?? { base: length, number: 1 };
    const divisor = checked(number * stride);
    return this.#text(`⌈${base}/${divisor}⌉`, { base, by: "divisor", number: divisor });
  }

  /** @throws LengthError if nothing is left */
  plus(length: AxisLength, more: number): AxisLength {
    if (more === 0) return length;
    if (typeof length === "string") {
      const { base, number } = this.#partsOf(length, "offset") ?? { base: length, number: 0 };
      const offset = number + more;
      if (offset === 0) return base;
      const text = `(${base}${offset < 0 ? "−" : "+"}${Math.abs(offset)})`;
      return this.#text(text, { base, by: "offset", number: offset });
    }
    const sum = checked(length + more);
    if (sum <= 0) throw new LengthError(`its input has ${length} places along an axis, which are too few`);
    return sum;
  }

  times(length: AxisLength, factor: number): AxisLength {
    if (factor === 1) return length;
    if (typeof length === "number") return checked(length * factor);
    return this.#text(`${factor}·${length}`, { base: length, by: "factor", number: factor });
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
  if (!Number.isSafeInteger(length)) throw new LengthError("its values have more than 2^53 numbers");
  return length;
}
