import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DeviceError } from "../../src/matrix/errors.js";
import { createRandom } from "../../src/numerics/random.js";
import { JobQueue, jobQueueBytes } from "../../src/threads/job-queue.js";

/** Counts, in shared memory, how often each chunk was done, and by whom. */
const NAMES = ["idle", "count"];
const MOST_CHUNKS = 200;
const WORKERS = 3;

describe("the job queue", () => {
  const shared = new SharedArrayBuffer(jobQueueBytes(WORKERS + 1));
  const counts = new Int32Array(new SharedArrayBuffer(4 * MOST_CHUNKS * 2));
  const count = (chunk: number, thread: number, amount: number, limited: number) => {
    Atomics.add(counts, chunk, amount);
    Atomics.add(counts, MOST_CHUNKS + thread, 1);
    if (limited > 5) throw new RangeError(`thread ${thread} is beyond its limit ∞`);
  };
  const queue = new JobQueue(shared, NAMES, [{}, { idle: () => {}, count }], 0, WORKERS + 1);
  const workers: Worker[] = [];

  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { workerData, parentPort } from "node:worker_threads";
          import { JobQueue } from "./src/threads/job-queue.ts";
          const { shared, counts, names, thread } = workerData;
          const count = (chunk, thread, amount, limited) => {
            Atomics.add(counts, chunk, amount);
            Atomics.add(counts, ${MOST_CHUNKS} + thread, 1);
            if (limited > 5) throw new RangeError("thread " + thread + " is beyond its limit ∞");
          };
          const queue = new JobQueue(shared, names, [{}, { idle() {}, count }], thread, ${WORKERS + 1});
          parentPort.postMessage("ready");
          queue.serve();`,
        resolveDir: new URL("../..", import.meta.url).pathname,
      },
      bundle: true,
      write: false,
      format: "cjs",
      platform: "node",
    });
    for (let thread = 1; thread <= WORKERS; thread++) {
      const workerData = { shared, counts, names: NAMES, thread };
      const worker = new Worker(outputFiles[0].text, { eval: true, workerData });
      workers.push(worker);
      await new Promise((resolve) => worker.once("message", resolve));
    }
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  it("has every chunk done exactly once, in thousands of jobs of random size with random pauses", () => {
    const random = createRandom(1);
    const uniform = () => Math.abs(random.normal() * 1e4) % 1;
    for (let jobs = 0; jobs < 4000; jobs++) {
      const chunks = 1 + Math.floor(uniform() * (jobs % 2 ? 6 : MOST_CHUNKS));
      const amount = 1 + (jobs % 7);
      counts.fill(0, 0, MOST_CHUNKS);
      const args = [{ base: 0, chunk: 1 }, { base: 0, thread: 1 }, amount, { base: 0, chunk: 1, upTo: 5 }];
      queue.run(1, "count", args, chunks);
      for (let k = 0; k < MOST_CHUNKS; k++)
        if (counts[k] !== (k < chunks ? amount : 0))
          expect.fail(`job ${jobs}: chunk ${k} of ${chunks} has ${counts[k]} for ${amount}`);
      // Long enough for workers to fall asleep now and then, or to be on the way to it.
      if (jobs % 50 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * uniform());
    }
    const byWorkers = () =>
      counts.subarray(MOST_CHUNKS + 1, MOST_CHUNKS + 1 + WORKERS).reduce((a, b) => a + b);
    // Where other processes have the cores, a job may be over before a worker has one: until then there are more jobs.
    while (byWorkers() === 0) queue.run(1, "count", [0, 0, 1, 5], 1);
  });

  it("throws the error of a chunk, whoever did it, and forgets it with the next job", () => {
    const failing: unknown[] = [];
    // Until one of the workers has come for the chunk.
    for (let i = 0; i < 10_000 && (i < 200 || new Set(failing).size < 2); i++) {
      const error = thrownBy(() => queue.run(1, "count", [0, { base: 0, thread: 1 }, 1, 6], 1));
      if (!(error instanceof DeviceError && error.cause instanceof RangeError)) expect.fail(String(error));
      expect(error.message).toBe(`threads: count has failed: ${error.cause.message}`);
      expect(error.cause.message).toMatch(/^thread [0-3] is beyond its limit ∞$/);
      // Where it was thrown.
      expect(error.cause.stack).toMatch(/\bcount\b/);
      failing.push(error.cause.message);
      queue.run(1, "count", [0, 0, 1, 5], 1);
    }
    expect(new Set(failing).size).toBeGreaterThan(1);
  });

  it("refuses more arguments than there is room for", () => {
    expect(() => queue.run(1, "count", new Array(13).fill(0), 1)).toThrow(RangeError);
  });

  it("lets workers go when it is stopped, asleep or not", async () => {
    const ended = Promise.all(
      workers.map((worker) => new Promise<number>((resolve) => worker.once("exit", resolve))),
    );
    queue.run(1, "idle", [], 3);
    queue.stop();
    expect(await ended).toEqual(workers.map(() => 0));
  });
});

it("gives up a worker that does not come out of its chunk, and every job after that", () => {
  const shared = new SharedArrayBuffer(jobQueueBytes(2));
  let done = 0;
  const work = () => {
    done++;
    // As a worker does that is ended there.
    if (done === 1) Atomics.add(new Int32Array(shared), 2, 1);
  };
  const queue = new JobQueue(shared, ["work"], [{ work }], 0, 2, 20);
  const run = () => thrownBy(() => queue.run(0, "work", [], 1));
  const first = run();
  expect(first).toBeInstanceOf(DeviceError);
  expect((first as Error).message).toMatch(
    /has not finished its part of work; stop the pool and start another/,
  );
  expect((first as Error).cause).toBe(undefined);
  // What has become of the worker is heard of when this thread gets round to it.
  const why = new Error("out of memory");
  queue.workerEnded(why);
  expect(run()).toBeInstanceOf(DeviceError);
  expect((run() as Error).cause).toBe(why);
  expect(done).toBe(1);
});

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
