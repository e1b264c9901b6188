import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encode, npy } from "../files/writers.js";
import { type Installed, install, remove, repository } from "../package/install.js";
import {
  type Absent,
  type Examined,
  failuresOf,
  type Outcome,
  type Report,
  tableOf,
  withTable,
} from "./report.js";
import { AbsentError, type Found, RUNTIMES, type Runtime, SCRIPTS } from "./runtimes.js";

const DOCUMENT = join(repository, "docs", "runtimes.md");

/**
 * Installs the packed package in an empty folder and runs the suite in every runtime that is there.
 *
 * @returns the exit status: 1 if something failed, or if a runtime that `--require` names is absent
 */
async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: "string", multiple: true, default: [] },
      require: { type: "string", multiple: true, default: [] },
    },
  });
  const names = RUNTIMES.map(({ name }) => name);
  for (const name of [...values.only, ...values.require])
    if (!names.includes(name) && name !== "all")
      throw new RangeError(`no runtime ${name}: there are ${names}`);
  const chosen = RUNTIMES.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  const required = (name: string) => values.require.includes(name) || values.require.includes("all");

  const installed = install();
  const rows: (Examined | Absent)[] = [];
  let failed = false;
  try {
    for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(join(installed.folder, name), text);
    let bits: string | undefined;
    for (const runtime of chosen) {
      const row = await examined(runtime, installed, bits);
      rows.push(row);
      if ("absent" in row) {
        failed ||= required(runtime.name);
        console.log(`${row.title}: absent, ${row.absent}${required(runtime.name) ? " (and required)" : ""}`);
        continue;
      }
      bits ??= row.report.bits || undefined;
      const failures = failuresOf(row);
      failed ||= failures.length > 0;
      console.log(
        `${row.title} ${row.version}: ${row.report.outcomes.length - failures.length} passed, ${failures.length} failed`,
      );
      for (const { name, failure } of failures) console.log(`  ${name}\n    ${failure}`);
    }
  } finally {
    remove(installed);
  }
  const table = tableOf(rows);
  console.log(`\n${table}`);
  // Of a part of them there is no table.
  if (values.only.length === 0) writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, "utf8"), table));
  return failed ? 1 : 0;
}

// Awaited here: Vite's runner imports nothing more once this module is there.
export const status = await main(process.argv.slice(2));

/** @param bits  those of the first runtime */
async function examined(
  runtime: Runtime,
  installed: Installed,
  bits: string | undefined,
): Promise<Examined | Absent> {
  const { title } = runtime;
  let found: Found;
  try {
    found = await runtime.find();
  } catch (error) {
    if (error instanceof AbsentError) return { title, absent: error.message };
    return broken(title, "", "it starts", error);
  }
  const { version, command } = found;
  let report: Report;
  try {
    report = await found.examine(installed);
  } catch (error) {
    return broken(title, version, "the suite runs", error);
  }
  const outcomes: Outcome[] = [
    ...report.outcomes,
    expected("relaxed SIMD is there", !runtime.relaxed || report.kernels.includes("wasm-relaxed")),
    expected("threads are there", report.threads > 1, report.noThreads),
    expected(
      "the wasm kernels give the bits of the first runtime",
      bits === undefined || report.bits === bits,
      `${report.bits} for ${bits}`,
    ),
    ...(command ? commandOutcomes(command, installed) : []),
  ];
  return { title, version, command: command !== undefined, report: { ...report, outcomes } };
}

/** A runtime that is there and came to nothing. */
function broken(title: string, version: string, name: string, error: unknown): Examined {
  const failure = error instanceof Error ? error.message : String(error);
  const report = { kernels: [], chosen: "", threads: 1, bits: "", outcomes: [{ name, failure }] };
  return { title, version, command: false, report };
}

function expected(name: string, holds: boolean, failure = "it is not so"): Outcome {
  return holds ? { name } : { name, failure };
}

/** The installed command on a file, and on none. */
function commandOutcomes([executable, ...flags]: readonly string[], { folder }: Installed): Outcome[] {
  const file = join(folder, "matrix.npy");
  writeFileSync(file, npy({ descr: "<f8", shape: [2, 2], data: encode("<f8", [3, 0, 0, -4]) }));
  const script = join("node_modules", "spectral-norm", "dist", "cli", "spectral-norm.js");
  const run = (...argv: string[]) =>
    spawnSync(executable, [...flags, script, ...argv], { cwd: folder, encoding: "utf8" });
  const norm = run("norm", "matrix.npy", "--json", "--certify");
  const missing = run("norm", "missing.npy");
  return [
    expected("the command answers", answersFour(norm), `status ${norm.status}: ${norm.stdout}${norm.stderr}`),
    expected(
      "the command refuses a missing file",
      missing.status === 2 && /^spectral-norm: missing\.npy: no such file\n$/.test(missing.stderr),
      `status ${missing.status}: ${missing.stderr}`,
    ),
  ];
}

function answersFour({ status, stdout }: { status: number | null; stdout: string }): boolean {
  if (status !== 0) return false;
  const { sigma, lower, upper, proven } = JSON.parse(stdout);
  return sigma === 4 && proven === true && lower <= 4 && upper >= 4;
}
