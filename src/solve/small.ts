import { type Arena, longVector, smallWork } from "../kernels/contract.js";
import { kernels as chosen } from "../kernels/select.js";
import type { Input } from "../matrix/row-panels.js";
import type { DType, SingularTriplet } from "../matrix/types.js";
import { at, type BatchView, throwNonFinite, type View } from "../matrix/view.js";
import { EPSILON } from "../numerics/epsilon.js";
import { padTo } from "../numerics/padding.js";
import { finished, normOnScale, secondOfGram } from "./finish.js";
import { type CheckedOptions, checkStart } from "./options.js";
import { loadedOrPanels } from "./panel-action.js";

/**
 * Up to this min(m, n), "auto" is "dense". Chosen: a Krylov space of 64 vectors would be all of the space, and the
 * tridiagonal form costs less than that many steps.
 */
export const DENSE_UP_TO = 64;

/** Numbers of a matrix that one routine solves whole. Chosen: more are worth dividing among threads. */
const SMALL_NUMBERS = 2 ** 15;

/** Bytes of matrices that are in kernel memory at a time: few enough to stay in cache until they are solved. */
const GROUP_BYTES = 2 ** 20;

/** Bytes for what `small` finds. */
const FOUND = 64;

/** Whether the routine `small` solves matrices of this size. */
export function isSmallSize({ m, n }: Pick<View, "m" | "n">, { method }: CheckedOptions): boolean {
  return (
    Math.min(m, n) <= DENSE_UP_TO &&
    m * n <= SMALL_NUMBERS &&
    (method === "auto" || method === "dense") &&
    chosen().routines.small !== undefined
  );
}

/** The entries of a matrix that the routine `small` solves; undefined for another. */
export function smallView(input: Input, options: CheckedOptions): View | undefined {
  if (input.kind === "operator" || !isSmallSize(input, options)) return undefined;
  checkStart(options.start, input.n);
  const view = loadedOrPanels(input, true);
  return view.kind === "dense" ? view : undefined;
}

/** ‖A‖₂ of a small matrix. */
export function smallNorm(view: View): number {
  const { found } = solved(view, 0, false);
  return normOnScale(found[2], found[1]);
}

/** The triplet of a small matrix. */
export function smallTriplet(view: View, options: CheckedOptions): SingularTriplet {
  const { m, n, dtype } = view;
  const { accuracy, work } = judged(view, options, false);
  const far = work + longVector(m, n);
  const read = readerOf(dtype);
  return {
    ...accuracy,
    u: read(m > n ? far : work, m).slice(),
    v: read(m > n ? work : far, n).slice(),
    iterations: 0,
    passes: 3,
    method: "dense",
  };
}

/** σ with its accuracy, and u·vᵀ, in `out` or in a new array. */
export function smallGradient(view: View, options: CheckedOptions, out?: Float32Array | Float64Array) {
  const { accuracy, a } = judged(view, options, true);
  const product = readerOf(view.dtype)(a, view.m * view.n);
  out?.set(product);
  return { ...accuracy, grad: out ?? product.slice() };
}

function readerOf(dtype: DType): Arena["f32"] | Arena["f64"] {
  const { arena } = chosen();
  return dtype === "float32" ? arena.f32 : arena.f64;
}

function judged(view: View, { rtol, atol = 0 }: CheckedOptions, gradient: boolean) {
  const { m, n, dtype } = view;
  const { found, a, work } = solved(view, 2, gradient);
  const second = secondOfGram(found[3], found[4], EPSILON[dtype], Math.min(m, n) > 1);
  const measured = { sigma: found[2], residual: found[5], ...second, converged: true, dtype, length: m + n };
  return { accuracy: finished(measured, found[1], rtol, atol), a, work };
}

/** What is found stays in kernel memory until the next call. */
function solved(view: View, wanted: 0 | 2, gradient: boolean) {
  const { m, n, dtype } = view;
  const { arena, routines } = chosen();
  const bytes = padTo(8 * m * n, 64);
  const mark = arena.mark();
  const a = arena.take(bytes + FOUND + smallWork(m, n));
  arena.release(mark);
  const out = a + bytes;
  const work = out + FOUND;
  const columns = place(view, a);
  // u·vᵀ takes the place of A, which is no longer needed then.
  routines.small?.(a, m, n, columns, dtype === "float32" ? 1 : 0, wanted, work, out, gradient ? a : 0);
  const found = arena.f64(out, 6);
  if (Number.isNaN(found[0])) throwNonFinite(view);
  return { found, a, work };
}

