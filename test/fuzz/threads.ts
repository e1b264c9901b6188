import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { createRandom } from "../../src/numerics/random.js";
import { startThreads } from "../../src/threads/index.js";
import { digest, type Shared } from "./digest.js";
import type { Part } from "./parts.js";
import type { Orders, Outcome } from "./worker.js";

const WORKERS = 3;

/**
 * Three threads and this one call everything at the same time, this one with a pool of threads of its own that share
 * its memory. Each has its properties checked, and all of them must come to the same bits as one alone.
 */
export const threads: Part = {
  runs: 1000,
  async run({ seed, runs }) {
    const random = createRandom(seed);
    const [m, n] = [300, 257];
    const data = new Float64Array(new SharedArrayBuffer(8 * m * n));
    for (let k = 0; k < data.length; k++) data[k] = random.normal();
    const shared: Shared = { data, shape: [m, n] };
    const alone = digest(seed, runs, shared);

    const workers = Array.from({ length: WORKERS }, (_, k) => {
      const orders: Orders = { seed: seed + 1 + k, runs, shared, digestSeed: seed };
      return new Worker(new URL("./worker.js", import.meta.url), { workerData: orders });
    });
    const outcomes = workers.map(async (worker) => (await once(worker, "message"))[0] as Outcome);
    const pool = await startThreads(2);
    const beside = digest(seed, runs, shared);
    await pool.stop();
    const done = await Promise.all(outcomes);
    const found = done.flatMap((outcome) => outcome.found);
    if (beside !== alone) found.push("with a pool, and beside other threads, other bits");
    done.forEach((outcome, k) => {
      if (outcome.digest !== alone) found.push(`thread ${k + 1} of ${WORKERS} has other bits`);
    });
    return found.length > 0
      ? `${found.join("\n")}\nAgain: npm run fuzz -- --part threads --seed ${seed} --runs ${runs}`
      : undefined;
  },
};
