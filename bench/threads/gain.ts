import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { median, quotients } from "../clock.js";
import type { SolveOrder } from "./solves.js";

/** What several threads gain over one, in one function on one size of Gaussian float32 matrices. */
export interface ThreadRow {
  readonly name: SolveOrder["name"];
  /** rows and columns */
  readonly n: number;
  readonly threads: number;
  /** "busy": another process computed all the time */
  readonly load: "quiet" | "busy";
  /** milliseconds, medians */
  readonly one: number;
  readonly several: number;
  /** time of several threads by that of one, round by round */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number };
  readonly rounds: number;
}

const SIZES = [512, 1024, 2048];
const NAMES = ["spectralNorm", "singularTriplet"] as const;
const ROUNDS = 21;
/** Milliseconds that a sample takes at least. Chosen: several time slices, so that each has its share of the load. */
const SAMPLE_MS = 30;
/** Milliseconds between samples, in which the pool falls asleep. */
const PAUSE_MS = 5;

/**
 * Measures one thread and several in turns, first as the machine is, then while another process computes.
 *
 * @param dist  the built package
 * @param script  the compiled threads/solves.js
 * @param counts  numbers of threads to compare with one
 */
export async function measureThreads(
  dist: string,
  script: string,
  counts: readonly number[] = [...new Set([2, availableParallelism()])],
): Promise<ThreadRow[]> {
  const rows: ThreadRow[] = [];
  const one = await solver(dist, script, 1);
  for (const threads of counts) {
    const several = await solver(dist, script, threads);
    for (const load of ["quiet", "busy"] as const) {
      const other = load === "busy" ? await busyProcess() : undefined;
      try {
        for (const name of NAMES)
          for (const n of SIZES) rows.push({ ...(await compared(one, several, name, n)), threads, load });
      } finally {
        other?.kill("SIGKILL");
      }
    }
    await several.terminate();
  }
  await one.terminate();
  return rows;
}

async function solver(dist: string, script: string, threads: number): Promise<Worker> {
  const worker = new Worker(script, { workerData: { dist, threads } });
  await once(worker, "message");
  return worker;
}

/** Computes until it is killed, or the process that started it has ended. */
const BUSY = `console.log();
for (const parent = process.ppid; process.ppid === parent; )
  for (const end = performance.now() + 100; performance.now() < end; );`;

/** A process that keeps a core busy. */
async function busyProcess(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", BUSY]);
  await once(child.stdout, "data");
  return child;
}

async function timed(worker: Worker, order: SolveOrder): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  worker.postMessage(order);
  const [ms] = (await once(worker, "message")) as [number];
  return ms;
}

async function compared(one: Worker, several: Worker, name: SolveOrder["name"], n: number) {
  const order = { name, n, seed: n, calls: 1 };
  // Until the code is compiled.
  for (const worker of [one, several]) await timed(worker, { ...order, calls: n < 1000 ? 100 : 10 });
  const calls = Math.ceil(SAMPLE_MS / (await timed(one, order)));
  const ones: number[] = [];
  const severals: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ones.push(await timed(one, { ...order, calls }));
    severals.push(await timed(several, { ...order, calls }));
  }
  const ratios = quotients(severals, ones);
  return {
    name,
    n,
    one: median(ones),
    several: median(severals),
    ratio: { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
    rounds: ROUNDS,
  };
}

/** The rows as lines of text. */
export function threadTable(rows: readonly ThreadRow[]): string {
  const head = ["", "size", "threads", "machine", "1 thread", "several", "ratio", "from … to"];
  const cells = rows.map(({ name, n, threads, load, one, several, ratio }) => [
    name,
    `${n}²`,
    String(threads),
    load,
    `${one.toFixed(2)} ms`,
    `${several.toFixed(2)} ms`,
    ratio.median.toFixed(2),
    `${ratio.min.toFixed(2)} … ${ratio.max.toFixed(2)}`,
  ]);
  const widths = head.map((title, i) =>
    Math.max(...[head, ...cells].map((row) => row[i].length), title.length),
  );
  return [head, ...cells]
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
    )
    .join("\n");
}
