import assert from "node:assert/strict";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { AuditFlags } from "../../src/cli/audit-options.js";
import { runAudit } from "../../src/cli/run-audit.js";
import { OutputError } from "../../src/files/writable.js";
import { SpectralNormError } from "../../src/index.js";
import { floats, safetensors, text } from "../files/models.js";

/** A call of the audit in a folder of files, and what the folder holds besides. */
export interface Call {
  readonly models: readonly string[];
  readonly against: string | undefined;
  readonly report: string | undefined;
  readonly resume: string | undefined;
  readonly options: AuditFlags;
  /** those with which the folder's own journal was begun */
  readonly begunWith: AuditFlags;
  /** the number of the first model that is another since then; undefined: none */
  readonly changed: number | undefined;
  /** how many bytes of that journal are left */
  readonly kept: number;
  /** what somebody has written behind it */
  readonly behind: string;
}

/** What each model is read from. */
const MODELS: Readonly<Record<string, readonly string[]>> = {
  "m.safetensors": ["m.safetensors"],
  "n.safetensors": ["n.safetensors"],
  "soft-model": ["m.safetensors"],
  "index.json": ["index.json", "m.safetensors", "broken"],
  "model.json": ["model.json", "nothing"],
  journal: ["journal"],
  empty: ["empty"],
  missing: [],
};

const OUTPUTS = [
  ...Object.keys(MODELS),
  ..."nothing broken notes hard-model hard-journal soft-journal softer-journal page soft-page circle folder".split(
    " ",
  ),
  ..."new folder/new ./new folder/../new ahead ahead-too lost missing/new new/".split(" "),
];

const options: fc.Arbitrary<AuditFlags> = fc.constantFrom<AuditFlags>({}, {}, { top: 2 }, { certify: true });

const names = fc.constantFrom(...Object.keys(MODELS));
const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
/** An output; most often the one that is there and may be written. */
const output = (own: string) =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(own, undefined) },
    { weight: 2, arbitrary: fc.constantFrom(...OUTPUTS) },
  );

