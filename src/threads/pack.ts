import { type ComplexView, complexBatchOf, complexInputOf, complexTypeOf } from "../complex/complex-view.js";
import { isComplex } from "../matrix/complex-input.js";
import { messageOf } from "../matrix/error-message.js";
import { UnsupportedError } from "../matrix/errors.js";
import type { SparseMatrix } from "../matrix/types.js";
import { allocateArray, batchOf, type View, viewOf } from "../matrix/view.js";
import { checkOptions } from "../solve/options.js";
import { argumentFormOf, type FunctionName } from "./async-functions.js";
import { compact } from "./compact.js";
import type { PackedMatrix } from "./messages.js";

/** The arguments of a call. `transfer` lists the buffers of the copied arrays, which are transferred. */
export interface Payload {
  readonly matrices: readonly PackedMatrix[];
  readonly rest: readonly unknown[];
  readonly transfer: readonly ArrayBuffer[];
}

/**
 * Numbers that are copied between two readings of the clock, and milliseconds after which other tasks get their turn.
 * Chosen: 4 MiB of float64 take about a millisecond, and 4 ms fit into a frame of 16 ms.
 */
const SLICE = 2 ** 19;
const TURN_MS = 4;

/**
 * Checks the arguments as the function itself does, and copies them. Matrices up to `SLICE` numbers are copied before
 * this returns, larger ones in slices, between which the thread can do other work.
 *
 * @throws what the function throws for an invalid matrix or option; UnsupportedError for an operator, and for anything
 *   else that cannot be sent to another thread
 */
export async function packArguments(name: FunctionName, args: readonly unknown[]): Promise<Payload> {
  const { matrices, options, extraOptions, batch } = argumentFormOf(name);
  const packing = Promise.all(
    args.slice(0, matrices).map((A) => (batch ? packedBatch(A) : packedMatrix(A, name))),
  );
  packing.catch(() => {});
  let rest: readonly unknown[] = [];
  let refused: unknown;
  try {
    if (options !== undefined) checkOptions(args[options], extraOptions);
    rest = cloned(name, args.slice(matrices));
  } catch (error) {
    refused = error;
  }
  // The function itself checks the matrix first, so its error takes precedence.
  const packed = await packing;
  if (refused !== undefined) throw refused;
  const arrays = packed.flatMap((one) =>
    one.kind === "dense" ? [one.data] : [one.parts.data, one.parts.indices, one.parts.indptr],
  );
  const transfer = arrays
    .filter((data) => ArrayBuffer.isView(data))
    .map((data) => data.buffer as ArrayBuffer);
  return { matrices: packed, rest, transfer };
}

function cloned(name: FunctionName, rest: readonly unknown[]): readonly unknown[] {
  try {
    return structuredClone(rest.map(compact));
  } catch (error) {
    throw new UnsupportedError(
      `${name}: an argument cannot be sent to another thread (${messageOf(error)}); ` +
        `call ${name} of spectral-norm itself`,
      { cause: error },
    );
  }
}

async function packedMatrix(A: unknown, name: FunctionName): Promise<PackedMatrix> {
  if (Array.isArray(A)) return packedRows(A, isComplex(A));
  if (isComplex(A)) return packedComplex(A, name);
  const view = viewOf(A);
  if (view.kind === "dense") {
    const { m, n, offset, rowStride, columnStride } = view;
    return packedDense(view, [m, n], [rowStride, columnStride], offset, false);
  }
  if (!view.entries) throw operatorRefused(name);
  return packedSparse(view.entries, undefined);
}

function operatorRefused(name: FunctionName): UnsupportedError {
  const instead = ["valueAndGrad", "svdvals", "cond", "schattenNorm"].includes(name)
    ? "singularTriplet"
    : name;
  return new UnsupportedError(
    `${name}: an operator's functions cannot be sent to another thread; call ${instead} of spectral-norm itself`,
  );
}

/** A complex matrix that is not nested rows. */
async function packedComplex(A: unknown, name: FunctionName): Promise<PackedMatrix> {
  const input = complexInputOf(A);
  if (input.kind === "dense") {
    const { m, n, offset, rowStride, columnStride } = input;
    return packedDense(input, [m, n], [rowStride, columnStride], offset, true);
  }
  if (input.real.kind !== "operator" || !input.real.entries) throw operatorRefused(name);
  return packedSparse(A as SparseMatrix, complexTypeOf(input.dtype));
}

async function packedSparse(
  { data, indices, indptr, shape }: Pick<SparseMatrix, "data" | "indices" | "indptr" | "shape">,
  dtype: string | undefined,
): Promise<PackedMatrix> {
  const count = dtype === undefined ? data.length : data.length / 2;
  const [values, columns, pointers] = await Promise.all([
    copied(data, 0, data.length),
    // Summing duplicates may have left unused entries at the end.
    copied(indices, 0, count),
    copied(indptr, 0, indptr.length),
  ]);
  return { kind: "sparse", parts: { data: values, dtype, indices: columns, indptr: pointers, shape } };
}

