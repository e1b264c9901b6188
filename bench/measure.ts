// The benchmark itself; bench/run.mjs builds it and starts it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { ParseArgsConfig } from "node:util";
import { ageAllocator } from "./allocator.js";
import { type Case, complexStorages, isComplexCase, selectCases } from "./cases.js";
import { choicesOfAuto } from "./choices.js";
import { Turns } from "./clock.js";
import { commandLine } from "./command-line.js";
import { closeRows, compare, largestAlike, measureOf } from "./compare.js";
import { complexPassesOf } from "./complex-pass.js";
import type { Contender, ContenderGroup, Loaded, Task } from "./contender.js";
import { type Core, coreContenders, importCore, withoutCopy } from "./contenders/core.js";
import { findPython } from "./contenders/find-python.js";
import { jaxContenders } from "./contenders/jax.js";
import { mlMatrixContenders, numpyTsContenders } from "./contenders/libraries.js";
import { coreToName } from "./contenders/openblas.js";
import { pythonContenders } from "./contenders/python.js";
import { rContenders } from "./contenders/r.js";
import { READING, readingContenders } from "./contenders/reading.js";
import { rivalContenders } from "./contenders/rivals.js";
import { tfjsContenders } from "./contenders/tfjs.js";
import { threadedContenders } from "./contenders/threads.js";
import { passesAgainstGap } from "./gaps.js";
import { growthOf } from "./growth.js";
import { leanChecks } from "./lean/lean.js";
import { moreThreadsOf } from "./more-threads.js";
import { checkResult, writeResult } from "./output.js";
import { profilesOf } from "./profile.js";
import { proofs } from "./proofs.js";
import type { BenchResult, CaseResult, Row } from "./result.js";
import { roofOf } from "./roof.js";
import { checkTargets } from "./targets.js";
import {
  caseTable,
  choiceTable,
  gapTable,
  growthTable,
  moreThreadsTable,
  profileTable,
  proofTable,
  roofTable,
  targetTable,
  twoThreadsTable,
  warmTable,
} from "./terminal.js";
import { loosestPlaces } from "./tolerances.js";
import { checkedMatrices, type Errors, errorsOf, largestExcess, truthOf } from "./truth.js";
import { twoThreadsOf } from "./two-threads.js";
import { passesOfWarmStarts } from "./warm.js";
import { makeWorkload } from "./workload.js";

// Compiled, it lies in bench/dist.
const scripts = dirname(fileURLToPath(import.meta.url));
const bench = resolve(scripts, "..");

/** Chosen: from so many entries on, where a call takes seconds, the rows without options are enough. */
const FEW_FROM = 2 ** 26;
const FEW = /^(one read of A|spectral-norm (valueAndGrad|singularTriplet|spectralNorm)|SciPy svds\(k=1\)), /;

/** The variable that tells OpenBLAS the processor. */
const CORE = "OPENBLAS_CORETYPE";

/** Chosen: the load average above which a run warns that other processes disturb it. */
const BUSY = 0.5;

const options = {
  all: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  ours: { type: "boolean", default: false },
  cases: { type: "string", default: "" },
  dtypes: { type: "string", default: "" },
  spectra: { type: "string", default: "" },
  only: { type: "string", default: "" },
  python: { type: "string" },
  "no-python": { type: "boolean", default: false },
  "no-r": { type: "boolean", default: false },
  "no-threads": { type: "boolean", default: false },
  "no-lean": { type: "boolean", default: false },
  "no-roof": { type: "boolean", default: false },
  rounds: { type: "string" },
  budget: { type: "string" },
  slow: { type: "string" },
  seed: { type: "string", default: "1" },
  dist: { type: "string", default: join(bench, "..", "dist") },
  out: { type: "string" },
} as const satisfies ParseArgsConfig["options"];

