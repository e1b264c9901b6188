import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { readRows } from "../../src/files/open-rows.js";
import { readPetsc } from "../../src/files/petsc.js";
import { petscBytes, writePetsc } from "../../src/files/petsc-writer.js";
import { type MatrixRows, rowsOf, rowsOfPanels } from "../../src/files/rows.js";
import { memorySource } from "../../src/files/source.js";
import { csr, spectralNorm } from "../../src/index.js";
import type { MatrixLike } from "../../src/matrix/types.js";
import { expand, expandComplex, normByRealForm } from "./expand.js";
import { largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import { encode, join, latin1, npy, zip } from "./writers.js";

const folder = mkdtempSync(joinPath(tmpdir(), "petsc-"));
afterAll(() => rmSync(folder, { recursive: true }));

const CLASS = 1211216;
const i4 = (...numbers: number[]) => encode(">i4", numbers);
const i8 = (...numbers: number[]) => encode(">i8", numbers);
const f8 = (...numbers: number[]) => encode(">f8", numbers);
/** [1.5 0 −2; 0 0 0; 0 4 0], as MatView writes it. */
const sparse = join(i4(CLASS, 3, 3, 3), i4(2, 0, 1), i4(0, 2, 1), f8(1.5, -2, 4));
const sparseRows = [
  [1.5, 0, -2],
  [0, 0, 0],
  [0, 4, 0],
];
const dense = join(i4(CLASS, 2, 3, -1), f8(1, 2, 3, 4, 5, 6));
const denseRows = [
  [1, 2, 3],
  [4, 5, 6],
];
const read = (bytes: Uint8Array) => readPetsc(memorySource(bytes));

let files = 0;
async function written(matrix: MatrixRows, indexBytes: 4 | 8 = 4): Promise<Uint8Array> {
  const path = joinPath(folder, String(files++));
  await writePetsc(path, matrix, indexBytes);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const bytes = readFileSync(path);
  expect(bytes.length).toBe(petscBytes(matrix, indexBytes));
  return bytes;
}

/** The numbers that come by rows, as a matrix. */
function gathered(matrix: MatrixRows): number[][] {
  const [m, n] = matrix.shape;
  const all = Array.from({ length: m }, () => new Array<number>(n).fill(0));
  let next = 0;
  for (const rows of matrix.read()) {
    expect(rows.first).toBe(next);
    next += rows.count;
    for (let i = 0; i < rows.count; i++)
      if (rows.kind === "dense") for (let j = 0; j < n; j++) all[rows.first + i][j] = rows.data[i * n + j];
      else
        for (let k = rows.starts[i]; k < rows.starts[i + 1]; k++)
          all[rows.first + i][rows.columns[k]] += rows.values[k];
  }
  expect(next).toBe(m);
  return matrix.transposed ? Array.from({ length: n }, (_, j) => all.map((row) => row[j])) : all;
}

function rowsIn(bytes: Uint8Array, name: string) {
  const [entry] = [...readRows(memorySource(bytes), name)];
  if (entry.kind !== "matrix") throw new Error(`${name} holds no matrix`);
  return entry;
}

describe("PETSc's binary format", () => {
  it("is read, sparse and dense, by extension and by content", () => {
    for (const name of ["a.petsc", "a.bin", ""]) {
      const [a] = readOrRefuse(sparse, name) as ReturnType<typeof read>[];
      expect([expand(a), a.shape, a.dtype]).toEqual([sparseRows, [3, 3], "float64"]);
      const [b] = readOrRefuse(dense, name) as ReturnType<typeof read>[];
      expect(expand(b)).toEqual(denseRows);
    }
  });

  it("is read as a PETSc with 64-bit indices writes it", () => {
    expect(expand(read(join(i8(CLASS, 3, 3, 3), i8(2, 0, 1), i8(0, 2, 1), f8(1.5, -2, 4))))).toEqual(
      sparseRows,
    );
    expect(expand(read(join(i8(CLASS, 2, 3, -1), f8(1, 2, 3, 4, 5, 6))))).toEqual(denseRows);
  });

  it("may hold other objects behind the matrix, which are left alone", () => {
    const vector = join(i4(1211214, 3), f8(1, 2, 3));
    expect(expand(read(join(sparse, vector)))).toEqual(sparseRows);
    expect(expand(read(join(dense, dense)))).toEqual(denseRows);
  });

  it("is written as it is read, in either width", async () => {
    const matrix = csr({ data: [1.5, -2, 4], indices: [0, 2, 1], indptr: [0, 2, 2, 3], shape: [3, 3] });
    expect([...(await written(rowsOf(matrix)))]).toEqual([...sparse]);
    const numbers = { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] };
    expect([...(await written(rowsOf(numbers)))]).toEqual([...dense]);
    for (const each of [matrix, numbers]) {
      const wide = await written(rowsOf(each), 8);
      expect(expand(read(wide))).toEqual(each === matrix ? sparseRows : denseRows);
    }
  });

  it("gives back any matrix to the bit", async () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const shape = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }));
    const numbers = shape.chain(([m, n]) =>
      fc.record({
        m: fc.constant(m),
        n: fc.constant(n),
        data: fc.array(fc.oneof(fc.constant(0), number), { minLength: m * n, maxLength: m * n }),
        width: fc.constantFrom(4 as const, 8 as const),
      }),
    );
    await fc.assert(
      fc.asyncProperty(numbers, async ({ m, n, data, width }) => {
        const expected = Array.from({ length: m }, (_, i) => data.slice(i * n, (i + 1) * n));
        const full: MatrixLike = { data: Float64Array.from(data), shape: [m, n] };
        expect(expand(read(await written(rowsOf(full), width)))).toEqual(expected);
        const indptr = [0];
        const indices: number[] = [];
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) if (data[i * n + j] !== 0) indices.push(i * n + j);
          indptr.push(indices.length);
        }
        const entries = indices.map((k) => data[k]);
        const few = csr({ data: entries, indices: indices.map((k) => k % n), indptr, shape: [m, n] });
        const again = expand(read(await written(rowsOf(few), width)));
        // A zero that is not stored has no sign.
        expect(again).toEqual(expected.map((row) => row.map((value) => (value === 0 ? 0 : value))));
      }),
      { numRuns: 100 },
    );
  });
});

