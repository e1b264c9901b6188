import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { describe, expect, it } from "vitest";
import type { FileMatrix } from "../../src/files/entry.js";
import { readNpz } from "../../src/files/npz.js";
import { readRows } from "../../src/files/open-rows.js";
import { memorySource } from "../../src/files/source.js";
import { expand, expandComplex } from "./expand.js";
import { largestAllocation, refusal } from "./hostile.js";
import { encode, latin1, npy, type ZipPart, zip } from "./writers.js";

const vector = (descr: string, numbers: readonly (number | bigint)[]) =>
  npy({ descr, shape: [numbers.length], data: encode(descr, numbers) });
const formatBytes = (format: string) => npy({ descr: `|S${format.length}`, shape: [], data: latin1(format) });

type Members = Readonly<Record<string, Uint8Array>>;

/** The members that `scipy.sparse.save_npz` writes, some replaced or left out. */
function saved(format: string, shape: readonly number[], members: Members, deflate = true): Uint8Array {
  const all: Members = {
    ...members,
    format: members["format"] ?? formatBytes(format),
    shape: members["shape"] ?? vector("<i8", shape),
  };
  return zip(
    Object.entries(all).map(([name, content]): ZipPart => ({ name: `${name}.npy`, content, deflate })),
  );
}

const read = (bytes: Uint8Array) => [...readNpz(memorySource(bytes))];

function only(bytes: Uint8Array): FileMatrix {
  const [entry, ...others] = read(bytes);
  if (others.length > 0 || entry?.kind !== "matrix") throw new Error("not one matrix");
  return entry;
}

const values = vector("<f8", [1, 2, 3, 4]);
const csrMembers = {
  data: values,
  indices: vector("<i4", [0, 2, 2, 1]),
  indptr: vector("<i4", [0, 2, 3, 4]),
};
const csrRows = [
  [1, 0, 2],
  [0, 0, 3],
  [0, 4, 0],
];
const cooMembers = { data: values, row: vector("<i4", [0, 1, 2, 0]), col: vector("<i4", [3, 1, 0, 3]) };
const cooRows = [
  [0, 0, 0, 5],
  [0, 2, 0, 0],
  [3, 0, 0, 0],
];

