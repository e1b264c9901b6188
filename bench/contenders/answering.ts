import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { DType } from "../../src/matrix/types.js";
import { type Answer, type Contender, type ContenderGroup, type Loaded, threadsText } from "../contender.js";
import type { Workload } from "../workload.js";

/** The first line of a process that is ready. */
interface Greeting {
  readonly versions: Readonly<Record<string, string>>;
  /** of the contenders that it has */
  readonly names: readonly string[];
}

export interface Command {
  readonly path: string;
  readonly parts: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly threads: number;
  /** where entries and answers are passed on, as bytes; the name is the process's own */
  readonly folder: string;
  readonly name: string;
}

/** Chosen: the threads of a pool may keep spinning for tens of milliseconds, which must not slow the next contender. */
const SETTLE_MS = 60;

/**
 * A process that stays, with contenders of its own. A request is one line of words separated by tabs, which any
 * language reads without a library; each is answered by one line of JSON:
 *
 *     load FILE DTYPE BATCH ROWS COLS    {}: entries, row-major, from a file
 *     time NAME LOOPS                    {"ms"} in all, taken around the calls alone
 *     answer NAME FILE                   {"sigmas", "parts": [[key, count], …]}, numbers in the file
 *     release                            {}
 *
 * The first line, unasked, is the greeting; an answer may be {"error"} instead.
 */
export class AnsweringProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #entries: string;
  readonly #result: string;
  readonly #threads: number;
  #loaded: Workload | undefined;

  constructor({ path, parts, environment, threads, folder, name }: Command) {
    this.#entries = `${folder}/${name}-entries`;
    this.#result = `${folder}/${name}-result`;
    this.#threads = threads;
    const count = String(threads);
    const env = {
      ...process.env,
      OMP_NUM_THREADS: count,
      OPENBLAS_NUM_THREADS: count,
      MKL_NUM_THREADS: count,
      ...environment,
    };
    this.#child = spawn(path, parts, { stdio: ["pipe", "pipe", "inherit"], env });
    // A process that cannot be started, or has died, is reported when its answer is missing.
    this.#child.on("error", () => {});
    this.#child.stdin.on("error", () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  greeting(): Promise<Greeting> {
    return this.#answer<Greeting>();
  }

  /** The contender of that name in there. */
  async load(name: string, workload: Workload): Promise<Loaded> {
    await this.#bring(workload);
    return {
      time: async (loops) => (await this.#ask<{ ms: number }>("time", name, loops)).ms,
      settle: async () => {
        if (this.#threads > 1) await sleep(SETTLE_MS);
      },
      answer: () => this.#answerOf(name, workload.case.dtype),
      // The other rows of this process have the same entries; the next case replaces them.
      release: () => this.#release(),
    };
  }

  close(): void {
    this.#child.stdin.end();
  }

  async #answer<T extends object>(): Promise<T> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("it does not run, or has ended");
    const reply = JSON.parse(value) as T | { error: string };
    if ("error" in reply) throw new Error(reply.error);
    return reply;
  }

  #ask<T extends object>(...words: readonly (string | number)[]): Promise<T> {
    this.#child.stdin.write(`${words.join("\t")}\n`);
    return this.#answer<T>();
  }

  async #bring(workload: Workload): Promise<void> {
    if (this.#loaded === workload) return;
    const { data, halves, case: of } = workload;
    const { buffer, byteOffset, byteLength } = halves ?? data;
    writeFileSync(this.#entries, new Uint8Array(buffer, byteOffset, byteLength));
    await this.#ask("load", this.#entries, of.stored, of.batch, of.rows, of.cols);
    this.#loaded = workload;
  }

  async #answerOf(name: string, usual: DType): Promise<Answer> {
    const { sigmas, parts, passes, dtype } = await this.#ask<{
      sigmas: number[];
      parts: [string, number][];
      passes?: number;
      dtype?: DType;
    }>("answer", name, this.#result);
    const { buffer } = new Uint8Array(readFileSync(this.#result));
    const numbers = (dtype ?? usual) === "float32" ? new Float32Array(buffer) : new Float64Array(buffer);
    let offset = 0;
    const arrays: Record<string, ArrayLike<number>> = {};
    for (const [key, count] of parts) {
      arrays[key] = numbers.subarray(offset, offset + count);
      offset += count;
    }
    return { sigmas, passes, ...arrays };
  }

  async #release(): Promise<void> {
    if (this.#loaded === undefined) return;
    this.#loaded = undefined;
    await this.#ask("release");
  }
}

/** What a language's libraries are, beside what its processes say of themselves. */
export type Described = Pick<
  Contender,
  "engine" | "tasks" | "dense" | "takesComplex" | "roughSeconds" | "declines"
>;

/**
 * The contenders of a script that answers, with one thread and with all of the machine's, in a process each.
 *
 * @param howTo  said with the reason, where a process does not start
 * @param lacking  what is said of libraries that it turns out not to have
 */
export async function answeringContenders(
  command: Pick<Command, "path" | "parts" | "folder" | "name">,
  describe: (name: string) => Described,
  howTo: string,
  lacking: (versions: Greeting["versions"]) => readonly string[],
): Promise<ContenderGroup> {
  const processes: AnsweringProcess[] = [];
  const close = () => {
    for (const process of processes) process.close();
  };
  const contenders: Contender[] = [];
  let versions: Greeting["versions"] = {};
  for (const threads of new Set([1, availableParallelism()])) {
    const process = new AnsweringProcess({ ...command, threads, name: `${command.name}-${threads}` });
    processes.push(process);
    try {
      const greeting = await process.greeting();
      ({ versions } = greeting);
      for (const name of greeting.names)
        contenders.push({
          ...describe(name),
          name: `${name}, ${threadsText(threads)}`,
          ours: false,
          threads,
          load: (workload) => process.load(name, workload),
        });
    } catch (error) {
      close();
      const why = error instanceof Error ? error.message : String(error);
      return { contenders: [], missing: [`${howTo} (${why})`] };
    }
  }
  return { contenders, versions, missing: lacking(versions), close };
}