describe("rows of files", () => {
  it("are those that the readers give, for every dtype and order", () => {
    for (const descr of ["<f8", ">f8", "<f4", ">f4", "<f2", "<i8", ">i4", "|u1", "<i2"])
      for (const fortran of [false, true]) {
        const bits = descr === "<f2" ? [0x3c00, 0x4000, 0xbc00, 0, 0x4200, 0x4400] : [1, 2, 3, 0, 5, 6];
        const file = npy({ descr, shape: [3, 2], fortran, data: encode(descr, bits) });
        const entry = rowsIn(file, "x.npy");
        expect(entry.rows.transposed).toBe(fortran);
        expect([entry.shape, entry.petsc]).toEqual([[3, 2], undefined]);
        expect(gathered(entry.rows)).toEqual(gathered(rowsOf(entry.whole())));
      }
  });

  const same = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    x.length === y.length && Array.from({ length: x.length }).every((_, k) => x[k] === y[k]);

  it("come a few at a time, the same as all at once", () => {
    const [m, n] = [700, 1000];
    const data = Float64Array.from({ length: m * n }, (_, k) => Math.sin(k));
    const file = npy({ descr: "<f8", shape: [m, n], data: new Uint8Array(data.buffer) });
    const { rows } = rowsIn(file, "x.npy");
    expect([...rows.read()].length).toBeGreaterThan(1);
    expect(same(gathered(rows).flat(), data)).toBe(true);
    expect(same(gathered(rowsOf({ data, shape: [m, n] })).flat(), data)).toBe(true);
    const across = gathered(rowsOf({ data, shape: [n, m], stride: [1, n] }));
    expect(across[3][5]).toBe(data[5 * n + 3]);
  });

  it("of sparse matrices too, with many rows and long ones", () => {
    const [m, n] = [70_000, 300_000];
    const lengths = Array.from({ length: m }, (_, i) => (i % 30_000 === 7 ? n : i % 3));
    const count = lengths.reduce((a, b) => a + b);
    const values = Float64Array.from({ length: count }, (_, k) => k + 0.5);
    const swapped = Buffer.from(values.slice().buffer).swap64();
    const columns = Buffer.alloc(4 * count);
    let at = 0;
    for (const length of lengths) for (let j = 0; j < length; j++) columns.writeInt32BE(j, 4 * at++);
    const { rows } = rowsIn(join(i4(CLASS, m, n, count), i4(...lengths), columns, swapped), "x.petsc");
    let [next, seen, right] = [0, 0, true];
    for (const some of rows.read()) {
      if (some.kind === "dense") throw new Error("dense");
      right &&= some.first === next && some.values.length <= 2 ** 19;
      next += some.count;
      for (let i = 0; i < some.count; i++)
        right &&= some.starts[i + 1] - some.starts[i] === lengths[some.first + i];
      right &&= same(some.values, values.subarray(seen, seen + some.values.length));
      seen += some.values.length;
    }
    expect([right, next, seen]).toEqual([true, m, count]);
  });

  it("are written from .npy in either order, and what is not finite is named where it stands", async () => {
    const data = [1, 2, 3, Number.NaN, 5, 6];
    for (const fortran of [false, true]) {
      const good = npy({ descr: "<f4", shape: [2, 3], fortran, data: encode("<f4", [1, 2, 3, 4, 5, 6]) });
      const { rows, whole } = rowsIn(good, "x.npy");
      const back = gathered({ ...rowsOf(read(await written(rows)).matrix), transposed: fortran });
      expect(back).toEqual(gathered(rowsOf(whole())));
      const bad = npy({ descr: "<f4", shape: [2, 3], fortran, data: encode("<f4", data) });
      const [row, column] = fortran ? [1, 1] : [1, 0];
      await expect(written(rowsIn(bad, "x.npy").rows)).rejects.toMatchObject({
        code: "ERR_NON_FINITE",
        row,
        column,
      });
    }
    const infinite = join(
      i4(CLASS, 3, 3, 3),
      i4(2, 0, 1),
      i4(0, 2, 1),
      f8(1.5, -2, Number.POSITIVE_INFINITY),
    );
    await expect(written(rowsIn(infinite, "x.petsc").rows)).rejects.toMatchObject({ row: 2, column: 1 });
  });

  it("come from where the matrix lies, if it is larger than it may be", () => {
    const stays = readPetsc(memorySource(dense), 47);
    if (stays.kind !== "panels") throw new Error("it is in memory");
    expect(gathered(rowsOfPanels(stays))).toEqual(denseRows);
    expect(readPetsc(memorySource(dense), 48).kind).toBe("matrix");
    const member = npy({
      descr: ">f4",
      shape: [2, 3],
      fortran: true,
      data: encode(">f4", [1, 4, 2, 5, 3, 6]),
    });
    for (const memory of [0, undefined]) {
      const [entry] = [
        ...readRows(memorySource(zip([{ name: "a.npy", content: member }])), "x.npz", undefined, memory),
      ];
      if (entry.kind !== "matrix") throw new Error(entry.kind);
      expect([entry.key, entry.shape, gathered(entry.rows)]).toEqual(["a", [2, 3], denseRows]);
      expect(gathered(rowsOf(entry.whole()))).toEqual(denseRows);
    }
  });

  it("refuses to write what the integers do not hold", async () => {
    const huge: MatrixRows = { shape: [2 ** 31, 1], transposed: false, entries: undefined, read: () => [] };
    await expect(written(huge)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});

describe("PETSc files with complex numbers", () => {
  const complexDense = join(i4(CLASS, 2, 3, -1), f8(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -12));
  const denseEntries = [
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    [
      [7, 8],
      [9, 10],
      [11, -12],
    ],
  ];
  const complexSparse = join(i4(CLASS, 3, 3, 3), i4(2, 0, 1), i4(0, 2, 1), f8(1.5, 1, -2, 0, 4, -5));
  const wideSparse = join(i8(CLASS, 3, 3, 3), i8(2, 0, 1), i8(0, 2, 1), f8(1.5, 1, -2, 0, 4, -5));
  const zero: [number, number] = [0, 0];
  const sparseEntries = [
    [[1.5, 1], zero, [-2, 0]],
    [zero, zero, zero],
    [zero, [4, -5], zero],
  ];
  const vector = join(i4(1211214, 1), f8(1, 0));

  it("are told from real ones by their length, or by where the next object begins", () => {
    for (const [bytes, entries] of [
      [complexDense, denseEntries],
      [join(complexDense, vector), denseEntries],
      [complexSparse, sparseEntries],
      [join(complexSparse, vector), sparseEntries],
      [wideSparse, sparseEntries],
      [join(wideSparse, i8(1211214, 1), f8(1, 0)), sparseEntries],
    ] as const) {
      const file = read(bytes);
      expect(file.dtype).toBe("complex128");
      expect(expandComplex(file)).toEqual(entries);
      expect(Math.abs(spectralNorm(file.matrix) / normByRealForm(expandComplex(file)) - 1)).toBeLessThan(
        1e-14,
      );
    }
    // A real matrix with another object behind it may be as long as a complex one.
    const real = join(dense, i4(1211214, 5), f8(1, 2, 3, 4, 5));
    expect(real.length).toBe(complexDense.length);
    expect(expand(read(real))).toEqual(denseRows);
    // Without entries, the numbers may be of any kind.
    expect(read(join(i4(CLASS, 1, 1, 0), i4(0))).dtype).toBe("float64");
  });

  it("stay in the file where memory is short", () => {
    const file = readPetsc(memorySource(complexDense), 95);
    if (file.kind !== "panels") throw new Error(file.kind);
    expect([file.dtype, file.shape]).toEqual(["complex128", [2, 3]]);
    expect(Array.from(file.panels.rows(1, 1))).toEqual([7, 8, 9, 10, 11, -12]);
    expect(spectralNorm(file.panels)).toBeCloseTo(spectralNorm(read(complexDense).matrix), 13);
    expect(readPetsc(memorySource(complexDense), 96).kind).toBe("matrix");
  });

  it("name row and column of what is not finite, in either part", () => {
    for (const part of [0, 1]) {
      const value = [1, 1];
      value[part] = Number.NaN;
      const bytes = join(complexSparse.subarray(0, -16), f8(...value));
      expect(refusal(bytes, "x.petsc")).toMatchObject({ code: "ERR_NON_FINITE", row: 2, column: 1 });
      const whole = read(join(complexDense.subarray(0, -16), f8(...value)));
      expect(() => spectralNorm(whole.matrix)).toThrow(expect.objectContaining({ row: 1, column: 2 }));
    }
  });

  it("are not given to SLEPc by their rows", () => {
    for (const [bytes, name] of [
      [complexDense, "x.petsc"],
      [complexSparse, "x.petsc"],
      [npy({ descr: "<c8", shape: [1, 1], data: new Uint8Array(8) }), "x.npy"],
      [latin1("%%MatrixMarket matrix array complex general\n1 1\n1 2\n"), "x.mtx"],
    ] as const)
      expect(() => [...readRows(memorySource(bytes), name)]).toThrow(
        /complex\d+ .* leave out --engine slepc/,
      );
    const several = zip([
      { name: "a.npy", content: npy({ descr: "<c8", shape: [1, 1], data: new Uint8Array(8) }) },
      { name: "b.npy", content: npy({ descr: "<f4", shape: [1, 1], data: new Uint8Array(4) }) },
    ]);
    const entries = [...readRows(memorySource(several), "x.npz")];
    expect(entries.map(({ kind }) => kind)).toEqual(["failed", "matrix"]);
  });
});

describe("hostile PETSc files", () => {
  const header = (...numbers: number[]) => i4(CLASS, ...numbers);
  const bad: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["another class", join(i4(1211214, 3), f8(1, 2, 3)), /another object .*1211214/],
    ["no class", latin1("hello, world, this is text"), /does not begin as a matrix in PETSc/],
    ["one byte", latin1("\0"), /does not begin/],
    ["a header cut short", i4(CLASS, 3), /cut short within the PETSc header/],
    ["negative rows", header(-3, 3, 3), /-3×3, a negative size/],
    ["negative columns", header(3, -3, -1), /negative size/],
    ["no rows", header(0, 3, 0), /empty matrix, 0×3/],
    ["negative entries", header(3, 3, -2), /promises -2 entries/],
    ["more entries than places", join(header(1, 2, 3), new Uint8Array(100)), /3 entries, more than 1×2 has/],
    ["sizes beyond the file", header(2 ** 31 - 1, 2 ** 31 - 1, -1), /the file holds 16/],
    ["rows beyond the file", header(2 ** 31 - 1, 2 ** 31 - 1, 5), /the file holds 16/],
    ["dense cut short", dense.subarray(0, -1), /promises 2×3 dense, 64 bytes; the file holds 63/],
    ["sparse cut short", sparse.subarray(0, -8), /promises 3×3 with 3 entries/],
    ["more behind it", join(dense, latin1("abcdefgh")), /8 more follow that are no object of PETSc's/],
    ["single precision", join(header(2, 3, -1), new Uint8Array(4 * 6)), /numbers of 4 bytes/],
    [
      "a negative row length",
      join(header(3, 3, 3), i4(4, -2, 1), i4(0, 2, 1), f8(1, 2, 3)),
      /row 0 .* 4 entries/,
    ],
    [
      "a negative row length later",
      join(header(3, 3, 3), i4(3, -1, 1), i4(0, 2, 1), f8(1, 2, 3)),
      /row 1 .* -1 entries/,
    ],
    [
      "rows with more than is promised",
      join(header(3, 3, 3), i4(2, 2, 1), i4(0, 2, 1), f8(1, 2, 3)),
      /more entries than the 3/,
    ],
    [
      "rows with fewer",
      join(header(3, 3, 3), i4(2, 0, 0), i4(0, 2, 1), f8(1, 2, 3)),
      /its rows have 2 entries/,
    ],
    [
      "a column too far",
      join(header(3, 3, 3), i4(2, 0, 1), i4(0, 3, 1), f8(1, 2, 3)),
      /column 3 .* of 3 columns/,
    ],
    ["a negative column", join(header(3, 3, 3), i4(2, 0, 1), i4(0, -1, 1), f8(1, 2, 3)), /column -1/],
    ["sizes of 2⁶³", join(i8(CLASS), new Uint8Array(24).fill(0x7f)), /the file holds 32/],
  ];
  for (const [what, bytes, message] of bad)
    it(`refuses ${what}`, () => {
      const largest = largestAllocation(() => {
        const error = refusal(bytes, "x.petsc");
        expect([error.code, error.message]).toEqual(["ERR_FILE", expect.stringMatching(message)]);
        // By its rows as well.
        expect(() =>
          [...readRows(memorySource(bytes), "x.petsc")].map(
            (entry) => entry.kind === "matrix" && gathered(entry.rows),
          ),
        ).toThrow(message);
      });
      expect(largest).toBeLessThan(2000);
    });

  it("names a NaN in a sparse matrix", () => {
    const bytes = join(header(1, 3, 2), i4(2), i4(0, 2), f8(1, Number.NaN));
    expect(refusal(bytes, "x.petsc")).toMatchObject({ code: "ERR_NON_FINITE", row: 0, column: 2 });
  });

  for (const [name, bytes] of Object.entries({
    sparse,
    dense,
    wide: join(i8(CLASS, 1, 2, 2), i8(2), i8(0, 1), f8(1, 2)),
  }))
    it(`survives mutations of ${name}`, () => {
      fc.assert(
        fc.property(mutations(bytes), (mutated) => {
          expect(largestAllocation(() => readOrRefuse(mutated, "x.petsc"))).toBeLessThan(
            20 * mutated.length + 1000,
          );
        }),
        { numRuns: 2000 },
      );
    });
});
