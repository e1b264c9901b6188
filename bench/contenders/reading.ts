import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import asc from "assemblyscript/asc";
import { type Contender, type ContenderGroup, type Loaded, threadsText } from "../contender.js";
import type { Workload } from "../workload.js";

/**
 * Reads memory as fast as one thread of WebAssembly can: 128 bytes a turn, summed in eight lanes so that no
 * addition waits for another.
 */
const source = `
export function read(from: usize, bytes: usize): i64 {
  let a = i64x2.splat(0), b = a, c = a, d = a;
  for (let at = from, end = from + bytes; at < end; at += 128) {
    a = i64x2.add(a, i64x2.add(v128.load(at), v128.load(at, 64)));
    b = i64x2.add(b, i64x2.add(v128.load(at, 16), v128.load(at, 80)));
    c = i64x2.add(c, i64x2.add(v128.load(at, 32), v128.load(at, 96)));
    d = i64x2.add(d, i64x2.add(v128.load(at, 48), v128.load(at, 112)));
  }
  const sum = i64x2.add(i64x2.add(a, b), i64x2.add(c, d));
  return i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
}`;

/** The name of the reference that all contenders are compared with; the thread count follows. */
export const READING = "one read of A";

/** Bytes of a page of WebAssembly memory. */
const PAGE = 65_536;
/** Bytes read in a turn of the loop above. */
const LINE = 128;
/** Chosen: 2 GiB of the 4 GiB that a memory can have. */
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
 * @param script  the compiled threads/reads.js
 */
export async function readingContenders(script: string): Promise<ContenderGroup> {
  const { error, binary, stderr } = await asc.compileString(source, {
    optimizeLevel: 3,
    noAssert: true,
    runtime: "stub",
    importMemory: true,
    sharedMemory: true,
    maximumMemory: MOST_PAGES,
    enable: ["simd", "threads"],
  });
  if (error || !binary) throw new Error(`the read loop does not compile: ${stderr.toString()}`);
  const module = new WebAssembly.Module(binary as BufferSource);
  const cores = availableParallelism();
  const turn = new Int32Array(new SharedArrayBuffer(4 * Object.keys(TURN).length));
  const helpers = Array.from({ length: cores - 1 }, () => new Worker(script, { workerData: turn }));
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
