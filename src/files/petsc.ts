import { FileError } from "../matrix/errors.js";
import { rowPanels } from "../matrix/row-panels.js";
import { csr } from "../matrix/sparse.js";
import { partsOfType } from "./complex-numbers.js";
import type { FileMatrix, FilePanels } from "./entry.js";
import { type MatrixRows, rowsAtATime, rowsOfPanels, type SparseRows } from "./rows.js";
import { allocate, type ByteSource, readInto } from "./source.js";

/** The class id at the start of a matrix in PETSc's binary format. */
export const PETSC_MATRIX = 1211216;
/** The range of class ids of PETSc objects, such as vectors and index sets. */
const PETSC_OBJECTS = [1211211, 1211299] as const;
/** Stands for the number of entries of a dense matrix. */
export const PETSC_DENSE = -1;

/** Rows whose lengths are read at a time. Chosen. */
const STEP = 2 ** 16;

/** The header of a PETSc binary file, and the offsets of its parts. */
interface PetscHeader {
  readonly shape: readonly [number, number];
  /** entries that are stored; undefined: dense */
  readonly entries: number | undefined;
  readonly dtype: "float64" | "complex128";
  /** of the integers: 4, or 8 as a PETSc with 64-bit indices writes them */
  readonly indexBytes: 4 | 8;
  /** of a sparse matrix */
  readonly lengthsOffset: number;
  readonly columnsOffset: number;
  readonly valuesOffset: number;
}

/** True if these first bytes are those of a matrix in PETSc's binary format, of either width. */
export function isPetsc(head: Uint8Array): boolean {
  return indexBytesOf(head) !== undefined;
}

function indexBytesOf(head: Uint8Array): 4 | 8 | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (head.length >= 4 && view.getInt32(0) === PETSC_MATRIX) return 4;
  if (head.length >= 8 && view.getInt32(0) === 0 && view.getInt32(4) === PETSC_MATRIX) return 8;
  return undefined;
}

/**
 * The header of a matrix in PETSc's binary format (`MatView`, `MatLoad`): everything with the high byte first, the
 * integers class id, rows, columns and entries (−1: dense, and its numbers follow by rows); of a sparse matrix the
 * number of entries in each row, their columns, counted from 0, and their values. Objects that follow, such as a
 * right-hand side, are ignored.
 *
 * The header does not say what kind of numbers PETSc was built with. The length of the file, or where the next object
 * begins, tells 4 bytes each (single precision, refused), 8 bytes (doubles) and 16 bytes (complex doubles) apart.
 *
 * Not guaranteed: that files of a PETSc with complex numbers in single precision are recognized. Their entries have 8
 * bytes, and they are read as doubles.
 *
 * Checked against the file's length alone; `readPetsc` and `petscRows` check what is within.
 *
 * @throws FileError if it is not such a file, is cut short, or its numbers are neither real nor complex doubles
 */
export function readPetscHeader(source: ByteSource): PetscHeader {
  const head = source.read(0, Math.min(source.size, 32));
  const indexBytes = indexBytesOf(head);
  if (indexBytes === undefined) throw new FileError(otherObject(head));
  const valuesBegin = 4 * indexBytes;
  if (source.size < valuesBegin) throw new FileError("is cut short within the PETSc header");
  const [m, n, stored] = Array.from(integers(head, 1, 3, indexBytes));
  if (m < 0 || n < 0) throw new FileError(`its header says ${m}×${n}, a negative size`);
  if (m === 0 || n === 0) throw new FileError(`holds an empty matrix, ${m}×${n}`);
  if (stored < PETSC_DENSE) throw new FileError(`its header promises ${stored} entries`);
  const dense = stored === PETSC_DENSE;
  const count = dense ? m * n : stored;
  if (!dense && stored > m * n)
    throw new FileError(`its header promises ${stored} entries, more than ${m}×${n} has`);
  const columnsOffset = valuesBegin + (dense ? 0 : m * indexBytes);
  const valuesOffset = columnsOffset + (dense ? 0 : count * indexBytes);
  const places = {
    shape: [m, n] as const,
    entries: dense ? undefined : stored,
    indexBytes,
    lengthsOffset: valuesBegin,
    columnsOffset,
    valuesOffset,
  };
  return { ...places, dtype: typeByLength(source, places, count) };
}

