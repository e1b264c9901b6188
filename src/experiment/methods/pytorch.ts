import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { FileError } from "../../index.js";
import type { ComparedMethod, MethodGroup, SecondOrderMethod } from "../method.js";
import { thrown } from "../second-order-method.js";
import { pytorchScript } from "./pytorch-script.js";

const howTo = "PyTorch: --python PATH, a Python with PyTorch, adds the five methods of the notebook";

const rows: readonly { readonly name: string; readonly runs: string }[] = [
  { name: "norm", runs: "torch.linalg.norm(A, ord=2)" },
  { name: "matrix_norm", runs: "torch.linalg.matrix_norm(A, ord=2)" },
  { name: "svdvals", runs: "torch.linalg.svdvals(A)[0]" },
  { name: "spectral_norm", runs: "the notebook's power iteration, differentiated step by step" },
  { name: "SpectralNorm", runs: "the notebook's power iteration with its custom backward" },
];

/**
 * The notebook's five methods in the Python at `path`: in float64 for accuracy and in float32 for speed, as in the
 * notebook.
 *
 * @throws FileError when `path` cannot be run at all
 */
export async function pytorchMethods(path: string | undefined, seed: number): Promise<MethodGroup> {
  if (path === undefined) return { methods: [], missing: howTo };
  const python = new PythonProcess(path, seed);
  const greeting = await python.greeting<
    { torch: string; python: string; threads: number; compiled: boolean } | Failure
  >();
  if ("error" in greeting) {
    python.close();
    return { methods: [], missing: `${howTo} (${path} has none: ${greeting.error})` };
  }
  const accuracy = rows.map((row) => accuracyMethod(python, row));
  const speed = rows.map((row) => speedMethod(python, row));
  return {
    methods: [...accuracy, ...speed],
    secondOrder: rows.map(({ name }) => secondOrderMethod(python, name)),
    versions: {
      python: greeting.python,
      torch: `${greeting.torch} (${greeting.threads} threads${greeting.compiled ? "" : ", not compiled"})`,
    },
    close: () => python.close(),
  };
}

function accuracyMethod(
  python: PythonProcess,
  { name, runs }: { name: string; runs: string },
): ComparedMethod {
  return {
    name,
    engine: "pytorch",
    dtype: "float64",
    runs,
    part: "accuracy",
    async evaluate({ data, rows, cols }) {
      const request = { do: "evaluate", method: name, rows, cols, data: encoded(data) };
      const { value, gradient } = await python.ask<{ value: number; gradient: string }>(request);
      return { value, gradient: decoded(gradient) };
    },
    time: () => Promise.reject(new Error("a method of the accuracy part is not timed")),
  };
}

function speedMethod(python: PythonProcess, { name, runs }: { name: string; runs: string }): ComparedMethod {
  return {
    name,
    engine: "pytorch",
    dtype: "float32",
    runs,
    part: "speed",
    evaluate: () => Promise.reject(new Error("a method of the speed part is not evaluated")),
    // Python makes its own matrices, since sending them would cost more than the measured work.
    async time(matrices) {
      const [{ rows, cols }] = matrices;
      const { ms } = await python.ask<{ ms: number }>({
        do: "time",
        method: name,
        rows,
        cols,
        loops: matrices.length,
      });
      return ms;
    },
  };
}

function secondOrderMethod(python: PythonProcess, name: string): SecondOrderMethod {
  return {
    name,
    engine: "pytorch",
    dtype: "float64",
    runs: "torch.autograd.grad of torch.autograd.grad(…, create_graph=True)",
    costly: true,
    async differentiate({ data, rows, cols }, direction) {
      const { hessian, alone } = await python.ask<{ hessian?: string; alone?: string }>({
        ...{ do: "second", method: name, rows, cols },
        ...{ data: encoded(data), direction: encoded(direction.data) },
      });
      if (hessian === undefined) return { none: thrown(alone ?? "no answer") };
      if (alone === undefined) return { hessian: decoded(hessian) };
      return {
        hessian: decoded(hessian),
        note: `alone it ${thrown(alone)}; shown is what it adds to the second derivative of ½‖A‖², which does not throw`,
      };
    },
  };
}

function encoded(data: Float64Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}

function decoded(text: string): Float64Array {
  return new Float64Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
}

interface Failure {
  readonly error: string;
}

/** A Python that runs the script and answers one JSON line to each JSON line it is sent. */
class PythonProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  readonly #folder: string;
  readonly #path: string;
  #failure: string | undefined;
  #complaints = "";

  constructor(path: string, seed: number) {
    this.#path = path;
    // A file rather than standard input, which carries the requests, or -c: PyTorch's compiler
    // reads the source of what it compiles.
    this.#folder = temporaryFolder();
    const script = join(this.#folder, "notebook_methods.py");
    try {
      writeFileSync(script, pytorchScript);
    } catch (error) {
      rmSync(this.#folder, { recursive: true, force: true });
      throw noTemporary(error);
    }
    this.#child = spawn(path, [script, String(seed)], { stdio: "pipe" });
    this.#child.on("error", (error) => {
      this.#failure = error.message;
    });
    this.#child.stderr.on("data", (text) => {
      this.#complaints = (this.#complaints + text).slice(-2000);
    });
    // A process that has died is reported when its answer is missing.
    this.#child.stdin.on("error", () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The versions that it reports before the first request. */
  async greeting<T>(): Promise<T> {
    try {
      return await this.#answer<T>();
    } finally {
      // Python has read the script by now.
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  async #answer<T>(): Promise<T> {
    const { value, done } = await this.#answers.next();
    const parsed = done ? undefined : parse(value);
    if (parsed !== undefined) return parsed as T;
    this.close();
    const why = this.#failure ?? this.#complaints.trim().split("\n").at(-1) ?? "";
    throw new FileError(`${this.#path}: cannot be run as Python${why === "" ? "" : ` (${why})`}`);
  }

  async ask<T extends object>(request: object): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const reply = await this.#answer<T | Failure>();
    if ("error" in reply) throw new FileError(`${this.#path}: ${reply.error}`);
    return reply;
  }

  close(): void {
    // Killed, since a program that is not Python may ignore the end of its input.
    this.#child.kill();
  }
}

function temporaryFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), "spectral-norm-"));
  } catch (error) {
    throw noTemporary(error);
  }
}

function noTemporary(error: unknown): FileError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new FileError(
    `--python: a temporary file cannot be written in ${tmpdir()} (${code === "ENOSPC" ? "the disk is full" : String(code ?? message)}); TMPDIR names another folder`,
  );
}

function parse(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