export const calls: fc.Arbitrary<Call> = fc.record({
  models: fc.array(fc.oneof(fc.constant("m.safetensors"), names), { minLength: 1, maxLength: 2 }),
  against: rarely(names),
  report: output("page"),
  resume: output("journal"),
  options,
  begunWith: options,
  changed: fc.option(fc.nat({ max: 5 }), { nil: undefined, freq: 2 }),
  kept: fc.oneof(
    { weight: 2, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
    { weight: 1, arbitrary: fc.nat({ max: 1200 }) },
  ),
  behind: fc.oneof(
    { weight: 6, arbitrary: fc.constant("") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "\n",
        "{",
        '{"journal":{"program":"spectral-norm audit",',
        "a note",
        "a note\n",
      ),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
  ),
});

const model = (numbers: readonly number[], ...names: string[]) =>
  safetensors(names.map((name) => ({ name, dtype: "F64", shape: [2, 3], data: floats("F64", numbers) })));

/**
 * Throws where a file is changed that is not the command's own, an answer is not the one that a call without outputs
 * gives, or something is left behind.
 */
export async function write(call: Call): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fuzz-outputs-"));
  const before = process.cwd();
  try {
    process.chdir(folder);
    await prepare(call);
    await tryOut(call);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
}

async function prepare({ begunWith, changed, kept, behind }: Call): Promise<void> {
  const numbers = [3, 1, 4, 1, 5, 9];
  writeFileSync("m.safetensors", model(numbers, "a", "b"));
  writeFileSync("n.safetensors", model([2, 7, 1, 8, 2, 8], "a"));
  await outcomeOf(["m.safetensors"], { report: "page", resume: "journal", ...begunWith });
  if (changed !== undefined) {
    numbers[changed] += 1e-9;
    writeFileSync("m.safetensors", model(numbers, "a", "b"));
  }
  writeFileSync("journal", Buffer.concat([readFileSync("journal").subarray(0, kept), Buffer.from(behind)]));
  // Parts of models that could be taken for what the command has written.
  writeFileSync("broken", readFileSync("page"));
  writeFileSync("nothing", "");
  writeFileSync("empty", "");
  writeFileSync("notes", "do not lose this");
  writeFileSync("index.json", text({ weight_map: { a: "m.safetensors", c: "broken" } }));
  writeFileSync("model.json", text({ weightsManifest: [{ paths: ["nothing"], weights: [] }] }));
  mkdirSync("folder");
  linkSync("m.safetensors", "hard-model");
  linkSync("journal", "hard-journal");
  symlinkSync("m.safetensors", "soft-model");
  symlinkSync("journal", "soft-journal");
  symlinkSync("soft-journal", "softer-journal");
  symlinkSync("page", "soft-page");
  symlinkSync("circle", "circle");
  symlinkSync("folder/new", "ahead");
  symlinkSync("../new", "folder/up");
  symlinkSync("folder/up", "ahead-too");
  symlinkSync("missing/new", "lost");
}

async function tryOut(call: Call): Promise<void> {
  const { models, report, resume } = call;
  const flags: AuditFlags = {
    ...call.options,
    ...(call.against !== undefined && { against: call.against }),
    json: true,
  };
  const before = everything();
  const own = [
    ...(report === undefined ? [] : ownedBy(report, PAGE, call)),
    ...(resume === undefined ? [] : ownedBy(resume, JOURNAL, call)),
  ];
  const journalBefore = resume === undefined ? "" : contentOf(resume);
  const found = await outcomeOf(models, {
    ...flags,
    ...(report !== undefined && { report }),
    ...(resume !== undefined && { resume }),
  });
  const after = everything();
  for (const name of Object.keys(after)) assert.ok(!/\.tmp$/.test(name), `${name} is left behind`);
  if (typeof found !== "object") {
    assert.deepEqual(after, before, `refused (${found}), and yet something has changed`);
    return;
  }
  for (const [name, state] of Object.entries(before))
    if (!own.includes(name)) assert.equal(after[name], state, `${name} is changed`);
  const plain = await outcomeOf(models, flags);
  assert.deepEqual(found, plain, "the answers are those without outputs");
  if (report !== undefined) assert.match(contentOf(report), /^<!doctype html>[\s\S]*<\/html>\n$/);
  if (resume !== undefined) {
    const journal = contentOf(resume);
    const whole = journalBefore.slice(0, journalBefore.lastIndexOf("\n") + 1);
    assert.ok(journal.startsWith(whole), "the answers that were there are still there");
    const torn = journalBefore.slice(whole.length);
    assert.ok(JOURNAL.startsWith(torn.slice(0, JOURNAL.length)), "what is cut off is a part of an answer");
    assert.ok(journal === "" || journal.endsWith("}\n"));
  }
}

const PAGE =
  '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="spectral-norm audit">';
const JOURNAL = '{"journal":{"program":"spectral-norm audit",';

/** Names under which an output may change something that is there; none where it has to be refused. */
function ownedBy(path: string, mark: string, { models, against }: Call): string[] {
  const target = statOf(path);
  if (!target?.isFile()) return [];
  const read = [...models, ...(against === undefined ? [] : [against])].flatMap((name) => MODELS[name]);
  if (read.some((name) => statOf(name)?.ino === target.ino)) return [];
  const content = contentOf(path);
  if (content !== "" && !content.startsWith(mark)) return [];
  return Object.keys(everything()).filter(
    (name) => statOf(name)?.ino === target.ino && !lstatSync(name).isSymbolicLink(),
  );
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function contentOf(path: string): string {
  return statOf(path)?.isFile() ? readFileSync(path, "utf8") : "";
}

/** Every name in the folder, with what is behind it. */
function everything(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(".", { recursive: true, encoding: "utf8" }).map((name) => {
      const status = lstatSync(name);
      if (status.isSymbolicLink()) return [name, `-> ${readlinkSync(name)}`];
      return [name, status.isFile() ? `${status.ino} ${readFileSync(name, "latin1")}` : "folder"];
    }),
  );
}

/** What is printed and the status; of a refusal its message. */
async function outcomeOf(models: readonly string[], flags: AuditFlags): Promise<object | string> {
  const [stdout, stderr] = [[] as string[], [] as string[]];
  try {
    const status = await runAudit(models, flags, {
      stdout: { write: (line) => stdout.push(line) },
      stderr: { write: (line) => stderr.push(line) },
      progress: { show() {}, clear() {}, end() {} },
      isStdout: () => false,
    });
    return { status, stdout, stderr };
  } catch (error) {
    if (!(error instanceof SpectralNormError) || error instanceof OutputError) throw error;
    assert.equal(stdout.length + stderr.length, 0, "a refusal comes before everything else");
    return error.message;
  }
}
