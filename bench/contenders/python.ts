import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type Contender, type ContenderGroup, cubic, type Task } from "../contender.js";
import type { Workload } from "../workload.js";

interface Row {
  readonly engine: string;
  readonly tasks: readonly Task[];
  readonly roughSeconds: Contender["roughSeconds"];
  readonly declines: Contender["declines"];
}

const onlyOne: Contender["declines"] = ({ batch }) => (batch > 1 ? "takes one matrix" : undefined);
const always: Contender["declines"] = () => undefined;
const arpack: Row = {
  engine: "scipy",
  tasks: ["triplet"],
  roughSeconds: ({ rows, cols }) => 1e-7 * rows * cols,
  declines: (of) =>
    onlyOne(of) ?? (Math.min(of.rows, of.cols) < 2 ? "needs more than one singular value" : undefined),
};
const rows: Readonly<Record<string, Row>> = {
  "PyTorch matrix_norm(2), backward": {
    engine: "torch",
    tasks: ["gradient"],
    roughSeconds: (of) => 5e-10 * cubic(of),
    declines: always,
  },
  "SciPy svds(k=1)": arpack,
  "SciPy svds(k=1, tol=1e-5)": arpack,
  "NumPy linalg.norm(2)": {
    engine: "numpy",
    tasks: ["value"],
    roughSeconds: (of) => 3e-10 * cubic(of),
    declines: always,
  },
};

const HOW_TO = "Python: --python PATH, of one that has torch, scipy and numpy, adds their rows";

/** A pool of threads goes on spinning for some ten milliseconds; nobody else is to share that. */
const SETTLE_MS = 60;

/** PyTorch, SciPy and NumPy, with one thread and with all of the machine's. */
export async function pythonContenders(named: string | undefined, script: string): Promise<ContenderGroup> {
  const path = named ?? findPython();
  if (path === undefined) return { contenders: [], missing: [HOW_TO] };
  const folder = mkdtempSync(join(tmpdir(), "bench-python-"));
  const counts = [...new Set([1, availableParallelism()])];
  const processes: PythonProcess[] = [];
  const close = () => {
    for (const process of processes) process.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const contenders: Contender[] = [];
  let versions: Record<string, string> = {};
  for (const threads of counts) {
    const process = new PythonProcess(path, script, threads, folder);
    processes.push(process);
    const greeting = await process
      .answer<{ versions: Record<string, string>; names: string[] }>()
      .catch(failure);
    if (greeting instanceof Error) {
      close();
      return { contenders: [], missing: [`${HOW_TO} (${greeting.message})`] };
    }
    ({ versions } = greeting);
    for (const name of greeting.names) contenders.push(contender(process, name, rows[name], threads));
  }
  const missing = ["torch", "scipy"]
    .filter((name) => !(name in versions))
    .map((name) => `${name}: the Python that was found does not have it`);
  return { contenders, versions, missing, close };
}

function contender(process: PythonProcess, name: string, row: Row, threads: number): Contender {
  return {
    ...row,
    name: `${name}, ${threads} ${threads === 1 ? "thread" : "threads"}`,
    ours: false,
    threads,
    load: async (workload) => {
      await process.load(workload);
      return {
        async time(loops) {
          const { ms } = await process.ask<{ ms: number }>({ do: "time", name, loops });
          if (threads > 1) await sleep(SETTLE_MS);
          return ms;
        },
        answer: () => process.answerOf(name, workload),
        // The other rows of this process have the same entries; the next case replaces them.
        release: () => process.release(),
      };
    },
  };
}

/** The Python of the PATH that has the most of the libraries, the first one of several. */
function findPython(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin"];
  const count =
    "from importlib.util import find_spec; print(sum(find_spec(n) is not None for n in ('torch', 'scipy')))";
  const pythons = [...new Set(folders.map((folder) => join(folder, "python3")))].map((path) => {
    try {
      return {
        path,
        libraries: Number(execFileSync(path, ["-c", count], { stdio: ["ignore", "pipe", "ignore"] })),
      };
    } catch {
      return { path, libraries: 0 };
    }
  });
  const most = Math.max(...pythons.map(({ libraries }) => libraries));
  return most === 0 ? undefined : pythons.find(({ libraries }) => libraries === most)?.path;
}

function failure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** A Python that answers one JSON line to each JSON line it is sent. */
class PythonProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #entries: string;
  readonly #result: string;
  #loaded: Workload | undefined;

  constructor(path: string, script: string, threads: number, folder: string) {
    this.#entries = join(folder, `entries-${threads}`);
    this.#result = join(folder, `result-${threads}`);
    const count = String(threads);
    const env = {
      ...process.env,
      OMP_NUM_THREADS: count,
      OPENBLAS_NUM_THREADS: count,
      MKL_NUM_THREADS: count,
    };
    this.#child = spawn(path, [script], { stdio: ["pipe", "pipe", "inherit"], env });
    // One that cannot be started, or has died, is reported by the answer that does not come.
    this.#child.on("error", () => {});
    this.#child.stdin.on("error", () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async answer<T extends object>(): Promise<T> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("it does not run, or has ended");
    const reply = JSON.parse(value) as T | { error: string };
    if ("error" in reply) throw new Error(reply.error);
    return reply;
  }

  ask<T extends object>(request: object): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.answer<T>();
  }

  async load(workload: Workload): Promise<void> {
    if (this.#loaded === workload) return;
    const { data, case: of } = workload;
    writeFileSync(this.#entries, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const shape = of.batch > 1 ? [of.batch, of.rows, of.cols] : [of.rows, of.cols];
    await this.ask({ do: "load", file: this.#entries, dtype: of.dtype, shape });
    this.#loaded = workload;
  }

  async answerOf(name: string, { case: { dtype } }: Workload): Promise<Answer> {
    const file = this.#result;
    const { sigmas, parts } = await this.ask<{ sigmas: number[]; parts: [string, number][] }>({
      do: "answer",
      name,
      file,
    });
    const { buffer } = Uint8Array.from(readFileSync(file));
    const numbers = dtype === "float32" ? new Float32Array(buffer) : new Float64Array(buffer);
    let offset = 0;
    const arrays: Record<string, ArrayLike<number>> = {};
    for (const [key, count] of parts) {
      arrays[key] = numbers.subarray(offset, offset + count);
      offset += count;
    }
    return { sigmas, ...arrays };
  }

  async release(): Promise<void> {
    if (this.#loaded === undefined) return;
    this.#loaded = undefined;
    await this.ask({ do: "release" });
  }

  close(): void {
    this.#child.stdin.end();
  }
}
