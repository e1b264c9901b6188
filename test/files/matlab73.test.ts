import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath, resolve } from "node:path";
import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, it } from "vitest";
import type { FileEntry, FilePanels } from "../../src/files/entry.js";
import { readMatrices } from "../../src/files/open.js";
import { memorySource } from "../../src/files/source.js";
import { spectralNorm } from "../../src/index.js";
import { expand, expandComplex, normByRealForm } from "./expand.js";
import { hdf5, TYPE, type WrittenGroup } from "./hdf5-writer.js";
import { largestAllocation, mutations, readOrRefuse, refusal } from "./hostile.js";
import {
  CLASSES_73,
  type Class73,
  cell73,
  classed,
  empty73,
  field73,
  full73,
  integer,
  list73,
  matlab73,
  sparse73,
  struct73,
} from "./matlab73-writer.js";
import { encode } from "./writers.js";

const read = (bytes: Uint8Array, key?: string, memory?: number) => [
  ...readMatrices(memorySource(bytes), "x.mat", key, memory),
];

/** What a file holds: the matrices' numbers, or why there are none. */
function summary(entries: readonly (FileEntry | FilePanels)[]): Record<string, unknown> {
  return Object.fromEntries(
    entries.map((entry) => {
      if (entry.kind === "skipped") return [entry.key, entry.reason];
      if (entry.kind === "failed") return [entry.key, entry.error.message];
      if (entry.kind === "panels") return [entry.key, "panels"];
      return [entry.key, entry.dtype.startsWith("complex") ? expandComplex(entry) : expand(entry)];
    }),
  );
}

const six = [1, 2, 3, 4, 5, 6];
const rows2x3 = [
  [1, 3, 5],
  [2, 4, 6],
];
const x = (value: number) => full73("double", [1, 1], [value]);
const forms = [{ version: 0 }, { version: 2 }] as const;