function otherObject(head: Uint8Array): string {
  const other = head.length >= 4 ? new DataView(head.buffer, head.byteOffset, 4).getInt32(0) : 0;
  if (isPetscObject(other)) return `begins with another object of PETSc's (class id ${other}), not a matrix`;
  return `does not begin as a matrix in PETSc's binary format does (class id ${PETSC_MATRIX})`;
}

function isPetscObject(classId: number): boolean {
  return classId >= PETSC_OBJECTS[0] && classId <= PETSC_OBJECTS[1];
}

/** The type of the `count` numbers that follow, by the file's length or where the next object begins. */
function typeByLength(
  source: ByteSource,
  { shape, entries, valuesOffset, indexBytes }: Omit<PetscHeader, "dtype">,
  count: number,
): PetscHeader["dtype"] {
  const held = source.size - valuesOffset;
  const promised = 8 * count;
  const endsAfter = (bytes: number): boolean =>
    held === bytes ||
    (held >= bytes + indexBytes && isPetscObject(integerAt(source, valuesOffset + bytes, indexBytes)));
  if (endsAfter(promised)) return "float64";
  if (count > 0 && endsAfter(2 * promised)) return "complex128";
  if (count > 0 && endsAfter(promised / 2))
    throw new FileError(
      "holds numbers of 4 bytes, as PETSc in single precision writes them; only doubles are read",
    );
  const what =
    entries === undefined ? `${shape.join("×")} dense` : `${shape.join("×")} with ${entries} entries`;
  const whole = valuesOffset + promised;
  throw new FileError(
    source.size < whole
      ? `its header promises ${what}, ${whole} bytes; the file holds ${source.size}`
      : `its header promises ${what}, ${whole} bytes; ${source.size - whole} more follow that are no object of PETSc's`,
  );
}

function integerAt(source: ByteSource, offset: number, indexBytes: 4 | 8): number {
  return integers(source.read(offset, indexBytes), 0, 1, indexBytes)[0];
}

/** Integers from the `from`-th on; those of 8 bytes that no double holds are rounded, which is far beyond any size. */
function integers(bytes: Uint8Array, from: number, count: number, indexBytes: 4 | 8): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const offset = (from + k) * indexBytes;
    numbers[k] = indexBytes === 4 ? view.getInt32(offset) : Number(view.getBigInt64(offset));
  }
  return numbers;
}

/** Doubles with the high byte first, into an array of the machine's own. */
function doubles(source: ByteSource, offset: number, into: Float64Array): void {
  readInto(source, offset, new Uint8Array(into.buffer, into.byteOffset, into.byteLength));
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (let i = 0; i < into.length; i++) into[i] = view.getFloat64(8 * i);
}

/**
 * A matrix in PETSc's binary format: dense or sparse in compressed rows, float64 or complex128; of several objects in
 * the file the first.
 *
 * @param memory  bytes; a dense matrix that takes more stays in the file
 *
 * Memory: the matrix, and a sparse one once more while it is put together (a complex one eight times); nothing before
 * the file's length is known to fit.
 *
 * @throws FileError as `readPetscHeader` does, and where the rows' lengths do not add up to the entries, or a
 *   column does not exist; NonFiniteError for a NaN or an infinity in a sparse matrix
 */
