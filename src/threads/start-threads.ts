import { coordinatorOf } from "./calls.js";
import { startPool } from "./pool.js";
import type { ThreadPool } from "./thread-pool.js";

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
export function startThreads(count?: number): Promise<ThreadPool> {
  // A page has no team of its own: only the coordinating thread can find out whether threads can be started.
  return startPool(count, (pool) => coordinatorOf(pool).ready);
}
