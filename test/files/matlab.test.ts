import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileEntry, FilePanels } from "../../src/files/entry.js";
import { formatOf, readMatrices } from "../../src/files/open.js";
import { readRows } from "../../src/files/open-rows.js";
import { memorySource } from "../../src/files/source.js";
import { expand, expandComplex } from "./expand.js";
import { largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import { type CLASSES, ELEMENTS, type ElementType, level4, MatlabWriter } from "./matlab-writer.js";
import { encode, join, latin1 } from "./writers.js";

const little = new MatlabWriter();
const both = [little, new MatlabWriter(true)];

const read = (bytes: Uint8Array, key?: string, name = "x.mat") => [
  ...readMatrices(memorySource(bytes), name, key),
];

/** What a file holds: the matrices' numbers, or why there are none. */
function summary(entries: readonly (FileEntry | FilePanels)[]): [string | undefined, unknown][] {
  return entries.map((entry) => {
    if (entry.kind === "skipped") return [entry.key, entry.reason];
    if (entry.kind === "failed") return [entry.key, entry.error.message];
    if (entry.kind === "panels") throw new Error("panels");
    return [entry.key, entry.dtype.startsWith("complex") ? expandComplex(entry) : expand(entry)];
  });
}

const rows2x3 = [
  [1, 3, 5],
  [2, 4, 6],
];

describe("MATLAB 5 files", () => {
  it("hold matrices of every class, in either byte order, compressed or not", () => {
    for (const writer of both)
      for (const type of Object.keys(ELEMENTS) as ElementType[]) {
        const A = writer.full("A", type, [2, 3], [1, 2, 3, 4, 5, 6]);
        for (const variable of [A, writer.compressed(A)]) {
          const entries = read(writer.file(variable, writer.full("b", "double", [1, 1], [-7.25])));
          expect(summary(entries), type).toEqual([
            ["A", rows2x3],
            ["b", [[-7.25]]],
          ]);
          const dtype = { double: "float64", single: "float32" }[type as string] ?? type;
          expect(entries[0]).toMatchObject({ shape: [2, 3], dtype });
        }
      }
    const [one] = read(little.file(little.full("x", "single", [1, 1], [0.1])));
    expect(one.kind === "matrix" && "data" in one.matrix && one.matrix.data).toEqual(Float32Array.of(0.1));
  });

  it("store numbers in fewer bytes than their class has, and in small elements", () => {
    for (const writer of both)
      for (const [type, stored, numbers] of [
        ["double", "uint8", [1, 255]],
        ["double", "int16", [-300, 255]],
        ["double", "single", [1.5, -2]],
        ["single", "int8", [-1, 2]],
        ["int32", "int8", [-1, 2]],
        ["uint8", "double", [3, 200]],
        ["int32", "single", [3, 200]],
      ] as const) {
        const [entry] = read(writer.file(writer.full("x", type, [1, 2], numbers, { stored })));
        expect(summary([entry])).toEqual([["x", [numbers]]]);
        if (entry.kind !== "matrix" || !("data" in entry.matrix)) throw new Error("no matrix");
        // Only numbers of class single are computed with in single precision.
        expect(entry.matrix.data instanceof Float32Array).toBe(type === "single");
        expect(entry.dtype).toBe({ double: "float64", single: "float32" }[type as string] ?? type);
      }
    const long = little.array({
      ...{ type: "double", dims: [1, 1], name: "x" },
      content: [little.numbers("int8", [5], true)],
    });
    expect(summary(read(little.file(long)))).toEqual([["x", [[5]]]]);
  });

  it("hold complex numbers, logicals and sparse matrices", () => {
    for (const writer of both) {
      const places = [writer.numbers("int32", [0, 2, 1]), writer.numbers("int32", [0, 2, 2, 3])];
      const sparse = (name: string, content: Uint8Array[], more = {}) =>
        writer.array({ type: "sparse", dims: [3, 3], name, content: [...places, ...content], ...more });
      const logicalAsDouble = writer.element(ELEMENTS.double[0], Uint8Array.of(1, 1, 1));
      const file = writer.file(
        writer.full("z", "double", [1, 2], [1, 2], { imaginary: [3, -4] }),
        writer.full("s", "single", [1, 2], [1, 2], { imaginary: [3, -4], stored: "int8" }),
        writer.full("i", "int16", [1, 1], [1], { imaginary: [3] }),
        writer.array({
          ...{ type: "uint8", logical: true, dims: [1, 3], name: "t" },
          content: [writer.numbers("uint8", [0, 1, 7])],
        }),
        writer.array({
          ...{ type: "double", logical: true, dims: [1, 2], name: "old" },
          content: [writer.numbers("double", [0, 2])],
        }),
        sparse("S", [writer.numbers("double", [1.5, -2, 4])]),
        sparse("C", [writer.numbers("double", [1, 2, 3]), writer.numbers("int8", [4, 5, 6])], {
          complex: true,
        }),
        sparse("L", [writer.numbers("uint8", [1, 1, 3])], { logical: true }),
        sparse("D", [logicalAsDouble], { logical: true }),
      );
      const entries = read(file);
      const pattern = [
        [1, 0, 0],
        [0, 0, 1],
        [1, 0, 0],
      ];
      const zero = [0, 0];
      expect(summary(entries)).toEqual([
        [
          "z",
          [
            [
              [1, 3],
              [2, -4],
            ],
          ],
        ],
        [
          "s",
          [
            [
              [1, 3],
              [2, -4],
            ],
          ],
        ],
        ["i", [[[1, 3]]]],
        ["t", [[0, 1, 1]]],
        ["old", [[0, 1]]],
        [
          "S",
          [
            [1.5, 0, 0],
            [0, 0, 4],
            [-2, 0, 0],
          ],
        ],
        [
          "C",
          [
            [[1, 4], zero, zero],
            [zero, zero, [3, 6]],
            [[2, 5], zero, zero],
          ],
        ],
        ["L", pattern],
        ["D", pattern],
      ]);
      const types = entries.map((entry) => entry.kind === "matrix" && entry.dtype);
      const bools = ["bool", "bool"];
      const doubles = ["float64", "complex128"];
      expect(types).toEqual(["complex128", "complex64", "complex128", ...bools, ...doubles, ...bools]);
    }
  });

  const nested = (writer: MatlabWriter) => {
    const x = (value: number) => writer.full("", "double", [1, 1], [value]);
    const text = writer.array({
      ...{ type: "char", dims: [1, 2], name: "" },
      content: [writer.element(16, latin1("hi"))],
    });
    return writer.file(
      writer.struct("s", [1, 1], ["A", "inner"], [x(1), writer.struct("", [1, 1], ["b"], [x(2)])]),
      writer.struct("r", [1, 2], ["f", "gg"], [x(3), text, x(4), writer.element(14, new Uint8Array(0))]),
      writer.cell("c", [1, 2], [x(5), writer.cell("", [2, 2], [x(6), x(7), x(8), text])]),
      writer.struct("q", [2, 1, 2], ["f"], [x(1), x(2), x(3), x(4)]),
    );
  };

  it("hold matrices within structures and cells, with MATLAB's names", () => {
    for (const writer of both)
      expect(summary(read(nested(writer)))).toEqual([
        ["s.A", [[1]]],
        ["s.inner.b", [[2]]],
        ["r(1).f", [[3]]],
        ["r(1).gg", "text"],
        ["r(2).f", [[4]]],
        ["r(2).gg", "an empty matrix"],
        ["c{1}", [[5]]],
        ["c{2}{1,1}", [[6]]],
        ["c{2}{2,1}", [[7]]],
        ["c{2}{1,2}", [[8]]],
        ["c{2}{2,2}", "text"],
        ["q(1,1,1).f", [[1]]],
        ["q(2,1,1).f", [[2]]],
        ["q(1,1,2).f", [[3]]],
        ["q(2,1,2).f", [[4]]],
      ]);
  });

  it("are read for one key", () => {
    const file = nested(little);
    const packed = little.file(little.compressed(little.full("A", "int8", [1, 1], [9])), file.subarray(128));
    expect(summary(read(packed, "c{2}{2,1}"))).toEqual([["c{2}{2,1}", [[7]]]]);
    expect(summary(read(packed, "A"))).toEqual([["A", [[9]]]]);
    expect(summary(read(packed, "s"))).toEqual([
      ["s", "is a structure, not a matrix; name one of its parts"],
    ]);
    expect(summary(read(packed, "r(1).gg"))).toEqual([["r(1).gg", "holds text, not a matrix"]]);
    for (const key of ["B", "s.B", "s.A.x", "c{9}", "sA"])
      expect(() => read(packed, key)).toThrow(`has no key "${key}": it has A, s, r, c, q`);
    const broken = little.full("A", "double", [2, 2], [1]);
    expect(summary(read(little.file(broken, little.full("b", "int8", [1, 1], [1])), "b"))).toEqual([
      ["b", [[1]]],
    ]);
  });

  it("hold other things, which are left out by name and reason", () => {
    const empty = (type: keyof typeof CLASSES, name: string) =>
      little.array({ type, dims: [0, 0], name, content: [] });
    const file = little.file(
      little.full("three", "double", [1, 2, 2], [1, 2, 3, 4]),
      little.full("none", "double", [0, 3], []),
      empty("cell", "c"),
      little.array({
        ...{ type: "struct", dims: [0, 1], name: "s" },
        content: [little.numbers("int32", [2]), little.text("a\0")],
      }),
      empty("object", "o"),
      empty("handle", "f"),
      little.array({ type: "opaque", name: "m", content: [little.text("MCOS"), little.text("table")] }),
      little.full("", "uint8", [1, 2], [1, 2]),
    );
    expect(summary(read(file))).toEqual([
      ["three", "1×2×2"],
      ["none", "an empty matrix, 0×3"],
      ["c", "an empty cell array"],
      ["s", "an empty structure"],
      ["o", "an object"],
      ["f", "a function handle"],
      ["m", "an object"],
      ["(variable 8)", "data that MATLAB keeps for objects"],
    ]);
    expect(read(file).map((entry) => entry.kind === "skipped" && entry.group)[0]).toBe("an array of 3 axes");
  });

  it("answer what is whole beside what is damaged", () => {
    const w = little;
    const good = w.full("good", "double", [1, 1], [3]);
    const packed = w.compressed(good);
    const sparse = (jc: readonly number[], ir: readonly number[], values: readonly number[], dims = [2, 2]) =>
      w.array({
        ...{ type: "sparse", dims, name: "A" },
        content: [w.numbers("int32", ir), w.numbers("int32", jc), w.numbers("double", values)],
      });
    const bad: readonly (readonly [Uint8Array, RegExp])[] = [
      [w.full("A", "double", [2, 2], [1, 2, 3]), /2×2 float64, 32 bytes; the file holds 24/],
      [w.full("A", "double", [1, 2], [1, 2, 3]), /8 more follow/],
      [w.full("A", "double", [1, 2], [1, 2], { imaginary: [1] }), /the file holds 8/],
      [w.full("A", "double", [2 ** 31 - 1, 2 ** 31 - 1], [1]), /promises/],
      [w.full("A", "double", [1, -1], [1]), /dimensions are said to be \[1, -1\]/],
      [w.full("A", "double", [3], [1]), /dimensions/],
      [w.full("A", "double", new Array(70).fill(1), [1]), /70 integers/],
      [w.array({ type: 40, dims: [1, 1], name: "A", content: [] }), /class 40/],
      [w.array({ type: "double", dims: [1, 1], name: "A", content: [] }), /cut short/],
      [
        w.array({ type: "double", dims: [1, 1], name: "A", content: [w.element(16, latin1("12345678"))] }),
        /type 16/,
      ],
      [
        w.array({ type: "double", dims: [1, 1], name: "A", content: [w.element(9, latin1("12345"))] }),
        /5 bytes/,
      ],
      [w.full("A".repeat(2000), "double", [1, 1], [1]), /name has 2000 letters/],
      [sparse([0, 1, 2], [0, 2], [1, 2]), /entry 1 .* row 2/],
      [sparse([0, 1, 2], [0, -1], [1, 2]), /row -1/],
      [sparse([0, 2, 1], [0, 1], [1, 2]), /fall from 2 to 1/],
      [sparse([1, 1, 2], [0, 1], [1, 2]), /begin with 1/],
      [sparse([0, 2], [0, 1], [1, 2]), /2 pointers for 2/],
      [sparse([0, 1, 3], [0, 1], [1, 2]), /promise 3 entries; 2 rows and 2 values/],
      [sparse([0, 1, 2], [0, 1], [1, Number.NaN]), /row 1, column 1 .* "NaN"/],
      [w.element(9, new Uint8Array(8)), /type 9, which is no variable/],
      [w.struct("A", [1, 1], ["f"], [w.numbers("double", [1])]), /type 9, which is no array/],
      [w.struct("A", [1, 2], ["f"], [w.full("", "int8", [1, 1], [1])]), /cut short/],
      [w.cell("A", [2 ** 31 - 1, 2 ** 31 - 1], [w.full("", "int8", [1, 1], [1])]), /cut short/],
      [packed.map((byte, k) => (k === packed.length - 1 ? byte ^ 1 : byte)), /Adler-32/],
      [packed.map((byte, k) => (k === 8 ? 0 : byte)), /does not begin as zlib's/],
      [w.compressed(w.element(9, new Uint8Array(16))), /what is compressed is no array/],
      [w.compressed(good.subarray(0, -8)), /is damaged|inflates to/],
      [w.compressed(join(good, good)), /inflates to more/],
    ];
    for (const [variable, message] of bad) {
      const entries = summary(read(w.file(variable, w.full("next", "double", [1, 1], [3]))));
      expect(entries.map(([, what]) => what)).toContainEqual(expect.stringMatching(message));
      expect(entries.at(-1)).toEqual(["next", [[3]]]);
    }
    expect(summary(read(w.file(good, good)))[1]).toEqual([
      "good",
      "is there a second time under the same name",
    ]);
    for (let length = 129; length < 128 + good.length; length++) {
      const [entry] = read(w.file(good).slice(0, length));
      expect(entry).toMatchObject({ kind: "failed" });
    }
    const long = w.file(good, join(w.encode("u4", [14, 4000]), new Uint8Array(16)));
    expect(summary(read(long))).toEqual([
      ["good", [[3]]],
      ["(variable 2)", "is cut short: an element of 4000 bytes is promised, 16 are there"],
    ]);
  });

  it("may be nested to 64 levels, and names may have 1024 letters", () => {
    const inCells = (levels: number) => {
      let part = little.full("", "double", [1, 1], [1]);
      for (let level = 0; level < levels; level++)
        part = little.cell(level === levels - 1 ? "c" : "", [1, 1], [part]);
      return summary(read(little.file(part)));
    };
    expect(inCells(64)[0][1]).toEqual([[1]]);
    expect(inCells(65)[0][1]).toMatch(/nested deeper than 64/);
    expect(inCells(5000)[0][1]).toMatch(/nested deeper than 64/);
    const x = little.full("", "double", [1, 1], [1]);
    const deep = little.struct(
      "s",
      [1, 1],
      ["f".repeat(900)],
      [little.struct("", [1, 1], ["g".repeat(900)], [x])],
    );
    expect(summary(read(little.file(deep)))[0][1]).toMatch(/more than 1024 letters/);
  });

  it("keep large matrices in the file, column by column", () => {
    const numbers = Array.from({ length: 600 }, (_, k) => Math.sin(k));
    for (const writer of both) {
      const file = writer.file(
        writer.full("A", "double", [30, 20], numbers),
        writer.full("z", "single", [30, 20], numbers, { imaginary: numbers.slice().reverse() }),
        writer.full(
          "i",
          "int16",
          [30, 20],
          numbers.map((x) => Math.round(100 * x)),
          { stored: "int8" },
        ),
      );
      const whole = read(file);
      const found = [...readMatrices(memorySource(file), "x.mat", undefined, 100)];
      expect(found.map(({ kind }) => kind)).toEqual(["panels", "panels", "panels"]);
      found.forEach((entry, k) => {
        if (entry.kind !== "panels") return;
        expect([entry.shape, entry.panels.shape, entry.transposed]).toEqual([[30, 20], [20, 30], true]);
        const one = whole[k];
        if (one.kind !== "matrix" || !("data" in one.matrix)) throw new Error("no matrix");
        const all = Array.from(one.matrix.data as ArrayLike<number>);
        const part = all.length / 600;
        expect(Array.from(entry.panels.rows(3, 2) as ArrayLike<number>)).toEqual(
          all.slice(3 * 30 * part, 5 * 30 * part),
        );
      });
      const packed = writer.file(writer.compressed(writer.full("A", "double", [30, 20], numbers)));
      expect(summary([...readMatrices(memorySource(packed), "x.mat", undefined, 100)])[0][1]).toMatch(
        /inflates to \d+ bytes, and 100 are allowed/,
      );
    }
  });

  it("stay sparse for another engine, and are read whole again", () => {
    const far = 2 ** 31 - 1;
    const file = little.file(
      little.array({
        ...{ type: "sparse", dims: [far, 2], name: "S" },
        content: [
          little.numbers("int32", [far - 1, 5]),
          little.numbers("int32", [0, 1, 2]),
          little.numbers("double", [3, 4]),
        ],
      }),
      little.full("A", "double", [2, 3], [1, 2, 3, 4, 5, 6]),
      little.full("z", "double", [1, 1], [1], { imaginary: [1] }),
    );
    const [S, A, z] = [...readRows(memorySource(file), "x.mat", undefined, 10)];
    if (S.kind !== "matrix" || A.kind !== "matrix") throw new Error("no matrix");
    expect([S.rows.entries, S.shape]).toEqual([2, [far, 2]]);
    expect([
      A.rows.entries,
      A.rows.transposed,
      expand({ kind: "matrix", shape: A.shape, dtype: "", matrix: A.whole() }),
    ]).toEqual([undefined, true, rows2x3]);
    expect(z).toMatchObject({ kind: "failed", key: "z" });
  });

  it("take no memory that the file does not warrant", () => {
    const zeros = little.array({
      ...{ type: "double", dims: [8192, 8193], name: "A", complex: true },
      content: [
        little.element(1, new Uint8Array(8192 * 8193)),
        little.element(1, new Uint8Array(8192 * 8193)),
      ],
    });
    const bytes = little.file(little.compressed(zeros), little.full("b", "int8", [1, 1], [1]));
    const largest = largestAllocation(() => {
      const [A, b] = summary(read(bytes));
      expect([A[0], A[1]]).toEqual([
        "A",
        expect.stringMatching(/inflates to 134\d+ bytes, and 67108864 are allowed/),
      ]);
      expect(b).toEqual(["b", [[1]]]);
    });
    expect(largest).toBeLessThan(2 ** 20);
    const small = little.array({
      ...{ type: "double", dims: [4096, 4096], name: "A" },
      content: [little.element(1, new Uint8Array(2 ** 24))],
    });
    expect(
      largestAllocation(() => {
        expect(refusal(little.file(little.compressed(small)), "x.mat").message).toMatch(
          /inflates to 134217728/,
        );
      }),
    ).toBeLessThan(2 ** 26);
  });

  it("are recognized by content; other formats with the same extension are refused by name", () => {
    for (const writer of both) {
      const file = writer.file(writer.full("A", "int8", [1, 1], [1]));
      expect(formatOf(memorySource(file), "")).toMatchObject({ extension: ".mat" });
      expect(formatOf(memorySource(file), "x.npy")).toBe("npy");
      const hdf5 = file.slice();
      hdf5[writer.big ? 124 : 125] = 2;
      expect(refusal(hdf5, "").message).toMatch(/MATLAB 7\.3/);
    }
    expect(refusal(join(latin1("\x89HDF\r\n\x1a\n"), new Uint8Array(200)), "x.mat").message).toMatch(
      /lengths of 0 bytes/,
    );
    expect(refusal(latin1("# Created by Octave 8.4.0\n# name: A\n"), "x.mat").message).toMatch(/Octave/);
    expect(refusal(latin1("something else entirely, and long"), "x.mat").message).toMatch(/level 4 or 5/);
    expect(refusal(latin1("short"), "x.mat").message).toMatch(/cut short/);
    expect(read(little.file())).toEqual([]);
  });
});

describe("MATLAB 4 files", () => {
  it("hold full and sparse matrices, real and complex, in either byte order", () => {
    for (const big of [false, true]) {
      const order = big ? ">" : "<";
      const code = big ? 1000 : 0;
      const variable = (
        name: string,
        digits: number,
        descr: string,
        numbers: readonly number[],
        size = [2, 3],
        imaginary = false,
      ) =>
        level4({
          name,
          rows: size[0],
          cols: size[1],
          code: code + digits,
          data: encode(order + descr, numbers),
          big,
          imaginary,
        });
      const six = [1, 2, 3, 4, 5, 6];
      const zero = [0, 0];
      const entries = read(
        join(
          ...["f8", "f4", "i4", "i2", "u2", "u1"].map((descr, k) => variable(`v${k}`, 10 * k, descr, six)),
          variable("z", 0, "f8", [1, 2, 3, -4], [1, 2], true),
          variable("t", 51, "u1", [104, 105], [1, 2]),
          variable("s", 2, "f8", [1, 3, 3, 1, 2, 2, 5, 7, 0], [3, 3]),
          variable("c", 2, "f8", [1, 2, 1, 1, 5, 0, 6, 0], [2, 4]),
          variable("e", 0, "f8", [], [0, 3]),
        ),
      );
      expect(summary(entries)).toEqual([
        ...six.map((_, k) => [`v${k}`, rows2x3]),
        [
          "z",
          [
            [
              [1, 3],
              [2, -4],
            ],
          ],
        ],
        ["t", "text"],
        [
          "s",
          [
            [5, 0],
            [0, 0],
            [0, 7],
          ],
        ],
        ["c", [[[5, 6]], [zero]]],
        ["e", "an empty matrix, 0×3"],
      ]);
      expect(entries.map((entry) => entry.kind === "matrix" && entry.dtype).slice(0, 6)).toEqual(
        new Array(6).fill("float64"),
      );
    }
  });

  it("say what is wrong with each variable", () => {
    const good = level4({ name: "A", rows: 1, cols: 2, data: encode("<f8", [1, 2]) });
    const sparse = (numbers: readonly number[], cols = 3, more = {}) =>
      join(
        level4({
          name: "s",
          rows: numbers.length / cols,
          cols,
          code: 2,
          data: encode("<f8", numbers),
          ...more,
        }),
        good,
      );
    const bad: readonly (readonly [Uint8Array, RegExp])[] = [
      [sparse([3, 2, 1, 2, 5, 0]), /entry 0 .* row 2/],
      [sparse([1, 2, 0, 2, 5, 0]), /column -1/],
      [sparse([1.5, 2, 1, 2, 5, 0]), /row 0\.5/],
      [sparse([1, -2, 1, 2, 5, 0]), /-2×2/],
      [sparse([1, 0, 1, 2, 5, 0]), /empty matrix, 0×2/],
      [sparse([1, 2, 1, 2, Number.NaN, 0]), /row 0, column 0 .* "NaN"/],
      [sparse([1, 2], 2), /in 2 columns/],
    ];
    for (const [bytes, message] of bad) {
      const [first, second] = summary(read(bytes));
      expect(first[1]).toMatch(message);
      expect(second).toEqual(["A", [[1, 2]]]);
    }
    const whole: readonly (readonly [Uint8Array, RegExp])[] = [
      [level4({ name: "A", rows: 1, cols: 2, code: 2000, data: new Uint8Array(16) }), /VAX/],
      [level4({ name: "A", rows: 1, cols: 2, code: 1000, data: new Uint8Array(16) }), /another byte order/],
      [level4({ name: "A", rows: 1, cols: 2, code: 60, data: new Uint8Array(16) }), /level 4 or 5/],
      [level4({ name: "A", rows: 2 ** 31 - 1, cols: 2 ** 31 - 1, data: new Uint8Array(16) }), /cut short/],
      [level4({ name: "A", rows: -1, cols: 2, data: new Uint8Array(16) }), /-1×2/],
    ];
    for (const [bytes, message] of whole) expect(refusal(bytes, "x.mat").message).toMatch(message);
    expect(summary(read(join(good, good.slice(0, -1))))[1]).toEqual([
      "(variable 2)",
      expect.stringMatching(/cut short/),
    ]);
    expect(summary(read(join(good, good)))[1][1]).toMatch(/second time/);
    expect(summary(read(join(good, sparse([1, 2, 1, 2, 5, 0])), "s"))).toEqual([
      [
        "s",
        [
          [5, 0],
          [0, 0],
        ],
      ],
    ]);
  });
});

it("MATLAB files are read or refused, whatever they are turned into", () => {
  const originals = [
    little.file(
      little.full("A", "double", [2, 2], [1, 2, 3, 4]),
      little.cell("c", [1, 1], [little.full("", "int8", [1, 2], [1, 2])]),
    ),
    little.file(little.compressed(little.full("A", "double", [2, 2], [1, 2, 3, 4]))),
    level4({ name: "s", rows: 3, cols: 3, code: 2, data: encode("<f8", [1, 3, 3, 1, 2, 2, 5, 7, 0]) }),
  ];
  for (const original of originals)
    fc.assert(
      fc.property(mutations(original), (bytes) => void readOrRefuse(bytes, "x.mat")),
      { numRuns: 300 },
    );
});

const python = "/usr/bin/python3";
const missing = spawnSync(python, ["-c", "import scipy.io"]).status !== 0;

/** Prints every matrix of the files that it is given, by MATLAB's name, as SciPy reads it. */
const SCRIPT = `
import json, sys, warnings, numpy as np, scipy.io as io, scipy.sparse as s
warnings.simplefilter('ignore')
def place(shape, k):
    if len(shape) == 2 and 1 in shape: return str(k + 1)
    return ','.join(str(i + 1) for i in np.unravel_index(k, shape, order='F'))
def walk(name, x, out):
    if s.issparse(x): x = x.toarray()
    if isinstance(x, (io.matlab.MatlabObject, io.matlab.MatlabFunction)) or not isinstance(x, np.ndarray): return
    if x.dtype.names:
        for k, one in enumerate(x.flatten(order='F')):
            for f in x.dtype.names: walk(name + ('' if x.size == 1 else '(' + place(x.shape, k) + ')') + '.' + f, one[f], out)
    elif x.dtype == object:
        for k, one in enumerate(x.flatten(order='F')): walk(name + '{' + place(x.shape, k) + '}', one, out)
    elif x.dtype.kind in 'fiucb' and x.ndim == 2 and x.size:
        x = x.astype('complex128')
        out[name] = [x.real.tolist(), x.imag.tolist()]
def written():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((7, 5))
    full = {'A': A, 'z': A + 1j * A[::-1], 'f': A.astype('f4'), 'c': (A + 2j * A).astype('c8'), 'row': [1, 2, 3], 'x': 4.5}
    sparse = {'S': s.csc_matrix(A * (A > 0)), 'Z': s.csc_matrix(A * (A > 0) * (1 + 2j)), 'E': s.csc_matrix((3, 4))}
    cell = np.empty((2, 2), dtype=object)
    for k in range(4): cell[k // 2, k % 2] = A * k
    more = {t: (100 * A).astype(t) for t in ['i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', '>f8', '>i4']}
    more.update({'b': A > 0, 'Sb': s.csc_matrix(A > 0), 'st': {'A': A, 'in': {'B': A.T}}, 'cell': cell, 'three': np.zeros((2, 2, 2)),
      'text': 'words', 'large': np.zeros((300, 300)), 'counts': np.arange(200000.).reshape(400, 500)})
    for packed in [False, True]: io.savemat(f'five-{packed}.mat', {**full, **sparse, **{'v' + k.replace('>', 'b'): v for k, v in more.items()}}, do_compression=packed)
    io.savemat('four.mat', {**full, **sparse}, format='4')
    return ['five-False.mat', 'five-True.mat', 'four.mat']
out = {}
for file in written() + sys.argv[1:]:
    try: values = io.loadmat(file, mat_dtype=False)
    except Exception: continue
    out[file] = {}
    for name, x in values.items():
        if not name.startswith('__'): walk(name, x, out[file])
json.dump(out, sys.stdout)
`;

describe.skipIf(missing)("files that SciPy and MATLAB wrote (/usr/bin/python3 with scipy)", () => {
  it("have every number that SciPy reads", () => {
    const folder = "/usr/lib/python3/dist-packages/scipy/io/matlab/tests/data";
    const given = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".mat")) : [];
    // SciPy gives the last of several fields of one name.
    const named = given.filter((name) => !name.startsWith("nasty_duplicate"));
    const cwd = mkdtempSync(joinPath(tmpdir(), "matlab-"));
    try {
      const paths = named.map((name) => joinPath(folder, name));
      const { stdout, stderr } = spawnSync(python, ["-c", SCRIPT, ...paths], { cwd, maxBuffer: 2 ** 28 });
      if (stdout.length === 0) throw new Error(String(stderr));
      const truth = JSON.parse(String(stdout)) as Record<string, Record<string, [number[][], number[][]]>>;
      expect(Object.keys(truth).length).toBeGreaterThanOrEqual(3);
      for (const [file, matrices] of Object.entries(truth)) {
        const entries = read(readFileSync(resolve(cwd, file)));
        const found = entries.filter((entry) => entry.kind === "matrix");
        expect(
          entries.filter(({ kind }) => kind === "failed"),
          file,
        ).toEqual([]);
        expect(found.map(({ key }) => key).sort(), file).toEqual(Object.keys(matrices).sort());
        for (const entry of found) {
          const [re, im] = matrices[entry.key ?? ""];
          const complex = re.map((row, i) => row.map((x, j) => [x, im[i][j]]));
          if (entry.dtype.startsWith("complex")) expect(expandComplex(entry), file).toEqual(complex);
          else expect(expand(entry), `${file} ${entry.key}`).toEqual(re);
        }
      }
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});
