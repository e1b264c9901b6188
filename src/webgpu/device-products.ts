import { DeviceError } from "../matrix/errors.js";
import { padTo } from "../numerics/padding.js";
import type { Program } from "./programs.js";
import type { Dispatch, Session } from "./session.js";
import { SLOTS } from "./shaders/basis.js";
import { GROUP } from "./shaders/common.js";
import { SUMMANDS } from "./shaders/multiply.js";
import { type Bound, bind, type StoredMatrix } from "./stored-matrix.js";

/** Workgroups that keep a large device busy. */
const BUSY = 2048;
/** Chunks of rows whose sums lie side by side before they are added up. */
const MOST_CHUNKS = 256;
/** Rows of a chunk for each thread that shares it, at least. */
const LEAST_ROWS = 8;

/** A part of A with how its products are divided among workgroups. */
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
 * Products with P, which is S or Sᵀ with the short side along its rows, two vectors at a time: of the basis' slots, and
 * through `side`, which holds two vectors of the long side.
 */
export class DeviceProducts {
  /** of P */
  readonly short: number;
  readonly long: number;
  /** numbers from vector to vector in the basis, and in `side` */
  readonly ld: number;
  readonly sideLd: number;
  readonly bound: Bound;
  /** any of the matrix's parts, for what does not read it */
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
    const wanted = Math.min(MOST_CHUNKS, Math.max(1, Math.ceil(BUSY / tiles)));
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
  toLong(from: number): Dispatch[] {
    return this.#tall ? this.#multiply(from * this.ld, this.ld, 0, this.sideLd) : this.#transposed(from, 0);
  }

  /** slots `to` and `to` + 1 ← Pᵀ·side */
  toShort(to: number): Dispatch[] {
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

  /** From the basis into `side`, or the other way. */
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
        groups: Math.ceil((2 * cols4 * SUMMANDS) / GROUP),
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
 * Of what came of products with a finite matrix, scaled so that nothing overflows.
 *
 * @throws DeviceError where it is not finite
 */
export function mustBeFinite(...results: readonly Float64Array[]): void {
  if (!results.every((numbers) => numbers.every(Number.isFinite)))
    throw new DeviceError(
      "device: its products are not finite, though the matrix was; was it changed while it was computed with?",
    );
}

/** Numbers of the log: steps that are recorded at a time, and the weights of a rotation. */
const LOG_NUMBERS = 16 * 448 + 32 * SLOTS;

/**
 * Threads to a row, each with some fours of it, and to the fours of columns of a chunk: neighbours read what lies side
 * by side, and where there are few columns the threads have rows of their own. Two choices, as each is compiled.
 */
function lanesOf(cols: number): { across: number; down: number } {
  return { across: cols < 256 ? 8 : 32, down: cols < 128 ? 8 : 32 };
}
