import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import fc from "fast-check";
import { Matrix, SVD } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import { SpectralNormError } from "../../src/matrix/errors.js";
import { answers } from "../audit/models.js";
import {
  BLOCKS,
  draw,
  type GgufHeader,
  type GgufPart,
  gguf,
  string,
  TYPE,
  u32,
  u64,
  weightBlocks,
} from "./gguf-writer.js";
import { checkError, largestAllocation, mutations } from "./hostile.js";
import { entriesOf, type Files, fault, floats, numbersOf, tensorIn } from "./models.js";
import { denseNorms } from "./safetensors-parts.js";
import { join } from "./writers.js";

const numbers = [1, -2, 0.5, 4, -0.25, 3];
const read = (bytes: Uint8Array) => entriesOf({ "m.gguf": bytes }, "m.gguf");
const plain = (name: string, changes: Partial<GgufPart> = {}): GgufPart => ({
  ...{ name, type: TYPE.F32, dims: [3, 2], data: floats("F32", numbers) },
  ...changes,
});
const refused = (bytes: Uint8Array) => {
  try {
    read(bytes);
  } catch (error) {
    return checkError(error).message;
  }
  throw new Error("was read");
};

/** Scales of every kind, many of them at the ends of float16. */
const anyScale = (any: (limit: number) => number) => () =>
  [0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e01][any(80)] ?? any(0x10000);