describe("SciPy's sparse .npz", () => {
  it("is one matrix, in each of its five forms", () => {
    for (const deflate of [true, false]) {
      const csr = only(saved("csr", [3, 3], csrMembers, deflate));
      expect([csr.key, csr.shape, csr.dtype, expand(csr)]).toEqual([undefined, [3, 3], "float64", csrRows]);
    }
    expect(expand(only(saved("csc", [3, 3], csrMembers)))).toEqual([
      [1, 0, 0],
      [0, 0, 4],
      [2, 3, 0],
    ]);
    expect(expand(only(saved("coo", [3, 4], cooMembers)))).toEqual(cooRows);
    const blocks = {
      data: npy({ descr: "<f8", shape: [2, 1, 2], data: encode("<f8", [1, 2, 3, 4]) }),
      indices: vector("<i4", [1, 0]),
      indptr: vector("<i4", [0, 1, 2]),
    };
    const blockRows = [
      [0, 0, 1, 2],
      [3, 4, 0, 0],
    ];
    expect(expand(only(saved("bsr", [2, 4], blocks)))).toEqual(blockRows);
    const columnsFirst = npy({
      ...{ descr: "<f8", shape: [2, 1, 2], fortran: true },
      data: encode("<f8", [1, 3, 2, 4]),
    });
    expect(expand(only(saved("bsr", [2, 4], { ...blocks, data: columnsFirst })))).toEqual(blockRows);
    const diagonals = {
      data: npy({ descr: "<f8", shape: [3, 3], data: encode("<f8", [1, 2, 3, 4, 5, 6, 7, Number.NaN, 9]) }),
      offsets: vector("<i4", [0, 1, -1]),
    };
    expect(() => only(saved("dia", [2, 4], diagonals))).not.toThrow();
    expect(expand(only(saved("dia", [2, 4], diagonals)))).toEqual([
      [1, 5, 0, 0],
      [7, 2, 6, 0],
    ]);
  });

  it("keeps single precision and complex numbers, and reads integers, halves and booleans", () => {
    const places = { row: vector("<i8", [0, 1]), col: vector("<i8", [1, 0]) };
    const matrix = (descr: string, shape: readonly number[], numbers: readonly number[]) =>
      only(
        saved("coo", [2, 2], {
          ...places,
          data: npy({
            descr,
            shape,
            data: encode(descr.replace("c8", "f4").replace("c16", "f8"), numbers),
          }),
        }),
      );
    const single = matrix("<f4", [2], [1.5, -2]);
    expect(single.dtype).toBe("float32");
    expect("data" in single.matrix && single.matrix.data).toBeInstanceOf(Float32Array);
    for (const [descr, numbers] of [
      [">i2", [300, -2]],
      ["|b1", [1, 1]],
      ["<i8", [7, 8]],
    ] as const)
      expect(expand(matrix(descr, [2], numbers))).toEqual([
        [0, numbers[0]],
        [numbers[1], 0],
      ]);
    const half = matrix("<f2", [2], [0x3c00, 0xc000]);
    expect([half.dtype, expand(half)]).toEqual([
      "float16",
      [
        [0, 1],
        [-2, 0],
      ],
    ]);
    for (const descr of ["<c8", "<c16"])
      expect(expandComplex(matrix(descr, [2], [1, 2, 3, -4]))).toEqual([
        [
          [0, 0],
          [1, 2],
        ],
        [
          [3, -4],
          [0, 0],
        ],
      ]);
  });

  it("adds entries at the same place; booleans stay 1", () => {
    const twice = { row: vector("<i4", [1, 1]), col: vector("<i4", [0, 0]) };
    expect(expand(only(saved("coo", [2, 1], { ...twice, data: vector("|i1", [100, 100]) })))).toEqual([
      [0],
      [200],
    ]);
    expect(expand(only(saved("coo", [2, 1], { ...twice, data: vector("|b1", [1, 1]) })))).toEqual([[0], [1]]);
    const huge = saved("coo", [2, 1], { ...twice, data: vector("<f4", [3e38, 3e38]) });
    expect(refusal(huge, "x.npz").message).toMatch(/row 1, column 0 .* add up to more than a float32 holds/);
  });

  it("stays sparse for another engine, and at any size", () => {
    const at = 10 ** 12 - 1;
    const bytes = saved("coo", [10 ** 12, 10 ** 12], {
      ...{ data: vector("<f8", [3]), row: vector("<i8", [BigInt(at)]), col: vector("<i8", [5n]) },
    });
    const [entry] = readRows(memorySource(bytes), "x.npz");
    if (entry.kind !== "matrix") throw new Error("no matrix");
    expect([entry.rows.entries, entry.shape, entry.petsc]).toEqual([1, [10 ** 12, 10 ** 12], undefined]);
    const complex = saved("coo", [1, 1], {
      ...{ row: vector("<i4", [0]), col: vector("<i4", [0]) },
      data: npy({ descr: "<c16", shape: [1], data: encode("<f8", [1, 2]) }),
    });
    expect(() => [...readRows(memorySource(complex), "x.npz")]).toThrow(/complex128 numbers/);
  });

  it("is told apart from arrays of the same names, and read beside others", () => {
    const square = npy({ descr: "<f8", shape: [1, 1], data: encode("<f8", [7]) });
    const kinds = (bytes: Uint8Array) => read(bytes).map((entry) => [entry.kind, entry.key]);
    expect(kinds(saved("png", [3, 3], { ...csrMembers, data: square }))).toEqual([
      ["matrix", "data"],
      ["skipped", "indices"],
      ["skipped", "indptr"],
      ["skipped", "format"],
      ["skipped", "shape"],
    ]);
    expect(kinds(saved("csr", [3, 3], { ...csrMembers, format: values })).length).toBe(5);
    expect(kinds(saved("csr", [3, 3], { data: values, indices: values })).length).toBe(4);
    const { indptr, ...rest } = csrMembers;
    const _is_array = npy({ descr: "|b1", shape: [], data: Uint8Array.of(1) });
    expect(kinds(saved("csr", [3, 3], { ...rest, indptr, _is_array, extra: square }))).toEqual([
      ["matrix", "extra"],
      ["matrix", undefined],
    ]);
    const wide = npy({ descr: "<U3", shape: [], data: encode("<u4", [99, 115, 114]) });
    expect(expand(only(saved("csr", [3, 3], { ...csrMembers, format: wide })))).toEqual(csrRows);
    expect([...readNpz(memorySource(saved("csr", [3, 3], csrMembers)), "data")][0].kind).toBe("failed");
  });

  it("refuses what does not fit, naming it", () => {
    const csr = (change: Members, shape = [3, 3]) => saved("csr", shape, { ...csrMembers, ...change });
    const coo = (change: Members, shape = [3, 4]) => saved("coo", shape, { ...cooMembers, ...change });
    const bad: readonly (readonly [Uint8Array, RegExp])[] = [
      [csr({ indices: vector("<i4", [0, 3, 2, 1]) }), /entry 1 .* has column 3 \(counted from 0\), of 3/],
      [csr({ indices: vector("<i4", [0, -1, 2, 1]) }), /entry 1 .* has column -1/],
      [csr({ indices: vector("<i4", [0, 2, 2]) }), /4 values and 3 indices/],
      [csr({ indptr: vector("<i4", [0, 2, 4]) }), /3 pointers for 3 rows/],
      [csr({ indptr: vector("<i4", [1, 2, 3, 4]) }), /begin with 1/],
      [csr({ indptr: vector("<i4", [0, 3, 2, 4]) }), /fall from 3 to 2/],
      [csr({ indptr: vector("<i4", [0, 2, 3, 5]) }), /promise 5 entries, 4 are there/],
      [csr({ indptr: vector("<f8", [0, 2, 3, 4]) }), /the indptr of its sparse matrix is of float64/],
      [csr({ indices: vector("|i1", [0, 2, 2, 1]) }), /integers of 32 or 64 bits/],
      [csr({ data: vector("|O", []).slice(0, 40) }), /the data of its sparse matrix: is cut short/],
      [csr({ data: vector("<f8", [1, 2, Number.NaN, 4]) }), /row 1, column 2 .* is "NaN"/],
      [csr({}, [3, 0]), /empty matrix, 3×0/],
      [csr({}, [3, -1]), /said to be 3×-1/],
      [csr({}, [3]), /sparse array with 1 axes/],
      [coo({ row: vector("<i4", [0, 1, 3, 0]) }), /entry 2 .* row 3/],
      [coo({ col: vector("<i4", [0, 1, 3]) }), /4 values, the rows of 4 and the columns of 3/],
      [coo({ col: npy({ descr: "<i4", shape: [2, 2], data: new Uint8Array(16) }) }), /2×2, not a vector/],
      [coo({ data: npy({ descr: "<f8", shape: [2, 2], data: new Uint8Array(32) }) }), /it has 1 axes/],
      [saved("bsr", [3, 3], csrMembers), /it has 3 axes/],
      [
        saved("bsr", [3, 3], {
          ...csrMembers,
          data: npy({ descr: "<f8", shape: [4, 2, 1], data: new Uint8Array(64) }),
        }),
        /blocks of 2×1/,
      ],
      [
        saved("bsr", [3, 3], {
          ...csrMembers,
          data: npy({ descr: "<f8", shape: [4, 0, 1], data: new Uint8Array(0) }),
        }),
        /blocks of 0×1/,
      ],
      [
        saved("dia", [3, 3], {
          data: npy({ descr: "<f8", shape: [2, 1], data: new Uint8Array(16) }),
          offsets: vector("<i4", [1, 1]),
        }),
        /same offset/,
      ],
      [
        saved("dia", [3, 3], {
          data: npy({ descr: "<f8", shape: [2, 1], data: new Uint8Array(16) }),
          offsets: vector("<i4", [1]),
        }),
        /2 diagonals and 1 offsets/,
      ],
    ];
    for (const [bytes, message] of bad) expect(refusal(bytes, "x.npz").message).toMatch(message);
    const parts = Object.entries({ ...csrMembers, format: formatBytes("csr"), shape: vector("<i8", [3, 3]) });
    const named = parts.map(([name, content]): ZipPart => ({ name: `${name}.npy`, content }));
    const again = zip([...named, named[1]]);
    expect(refusal(again, "x.npz").message).toMatch(/the indices .*second time/);
    const damaged = zip([{ ...named[0], crc: 1 }, ...named.slice(1)]);
    expect(refusal(damaged, "x.npz").message).toMatch(/the data .*checksum/);
  });

  it("takes no memory that the file does not warrant", () => {
    // 8-bit values of one block, all zero: 64 MB of them come out of 64 kB, and would be 512 MB of doubles.
    const side = 7900;
    const zeros = npy({ descr: "|i1", shape: [1, side, side], data: new Uint8Array(side * side) });
    const bytes = saved("bsr", [side, side], {
      data: zeros,
      indices: vector("<i4", [0]),
      indptr: vector("<i4", [0, 1]),
    });
    const largest = largestAllocation(() => {
      expect(refusal(bytes, "x.npz").message).toMatch(/62410000 entries.*--memory/);
    });
    expect(largest).toBeLessThanOrEqual(2 ** 26);
  });
});

