import { type LoadedMatrix, loadMatrix } from "../kernels/load-matrix.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import type { Argument } from "../kernels/worker-team.js";
import type { BatchView } from "../matrix/view.js";
import { normOnScale } from "./finish.js";
import type { CheckedOptions } from "./options.js";
import { smallRoutines, smallWork } from "./small.js";
import { DENSE_UP_TO } from "./triplet.js";

/** Bytes of matrices that are in kernel memory at a time: few enough to stay in cache until they are solved. */
const GROUP_BYTES = 2 ** 20;

/** Whether a batch is one of small matrices, each of which the dense path solves in a single call. */
export function isSmall({ m, n, count }: BatchView, options: CheckedOptions): boolean {
  return (
    count > 1 &&
    Math.min(m, n) <= DENSE_UP_TO &&
    (options.method === "auto" || options.method === "dense") &&
    options.start === undefined
  );
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
  const kernels = chosen();
  const { arena } = kernels;
  const single = batch.dtype === "float32";
  const number = single ? 4 : 8;
  const transposed = m > n;
  const group = Math.max(1, Math.floor(GROUP_BYTES / (m * n * number)));
  const run = runner(kernels);
  for (let first = 0; first < count; first += group) {
    const size = Math.min(group, count - first);
    const mark = arena.mark();
    try {
      const placed: LoadedMatrix[] = [];
      for (let i = 0; i < size; i++)
        placed.push(within(first + i, () => loadMatrix(kernels, batch.at(first + i), transposed)));
      const [{ pointer, lda, rows, cols, paddedRows, paddedCols }] = placed;
      const step = size > 1 ? placed[1].pointer - pointer : 0;
      const room = 64 * Math.ceil(smallWork(paddedRows, paddedCols) / 64);
      const work = arena.take(room * (kernels.team?.threads ?? 1));
      const sigmas = arena.take(8 * size);
      const g = gradients ? arena.take(size * m * n * number) : 0;
      const args: Argument[] = [
        { base: pointer, chunk: step },
        lda,
        rows,
        cols,
        paddedRows,
        paddedCols,
        transposed ? 1 : 0,
        { base: work, thread: room },
        { base: sigmas, chunk: 8 },
        { base: g, chunk: gradients ? m * n * number : 0 },
      ];
      run(single ? "small32" : "small64", args, size);
      const found = arena.f64(sigmas, size);
      for (let i = 0; i < size; i++)
        values[first + i] = within(first + i, () => normOnScale(found[i], placed[i].exponent));
      gradients?.set((single ? arena.f32 : arena.f64)(g, size * m * n), first * m * n);
    } finally {
      arena.release(mark);
    }
  }
  trim();
}

/** Calls a routine once a chunk: with the team, where there is one, else here. */
function runner(kernels: ReturnType<typeof chosen>) {
  const { team, routines, arena } = kernels;
  if (team) return team.run.bind(team);
  const small = smallRoutines(routines, arena);
  return (name: "small32" | "small64", args: readonly Argument[], chunks: number): void => {
    for (let k = 0; k < chunks; k++) {
      const [p, lda, rows, cols, paddedRows, paddedCols, transposed, work, sigma, g] = args.map((given) =>
        typeof given === "number" ? given : given.base + (given.chunk ?? 0) * k,
      );
      small[name](p, lda, rows, cols, paddedRows, paddedCols, transposed, work, sigma, g);
    }
  };
}