describe.each(forms)("MATLAB 7.3 files %j", (form) => {
  const variables = (links: WrittenGroup["links"], parts = {}) => matlab73(links, parts, form);

  it("hold matrices of every class, contiguous or in compressed chunks", () => {
    for (const name of Object.keys(CLASSES_73) as Class73[])
      for (const how of [{}, { chunk: [2, 1] }, { chunk: [2, 2], filters: [2, 1] }, { compact: true }]) {
        const numbers = name === "logical" ? [1, 0, 0, 2, 1, 0] : six;
        const entries = read(variables({ A: full73(name, [2, 3], numbers, how), b: x(-7.25) }));
        const logical = [
          [1, 0, 1],
          [0, 1, 0],
        ];
        expect(summary(entries), name).toEqual({ A: name === "logical" ? logical : rows2x3, b: [[-7.25]] });
        const dtype = { double: "float64", single: "float32", logical: "bool" }[name as string] ?? name;
        expect(entries[0]).toMatchObject({ shape: [2, 3], dtype });
      }
    const limits = encode("<i8", [-(2n ** 63n), 2n ** 53n]);
    expect(summary(read(variables({ A: full73("int64", [1, 2], [0, 0], { data: limits }) })))).toEqual({
      A: [[-(2 ** 63), 2 ** 53]],
    });
  });

  it("hold complex matrices of floating-point numbers and of integers", () => {
    const entries = read(
      variables({
        z: full73("double", [1, 2], [1, 3, 2, -4], { complex: true }),
        s: full73("single", [2, 1], [1, 3, 2, -4], { complex: true, chunk: [1, 2], filters: [1] }),
        i: full73("int16", [1, 2], [1, 3, 2, -4], { complex: true }),
      }),
    );
    const values = [
      [1, 3],
      [2, -4],
    ];
    expect(summary(entries)).toEqual({ z: [values], s: values.map((one) => [one]), i: [values] });
    expect(Object.fromEntries(entries.map((entry) => [entry.key, "dtype" in entry && entry.dtype]))).toEqual({
      ...{ z: "complex128", s: "complex64", i: "complex128" },
    });
  });

  it("hold sparse matrices: real, complex, logical, without entries, and as HDF5 types of any width", () => {
    const jc = list73([0, 2, 2, 3]);
    const ir = list73([0, 2, 1]);
    const data = (name: Class73, numbers: readonly number[], complex = false) => {
      const { attributes: _, ...rest } = full73(name, [3, 1], numbers, { complex });
      return { ...rest, shape: [3] };
    };
    const entries = read(
      variables({
        S: sparse73(3, { data: data("double", [1.5, -2, 4]), ir, jc }),
        C: sparse73(3, { data: data("double", [1, 4, 2, 5, 3, 6], true), ir, jc }),
        L: sparse73(3, { data: data("logical", [1, 1, 3]), ir, jc }, "logical"),
        F: sparse73(3, { data: data("single", [1.5, -2, 4]), ir, jc }, "single"),
        W: sparse73(3, {
          ...{ data: data("double", [1.5, -2, 4]), ir: list73([0, 2, 1], TYPE.u2) },
          jc: list73([0, 2, 2, 3], TYPE.i4),
        }),
        Z: sparse73(2, { jc: list73([0, 0, 0, 0]) }),
        E: {
          links: { jc: list73([0, 0]) },
          attributes: classed("double", { MATLAB_sparse: integer(0), MATLAB_empty: integer(1) }),
        },
      }),
    );
    const zero = [0, 0];
    const S = [
      [1.5, 0, 0],
      [0, 0, 4],
      [-2, 0, 0],
    ];
    const { E, ...rest } = summary(entries);
    expect(E).toBe("an empty matrix, 0×1");
    expect(rest).toEqual({
      ...{ S, F: S, W: S },
      C: [
        [[1, 4], zero, zero],
        [zero, zero, [3, 6]],
        [[2, 5], zero, zero],
      ],
      L: [
        [1, 0, 0],
        [0, 0, 1],
        [1, 0, 0],
      ],
      Z: [
        [0, 0, 0],
        [0, 0, 0],
      ],
    });
    for (const entry of entries)
      if (entry.kind === "matrix") expect("kind" in entry.matrix && entry.matrix.kind).toBe("csr");
  });

  const nested = () =>
    variables(
      {
        s: struct73({ A: x(1), inner: struct73({ b: x(2) }), none: empty73("double", [0, 0]) }),
        r: struct73({
          f: field73([1, 2], ["/#refs#/a", "/#refs#/b"]),
          g: field73([1, 2], ["/#refs#/t", "/#refs#/e"]),
        }),
        c: cell73([1, 2], ["/#refs#/c", "/#refs#/d"]),
        q: struct73({ f: field73([2, 1, 2], ["/#refs#/q1", "/#refs#/q2", "/#refs#/q3", "/#refs#/q4"]) }),
        one: struct73({ f: field73([1, 1], ["/#refs#/o"]) }),
        empties: cell73([1, 2], ["/#refs#/e", "/#refs#/e"]),
      },
      {
        ...{ a: x(3), b: x(4), c: x(5), o: x(9), e: empty73("double", [0, 0]), q1: x(11), q2: x(12) },
        ...{ q3: x(13), q4: x(14), d1: x(6), d2: x(7), d3: x(8), t: full73("uint16", [1, 1], [65], text) },
        d: cell73([2, 2], ["/#refs#/d1", "/#refs#/d2", "/#refs#/d3", "/#refs#/t"]),
      },
    );
  const text = { attributes: classed("char") };

  it("hold matrices within structures and cells, with MATLAB's names", () => {
    expect(summary(read(nested()))).toEqual({
      ...{ "s.A": [[1]], "s.inner.b": [[2]], "s.none": "an empty matrix, 0×0" },
      ...{ "r(1).f": [[3]], "r(1).g": "text", "r(2).f": [[4]], "r(2).g": "an empty matrix, 0×0" },
      ...{ "c{1}": [[5]], "c{2}{1,1}": [[6]], "c{2}{2,1}": [[7]], "c{2}{1,2}": [[8]], "c{2}{2,2}": "text" },
      ...{ "q(1,1,1).f": [[11]], "q(2,1,1).f": [[12]], "q(1,1,2).f": [[13]], "q(2,1,2).f": [[14]] },
      ...{ "one.f": [[9]], "empties{1}": "an empty matrix, 0×0", "empties{2}": "an empty matrix, 0×0" },
    });
  });

  it("are read for one key", () => {
    for (const [key, expected] of [
      ["c{2}{2,1}", [[7]]],
      ["s.inner.b", [[2]]],
      ["r(2).f", [[4]]],
      ["s", "is a structure, not a matrix; name one of its parts"],
      ["c{2}", "is a cell array, not a matrix; name one of its parts"],
      ["r(1).g", "holds text, not a matrix"],
    ] as const)
      expect(summary(read(nested(), key)), key).toEqual({ [key]: expected });
    for (const key of ["B", "s.B", "s.A.x", "c{9}", "#refs#"])
      expect(() => read(nested(), key)).toThrow(/has no key ".*": it has /);
  });

  it("hold other things, which are left out by name and reason", () => {
    const file = variables({
      three: full73("double", [1, 2, 2], [1, 2, 3, 4]),
      none: empty73("double", [0, 3]),
      nothing: full73("double", [3, 0], []),
      c: empty73("cell", [0, 0]),
      s: empty73("struct", [0, 1]),
      s0: struct73({}),
      t: full73("uint16", [1, 1], [65], { attributes: classed("char") }),
      h: { links: {}, attributes: classed("function_handle") },
      o: full73("uint32", [1, 2], [1, 2], {
        attributes: classed("table", { MATLAB_object_decode: integer(3) }),
      }),
      o2: { links: {}, attributes: classed("double", { MATLAB_object_decode: integer(2) }) },
      d: { type: TYPE.f8, shape: [1], data: encode("<f8", [1]) },
      g: { links: {} },
      "#subsystem#": { links: {} },
    });
    expect(summary(read(file))).toEqual({
      ...{ three: "1×2×2", none: "an empty matrix, 0×3", nothing: "an empty matrix, 3×0" },
      ...{ c: "an empty cell array", s: "an empty structure", s0: "an empty structure", t: "text" },
      ...{ h: "a function handle", o: 'an object of class "table"', o2: 'an object of class "double"' },
      ...{ d: "an HDF5 dataset without a class of MATLAB's", g: "an HDF5 group without a class of MATLAB's" },
      "#subsystem#": "data that MATLAB keeps for objects",
    });
  });

  it("keep large matrices in the file, column by column, but not whole ones that are compressed", () => {
    const numbers = Array.from({ length: 40 * 30 }, (_, k) => Math.sin(k));
    const complex = Array.from({ length: 2 * 40 * 30 }, (_, k) => Math.cos(k));
    const file = variables({
      A: full73("double", [40, 30], numbers),
      z: full73("int16", [40, 30], complex.map(Math.round), { complex: true }),
      chunked: full73("single", [40, 30], numbers, { chunk: [7, 9], filters: [1] }),
    });
    for (const entry of read(file, undefined, 1000)) {
      if (entry.kind !== "panels") throw new Error(`${entry.key} is no panels`);
      expect(entry.shape).toEqual([40, 30]);
      expect(entry.transposed).toBe(true);
      const found = [0, 7, 21].flatMap((first, k, all) =>
        Array.from(entry.panels.rows(first, (all[k + 1] ?? 30) - first) as Float64Array),
      );
      const expected = { z: complex.map((one) => Math.round(one)), chunked: numbers.map(Math.fround) };
      expect(found.map((one) => one + 0)).toEqual(
        (entry.key === "A" ? numbers : expected[entry.key as "z"]).map((one) => one + 0),
      );
    }
  });

  it("have the σ₁ of a dense SVD", () => {
    const numbers = Array.from({ length: 12 }, (_, k) => Math.sin(3 * k));
    const entries = read(
      variables({
        A: full73("double", [4, 3], numbers),
        z: full73("double", [2, 3], numbers, { complex: true }),
        S: sparse73(5, {
          data: list("f8", numbers.slice(0, 4)),
          ir: list73([1, 4, 0, 1]),
          jc: list73([0, 2, 4]),
        }),
      }),
    );
    expect(entries.length).toBe(3);
    for (const entry of entries) {
      if (entry.kind !== "matrix") throw new Error(entry.kind);
      const truth =
        entry.dtype === "complex128"
          ? normByRealForm(expandComplex(entry))
          : new SingularValueDecomposition(new Matrix(expand(entry)), { autoTranspose: true }).norm2;
      expect(spectralNorm(entry.matrix)).toBeCloseTo(truth, 12);
    }
  });
});