const given = commandLine(options);
const list = (text: string) => text.split(",").filter((part) => part !== "");
const settings = {
  rounds: positive("rounds", given.rounds ?? (given.quick ? "3" : "5")),
  /** seconds that one contender may take on one case */
  budget: positive("budget", given.budget ?? (given.quick ? "0.1" : "0.5")),
  /** the largest number of further rounds for close rows */
  closeRounds: given.quick ? 3 : 15,
  /** seconds that the further rounds for one task may take */
  closeBudget: given.quick ? 0.3 : 3,
  /** seconds of one call beyond which a contender is left out of a case */
  slow: positive("slow", given.slow ?? (given.quick ? "0.5" : "3")),
  sampleMs: given.quick ? 2 : 10,
  warmUpMs: given.quick ? 20 : 150,
  seed: positive("seed", given.seed),
};
const dist = resolve(given.dist);
const wantedCases = selectCases({
  all: given.all,
  quick: given.quick,
  cases: list(given.cases),
  dtypes: list(given.dtypes),
  spectra: list(given.spectra),
});
const only = new RegExp(given.only);

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name}: expected a number above 0, got "${text}"`);
  return value;
}

function packageVersion(): string {
  return JSON.parse(readFileSync(join(bench, "..", "package.json"), "utf8")).version;
}

/** One line on the terminal that the next one replaces. */
function status(text: string): void {
  if (process.stderr.isTTY)
    process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}

if (given.out !== undefined) checkResult(given.out);

const [loadBefore] = loadavg();
if (loadBefore > BUSY)
  console.log(`The machine is busy (load ${loadBefore.toFixed(1)}): the figures below will be off.`);
ageAllocator();
const core = await importCore(dist);
// What the processes beside this one are given and give back.
const folder = mkdtempSync(join(tmpdir(), "bench-"));
const unwanted = (name: string): ContenderGroup => ({
  contenders: [],
  missing: [`${name}: not wanted in this run`],
});
const reading = readingContenders(scripts);
const groups: ContenderGroup[] = [
  reading,
  coreContenders(core, packageVersion(), 1),
  given["no-threads"]
    ? unwanted("spectral-norm with threads")
    : await threadedContenders(core, dist, join(scripts, "threads", "answers.js"), folder),
];
if (!given.ours) groups.push(...(await otherLibraries()));
const isReading = ({ name }: { readonly name: string }) => name.startsWith(READING);
const contenders = groups
  .flatMap((group) => group.contenders)
  .filter((contender) => isReading(contender) || only.test(contender.name));
const missing = groups.flatMap((group) => group.missing ?? []);
for (const line of missing) console.log(`left out: ${line}`);

const cases: CaseResult[] = [];
for (const of of wantedCases) {
  const result = await measure(core, of, contenders);
  status("");
  console.log(caseTable(result));
  cases.push(result);
}
for (const group of groups) group.close?.();
rmSync(folder, { recursive: true, force: true });

/** The clock of what comes after the cases. */
const clock = {
  rounds: settings.rounds,
  budgetMs: settings.budget * 1000,
  sampleMs: settings.sampleMs,
  warmUpMs: settings.warmUpMs,
  onTurn: (name: string, round: number) => status(`${name}, ${round === 0 ? "warm-up" : `round ${round}`}`),
};
const [plainReading] = reading.contenders;
const roof = given["no-roof"] ? undefined : await roofOf(scripts, plainReading, clock);
status("");
if (roof) console.log(roofTable(roof));
status("where the time goes");
const profiles = profilesOf(settings.seed, clock);
status("");
console.log(profileTable(profiles));
status("two threads against one");
const twoThreads =
  given["no-threads"] || given["no-roof"] || given.ours || given.quick
    ? undefined
    : await twoThreadsOf(dist, scripts);
status("");
if (twoThreads) console.log(twoThreadsTable(twoThreads));
status("more threads, simulated");
const moreThreads = twoThreads && moreThreadsOf(settings.seed);
status("");
if (moreThreads && moreThreads.length > 0) console.log(moreThreadsTable(moreThreads));
status("complex passes");
const complexPasses = cases.some(isComplexCase) && !given.ours ? await complexPassesOf(clock) : undefined;
status("");
for (const { n, ratio } of complexPasses ?? [])
  console.log(
    `complex128 ${n}²: a pass takes ${ratio.toFixed(2)} times the time of a real one over as many bytes`,
  );
const rest = given.ours ? undefined : await afterTheCases();
const targets = given.ours
  ? []
  : checkTargets({ cases, proofs: rest?.proofs, roof, profiles, twoThreads, complexPasses });
if (targets.length > 0) console.log(targetTable("Targets", targets));
const lean =
  given["no-lean"] || given.ours
    ? undefined
    : await leanChecks({ dist, scripts: join(scripts, "lean"), quick: given.quick, onCheck: status });
status("");
if (lean) console.log(targetTable("How lean", lean));

const result: BenchResult = {
  date: new Date().toISOString(),
  minutes: performance.now() / 60_000,
  commit: commit(),
  machine: {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${process.platform} ${process.arch}`,
    load: [loadBefore, loadavg()[0]],
  },
  node: process.version,
  nodeFlags: process.execArgv.filter((flag) => flag !== "--expose-gc"),
  kernels: core.kernelInfo().name,
  versions: Object.assign({}, ...groups.map((group) => group.versions ?? {})),
  settings: { ...settings, quick: given.quick },
  missing,
  targets,
  lean,
  roof,
  profiles,
  twoThreads,
  moreThreads,
  complexPasses,
  gaps: rest?.gaps ?? [],
  growth: rest?.growth ?? [],
  choices: rest?.choices ?? [],
  proofs: rest?.proofs,
  warm: rest?.warm,
  cases,
};
const file = resolve(given.out ?? defaultFile());
writeResult(file, textOf(result));
console.log(`\nWritten to ${file} after ${result.minutes.toFixed(1)} minutes`);

