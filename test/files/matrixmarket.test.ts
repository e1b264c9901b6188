import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileMatrix } from "../../src/files/entry.js";
import { readMatrixMarket } from "../../src/files/matrixmarket.js";
import { memorySource } from "../../src/files/source.js";
import { spectralNorm } from "../../src/index.js";
import { NonFiniteError } from "../../src/matrix/errors.js";
import type { SparseMatrix } from "../../src/matrix/types.js";
import { expand, expandComplex, normByRealForm } from "./expand.js";
import { allocations, largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import { latin1 } from "./writers.js";

const read = (text: string) => readMatrixMarket(memorySource(latin1(text)));
const refused = (text: string) => refusal(latin1(text), "x.mtx").message;
const coordinate = (body: string, symmetry = "general", field = "real") =>
  `%%MatrixMarket matrix coordinate ${field} ${symmetry}\n${body}`;
const array = (body: string, symmetry = "general", field = "real") =>
  `%%MatrixMarket matrix array ${field} ${symmetry}\n${body}`;

describe("Matrix Market, coordinate", () => {
  it.each(["coordinate", "array"])(
    "refuses numbers that are not of the field, in the %s format",
    (format) => {
      const file = (value: string, field: string) =>
        format === "array"
          ? array(`2 1\n3\n${value}`, "general", field)
          : coordinate(`2 1 2\n1 1 3\n2 1 ${value}`, "general", field);
      for (const field of ["integer", "unsigned-integer"]) {
        expect(expand(read(file("7.0", field)))).toEqual([[3], [7]]);
        for (const value of ["2.5", "1e-3"])
          expect(() => read(file(value, field)), value).toThrow(
            `line 4: "${value}" is no integer, and the field of the file is ${field}`,
          );
      }
      expect(expand(read(file("-7", "integer")))).toEqual([[3], [-7]]);
      expect(() => read(file("-7", "unsigned-integer"))).toThrow(/line 4: "-7" is negative/);
    },
  );

  it("reads real, integer and pattern entries into compressed rows", () => {
    const file = read(coordinate("2 3 4\n2 1 -1.5e1\n1 3 2\n1 1 .5\n2 2 7.\n"));
    expect((file.matrix as SparseMatrix).kind).toBe("csr");
    expect(expand(file)).toEqual([
      [0.5, 0, 2],
      [-15, 7, 0],
    ]);
    expect(expand(read(coordinate("1 2 1\n1 2 -9", "general", "integer")))).toEqual([[0, -9]]);
    expect(expand(read(coordinate("2 2 2\n1 2\n2 1", "general", "pattern")))).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect([file.dtype, file.shape]).toEqual(["float64", [2, 3]]);
  });

  it("mirrors symmetric and skew-symmetric matrices, from either triangle", () => {
    const symmetric = [
      [1, 2, 0],
      [2, 0, 3],
      [0, 3, 0],
    ];
    expect(expand(read(coordinate("3 3 3\n1 1 1\n2 1 2\n3 2 3", "symmetric")))).toEqual(symmetric);
    expect(expand(read(coordinate("3 3 3\n1 1 1\n1 2 2\n2 3 3", "symmetric")))).toEqual(symmetric);
    expect(expand(read(coordinate("2 2 1\n2 1 4", "skew-symmetric")))).toEqual([
      [0, -4],
      [4, 0],
    ]);
    expect(expand(read(coordinate("2 2 1\n2 1", "symmetric", "pattern")))).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });

  it("adds up entries at the same place, in their order", () => {
    expect(expand(read(coordinate("2 2 5\n1 2 1\n1 2 1e16\n2 1 5\n1 2 1\n1 2 -1e16\n")))).toEqual([
      [0, 1 + 1e16 + 1 - 1e16],
      [5, 0],
    ]);
    const sum = read(coordinate("2 2 2\n2 1 1\n2 1 2\n", "symmetric"));
    expect(expand(sum)[0][1]).toBe(3);
    expect((sum.matrix as SparseMatrix).data.length).toBe(2);
  });

  it("takes comments, blank lines, CR LF, tabs and capitals anywhere", () => {
    const text = `\xef\xbb\xbf%%matrixmarket MATRIX Coordinate REAL General\r
% a comment
\r
   % and another
  2\t2 2  \r

%
 1  1\t3 \r
\f
%x
2 2 4
% the end
`;
    expect(expand(read(text))).toEqual([
      [3, 0],
      [0, 4],
    ]);
    expect(expand(read(text.replaceAll("\r", "").replaceAll("\n", "\r\n")))[1][1]).toBe(4);
  });

  it("agrees with a plain reading of random matrices", () => {
    const entry = fc.tuple(
      fc.nat({ max: 6 }),
      fc.nat({ max: 4 }),
      fc.double({ noNaN: true, noDefaultInfinity: true, max: 1e300, min: -1e300 }),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
        const expected = Array.from({ length: 7 }, () => new Array<number>(5).fill(0));
        for (const [i, j, value] of entries) expected[i][j] += value;
        fc.pre(expected.flat().every(Number.isFinite));
        const body = entries.map(([i, j, value]) => `${i + 1} ${j + 1} ${value}\n`).join("");
        expect(expand(read(coordinate(`7 5 ${entries.length}\n${body}`)))).toEqual(expected);
      }),
    );
  });

  it("reads a 10^6 × 10^6 matrix of few entries in the space of the entries", () => {
    const largest = largestAllocation(() => {
      for (const size of [1e6, 1e9, 2 ** 53 - 1]) {
        const file = read(coordinate(`${size} ${size} 3\n${size} 1 2\n5 ${size} 3\n5 1 -4\n`));
        expect(file.shape).toEqual([size, size]);
        expect((file.matrix as SparseMatrix).shape).toEqual([2, 2]);
        expect(expand(file)).toEqual([
          [-4, 3],
          [2, 0],
        ]);
      }
    });
    expect(largest).toBeLessThan(1000);
    expect(expand(read(coordinate("1000000 1000000 0\n")))).toEqual([[0]]);
    expect(expand(read(coordinate("1000000 1000000 2\n7 7 1\n9 7 2", "symmetric")))).toEqual([
      [1, 2],
      [2, 0],
    ]);
  });

  it("leaves empty rows and columns in where they are not most of it", () => {
    const file = read(coordinate("500 20 1\n300 4 2\n"));
    expect((file.matrix as SparseMatrix).shape).toEqual([500, 20]);
    expect(expand(file)[299][3]).toBe(2);
  });

  it("refuses counts that the file does not bear out, naming the line", () => {
    expect(refused(coordinate("2 2 3\n1 1 1\n2 2 2     \n"))).toMatch(/promises 3 entries, the file holds 2/);
    expect(refused(coordinate("2 2 1\n1 1 1\n2 2 2\n"))).toMatch(/line 4: more entries than the 1/);
    for (const count of ["1000000000000000000", "4000000000", "9007199254740991", "100"]) {
      const largest = largestAllocation(() => {
        expect(refused(coordinate(`2 2 ${count}\n1 1 1\n`))).toMatch(/line 2: /);
      });
      expect(largest).toBeLessThan(1000);
    }
  });

  it("refuses positions out of range and entries that are none", () => {
    for (const entry of [
      "3 1 1",
      "1 3 1",
      "0 1 1",
      "1 0 1",
      "-1 1 1",
      "1.0 1 1",
      "+1 1 1",
      "1 1",
      "1",
      "1 1 1 1",
    ]) {
      expect(refused(coordinate(`2 2 1\n${entry}   \n`))).toMatch(/^line 3: /);
    }
    for (const value of [
      "x",
      "1,5",
      "0x10",
      "1e",
      "1e+",
      "--1",
      ".",
      "+",
      "1_0",
      "1.2.3",
      "e5",
      "\xb2",
      "\x00",
    ]) {
      expect(refused(coordinate(`2 2 1\n1 1 ${value}   \n`))).toMatch(/^line 3: ".*" is not a number$/);
    }
    expect(refused(coordinate("2 2 1\n1 1 5\n", "general", "pattern"))).toMatch(/something follows/);
  });

  it("refuses what symmetry excludes", () => {
    expect(refused(coordinate("2 3 1\n1 1 1", "symmetric"))).toMatch(/2×3 is not square/);
    expect(refused(coordinate("2 2 1\n1 1 0", "skew-symmetric"))).toMatch(/diagonal/);
    expect(refused(coordinate("2 2 2\n1 2 1\n2 1 1", "symmetric"))).toMatch(/line 4: .*both triangles/);
  });

  it("names row and column of what is not finite, counted from 0", () => {
    for (const value of ["nan", "NaN", "inf", "-Infinity", "1e999", "-1e309"]) {
      const error = refusal(latin1(coordinate(`3 3 2\n1 1 1\n3 2 ${value}\n`)), "x.mtx");
      expect(error).toBeInstanceOf(NonFiniteError);
      expect(error).toMatchObject({ row: 2, column: 1 });
      expect(error.message).toMatch(/row 2, column 1/);
    }
    const sum = refusal(latin1(coordinate("3 3 2\n3 2 1.7e308\n3 2 1.7e308\n")), "x.mtx");
    expect(sum).toMatchObject({ code: "ERR_NON_FINITE", row: 2, column: 1 });
  });
});

