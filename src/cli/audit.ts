import { fstatSync, statSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { audit, type Finding, isSure, ORDERS, type Order } from "../audit/audit.js";
import { openJournal } from "../audit/journal.js";
import type { AuditLine, LeftOutLine } from "../audit/line.js";
import { type Item, planOf } from "../audit/plan.js";
import type { Shard } from "../audit/shard.js";
import type { Layout } from "../files/tensor.js";
import { oneLine, quote } from "../files/text.js";
import { OptionError, SpectralNormError } from "../index.js";
import { startThreads, type ThreadPool } from "../threads/index.js";
import { csvHead, csvRow } from "./audit-csv.js";
import { auditTables } from "./audit-table.js";
import { byteSize } from "./byte-size.js";
import { tolerance } from "./norm.js";
import type { Progress } from "./progress.js";
import { progressOn } from "./progress.js";
import { wholeNumber } from "./whole-number.js";

export interface AuditFlags {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly certify?: boolean;
  readonly rtol?: number;
  readonly sort?: Order;
  readonly shard?: Shard;
  readonly resume?: string;
  readonly memory?: number;
  readonly layout?: Layout;
  readonly embeddings?: boolean;
  readonly leftOut?: boolean;
  readonly threads?: number;
}

/** Where the command writes. */
export interface AuditStreams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly progress: Progress;
  /** whether what is written to `stdout` ends up in this file */
  isStdout(path: string): boolean;
}

/** Adds `spectral-norm audit`. */
export function registerAudit(program: Command): void {
  program
    .command("audit")
    .description("the spectral norm of every weight matrix of trained models")
    .argument(
      "<model...>",
      ".safetensors or its .index.json, TensorFlow.js model.json or weights manifest, .npz",
    )
    .addOption(new Option("--json", "one JSON object a line instead of tables").conflicts("csv"))
    .option("--csv", "comma-separated values instead of tables")
    .option("--certify", "add an interval around each norm and a bound on its gradient's error, proven")
    .option("--rtol <x>", "relative error of u·vᵀ that will do (default: as the numbers allow)", tolerance)
    .addOption(
      new Option("--sort <by>", "largest first (default: as in the model)").choices(Object.keys(ORDERS)),
    )
    .option("--shard <i/n>", "only the i-th of n parts, from 1, of about the same cost", shardOf)
    .option("--resume <file>", "keep answers in this file, and do not do again what is in it")
    .option("--memory <size>", "larger tensors are read a few rows at a time, such as 512MB", byteSize)
    .addOption(
      new Option("--layout <l>", "which axis is that of outputs: the last, or the first").choices([
        "tensorflow",
        "pytorch",
      ]),
    )
    .option("--embeddings", "tables of embeddings, too")
    .option(
      "--threads <n>",
      "threads for large matrices (default: as many as cores; 1 with --shard)",
      wholeNumber(1, 256),
    )
    .option("--left-out", "with --json or --csv, lines for what is left out, too")
    .action(async (models: string[], flags: AuditFlags) => {
      const progress = progressOn(process.stderr);
      const { stdout, stderr } = process;
      process.exitCode = await runAudit(models, flags, { stdout, stderr, progress, isStdout });
    });
}

/**
 * Audits models, line by line as JSON or CSV, or as tables at the end. What cannot be read is a line on standard error,
 * and the rest is done all the same.
 *
 * @returns the exit status: 2 if something could not be read, else 1 if something did not converge or could not be
 *   proven, else 0
 */
export async function runAudit(
  models: readonly string[],
  flags: AuditFlags,
  { stdout, stderr, progress, isStdout }: AuditStreams,
): Promise<number> {
  const journal = flags.resume === undefined ? undefined : openJournal(flags.resume, flags.certify ?? false);
  // What the journal takes is there already.
  const silent = flags.resume !== undefined && isStdout(flags.resume);
  const print = silent ? () => {} : printing(flags, stdout);
  const lines: AuditLine[] = [];
  const leftOut: LeftOutLine[] = [];
  let bad = false;
  let pool: ThreadPool | undefined;
  try {
    const items = planOf(models, flags);
    const total = items.reduce((sum, { cost }) => sum + cost, 0);
    let done = 0;
    const onItem = ({ name, file, cost }: Item) => {
      progress.show("audit", oneLine(name ?? file), done, total);
      done += cost;
    };
    pool = await threadsFor(items, flags);
    for (const finding of audit(items, { ...flags, journal, onItem })) {
      if (finding.kind === "fault") {
        bad = true;
        progress.clear();
        stderr.write(complaint(finding));
      } else {
        if (finding.kind === "line") lines.push(finding.line);
        else leftOut.push(finding.line);
        if (!flags.sort) print(finding.line);
      }
      // Lets the streams report what happened to them, such as a reader that has gone.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    bad = true;
    stderr.write(`spectral-norm: ${oneLine(error.message)}\n`);
    return 2;
  } finally {
    progress.end();
    journal?.close();
    await pool?.stop();
  }
  if (flags.sort) {
    lines.sort(ORDERS[flags.sort]);
    for (const line of [...lines, ...leftOut]) print(line);
  }
  if (!flags.json && !flags.csv && !silent) stdout.write(auditTables(lines, leftOut));
  return bad ? 2 : lines.every(isSure) ? 0 : 1;
}

/** Numbers in a matrix that make threads worth their start. */
const LARGE = 2 ** 19;

/** Threads, where there is something for them to do. They change no digit of what comes out. */
async function threadsFor(
  items: readonly Item[],
  { threads, shard }: AuditFlags,
): Promise<ThreadPool | undefined> {
  if (threads === 1 || (threads === undefined && shard)) return undefined;
  const large = items.some((item) => item.kind === "weight" && item.weight.rows * item.weight.cols >= LARGE);
  if (!large) return undefined;
  try {
    return await startThreads(threads);
  } catch (error) {
    // Nobody asked for them.
    if (threads === undefined && error instanceof SpectralNormError) return undefined;
    throw error;
  }
}

/** What writes a line at once, where the form is one of lines. */
function printing(
  flags: AuditFlags,
  stdout: AuditStreams["stdout"],
): (line: AuditLine | LeftOutLine) => void {
  if (!flags.json && !flags.csv) return () => {};
  if (flags.csv) stdout.write(`${csvHead(flags)}\r\n`);
  return (line) => {
    if ("leftOut" in line && !flags.leftOut) return;
    stdout.write(flags.csv ? `${csvRow(line, flags)}\r\n` : `${JSON.stringify(line)}\n`);
  };
}

function complaint({ file, name, error }: Extract<Finding, { kind: "fault" }>): string {
  const what = name === undefined ? oneLine(file) : `${oneLine(file)}: ${quote(name)}`;
  return `spectral-norm: ${what}: ${oneLine(error.message)}\n`;
}

function isStdout(path: string): boolean {
  try {
    const [out, file] = [fstatSync(1), statSync(path)];
    return out.isFile() && out.dev === file.dev && out.ino === file.ino;
  } catch {
    return false;
  }
}

const MOST_SHARDS = 1_000_000;

function shardOf(text: string): Shard {
  const parts = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  const [index, count] = parts ? [Number(parts[1]), Number(parts[2])] : [0, 0];
  if (index >= 1 && index <= count && count <= MOST_SHARDS) return { index, count };
  throw new InvalidArgumentError(`It takes i/n with i from 1 to n, and n up to ${MOST_SHARDS}.`);
}