describe("a GGUF file", () => {
  it("gives the numbers of each float type, axes slowest first", () => {
    const types = ["F64", "F32", "F16", "BF16"] as const;
    const entries = read(
      gguf(types.map((type) => plain(type, { type: TYPE[type], data: floats(type, numbers) }))),
    );
    expect(entries.map(({ name }) => name)).toEqual(types);
    for (const { name } of entries) {
      expect(tensorIn(entries, name)).toMatchObject({ shape: [2, 3], layout: "pytorch" });
      expect(numbersOf(tensorIn(entries, name))).toEqual(numbers);
    }
    expect(tensorIn(entries, "BF16").dtype).toBe("bfloat16");
  });

  it.each(Object.keys(BLOCKS))("gives the numbers of %s, in runs that begin and end anywhere", (type) => {
    const { length, size, make } = BLOCKS[type];
    const any = draw(17);
    // More bytes than are decoded at once.
    const blocks = Array.from({ length: 2 * Math.ceil(20_000 / size) }, () => make(any, anyScale(any)));
    const values = blocks.flatMap((block) => block.values);
    const data = join(...blocks.map(({ bytes }) => bytes));
    const dims = [(length * blocks.length) / 2, 2];
    const entries = read(gguf([plain("before"), plain("w", { type: TYPE[type as "Q4_0"], dims, data })]));
    const tensor = tensorIn(entries, "w");
    expect(tensor).toMatchObject({ shape: dims.toReversed(), dtype: "float32", bytes: 4 * values.length });
    const opened = tensor.open();
    const expectRun = (first: number, count: number) => {
      const run = opened.numbers(first, count);
      expect(run).toBeInstanceOf(Float32Array);
      expect(run.length).toBe(count);
      for (let i = 0; i < count; i++)
        if (!Object.is(run[i], values[first + i])) expect([i, run[i]]).toEqual([i, values[first + i]]);
    };
    expectRun(0, values.length);
    for (let k = 0; k < 200; k++) {
      const first = any(values.length);
      expectRun(first, any(Math.min(values.length - first, 3 * length)));
    }
    opened.close();
  });

  it("is read by its first bytes, whatever its name, in version 2 as well", () => {
    const file = gguf([plain("w")], { version: 2 });
    for (const name of ["m.gguf", "blob", "m.bin", "sha256-4f1a"])
      expect(numbersOf(tensorIn(entriesOf({ [name]: file }, name), "w")), name).toEqual(numbers);
  });

  it("skips metadata of every type, and heeds the alignment", () => {
    const strings = join(u32(8), u64(3), string("a"), string(""), string("ü".repeat(40_000)));
    const metadata: GgufHeader["metadata"] = [
      ...[1, 1, 2, 2, 4, 4, 4, 1].map((bytes, type) => [`k${type}`, type, new Uint8Array(bytes)] as const),
      ["general.alignment", 4, u32(64)],
      ["s", 8, string("x".repeat(100_000))],
      ["a", 9, strings],
      ["n", 9, join(u32(9), u64(2), u32(5), u64(1), u32(7), strings)],
      ["b", 9, join(u32(0), u64(70_000), new Uint8Array(70_000))],
      ...[10, 11, 12].map((type) => [`k${type}`, type, u64(1)] as const),
    ];
    const entries = read(gguf([plain("v"), plain("w")], { alignment: 64, metadata }));
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(numbers);
  });

  it("leaves out integers and types that are not decoded, by name", () => {
    const entries = read(
      gguf([
        ...(["I8", "I16", "I32", "I64"] as const).map((type) =>
          plain(type, { type: TYPE[type], dims: [3], data: new Uint8Array(24) }),
        ),
        plain("iq", { type: TYPE.IQ2_XXS, dims: [256], data: new Uint8Array(66) }),
        plain("new", { type: 99 }),
        plain("w"),
      ]),
    );
    for (const type of ["I8", "I16", "I32", "I64"])
      expect(fault(entries, type)).toBe(`its type ${type} is one of integers`);
    expect(fault(entries, "iq")).toMatch(/^its type IQ2_XXS is none of F64, F32, .*MXFP4$/);
    expect(fault(entries, "new")).toMatch(/^its type 99 is none of/);
    expect(entries.map(({ kind }) => kind)).toEqual([...Array(6).fill("left out"), "tensor"]);
  });

  it("gives each of stacked experts, quantized or not, and leaves out their biases", () => {
    const { bytes, values } = weightBlocks("Q4_0", 12, 1);
    const entries = read(
      gguf([
        { name: "blk.0.ffn_up_exps.weight", type: TYPE.Q4_0, dims: [64, 2, 3], data: bytes },
        plain("blk.0.ffn_up_exps.bias"),
        plain("conv.weight", { dims: [3, 1, 2] }),
      ]),
    );
    const names = [0, 1, 2].map((k) => `blk.0.ffn_up_exps.weight[${k}]`);
    expect(entries.map(({ name }) => name)).toEqual([...names, "blk.0.ffn_up_exps.bias", "conv.weight"]);
    for (const [k, name] of names.entries()) {
      expect(tensorIn(entries, name).shape).toEqual([2, 64]);
      expect(numbersOf(tensorIn(entries, name))).toEqual(values.slice(128 * k, 128 * (k + 1)));
    }
    expect(fault(entries, "blk.0.ffn_up_exps.bias")).toBe("is a vector for each expert");
    expect(tensorIn(entries, "conv.weight").shape).toEqual([2, 1, 3]);
  });
});