describe("Matrix Market, array", () => {
  it("reads columns one after the other, in lines of any length", () => {
    const expected = [
      [1, 3, 5],
      [2, 4, 6],
    ];
    expect(expand(read(array("2 3\n1\n2\n3\n4\n5\n6\n")))).toEqual(expected);
    expect(expand(read(array("2 3\n1 2\n%\n\n3 4 5\n6")))).toEqual(expected);
    expect(read(array("1 1\n1", "general", "integer")).dtype).toBe("integer");
  });

  it("reads the lower triangle of symmetric and skew-symmetric matrices", () => {
    expect(expand(read(array("2 2\n1\n2\n3", "symmetric")))).toEqual([
      [1, 2],
      [2, 3],
    ]);
    expect(expand(read(array("3 3\n1\n2\n3", "skew-symmetric")))).toEqual([
      [0, -1, -2],
      [1, 0, -3],
      [2, 3, 0],
    ]);
    expect(expand(read(array("1 1\n", "skew-symmetric")))).toEqual([[0]]);
  });

  it("refuses too few and too many numbers", () => {
    expect(refused(array("2 2\n1\n2\n3    \n"))).toMatch(/promises 4 numbers, the file holds 3/);
    expect(refused(array("2 2\n1\n2\n3\n4\n5\n"))).toMatch(/line 7: more numbers than the 4/);
    for (const size of ["1000000000 1000000000", "9007199254740991 9007199254740991", "100000 100000"]) {
      for (const symmetry of ["general", "symmetric", "skew-symmetric"]) {
        const largest = largestAllocation(() => {
          expect(refused(array(`${size}\n1\n`, symmetry))).toMatch(/only \d+ bytes follow/);
        });
        expect(largest).toBeLessThan(1000);
      }
    }
    expect(refusal(latin1(array("2 2\n1\n2\nnan\n4\n")), "x.mtx")).toMatchObject({ row: 0, column: 1 });
  });
});

