/**
 * Several threads on one kernel memory. A job is one routine called for `chunks` parts of its work, each part by
 * whichever thread is free; every number is made by one thread in one order, so that neither the count of threads
 * nor their pace changes a bit.
 */
export interface Crew {
  readonly threads: number;
  /**
   * Calls `routine` once for each chunk and returns when all are done; the calling thread takes its share. A thread
   * has the same chunks each time, in ascending order or backwards, as far as the others keep pace.
   *
   * @throws DeviceError if a thread has failed
   */
  run(routine: string, args: readonly Argument[], chunks: number, backwards?: boolean): void;
}

/**
 * An argument of a routine: the same for every chunk, or base + chunk·k + thread·t for chunk k and thread t, and no
 * more than `upTo`.
 */
export type Argument = number | { base: number; chunk?: number; thread?: number; upTo?: number };
