import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
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
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createRandom } from "../../src/numerics/random.js";
import { floats, safetensors } from "../files/models.js";
import { encode, npy } from "../files/writers.js";
import { command, type Outcome } from "./run-command.js";

// Processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 });

const root = mkdtempSync(join(tmpdir(), "outputs-"));
afterAll(() => rmSync(root, { recursive: true }));

const random = createRandom(5);
const model = (...names: string[]) =>
  safetensors(
    names.map((name) => ({
      name,
      dtype: "F64",
      shape: [3, 4],
      data: floats(
        "F64",
        Float64Array.from({ length: 12 }, () => random.normal()),
      ),
    })),
  );

/** Runs the command in a folder, by a shell that may redirect what it writes. */
function inFolder(folder: string, argv: string, { before = "", after = "" } = {}): Outcome {
  const line = `${before} "${process.execPath}" "${command}" ${argv} ${after}`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", line], { cwd: folder, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** All that is in a folder, with the permissions. */
function everything(folder: string): Record<string, unknown> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => {
      const path = join(folder, name);
      const status = lstatSync(path);
      const content = status.isSymbolicLink()
        ? readlinkSync(path)
        : status.isFile()
          ? readFileSync(path, "latin1")
          : "";
      return [name, [status.mode, status.ino, content]];
    }),
  );
}

const experiment = "experiment --rows 2 --cols 3 --runs 1 --loops 1";

// Made once: what a user's folder may hold.
const template = join(root, "template");
mkdirSync(template);
{
  const put = (name: string, content: string | Uint8Array) => writeFileSync(join(template, name), content);
  put("m.safetensors", model("a", "b"));
  put("other.safetensors", model("a"));
  put("notes.txt", "do not lose this\n");
  put(
    "notes.html",
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>mine</title>\n',
  );
  put("answers.jsonl", '{"file":"m.safetensors","tensor":"a","sigma":1}\n');
  put("brace", "{");
  put("empty", "");
  mkdirSync(join(template, "folder"));
  put("shard-1.safetensors", model("a"));
  put("x.npy", npy({ descr: "<f8", shape: [2, 2], data: encode("<f8", [1, 2, 3, 4]) }));
  const audit = inFolder(template, "audit m.safetensors --report audit.html --resume audit.jsonl");
  if (audit.status !== 0) throw new Error(audit.stderr);
  const page = inFolder(template, `${experiment} --report experiment.html`);
  if (page.status !== 0) throw new Error(page.stderr);
  // Parts of models that could be taken for what the command wrote: still they are inputs.
  cpSync(join(template, "audit.html"), join(template, "shard-2.safetensors"));
  put(
    "model.safetensors.index.json",
    JSON.stringify({ weight_map: { a: "shard-1.safetensors", b: "shard-2.safetensors" } }),
  );
  put("lacking.index.json", JSON.stringify({ weight_map: { a: "shard-3.safetensors" } }));
  put("weights.bin", "");
  put("model.json", JSON.stringify({ weightsManifest: [{ paths: ["weights.bin"], weights: [] }] }));
}