async function otherLibraries(): Promise<ContenderGroup[]> {
  const python = given["no-python"] ? undefined : given.python || process.env["PYTHON"] || findPython();
  if (python !== undefined && process.env[CORE] === undefined) {
    const core = coreToName(python);
    // The processes of Python and R inherit it.
    if (core !== undefined) process.env[CORE] = core;
  }
  return [
    await tfjsContenders(dist),
    await jaxContenders(dist),
    mlMatrixContenders(),
    await numpyTsContenders(),
    rivalContenders(join(bench, "rivals")),
    given["no-python"]
      ? unwanted("Python")
      : await pythonContenders(python, join(bench, "python", "contenders.py"), folder),
    given["no-r"] ? unwanted("R") : await rContenders(join(bench, "r", "contenders.R"), folder),
  ];
}

/** What a run measures of this package beside the cases. */
async function afterTheCases(): Promise<
  Required<Pick<BenchResult, "growth" | "gaps" | "choices" | "warm" | "proofs">>
> {
  const growth = growthOf(cases);
  console.log(growthTable(growth));
  status("passes against the gap");
  const gaps = passesAgainstGap(core, settings.seed);
  status("");
  console.log(gapTable(gaps));
  status("what auto chooses");
  const choices = choicesOfAuto(core, settings.seed, await withoutCopy(dist));
  status("");
  console.log(choiceTable(choices));
  status("warm starts");
  const warm = passesOfWarmStarts(core, settings.seed);
  status("");
  console.log(warmTable(warm));
  const proven = await proofs(core, settings.seed, given.quick, {
    ...clock,
    // A proof of order 1000 takes a fifth of a second, and other programs slow some of the samples.
    ...(given.quick ? {} : { rounds: 15, budgetMs: 8000 }),
  });
  status("");
  console.log(proofTable(proven));
  return { growth, gaps, choices, warm, proofs: proven };
}

/** Only complete runs are kept in bench/results. */
function defaultFile(): string {
  const whole =
    !given.quick && given.cases === "" && given.dtypes === "" && given.spectra === "" && given.only === "";
  const [major] = process.version.slice(1).split(".");
  const name = `node${major}-${result.kernels}`;
  // The complex cases may be measured alone.
  if (given.dtypes === complexStorages.join(",") && !given.quick && given.cases === "" && given.only === "")
    return join(bench, "results", `${name}-complex.json`);
  return join(whole ? join(bench, "results") : scripts, `${name}.json`);
}

