import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, it } from "vitest";

// A process that is stopped and continued is to itself what it is on a machine that has slept: time has gone by in which
// none of its threads ran.

const folder = mkdtempSync(join(tmpdir(), "frozen-"));
const root = new URL("../..", import.meta.url).pathname;

/** Milliseconds that a job waits for a thread's last chunk here, and those for which the process is stopped. */
const PATIENCE = 1500;
const STOPPED = 2 * PATIENCE;

/** A worker whose chunk is not done before the file `go` is there, and then takes some fifty milliseconds of waits. */
const QUEUE = `
  import { existsSync, writeSync } from "node:fs";
  import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
  import { JobQueue, jobQueueBytes } from "./src/threads/job-queue.ts";
  const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  const go = process.argv[2] ?? workerData.go;
  const taken = new Int32Array(workerData?.taken ?? new SharedArrayBuffer(4));
  const work = (chunk, thread) => {
    if (thread === 0) {
      // The main thread's is not done before the worker has the other.
      while (Atomics.load(taken, 0) === 0) pause(1);
      return;
    }
    Atomics.add(taken, 0, 1);
    while (!existsSync(go)) pause(1);
    for (let i = 0; i < 50; i++) pause(1);
  };
  const shared = workerData?.shared ?? new SharedArrayBuffer(jobQueueBytes(2));
  const queue = new JobQueue(shared, ["work"], [{ work }], isMainThread ? 0 : 1, 2, ${PATIENCE});
  if (isMainThread) {
    const worker = new Worker(process.argv[1], { workerData: { shared, taken: taken.buffer, go } });
    worker.once("message", () => {
      const run = () => queue.run(0, "work", [{ base: 0, chunk: 1 }, { base: 0, thread: 1 }], 2);
      writeSync(1, "leads\\n");
      run();
      run();
      console.log("done");
      worker.terminate();
    });
  } else {
    parentPort.postMessage("ready");
    queue.serve();
  }`;

/** Computes over and over, with all that can be divided being divided. */
const POOL = `
  import { writeSync } from "node:fs";
  import { useThreadPool } from "./src/kernels/select.ts";
  import { kernelInfo, singularTriplet } from "./src/index.ts";
  import { startTeam } from "./src/threads/start-team.ts";
  const n = 150;
  const A = { data: Float64Array.from({ length: n * n }, (_, k) => Math.sin(k * k)), shape: [n, n] };
  const bits = () => {
    const { sigma, u, v } = singularTriplet(A);
    return Buffer.from(Float64Array.of(sigma, ...u, ...v).buffer).toString("hex");
  };
  const alone = bits();
  const team = await startTeam(3, 0, ${PATIENCE});
  useThreadPool(team);
  writeSync(1, "leads\\n");
  let asked = false;
  process.stdin.once("data", () => { asked = true; });
  let same = true;
  for (let i = 0; i < 10 || !asked; i++) {
    same &&= bits() === alone;
    await new Promise((resolve) => setImmediate(resolve));
  }
  console.log(same && kernelInfo().threads === 3 ? "done" : "other bits");
  useThreadPool(undefined);
  await team.stop();
  process.stdin.destroy();`;

beforeAll(async () => {
  for (const [name, contents] of Object.entries({ queue: QUEUE, pool: POOL }))
    await build({
      stdin: { contents, resolveDir: root, loader: "js" },
      bundle: true,
      format: "esm",
      platform: "node",
      outfile: join(folder, `${name}.mjs`),
    });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function begin(
  name: string,
  ...args: string[]
): { child: ChildProcess; line: (text: string) => Promise<void> } {
  const child = spawn(process.execPath, [join(folder, `${name}.mjs`), ...args], { stdio: "pipe" });
  let said = "";
  let changed = () => {};
  for (const stream of [child.stdout, child.stderr])
    stream!.on("data", (text) => {
      said += text;
      changed();
    });
  let closed = false;
  child.on("close", () => {
    closed = true;
    changed();
  });
  const line = (text: string) =>
    new Promise<void>((resolve, reject) => {
      changed = () => {
        if (said.split("\n").includes(text)) resolve();
        else if (closed) reject(new Error(`ended with: ${said}`));
      };
      changed();
    });
  return { child, line };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function freeze(child: ChildProcess, meanwhile = () => {}): Promise<void> {
  child.kill("SIGSTOP");
  await sleep(STOPPED / 2);
  meanwhile();
  await sleep(STOPPED / 2);
  child.kill("SIGCONT");
}

// Windows has no such signals.
describe.skipIf(process.platform === "win32")(
  "a process that was stopped for longer than threads are waited for",
  () => {
    it("waits on for a thread that was at work", async () => {
      const go = join(folder, "go");
      const { child, line } = begin("queue", go);
      try {
        await line("leads");
        // Long enough for the main thread to have nothing left but to wait, and not for it to give up.
        await sleep(PATIENCE / 5);
        await freeze(child, () => writeFileSync(go, ""));
        await line("done");
      } finally {
        child.kill("SIGKILL");
      }
    });

    it("goes on to compute the same bits, and its pool works", async () => {
      const { child, line } = begin("pool");
      try {
        await line("leads");
        for (let i = 0; i < 3; i++) {
          await sleep(20);
          await freeze(child);
        }
        child.stdin!.write("end");
        await line("done");
      } finally {
        child.kill("SIGKILL");
      }
    });
  },
);
