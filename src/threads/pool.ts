import { kernelsWanted, useThreadPool } from "../kernels/select.js";
import { OptionError, UnsupportedError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import type { FunctionName } from "./async-functions.js";
import type { Coordinator } from "./coordinator.js";
import { causeOption } from "./failure.js";
import { packArguments } from "./pack.js";
import { type RunningTeam, startTeam } from "./start-team.js";
import { canBlock, canShareMemory, cores } from "./worker.js";

/** A running pool of threads. */
export interface ThreadPool {
  /** number of threads that compute, including the main one */
  readonly count: number;
  /**
   * Releases the pool. When every caller of `startThreads` has released it, the threads end, open promises of the
   * asynchronous functions reject with a DeviceError, and the calling thread computes alone again. A second call does
   * nothing. Resolves when the threads have ended.
   */
  stop(): Promise<void>;
}

interface Pool {
  readonly count: number;
  /** the team of this thread; none in a page, or if the count is 1 */
  readonly team: RunningTeam | undefined;
  coordinator: Promise<Coordinator> | undefined;
  users: number;
}

/** Most threads of a pool. Chosen: beyond the cores that products gain from; larger counts are probably mistakes. */
const MOST_THREADS = 256;

/** Module state is per thread, so each of the user's workers has its own pool. */
let running: Pool | undefined;
let starting: Promise<void> | undefined;

/**
 * Starts a pool of threads. Until `stop`, the functions of `spectral-norm` use the threads for products with matrices
 * large enough to gain (about 400² and larger), with the same bits as before, and the asynchronous functions of this
 * module can be called.
 *
 * A page must not block, so there the functions of `spectral-norm` still compute on one thread, and only the
 * asynchronous functions use the pool. A browser's workers may block, and behave as Node does.
 *
 * @param count - largest number of threads that compute, including the main one: an integer from 1 to 256. Default: the
 *   number of cores that this program may use. With 1, the pool serves the asynchronous functions only and needs no shared
 *   memory
 * @returns the pool; a second call while it runs, with the same count or none, shares it
 * @throws OptionError for an invalid `count`, or one that differs from that of the running pool.
 *   UnsupportedError if WebAssembly or workers are missing or forbidden, in a page that is not cross-origin isolated
 *   (count 1 works there), and before Node 20.16. DeviceError if a thread does not start or memory cannot be reserved.
 *   After an error nothing has changed
 *
 * @remarks
 * **Cost.** About ten milliseconds per thread. The pool's memory grows with the matrices and is freed by `stop`. The
 * asynchronous functions have threads and memory of their own, from the first call on.
 *
 * **More threads than cores** are not started, because they would only take turns.
 *
 * **On a busy machine** no thread is waited for: what it had begun when it lost its core is computed again by this
 * thread. On Linux the other threads have the lowest priority (`nice` 19).
 *
 * **Not guaranteed.** A speedup. With `setKernels("reference")` everything is computed on one thread.
 *
 * Idle threads do not keep Node alive, even without `stop`.
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
    throw new OptionError(`count: expected an integer from 1 to ${MOST_THREADS}, got ${formatValue(count)}`);
  let pool = running;
  while (!pool) {
    // If that start fails, its caller gets the error, and this call tries again.
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
      `count: ${count} threads were requested while a pool of ${pool.count} is running; call its stop() first`,
    );
  return handleOf(pool);
}

async function start(count: number): Promise<void> {
  if (count > 1 && !canShareMemory())
    throw new UnsupportedError(
      "startThreads: threads need shared memory, which a page has if it is served with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp; count 1 needs none",
    );
  const pool: Pool = { count, team: undefined, coordinator: undefined, users: 0 };
  if (canBlock())
    running = { ...pool, team: count > 1 ? await startTeam(count, undefined, cores()) : undefined };
  else {
    // A page has no team of its own: only the coordinating thread can find out whether threads can be started.
    await (await coordinatorOf(pool)).ready;
    running = pool;
  }
  useThreadPool(running.team);
}

function handleOf(pool: Pool): ThreadPool {
  pool.users++;
  let stopped: Promise<void> | undefined;
  return {
    count: pool.count,
    stop: () => {
      stopped ??= releasePool(pool);
      return stopped;
    },
  };
}

async function releasePool(pool: Pool): Promise<void> {
  pool.users--;
  if (pool.users > 0) return;
  running = undefined;
  useThreadPool(undefined);
  await Promise.all([stopCoordinator(pool), pool.team?.stop()]);
}

/** The pool's coordinator; a new one if it has failed. */
function coordinatorOf(pool: Pool): Promise<Coordinator> {
  pool.coordinator ??= startCoordinator(pool);
  return pool.coordinator;
}

async function startCoordinator(pool: Pool): Promise<Coordinator> {
  const forget = () => {
    pool.coordinator = undefined;
  };
  try {
    // The script of that thread holds the whole core. Only asynchronous calls load it.
    const { Coordinator } = await import("./coordinator.js");
    return new Coordinator(pool.count, forget);
  } catch (error) {
    forget();
    throw error;
  }
}

async function stopCoordinator(pool: Pool): Promise<void> {
  // If it could not be started, its callers have the error.
  const coordinator = await pool.coordinator?.catch(() => undefined);
  await coordinator?.stop();
}

/**
 * Calls a function of the core on the coordinating thread.
 *
 * @returns what the function returns; the caller knows its type
 */
export async function callPool<T>(name: FunctionName, args: readonly unknown[]): Promise<T> {
  if (!running && !starting) throw notRunning(name);
  const payload = packArguments(name, args);
  payload.catch(() => {});
  const kernels = kernelsWanted();
  const called = new Error();
  let cause: unknown;
  if (!running)
    await starting?.catch((error) => {
      cause = error;
    });
  if (!running) throw notRunning(name, cause);
  const coordinator = await coordinatorOf(running);
  return coordinator.call(name, kernels, payload, called) as Promise<T>;
}

/** @param cause  why the threads could not be started */
function notRunning(name: FunctionName, cause?: unknown): UnsupportedError {
  return new UnsupportedError(
    `${name}: no threads are running; await startThreads() of spectral-norm/threads first, or call ${name} of spectral-norm`,
    causeOption(cause),
  );
}
