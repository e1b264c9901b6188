import { DeviceError } from "../matrix/errors.js";
import { padTo } from "../numerics/padding.js";
import type { Program } from "./programs.js";
import type { Dispatch, Session } from "./session.js";
import { LOG, SLOTS } from "./shaders/basis.js";
import { GROUP } from "./shaders/common.js";
import { THREADS_PER_COLUMN } from "./shaders/multiply.js";
import { type Bound, bind, type StoredMatrix } from "./stored-matrix.js";

/** Workgroups that keep a large device busy. Chosen: several for each of some hundred compute units. */
const BUSY_WORKGROUPS = 2048;
/** Most chunks of rows with partial sums of their own. Chosen: bounds the memory for them and the time of `reduce`. */
const MOST_CHUNKS = 256;
/** Least number of rows of a chunk per thread. Chosen: fewer do not repay a partial sum. */
const LEAST_ROWS = 8;

/** A part of A, and how its products are divided among workgroups. */
interface Plan {
  readonly bindings: GPUBindGroup;
  readonly offset: number;
  readonly rows: number;
  readonly firstRow: number;
  readonly chunkRows: number;
  readonly chunks: number;
  readonly firstChunk: number;
}

/**
 * Products with P, two vectors at a time. P is S or Sᵀ, whichever is tall. Short vectors are in slots of the basis; the
 * two long vectors of a product are in the buffer `side`.
 */
export class DeviceProducts {
  /** columns of P, and below, its rows */
  readonly short: number;
  readonly long: number;
  /** numbers from one vector to the next in the basis, and in `side` */
  readonly ld: number;
  readonly sideLd: number;
  readonly bound: Bound;
  /** bindings for routines that do not read the matrix */
  readonly bindings: GPUBindGroup;
  readonly #matrix: StoredMatrix;
  readonly #plans: readonly Plan[];
  readonly #chunks: number;
  readonly #lanes: { across: number; down: number };
  readonly #tall: boolean;
  readonly #programs: { multiply: Program; transposed: Program; reduce: Program };