describe("Matrix Market, complex", () => {
  /** The lower triangle of 3×3, column by column, and the matrix that it stands for. */
  const lower = [
    [1, 1, 2, 0],
    [2, 1, 3, -4],
    [3, 1, 0.5, 1],
    [2, 2, -1, 0],
    [3, 2, 0, 7],
    [3, 3, 5, 0],
  ];
  const image: Record<string, (re: number, im: number) => [number, number]> = {
    symmetric: (re, im) => [re, im],
    hermitian: (re, im) => [re, -im],
    "skew-symmetric": (re, im) => [-re, -im],
  };
  const whole = (symmetry: string) => {
    const rows = Array.from({ length: 3 }, () => Array.from({ length: 3 }, (): [number, number] => [0, 0]));
    for (const [i, j, re, im] of lower) {
      if (symmetry === "skew-symmetric" && i === j) continue;
      rows[i - 1][j - 1] = [re, im];
      if (i !== j) rows[j - 1][i - 1] = image[symmetry](re, im);
    }
    return rows;
  };
  const sigmaOf = ({ matrix }: FileMatrix) => spectralNorm(matrix);

  it("reads coordinate and array, general", () => {
    const file = read(coordinate("2 3 3\n2 1 -1.5e1 2\n1 3 0 -1d1\n2 2 7. 0\n", "general", "complex"));
    expect((file.matrix as SparseMatrix).kind).toBe("csr");
    expect([file.dtype, file.shape]).toEqual(["complex128", [2, 3]]);
    const rows = [
      [
        [0, 0],
        [0, 0],
        [0, -10],
      ],
      [
        [-15, 2],
        [7, 0],
        [0, 0],
      ],
    ];
    expect(expandComplex(file)).toEqual(rows);
    const dense = read(array("2 3\n0 0\n-15 2\n0 0\n7 0\n0 -10\n0\n0\n", "general", "complex"));
    expect(dense.dtype).toBe("complex128");
    expect(expandComplex(dense)).toEqual(rows);
    const sigma = normByRealForm(expandComplex(file));
    for (const one of [file, dense]) expect(Math.abs(sigmaOf(one) / sigma - 1)).toBeLessThan(1e-14);
  });

  it.each(Object.keys(image))("mirrors a %s matrix, from either triangle", (symmetry) => {
    const given = lower.filter(([i, j]) => symmetry !== "skew-symmetric" || i !== j);
    const lines = given.map((entry) => entry.join(" "));
    const size = `3 3 ${given.length}\n`;
    const sparse = read(coordinate(size + lines.join("\n"), symmetry, "complex"));
    const dense = read(
      array(`3 3\n${given.map(([, , ...z]) => z.join(" ")).join("\n")}`, symmetry, "complex"),
    );
    const expected = whole(symmetry);
    const plain = (rows: [number, number][][]) => rows.map((row) => row.map(([re, im]) => [re + 0, im + 0]));
    expect(plain(expandComplex(sparse))).toEqual(plain(expected));
    expect(plain(expandComplex(dense))).toEqual(plain(expected));
    const upper = given.map(([i, j, re, im]) => [j, i, ...(i === j ? [re, im] : image[symmetry](re, im))]);
    const mirrored = read(
      coordinate(size + upper.map((entry) => entry.join(" ")).join("\n"), symmetry, "complex"),
    );
    expect(plain(expandComplex(mirrored))).toEqual(plain(expected));
    const sigma = normByRealForm(expected);
    for (const file of [sparse, dense, mirrored])
      expect(Math.abs(sigmaOf(file) / sigma - 1)).toBeLessThan(1e-14);
  });

  it("adds up entries at the same place, and leaves out empty rows and columns", () => {
    const sum = read(coordinate("2 2 3\n1 2 1 2\n1 2 10 -5\n2 1 0 1\n", "general", "complex"));
    expect(expandComplex(sum)[0][1]).toEqual([11, -3]);
    const large = read(
      coordinate("1000000000 1000000000 2\n7 999999999 3 4\n1000000000 5 0 1\n", "general", "complex"),
    );
    expect(large.shape).toEqual([1e9, 1e9]);
    expect((large.matrix as SparseMatrix).shape).toEqual([2, 2]);
    expect(sigmaOf(large)).toBeCloseTo(5, 13);
    expect(read(coordinate("3 3 0\n", "general", "complex")).matrix).toMatchObject({ dtype: "complex128" });
  });

  it("says what is wrong, and where", () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [coordinate("2 2 1\n1 1 5\n", "general", "complex"), /line 3: the entry has no imaginary part/],
      [coordinate("2 2 1\n1 1 5 6 7\n", "general", "complex"), /line 3: something follows .*"7"/],
      [coordinate("2 2 1\n1 1 5 i\n", "general", "complex"), /line 3: "i" is not a number/],
      [coordinate("2 2 1\n2 2 5 6\n", "hermitian", "complex"), /line 3: .*diagonal .* row 2, column 2/],
      [array("1 1\n5 6\n", "hermitian", "complex"), /line 3: .*diagonal .* row 1, column 1/],
      [coordinate("2 2 1\n2 2 5 0\n", "skew-symmetric", "complex"), /skew-symmetric .* diagonal/],
      [coordinate("2 3 1\n2 1 5 0\n", "hermitian", "complex"), /hermitian matrix of 2×3/],
      [coordinate("2 2 2\n2 1 5 0\n1 2 5 0\n", "hermitian", "complex"), /both triangles/],
      [coordinate("2 2 1000000\n1 1 5 6\n", "general", "complex"), /promises 1000000 entries/],
      [
        array("2 2\n1 2\n3 4\n5 6\n7\n", "general", "complex"),
        /8 real and imaginary parts, the file holds 7/,
      ],
      [array("1 1\n1 2\n3\n", "general", "complex"), /more real and imaginary parts than the 2/],
      [array("1000000 1000000\n1 2\n", "general", "complex"), /promises 2000000000000 real/],
    ];
    for (const [text, message] of cases) expect(refused(text), text).toMatch(message);
    for (const value of ["nan 0", "0 nan", "1 -inf"])
      expect(
        refusal(latin1(coordinate(`2 2 1\n2 1 ${value}\n`, "general", "complex")), "x.mtx"),
      ).toMatchObject({ row: 1, column: 0 });
    expect(refusal(latin1(array("2 1\n1 1\n1 nan\n", "general", "complex")), "x.mtx")).toMatchObject({
      row: 1,
      column: 0,
    });
  });

  it("takes at most 100 times the file's size", () => {
    for (const symmetry of ["general", "symmetric", "hermitian"]) {
      const lines = Array.from({ length: 9 }, (_, i) =>
        Array.from({ length: i }, (_, j) => `${i + 1} ${j + 1} 1 1\n`).join(""),
      ).join("");
      const text = coordinate(`9 9 36\n${lines}`, symmetry, "complex");
      expect(allocations(() => read(text)).total).toBeLessThan(100 * text.length);
    }
  });
});

