import { join, resolve } from "node:path";
import { openFile } from "../files/disk.js";
import type { RowsEntry } from "../files/open-rows.js";
import { petscBytes, writePetsc } from "../files/petsc-writer.js";
import { checkFinite } from "../files/rows.js";
import type { ByteSource } from "../files/source.js";
import { DeviceError, OverflowError, type SingularTriplet } from "../index.js";
import { blockedDot } from "../numerics/sums.js";
import { floorOf, judge } from "../solve/finish.js";
import { commandWords } from "./command-words.js";
import { type Answer, inBrackets, runJsonProcess } from "./json-process.js";
import { measurePairs, type Vectors } from "./pair-residual.js";
import { makeScratch } from "./scratch.js";
import { slepcScript } from "./slepc-script.js";

interface SlepcOptions {
  /** command that starts the processes, such as "mpiexec -n 4"; see `commandWords`. Default: one process */
  readonly mpiexec?: string;
  /** the Python that has slepc4py; default python3 of the PATH, else Debian's */
  readonly python?: string;
  /** relative error wanted in u·vᵀ; default: as accurate as doubles allow */
  readonly rtol?: number;
  /** Lanczos steps for σ₁, and as many for σ₂; default 10000 */
  readonly maxIterations?: number;
  readonly seed?: number;
  /** seconds without output after which SLEPc is stopped; default 600, more for large files */
  readonly timeout?: number;
}

/** The result of `singularTriplet`, from another engine. */
export type EngineTriplet = Omit<SingularTriplet<Float64Array>, "method"> & { readonly method: "slepc" };

/** Chosen: the most Lanczos steps. */
const STEPS = 10000;
/** Chosen: seconds without output, which include loading the libraries. */
const TIMEOUT = 600;
/** Chosen: bytes per second of a slow disk, by which the time limit grows. */
const SLOW_DISK = 2e7;
/** Debian's Python, whose packages other Pythons do not see. */
const DEBIAN_PYTHON = "/usr/bin/python3";
/** Chosen: a residual this many times the tolerance means that the vectors belong to another matrix. */
const FAR_OFF = 1e4;

/** Chosen: accepted deviation from length 1 and from orthogonality; vectors are then normalized. */
const NEAR = 1e-6;

const HOW_TO =
  "Debian: apt-get install python3-slepc4py; conda: conda install -c conda-forge slepc4py; --python names the Python that has it";

/** An installation of SLEPc. */
export class Slepc {
  readonly #options: SlepcOptions;
  readonly #command: readonly string[];
  readonly #indexBytes: 4 | 8;
  /** version and number of processes, for display */
  readonly description: string;

  private constructor(options: SlepcOptions, command: readonly string[], hello: Answer) {
    this.#options = options;
    this.#command = command;
    this.#indexBytes = hello["indexBytes"] === 8 ? 8 : 4;
    this.description = `SLEPc ${hello["slepc"]}, ${hello["processes"]} process(es)`;
  }

  /**
   * Starts SLEPc once, to check that it is available before anything is converted.
   *
   * @throws OptionError for what is no command; DeviceError, with how to get it, where there is no SLEPc, or none in
   *   real double precision
   */
  static async find(options: SlepcOptions): Promise<Slepc> {
    const launcher = options.mpiexec === undefined ? [] : commandWords(options.mpiexec, "--mpiexec");
    const pythons = options.python === undefined ? ["python3", DEBIAN_PYTHON] : [options.python];
    let missing: unknown;
    for (const python of pythons) {
      const command = [...launcher, python];
      try {
        const hello = await ask(command, { do: "hello" }, silence(options, 0));
        if (hello["missing"] === undefined) {
          if (hello["scalar"] !== "float64")
            throw new DeviceError(
              `--engine slepc: this PETSc computes with ${hello["scalar"]}; it takes one in real double precision`,
            );
          return new Slepc(options, command, hello);
        }
        missing ??= `${python}: ${hello["missing"]}`;
      } catch (error) {
        // Without a launcher the Python itself may be missing.
        if (
          launcher.length > 0 ||
          !(error instanceof DeviceError) ||
          !error.message.includes("cannot be run")
        )
          throw error;
        missing ??= error.message;
      }
    }
    throw new DeviceError(`--engine slepc: no SLEPc for Python is found (${missing}). ${HOW_TO}`);
  }

