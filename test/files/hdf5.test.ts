import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hdf5Container } from "../../src/files/hdf5.js";
import { readNpyData } from "../../src/files/npy.js";
import { memorySource } from "../../src/files/source.js";
import type { TensorEntry } from "../../src/files/tensor.js";
import { halfDecoder } from "../../src/matrix/half.js";
import {
  BOOLEAN,
  complexType,
  fixed,
  hdf5,
  heapText,
  TYPE,
  type WrittenDataset,
  type WrittenFile,
  type WrittenGroup,
} from "./hdf5-writer.js";
import { allocations, checkError, mutations } from "./hostile.js";
import { entriesOf, fault, floats, numbersOf, tensorIn } from "./models.js";
import { encode } from "./writers.js";

const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const numbers = (length: number) => Array.from({ length }, (_, k) => Math.fround(Math.sin(k) * 3));
const array = (shape: readonly number[], more: Partial<WrittenDataset> = {}): WrittenDataset => ({
  ...{ type: TYPE.f4, shape, data: floats("F32", numbers(count(shape))) },
  ...more,
});
const read = (links: WrittenGroup["links"], how: WrittenFile = {}): TensorEntry[] =>
  entriesOf({ "a.h5": hdf5({ links }, how) }, "a.h5");

const forms: readonly WrittenFile[] = [
  { version: 0 },
  { version: 2 },
  { version: 3 },
  { version: 0, userBlock: 512 },
  { version: 3, userBlock: 4096 },
];