const list = (type: "f8", numbers: readonly number[]) => ({
  ...{ type: TYPE[type], shape: [numbers.length], data: encode(`<${type}`, numbers) },
});

describe("MATLAB 7.3 files that are damaged", () => {
  it("answer what is whole beside what is not", () => {
    const two = list("f8", [1, 2]);
    const sparse = (rows: number, jc: readonly number[], ir: readonly number[], data = two) =>
      sparse73(rows, { data, ir: list73(ir), jc: list73(jc) });
    const bad: readonly (readonly [WrittenGroup["links"][string], RegExp])[] = [
      [sparse(3, [0, 1, 2], [0, 3]), /entry 1 .* row 3 .*of 3/],
      [sparse(3, [0, 2, 1], [0, 1]), /promise 1 entries|fall from 2 to 1/],
      [sparse(3, [1, 1, 2], [0, 1]), /begin with 1, not 0/],
      [sparse(3, [0, 1, 3], [0, 1]), /promise 3 entries; 2 rows and 2 values/],
      [sparse(3, [0, 1, 2 ** 60], [0, 1]), /promise \d+ entries/],
      [sparse(3, [], [0, 1]), /`jc` is empty/],
      [
        sparse73(3, { jc: { type: TYPE.i4, shape: [2], data: encode("<i4", [0, -5]) }, ir: list73([0]) }),
        /promise -5 entries/,
      ],
      [sparse(3, [0, 2], [0, 1], list("f8", [1])), /promise 2 entries; 2 rows and 1 values/],
      [sparse(3, [0, 1, 2], [0, 1], list("f8", [1, Number.NaN])), /row 1, column 1 .* "NaN"/],
      [sparse73(3, { data: two, jc: list73([0, 2]) }), /promise 2 entries; 0 rows/],
      [sparse73(3, { ir: list73([0, 1]), jc: list73([0, 2]) }), /2 rows and 0 values/],
      [sparse73(3, { data: two, ir: list73([0, 1]) }), /`jc` is missing/],
      [sparse73(3, { data: two, ir: two, jc: list73([0, 2]) }), /`ir` are float64, not integers/],
      [sparse73(3, { data: { links: {} }, ir: list73([0]), jc: list73([0, 1]) }), /no type or no shape/],
      [sparse73(2 ** 60, { jc: list73([0]) }), /MATLAB_sparse says \d+ rows/],
      [
        { ...x(1), attributes: classed("double", { MATLAB_sparse: integer(3) }) },
        /no group, with the attribute/,
      ],
      [
        {
          links: {},
          attributes: classed("double", { MATLAB_sparse: { type: TYPE.f8, data: new Uint8Array(8) } }),
        },
        /MATLAB_sparse is not one integer/,
      ],
      [{ links: {}, attributes: classed("double") }, /no type or no shape/],
      [{ ...x(1), attributes: classed("single") }, /holds float64 where float32 belongs/],
      [{ ...x(1), attributes: classed("logical") }, /holds float64 where bool belongs/],
      [{ ...full73("uint64", [1, 2], [0, 0]), attributes: classed("double") }, /uint64 where float64/],
      [full73("double", [1, 1], [1], { type: TYPE.reference }), /holds references, not numbers/],
      [full73("double", [1, 1], [1], { type: TYPE.text, shape: [1] }), /holds text, not numbers/],
      [full73("double", [2, 2], [1, 2, 3]), /takes 32 bytes, and 24 are there/],
      [full73("double", [2 ** 31, 2 ** 31], [1]), /more than 2\^53/],
      [full73("double", [2 ** 20, 2 ** 20], [1]), /takes 8796093022208 bytes, and 8 are there/],
      [full73("double", [2 ** 20, 2 ** 20], [1], { data: undefined }), /inflates to 8796093022208 bytes/],
      [{ ...x(1), attributes: classed("cell") }, /holds float64 where references belong/],
      [{ ...x(1), attributes: classed("struct") }, /no group, of class struct/],
      [cell73([2 ** 21, 2], ["/good"]), /has 4194304 parts, more than/],
      [empty73("double", [2, 3]), /said to be empty, and its dimensions to be \[2, 3\]/],
      [empty73("double", new Array(70).fill(0)), /its dimensions are 70 integers/],
      [{ soft: "/nowhere" }, /a link to "\/nowhere", which is not there/],
    ];
    for (const [links, message] of bad) {
      const { bad: found, good } = summary(read(matlab73({ bad: links, good: x(3) })));
      expect(found).toMatch(message);
      expect(good).toEqual([[3]]);
    }
    const fields = {
      f: field73([1, 2], ["/#refs#/a", "/#refs#/b"]),
      g: field73([2, 1], ["/#refs#/a", "/good"]),
    };
    expect(summary(read(matlab73({ s: struct73(fields) }, { a: x(1), b: x(2) })))).toEqual({
      ...{ "s(1).f": [[1]], "s(2).f": [[2]], "s.g": "has 2×1 parts, and another field has 1×2" },
    });
    const parts = summary(read(matlab73({ c: cell73([1, 2], ["/#refs#/none", "/#refs#/a"]) }, { a: x(1) })));
    expect(parts).toEqual({ "c{1}": "is a reference that leads nowhere", "c{2}": [[1]] });
  });

  it("are read once along every reference, and never in a circle", () => {
    const file = matlab73(
      {
        c: cell73([1, 3], ["/c", "/#refs#/a", "/#refs#/a"]),
        s: struct73({ back: { soft: "/s" }, A: { soft: "/#refs#/b" } }),
        same: { soft: "/s" },
        t: { soft: "/t" },
      },
      { a: x(1), b: x(2) },
    );
    expect(summary(read(file))).toEqual({
      ...{ "c{1}": "is damaged: it holds itself", "c{2}": [[1]], "c{3}": 'the same array as "c{2}"' },
      ...{ "s.back": "is damaged: it holds itself", "s.A": [[2]], t: expect.stringMatching(/circle/) },
      same: expect.stringMatching(/the same array as "s"/),
    });
    expect(summary(read(file, "c{3}"))).toEqual({ "c{3}": [[1]] });
    // Each cell refers a hundred times to the next: 100³⁰ parts.
    const levels = Array.from({ length: 30 }, (_, k) => [
      `l${k}`,
      cell73([10, 10], new Array<string>(100).fill(`/#refs#/l${k + 1}`)),
    ]);
    const many = matlab73(
      { c: cell73([1, 1], ["/#refs#/l0"]) },
      { ...Object.fromEntries(levels), l30: x(5) },
    );
    expect(read(many).length).toBe(30 * 99 + 1);
  });

  it("may be nested to 64 levels", () => {
    const deep = (levels: number): ReturnType<typeof struct73> =>
      struct73({ s: levels === 1 ? x(1) : deep(levels - 1) });
    const name = (levels: number) => `a${".s".repeat(levels)}`;
    expect(summary(read(matlab73({ a: deep(64) })))).toEqual({ [name(64)]: [[1]] });
    const [failed] = read(matlab73({ a: deep(70) }));
    expect(failed.kind === "failed" && failed.error.message).toMatch(/nested deeper than 64/);
  });

  it("are refused whole if they are no HDF5 file; read without MATLAB's header", () => {
    const file = matlab73({ A: full73("double", [2, 3], six) });
    expect(refusal(file.slice(0, 512), "x.mat").message).toMatch(/cut short: its header says MATLAB 7\.3/);
    const own = hdf5({ links: { A: full73("double", [2, 3], six) } });
    expect(summary(read(own))).toEqual({ A: rows2x3 });
    expect(refusal(matlab73({ t: x(1) }, {}, { userBlock: 512 }).slice(0, 700), "").message).toMatch(
      /cut short/,
    );
  });

  it("take no memory that the file does not warrant", () => {
    const file = matlab73({
      A: full73("double", [4096, 4096], [1], { data: undefined }),
      c: cell73([1000, 1000], ["/A"]),
      S: sparse73(3, { jc: { type: TYPE.u8, shape: [2 ** 24] } }),
    });
    expect(largestAllocation(() => void readOrRefuse(file, "x.mat"))).toBeLessThan(2 ** 24);
  });
});

