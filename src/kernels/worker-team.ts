/**
 * Several threads on one kernel memory. A job calls one routine for each of `chunks` parts of its work, each part on
 * whichever thread is free. Every number is computed by one thread in a fixed order, so the result does not depend on
 * the number of threads or on their speed, to the last bit.
 */
export interface WorkerTeam {
  readonly threads: number;
  /**
   * Calls `routine` once for each chunk and returns when all are done. The calling thread takes part. A thread gets
   * the same chunks in every job, in ascending order or `backwards`, as long as the others are as fast.
   *
   * @throws DeviceError if a thread has failed
   */
  run(routine: string, args: readonly Argument[], chunks: number, backwards?: boolean): void;
}

/**
 * An argument of a routine: a number, the same for every chunk, or min(base + chunk·k + thread·t, upTo) for chunk k and
 * thread t.
 */
export type Argument = number | { base: number; chunk?: number; thread?: number; upTo?: number };