describe.each(forms)("HDF5 %j", (form) => {
  it("has groups within groups, and arrays by their paths", () => {
    const entries = read(
      { a: array([2, 3]), g: { links: { h: { links: { b: array([4]) } }, s: array([]) } } },
      form,
    );
    expect(entries.map(({ name }) => name).toSorted()).toEqual(["a", "g/h/b", "g/s"]);
    expect(tensorIn(entries, "a")).toMatchObject({ shape: [2, 3], dtype: "float32", layout: "tensorflow" });
    for (const entry of entries) {
      const tensor = tensorIn(entries, entry.name);
      expect(numbersOf(tensor)).toEqual(numbers(count(tensor.shape)));
    }
  });

  it.each([
    ["float64", TYPE.f8, floats("F64", numbers(6)), numbers(6)],
    ["float64", TYPE[">f8"], encode(">f8", numbers(6)), numbers(6)],
    ["float16", TYPE.f2, floats("F16", [1, -2, 0.5, 3, 4, 5]), [1, -2, 0.5, 3, 4, 5]],
    ["bfloat16", TYPE.bf16, floats("BF16", [1, -2, 0.5, 3, 4, 5]), [1, -2, 0.5, 3, 4, 5]],
    ["complex128", complexType("f8", ["r", "i"]), encode("<f8", numbers(12)), numbers(12)],
    ["complex64", complexType("f4", ["real", "imag"]), encode("<f4", numbers(12)), numbers(12)],
    ["complex128", complexType(">f8", ["real", "imag"]), encode(">f8", numbers(12)), numbers(12)],
  ] as const)("has %s", (dtype, type, data, expected) => {
    const [entry] = read({ a: { type, shape: [2, 3], data } }, form);
    if (entry.kind !== "tensor") throw new Error(JSON.stringify(entry));
    expect(entry.dtype).toBe(dtype);
    const opened = entry.open();
    const decode = dtype === "float16" || dtype === "bfloat16" ? halfDecoder(dtype) : (x: number) => x;
    expect(Array.from(opened.numbers(0, 6), decode)).toEqual(expected);
    opened.close();
  });

  it.each([
    ["contiguous", {}],
    ["compact", { compact: true }],
    ["in chunks", { chunk: [3, 4] }],
    ["in one chunk", { chunk: [7, 10] }],
    ["in a chunk that is larger", { chunk: [16, 16] }],
    ["in columns", { chunk: [7, 1] }],
    ["deflated", { chunk: [3, 4], filters: [1] }],
    ["shuffled and deflated", { chunk: [3, 4], filters: [2, 1] }],
    ["with checksums", { chunk: [3, 4], filters: [2, 1, 3] }],
    ["with checksums of odd chunks, deflated", { chunk: [1, 1], filters: [3, 1] }],
    ["in a single chunk of version 4", { chunk: [7, 10], index: "single" }],
    ["in a single chunk, deflated", { chunk: [7, 10], index: "single", filters: [2, 1] }],
    ["in chunks without an index", { chunk: [3, 4], index: "implicit" }],
    ["in a fixed array", { chunk: [3, 4], index: "fixed" }],
    ["in a fixed array, deflated", { chunk: [3, 4], index: "fixed", filters: [1] }],
  ] as const)("has arrays %s", (_, how) => {
    const entries = read({ a: array([7, 10], how), b: array([3, 5, 2], { ...how, chunk: undefined }) }, form);
    expect(numbersOf(tensorIn(entries, "a"))).toEqual(numbers(70));
  });

  it("has arrays of one and of four axes in chunks", () => {
    const entries = read(
      { a: array([11], { chunk: [4] }), b: array([3, 4, 5, 2], { chunk: [2, 3, 2, 2], filters: [1] }) },
      form,
    );
    expect(numbersOf(tensorIn(entries, "a"))).toEqual(numbers(11));
    expect(numbersOf(tensorIn(entries, "b"))).toEqual(numbers(120));
  });

  it("has fill values where nothing is written", () => {
    const fill = floats("F32", [2.5]);
    const entries = read(
      {
        never: array([2, 3], { data: undefined, fill }),
        zero: array([2], { data: undefined }),
        some: array([4, 4], { chunk: [2, 2], missing: [1, 2], fill }),
        fixed: array([4, 4], { chunk: [2, 2], missing: [0], fill, index: "fixed", filters: [1] }),
      },
      form,
    );
    expect(numbersOf(tensorIn(entries, "never"))).toEqual(new Array(6).fill(2.5));
    expect(numbersOf(tensorIn(entries, "zero"))).toEqual([0, 0]);
    const all = numbers(16);
    const missing = (chunks: readonly number[]) =>
      all.map((x, k) => (chunks.includes(2 * Math.floor(k / 8) + Math.floor((k % 4) / 2)) ? 2.5 : x));
    expect(numbersOf(tensorIn(entries, "some"))).toEqual(missing([1, 2]));
    expect(numbersOf(tensorIn(entries, "fixed"))).toEqual(missing([0]));
  });

  it("leaves out by name and reason what holds no floating-point numbers", () => {
    const entries = read(
      {
        i: { type: TYPE.i4, shape: [2], data: new Uint8Array(8) },
        b: { type: BOOLEAN, shape: [2], data: new Uint8Array(2) },
        t: { type: fixed(3), shape: [2], data: new Uint8Array(6) },
        v: { type: TYPE.text, shape: [1], data: new Uint8Array(16) },
        r: { type: TYPE.reference, shape: [1], references: ["/i"] },
        o: { type: TYPE.opaque2, shape: [2], data: new Uint8Array(4) },
        n: { type: TYPE.f4, shape: null },
        z: { type: TYPE.time, shape: [1], data: new Uint8Array(4) },
        c: { type: complexType("f4", ["x", "y"]), shape: [1], data: new Uint8Array(8) },
        s: { soft: "/i" },
        ...(form.version === 0 ? {} : { e: { external: "other.h5" } }),
      },
      form,
    );
    const reason = (name: string) => fault(entries, name);
    expect(reason("i")).toMatch(/dtype int32 is none of float64/);
    expect(reason("b")).toMatch(/dtype bool/);
    for (const name of ["t", "v"]) expect(reason(name)).toBe("holds text, not numbers");
    expect(reason("r")).toBe("holds references, not numbers");
    expect(reason("o")).toBe("holds 2 bytes without a meaning, not numbers");
    if (form.version !== 0) expect(reason("n")).toBe("has no elements");
    expect(reason("z")).toBe("holds a time, not numbers");
    expect(reason("c")).toBe("holds a compound, not numbers");
    expect(reason("s")).toBe('is a link to "/i"');
    if (form.version !== 0) expect(reason("e")).toBe("is in another file");
  });

  it("has bfloat16 as Keras writes it", () => {
    const data = floats("BF16", [1.5, -3]);
    const attributes = { dtype: heapText("bfloat16") };
    const entries = read({ a: { type: TYPE.opaque2, shape: [2], data, attributes } }, form);
    expect(tensorIn(entries, "a").dtype).toBe("bfloat16");
    expect(numbersOf(tensorIn(entries, "a"))).toEqual([1.5, -3]);
  });

  it.each([
    [{ chunk: [2, 2], filters: [32000] }, /stored with LZF; gzip, shuffle and fletcher32 can be read/],
    [{ chunk: [2, 2], filters: [32001] }, /stored with Blosc/],
    [{ chunk: [2, 2], filters: [4] }, /stored with szip/],
    [{ chunk: [2, 2], filters: [4711] }, /stored with filter 4711/],
    [{ chunk: [2, 2], filters: [1, 1] }, /compressed twice/],
    [{ replace: { 7: Uint8Array.of(1) } }, /has its numbers in other files/],
    [{ replace: { 8: Uint8Array.of(4, 3, ...new Array(12).fill(0)) } }, /parts of other datasets/],
    [{ replace: { 8: Uint8Array.of(9) } }, /the place of its numbers has version 9/],
    [{ data: new Uint8Array(20) }, /takes 24 bytes, and 20 are there/],
    [{ shape: [2 ** 40] }, /takes 4398046511104 bytes/],
    [{ shape: [2 ** 40], data: undefined }, /inflates to 4398046511104 bytes, and 67108864 are allowed/],
    [{ shape: [2 ** 40, 2 ** 40] }, /more than 2\^53/],
    [{ fill: new Uint8Array(3), chunk: [2, 2] }, /fill value of 3 bytes/],
  ] as const)("refuses %j, and answers the others", (how, message) => {
    const entries = read({ bad: array([2, 3], how), good: array([2, 2]) }, form);
    expect(fault(entries, "bad")).toMatch(message);
    expect(numbersOf(tensorIn(entries, "good"))).toEqual(numbers(4));
  });
});

