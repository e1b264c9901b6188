import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { AuditFlags } from "../../src/cli/audit-options.js";
import { createRandom } from "../../src/numerics/random.js";
import { floats, type SafetensorsPart, safetensors, text } from "../files/models.js";
import { encode, npy, zip } from "../files/writers.js";
import { answers, auditOf } from "./models.js";

const root = mkdtempSync(join(tmpdir(), "journal-"));
afterAll(() => rmSync(root, { recursive: true }));

const random = createRandom(11);
const weight = (name: string, shape: readonly number[]): SafetensorsPart => ({
  name,
  dtype: "F32",
  shape,
  data: floats(
    "F32",
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
  ),
});
const parts = [
  weight("a", [5, 4]),
  weight("conv", [3, 2, 3, 3]),
  weight("embed", [6, 4]),
  weight("z", [2, 7]),
];

let count = 0;
let folder = "";
let model = "";
let journal = "";
beforeEach(() => {
  folder = mkdtempSync(join(root, `${count++}-`));
  model = join(folder, "model.safetensors");
  journal = join(folder, "journal.jsonl");
  writeFileSync(model, safetensors(parts));
});

/** Writes a file under the name of another one, with nothing about it to be seen from outside. */
function replace(path: string, bytes: Uint8Array): void {
  const { atime, mtime } = statSync(path);
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

/** What `--resume` refuses, and that it leaves the journal as it was. */
async function refused(flags: AuditFlags, why: RegExp): Promise<void> {
  const before = readFileSync(journal, "utf8");
  await expect(auditOf([model], { ...flags, resume: journal, json: true })).rejects.toThrow(why);
  expect(readFileSync(journal, "utf8")).toBe(before);
}

/** The lines of standard error, but for those that count what is left out of a model by design. */
function complaints(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line !== "" && !/ left out[ :]/.test(line));
}

