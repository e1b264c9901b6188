import { kernelsWanted, useThreadPool } from "../kernels/select.js";
import { OptionError, UnsupportedError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { Coordinator } from "./coordinator.js";
import { because } from "./failure.js";
import { pack } from "./pack.js";
import type { FunctionName } from "./request.js";
import { type RunningCrew, startCrew } from "./start-team.js";
import { cores, mayBlock, mayShare } from "./worker.js";

/** Threads at work; `stop` ends them. */
export interface ThreadPool {
  /** how many compute, the one that leads them among them */
  readonly count: number;
  /**
   * Gives the pool up; when everybody who started it has, its threads end, promises of the asynchronous functions
   * that are still open reject with a DeviceError, and the calling thread computes alone again. Calling it once more
   * does nothing. It resolves when the threads have ended.
   */
  stop(): Promise<void>;
}

interface Pool {
  readonly count: number;
  /** of which this thread is one; none in a page, or where one thread is all */
  readonly crew: RunningCrew | undefined;
  coordinator: Coordinator | undefined;
  users: number;
}

/** More threads than any machine gains from, and no number that was meant as something else. */
const MOST_THREADS = 256;

/** Module state is per thread: a worker of the user's has its own pool. */
let running: Pool | undefined;
let starting: Promise<void> | undefined;

/**
 * Starts threads. From then on, and until `stop`, the functions of `spectral-norm` use them for products with
 * matrices large enough to gain (from about 256² up), to the same bits, and the asynchronous functions of this module
 * work.
 *
 * In a page, where nothing may wait, the functions of `spectral-norm` go on computing alone: there the asynchronous
 * ones are the way to the threads. A browser's workers may wait, and are served as Node is.
 *
 * @param count - of threads that compute, the leading one among them: a whole number from 1 to 256. Default: the
 *   cores that this program may use. 1 starts a thread for the asynchronous functions alone, needs no shared memory,
 *   and changes nothing for the others
 * @returns the pool; a second call while it runs, with the same count or none, shares it
 * @throws OptionError for another `count`, or one that differs from that of the pool that runs.
 *   UnsupportedError where WebAssembly or workers are missing or forbidden; in a page that is not cross-origin isolated
 *   (count 1 works there); before Node 20.16. DeviceError where a thread does not start or there is no
 *   memory. After an error everything is as it was
 *
 * @remarks
 * **Cost.** Some ten milliseconds a thread. A copy of a matrix stays in the pool's memory, which does not shrink, until
 * `stop`; the asynchronous functions have a thread, a crew and a memory of their own, from the first call on.
 *
 * **Not guaranteed.** That it is faster. `setKernels("reference")` computes on one thread, whatever runs.
 *
 * Threads that are idle do not keep Node alive, whether stopped or not.
 *
 * @example
 * ```ts
 * import { kernelInfo } from "spectral-norm";
 * import { startThreads } from "spectral-norm/threads";
 *
 * const pool = await startThreads(2);
 * console.log(kernelInfo().threads); // 2
 * await pool.stop();
 * ```
 */
export async function startThreads(count?: number): Promise<ThreadPool> {
  if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= MOST_THREADS))
    throw new OptionError(
      `count: expected a whole number from 1 to ${MOST_THREADS}, got ${formatValue(count)}`,
    );
  let pool = running;
  while (!pool) {
    // One that fails is its caller's business; the next in line tries anew.
    if (starting) await starting.catch(() => {});
    else {
      starting = start(count ?? Math.min(cores(), MOST_THREADS));
      try {
        await starting;
      } finally {
        starting = undefined;
      }
    }
    pool = running;
  }
  if (count !== undefined && count !== pool.count)
    throw new OptionError(
      `count: ${count} threads were asked for while ${pool.count} are running; stop() that pool first`,
    );
  return handleOf(pool);
}

async function start(count: number): Promise<void> {
  if (count > 1 && !mayShare())
    throw new UnsupportedError(
      "startThreads: threads need shared memory, which a page has if it comes with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp; count 1 works without",
    );
  const pool: Pool = { count, crew: undefined, coordinator: undefined, users: 0 };
  if (mayBlock()) running = { ...pool, crew: count > 1 ? await startCrew(count) : undefined };
  else {
    // Whether there can be threads shows only there.
    await coordinatorOf(pool).begun;
    running = pool;
  }
  useThreadPool(running.crew);
}

function handleOf(pool: Pool): ThreadPool {
  pool.users++;
  let stopped: Promise<void> | undefined;
  return {
    count: pool.count,
    stop: () => {
      stopped ??= leave(pool);
      return stopped;
    },
  };
}

async function leave(pool: Pool): Promise<void> {
  pool.users--;
  if (pool.users > 0) return;
  running = undefined;
  useThreadPool(undefined);
  await Promise.all([pool.coordinator?.stop(), pool.crew?.stop()]);
}

/** The pool's; one that has failed is followed by another. */
function coordinatorOf(pool: Pool): Coordinator {
  pool.coordinator ??= new Coordinator(pool.count, () => {
    pool.coordinator = undefined;
  });
  return pool.coordinator;
}

/** Has a function of the core computed by the pool, without waiting for it. */
export async function ask(name: FunctionName, args: readonly unknown[]): Promise<unknown> {
  if (!running && !starting) throw notRunning(name);
  const parcel = pack(name, args);
  parcel.catch(() => {});
  const kernels = kernelsWanted();
  const called = new Error();
  let cause: unknown;
  if (!running)
    await starting?.catch((error) => {
      cause = error;
    });
  if (!running) throw notRunning(name, cause);
  return coordinatorOf(running).call(name, kernels, parcel, called);
}

/** @param cause  why they could not be started */
function notRunning(name: FunctionName, cause?: unknown): UnsupportedError {
  return new UnsupportedError(
    `${name}: no threads are running; await startThreads() of spectral-norm/threads first, or call ${name} of spectral-norm`,
    because(cause),
  );
}