describe("a damaged GGUF file", () => {
  const file = gguf([plain("v"), plain("w")]);

  it("is refused in another version or byte order", () => {
    expect(refused(gguf([], { version: 1 }))).toMatch(/^is GGUF of version 1, .*2 and 3 .*convert/);
    expect(refused(gguf([], { version: 4 }))).toBe("is GGUF of version 4, and versions 2 and 3 are read");
    expect(refused(gguf([], { version: 0x03000000 }))).toMatch(/big-endian/);
    expect(refused(gguf([], { magic: "GGML" }))).toMatch(/does not begin with "GGUF"/);
  });

  it("is refused for counts and lengths beyond it, before anything is allocated", () => {
    const huge = [2 ** 20, 2 ** 40, 2n ** 63n, 2n ** 64n - 1n];
    const pair = (type: number, value: Uint8Array): GgufHeader => ({ metadata: [["k", type, value]] });
    for (const count of huge) {
      const cases: [Uint8Array, RegExp][] = [
        [gguf([plain("w")], { tensors: count }), /tensors are promised, more than/],
        [gguf([plain("w")], { pairs: count }), /keys are promised, more than/],
        [gguf([plain("w")], pair(8, u64(count))), /goes on beyond/],
        [gguf([plain("w")], pair(9, join(u32(4), u64(count)))), /goes on beyond/],
        [gguf([plain("w")], pair(9, join(u32(8), u64(count)))), /goes on beyond|has the unknown type/],
        [join(file.slice(0, 24), u64(count), file.slice(32)), /a name of \d+ bytes at byte 32/],
      ];
      for (const [bytes, message] of cases)
        expect(largestAllocation(() => expect(refused(bytes)).toMatch(message))).toBeLessThan(2 ** 17);
    }
    const nested = join(...Array.from({ length: 20 }, () => join(u32(9), u64(1))));
    expect(refused(gguf([], pair(9, nested)))).toMatch(/"k" is nested deeper than 8 levels/);
    expect(refused(gguf([], pair(13, u32(1))))).toMatch(/"k" has the unknown type 13/);
    expect(refused(gguf([plain("w", { dims: [1, 1, 1, 1, 6] })]))).toMatch(/"w" has 5 axes/);
    for (let length = 0; length < 106; length++) expect(refused(file.slice(0, length))).not.toBe("");
  });

  it("is refused for an alignment that is none", () => {
    const aligned = (type: number, value: Uint8Array) =>
      gguf([plain("w")], { metadata: [["general.alignment", type, value]] });
    for (const value of [0, 3, 48]) expect(refused(aligned(4, u32(value)))).toMatch(/not a power of two/);
    expect(refused(aligned(8, string("32")))).toBe("its general.alignment is not an unsigned integer");
    const twice = ["general.alignment", 4, u32(32)] as const;
    expect(refused(gguf([], { metadata: [twice, twice] }))).toBe('has the key "general.alignment" twice');
  });

  it("costs the tensors that are wrong a line each, and no others", () => {
    const entries = read(
      gguf([
        plain("good"),
        plain("far", { offset: 2 ** 40 }),
        plain("farther", { offset: 2n ** 64n - 32n }),
        plain("unaligned", { offset: 4 }),
        plain("long", { dims: [2n ** 63n, 1] }),
        plain("many", { dims: [2 ** 30, 2 ** 30] }),
        plain("good", { dims: [2, 3] }),
        plain("rows", { type: TYPE.Q4_K, dims: [128, 2], data: new Uint8Array(144) }),
        plain("scalar", { dims: [] }),
        plain("none", { dims: [0, 5], data: new Uint8Array(0) }),
      ]),
    );
    expect(numbersOf(tensorIn(entries, "good"))).toEqual(numbers);
    expect(fault(entries, "far")).toMatch(/^ends at byte \d+, and the file has/);
    expect(fault(entries, "farther")).toMatch(/is not a multiple of the alignment/);
    expect(fault(entries, "unaligned")).toBe("its offset 4 is not a multiple of the alignment, 32");
    expect(fault(entries, "long")).toMatch(/beyond 2\^53/);
    expect(fault(entries, "many")).toMatch(/more than 2\^53 numbers/);
    expect(fault(entries, "rows")).toBe("its rows of 128 numbers are not made of Q4_K's blocks of 256");
    expect(entries.filter(({ name }) => name === "good").map(({ kind }) => kind)).toEqual([
      "tensor",
      "failed",
    ]);
    expect(tensorIn(entries, "scalar").shape).toEqual([]);
    expect(tensorIn(entries, "none").shape).toEqual([5, 0]);
  });

  it("fails tensors that overlap, all of them", () => {
    const entries = read(
      gguf([
        plain("a", { dims: [3, 6], data: floats("F32", [...numbers, ...numbers, ...numbers]) }),
        plain("b", { offset: 32 }),
        plain("c"),
        plain("i", { type: TYPE.I32, dims: [4], offset: 192, data: new Uint8Array(16) }),
        plain("d", { offset: 192, data: new Uint8Array(64) }),
      ]),
    );
    expect(fault(entries, "a")).toBe('its bytes overlap those of "b"');
    expect(fault(entries, "b")).toBe('its bytes overlap those of "a"');
    expect(fault(entries, "d")).toBe('its bytes overlap those of "i"');
    expect(tensorIn(entries, "c").kind).toBe("tensor");
  });

  it("fails tensors that overlap one of a type that is not read", () => {
    const entries = read(
      gguf([
        plain("a", { type: TYPE.IQ2_XXS, dims: [256, 1], data: new Uint8Array(66) }),
        plain("b", { offset: 64 }),
        plain("c", { type: TYPE.IQ2_XXS, dims: [256, 1], offset: 96, data: new Uint8Array(128) }),
        plain("rows", { type: TYPE.IQ2_XXS, dims: [100, 1] }),
        plain("far", { type: TYPE.IQ2_XXS, dims: [256, 1], offset: 2 ** 30 }),
      ]),
    );
    expect(fault(entries, "a")).toBe('its bytes overlap those of "b"');
    expect(fault(entries, "b")).toBe('its bytes overlap those of "a"');
    expect(fault(entries, "c")).toMatch(/^its type IQ2_XXS is none of F64, /);
    expect(fault(entries, "rows")).toMatch(/rows of 100 numbers are not made of IQ2_XXS's blocks of 256/);
    expect(fault(entries, "far")).toMatch(/^ends at byte/);
  });

  it("says in one line which tensors a file that is cut short is without", () => {
    const whole = gguf(Array.from({ length: 100 }, (_, k) => plain(`w${k}`)));
    const entries = read(whole.subarray(0, whole.length - 98 * 32 - 9));
    expect(entries.filter(({ kind }) => kind === "tensor")).toHaveLength(1);
    expect(fault(entries, "w1")).toMatch(/^ends at byte .*the same holds for 98 more: "w2", .*"w6", …$/);
  });

  it("is answered or refused, whatever becomes of its bytes", () => {
    const { bytes } = weightBlocks("Q4_K", 1, 3);
    const parts = [plain("v"), plain("q", { type: TYPE.Q4_K, dims: [256, 1], data: bytes })];
    const original = gguf(parts, { metadata: [["a", 9, join(u32(8), u64(2), string("x"), string("y"))]] });
    fc.assert(
      fc.property(mutations(original), (mutated) => {
        try {
          for (const entry of read(mutated)) if (entry.kind === "tensor") numbersOf(entry);
        } catch (error) {
          if (!(error instanceof SpectralNormError)) throw error;
          checkError(error);
        }
      }),
      { numRuns: 400, seed: 1 },
    );
  });
});

describe("a model in several GGUF files", () => {
  const split = (count: number): GgufHeader => ({
    metadata: [["split.count", 2, new Uint8Array([count, 0])]],
  });
  const part = (k: number) => `m-0000${k}-of-00003.gguf`;
  const files: Files = {
    [part(1)]: gguf([plain("a")], split(3)),
    [part(2)]: gguf([plain("b")], split(3)),
    [part(3)]: gguf([plain("c"), plain("a")], split(3)),
  };

  it("is read by its first", () => {
    const entries = entriesOf(files, part(1));
    expect(entries.map(({ name, kind }) => [name, kind])).toEqual([
      ["a", "tensor"],
      ["b", "tensor"],
      ["c", "tensor"],
      ["a", "failed"],
    ]);
    expect(numbersOf(tensorIn(entries, "c"))).toEqual(numbers);
    const last = entries[3];
    expect(last.kind === "failed" && last.error.message).toBe(
      `in "${part(3)}": is there a second time under the same name`,
    );
  });

  it("of which a part is missing or damaged, gives the others", () => {
    const { [part(2)]: _, ...two } = files;
    expect(fault(entriesOf(two, part(1)), part(2))).toBe("no such file");
    expect(tensorIn(entriesOf(two, part(1)), "c").kind).toBe("tensor");
    const damaged = { ...files, [part(2)]: new Uint8Array(100), [part(3)]: files[part(3)].slice(0, 60) };
    const entries = entriesOf(damaged, part(1));
    expect(entries).toHaveLength(3);
    expect(fault(entries, part(2))).toMatch(/is not a GGUF file/);
    expect(fault(entries, part(3))).toMatch(/goes on beyond the 60 bytes/);
    const alone = entriesOf({ "m-00001-of-99999.gguf": files[part(1)] }, "m-00001-of-99999.gguf");
    expect(alone).toHaveLength(2);
    expect(fault(alone, "m-00002-of-99999.gguf")).toMatch(/^no such file; the same holds for 99997 more/);
  });

  it("gives a later part alone, and says when the names do not tell the others", () => {
    expect(entriesOf(files, part(2)).map(({ name }) => name)).toEqual(["b"]);
    const renamed = entriesOf({ "m.gguf": files[part(1)] }, "m.gguf");
    expect(tensorIn(renamed, "a").kind).toBe("tensor");
    expect(fault(renamed, "other parts")).toMatch(/split into 3 files.*"-00001-of-00003.gguf"/);
  });
});

describe("the audit of a GGUF model", () => {
  const folder = mkdtempSync(joinPath(tmpdir(), "gguf-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("answers what is whole and names what overlaps", async () => {
    const path = joinPath(folder, "overlap.gguf");
    const { bytes, values } = weightBlocks("Q4_K", 6, 5);
    writeFileSync(
      path,
      gguf([
        { name: "q", type: TYPE.Q4_K, dims: [256, 6], data: bytes },
        plain("a", { dims: [3, 4], data: floats("F32", [...numbers, ...numbers]) }),
        plain("b", { offset: 896 }),
      ]),
    );
    const { status, lines, stderr } = await answers([path]);
    expect(lines.map(({ tensor }) => tensor)).toEqual(["q"]);
    const { sigma } = denseNorms(values, 6);
    expect(Math.abs(lines[0].sigma / sigma - 1)).toBeLessThan(1e-6);
    expect(status).toBe(2);
    expect(stderr).toMatch(/a.*its bytes overlap those of "b"/);
    expect(stderr).toMatch(/b.*its bytes overlap those of "a"/);
  });

  it("has the norms of the decoded weights", async () => {
    const matrices = Object.entries(BLOCKS).map(([type, { length }], k) => {
      const cols = Math.max(256, length);
      const { bytes, values } = weightBlocks(type, (12 * cols) / length, k);
      return {
        name: `blk.0.${type}.weight`,
        type: TYPE[type as "Q4_0"],
        dims: [cols, 12],
        data: bytes,
        values,
      };
    });
    const bias = plain("bias", { dims: [6] });
    const first = joinPath(folder, "w-00001-of-00002.gguf");
    writeFileSync(first, gguf([bias, ...matrices.slice(0, 7)]));
    writeFileSync(joinPath(folder, "w-00002-of-00002.gguf"), gguf(matrices.slice(7)));
    const { status, lines, stderr } = await answers([first], { certify: true });
    expect(stderr).toMatch(/bias|vector/);
    expect(status).toBe(0);
    expect(lines.map(({ tensor }) => tensor)).toEqual(matrices.map(({ name }) => name));
    for (const [k, { values, dims }] of matrices.entries()) {
      const [cols, rows] = dims;
      const dense = new Matrix(
        Array.from({ length: rows }, (_, i) => values.slice(cols * i, cols * (i + 1))),
      );
      const [sigma] = new SVD(dense.transpose(), {
        computeLeftSingularVectors: false,
        computeRightSingularVectors: false,
      }).diagonal;
      const line = lines[k];
      expect(line).toMatchObject({ rows, cols, shape: [rows, cols], dtype: "float32", converged: true });
      expect(Math.abs(line.sigma / sigma - 1)).toBeLessThan(1e-6);
      expect(line.lower).toBeLessThanOrEqual(sigma * (1 + 1e-14));
      expect(line.upper).toBeGreaterThanOrEqual(sigma * (1 - 1e-14));
    }
  });
});
