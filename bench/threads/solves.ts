// A thread with the core and, perhaps, a pool; gain.ts orders what it times.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { createRandom } from "../../src/numerics/random.js";
import { importCore } from "../contenders/core.js";

export interface SolveOrder {
  readonly name: "spectralNorm" | "singularTriplet";
  readonly n: number;
  readonly seed: number;
  readonly calls: number;
}

const { dist, threads } = workerData as { dist: string; threads: number };
const core = await importCore(dist);
if (threads > 1) {
  const { startThreads } = (await import(pathToFileURL(join(dist, "threads", "index.js")).href)) as {
    startThreads(count: number): Promise<unknown>;
  };
  await startThreads(threads);
}

let made = "";
let A = { data: new Float32Array(0), shape: [0, 0] };

/** Milliseconds of one call. */
function time({ name, n, seed, calls }: SolveOrder): number {
  if (made !== `${n} ${seed}`) {
    const random = createRandom(seed);
    A = { data: Float32Array.from({ length: n * n }, () => random.normal()), shape: [n, n] };
    made = `${n} ${seed}`;
  }
  const started = performance.now();
  for (let i = 0; i < calls; i++) core[name](A);
  return (performance.now() - started) / calls;
}

parentPort?.on("message", (order: SolveOrder) => parentPort?.postMessage(time(order)));
parentPort?.postMessage(0);