  /**
   * σ₁, u and v of a matrix by SLEPc. Only the vectors are taken from SLEPc: σ, residual and σ₂ are computed here. A matrix
   * that is not in a PETSc file is first written to one, in a private temporary folder.
   *
   * @param entry  m×n
   * @param path  of the file that it is in, if it is in a file of its own
   * @param progress  called now and then with what is going on
   * @returns u and v of the matrix that is meant (m, n numbers); `passes` counts SLEPc's products and our reads
   * @throws DeviceError where SLEPc fails, or what it returns is no singular triplet of this matrix; NonFiniteError,
   *   FileError
   *
   * Cost: here one or two reads of the matrix and 5(m + n) numbers, there what SLEPc takes, A itself included, divided
   *   among its processes.
   * Not guaranteed: as for `singularTriplet`, a random start can miss σ₁; two do here, independently.
   */
  async triplet(
    entry: RowsEntry,
    path: string | undefined,
    progress: (text: string) => void = () => {},
  ): Promise<EngineTriplet> {
    const { rows } = entry;
    const asItIs = path !== undefined && entry.petsc === this.#indexBytes;
    const [m, n] = rows.shape;
    const bytes = petscBytes(rows, this.#indexBytes);
    const scratch = makeScratch((asItIs ? 0 : bytes) + 16 * (m + n));
    try {
      const vectors = join(scratch.path, "vectors");
      const matrix = asItIs ? resolve(path) : join(scratch.path, "matrix.petsc");
      if (!asItIs)
        await writePetsc(matrix, rows, this.#indexBytes, (written) =>
          progress(`written for SLEPc: ${Math.round((100 * written) / bytes)} %`),
        );
      progress("SLEPc loads it");
      const reply = await ask(
        this.#command,
        {
          do: "solve",
          dense: rows.entries === undefined,
          matrix,
          vectors,
          seed: this.#options.seed ?? 0,
          steps: this.#options.maxIterations ?? STEPS,
          ...(this.#options.rtol !== undefined && { rtol: this.#options.rtol }),
          // Removed by the script if this process is killed.
          leftovers: [...(asItIs ? [] : [matrix]), vectors, `${scratch.path}/`],
        },
        silence(this.#options, bytes),
        ({ products, sigma }) => {
          if (products !== undefined)
            progress(`SLEPc: ${products} products${typeof sigma === "number" ? `, σ ≈ ${sigma}` : ""}`);
        },
      );
      if (reply["notFinite"] === true) notFinite(entry);
      progress("the residual is checked");
      if (reply["zero"] === true) return zero(entry);
      return measuredTriplet(entry, reply, vectors, this.#options.rtol);
    } finally {
      scratch.remove();
    }
  }
}

function silence({ timeout }: SlepcOptions, bytes: number): number {
  return 1000 * (timeout ?? Math.ceil(TIMEOUT + bytes / SLOW_DISK));
}

/** One run of the script; its last answer. */
async function ask(
  command: readonly string[],
  request: object,
  silenceMs: number,
  onAnswer: (answer: Answer) => void = () => {},
): Promise<Answer> {
  const environment = { ...process.env };
  // With several processes, each uses one core.
  if (command.length > 1) {
    environment["OMP_NUM_THREADS"] ??= "1";
    environment["OPENBLAS_NUM_THREADS"] ??= environment["OMP_NUM_THREADS"];
  }
  let last: Answer | undefined;
  let error: unknown;
  const { status, complaint } = await runJsonProcess(
    [...command, "-c", slepcScript, JSON.stringify(request)],
    environment,
    silenceMs,
    (answer) => {
      error ??= answer["error"];
      last = answer;
      onAnswer(answer);
    },
  );
  if (error !== undefined) throw new DeviceError(`SLEPc: ${String(error)}`);
  if (last?.["missing"] !== undefined) return last;
  if (status !== 0 || last === undefined) {
    const how =
      status === undefined
        ? "was ended by a signal"
        : status === 0
          ? "gave no answer"
          : `ended with status ${status}`;
    const hint = /run as root/.test(complaint)
      ? "; as root, Open MPI takes --allow-run-as-root after mpiexec, or OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 in the environment"
      : "";
    throw new DeviceError(`${command[0]} ${how}${inBrackets(complaint)}${hint}`);
  }
  return last;
}

/** Throws the error for a NaN, an infinity, or a sum that overflows. */
function notFinite({ rows }: RowsEntry): never {
  for (const some of rows.read()) checkFinite(some, rows);
  throw new OverflowError(
    "matrix: the sum of a row's magnitudes is beyond the largest double; scale the matrix down first",
  );
}

function zero({ rows: { shape, transposed } }: RowsEntry): EngineTriplet {
  const [m, n] = transposed ? [shape[1], shape[0]] : shape;
  const [u, v] = [new Float64Array(m), new Float64Array(n)];
  u[0] = 1;
  v[0] = 1;
  const rest = { residual: 0, gap: 0, gradientError: Math.SQRT2, iterations: 0, passes: 1 };
  return { sigma: 0, u, v, ...rest, converged: true, tied: true, method: "slepc" };
}

/** The triplet of the vectors that SLEPc returned, measured here. */
function measuredTriplet(
  entry: RowsEntry,
  reply: Answer,
  file: string,
  rtol: number | undefined,
): EngineTriplet {
  const { rows } = entry;
  const [m, n] = rows.shape;
  const { pairs: count, products, reached, tolerance } = reply;
  const wanted = Math.min(m, n, 2);
  if (count !== wanted || typeof products !== "number" || typeof tolerance !== "number")
    throw new DeviceError("SLEPc: its answer is not understood");
  const pairs = readPairs(file, count, m, n);
  const measured = measurePairs(rows, pairs);
  const swapped = measured.length > 1 && measured[1].sigma > measured[0].sigma;
  const [first, second] = swapped ? [measured[1], measured[0]] : measured;
  const { u, v } = pairs[swapped ? 1 : 0];
  const { sigma, residual } = first;
  // Only a converged result must be a singular triplet; others are returned with their residual.
  const promised =
    reached === true && !swapped
      ? FAR_OFF * Math.max(tolerance, floorOf("float64", m + n))
      : Number.POSITIVE_INFINITY;
  if (!(residual <= promised * sigma))
    throw new DeviceError(
      `SLEPc: what it returned is no singular triplet of this matrix: its residual is ${residual}, σ would be ${sigma}`,
    );
  if (sigma === Number.POSITIVE_INFINITY)
    throw new OverflowError("spectral norm: beyond the largest double; scale A down first");
  const judged = judge(
    {
      sigma,
      residual,
      second: second?.sigma ?? 0,
      secondError: second?.residual ?? 0,
      converged: reached === true,
      dtype: "float64",
      length: m + n,
    },
    rtol,
    0,
  );
  return {
    sigma,
    u: rows.transposed ? v : u,
    v: rows.transposed ? u : v,
    residual,
    gap: judged.gap,
    gradientError: judged.gradientError,
    iterations: Math.ceil(products / 2),
    // One more for the check.
    passes: products + 1,
    converged: judged.converged,
    tied: judged.tied,
    method: "slepc",
  };
}

/** u and v of each pair, as unit vectors. */
function readPairs(file: string, count: number, m: number, n: number): Vectors[] {
  let source: ByteSource;
  try {
    source = openFile(file);
  } catch (error) {
    throw new DeviceError(
      `SLEPc: its vectors are not there (${(error as Error).message}); its first process has to run on this machine, ` +
        "or TMPDIR be a folder that both see",
    );
  }
  try {
    return readVectors(source, count, m, n);
  } finally {
    source.close();
  }
}

function readVectors(source: ByteSource, count: number, m: number, n: number): Vectors[] {
  if (source.size !== 8 * count * (m + n))
    throw new DeviceError(`SLEPc: its vectors take ${source.size} bytes, not ${8 * count * (m + n)}`);
  let at = 0;
  const take = (length: number) => {
    const bytes = source.read(at, 8 * length);
    at += bytes.length;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const x = new Float64Array(length);
    for (let i = 0; i < length; i++) x[i] = view.getFloat64(8 * i, true);
    const size = Math.sqrt(blockedDot(x, x));
    if (!(Math.abs(size - 1) <= NEAR))
      throw new DeviceError(`SLEPc: a singular vector has length ${size}, not 1`);
    for (let i = 0; i < length; i++) x[i] /= size;
    return x;
  };
  const pairs = Array.from({ length: count }, () => ({ u: take(m), v: take(n) }));
  if (pairs.length === 2) {
    const [a, b] = pairs;
    const overlap = Math.max(Math.abs(blockedDot(a.u, b.u)), Math.abs(blockedDot(a.v, b.v)));
    if (!(overlap <= NEAR))
      throw new DeviceError(`SLEPc: the pairs that it returned are not orthogonal (${overlap})`);
  }
  return pairs;
}