let count = 0;
let folder = "";
beforeEach(() => {
  folder = join(root, `case-${count++}`);
  cpSync(template, folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  linkSync(at("m.safetensors"), at("hard"));
  symlinkSync("m.safetensors", at("soft"));
  symlinkSync("soft", at("softer"));
  linkSync(at("empty"), at("empty-too"));
  symlinkSync("weights.bin", at("soft-weights"));
  linkSync(at("shard-2.safetensors"), at("hard-shard"));
  symlinkSync("missing/report.html", at("nowhere"));
  symlinkSync("circle", at("circle"));
  spawnSync("mkfifo", [at("pipe")]);
});

describe("a file that is not the command's own is refused, and nothing is touched", () => {
  const exists = /exists and is not /;
  const input = /is one of the inputs/;
  it.each<[string, RegExp]>([
    ["audit m.safetensors --resume notes.txt", exists],
    ["audit m.safetensors --resume brace", exists],
    ["audit m.safetensors --resume answers.jsonl", exists],
    ["audit m.safetensors --resume audit.html", exists],
    ["audit m.safetensors --resume folder", /it is a folder/],
    ["audit m.safetensors --resume pipe", /not a regular file/],
    ["audit m.safetensors --resume /dev/null", /not a regular file/],
    // What the shell makes of *.safetensors.
    ["audit --resume m.safetensors other.safetensors", exists],
    ["audit m.safetensors --report notes.txt", exists],
    ["audit m.safetensors --report notes.html", exists],
    ["audit m.safetensors --report audit.jsonl", exists],
    ["audit m.safetensors --report other.safetensors", exists],
    ["audit m.safetensors --report experiment.html", exists],
    [`${experiment} --report audit.html`, exists],
    [`${experiment} --report notes.txt`, exists],
    [`${experiment} --report notes.html`, exists],
    [`${experiment} --report folder`, /it is a folder/],
    // Inputs, under other names too.
    ...["m.safetensors", "./folder/../m.safetensors", "hard", "soft", "softer"].flatMap(
      (name): [string, RegExp][] => [
        [`audit m.safetensors --report ${name}`, input],
        [`audit m.safetensors --resume ${name}`, input],
        [`audit other.safetensors --against m.safetensors --report ${name}`, input],
      ],
    ),
    ["audit audit.jsonl --resume audit.jsonl", input],
    ["audit audit.html --report audit.html", input],
    ["audit empty --report empty", input],
    ["audit empty --resume empty-too", input],
    ["audit model.json --report weights.bin", input],
    ["audit model.json --resume soft-weights", input],
    ["audit model.safetensors.index.json --report shard-2.safetensors", input],
    ["audit model.safetensors.index.json --report hard-shard", input],
    ["audit /dev/stdin --report m.safetensors < m.safetensors", input],
    ["audit missing m.safetensors --report missing", input],
    ["audit missing m.safetensors --report ./folder/../missing", input],
    ["audit lacking.index.json --resume shard-3.safetensors", input],
    ["audit m.safetensors --report new --resume new", /named by both --resume and --report/],
    ["audit m.safetensors --report ./folder/../new --resume new", /named by both --resume and --report/],
    ["audit m.safetensors --report empty --resume empty-too", /named by both --resume and --report/],
    ["audit m.safetensors --json --report empty > empty", /standard output/],
    ["audit m.safetensors --report /dev/stdout | cat", /standard output/],
    // What these options print is not in the journal, and would be lost.
    ...["--csv", "--left-out", "--json --left-out"].map((printed): [string, RegExp] => [
      `audit m.safetensors ${printed} --resume empty > empty`,
      /--resume needs another file/,
    ]),
    ["audit m.safetensors --report ''", /--report: expected the name of a file, got ""/],
    ["audit m.safetensors --resume ''", /--resume: expected the name of a file, got ""/],
    ["audit m.safetensors --report new/", /it is a folder/],
    ["audit m.safetensors --report nowhere", /no such folder/],
    ["audit m.safetensors --report circle", /circle/],
    [`audit m.safetensors --report ${"x".repeat(300)}`, /name is too long/],
    ["audit m.safetensors --report notes.txt/new", /not a folder/],
  ])("%s", (argv, why) => {
    const before = everything(folder);
    const { status, stdout, stderr } = inFolder(folder, argv, { before: "set -o pipefail;" });
    expect(stderr).toMatch(/^spectral-norm: [^\n]+\n$/);
    expect(stderr).toMatch(why);
    expect([status, stdout]).toEqual([2, ""]);
    expect(everything(folder)).toEqual(before);
  });
});

describe("what the command may write", () => {
  it("a report replaces the one before it, whole, and keeps its permissions", () => {
    const path = join(folder, "audit.html");
    chmodSync(path, 0o640);
    linkSync(path, join(folder, "kept.html"));
    const before = readFileSync(path, "utf8");
    expect(inFolder(folder, "audit other.safetensors --report audit.html").status).toBe(0);
    expect(readFileSync(path, "utf8")).toMatch(/<title>The spectral norms of other\.safetensors/);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    // Renamed, not written into: another name of the old file still has the old report.
    expect(readFileSync(join(folder, "kept.html"), "utf8")).toBe(before);
    expect(inFolder(folder, `${experiment} --report experiment.html`).status).toBe(0);
    expect(Object.keys(everything(folder)).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  it("symbolic links are followed, and stay", () => {
    symlinkSync("audit.html", join(folder, "link.html"));
    symlinkSync("folder/new.html", join(folder, "ahead.html"));
    for (const [link, target] of [
      ["link.html", "audit.html"],
      ["ahead.html", "folder/new.html"],
    ]) {
      const { status, stderr } = inFolder(folder, `audit other.safetensors --report ${link}`);
      expect([status, stderr]).toEqual([0, ""]);
      expect(readlinkSync(join(folder, link))).toBe(target);
      expect(readFileSync(join(folder, target), "utf8")).toContain("of other.safetensors");
    }
    symlinkSync("folder/new.jsonl", join(folder, "ahead.jsonl"));
    expect(inFolder(folder, "audit other.safetensors --resume ahead.jsonl").status).toBe(0);
    expect(readFileSync(join(folder, "folder", "new.jsonl"), "utf8")).toMatch(/^{"journal":/);
  });

  it("an empty file holds nothing that could be lost", () => {
    writeFileSync(join(folder, "empty.jsonl"), "");
    const { status, stderr } = inFolder(folder, "audit m.safetensors --report empty --resume empty.jsonl");
    expect([status, stderr]).toEqual([0, ""]);
    expect(readFileSync(join(folder, "empty"), "utf8")).toMatch(/<\/html>\n$/);
  });

  it("a pipe and a device take a report as they are", () => {
    const piped = inFolder(folder, "audit m.safetensors --report pipe > tables & cat pipe; wait $!");
    expect([piped.status, piped.stderr]).toEqual([0, ""]);
    expect(piped.stdout).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    expect(inFolder(folder, "audit m.safetensors --report >(head -c 1 > first)").stderr).toBe("");
    const device = statSync("/dev/null").ino;
    expect(inFolder(folder, "audit m.safetensors --report /dev/null").status).toBe(0);
    expect(statSync("/dev/null").ino).toBe(device);
    expect(lstatSync(join(folder, "pipe")).isFIFO()).toBe(true);
  });

  it("does not go into a journal that is standard output, but for answers", () => {
    expect(
      inFolder(folder, "audit m.safetensors --resume new.jsonl --report new.html > new.jsonl").status,
    ).toBe(0);
    expect(existsSync(join(folder, "new.html"))).toBe(true);
    const lines = readFileSync(join(folder, "new.jsonl"), "utf8").split("\n").slice(0, -1);
    expect(lines.map((line) => JSON.parse(line).tensor)).toEqual(["a", "b"]);
  });
});

const full = "spectral-norm: cannot write standard output: No space left on device\n";

describe("an answer that cannot be written costs one line and status 3", () => {
  it.each([
    "--help",
    "--version",
    "audit --help",
    experiment,
    `${experiment} --json`,
    "norm x.npy",
    "norm x.npy --json",
    "norm x.npy --certify",
    "audit m.safetensors",
    "audit m.safetensors --json",
    "audit m.safetensors --csv",
    "audit m.safetensors --json --sort sigma",
    "audit m.safetensors --json --threads 2",
    "audit m.safetensors --against other.safetensors",
  ])("%s, to a full disk", (argv) => {
    const { status, stderr } = inFolder(folder, argv, { after: "> /dev/full" });
    expect([status, stderr]).toEqual([3, full]);
  });

  it.each([
    ["norm notes.html x.npy"],
    ["audit missing.safetensors m.safetensors --json"],
    // 1 for what did not converge.
    ["norm x.npy --method power --max-iterations 1"],
  ])("%s: it outranks the other statuses", (argv) => {
    const { status, stderr } = inFolder(folder, argv, { after: "> /dev/full" });
    expect(status).toBe(3);
    expect(stderr.endsWith(full)).toBe(true);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  // A file system that is nearly full takes a part of a write and says nothing; so does a limit on a file's size.
  const limited = { before: "ulimit -f 1;" };
  const many = Array.from({ length: 40 }, () => "x.npy").join(" ");
  it.each([
    [`norm ${many} --json > out`, "standard output"],
    [`norm ${many} > out`, "standard output"],
    [`${experiment} --json > out`, "standard output"],
    ["audit m.safetensors m.safetensors m.safetensors m.safetensors --json > out", "standard output"],
    ["audit m.safetensors --json --report new.html > tables", "new.html"],
    ["audit m.safetensors --json --report audit.html > tables", "audit.html"],
    [`audit ${"m.safetensors ".repeat(9)} --resume new.jsonl > /dev/null`, "new.jsonl"],
  ])("%s, on a disk that becomes full", (argv, name) => {
    const before = everything(folder);
    const { status, stderr } = inFolder(folder, argv, limited);
    expect(stderr).toBe(`spectral-norm: cannot write ${name}: File too large\n`);
    expect(status).toBe(3);
    const { out, tables, "new.jsonl": journal, ...after } = everything(folder);
    // No temporary file, and no part of a report.
    expect(after).toEqual(before);
  });

  it("a report that fails takes nothing else with it", () => {
    const { status, stdout, stderr } = inFolder(folder, "audit m.safetensors --report /dev/full");
    expect([status, stderr]).toEqual([3, "spectral-norm: cannot write /dev/full: No space left on device\n"]);
    expect(stdout).toMatch(/m\.safetensors: 2 matrices/);
    const other = inFolder(folder, `${experiment} --report /dev/full`);
    expect(other.status).toBe(3);
    expect(other.stdout).toMatch(/lanczos/);
    // And the other way round.
    inFolder(folder, "audit m.safetensors --report new.html", { after: "> /dev/full" });
    expect(readFileSync(join(folder, "new.html"), "utf8")).toMatch(/<\/html>\n$/);
  });

  it("a journal on a full disk holds whole lines, and is gone on with", () => {
    const argv = `audit ${"m.safetensors ".repeat(9)} --resume new.jsonl`;
    expect(inFolder(folder, argv, limited).status).toBe(3);
    const torn = readFileSync(join(folder, "new.jsonl"), "utf8");
    expect(torn).toMatch(/}\n$/);
    expect(inFolder(folder, argv).status).toBe(0);
    const whole = readFileSync(join(folder, "new.jsonl"), "utf8");
    expect(whole.startsWith(torn)).toBe(true);
    expect(whole.split("\n").length).toBe(19);
  });

  it("a temporary file that cannot be written costs one line, too", () => {
    for (const before of ["ulimit -f 0;", `TMPDIR=${join(folder, "missing")}`]) {
      const { status, stderr } = inFolder(folder, `${experiment} --python python3 > /dev/null`, { before });
      expect(stderr).toMatch(/^spectral-norm: --python: a temporary file cannot be written [^\n]*\n$/);
      expect(status).toBe(2);
    }
  });

  it("standard error holds no answers", () => {
    const { status, stdout } = inFolder(folder, "norm notes.html x.npy --json", { after: "2> /dev/full" });
    expect(status).toBe(2);
    expect(JSON.parse(stdout).sigma).toBeCloseTo(5.464985704219043, 12);
  });

  it.each([
    experiment,
    `${experiment} --json`,
    `norm ${many} --json`,
    `norm ${many}`,
    `audit ${"m.safetensors ".repeat(9)} --json`,
    "audit m.safetensors",
  ])("%s: a reader that has gone is no failure", (argv) => {
    const { status, stderr } = inFolder(folder, argv, { after: "| true; exit $PIPESTATUS" });
    expect([status, stderr]).toEqual([0, ""]);
  });
});
