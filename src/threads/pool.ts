import { useThreadPool } from "../kernels/select.js";
import { OptionError, UnsupportedError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import type { Coordinator } from "./coordinator.js";
import { type RunningTeam, startTeam } from "./start-team.js";
import type { ThreadPool } from "./thread-pool.js";
import { canBlock, canShareMemory, cores } from "./worker.js";

/** A pool: its threads, and how many have started it and not yet stopped it. */
export interface Pool {
  readonly count: number;
  /** the team of this thread; none in a page, or if the count is 1 */
  readonly team: RunningTeam | undefined;
  /** computes the asynchronous calls; from the first of them on */
  coordinator: Coordinator | undefined;
  users: number;
}

/** Most threads of a pool. Chosen: beyond the cores that products gain from; larger counts are probably mistakes. */
const MOST_THREADS = 256;

/** Module state is per thread, so each of the user's workers has its own pool. */
let running: Pool | undefined;
let starting: Promise<void> | undefined;

/**
 * As `startThreads` of `spectral-norm/threads`.
 *
 * @param prepare  called with the new pool if this thread must not block; the pool then has no team. It rejects if threads
 *   cannot be started
 */
export async function startPool(
  count?: number,
  prepare?: (pool: Pool) => Promise<void>,
): Promise<ThreadPool> {
  if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= MOST_THREADS))
    throw new OptionError(`count: expected an integer from 1 to ${MOST_THREADS}, got ${formatValue(count)}`);
  let pool = running;
  while (!pool) {
    // If that start fails, its caller gets the error, and this call tries again.
    if (starting) await starting.catch(() => {});
    else {
      starting = start(count ?? Math.min(cores(), MOST_THREADS), prepare);
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

async function start(count: number, prepare?: (pool: Pool) => Promise<void>): Promise<void> {
  if (count > 1 && !canShareMemory())
    throw new UnsupportedError(
      "startThreads: threads need shared memory, which a page has if it is served with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp; count 1 needs none",
    );
  const pool: Pool = { count, team: undefined, coordinator: undefined, users: 0 };
  if (canBlock())
    running = { ...pool, team: count > 1 ? await startTeam(count, undefined, cores()) : undefined };
  else {
    await prepare?.(pool);
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
  await Promise.all([pool.coordinator?.stop(), pool.team?.stop()]);
}

/** The running pool, if there is one. */
export function runningPool(): Pool | undefined {
  return running;
}

/** Settles when the pool that is being started, if there is one, runs or has failed to start. */
export function startingPool(): Promise<void> | undefined {
  return starting;
}
