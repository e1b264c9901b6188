import { type LoadedMatrix, loadMatrix } from "../kernels/load-matrix.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import type { Job, WorkerTeam } from "../kernels/worker-team.js";
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
      const scratch = arena.take(smallWork(paddedRows, paddedCols));
      // σ, and the gradient behind it.
      const bytes = 16 + (gradients ? 16 * Math.ceil((m * n * number) / 16) : 0);
      const output = arena.take(bytes * size);
      const job: Job = {
        routine: single ? "small32" : "small64",
        args: [
          { base: pointer, chunk: step },
          lda,
          rows,
          cols,
          paddedRows,
          paddedCols,
          transposed ? 1 : 0,
          { origin: "scratch" },
          { origin: "output" },
          gradients ? { origin: "output", base: 16 } : 0,
        ],
        chunks: size,
        output: { pointer: output, bytes },
        scratch: { pointer: scratch, bytes: smallWork(paddedRows, paddedCols) },
      };
      run(job, (at, i) => {
        const sigma = arena.f64(at, 1)[0];
        values[first + i] = within(first + i, () => normOnScale(sigma, placed[i].exponent));
        gradients?.set((single ? arena.f32 : arena.f64)(at + 16, m * n), (first + i) * m * n);
      });
    } finally {
      arena.release(mark);
    }
  }
  trim();
}

/** Runs a job on the team, or on this thread alone. */
function runner({ team, routines, arena }: ReturnType<typeof chosen>): WorkerTeam["run"] {
  if (team) return team.run;
  const small = smallRoutines(routines, arena);
  return ({ routine, args, chunks, output, scratch }, use) => {
    for (let k = 0; k < chunks; k++) {
      const at = output.pointer + output.bytes * k;
      const origins = { output: at, scratch: scratch?.pointer ?? 0 };
      const values = args.map((given) => {
        if (typeof given === "number") return given;
        const { origin, base = 0, chunk = 0 } = given;
        return base + chunk * k + (origin ? origins[origin] : 0);
      });
      (small[routine as "small32"] as (...args: number[]) => void)(...values);
      use(at, k);
    }
  };
}