/** Copies the entries into kernel memory, end to end. Returns 1 if they are there column by column, 0 if row by row. */
function place(view: View, to: number): 0 | 1 {
  const { m, n, data, read, offset, rowStride, columnStride, dtype, parts } = view;
  if (parts) {
    // Some rows at a time.
    parts((part, first) => place(part, to + first * n * (dtype === "float32" ? 4 : 8)));
    return 0;
  }
  const size = m * n;
  const target = readerOf(dtype)(to, size);
  const columns = rowStride === 1 && columnStride === m;
  if (!read && (columns || (columnStride === 1 && rowStride === n))) {
    // Without `read`, the data is a typed array.
    target.set(data.length === size ? data : (data as Float64Array).subarray(offset, offset + size));
    return columns ? 1 : 0;
  }
  let k = 0;
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) target[k++] = at(view, i, j);
  return 0;
}

/**
 * ‖Aₖ‖₂ of small matrices, and their gradients if there is room for them given: as one call for each would give,
 * to the same bits, but a group at a time, and divided among the threads there are.
 *
 * @param within  runs what concerns matrix k, so that its errors say so
 */
export function smallBatch(
  batch: BatchView,
  values: Float64Array,
  gradients: Float32Array | Float64Array | undefined,
  within: <T>(k: number, compute: () => T) => T,
): void {
  const { count, m, n } = batch;
  const { arena, routines, team } = chosen();
  const single = batch.dtype === "float32" ? 1 : 0;
  const step = m * n * (single ? 4 : 8);
  const group = Math.min(count, Math.max(1, Math.floor(GROUP_BYTES / step)));
  const wanted = gradients ? 1 : 0;
  // Another thread may read a matrix again, so its gradient is not written over it.
  const bytes = FOUND + (team && gradients ? padTo(step, 16) : 0);
  const scratch = padTo(smallWork(m, n), 16);
  const mark = arena.mark();
  let a = arena.take(group * step);
  // For the next group, which is copied while threads compute.
  let next = team ? arena.take(group * step) : 0;
  const out = arena.take(group * bytes);
  const work = arena.take(scratch);
  arena.release(mark);
  let columns = 0;
  for (let first = 0, copied = 0; first < count; first += group) {
    const size = Math.min(group, count - first);
    if (copied <= first) {
      const one = batch.at(first);
      const last = batch.at(first + size - 1);
      // Matrices end to end, row by row, are copied as one.
      if (one.data === last.data && one.rowStride === n && last.offset - one.offset === (size - 1) * m * n)
        place({ ...one, m: size * m }, a);
      else for (let i = 0; i < size; i++) columns = place(batch.at(first + i), a + i * step);
    }
    const read = (at: number, i: number) => {
      const found = arena.f64(at, 3);
      values[first + i] = within(first + i, () => {
        if (Number.isNaN(found[0])) throwNonFinite(batch.at(first + i));
        return normOnScale(found[2], found[1]);
      });
    };
    const copy = (from: number, of: number, to: number) =>
      gradients?.set(readerOf(batch.dtype)(from, of * m * n), to * m * n);
    if (team?.available()) {
      team.run(
        {
          routine: "small",
          args: [
            { base: a, chunk: step },
            m,
            n,
            columns,
            single,
            wanted,
            { origin: "scratch" },
            { origin: "output" },
            gradients ? { origin: "output", base: FOUND } : 0,
          ],
          chunks: size,
          output: { pointer: out, bytes },
          scratch: { pointer: work, bytes: scratch },
        },
        (at, i) => {
          read(at, i);
          copy(at + FOUND, 1, first + i);
          copied = first + group + i;
          if (copied < count) columns = place(batch.at(copied), next + i * step);
        },
      );
      [a, next] = [next, a];
    } else {
      for (let i = 0, p = a; i < size; i++, p += step)
        routines.small?.(p, m, n, columns, single, wanted, work, out + i * bytes, gradients ? p : 0);
      for (let i = 0; i < size; i++) read(out + i * bytes, i);
      copy(a, size, first);
    }
  }
}
