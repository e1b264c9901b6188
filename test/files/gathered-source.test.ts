import fc from "fast-check";
import { expect, it } from "vitest";
import {
  gatheredSource,
  hasSeparateSlices,
  isContiguous,
  type Strided,
} from "../../src/files/gathered-source.js";
import { memorySource } from "../../src/files/source.js";
import { stridesOf } from "./torch-writer.js";

const product = (shape: readonly number[]) => shape.reduce((all, length) => all * length, 1);

/** The bytes of a view in the order of its indices, one after the other. */
function gathered(storage: Uint8Array, { begin, shape, strides, unit, swapped }: Strided): Uint8Array {
  const steps = stridesOf(shape);
  const bytes = new Uint8Array(product(shape) * unit);
  for (let k = 0; k < product(shape); k++) {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis++)
      at += (Math.floor(k / steps[axis]) % shape[axis]) * strides[axis];
    for (let i = 0; i < unit; i++)
      bytes[k * unit + i] = storage[begin + at * unit + (swapped ? unit - 1 - i : i)];
  }
  return bytes;
}

function storageFor({ begin, shape, strides, unit }: Strided): Uint8Array {
  const last = shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], 0);
  return Uint8Array.from({ length: begin + (last + 1) * unit }, (_, k) => (k * 7 + (k >> 8) * 13) & 255);
}

const view: fc.Arbitrary<Strided> = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 5 }), stride: fc.nat({ max: 40 }) }), { maxLength: 4 })
  .chain((axes) =>
    fc.record({
      begin: fc.nat({ max: 9 }),
      shape: fc.constant(axes.map(({ length }) => length)),
      strides: fc.constant(axes.map(({ stride }) => stride)),
      unit: fc.constantFrom(1, 2, 4, 8),
      swapped: fc.boolean(),
    }),
  );

it("has the numbers of any view in the order of its indices", () => {
  fc.assert(
    fc.property(view, fc.nat(), fc.nat(), (strided, a, b) => {
      const storage = storageFor(strided);
      const expected = gathered(storage, strided);
      const source = gatheredSource(memorySource(storage), strided);
      expect(source.size).toBe(expected.length);
      const [from, to] = [a % (expected.length + 1), b % (expected.length + 1)].sort((x, y) => x - y);
      expect(source.read(from, to - from)).toEqual(expected.slice(from, to));
      expect(source.read(0, expected.length)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

it.each<[string, number[], number[]]>([
  ["a transposed matrix", [700, 900], [1, 700]],
  ["channels that come last", [40, 30, 20, 20], [12000, 1, 600, 30]],
  ["every third column", [600, 500], [1500, 3]],
  ["a few columns of many", [900, 2], [700, 1]],
  ["long runs apart", [30, 5000], [9000, 1]],
  ["a long run, far apart", [3, 60_000], [1, 7]],
  ["numbers that repeat", [300, 40, 100], [0, 1, 40]],
  ["windows that overlap", [1000, 900], [1, 1]],
])("has %s, larger than what is read at a time", (_, shape, strides) => {
  for (const unit of [1, 4, 8] as const) {
    const strided: Strided = { begin: 3, shape, strides, unit, swapped: unit === 4 };
    const storage = storageFor(strided);
    const source = gatheredSource(memorySource(storage), strided);
    const expected = gathered(storage, strided);
    for (const length of [source.size, 99_991])
      for (let at = 0; at < source.size; at += length) {
        const part = source.read(at, Math.min(length, source.size - at));
        expect(Buffer.compare(part, expected.subarray(at, at + part.length))).toBe(0);
      }
  }
});

it("reads each byte of a storage about once", () => {
  const strided: Strided = { begin: 0, shape: [1000, 1000], strides: [1, 1000], unit: 4, swapped: false };
  const storage = storageFor(strided);
  let read = 0;
  const counting = {
    ...memorySource(storage),
    read(offset: number, length: number) {
      read += length;
      return storage.subarray(offset, offset + length);
    },
  };
  const source = gatheredSource(counting, strided);
  for (let at = 0; at < source.size; at += 4000) source.read(at, 4000);
  expect(read).toBeLessThan(1.1 * storage.length);
});

it("knows views whose numbers lie in order", () => {
  expect(isContiguous([2, 1, 3], [3, 99, 1])).toBe(true);
  expect(isContiguous([2, 3], [1, 2])).toBe(false);
  expect(isContiguous([], [])).toBe(true);
  expect(hasSeparateSlices([4, 3, 2], [6, 1, 3])).toBe(true);
  expect(hasSeparateSlices([4, 3], [2, 1])).toBe(false);
});
