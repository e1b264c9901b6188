import { kernelsWanted } from "../kernels/select.js";
import { UnsupportedError } from "../matrix/errors.js";
import type { FunctionName } from "./async-functions.js";
import { Coordinator } from "./coordinator.js";
import { causeOption } from "./failure.js";
import { packArguments } from "./pack.js";
import { type Pool, runningPool, startingPool } from "./pool.js";

/** The pool's coordinator; a new one if it has failed. */
export function coordinatorOf(pool: Pool): Coordinator {
  pool.coordinator ??= new Coordinator(pool.count, () => {
    pool.coordinator = undefined;
  });
  return pool.coordinator;
}

/**
 * Calls a function of the core on the coordinating thread.
 *
 * @returns what the function returns; the caller knows its type
 */
export async function callPool<T>(name: FunctionName, args: readonly unknown[]): Promise<T> {
  let pool = runningPool();
  const starting = startingPool();
  if (!pool && !starting) throw notRunning(name);
  const payload = packArguments(name, args);
  payload.catch(() => {});
  const kernels = kernelsWanted();
  const called = new Error();
  let cause: unknown;
  if (!pool) {
    await starting?.catch((error) => {
      cause = error;
    });
    pool = runningPool();
  }
  if (!pool) throw notRunning(name, cause);
  return coordinatorOf(pool).call(name, kernels, payload, called) as Promise<T>;
}

/** @param cause  why the threads could not be started */
function notRunning(name: FunctionName, cause?: unknown): UnsupportedError {
  return new UnsupportedError(
    `${name}: no threads are running; await startThreads() of spectral-norm/threads first, or call ${name} of spectral-norm`,
    causeOption(cause),
  );
}
