import assert from "node:assert/strict";
import fc from "fast-check";
import { largestAllocation, mutations, readOrRefuse } from "../files/hostile.js";
import { encode, join, npy, zip } from "../files/writers.js";

/** Valid files of every format, small enough that a mutation is likely to hit what matters. */
const text = (content: string) => new TextEncoder().encode(content);
const numbers = (count: number) => Array.from({ length: count }, (_, k) => Math.sin(k) * 3);
const doubles = npy({ descr: "<f8", shape: [3, 4], data: encode("<f8", numbers(12)) });
const halves = npy({
  descr: "<f2",
  shape: [4, 2],
  fortran: true,
  data: encode("<f2", [1, 2, 3, 4, 5, 6, 7, 8]),
});
const whole = npy({
  descr: ">i4",
  shape: [2, 5],
  major: 2,
  data: encode(">i4", [1, -2, 3, 4, 5, 6, 7, 8, 9, 1]),
});

const ORIGINALS: readonly { readonly name: string; readonly bytes: Uint8Array }[] = [
  { name: "doubles.npy", bytes: doubles },
  { name: "halves.npy", bytes: halves },
  { name: "whole.npy", bytes: whole },
  {
    name: "stored.npz",
    bytes: zip([
      { name: "a.npy", content: doubles },
      { name: "b.npy", content: whole },
    ]),
  },
  {
    name: "packed.npz",
    bytes: zip([
      { name: "a.npy", content: doubles, deflate: true },
      { name: "b.npy", content: halves, deflate: true },
    ]),
  },
  { name: "long.npz", bytes: zip([{ name: "a.npy", content: doubles, zip64: true }], true) },
  {
    name: "coordinate.mtx",
    bytes: text("%%MatrixMarket matrix coordinate real general\n% why\n4 5 3\n1 1 2.5\n3 4 -1e3\n4 5 7\n"),
  },
  {
    name: "symmetric.mtx",
    bytes: text("%%MatrixMarket matrix coordinate integer symmetric\n3 3 3\n1 1 2\n2 1 -1\n3 3 4\n"),
  },
  {
    name: "pattern.mtx",
    bytes: text("%%MatrixMarket matrix coordinate pattern skew-symmetric\n3 3 1\n2 1\n"),
  },
  {
    name: "array.mtx",
    bytes: text("%%MatrixMarket matrix array real general\n2 3\n1\n2\n3.5\n4\n-5e-1\n6\n"),
  },
  { name: "table.csv", bytes: text('a,b,"c d"\n1,2.5,-3\n4e2,"5",6\n') },
  { name: "table.tsv", bytes: text("1\t2\t3\n4\t5\t6\n") },
  { name: "semicolons.csv", bytes: join(Uint8Array.of(0xef, 0xbb, 0xbf), text("1,5;2\n3;4\r\n")) },
];

/** A valid file and what became of it. */
export interface Mutated {
  readonly name: string;
  /** as digits, so that a counterexample can be pasted */
  readonly bytes: Uint8Array;
}

export const mutated: fc.Arbitrary<Mutated> = fc.constantFrom(...ORIGINALS).chain(({ name, bytes }) =>
  fc
    .record({
      bytes: fc.oneof(
        { weight: 12, arbitrary: mutations(bytes) },
        // The head of the file alone, or something put behind it.
        { weight: 1, arbitrary: fc.nat({ max: bytes.length }).map((length) => bytes.slice(0, length)) },
        {
          weight: 1,
          arbitrary: fc.uint8Array({ maxLength: 40 }).map((more) => join(bytes, Uint8Array.from(more))),
        },
      ),
      // Read as what it is, as what its bytes say, or as something else.
      name: fc.constantFrom(name, name, name, "unnamed", "other.npy", "other.npz", "other.mtx", "other.csv"),
    })
    .map((one) => one),
);

/**
 * A file may have 1032 times its bytes when unpacked (deflate’s limit), each of them a byte of text that becomes a
 * number of 8, with room for as much again while a list grows.
 */
const TIMES = 1032 * 8 * 2;
const LEAST = 2 ** 16;
const LIMIT_MS = 2000;

/** Throws where reading ends in anything but matrices or an error that says what is wrong, or takes too much of anything. */
export function read({ name, bytes }: Mutated): void {
  const before = bytes.slice();
  const begin = performance.now();
  const largest = largestAllocation(() => {
    readOrRefuse(bytes, name);
  });
  assert.ok(performance.now() - begin < LIMIT_MS, "in time");
  const packed = name.endsWith("npz") || name === "unnamed";
  const most = Math.max(LEAST, bytes.length * (packed ? TIMES : 32));
  assert.ok(largest <= most, `allocates ${largest} bytes at once for a file of ${bytes.length}`);
  assert.ok(Buffer.compare(bytes, before) === 0, "the file is unchanged");
}
