import { open } from "node:fs/promises";
import { FileError, UnsupportedError } from "../matrix/errors.js";
import { PETSC_DENSE, PETSC_MATRIX } from "./petsc.js";
import { checkFinite, type MatrixRows, type Rows } from "./rows.js";

/** Bytes of a matrix in PETSc's binary format. */
export function petscBytes({ shape: [m, n], entries }: MatrixRows, indexBytes: 4 | 8): number {
  return 4 * indexBytes + (entries === undefined ? 8 * m * n : m * indexBytes + entries * (indexBytes + 8));
}

/**
 * Writes a matrix in PETSc's binary format, a few rows at a time: dense in one read of it, sparse in three. The file
 * must not exist yet, and none but its owner may read it.
 *
 * @param indexBytes  of the integers; 8 for a PETSc with 64-bit indices
 * @param progress  called now and then with the bytes written
 * @throws NonFiniteError naming the first NaN or infinity; UnsupportedError where a size does not fit the integers;
 *   FileError where it cannot be written
 */
export async function writePetsc(
  path: string,
  matrix: MatrixRows,
  indexBytes: 4 | 8,
  progress: (bytes: number) => void = () => {},
): Promise<void> {
  const [m, n] = matrix.shape;
  const sizes = [m, n, matrix.entries ?? PETSC_DENSE];
  if (indexBytes === 4 && Math.max(...sizes) >= 2 ** 31)
    throw new UnsupportedError(
      `PETSc's integers of 32 bits do not hold ${Math.max(...sizes)}; use a PETSc with 64-bit indices`,
    );
  const file = await open(path, "wx", 0o600).catch(cannot);
  let written = 0;
  const put = async (bytes: Buffer) => {
    // A write may be partial, and is limited to less than 2 GiB.
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await file
        .write(bytes, at, Math.min(bytes.length - at, 2 ** 30))
        .catch(cannot);
      at += bytesWritten;
    }
    written += bytes.length;
    progress(written);
  };
  try {
    await put(encodeIntegers([PETSC_MATRIX, ...sizes], indexBytes));
    if (matrix.entries === undefined) {
      for (const rows of matrix.read()) {
        checkFinite(rows, matrix);
        await put(encodeDoubles(rows.kind === "dense" ? rows.data : rows.values));
      }
      return;
    }
    for (const rows of matrix.read()) await put(encodeIntegers(lengths(rows), indexBytes));
    for (const rows of matrix.read())
      if (rows.kind === "sparse") await put(encodeIntegers(rows.columns, indexBytes));
    for (const rows of matrix.read()) {
      checkFinite(rows, matrix);
      if (rows.kind === "sparse") await put(encodeDoubles(rows.values));
    }
  } finally {
    await file.close();
  }
}

function lengths(rows: Rows): ArrayLike<number> {
  if (rows.kind === "dense") return [];
  return Array.from({ length: rows.count }, (_, i) => rows.starts[i + 1] - rows.starts[i]);
}

function encodeIntegers(numbers: ArrayLike<number>, indexBytes: 4 | 8): Buffer {
  const bytes = Buffer.allocUnsafe(numbers.length * indexBytes);
  for (let k = 0; k < numbers.length; k++)
    if (indexBytes === 4) bytes.writeInt32BE(numbers[k], 4 * k);
    else bytes.writeBigInt64BE(BigInt(numbers[k]), 8 * k);
  return bytes;
}

function encodeDoubles(numbers: ArrayLike<number>): Buffer {
  const copy = Float64Array.from(numbers);
  return Buffer.from(copy.buffer).swap64();
}

function cannot(error: unknown): never {
  const { code, message } = error as { code?: unknown; message?: unknown };
  throw new FileError(
    `a temporary file cannot be written (${code === "ENOSPC" ? "the disk is full" : String(code ?? message)})`,
  );
}