export function readPetsc(source: ByteSource): FileMatrix;
export function readPetsc(source: ByteSource, memory: number | undefined): FileMatrix | FilePanels;
export function readPetsc(source: ByteSource, memory = Number.POSITIVE_INFINITY): FileMatrix | FilePanels {
  const header = readPetscHeader(source);
  const { shape, entries, dtype, valuesOffset } = header;
  const [m, n] = shape;
  const size = 8 * partsOfType(dtype);
  if (entries === undefined && size * m * n > memory) return densePanels(source, header);
  const common = { kind: "matrix", shape, dtype } as const;
  if (entries === undefined) {
    const data = new Float64Array(allocate(size * m * n).buffer);
    const step = STEP * 8;
    for (let at = 0; at < data.length; at += step)
      doubles(source, valuesOffset + 8 * at, data.subarray(at, Math.min(at + step, data.length)));
    return { ...common, matrix: { data, shape, dtype } };
  }
  const indptr = new Float64Array(allocate(8 * (m + 1)).buffer);
  const indices = new Uint32Array(allocate(4 * entries).buffer);
  const data = new Float64Array(allocate(size * entries).buffer);
  let filled = 0;
  for (const rows of sparse(source, header)) {
    indices.set(rows.columns, filled);
    data.set(rows.values, filled * partsOfType(dtype));
    for (let i = 1; i <= rows.count; i++) indptr[rows.first + i] = filled + rows.starts[i];
    filled += rows.columns.length;
  }
  return { ...common, matrix: csr({ data, dtype, indices, indptr, shape }) };
}

/**
 * The rows of a real matrix in PETSc's binary format, straight from the file.
 *
 * @throws each read FileError where the rows' lengths do not add up to the entries, or a column does not exist
 */
export function petscRows(source: ByteSource, header: PetscHeader): MatrixRows {
  const { shape, entries } = header;
  if (entries === undefined) return rowsOfPanels(densePanels(source, header));
  return { shape, transposed: false, entries, read: () => sparse(source, header) };
}

function densePanels(source: ByteSource, { shape, dtype, valuesOffset }: PetscHeader): FilePanels {
  const row = 8 * partsOfType(dtype) * shape[1];
  const panels = rowPanels({
    shape,
    dtype,
    rows(first, count) {
      const data = new Float64Array(allocate(row * count).buffer);
      doubles(source, valuesOffset + row * first, data);
      return data;
    },
  });
  return { kind: "panels", shape, dtype, panels, transposed: false };
}

/** Reads several rows at a time; a row that is longer than a block is read whole. Complex entries have two values. */
function* sparse(source: ByteSource, header: PetscHeader): Generator<SparseRows> {
  const { shape, indexBytes, lengthsOffset, columnsOffset, valuesOffset } = header;
  const [m, n] = shape;
  const entries = header.entries ?? 0;
  const parts = partsOfType(header.dtype);
  const most = rowsAtATime(1);
  let done = 0;
  for (let block = 0; block < m; block += STEP) {
    const count = Math.min(STEP, m - block);
    const lengths = integers(
      source.read(lengthsOffset + block * indexBytes, count * indexBytes),
      0,
      count,
      indexBytes,
    );
    for (let i = 0; i < count; ) {
      const first = i;
      const starts = [0];
      let taken = 0;
      for (; i < count && (i === first || taken + lengths[i] <= most); i++) {
        const length = lengths[i];
        if (length < 0 || length > n)
          throw new FileError(
            `row ${block + i} (counted from 0) is said to have ${length} entries, of ${n} columns`,
          );
        taken += length;
        starts.push(taken);
        if (done + taken > entries)
          throw new FileError(`its rows have more entries than the ${entries} that its header promises`);
      }
      const columns = integers(
        source.read(columnsOffset + done * indexBytes, taken * indexBytes),
        0,
        taken,
        indexBytes,
      );
      for (let k = 0; k < taken; k++)
        if (!(columns[k] >= 0 && columns[k] < n))
          throw new FileError(`an entry has column ${columns[k]} (counted from 0), of ${n} columns`);
      const values = new Float64Array(parts * taken);
      doubles(source, valuesOffset + 8 * parts * done, values);
      yield { kind: "sparse", first: block + first, count: i - first, starts, columns, values };
      done += taken;
    }
  }
  if (done !== entries) throw new FileError(`its rows have ${done} entries, its header promises ${entries}`);
}
