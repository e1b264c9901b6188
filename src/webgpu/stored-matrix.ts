import { DeviceError, NonFiniteError, UnsupportedError } from "../matrix/errors.js";
import { at, storedEntries, throwNonFinite, type View } from "../matrix/view.js";
import { padTo } from "../numerics/padding.js";
import { exponentOf } from "../numerics/powers.js";
import { fingerprintOf } from "./device-fingerprint.js";
import type { BufferView, DeviceInput } from "./device-input.js";
import type { Params, Session } from "./session.js";
import { GROUP } from "./shaders/common.js";
import type { Reading } from "./shaders/load-entry.js";
import { SCAN, SCANNED_PER_THREAD } from "./shaders/scan.js";

/** Rows of a matrix that one binding holds. */
interface MatrixPart {
  readonly binding: { buffer: GPUBuffer; offset: number; size: number };
  /** numbers in the binding before the part */
  readonly offset: number;
  readonly firstRow: number;
  readonly rows: number;
}

/**
 * A matrix S on the device (rows×cols, `lda` numbers from row to row): A, or Aᵀ if `flipped`. Products are those of
 * S·2^−exponent.
 */
export interface StoredMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly lda: number;
  readonly flipped: boolean;
  readonly parts: readonly MatrixPart[];
  readonly reading: Reading;
  /** the parameter `scale` of the shaders */
  readonly scale: NonNullable<Params["scale"]>;
  readonly exponent: number;
  /** see device-fingerprint.ts */
  readonly fingerprint: number;
}

/**
 * Matrices whose largest entry is outside 2^±SAFE_EXPONENT are scaled when they are read. Norms are squared twice:
 * (2¹⁰·√(mn))⁴ = 2⁴⁰·(mn)² is below the largest float32, 2¹²⁸, for mn < 2⁴⁴.
 */
const SAFE_EXPONENT = 10;

/** Copies A to the device if needed, checks that it is finite, and computes its scale and fingerprint. */
export async function store(session: Session, A: DeviceInput): Promise<StoredMatrix> {
  const { scaled, ...placed } = A.kind === "buffer" ? inPlace(session, A) : upload(session, A);
  const { exponent, fingerprint } = await scanned(session, placed, A);
  const far = Math.abs(exponent) > SAFE_EXPONENT;
  const applied = far ? exponent : 0;
  return {
    ...placed,
    reading: { fours: placed.fours, scaled: far },
    scale: [...inTwo(-applied), ...inTwo(-applied - 149)],
    exponent: applied + scaled,
    fingerprint,
  };
}

/** 2^e as two float32 factors. For e < −252 their product rounds to zero; such entries are negligible. */
function inTwo(e: number): [number, number] {
  const half = Math.trunc(e / 2);
  return [2 ** half, 2 ** Math.max(e - half, -126)];
}

type Placed = Pick<StoredMatrix, "rows" | "cols" | "lda" | "flipped" | "parts"> & { fours: boolean };

/** Most numbers of one binding: a multiple of 256. */
function mostNumbers(session: Session): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = session.device.limits;
  return Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / 1024) * 256;
}

/** Bindings begin at multiples of this many bytes, which every device accepts. */
const ALIGNMENT = 256;

function inPlace(session: Session, { m, n, buffer, offset }: BufferView): Placed & { scaled: number } {
  // A binding may begin up to 63 numbers before the part.
  const most = mostNumbers(session) - ALIGNMENT / 4;
  // A single row is stored as a column, whose rows can be divided into parts.
  const [rows, cols, flipped] = m === 1 && n > most ? [n, 1, true] : [m, n, false];
  const each = Math.floor(most / cols);
  if (each === 0)
    throw new UnsupportedError(
      `buffer: a row of ${n} numbers is larger than a binding of this device (${4 * most} bytes); ` +
        "ask for a device with a larger maxStorageBufferBindingSize",
    );
  const parts: MatrixPart[] = [];
  for (let firstRow = 0; firstRow < rows; firstRow += each) {
    const count = Math.min(each, rows - firstRow);
    const from = 4 * (offset + firstRow * cols);
    const begin = from - (from % ALIGNMENT);
    // Up to a multiple of four numbers, if the buffer is long enough.
    const end = Math.min(padTo(from + 4 * count * cols, 16), buffer.size - (buffer.size % 4));
    parts.push({
      binding: { buffer, offset: begin, size: end - begin },
      offset: (from - begin) / 4,
      firstRow,
      rows: count,
    });
  }
  const fours = cols % 4 === 0 && offset % 4 === 0;
  return { rows, cols, lda: cols, flipped, parts, fours, scaled: 0 };
}