const python = "/usr/bin/python3";
const missing = spawnSync(python, ["-c", "import scipy.sparse"]).status !== 0;

/** Matrices in all forms and types, and their entries as SciPy expands them. */
const SCRIPT = `
import json, sys, numpy as np, scipy.sparse as s
out = {}
def save(name, M):
    s.save_npz(name, M)
    X = M.toarray().astype('complex128')
    out[name] = [X.real.tolist(), X.imag.tolist()]
base = s.random(12, 18, density=0.2, random_state=3).toarray() * 100
for t in ['float64', 'float32', 'complex128', 'complex64', 'int32', 'int8', 'bool', 'uint16', 'int64']:
    D = (base + 1j * np.roll(base, 1, 0) if t.startswith('c') else base).astype(t)
    for f in ['csr', 'csc', 'coo', 'bsr', 'dia']:
        save(t + f + '.npz', s.bsr_matrix(D, blocksize=(3, 2)) if f == 'bsr' else getattr(s, f + '_matrix')(D))
    if hasattr(s, 'csr_array'): save(t + 'array.npz', s.csr_array(D))
save('turned.npz', s.bsr_matrix(D, blocksize=(3, 2)).transpose())
save('twice.npz', s.coo_matrix((np.ones(5), ([0, 0, 1, 1, 2], [0, 0, 1, 1, 2])), shape=(3, 3)))
save('long.npz', s.dia_matrix((np.arange(15.).reshape(3, 5), [-7, 0, 3]), shape=(8, 4)))
save('empty.npz', s.csr_matrix((3, 4)))
json.dump(out, sys.stdout)
`;

describe.skipIf(missing)("files that SciPy writes (/usr/bin/python3 with scipy)", () => {
  it("have every number that SciPy reads back", () => {
    const cwd = mkdtempSync(joinPath(tmpdir(), "scipy-"));
    try {
      const { stdout, stderr } = spawnSync(python, ["-c", SCRIPT], { cwd, maxBuffer: 2 ** 28 });
      if (stdout.length === 0) throw new Error(String(stderr));
      const truth = JSON.parse(String(stdout)) as Record<string, [number[][], number[][]]>;
      expect(Object.keys(truth).length).toBeGreaterThan(45);
      for (const [name, [re, im]] of Object.entries(truth)) {
        const entry = only(readFileSync(joinPath(cwd, name)));
        const complex = re.map((row, i) => row.map((x, j) => [x, im[i][j]]));
        if (entry.dtype.startsWith("complex")) expect(expandComplex(entry), name).toEqual(complex);
        else expect(expand(entry), name).toEqual(re);
      }
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});