async function packedBatch(A: unknown): Promise<PackedMatrix> {
  const complex = isComplex(A);
  const batch = complex ? complexBatchOf(A) : batchOf(A);
  const { count, m, n } = batch;
  const shape = [count, m, n];
  if (Array.isArray(A)) {
    const size = (complex ? 2 : 1) * m * n;
    const data = allocateArray("float64", count * size);
    for (let k = 0; k < count; k++) data.set(batch.at(k).data, k * size);
    const dtype = complex ? "complex128" : undefined;
    return { kind: "dense", data, shape, stride: [m * n, n, 1], offset: 0, dtype };
  }
  const first = batch.at(0);
  const stride = [batch.at(1).offset - first.offset, first.rowStride, first.columnStride];
  return packedDense(first, shape, stride, first.offset, complex);
}

/** A copy of the part of the data that holds the matrix. */
async function packedDense(
  { data, dtype, half }: Pick<View, "data" | "dtype" | "half">,
  shape: readonly number[],
  stride: readonly number[],
  offset: number,
  complex: boolean,
): Promise<PackedMatrix> {
  let from = offset;
  let to = shape.includes(0) ? offset : offset + 1;
  shape.forEach((size, k) => {
    const reach = Math.max(0, size - 1) * stride[k];
    if (to === offset) return;
    if (reach < 0) from += reach;
    else to += reach;
  });
  const parts = complex ? 2 : 1;
  return {
    kind: "dense",
    data: await copied(data as TypedArray, parts * from, parts * to),
    shape,
    stride,
    offset: offset - from,
    dtype: complex ? complexTypeOf(dtype) : half,
  };
}

/** Nested rows, end to end. If a row is invalid, `viewOf` or `complexInputOf` throws the error. */
async function packedRows(rows: readonly unknown[], complex: boolean): Promise<PackedMatrix> {
  const isRow = (row: unknown): row is ArrayLike<unknown> =>
    Array.isArray(row) || (ArrayBuffer.isView(row) && "length" in row);
  const m = rows.length;
  const n = isRow(rows[0]) ? rows[0].length : 0;
  const atOnce = () => (complex ? (complexInputOf(rows) as ComplexView).data : (viewOf(rows) as View).data);
  const data = await flattened();
  const dtype = complex ? "complex128" : undefined;
  return { kind: "dense", data, shape: [m, n], stride: [n, 1], offset: 0, dtype };

  async function flattened(): Promise<ArrayLike<number>> {
    const parts = complex ? 2 : 1;
    if (parts * m * n <= SLICE) return atOnce();
    const flat = allocateArray("float64", parts * m * n);
    let until = performance.now() + TURN_MS;
    for (let i = 0; i < m; i++) {
      const row = rows[i];
      if (!isRow(row) || row.length !== n) return atOnce();
      for (let j = 0; j < n; j++) {
        let re = row[j];
        let im: unknown = 0;
        if (complex && isPair(re)) ({ re, im } = re);
        if (typeof re !== "number" || typeof im !== "number") return atOnce();
        flat[parts * (i * n + j)] = re;
        if (complex) flat[2 * (i * n + j) + 1] = im;
      }
      if (performance.now() > until) {
        await yieldToOthers();
        until = performance.now() + TURN_MS;
      }
    }
    return flat;
  }
}

function isPair(value: unknown): value is { readonly re: unknown; readonly im: unknown } {
  return typeof value === "object" && value !== null && "re" in value && "im" in value;
}

/** The members of typed arrays that are used here. */
interface TypedArray extends ArrayLike<number> {
  readonly [Symbol.toStringTag]: string;
  slice(): TypedArray;
  subarray(from: number, to: number): TypedArray;
  set(values: ArrayLike<number>, offset: number): void;
}

/** Elements from … to−1 in a new array of the same type. */
async function copied<T extends TypedArray>(source: T, from: number, to: number): Promise<T> {
  const { length } = source;
  // Found by name, because the constructor of a subclass or of another realm may behave differently.
  const Type = Reflect.get(globalThis, source[Symbol.toStringTag]) as new (size: number) => T;
  let copy: T;
  try {
    copy = new Type(to - from);
  } catch (error) {
    throw new UnsupportedError(`matrix: not enough memory for a copy of ${to - from} numbers`, {
      cause: error,
    });
  }
  let until = performance.now() + TURN_MS;
  for (let i = from; i < to; i += SLICE) {
    copy.set(source.subarray(i, Math.min(i + SLICE, to)), i - from);
    if (performance.now() <= until || i + SLICE >= to) continue;
    await yieldToOthers();
    if (source.length !== length)
      throw new UnsupportedError("matrix: its buffer was transferred before it had been copied");
    until = performance.now() + TURN_MS;
  }
  return copy;
}

/** Lets other tasks run. Uses a message, because browsers slow down timers of background pages. */
function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