/** Numbers that are converted at a time. Chosen: 4 MiB of float32. */
const CONVERTED = 2 ** 20;

function upload(session: Session, view: View): Placed & { scaled: number } {
  const most = mostNumbers(session);
  const { m, n } = view;
  // Rows of S are contiguous in memory; the other way round if such a row did not fit.
  const preferred = Math.abs(view.rowStride) < Math.abs(view.columnStride) && m > 1 && n > 1;
  const flipped = padTo(preferred ? m : n, 4) > most ? !preferred : preferred;
  const S = flipped
    ? { ...view, m: n, n: m, rowStride: view.columnStride, columnStride: view.rowStride }
    : view;
  const lda = padTo(S.n, 4);
  const each = Math.floor(most / lda);
  if (each === 0)
    throw new DeviceError(`device: neither a row nor a column of ${m}×${n} fits into a binding`);
  const scaled = view.dtype === "float64" ? exponentOutside(view) : 0;
  const parts: MatrixPart[] = [];
  for (let firstRow = 0; firstRow < S.m; firstRow += each) {
    const rows = Math.min(each, S.m - firstRow);
    const buffer = session.storage("the matrix", rows * lda);
    const part = { ...S, m: rows, offset: S.offset + firstRow * S.rowStride };
    copyRows(session, part, lda, buffer, scaled);
    parts.push({ binding: { buffer, offset: 0, size: 4 * rows * lda }, offset: 0, firstRow, rows });
  }
  return { rows: S.m, cols: S.n, lda, flipped, parts, fours: true, scaled };
}

/**
 * Numbers below 2^−NORMAL_EXPONENTS of the largest may become subnormal in float32: its smallest normal number is 2⁻¹²⁶,
 * and the largest may be 2^−SAFE_EXPONENT; the rest is margin.
 */
const NORMAL_EXPONENTS = 110;

/**
 * The exponent of the power of two by which numbers are divided before they are rounded to float32; 0 if they fit. If
 * numbers lose digits because they are small beside the largest, the largest is scaled to 1, so that A and c·A lose the
 * same digits.
 */
function exponentOutside(view: View): number {
  let most = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < view.m; i++)
    for (let j = 0; j < view.n; j++) {
      const size = Math.abs(at(view, i, j));
      if (!(size < Number.POSITIVE_INFINITY)) throwNonFinite(view);
      if (size > most) most = size;
      if (size < least && size > 0) least = size;
    }
  if (most === 0) return 0;
  const exponent = exponentOf(most);
  const far = Math.abs(exponent) > SAFE_EXPONENT || exponent - exponentOf(least) > NORMAL_EXPONENTS;
  return far ? exponent : 0;
}

/** Writes the rows of `view`, times 2^−scaled and in float32, padded with zeros. */
function copyRows(session: Session, view: View, lda: number, buffer: GPUBuffer, scaled: number): void {
  const { m, n, offset, rowStride, columnStride } = view;
  const stored = lda === n ? storedEntries(view) : undefined;
  if (stored instanceof Float32Array) {
    session.write(buffer, 0, stored);
    return;
  }
  // Contiguous rows of numbers are rounded by one call each.
  const run = scaled === 0 && columnStride === 1 ? numbersOf(view) : undefined;
  const half = Math.trunc(-scaled / 2);
  const [first, second] = [2 ** half, 2 ** (-scaled - half)];
  const rows = Math.max(1, Math.floor(CONVERTED / lda));
  for (let i = 0; i < m; i += rows) {
    const count = Math.min(rows, m - i);
    const numbers = new Float32Array(count * lda);
    for (let r = 0; r < count; r++) {
      if (run) {
        const from = offset + (i + r) * rowStride;
        numbers.set(run.subarray(from, from + n), r * lda);
        continue;
      }
      for (let j = 0; j < n; j++) {
        const value = at(view, i + r, j);
        numbers[r * lda + j] = scaled === 0 ? value : value * first * second;
      }
    }
    session.write(buffer, i * lda, numbers);
  }
}

