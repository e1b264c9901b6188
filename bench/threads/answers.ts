// The core with threads, behind the protocol that contenders/answering.ts describes.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { ageAllocator } from "../allocator.js";
import type { Storage } from "../cases.js";
import type { Answer, Loaded } from "../contender.js";
import { coreContenders, importCore } from "../contenders/core.js";
import type { Workload } from "../workload.js";

/** The functions of `spectral-norm/threads`. */
interface Threads {
  startThreads(count?: number): Promise<{ readonly count: number; stop(): Promise<void> }>;
}

const [dist, wanted] = process.argv.slice(2);
ageAllocator();
const core = await importCore(dist);
const { startThreads } = (await import(pathToFileURL(join(dist, "threads", "index.js")).href)) as Threads;
const pool = await startThreads(Number(wanted));
const { contenders } = coreContenders(core, "", pool.count);

let workload: Workload | undefined;
let loaded: { readonly name: string; readonly by: Loaded } | undefined;

const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ versions: {}, names: contenders.map(({ name }) => name) });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answerTo(line.split("\t")));
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) });
  }
}
await pool.stop();

async function answerTo([what, ...words]: string[]): Promise<object> {
  if (what === "load") {
    const [file, stored, batch, rows, cols] = words;
    loaded = undefined;
    workload = read(file, stored as Storage, Number(batch), Number(rows), Number(cols));
    return {};
  }
  if (what === "time") return { ms: await (await contender(words[0])).time(Number(words[1])) };
  if (what === "answer") return written(await (await contender(words[0])).answer(), words[1]);
  loaded = undefined;
  workload = undefined;
  return {};
}

/** The contender of that name with the entries that came last; inputs are not kept, so that a second one costs nothing. */
async function contender(name: string): Promise<Loaded> {
  if (!workload) throw new Error("nothing is loaded");
  if (loaded?.name !== name) {
    const found = contenders.find((one) => one.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    loaded = { name, by: await found.load(workload) };
  }
  return loaded.by;
}

function read(file: string, stored: Storage, batch: number, rows: number, cols: number): Workload {
  const { buffer } = new Uint8Array(readFileSync(file));
  const halves = stored === "bfloat16" ? new Uint16Array(buffer) : undefined;
  const single = stored === "bfloat16" || stored === "float32" || stored === "complex64";
  const dtype = single ? "float32" : "float64";
  // With half-precision entries, the widened ones are not needed.
  const data = halves
    ? new Float32Array(0)
    : dtype === "float32"
      ? new Float32Array(buffer)
      : new Float64Array(buffer);
  const size = rows * cols;
  return {
    case: { id: "", rows, cols, batch, dtype, stored, spectrum: "gaussian" },
    data,
    halves,
    at: (k) => data.subarray(k * size, (k + 1) * size),
  };
}

/** The arrays of an answer go into the file one after the other, all of one type. */
function written({ sigmas, passes, ...arrays }: Answer, file: string): object {
  const parts = Object.entries(arrays).filter(([, values]) => values !== undefined) as [
    string,
    ArrayLike<number>,
  ][];
  const single = parts.every(([, values]) => values instanceof Float32Array);
  const count = parts.reduce((sum, [, { length }]) => sum + length, 0);
  const numbers = single ? new Float32Array(count) : new Float64Array(count);
  let offset = 0;
  for (const [, values] of parts) {
    numbers.set(values, offset);
    offset += values.length;
  }
  writeFileSync(file, new Uint8Array(numbers.buffer));
  return {
    sigmas: Array.from(sigmas),
    passes,
    dtype: single ? "float32" : "float64",
    parts: parts.map(([key, { length }]) => [key, length]),
  };
}
