import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readNpy } from "../../src/files/npy.js";
import { readNpyHeader } from "../../src/files/npy-header.js";
import { memorySource } from "../../src/files/source.js";
import { singularTriplet, spectralNorm } from "../../src/index.js";
import type { DenseMatrix, HalfMatrix } from "../../src/matrix/types.js";
import { expand, expandComplex, normByRealForm } from "./expand.js";
import { largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import { encode, join, npy, npyWithHeader } from "./writers.js";

const read = (bytes: Uint8Array) => readNpy(memorySource(bytes));

const NUMBERS: Record<string, number[]> = {
  f8: [1.5, -2.25, 1e300, 0.1, 5e-324, -0],
  f4: [1.5, -2.25, 2 ** 100, 2 ** -140, 0, 7],
  i1: [-128, 127, 0, 1, 2, -3],
  u1: [255, 127, 0, 1, 2, 3],
  i2: [-32768, 32767, 0, 258, 2, -3],
  u2: [65535, 32767, 0, 258, 2, 3],
  i4: [-(2 ** 31), 2 ** 31 - 1, 0, 66051, 2, -3],
  u4: [2 ** 32 - 1, 2 ** 31, 0, 66051, 2, 3],
  i8: [-(2 ** 53), 2 ** 53 - 1, 0, 2 ** 40 + 1, -1, -(2 ** 32)],
  u8: [2 ** 53, 2 ** 33 - 1, 0, 2 ** 40 + 1, 1, 2 ** 32],
};

describe("npy", () => {
  for (const [kind, numbers] of Object.entries(NUMBERS)) {
    for (const order of ["<", ">"]) {
      for (const fortran of [false, true]) {
        for (const major of [1, 2, 3]) {
          it(`reads ${order}${kind}, ${fortran ? "Fortran" : "C"} order, version ${major}`, () => {
            const descr = `${order}${kind}`;
            const file = read(npy({ descr, shape: [2, 3], fortran, major, data: encode(descr, numbers) }));
            const [a, b, c, d, e, f] = numbers;
            expect(expand(file).flat()).toEqual(fortran ? [a, c, e, b, d, f] : numbers);
            expect(file.shape).toEqual([2, 3]);
          });
        }
      }
    }
  }

  it("keeps float32 and float16 as they are stored, and widens 8-byte integers", () => {
    const of = (descr: string) => read(npy({ descr, shape: [1, 2], data: encode(descr, [1, 2]) }));
    expect((of("<f4").matrix as DenseMatrix).data).toBeInstanceOf(Float32Array);
    expect((of("<f8").matrix as DenseMatrix).data).toBeInstanceOf(Float64Array);
    expect((of(">i8").matrix as DenseMatrix).data).toBeInstanceOf(Float64Array);
    for (const descr of ["<f2", ">f2"]) {
      const half = of(descr).matrix as HalfMatrix;
      expect(half.dtype).toBe("float16");
      expect([...half.data]).toEqual([1, 2]);
    }
    expect(["<f2", ">f4", "<f8", "<i8", ">u2"].map((descr) => of(descr).dtype)).toEqual([
      "float16",
      "float32",
      "float64",
      "int64",
      "uint16",
    ]);
  });

  for (const order of ["<", ">"])
    for (const [kind, part, dtype] of [
      ["c8", "f4", "complex64"],
      ["c16", "f8", "complex128"],
    ] as const)
      for (const fortran of [false, true])
        it(`reads ${order}${kind}, ${fortran ? "Fortran" : "C"} order`, () => {
          const numbers = [1.5, -2.25, 0, 7, -0.5, 3, 2 ** 100, -(2 ** 101), 9, 0, 11, -12];
          const data = encode(order + part, numbers);
          const bytes = npy({ descr: order + kind, shape: [2, 3], fortran, data });
          const file = read(bytes);
          const [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map((k) => numbers.slice(2 * k, 2 * k + 2));
          expect(expandComplex(file).flat()).toEqual(fortran ? [a, c, e, b, d, f] : [a, b, c, d, e, f]);
          expect([file.dtype, file.shape]).toEqual([dtype, [2, 3]]);
          const { matrix } = file as { matrix: DenseMatrix };
          expect(matrix.data).toBeInstanceOf(kind === "c8" ? Float32Array : Float64Array);
          const sigma = normByRealForm(expandComplex(file));
          expect(Math.abs(spectralNorm(matrix) / sigma - 1)).toBeLessThan(kind === "c8" ? 1e-6 : 1e-14);
          // Left in the file, it is the same matrix, or its transpose.
          const panels = readNpy(memorySource(bytes), 0);
          if (panels.kind !== "panels") throw new Error(panels.kind);
          expect([panels.dtype, panels.shape, panels.transposed]).toEqual([dtype, [2, 3], fortran]);
          expect(Array.from(panels.panels.rows(1, 1))).toEqual(
            numbers.slice(...(fortran ? [4, 8] : [6, 12])),
          );
          expect(Math.abs(spectralNorm(panels.panels) / sigma - 1)).toBeLessThan(
            kind === "c8" ? 1e-6 : 1e-14,
          );
        });

  it("checks the length of complex numbers, and names the entry that is not finite", () => {
    const of = (numbers: number[]) =>
      npy({ descr: "<c16", shape: [2, 3], fortran: true, data: encode("<f8", numbers) });
    expect(refusal(of([1, 2, 3]), "x.npy").message).toMatch(/promises 2×3 complex128, 96 bytes.*holds 24/);
    expect(refusal(of(new Array(14).fill(0)), "x.npy").message).toMatch(/16 more follow/);
    for (const part of [0, 1]) {
      const numbers = new Array<number>(12).fill(1);
      numbers[2 * 3 + part] = Number.NaN;
      const where = { code: "ERR_NON_FINITE", row: 1, column: 1 };
      expect(() => singularTriplet(read(of(numbers)).matrix)).toThrow(expect.objectContaining(where));
    }
  });

  it("reads booleans as 0 and 1 whatever bytes they are", () => {
    const file = read(npy({ descr: "|b1", shape: [1, 3], data: Uint8Array.of(0, 1, 255) }));
    expect(expand(file)).toEqual([[0, 1, 1]]);
  });

  it("rounds 8-byte integers beyond 2^53 to the nearest double, ties to even", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (signed, unsigned) => {
          for (const order of ["<", ">"]) {
            const of = (kind: string, number: bigint) =>
              expand(
                read(npy({ descr: order + kind, shape: [1, 1], data: encode(order + kind, [number]) })),
              )[0][0];
            expect(of("i8", signed)).toBe(Number(signed));
            expect(of("u8", unsigned)).toBe(Number(unsigned));
          }
        },
      ),
    );
  });

  it("converts arrays longer than its buffer", () => {
    const numbers = Array.from({ length: 30_000 }, (_, k) => Math.sin(k));
    const file = read(npy({ descr: ">f8", shape: [100, 300], data: encode(">f8", numbers) }));
    expect(expand(file).flat()).toEqual(numbers);
  });

  it("reads numbers that are not aligned in memory, and leaves them alone", () => {
    const bytes = npy({ descr: "<f8", shape: [1, 2], data: encode("<f8", [3, 4]) });
    for (let shift = 0; shift < 8; shift++) {
      const shifted = join(new Uint8Array(shift), bytes);
      const before = shifted.slice();
      expect(expand(read(shifted.subarray(shift)))).toEqual([[3, 4]]);
      expect(shifted).toEqual(before);
    }
  });

  it("takes a header in any spelling of the same dictionary", () => {
    const data = encode("<f4", [1, 2]);
    for (const header of [
      `{"shape":(1,2),"descr":"<f4","fortran_order":False}`,
      `{'descr': 'f4', 'fortran_order': False, 'shape': (1L, 2L), }`,
      `  {'descr':'=f4','shape':[1,2,],'fortran_order':False}  `,
    ]) {
      expect(expand(read(npyWithHeader(header, data)))).toEqual([[1, 2]]);
    }
  });

  it("tells what it cannot read by name", () => {
    const of = (descr: string) =>
      refusal(npy({ descr, shape: [1, 1], data: new Uint8Array(16) }), "x.npy").message;
    expect(of("<c32")).toMatch(/complex256/);
    expect(of("<c4")).toMatch(/complex32/);
    expect(of("|O")).toMatch(/objects/);
    expect(of("<U4")).toMatch(/text/);
    expect(of("|S4")).toMatch(/text/);
    expect(of("<M8[ns]")).toMatch(/datetime64/);
    expect(of("<f16")).toMatch(/float128/);
    expect(of("|V2")).toMatch(/void/);
    expect(of("<f3")).toMatch(/float24/);
    expect(of("<b4")).toMatch(/bool/);
    expect(of("banana")).toMatch(/"banana" is not known/);
    const structured = `{'descr': [('a', '<f4'), ('b', '<i4', (2,))], 'fortran_order': False, 'shape': (1, 1)}`;
    expect(refusal(npyWithHeader(structured, new Uint8Array(12)), "x.npy").message).toMatch(/structured/);
  });

  it("takes two dimensions and says the shape otherwise", () => {
    const of = (shape: number[], bytes: number) =>
      refusal(npy({ descr: "<f8", shape, data: new Uint8Array(bytes) }), "x.npy").message;
    expect(of([], 8)).toMatch(/a scalar, not a matrix/);
    expect(of([3], 24)).toMatch(/a vector of 3/);
    expect(of([1, 2, 3], 48)).toMatch(/1×2×3/);
    expect(of([0, 3], 0)).toMatch(/empty matrix, 0×3/);
    expect(of([0, 10 ** 15], 0)).toMatch(/empty/);
  });

  it("refuses impossible shapes before it allocates anything", () => {
    const shapes = [
      "(1000000000000000000, 1)",
      "(1000000000, 1000000000)",
      "(9223372036854775807, 9223372036854775807)",
      `(${"9".repeat(400)}, 2)`,
      "(4294967296, 4294967296)",
      "(2, 1000000)",
      "(-1, 2)",
      "(-1, -2)",
      "(-3, 10000000000000000000000)",
      "(2.0, 1)",
      "(True, 1)",
      "2",
      "(2)",
      "('2', 1)",
      "None",
    ];
    for (const shape of shapes) {
      const header = `{'descr': '<f8', 'fortran_order': False, 'shape': ${shape}}`;
      const bytes = npyWithHeader(header, new Uint8Array(16));
      const largest = largestAllocation(() => {
        expect(refusal(bytes, "x.npy").code).toBe("ERR_FILE");
      });
      expect(largest).toBeLessThan(1000);
    }
  });

  it("refuses a file that holds more than its header says", () => {
    const bytes = npy({ descr: "<f8", shape: [1, 1], data: new Uint8Array(24) });
    expect(refusal(bytes, "x.npy").message).toMatch(/16 more follow/);
  });

  it("never evaluates the header", () => {
    for (const header of [
      "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), 'x': 1}",
      "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)} + 1",
      "{'descr': '<f8', 'fortran_order': not True, 'shape': (1, 1)}",
      "{'descr': '<f8', 'fortran_order': False, 'shape': (0x1, 1)}",
      "{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}",
      "{'descr': '<f8' 'fortran_order': False, 'shape': (1, 1)}",
      "{'descr': '<f8', 'fortran_order': False}",
      "{'fortran_order': False, 'shape': (1, 1)}",
      "{'descr': '<f8', 'fortran_order': 0, 'shape': (1, 1)}",
      "(1, 1)",
      "process.exit(1)",
      "",
      "[".repeat(60000),
      "{'descr': '",
    ]) {
      expect(refusal(npyWithHeader(header, new Uint8Array(8)), "x.npy").code).toBe("ERR_FILE");
    }
  });

  it("refuses unknown versions and headers of absurd length", () => {
    const bytes = npy({ descr: "<f8", shape: [1, 1], data: new Uint8Array(8) });
    for (const [at, byte] of [
      [0, 0x92],
      [5, 0x5a],
      [6, 0],
      [6, 4],
      [7, 1],
      [9, 0xff],
    ]) {
      const wrong = bytes.slice();
      wrong[at] = byte;
      expect(refusal(wrong, "x.npy").code).toBe("ERR_FILE");
    }
    const long = npyWithHeader(" ".repeat(70000), new Uint8Array(8), 2);
    expect(refusal(long, "x.npy").message).toMatch(/longer than any array/);
  });

  it("refuses a file that is cut short at any byte", () => {
    for (const major of [1, 2, 3]) {
      const bytes = npy({ descr: "<f4", shape: [2, 2], major, data: encode("<f4", [1, 2, 3, 4]) });
      for (let length = 0; length < bytes.length; length++) {
        expect(refusal(bytes.subarray(0, length), "x.npy").code).toBe("ERR_FILE");
      }
    }
  });

  it("reads or refuses whatever a file is turned into, without allocating more than it holds", () => {
    const bytes = npy({ descr: "<i8", shape: [2, 2], data: encode("<i8", [1, 2, 3, 4]) });
    fc.assert(
      fc.property(mutations(bytes), (mutated) => {
        expect(largestAllocation(() => readOrRefuse(mutated, "x.npy"))).toBeLessThan(
          20 * mutated.length + 1000,
        );
      }),
      { numRuns: 3000 },
    );
  });

  it("says a header's dtype and shape even of what it does not read", () => {
    const header = readNpyHeader(
      memorySource(npy({ descr: "<M8[ns]", shape: [4], data: new Uint8Array(32) })),
    );
    expect(header.dtype.name).toBe("datetime64");
    expect(header.shape).toEqual([4]);
  });
});