it("MATLAB 7.3 files are read or refused, whatever they are turned into", () => {
  const original = matlab73(
    {
      A: full73("double", [2, 2], [1, 2, 3, 4], { chunk: [1, 2], filters: [1] }),
      S: sparse73(2, { data: list("f8", [1, 2]), ir: list73([0, 1]), jc: list73([0, 1, 2]) }),
      c: cell73([1, 2], ["/#refs#/a", "/#refs#/b"]),
    },
    { a: x(1), b: struct73({ z: full73("single", [1, 1], [1, 2], { complex: true }) }) },
  );
  fc.assert(
    fc.property(mutations(original), (bytes) => void readOrRefuse(bytes, "x.mat")),
    { numRuns: 300 },
  );
});

const python = "/usr/bin/python3";
const missing = spawnSync(python, ["-c", "import h5py, numpy"]).status !== 0;
/** Of SciPy's own tests, written by MATLAB. */
const BY_MATLAB = "/usr/lib/python3/dist-packages/scipy/io/matlab/tests/data/testhdf5_7.4_GLNX86.mat";

/** Writes files as MATLAB does, and prints every matrix in them, by MATLAB's name. */
const SCRIPT = `
import h5py, json, sys, numpy as np
out = {}
def note(file, name, x):
    x = np.asarray(x)
    if x.dtype.names: x = x['real'] + 1j * x['imag'].astype('f8')
    x = x.astype('c16').T
    out.setdefault(file, {})[name] = [x.real.tolist(), x.imag.tolist()]
CLASSES = {'f8': 'double', 'f4': 'single', 'b1': 'logical', **{k + str(b // 8): n + 'int%d' % b for k, n in [('i', ''), ('u', 'u')] for b in [8, 16, 32, 64]}}
def attributes(o, name, **more):
    o.attrs['MATLAB_class'] = np.bytes_(name)
    if name == 'logical': o.attrs['MATLAB_int_decode'] = np.int32(1)
    for k, v in more.items(): o.attrs[k] = v
def plain(x):
    if x.dtype.kind == 'b': return x.astype('u1')
    if x.dtype.kind != 'c': return x
    part = 'f4' if x.dtype.itemsize == 8 else 'f8'
    z = np.empty(x.shape, dtype=[('real', part), ('imag', part)])
    z['real'], z['imag'] = x.real, x.imag
    return z
def class_of(x): return {'c16': 'double', 'c8': 'single'}.get(x.dtype.str[1:]) or CLASSES[x.dtype.str[1:]]
def write(file, libver, how):
    rng = np.random.default_rng(1)
    A = 100 * rng.standard_normal((37, 21))
    kinds = ['f8', 'f4', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8']
    arrays = {'v_' + k: (A if k[0] != 'u' else np.abs(A)).astype(k) for k in kinds}
    arrays.update({'z': A + 1j * A[::-1], 'c': (A - 2j * A).astype('c8'), 'b': A > 0, 'row': A[:1], 'x': A[:1, :1]})
    with h5py.File(file, 'w', userblock_size=512, libver=libver) as f:
        def put(group, field, name, x, **more):
            attributes(group.create_dataset(field, data=plain(x).T, **({} if x.size == 1 else how)), class_of(x))
            note(file, name, plain(x).T)
        for k, x in arrays.items(): put(f, k, k, x)
        integers = np.zeros((21, 37), dtype=[('real', 'i2'), ('imag', 'i2')])
        integers['real'], integers['imag'] = A.T, -3 * A.T
        attributes(f.create_dataset('zi', data=integers, **how), 'int16'); note(file, 'zi', integers)
        for name, S in [('S', np.where(A > 20, A, 0)), ('Z', np.where(A > 20, A * (1 - 2j), 0)), ('L', A > 20)]:
            g = f.create_group(name)
            i = [np.flatnonzero(S[:, j]) for j in range(21)]
            g.create_dataset('data', data=plain(np.concatenate([S[i[j], j] for j in range(21)])), **how)
            g.create_dataset('ir', data=np.concatenate(i).astype('u8'), **how)
            g.create_dataset('jc', data=np.cumsum([0] + [len(k) for k in i]).astype('u8'))
            attributes(g, 'logical' if name == 'L' else 'double', MATLAB_sparse=np.uint64(37))
            note(file, name, S.T)
        s = f.create_group('s'); attributes(s, 'struct')
        put(s, 'A', 's.A', A[:3]); put(s, 'B', 's.B', A[:, :2].astype('i4'))
        s.attrs.create('MATLAB_fields', np.array([np.array([b'A'], 'S1'), np.array([b'B'], 'S1')] + [None], dtype=object)[:2], dtype=h5py.vlen_dtype(np.dtype('S1')))
        refs = f.create_group('#refs#')
        cell = np.empty((3, 2), dtype=h5py.ref_dtype)
        for k in range(6):
            put(refs, 'c%d' % k, 'cell{%d,%d}' % (k // 3 + 1, k % 3 + 1), A[:2] * k)
            cell[k % 3, k // 3] = refs['c%d' % k].ref
        attributes(f.create_dataset('cell', data=cell, dtype=h5py.ref_dtype), 'cell')
        many = f.create_group('many'); attributes(many, 'struct')
        fields = np.empty((500, 1), dtype=h5py.ref_dtype)
        for k in range(500):
            put(refs, 'm%d' % k, 'many(%d).x' % (k + 1), A[:1, :2] + k)
            fields[k, 0] = refs['m%d' % k].ref
        many.create_dataset('x', data=fields, dtype=h5py.ref_dtype, **({'chunks': (64, 1), **how, 'shuffle': True} if how else {}))
        attributes(f.create_dataset('none', data=np.array([0, 3], 'u8')), 'double', MATLAB_empty=np.uint8(1))
        attributes(f.create_dataset('text', data=np.array([[72], [105]], 'u2')), 'char', MATLAB_int_decode=np.int32(2))
        attributes(f.create_dataset('three', data=np.zeros((2, 3, 4))), 'double')
    head = b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(116) + bytes(8) + b'\\x00\\x02IM'
    with open(file, 'r+b') as f: f.write(head)
for libver in ['earliest', 'latest']:
    write('plain-' + libver + '.mat', libver, {})
    write('packed-' + libver + '.mat', libver, {'compression': 'gzip'})
for file in sys.argv[1:]:
    with h5py.File(file, 'r') as f:
        for name, x in f.items(): note(file, name, x[()])
json.dump(out, sys.stdout)
`;

