import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Contender, type ContenderGroup, type Loaded, threadsText } from "../contender.js";
import type { Workload } from "../workload.js";

/** The name of the reference that all contenders are compared with; the thread count follows. */
export const READING = "one read of A";

/** Bytes of a page of WebAssembly memory. */
const PAGE = 65_536;
/** Bytes read in a turn of the loop of bench/loops.mjs. */
const LINE = 128;
/** As bench/loops.mjs has it. */
const MOST_PAGES = 32_768;

/** The work of a reading thread; see bench/threads/reads.ts. */
export interface Share {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly from: number;
  readonly bytes: number;
}

/** Places in `turn`: how often a read was ordered, the loops of it, and how many have finished. */
export const TURN = { ordered: 0, loops: 1, finished: 2 } as const;

export function reader({ module, memory, from, bytes }: Share): () => void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => {} } });
  const read = exports["read"] as (from: number, bytes: number) => bigint;
  return () => void read(from, bytes);
}

/**
 * The memory limit: a plain read of as many bytes as the case has, timed in turn with the contenders, by one thread
 * and by one on each core, each its share. The threads meet at the end of a sample rather than of each read, so the
 * limit is what memory gives, without the cost of a meeting. Between samples they sleep.
 *
 * @param scripts  the folder with the compiled benchmark
 */
export function readingContenders(scripts: string): ContenderGroup {
  const module = new WebAssembly.Module(readFileSync(join(scripts, "read.wasm")));
  const cores = availableParallelism();
  const turn = new Int32Array(new SharedArrayBuffer(4 * Object.keys(TURN).length));
  const helpers = Array.from(
    { length: cores - 1 },
    () => new Worker(join(scripts, "threads", "reads.js"), { workerData: turn }),
  );
  for (const helper of helpers) helper.unref();

  let latest: { readonly of: Workload; readonly memory: WebAssembly.Memory } | undefined;
  /** Both rows read the same copy. */
  const copyOf = (workload: Workload): WebAssembly.Memory => {
    if (latest?.of === workload) return latest.memory;
    const { buffer, byteOffset, byteLength } = workload.halves ?? workload.data;
    const initial = Math.ceil((byteLength + 2 * LINE * cores) / PAGE) + 1;
    const memory = new WebAssembly.Memory({ initial, maximum: MOST_PAGES, shared: true });
    // Written once, or the pages would all be the same page of zeros.
    new Uint8Array(memory.buffer, LINE, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    latest = { of: workload, memory };
    return memory;
  };

  const load = (workload: Workload, threads: number): Loaded => {
    const memory = copyOf(workload);
    const { byteLength } = workload.halves ?? workload.data;
    const bytes = Math.ceil(byteLength / threads / LINE) * LINE;
    const share = (k: number): Share => ({ module, memory, from: LINE + k * bytes, bytes });
    const own = reader(share(0));
    const others = helpers.slice(0, threads - 1);
    return {
      async time(loops) {
        // Handed out before each sample, since the two rows take turns with the same threads.
        for (const [k, helper] of others.entries()) helper.postMessage(share(k + 1));
        if (others.length > 0) await allReady(others);
        Atomics.store(turn, TURN.finished, 0);
        Atomics.store(turn, TURN.loops, loops);
        const begin = performance.now();
        if (others.length > 0) {
          Atomics.add(turn, TURN.ordered, 1);
          Atomics.notify(turn, TURN.ordered);
        }
        for (let i = 0; i < loops; i++) own();
        for (let done = 0; done < others.length; done = Atomics.load(turn, TURN.finished))
          Atomics.wait(turn, TURN.finished, done);
        return performance.now() - begin;
      },
      answer: () => ({ sigmas: [] }),
      release: () => {
        latest = undefined;
      },
    };
  };

  const contenders = [...new Set([1, cores])].map(
    (threads): Contender => ({
      name: `${READING}, ${threadsText(threads)}`,
      engine: "reading",
      ours: false,
      tasks: [],
      threads,
      takesHalves: true,
      takesComplex: true,
      roughSeconds: ({ rows, cols, batch }) => 1e-9 * rows * cols * batch,
      declines: () => undefined,
      load: (workload) => load(workload, threads),
    }),
  );
  return { contenders, close: () => helpers.forEach((helper) => void helper.terminate()) };
}

/** Each says so once it waits for the turn. */
function allReady(helpers: readonly Worker[]): Promise<unknown> {
  return Promise.all(helpers.map((helper) => new Promise((resolve) => helper.once("message", resolve))));
}
