import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileEntry } from "../../src/files/entry.js";
import { readNpz } from "../../src/files/npz.js";
import { readNpzTensors } from "../../src/files/npz-weights.js";
import { type ByteSource, memorySource } from "../../src/files/source.js";
import { inflationLimit } from "../../src/files/zip.js";
import { expand } from "./expand.js";
import { largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import { encode, join, latin1, npy, type ZipPart, zip } from "./writers.js";

const matrixFile = (...rows: number[][]) =>
  npy({ descr: "<f8", shape: [rows.length, rows[0].length], data: encode("<f8", rows.flat()) });
const a = matrixFile([1, 2], [3, 4]);
const b = matrixFile([5, 6, 7]);
const vector = npy({ descr: "<f4", shape: [3], data: encode("<f4", [1, 2, 3]) });

const read = (bytes: Uint8Array, key?: string) => [...readNpz(memorySource(bytes), key)];
const summary = (entries: FileEntry[]) =>
  entries.map((entry) => {
    if (entry.kind === "matrix") return [entry.key, expand(entry)];
    return [entry.key, entry.kind === "skipped" ? entry.reason : entry.error.message];
  });
const valuesOfA = [
  [1, 2],
  [3, 4],
];
const both = [
  ["a", valuesOfA],
  ["b", [[5, 6, 7]]],
];

describe("npz", () => {
  it("reads stored, deflated and ZIP64 members in their order", () => {
    for (const deflate of [false, true]) {
      for (const zip64 of [false, true]) {
        for (const endZip64 of [false, true]) {
          const parts = [
            { name: "a.npy", content: a, deflate, zip64 },
            { name: "b.npy", content: b, deflate, zip64 },
          ];
          expect(summary(read(zip(parts, endZip64)))).toEqual(both);
        }
      }
    }
  });

  it("reads an archive with a comment at its end", () => {
    const comment = latin1("PK\x05\x06 is no end");
    const bytes = join(zip([{ name: "a.npy", content: a }]), comment);
    bytes[bytes.length - comment.length - 2] = comment.length;
    const entries = read(bytes);
    expect(summary(entries)).toEqual(both.slice(0, 1));
  });

  it("inflates members longer than a step, and an empty one", () => {
    const numbers = Array.from({ length: 90_000 }, (_, k) => Math.sin(k));
    const large = npy({ descr: "<f8", shape: [300, 300], data: encode("<f8", numbers) });
    const [entry, empty] = read(
      zip([
        { name: "large.npy", content: large, deflate: true },
        { name: "empty.npy", content: new Uint8Array(0), deflate: true },
      ]),
    );
    expect(entry.kind === "matrix" && expand(entry).flat()).toEqual(numbers);
    expect(empty.kind).toBe("failed");
  });

  it("reads no more than the entry that is asked for", () => {
    const bytes = zip([
      { name: "a.npy", content: a },
      { name: "b.npy", content: b },
    ]);
    const reads: number[] = [];
    const watched: ByteSource = {
      ...memorySource(bytes),
      read(offset, length) {
        reads.push(offset);
        return bytes.subarray(offset, offset + length);
      },
    };
    const entries = readNpz(watched);
    entries.next();
    expect(Math.max(...reads.slice(2))).toBeLessThan(30 + 5 + a.length);
  });

  it("skips what is no matrix, and says what it is", () => {
    const parts: ZipPart[] = [
      { name: "folder/", content: new Uint8Array(0) },
      { name: "v.npy", content: vector, deflate: true },
      { name: "s.npy", content: npy({ descr: "<f8", shape: [], data: new Uint8Array(8) }) },
      { name: "t.npy", content: npy({ descr: "<U1", shape: [1, 1], data: new Uint8Array(4) }) },
      { name: "notes.txt", content: latin1("hello") },
      { name: "b.npy", content: b },
    ];
    expect(summary(read(zip(parts)))).toEqual([
      ["v", "a vector of 3"],
      ["s", "a scalar"],
      ["t", "1×1 of text"],
      ["notes.txt", "not a .npy file"],
      ["b", [[5, 6, 7]]],
    ]);
  });

  it("reads one key, by NumPy's name or the member's", () => {
    const bytes = zip([
      { name: "a.npy", content: a },
      { name: "b.npy", content: b },
      { name: "v.npy", content: vector },
    ]);
    expect(summary(read(bytes, "b"))).toEqual(both.slice(1));
    expect(summary(read(bytes, "b.npy"))).toEqual(both.slice(1));
    expect(() => read(bytes, "c")).toThrow(/has no key "c": it has a, b, v/);
    expect(summary(read(bytes, "v"))).toEqual([["v", "holds a vector of 3, not a matrix"]]);
    expect(() => read(zip([]), "c")).toThrow(/it is empty/);
  });

  it("answers the good members beside each kind of bad one", () => {
    const good = { name: "b.npy", content: b };
    const bad: readonly (readonly [Partial<ZipPart>, RegExp])[] = [
      [{ crc: 1 }, /checksum/],
      [{ deflate: true, crc: 1 }, /checksum/],
      [{ flags: 1 }, /encrypted/],
      [{ method: 93 }, /Zstandard/],
      [{ method: 77 }, /method 77/],
      [{ method: 8 }, /damaged|inflates to/],
      [{ deflate: true, size: a.length - 1 }, /promises|inflates to more/],
      [{ deflate: true, size: a.length + 1 }, /1 more follow|inflates to/],
      [{ size: a.length + 1 }, /cannot be/],
      [{ deflate: true, size: 2 ** 31 }, /cannot be/],
      [{ compressedSize: 2 ** 31, size: 2 ** 31 }, /overlaps|beyond the end/],
      [{ headerOffset: 2 ** 31 }, /not where/],
      [{ headerOffset: 5 }, /not where/],
      [{ zip64: true, headerOffset: 2 ** 52 }, /not where/],
      [{ zip64: true, deflate: true, size: 2 ** 53 }, /cannot be/],
      [{ content: latin1("hello") }, /not a .npy file|ends early/],
      [{ content: a.subarray(0, 20) }, /cut short/],
      [{ content: npy({ descr: "<c8", shape: [1, 2], data: new Uint8Array(8) }) }, /1×2 complex64, 16 bytes/],
      [{ content: npy({ descr: "<c32", shape: [1, 1], data: new Uint8Array(32) }) }, /complex256/],
      [{ content: npy({ descr: "|O", shape: [1, 1], data: new Uint8Array(8) }) }, /objects/],
      [{ content: npy({ descr: "<f8", shape: [10 ** 9, 10 ** 9], data: new Uint8Array(8) }) }, /promises/],
    ];
    for (const [change, message] of bad) {
      const bytes = zip([{ name: "a.npy", content: a, ...change }, good]);
      const entries = read(bytes);
      const expected = [["a", expect.stringMatching(message)], both[1]];
      expect(summary(entries), JSON.stringify(Object.entries(change)[0])).toEqual(expected);
    }
  });

  it("refuses a second member of the same name", () => {
    const entries = read(
      zip([
        { name: "a.npy", content: a },
        { name: "a.npy", content: b },
      ]),
    );
    expect(entries.map(({ kind }) => kind)).toEqual(["matrix", "failed"]);
    expect(summary(entries)[1][1]).toMatch(/second time/);
  });

  it("does not inflate the same bytes again and again", () => {
    const content = npy({ descr: "<f8", shape: [200, 200], data: new Uint8Array(320_000) });
    const first: ZipPart = { name: "m0.npy", content, deflate: true };
    const size = zip([first]).length - 22 - 46 - 6 - 30 - 6;
    const again = Array.from({ length: 500 }, (_, k) => ({
      name: `m${k + 1}.npy`,
      content: new Uint8Array(0),
      method: 8,
      headerOffset: 0,
      compressedSize: size,
      size: content.length,
    }));
    const entries = read(zip([first, ...again]));
    const inflated = entries.filter(({ kind }) => kind === "matrix").length;
    expect(inflated).toBeLessThan(200);
    expect(summary(entries).at(-1)?.[1]).toMatch(/overlaps|checksum/);
  });

  it("does not inflate what turns out not to be the matrix that the header says", () => {
    // 64 MB of zeros behind a header that says 2×2.
    const head = npy({ descr: "<f8", shape: [2, 2], data: new Uint8Array(32) });
    const bomb = zip([{ name: "bomb.npy", content: join(head, new Uint8Array(1 << 26)), deflate: true }]);
    const largest = largestAllocation(() => {
      expect(refusal(bomb, "x.npz").message).toMatch(/more follow/);
    });
    expect(largest).toBeLessThan(2 ** 27);
  });

  it("inflates no more than 64 MiB or 16 times the file, unless more memory is allowed", () => {
    // A matrix of zeros: whole and well, and a thousand times as large as what it is stored in.
    const side = 3000;
    const zeros = npy({ descr: "<f8", shape: [side, side], data: new Uint8Array(8 * side * side) });
    const bytes = zip([
      { name: "zeros.npy", content: zeros, deflate: true },
      { name: "b.npy", content: b },
    ]);
    const largest = largestAllocation(() => {
      const entries = read(bytes);
      expect(summary(entries)[0][1]).toMatch(/inflates to 72000128 bytes.* --memory 73MB allows/);
      expect(summary(entries)[1]).toEqual(both[1]);
      const tensors = readNpzTensors(memorySource(bytes), () => memorySource(bytes));
      expect(() => tensors[0].kind === "tensor" && tensors[0].open()).toThrow(/--memory 73MB/);
    });
    expect(largest).toBeLessThan(2 ** 22);
    const [entry] = readNpz(memorySource(bytes), undefined, 73e6);
    expect(entry).toMatchObject({ kind: "matrix", shape: [side, side] });
    const [tensor] = readNpzTensors(memorySource(bytes), () => memorySource(bytes), 73e6);
    expect(tensor.kind === "tensor" && tensor.open().numbers(0, 3)).toEqual(new Float64Array(3));
    // 64 MiB are always allowed, and so is a large member of a large file.
    expect(inflationLimit(memorySource(bytes), undefined)).toBe(2 ** 26);
    expect(inflationLimit({ ...memorySource(bytes), size: 2 ** 30 }, undefined)).toBe(2 ** 34);
  });

  it("stops where the data goes on beyond the size that is said", () => {
    const part = { name: "a.npy", content: join(a, new Uint8Array(1 << 24)), deflate: true, size: a.length };
    expect(refusal(zip([part]), "x.npz").message).toMatch(/inflates to more/);
  });

  it("refuses an archive that is cut short at any byte", () => {
    for (const deflate of [false, true]) {
      const bytes = zip([{ name: "a.npy", content: a, deflate }], true);
      for (let length = 0; length < bytes.length; length++) {
        expect(refusal(bytes.subarray(0, length), "x.npz").code).toBe("ERR_FILE");
      }
    }
  });

  it("reads or refuses whatever an archive is turned into", () => {
    for (const deflate of [false, true]) {
      const bytes = zip(
        [
          { name: "a.npy", content: a, deflate, zip64: true },
          { name: "b.npy", content: b, deflate },
        ],
        true,
      );
      fc.assert(
        fc.property(mutations(bytes), (mutated) => {
          const largest = largestAllocation(() => readOrRefuse(mutated, "x.npz"));
          expect(largest).toBeLessThan(1032 * mutated.length + 200_000);
        }),
        { numRuns: 1500 },
      );
    }
  });

  it("never gives numbers that were not put in", () => {
    // Unlike the formats without checksums, a damaged member cannot pass for another matrix.
    const bytes = zip([{ name: "a.npy", content: a, deflate: true }]);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const mutated = bytes.slice();
        mutated[at] ^= 1 << bit;
        const entries = readOrRefuse(mutated, "x.npz");
        if (!Array.isArray(entries)) return;
        for (const entry of entries) if (entry.kind === "matrix") expect(expand(entry)).toEqual(valuesOfA);
      }),
      { numRuns: 1000 },
    );
  });
});