describe.skipIf(missing)("MATLAB 7.3 files that h5py and MATLAB wrote (/usr/bin/python3 with h5py)", () => {
  it("have every number that h5py reads", () => {
    const cwd = mkdtempSync(joinPath(tmpdir(), "matlab73-"));
    try {
      const given = existsSync(BY_MATLAB) ? [BY_MATLAB] : [];
      const { stdout, stderr } = spawnSync(python, ["-c", SCRIPT, ...given], { cwd, maxBuffer: 2 ** 28 });
      if (stdout.length === 0) throw new Error(String(stderr));
      const truth = JSON.parse(String(stdout)) as Record<string, Record<string, [number[][], number[][]]>>;
      expect(Object.keys(truth).length).toBe(4 + given.length);
      for (const [file, matrices] of Object.entries(truth)) {
        const entries = read(readFileSync(resolve(cwd, file)));
        const found = entries.filter((entry) => entry.kind === "matrix");
        const others = summary(entries.filter(({ kind }) => kind !== "matrix"));
        expect(others, file).toEqual(
          given.includes(file) ? {} : { none: "an empty matrix, 0×3", text: "text", three: "4×3×2" },
        );
        expect(found.map(({ key }) => key).toSorted(), file).toEqual(Object.keys(matrices).toSorted());
        for (const entry of found) {
          const [re, im] = matrices[entry.key ?? ""];
          const complex = re.map((row, i) => row.map((one, j) => [one, im[i][j]]));
          if (entry.dtype.startsWith("complex")) expect(expandComplex(entry), file).toEqual(complex);
          else expect(expand(entry), `${file} ${entry.key}`).toEqual(re);
        }
      }
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});