describe("HDF5", () => {
  it("is recognized by its signature, also behind a user block", () => {
    for (const userBlock of [0, 512, 2048])
      expect(entriesOf({ m: hdf5({ links: { a: array([2]) } }, { userBlock }) }, "m")).toHaveLength(1);
    expect(() => entriesOf({ "m.h5": new Uint8Array(4096) }, "m.h5")).toThrow(/is not an HDF5 file/);
    expect(() => entriesOf({ "m.h5": hdf5({ links: {} }).subarray(0, 60) }, "m.h5")).toThrow(
      /superblock is damaged/,
    );
  });

  it("checks checksums of chunks", () => {
    for (const [filters, message] of [
      [[3], /checksum does not fit/],
      [[1], /damaged|inflates/],
    ] as const) {
      const bytes = hdf5({ links: { a: array([8], { chunk: [8], filters }), b: array([1]) } });
      const entries = entriesOf({ "a.h5": bytes }, "a.h5");
      const start = filters[0] === 1 ? Uint8Array.of(0x78, 0x9c) : floats("F32", numbers(8));
      const at = Buffer.from(bytes).indexOf(start);
      bytes[at + 4] ^= 1;
      expect(() => numbersOf(tensorIn(entries, "a"))).toThrow(message);
    }
  });

  it("is read where groups lead in circles, and says so", () => {
    const bytes = hdf5({ links: { g: { links: { a: array([2]) } }, zz: { links: {} } } }, { version: 2 });
    // The link "zz" leads to the root.
    const name = bytes.findIndex((_, k) => bytes[k] === 0x7a && bytes[k + 1] === 0x7a);
    const root = new DataView(bytes.buffer).getBigUint64(36, true);
    new DataView(bytes.buffer).setBigUint64(name + 2, root, true);
    const entries = entriesOf({ "a.h5": bytes }, "a.h5");
    expect(fault(entries, "zz")).toBe('is another name of "/"');
    expect(numbersOf(tensorIn(entries, "g/a"))).toEqual(numbers(2));
  });

  it("refuses groups that are nested too deep", () => {
    let node: WrittenGroup = { links: { a: array([1]) } };
    for (let k = 0; k < 100; k++) node = { links: { g: node } };
    const [entry] = entriesOf({ "a.h5": hdf5(node) }, "a.h5");
    expect(entry.kind === "failed" && entry.error.message).toMatch(/deeper than 64 groups/);
  });

  it("reads a few rows at a time of what is in chunks", () => {
    const shape = [4096, 64];
    const file = hdf5({ links: { a: array(shape, { chunk: [16, 32], filters: [1] }) } });
    const tensor = tensorIn(entriesOf({ "a.h5": file }, "a.h5"), "a");
    expect(tensor.unpacked).toBeUndefined();
    const { largest } = allocations(() => {
      const opened = tensor.open();
      for (let row = 0; row < 4096; row += 64) opened.numbers(row * 64, 64 * 64);
    });
    expect(largest).toBeLessThan(2 ** 16);
  });

  it("allocates no more than its size allows, whatever it says", () => {
    const how = { chunk: [2 ** 30], filters: [1] } as const;
    const file = hdf5({ links: { a: { ...array([4]), ...how, data: new Uint8Array(0), missing: [0] } } }, {});
    const { largest } = allocations(() => {
      const entries = entriesOf({ "a.h5": file }, "a.h5");
      expect(fault(entries, "a")).toMatch(/inflates to 4294967296 bytes/);
    });
    expect(largest).toBeLessThan(2 ** 20);
  });

  it("answers or is refused, whatever becomes of it", () => {
    const links: WrittenGroup["links"] = {
      a: array([5, 4], { chunk: [2, 3], filters: [2, 1, 3] }),
      g: { links: { b: array([3]), c: array([4, 4], { chunk: [2, 2], index: "fixed" }) } },
      d: { ...array([2]), attributes: { text: heapText("abc") } },
    };
    for (const version of [0, 2] as const)
      fc.assert(
        fc.property(mutations(hdf5({ links }, { version })), (bytes) => {
          try {
            for (const entry of entriesOf({ "a.h5": bytes }, "a.h5")) {
              if (entry.kind === "failed") checkError(entry.error);
              if (entry.kind === "tensor" && entry.bytes < 1e6) numbersOf(entry);
            }
          } catch (error) {
            checkError(error);
          }
        }),
        { numRuns: 400, seed: 1 },
      );
  });
});

