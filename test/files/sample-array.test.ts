import { describe, expect, it } from "vitest";
import { readSampleArray } from "../../src/files/sample-array.js";
import { memorySource } from "../../src/files/source.js";
import { complaint } from "../tfjs/setup.js";
import { encode, join, latin1, npy } from "./writers.js";

const opened = (bytes: Uint8Array) => readSampleArray(() => memorySource(bytes));
const counted = Array.from({ length: 24 }, (_, k) => k);
const array = (descr: string, numbers: readonly number[], shape: readonly number[], fortran = false) =>
  opened(npy({ descr, shape, fortran, data: encode(descr, numbers) }));

describe("numbers of a .npy file", () => {
  it.each(["<f4", ">f4", "<f8", ">f8", "<i4", "|i1", "|u1", ">i2", "<u4", "<i8", ">u8"])(
    "reads %s",
    (descr) => {
      const { shape, leading } = array(descr, counted, [4, 3, 2]);
      expect(shape).toEqual([4, 3, 2]);
      expect([...leading(4)]).toEqual(counted);
      expect([...leading(2)]).toEqual(counted.slice(0, 12));
    },
  );

  it("reads float16 and booleans", () => {
    // 1.5, −2, 2⁻¹⁴ in half precision.
    const halves = npy({ descr: "<f2", shape: [3], data: encode("<u2", [0x3e00, 0xc000, 0x0400]) });
    expect([...opened(halves).leading(3)]).toEqual([1.5, -2, 2 ** -14]);
    const truth = npy({ descr: "|b1", shape: [2], data: Uint8Array.of(1, 0) });
    expect([...opened(truth).leading(2)]).toEqual([1, 0]);
  });

  it("reads Fortran order: entry [i, j, k] lies at i + 4j + 12k", () => {
    const { leading } = array("<f4", counted, [4, 3, 2], true);
    const expected = counted.map((at) => {
      const [i, j, k] = [Math.floor(at / 6), Math.floor(at / 2) % 3, at % 2];
      return i + 4 * j + 12 * k;
    });
    expect([...leading(4)]).toEqual(expected);
    expect([...leading(1)]).toEqual(expected.slice(0, 6));
  });

  it("reads a scalar", () => {
    const bytes = npy({ descr: "<f8", shape: [], data: encode("<f8", [2.5]) });
    expect([...opened(bytes).leading(1)]).toEqual([2.5]);
  });
});

describe("what it refuses", () => {
  const message = (run: () => unknown) => complaint(run).message;

  it("names the entry that is not finite, if it is read", () => {
    const { leading } = array("<f4", counted.with(17, Number.NaN), [4, 3, 2]);
    expect(message(() => leading(4))).toMatch(/the entry at \[2, 2, 1\] \(counted from 0\) is NaN/);
    expect(leading(2)).toHaveLength(12);
    const infinite = array("<f8", counted.with(0, Number.NEGATIVE_INFINITY), [24]);
    expect(message(() => infinite.leading(1))).toMatch(/\[0\] \(counted from 0\) is -Infinity/);
  });

  it.each([
    ["no .npy file", latin1("PK\x03\x04 and more than twelve"), /does not begin as a \.npy file/],
    ["complex numbers", npy({ descr: "<c8", shape: [1], data: new Uint8Array(8) }), /complex64/],
    ["text", npy({ descr: "<U2", shape: [1], data: new Uint8Array(8) }), /text/],
    ["objects", npy({ descr: "|O", shape: [1], data: new Uint8Array(8) }), /object/],
    ["nothing", npy({ descr: "<f4", shape: [0, 3], data: new Uint8Array(0) }), /empty array, 0×3/],
    ["a truncated file", npy({ descr: "<f4", shape: [9, 9], data: new Uint8Array(8) }), /promises 9×9/],
    [
      "a longer file",
      join(npy({ descr: "<f4", shape: [1], data: encode("<f4", [1]) }), new Uint8Array(4)),
      /4 more follow/,
    ],
    [
      "a hostile shape",
      npy({ descr: "<f4", shape: [2 ** 40, 2 ** 40], data: new Uint8Array(8) }),
      /promises/,
    ],
  ])("%s", (_, bytes, expected) => {
    expect(message(() => opened(bytes))).toMatch(expected);
  });

  it("refuses to read more numbers than its limit, before it allocates", () => {
    const header = npy({ descr: "|i1", shape: [2 ** 28], data: new Uint8Array(0) });
    // A source that has the promised length and no content.
    const source = () => ({
      size: header.length + 2 ** 28,
      read: (offset: number, length: number) => header.slice(offset, offset + length),
      close() {},
    });
    expect(message(() => readSampleArray(source).leading(2 ** 28))).toMatch(/268435456 numbers/);
  });
});
