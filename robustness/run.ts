// npm run robustness [-- --python PATH] [--only NAME]: every rival on every matrix of the suite, and docs/robustness.md.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findPython } from "../bench/contenders/find-python.js";
import { installedVersion } from "../bench/contenders/libraries.js";
import type { Adversary } from "./adversary.js";
import { adversaries, families } from "./cases.js";
import { type Cell, type Column, markdown } from "./document.js";
import { judgeGradient, judgeValue, type Outcome, standards } from "./judge.js";
import { RivalProcess } from "./process.js";
import { type Described, nodeRivals, pythonRivals } from "./rival.js";

const LIMIT_SECONDS = 15;

const { values: flags } = parseArgs({
  options: { python: { type: "string" }, only: { type: "string" }, verbose: { type: "boolean" } },
});
const root = join(import.meta.dirname, "..", "..");
const rivalsFolder = join(root, "bench", "rivals");
const folder = mkdtempSync(join(tmpdir(), "robustness-"));
const missing: string[] = [];
const columns: Column[] = [];
try {
  const node = new RivalProcess(
    [process.execPath, join(import.meta.dirname, "answer.js"), folder, rivalsFolder],
    folder,
    LIMIT_SECONDS * 1000,
    false,
  );
  const only = (id: string) => flags.only === undefined || flags.only === id;
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version as string;
  for (const rival of nodeRivals.filter(({ id }) => only(id))) {
    const version = rival.library === "spectral-norm" ? own : versionOf(rival.library);
    if (version === "unknown") missing.push(`Left out: ${rival.head} (npm install ${rival.library}).`);
    else columns.push({ ...rival, version, cells: await examine(node, rival) });
  }
  node.close();

  const path = flags.python ?? findPython();
  const python = new RivalProcess(
    [path ?? "python3", join(root, "robustness", "answer.py"), folder],
    folder,
    LIMIT_SECONDS * 1000,
    true,
  );
  const greeting = path === undefined ? undefined : await python.greeting();
  for (const rival of pythonRivals.filter(({ id }) => only(id))) {
    const version = greeting?.versions[rival.library];
    if (version === undefined)
      missing.push(`Left out: ${rival.head} (name a Python that has ${rival.library} with --python PATH).`);
    else columns.push({ ...rival, version, cells: await examine(python, rival) });
  }
  python.close();

  const runtimes = `Run by Node ${process.versions.node.split(".")[0]}${greeting ? ` and Python ${greeting.python}` : ""}.`;
  const page = markdown({ families, columns, missing, limitSeconds: LIMIT_SECONDS, runtimes });
  if (flags.only !== undefined) process.stdout.write(page);
  else writeFileSync(join(root, "docs", "robustness.md"), page);
  for (const line of missing) console.error(line);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function examine(process: RivalProcess, rival: Described): Promise<Map<string, Cell | undefined>> {
  const cells = new Map<string, Cell | undefined>();
  for (const of of adversaries) {
    const cell = await one(process, rival, of);
    cells.set(of.name, cell);
  }
  console.error(`${rival.head}: done`);
  return cells;
}

async function one(process: RivalProcess, rival: Described, of: Adversary): Promise<Cell | undefined> {
  const moved = rival.dtype === "float32" ? movedByFloat32(of.entries) : 0;
  if (!Number.isFinite(moved)) return undefined;
  let outcome = await process.ask(rival.id, of);
  if (outOfMemory(outcome)) {
    // Perhaps of what was left from the cases before: asked again of a process that has seen none.
    process.close();
    outcome = await process.ask(rival.id, of);
  }
  const standard = standards[rival.dtype];
  const value = judgeValue(of, outcome, standard, moved);
  const gradient = judgeGradient(of, outcome, standard, moved);
  if (flags.verbose)
    console.error(
      `${rival.head} | ${of.name} | ${"fails" in outcome ? outcome.why.slice(0, 90) : outcome.value} | ${value.grade} | ${gradient?.grade ?? ""} ${gradient?.error ?? ""}`,
    );
  return { value, ...(gradient ? { gradient } : {}) };
}

function outOfMemory(outcome: Outcome): boolean {
  const why = "fails" in outcome ? outcome.why : (outcome.gradientFails ?? "");
  return /memory|alloc/i.test(why);
}

/** A bound on what storing in float32 moves σ by; infinite where an entry has no place there. */
function movedByFloat32(entries: Float64Array): number {
  let most = 0;
  for (const x of entries) if (Number.isFinite(x)) most = Math.max(most, Math.abs(x - Math.fround(x)));
  // Where all is lost, there is nothing left to ask about.
  if (entries.some((x) => x !== 0) && entries.every((x) => Math.fround(x) === 0))
    return Number.POSITIVE_INFINITY;
  return most * Math.sqrt(entries.length);
}

function versionOf(library: string): string {
  const here = installedVersion(library);
  if (here !== "unknown") return here;
  const manifest = join(rivalsFolder, "package.json");
  return existsSync(manifest) ? installedVersion(library, createRequire(manifest)) : "unknown";
}