async function measure(core: Core, of: Case, all: readonly Contender[]): Promise<CaseResult> {
  const begin = performance.now();
  status(`${of.id}: reference`);
  const workload = makeWorkload(of, settings.seed);
  const truths = checkedMatrices(of.batch).map((k) => truthOf(core, workload, k));
  const leftOut: { name: string; why: string }[] = [];
  const loaded: { name: string; contender: Contender; loaded: Loaded }[] = [];
  const errors = new Map<Contender, { errors: Errors; passes: number | undefined }>();
  const others = of.spectrum !== "gaussian";
  let excess = Number.NEGATIVE_INFINITY;
  const reasonAgainst = (contender: Contender): string | undefined => {
    const { name } = contender;
    const seconds = contender.roughSeconds(of);
    // A dense method takes as long whatever the spectrum: where it is slow, one spectrum says it all.
    const slow = others && contender.dense ? settings.slow / 10 : settings.slow;
    return (
      contender.declines(of) ??
      (!given.all && of.rows * of.cols >= FEW_FROM && !FEW.test(name)
        ? "is measured on smaller matrices"
        : undefined) ??
      (isComplexCase(of) && !contender.takesComplex ? "is measured on real matrices" : undefined) ??
      (of.stored === "bfloat16" && !contender.takesHalves
        ? "takes no half precision; it is measured on float32"
        : undefined) ??
      (seconds > slow
        ? `would take some ${Number(seconds.toPrecision(seconds < 1 ? 1 : 2))} s a call`
        : undefined)
    );
  };
  const enter = async (contender: Contender) => {
    const { name } = contender;
    const why = reasonAgainst(contender);
    if (why !== undefined) {
      leftOut.push({ name, why });
      return;
    }
    status(`${of.id}: ${name}, accuracy`);
    try {
      const ready = await contender.load(workload);
      const answer = await ready.answer();
      if (isReading(contender)) errors.set(contender, { errors: { sigmaError: 0 }, passes: undefined });
      else {
        errors.set(contender, { errors: errorsOf(answer, workload, truths), passes: answer.passes });
        const above = largestExcess(answer, workload, truths);
        // A result that is far off does not discredit the reference.
        if (above < 1e-2) excess = Math.max(excess, above);
      }
      loaded.push({ name, contender, loaded: ready });
    } catch (error) {
      leftOut.push({ name, why: `failed: ${error instanceof Error ? error.message : String(error)}` });
    }
  };
  for (const contender of all) if (contender.rtol === undefined) await enter(contender);
  const wrongAbove = of.dtype === "float32" ? 1e-4 : 1e-8;
  /** The errors of the rivals at a task that bound those of ours. */
  const boundsAt = (task: Task) =>
    loaded.flatMap(({ contender }) => {
      const found = errors.get(contender)?.errors;
      const error = found?.[measureOf(task)];
      if (contender.ours || !contender.tasks.includes(task) || error === undefined) return [];
      return found && found.sigmaError < wrongAbove
        ? [largestAlike(error, contender.returns ?? of.dtype)]
        : [];
    });
  for (const task of ["gradient", "triplet"] as const) {
    const bounds = boundsAt(task);
    const candidates = all.filter(
      (one) => one.rtol !== undefined && one.tasks.includes(task) && reasonAgainst(one) === undefined,
    );
    const tolerances = [...new Set(candidates.map(({ rtol }) => rtol))];
    const places = await loosestPlaces(bounds, tolerances.length, async (place) => {
      status(`${of.id}: ${task} at rtol ${tolerances[place]}, accuracy`);
      const first = candidates.find(({ rtol }) => rtol === tolerances[place]) as Contender;
      const ready = await first.load(workload);
      const { residual = Number.NaN } = errorsOf(await ready.answer(), workload, truths);
      await ready.release?.();
      return residual;
    });
    for (const one of candidates)
      if ([...places].some((place) => tolerances[place] === one.rtol)) await enter(one);
  }
  const turns = await Turns.of(loaded, {
    rounds: settings.rounds,
    // The other spectra are there for their passes and their accuracy.
    budgetMs: (settings.budget * 1000) / (others ? 3 : 1),
    sampleMs: settings.sampleMs,
    warmUpMs: settings.warmUpMs,
    onTurn: (name, round) => status(`${of.id}: ${name}, ${round === 0 ? "warm-up" : `round ${round}`}`),
  });
  const rows = () => {
    const times = turns.times();
    return loaded.map(({ name, contender }): Row => {
      const { engine, ours, tasks, threads } = contender;
      const found = errors.get(contender);
      const ms = times.get(name);
      if (!found || !ms) throw new Error(`${name} was not measured`);
      return {
        name,
        engine,
        ours,
        tasks,
        threads,
        dtype: contender.returns ?? of.dtype,
        ms,
        ...found.errors,
        passes: found.passes,
        wrong: !(found.errors.sigmaError < wrongAbove),
      };
    });
  };
  await turns.takeAll();
  if (!others)
    for (const names of closeRows(rows()))
      await turns.takeSome(names, settings.closeRounds, settings.closeBudget * 1000);
  for (const { loaded: ready } of loaded) await ready.release?.();

  const results = rows();
  const [{ sigma, gap }] = truths;
  return {
    ...of,
    truth: {
      sigma,
      relativeGap: gap,
      residual: Math.max(...truths.map(({ residual }) => residual)),
      largestExcess: excess,
    },
    bytes: (workload.halves ?? workload.data).byteLength,
    seconds: (performance.now() - begin) / 1000,
    reads: results.filter(isReading).map(({ threads, ms }) => ({ threads, ms: ms.median })),
    results,
    comparisons: compare(results),
    leftOut,
  };
}

function commit(): string {
  const git = (...parts: string[]) =>
    execFileSync("git", parts, { cwd: bench, encoding: "utf8", stdio: "pipe" }).trim();
  try {
    const changed = git("status", "--porcelain", "--", ":(top)src", ":(top)build") !== "";
    return git("rev-parse", "--short", "HEAD") + (changed ? " with changes" : "");
  } catch {
    return "unknown";
  }
}

/** JSON with lists of numbers on a line each, so that a difference of two results can be read. */
function textOf(found: BenchResult): string {
  const text = JSON.stringify(found, rounded, 1);
  return `${text.replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_all, list: string) => `[${list.replace(/\s*\n\s*/g, " ")}]`)}\n`;
}

/** Measured numbers have fewer than six significant digits. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