describe("--resume belongs to the tensors", () => {
  it.each([0, 1, 3])("one number of tensor %i is another, at the same size and time", async (index) => {
    await auditOf([model], { resume: journal });
    const changed = parts.map((part, k) => {
      const data = Uint8Array.from(part.data);
      // The lowest bit of the last number.
      if (k === index) data[data.length - 4] ^= 1;
      return { ...part, data };
    });
    replace(model, safetensors(changed));
    await refused(
      {},
      new RegExp(`line ${Math.min(index, 2) + 1} is about "${parts[index].name}" .*has changed`),
    );
  });

  it("of any size, and read a few rows at a time too", async () => {
    const large = weight("large", [700, 900]);
    writeFileSync(model, safetensors([large]));
    const whole = await auditOf([model], { resume: journal, json: true, memory: 1e5 });
    expect((await auditOf([model], { resume: journal, json: true })).stdout).toBe(whole.stdout);
    const data = Uint8Array.from(large.data);
    data[data.length >> 1] ^= 1;
    replace(model, safetensors([{ ...large, data }]));
    await refused({ memory: 1e5 }, /has changed/);
  });

  it.each<[string, SafetensorsPart[]]>([
    ["shape", [{ ...parts[0], shape: [4, 5] }, ...parts.slice(1)]],
    ["dtype", [{ ...parts[0], dtype: "F16", shape: [10, 4] }, ...parts.slice(1)]],
    ["name", [{ ...parts[0], name: "b" }, ...parts.slice(1)]],
    ["place among vectors", [{ ...parts[0], shape: [20] }, ...parts.slice(1)]],
  ])("another %s of the same bytes", async (_, changed) => {
    await auditOf([model], { resume: journal });
    replace(model, safetensors(changed));
    await refused({}, /line 1 is about "a" of .*(has changed|is no weight matrix of it any more)/);
  });

  it("another layout by another kind of file", async () => {
    const npz = join(folder, "model");
    const data = encode("<f4", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const shape = [2, 3, 2];
    writeFileSync(npz, safetensors([{ name: "w", dtype: "F32", shape, data }]));
    const before = await answers([npz], { resume: journal });
    expect(before.status).toBe(0);
    writeFileSync(npz, zip([{ name: "w.npy", content: npy({ descr: "<f4", shape, data }) }]));
    await expect(auditOf([npz], { resume: journal })).rejects.toThrow(/has changed/);
  });

  it("the scale that turns a quantized tensor into numbers", async () => {
    const manifest = join(folder, "model.json");
    const put = (scale: number) =>
      writeFileSync(
        manifest,
        text({
          weightsManifest: [
            {
              paths: ["w.bin"],
              weights: [
                {
                  name: "w",
                  shape: [2, 3],
                  dtype: "float32",
                  quantization: { dtype: "uint8", scale, min: 0 },
                },
              ],
            },
          ],
        }),
      );
    writeFileSync(join(folder, "w.bin"), Uint8Array.of(1, 2, 3, 4, 5, 7));
    put(0.5);
    await auditOf([manifest], { resume: journal });
    put(0.25);
    await expect(auditOf([manifest], { resume: journal })).rejects.toThrow(/has changed/);
  });

  it("does not ask where the file is, when it was written, or in which part", async () => {
    const whole = await auditOf([model], { json: true });
    await auditOf([model], { resume: journal, shard: { index: 1, count: 2 } });
    cpSync(model, `${model}.copy`);
    rmSync(model);
    cpSync(`${model}.copy`, model);
    utimesSync(model, 1, 1);
    const rest = await auditOf([model], { resume: journal, shard: { index: 2, count: 2 }, json: true });
    const again = await auditOf([model], { resume: journal, json: true });
    expect(complaints(rest.stderr + again.stderr)).toEqual([]);
    expect(again.stdout).toBe(whole.stdout);
    expect(readFileSync(journal, "utf8").split("\n").length).toBe(4);
  });

  it("says what is wrong with a tensor that can no longer be read, and gives no old answer for it", async () => {
    await auditOf([model], { resume: journal });
    const before = readFileSync(journal, "utf8");
    writeFileSync(model, readFileSync(model).subarray(0, -8));
    const { status, stderr, lines } = await answers([model], { resume: journal });
    expect(status).toBe(2);
    expect(complaints(stderr)).toHaveLength(1);
    expect(lines.map(({ tensor }) => tensor)).not.toContain("z");
    expect(readFileSync(journal, "utf8")).toBe(before);
  });
});

describe("--resume belongs to the options", () => {
  const conv = { conv: "operator", input: [8, 8] } as const;
  const sets: readonly (readonly [AuditFlags, string])[] = [
    [{}, ""],
    [{ rtol: 1e-3 }, "--rtol 0.001"],
    [{ rtol: 1e-4 }, "--rtol 0.0001"],
    [{ top: 2 }, "--top 2"],
    [{ top: 3 }, "--top 3"],
    [{ certify: true }, "--certify"],
    [{ certify: true, maxCost: 1 }, "--max-cost 1"],
    [{ certify: true, memory: 100 }, "--memory 100"],
    [{ layout: "tensorflow" }, "--layout tensorflow"],
    [{ layout: "pytorch" }, "--layout pytorch"],
    [{ embeddings: true }, "--embeddings"],
    [conv, "--conv operator"],
    [{ ...conv, input: [8, 9] }, "--input 8x9"],
    [{ ...conv, boundary: "circular" }, "--boundary circular"],
  ];

  it.each(sets)("%j", async (flags, typed) => {
    const first = await auditOf([model], { ...flags, resume: journal, json: true });
    const before = readFileSync(journal, "utf8");
    // The same ones are gone on with; a journal's lines are the answers.
    expect((await auditOf([model], { ...flags, resume: journal, json: true })).stdout).toBe(first.stdout);
    for (const [others] of sets) {
      if (others === flags) continue;
      await refused(others, /line 1 was written (with|without) --[a-z-]+( [^ ]+)?[,;]/);
    }
    if (typed !== "")
      await refused({}, new RegExp(`line 1 was written with (--certify|--conv operator|${typed});`));
    expect(readFileSync(journal, "utf8")).toBe(before);
  });

  it("takes more threads, and another memory where nothing is proven", async () => {
    await auditOf([model], { resume: journal });
    expect((await auditOf([model], { resume: journal, threads: 2, memory: 1e9 })).status).toBe(0);
  });
});

describe("a journal that is something else is refused, and stays as it is", () => {
  const MARK = '{"journal":{"program":"spectral-norm audit",';
  const made = () => {
    const lines = readFileSync(journal, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  };
  it.each<[string, (lines: ReturnType<typeof made>) => string, RegExp]>([
    [
      "by another version",
      (l) => lined({ ...l[0], journal: { ...l[0].journal, version: "0.0.1" } }),
      /by version "0\.0\.1"/,
    ],
    ["a line that is no JSON", (l) => `${lined(l[0])}note\n`, /line 2 is not an answer/],
    ["a line of something else", (l) => `${lined(l[0])}{"file":"x"}\n`, /line 2 is not an answer/],
    [
      "an answer of no known origin",
      (l) => lined(l[0], { ...l[0], journal: undefined }),
      /line 2 is not an answer/,
    ],
    ["an empty line", (l) => `${lined(l[0])}\n`, /line 2 is not an answer/],
    [
      "no fingerprint",
      (l) => lined({ ...l[0], journal: { ...l[0].journal, fingerprint: 1 } }),
      /line 1 is not/,
    ],
    ["a note without an end", (l) => `${lined(l[0])}remember this`, /last line is not an answer/],
    ["the mark and nothing of ours behind it", () => `${MARK} my own thoughts}\n`, /line 1 is not an answer/],
    ["a part of the mark", () => MARK.slice(0, 20), /exists and is not a file that --resume wrote/],
    [
      "an answer of an earlier version",
      (l) => lined({ ...l[0], journal: undefined }),
      /exists and is not .*earlier version/,
    ],
  ])("%s", async (_, content, why) => {
    await auditOf([model], { resume: journal });
    writeFileSync(journal, content(made()));
    await refused({}, why);
  });

  function lined(...values: object[]): string {
    return values.map((value) => `${JSON.stringify(value)}\n`).join("");
  }
});
