import { FileError } from "../matrix/errors.js";
import { partsOfType } from "./complex-numbers.js";
import { type Coordinates, positions, valuesOf } from "./compress-rows.js";

export type RowsAndColumns = readonly [number, number];

/** The values of a sparse matrix as a file has them, in an array of one, two or three axes. */
export interface EntryValues {
  /** as the file stores them */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** what they are read as */
  readonly read: Coordinates["dtype"];
  /** bytes that the entries may take */
  readonly limit: number;
  /** writes value `from` of the file as value `to` of the entries */
  copy(from: number, into: Coordinates["values"], to: number): void;
}

/** Room for `count` entries. @throws FileError if they take more than the limit */
export function roomFor(
  shape: RowsAndColumns,
  { read: dtype, limit }: Pick<EntryValues, "read" | "limit">,
  count: number,
): Coordinates {
  const bound = Math.max(...shape);
  const bytes = count * (8 + 8 * partsOfType(dtype));
  if (bytes > limit)
    throw new FileError(
      `its sparse matrix has ${count} entries, ${bytes} bytes, and ${limit} are allowed; ` +
        `--memory ${Math.ceil(bytes / 1e6)}MB allows them`,
    );
  return {
    ...{ dtype, shape, rows: positions(count, bound), columns: positions(count, bound) },
    values: valuesOf(dtype, count),
  };
}

/** @throws FileError if the index, a row or column, does not exist */
export function checkIndex(index: number, bound: number, what: string, entry: number): void {
  if (!(Number.isInteger(index) && index >= 0 && index < bound))
    throw new FileError(
      `entry ${entry} of its sparse matrix has ${what} ${index} (counted from 0), of ${bound}`,
    );
}

/**
 * The entries of a matrix in compressed rows or columns: those of line i are the ones from indptr[i] to indptr[i + 1], at
 * the places `indices` in it. With values of three axes, blocks of rows and columns take the place of entries.
 *
 * @param byColumns  whether the lines are columns
 * @throws FileError where pointers fall or an index does not exist
 */
export function compressedEntries(
  byColumns: boolean,
  shape: RowsAndColumns,
  data: EntryValues,
  indices: ArrayLike<number>,
  indptr: ArrayLike<number>,
): Coordinates {
  const [, r = 1, c = 1] = data.shape;
  if (r === 0 || c === 0 || shape[0] % r !== 0 || shape[1] % c !== 0)
    throw new FileError(`its ${shape.join("×")} matrix cannot be made of blocks of ${r}×${c}`);
  const [lines, across] = byColumns ? [shape[1], shape[0]] : [shape[0] / r, shape[1] / c];
  if (indices.length !== data.shape[0])
    throw new FileError(`its sparse matrix has ${data.shape[0]} values and ${indices.length} indices`);
  const stored = checkPointers(indptr, lines, indices.length);
  const entries = roomFor(shape, data, stored * r * c);
  const [along, cross] = byColumns ? [entries.columns, entries.rows] : [entries.rows, entries.columns];
  const [ofBlock, ofRow = 0, ofColumn = 0] = data.strides;
  const what = data.shape.length > 1 ? "block column" : byColumns ? "row" : "column";
  let at = 0;
  for (let line = 0; line < lines; line++)
    for (let k = indptr[line]; k < indptr[line + 1]; k++) {
      checkIndex(indices[k], across, what, k);
      for (let i = 0; i < r; i++)
        for (let j = 0; j < c; j++, at++) {
          along[at] = line * r + i;
          cross[at] = indices[k] * c + j;
          data.copy(k * ofBlock + i * ofRow + j * ofColumn, entries.values, at);
        }
    }
  return entries;
}

/** @returns the number of entries that the lines have */
function checkPointers(indptr: ArrayLike<number>, lines: number, entries: number): number {
  if (indptr.length !== lines + 1)
    throw new FileError(`its sparse matrix has ${indptr.length} pointers for ${lines} rows or columns`);
  if (indptr[0] !== 0)
    throw new FileError(`the pointers of its sparse matrix begin with ${indptr[0]}, not 0`);
  for (let line = 0; line < lines; line++)
    if (!(indptr[line + 1] >= indptr[line]))
      throw new FileError(
        `the pointers of its sparse matrix fall from ${indptr[line]} to ${indptr[line + 1]}, at ${line + 1}`,
      );
  if (indptr[lines] > entries)
    throw new FileError(
      `the pointers of its sparse matrix promise ${indptr[lines]} entries, ${entries} are there`,
    );
  return indptr[lines];
}