  private constructor(
    session: Session,
    matrix: StoredMatrix,
    programs: { multiply: Program; transposed: Program; reduce: Program },
  ) {
    const { rows, cols } = matrix;
    this.#matrix = matrix;
    this.#programs = programs;
    this.#tall = rows >= cols;
    [this.long, this.short] = this.#tall ? [rows, cols] : [cols, rows];
    this.ld = padTo(this.short, 64);
    this.sideLd = padTo(this.long, 64);
    this.#lanes = lanesOf(cols);

    const cols4 = Math.ceil(cols / 4);
    const tiles = Math.ceil(cols4 / this.#lanes.down);
    const sharing = GROUP / this.#lanes.down;
    const wanted = Math.min(MOST_CHUNKS, Math.max(1, Math.ceil(BUSY_WORKGROUPS / tiles)));
    const chunkRows = Math.max(LEAST_ROWS * sharing, padTo(Math.ceil(rows / wanted), sharing));
    let firstChunk = 0;
    const divided = matrix.parts.map((part) => {
      const chunks = Math.ceil(part.rows / chunkRows);
      const plan = { part, chunks, firstChunk };
      firstChunk += chunks;
      return plan;
    });
    this.#chunks = firstChunk;
    this.bound = {
      basis: session.storage("the basis", SLOTS * this.ld),
      side: session.storage("a product", 2 * this.sideLd),
      partials: session.storage("partial sums", 8 * firstChunk * cols4),
      log: session.storage("coefficients", LOG_NUMBERS),
    };
    this.#plans = divided.map(({ part, chunks, firstChunk }) => ({
      bindings: bind(session, part.binding, this.bound),
      offset: part.offset,
      rows: part.rows,
      firstRow: part.firstRow,
      chunkRows,
      chunks,
      firstChunk,
    }));
    this.bindings = this.#plans[0].bindings;
  }

  static async of(session: Session, matrix: StoredMatrix): Promise<DeviceProducts> {
    const { reading, rows, cols } = matrix;
    const tall = rows >= cols;
    const lanes = lanesOf(cols);
    const { programs } = session;
    const [multiply, transposed, reduce] = await session.wait(
      Promise.all([
        programs.get({
          name: "multiply",
          reading,
          from: tall ? "basis" : "side",
          to: tall ? "side" : "basis",
          lanes: lanes.across,
        }),
        programs.get({
          name: "multiplyTransposed",
          reading,
          from: tall ? "side" : "basis",
          lanes: lanes.down,
        }),
        programs.get({ name: "reduce", to: tall ? "basis" : "side" }),
      ]),
    );
    return new DeviceProducts(session, matrix, { multiply, transposed, reduce });
  }

  /** side ← P·(the vectors at slots `from` and `from` + 1) */
  matvec(from: number): Dispatch[] {
    return this.#tall ? this.#multiply(from * this.ld, this.ld, 0, this.sideLd) : this.#transposed(from, 0);
  }

  /** slots `to` and `to` + 1 ← Pᵀ·side */
  rmatvec(to: number): Dispatch[] {
    return this.#tall ? this.#transposed(0, to) : this.#multiply(0, this.sideLd, to * this.ld, this.ld);
  }

  #multiply(source: number, sourceLd: number, to: number, toLd: number): Dispatch[] {
    const { cols, lda, scale } = this.#matrix;
    return this.#plans.map(({ bindings, offset, rows, firstRow }) => ({
      program: this.#programs.multiply,
      bindings,
      params: {
        groups: Math.ceil((rows * this.#lanes.across) / GROUP),
        rows,
        cols,
        lda,
        offset,
        first_row: firstRow,
        source: source / 4,
        source_ld: sourceLd / 4,
        to,
        to_ld: toLd,
        scale,
      },
    }));
  }

  /** Multiplies by Sᵀ, from `side` into the basis or the other way round. */
  #transposed(from: number, to: number): Dispatch[] {
    const { cols, lda, scale } = this.#matrix;
    const cols4 = Math.ceil(cols / 4);
    const tiles = Math.ceil(cols4 / this.#lanes.down);
    const [sourceLd, toLd] = this.#tall ? [this.sideLd, this.ld] : [this.ld, this.sideLd];
    const sums = this.#plans.map(({ bindings, offset, rows, firstRow, chunkRows, chunks, firstChunk }) => ({
      program: this.#programs.transposed,
      bindings,
      params: {
        groups: chunks * tiles,
        rows,
        cols,
        lda,
        offset,
        first_row: firstRow,
        chunk_rows: chunkRows,
        first_chunk: firstChunk,
        source: (from * sourceLd) / 4,
        source_ld: sourceLd / 4,
        ld4: cols4,
        scale,
      },
    }));
    const total = {
      program: this.#programs.reduce,
      bindings: this.bindings,
      params: {
        groups: Math.ceil((2 * cols4 * THREADS_PER_COLUMN) / GROUP),
        cols,
        chunks: this.#chunks,
        ld4: cols4,
        to: to * toLd,
        to_ld: toLd,
      },
    };
    return [...sums, total];
  }
}

/**
 * Checks results of products with a finite matrix, which is scaled so that nothing overflows.
 *
 * @throws DeviceError if a result is not finite
 */
export function requireFinite(...results: readonly Float64Array[]): void {
  if (!results.every((numbers) => numbers.every(Number.isFinite)))
    throw new DeviceError(
      "device: a product with the matrix is not finite, although the matrix was; was its buffer changed meanwhile?",
    );
}

/** Numbers of the log: 16 entries, for the steps recorded at a time, and the weights of a rotation. */
const LOG_NUMBERS = 16 * LOG.stride + 32 * SLOTS;

/**
 * Threads per row in `multiply` (`across`), and threads along the columns in `multiplyTransposed` (`down`). Neighbouring
 * threads read neighbouring vectors of four entries; with few columns, more threads work on different rows. There are
 * only two choices, because each is compiled. Chosen: 32 threads where each gets two vectors of four columns
 * (across) or one (down).
 */
function lanesOf(cols: number): { across: number; down: number } {
  return { across: cols < 256 ? 8 : 32, down: cols < 128 ? 8 : 32 };
}
