import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { createRandom } from "../../src/numerics/random.js";
import { answers, auditOf } from "../audit/models.js";
import { floats, safetensors } from "../files/models.js";
import { command, runCommand } from "./run-command.js";

const folder = mkdtempSync(join(tmpdir(), "shards-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = createRandom(1);
const weight = (name: string, m: number, n: number) => ({
  name,
  dtype: "F32",
  shape: [m, n],
  data: floats(
    "F32",
    Float32Array.from({ length: m * n }, () => random.normal()),
  ),
});
function put(name: string, ...parts: Parameters<typeof safetensors>[0]): string {
  const path = join(folder, name);
  writeFileSync(path, safetensors(parts));
  return path;
}

const sizes = [5, 40, 300, 12, 250, 80, 80, 200, 9, 310, 128, 60, 270, 33, 190, 77];
const large = put("large.safetensors", ...sizes.map((n, k) => weight(`layer${k}.weight`, n, n + k)));
const nan = { name: "nan.weight", dtype: "F32", shape: [1, 2], data: floats("F32", [1, Number.NaN]) };
const small = put("small.safetensors", weight("a", 3, 4), nan, weight("b", 2, 9), weight("c", 20, 7));
const lines = (text: string) => text.split("\n").slice(0, -1);
/** A journal's lines as they are printed: without what they were made of. */
const answersIn = (path: string) =>
  lines(readFileSync(path, "utf8")).map((line) => {
    const { journal, ...answer } = JSON.parse(line);
    expect(journal).toMatchObject({ program: "spectral-norm audit", options: {} });
    return JSON.stringify(answer);
  });
/** Shorter than what every journal begins with, a file is not known for one. */
const BEGIN = '{"journal":{"program":"spectral-norm audit",'.length;

describe("shards", () => {
  it("have the lines and the complaints of the whole, together, whatever the order of the files", async () => {
    const whole = await auditOf([large, small], { json: true });
    for (const count of [1, 2, 3, 7, 40]) {
      const parts = await Promise.all(
        Array.from({ length: count }, (_, k) =>
          auditOf(k % 2 ? [small, large] : [large, small], { json: true, shard: { index: k + 1, count } }),
        ),
      );
      expect(parts.flatMap(({ stdout }) => lines(stdout)).sort()).toEqual(lines(whole.stdout).sort());
      expect(parts.map(({ stderr }) => stderr).join("")).toBe(whole.stderr);
      expect(Math.max(...parts.map(({ status }) => status))).toBe(2);
    }
  });

  it("of a model that cannot be read all say so", async () => {
    for (const index of [1, 2]) {
      const { status, stderr } = await auditOf([join(folder, "none")], {
        json: true,
        shard: { index, count: 2 },
      });
      expect([status, stderr]).toEqual([2, `spectral-norm: ${join(folder, "none")}: no such file\n`]);
    }
  });
});

describe("--resume", () => {
  it("goes on from wherever the file was cut, and ends as if it had not been", async () => {
    const path = join(folder, "cut.jsonl");
    const whole = await auditOf([small], { json: true, resume: path });
    expect(whole.status).toBe(2);
    const undisturbed = readFileSync(path);
    expect(answersIn(path)).toEqual(lines(whole.stdout));
    for (let length = 0; length <= undisturbed.length; length++) {
      // Every few bytes, and each one around the ends of lines.
      if (length % 23 !== 0 && !undisturbed.subarray(Math.max(0, length - 2), length + 2).includes(0x0a))
        continue;
      if (length > 0 && length < BEGIN) continue;
      writeFileSync(path, undisturbed.subarray(0, length));
      const again = await auditOf([small], { json: true, resume: path });
      if (!readFileSync(path).equals(undisturbed))
        throw new Error(`cut to ${length} bytes: ${readFileSync(path)}`);
      // What is printed, the complaints and the status are the whole's, too.
      expect(again).toEqual(whole);
    }
  });

  it("does not do again what is there", async () => {
    const path = join(folder, "known.jsonl");
    const { lines: found } = await answers([small], { resume: path });
    // A value that nobody computes: it is believed.
    const first = JSON.parse(lines(readFileSync(path, "utf8"))[0]);
    writeFileSync(path, `${JSON.stringify({ ...first, sigma: 123, converged: false })}\n`);
    const again = await answers([small, small], { resume: path });
    expect(again.lines.map(({ sigma }) => sigma)).toEqual([
      123,
      found[1].sigma,
      found[2].sigma,
      ...found.map(({ sigma }) => sigma),
    ]);
    const clean = put("clean.safetensors", weight("a", 3, 4));
    const sure = join(folder, "sure.jsonl");
    expect((await answers([clean], { resume: sure })).status).toBe(0);
    writeFileSync(sure, readFileSync(sure, "utf8").replace('"converged":true', '"converged":false'));
    expect((await answers([clean], { resume: sure })).status).toBe(1);
  });

  it("writes a line once where standard output is the file itself", async () => {
    const path = join(folder, "appended.jsonl");
    const whole = await auditOf([small], { json: true });
    const line = (redirect: string) =>
      `"${process.execPath}" "${command}" audit "${small}" --json --resume "${path}" ${redirect} "${path}" 2> /dev/null`;
    spawnSync("sh", ["-c", line(">")]);
    expect(answersIn(path)).toEqual(lines(whole.stdout));
    const undisturbed = readFileSync(path, "utf8");
    writeFileSync(path, undisturbed.slice(0, -50));
    spawnSync("sh", ["-c", line(">>")]);
    expect(readFileSync(path, "utf8")).toBe(undisturbed);
  });

  it("survives being killed, again and again, at whatever moment", async () => {
    const whole = join(folder, "whole.jsonl");
    expect(runCommand("audit", large, "--resume", whole).status).toBe(0);
    const undisturbed = readFileSync(whole, "utf8");
    expect(lines(undisturbed).length).toBe(sizes.length);
    const path = join(folder, "killed.jsonl");
    const preload = join(folder, "kill.mjs");
    writeFileSync(preload, KILLING);
    // As the file has so many bytes: none, within a line but beyond the mark that it begins with, between two lines.
    const [first, second] = lines(undisturbed).map((line) => Buffer.byteLength(line) + 1);
    for (const bytes of [0, 60, first, first + second - 1, 1500, 3000, undisturbed.length - 400]) {
      const { signal } = spawnSync(
        process.execPath,
        ["--import", preload, command, "audit", large, "--resume", path],
        { env: { ...process.env, JOURNAL: path, BYTES: String(bytes) }, stdio: "ignore" },
      );
      expect(signal).toBe("SIGKILL");
      const left = readFileSync(path, "utf8");
      expect(left).toBe(undisturbed.slice(0, left.length));
      expect(left.length).toBe(bytes);
    }
    expect(runCommand("audit", large, "--resume", path).status).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(undisturbed);
  });
});

/** A module that kills its process as soon as the file JOURNAL has so many BYTES, in the middle of a write too. */
const KILLING = `
  import fs from "node:fs";
  import { syncBuiltinESMExports } from "node:module";
  const most = Number(process.env.BYTES);
  const { writeSync } = fs;
  fs.writeSync = (descriptor, data, from = 0, ...more) => {
    const { ino } = fs.fstatSync(descriptor);
    const journal = fs.statSync(process.env.JOURNAL, { throwIfNoEntry: false });
    if (ino !== journal?.ino) return writeSync(descriptor, data, from, ...more);
    const bytes = Buffer.from(data).subarray(from);
    const room = most - journal.size;
    if (bytes.length < room) return writeSync(descriptor, bytes);
    if (room > 0) writeSync(descriptor, bytes, 0, room);
    process.kill(process.pid, "SIGKILL");
  };
  syncBuiltinESMExports();
`;

describe("the files of docs/scale-out", () => {
  const script = (name: string) => fileURLToPath(new URL(`../../docs/scale-out/${name}`, import.meta.url));
  // What the scripts call, as if it were installed.
  const installed = join(folder, "spectral-norm");
  writeFileSync(installed, `#!/bin/sh\nexec "${process.execPath}" "${command}" "$@"\n`);
  chmodSync(installed, 0o755);
  const run = (
    out: string,
    more: NodeJS.ProcessEnv,
    program: string,
    ...args: string[]
  ): SpawnSyncReturns<string> =>
    spawnSync(program, args, {
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${folder}:${process.env["PATH"]}`,
        MODEL: large,
        OUT: out,
        SHARDS: "3",
        ...more,
      },
    });

  async function expectWhole(out: string) {
    const parts = [1, 2, 3].flatMap((k) => answersIn(`${out}.${k}-of-3.jsonl`));
    const { stdout } = await auditOf([large], { json: true });
    expect(parts.sort()).toEqual(lines(stdout).sort());
  }

  it("are a Slurm array, whose tasks count from 0", async () => {
    const out = join(folder, "slurm");
    for (const id of [0, 1, 2]) {
      const { status, stderr } = run(
        out,
        { SLURM_ARRAY_TASK_ID: String(id) },
        "bash",
        script("audit.sbatch"),
      );
      expect([status, stderr]).toEqual([0, ""]);
    }
    await expectWhole(out);
  });

  it("are a Kubernetes indexed job, whose pods count from 0", async () => {
    const job = readFileSync(script("audit-job.yaml"), "utf8");
    // The one folded scalar: what the shell is given.
    const [, folded] = /- >-\n((?: {14}.*\n)+)/.exec(job) as RegExpExecArray;
    const shell = folded.replaceAll(/\n? {14}/g, " ").trim();
    const out = join(folder, "kubernetes");
    for (const id of [0, 1, 2]) {
      const { status, stderr } = run(out, { JOB_COMPLETION_INDEX: String(id) }, "sh", "-c", shell);
      expect([status, stderr]).toEqual([0, ""]);
    }
    await expectWhole(out);
  });

  const parallel = spawnSync("parallel", ["--version"], { encoding: "utf8" }).stdout ?? "";
  const missing = !parallel.includes("GNU parallel");
  it.skipIf(missing)(
    `are a script for GNU parallel, which goes on after an interruption${missing ? " (skipped: GNU parallel is not installed)" : ""}`,
    async () => {
      const out = join(folder, "parallel");
      const { status } = run(out, {}, script("audit-parallel.sh"), large);
      expect(status).toBe(0);
      await expectWhole(out);
      const whole = readFileSync(`${out}.jsonl`, "utf8");
      const part = `${out}.2-of-3.jsonl`;
      writeFileSync(part, readFileSync(part, "utf8").slice(0, 500));
      expect(run(out, {}, script("audit-parallel.sh"), large).status).toBe(0);
      expect(readFileSync(`${out}.jsonl`, "utf8")).toBe(whole);
    },
  );
});
