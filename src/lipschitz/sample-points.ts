import type { NetworkInput, ValueShape } from "../files/network.js";
import { shapeText } from "../files/npy-header.js";
import { type SampleArray, sizeOf } from "../files/sample-array.js";
import { quote } from "../files/text.js";
import { FileError } from "../index.js";
import { createRandom } from "../numerics/random.js";

/** Chosen: the most numbers of a random sample. */
const MOST_NUMBERS = 2 ** 27;

/** Points at which the slope of a network is measured. */
export interface SamplePoints {
  /** of the input of the network, for each of them */
  readonly shape: readonly number[];
  readonly points: readonly Float64Array[];
  /** how many there are; those beyond the limit are left out */
  readonly total: number;
}

/**
 * The samples in an array for an input of a network.
 *
 * The array is one of
 * - [count, …shape of the input];
 * - [count, …shape of the input but its first axis], if that is open or 1: the axis of the batch, in which each sample is
 *   alone;
 * - one sample, of the shape of the input, or of that without its first axis, if that is open or 1.
 *
 * Where two of these fit, the first of them is taken. Open lengths of the input are those of the array.
 *
 * @param most  the most samples that are read
 * @throws FileError if the array fits none of them, or the rank of the input is unknown; NonFiniteError
 */
export function samplePoints(array: SampleArray, input: NetworkInput, most: number): SamplePoints {
  const { shape } = input;
  if (!shape)
    throw new FileError(
      `the model does not say how many axes its input ${quote(input.name)} has; say its shape with --input`,
    );
  const found = layoutOf(array.shape, shape);
  if (!found)
    throw new FileError(
      `holds ${shapeText(array.shape)}; the input ${quote(input.name)} is ${valueShapeText(shape)}, so it takes ` +
        `[count, ${shape.map(lengthText).join(", ")}], or one sample`,
    );
  const count = Math.min(found.count, most);
  const numbers = array.leading(found.single ? (array.shape[0] ?? 1) : count);
  const size = sizeOf(found.shape);
  const points = Array.from({ length: count }, (_, k) => numbers.slice(k * size, (k + 1) * size));
  return { shape: found.shape, points, total: found.count };
}

interface SampleLayout {
  readonly count: number;
  readonly shape: readonly number[];
  /** whether the array is one sample, and has no axis of samples */
  readonly single: boolean;
}

function layoutOf(array: readonly number[], input: ValueShape): SampleLayout | undefined {
  const batched = input.length > 0 && (typeof input[0] === "string" || input[0] === 1);
  const candidates: SampleLayout[] = [];
  if (array.length === input.length + 1)
    candidates.push({ count: array[0], shape: array.slice(1), single: false });
  if (array.length === input.length && batched)
    candidates.push({ count: array[0], shape: [1, ...array.slice(1)], single: false });
  if (array.length === input.length) candidates.push({ count: 1, shape: array, single: true });
  if (array.length === input.length - 1 && batched)
    candidates.push({ count: 1, shape: [1, ...array], single: true });
  return candidates.find(({ shape }) => fits(shape, input));
}

/** Whether lengths are those that a shape fixes, and the same where it has the same text. */
function fits(lengths: readonly number[], shape: ValueShape): boolean {
  const open = new Map<string, number>();
  return shape.every((length, axis) => {
    if (typeof length === "number") return length === lengths[axis];
    // Lengths without a name have nothing to do with each other.
    const before = length === "" ? undefined : open.get(length);
    open.set(length, lengths[axis]);
    return before === undefined || before === lengths[axis];
  });
}

/**
 * Random points, whose numbers are independent and standard normal; the same at each call. An open first axis, of a batch,
 * has the length 1.
 *
 * @throws FileError if another length is open or there are too many numbers
 */
export function randomPoints(input: NetworkInput, count: number): SamplePoints {
  const { name, shape } = input;
  const lengths = shape?.map((length, axis) => (axis === 0 && typeof length === "string" ? 1 : length));
  const fixed = lengths?.filter((length): length is number => typeof length === "number");
  if (!lengths || !fixed || fixed.length < lengths.length)
    throw new FileError(
      `random samples need the shape of the input ${quote(name)}` +
        `${shape ? `, which the model leaves open: ${valueShapeText(shape)}` : ""}; say it with --input`,
    );
  const size = sizeOf(fixed);
  if (!(size > 0 && size * count <= MOST_NUMBERS))
    throw new FileError(`${count} samples of ${valueShapeText(fixed)} are more than ${MOST_NUMBERS} numbers`);
  const points = Array.from({ length: count }, (_, k) => {
    const random = createRandom(k);
    return Float64Array.from({ length: size }, () => random.normal());
  });
  return { shape: fixed, points, total: count };
}

function valueShapeText(shape: ValueShape): string {
  return shape.length === 0 ? "a scalar" : `[${shape.map(lengthText).join(", ")}]`;
}

function lengthText(length: number | string): string {
  return typeof length === "number" ? String(length) : length === "" ? "?" : quote(length).slice(1, -1);
}