const script = pathOf(import.meta.dirname, "hdf5-files.py");
const python = ["/usr/bin/python3", "python3"].find((path) => {
  try {
    execFileSync(path, ["-c", "import h5py"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});
const lacking = python === undefined ? " (skipped: no python3 here has h5py)" : "";

describe.skipIf(python === undefined)(`HDF5 as h5py writes it${lacking}`, () => {
  it("has the same numbers", { timeout: 300_000 }, () => {
    const folder = mkdtempSync(pathOf(tmpdir(), "hdf5-"));
    try {
      execFileSync(python ?? "", [script, folder]);
      const files = readdirSync(folder).filter((name) => name.endsWith(".h5"));
      expect(files.length).toBeGreaterThan(7);
      for (const file of files) compare(pathOf(folder, file));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // The tests write no checksums, which h5py asks for in the new structures.
  it("has the numbers of the files of the old structures that these tests write", { timeout: 60_000 }, () => {
    const folder = mkdtempSync(pathOf(tmpdir(), "hdf5-"));
    try {
      const written = [{}, { chunk: [3, 4] }, { chunk: [3, 4], filters: [2, 1, 3] }];
      const links = Object.fromEntries(written.map((one, k) => [`a${k}`, array([7, 10], one)]));
      for (const form of forms.filter(({ version }) => version === 0)) {
        const path = pathOf(folder, "a.h5");
        writeFileSync(path, hdf5({ links, attributes: { t: heapText("abc") } }, form));
        const code = "import h5py, json, sys\nf = h5py.File(sys.argv[1])\n";
        const print = "print(json.dumps([f.attrs['t']] + [f[k][()].ravel().tolist() for k in sorted(f)]))";
        const how = { encoding: "utf8", timeout: 20_000 } as const;
        const output = execFileSync(python ?? "", ["-c", code + print, path], how);
        expect(JSON.parse(output), JSON.stringify(form)).toEqual(["abc", ...written.map(() => numbers(70))]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Compares every array of a file with the numbers that h5py read of it. */
function compare(path: string): void {
  const container = new Hdf5Container(memorySource(readFileSync(path)));
  const truth: Record<string, { shape: number[]; numbers: number[] }> = JSON.parse(
    readFileSync(`${path}.json`, "utf8"),
  );
  for (const [name, { shape, numbers: expected }] of Object.entries(truth)) {
    const dataset = container.find(container.root, name)?.dataset();
    if (dataset?.type.kind !== "number") throw new Error(`${path} ${name}`);
    expect(dataset.shape, name).toEqual(shape);
    const { dtype } = dataset.type;
    const data = readNpyData(dataset.locate().open(), { dtype, shape, fortran: false, dataOffset: 0 });
    const decode = dtype.name === "float16" ? halfDecoder("float16") : (x: number) => x;
    expect(Array.from(data, decode), `${path} ${name}`).toEqual(expected);
  }
  const attributes = container.find(container.root, "attributes");
  for (let k = 0; k < 100; k++) expect(attributes?.texts(`a${k}`)).toEqual([`text ${k}`]);
  expect(attributes?.texts("long")?.[0]).toHaveLength(70_000);
  expect(attributes?.texts("list")).toEqual(["x", "yy", "é"]);
}