describe("Matrix Market, any", () => {
  it("refuses headers and sizes that it does not know, saying why", () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["", /is empty/],
      ["hello", /does not begin with %%MatrixMarket/],
      ["%MatrixMarket matrix coordinate real general\n1 1 0\n", /does not begin/],
      ["%%MatrixMarket matrix coordinate real\n1 1 0\n", /header has to be/],
      ["%%MatrixMarket matrix coordinate real general more\n1 1 0\n", /header has to be/],
      ["%%MatrixMarket vector coordinate real general\n1 1 0\n", /"vector" is not a matrix/],
      ["%%MatrixMarket matrix csc real general\n1 1 0\n", /not "csc"/],
      ["%%MatrixMarket matrix coordinate real hermitian\n1 1 0\n", /hermitian .* not real/],
      ["%%MatrixMarket matrix coordinate pattern hermitian\n1 1 0\n", /hermitian .* not pattern/],
      ["%%MatrixMarket matrix coordinate quaternion general\n1 1 0\n", /"quaternion"/],
      ["%%MatrixMarket matrix coordinate real triangular\n1 1 0\n", /"triangular"/],
      ["%%MatrixMarket matrix array pattern general\n1 1\n", /pattern/],
      ["%%MatrixMarket matrix coordinate pattern skew-symmetric\n1 1 0\n", /pattern/],
      [coordinate(""), /ends before/],
      [coordinate("% only comments\n\n"), /ends before/],
      [coordinate("3 3\n"), /no number of entries/],
      [coordinate("3\n"), /no number of columns/],
      [coordinate("3 3 1 1\n"), /something follows/],
      [coordinate("-3 3 0\n"), /number of rows .*"-3"/],
      [coordinate("3 3.5 0\n"), /number of columns .*"3.5"/],
      [coordinate("0 3 0\n"), /empty, 0×3/],
      [coordinate("1000000000000000000000 1 0\n"), /number of rows/],
      [array("3\n"), /no number of columns/],
      [array("0 0\n"), /empty/],
      ["\xff\xfe%\x00%\x00M\x00", /UTF-16/],
    ];
    for (const [text, message] of cases) expect(refused(text), text).toMatch(message);
  });

  it("reads real matrices", () => {
    const file = (name: string) =>
      readMatrixMarket(memorySource(readFileSync(new URL(`../fixtures/${name}.mtx`, import.meta.url))));
    for (const [name, shape, entries] of [
      ["well1033", [1033, 320], 4732],
      ["illc1033", [1033, 320], 4732],
      ["west0479", [479, 479], 1910],
    ] as const) {
      const { shape: found, matrix } = file(name);
      expect(found).toEqual(shape);
      const { data, indices, indptr } = matrix as SparseMatrix;
      expect(data.length).toBeGreaterThan(entries * 0.98);
      expect(indptr.at(-1)).toBe(data.length);
      expect(indices.length).toBe(data.length);
    }
    // 25 1 1.0, the first line of west0479
    expect(expand(file("west0479"))[24][0]).toBe(1);
  });

  const samples = [
    coordinate("2 3 4\n2 1 -1.5e1\n1 3 2\n1 1 .5\n2 2 7.25\n"),
    coordinate("3 3 2\n2 1 4\n3 1 5\n", "skew-symmetric", "integer"),
    coordinate("3 3 3\n2 1\n3 1\n3 3\n", "symmetric", "pattern"),
    array("2 3\n1\n2\n3\n4\n5\n6\n"),
    array("2 2\n1\n2\n3\n", "symmetric"),
  ];

  it("reads or refuses a file that is cut short at any byte", () => {
    for (const text of samples) {
      const bytes = latin1(text);
      const whole = expand(read(text));
      for (let length = 0; length < bytes.length; length++) {
        const result = readOrRefuse(bytes.subarray(0, length), "x.mtx");
        // Nothing but the last number can have lost digits without being missed.
        const lastNumber = text.trimEnd().search(/\S+$/);
        if (length <= lastNumber) expect(Array.isArray(result)).toBe(false);
        if (length >= text.trimEnd().length) {
          expect(Array.isArray(result) && result[0].kind === "matrix" && expand(result[0])).toEqual(whole);
        }
      }
    }
  });

  it("reads or refuses whatever a file is turned into, in memory that its size allows", () => {
    for (const text of samples) {
      fc.assert(
        fc.property(mutations(latin1(text)), (mutated) => {
          const largest = largestAllocation(() => readOrRefuse(mutated, "x.mtx"));
          expect(largest).toBeLessThan(64 * mutated.length + 5000);
        }),
        { numRuns: 800 },
      );
    }
  });
});