function numbersOf({ data, read }: View): Float32Array | Float64Array | undefined {
  return !read && (data instanceof Float32Array || data instanceof Float64Array) ? data : undefined;
}

/** ⌊log₂⌋ of the largest magnitude (0 for the zero matrix) and the fingerprint, in one read of A. */
async function scanned(
  session: Session,
  placed: Placed,
  A: DeviceInput,
): Promise<Pick<StoredMatrix, "exponent" | "fingerprint">> {
  const { parts, lda, cols, flipped } = placed;
  const program = await session.wait(session.programs.get({ name: "scan", flipped }));
  const found = session.storage("the scan", SCAN.words * parts.length);
  const before = new Uint32Array(SCAN.words * parts.length);
  parts.forEach((_, k) => {
    before[SCAN.words * k + SCAN.first] = 0xffffffff;
  });
  session.write(found, 0, before);
  const spare = spareBuffers(session);
  session.run(
    parts.map(({ binding, offset, firstRow, rows }, k) => ({
      program,
      bindings: bind(session, binding, { ...spare, log: found }),
      params: {
        groups: Math.ceil((rows * lda) / (GROUP * SCANNED_PER_THREAD)),
        rows: rows * lda,
        lda,
        first_row: firstRow,
        offset,
        slot: SCAN.words * k,
      },
    })),
  );
  const words = new Uint32Array((await session.read(found, 0, SCAN.words * parts.length)).buffer);
  session.drop(found);
  for (const buffer of Object.values(spare)) session.drop(buffer);
  const scans = parts.map((_, k) => words.subarray(SCAN.words * k, SCAN.words * (k + 1)));
  let largest = 0;
  parts.forEach(({ firstRow }, k) => {
    const bits = scans[k][SCAN.largest];
    if (bits >= 0x7f800000) {
      if (A.kind === "dense") throwNonFinite(A);
      const index = firstRow * cols + scans[k][SCAN.first];
      const [i, j] = [Math.floor(index / A.n), index % A.n];
      throw new NonFiniteError(
        `matrix: row ${i}, column ${j} is ${bits === 0x7f800000 ? "infinite" : "not finite"} (counted from 0)`,
        i,
        j,
      );
    }
    largest = Math.max(largest, bits);
  });
  const exponent = largest === 0 ? 0 : exponentOf(new Float32Array(Uint32Array.of(largest).buffer)[0]);
  return { exponent, fingerprint: fingerprintOf(scans, exponent) };
}

/** The buffers that a routine uses beside the matrix. */
export interface Bound {
  readonly basis: GPUBuffer;
  readonly side: GPUBuffer;
  readonly partials: GPUBuffer;
  readonly log: GPUBuffer;
}

/** Small buffers for the bindings that a routine does not use; no two bindings may share a buffer. */
export function spareBuffers(session: Session): Bound & { matrix: GPUBuffer } {
  const spare = () => session.storage("nothing", 4);
  return { matrix: spare(), basis: spare(), side: spare(), partials: spare(), log: spare() };
}

export function bind(
  session: Session,
  matrix: GPUBufferBinding,
  { basis, side, partials, log }: Bound,
  result: GPUBufferBinding = { buffer: partials },
): GPUBindGroup {
  return session.bindGroup([matrix, { buffer: basis }, { buffer: side }, result, { buffer: log }]);
}
