/**
 * Several threads on one kernel memory. A job calls one routine for each chunk of its work, on whichever thread is free.
 * The output of a chunk has the same bits whichever thread computes it, so the result does not depend on the number of
 * threads or on their speed.
 */
export interface WorkerTeam {
  readonly threads: number;
  /** Whether a job would have more than the calling thread now: other threads may be at work or without a core. */
  available(): boolean;
  /** Wakes the threads that sleep, because jobs may follow within a millisecond. */
  wake(): void;
  /**
   * Calls the job's routine for each chunk, and `use` with the output of each chunk, in ascending order. Returns when all
   * outputs have been used. The calling thread takes part, and alone calls `use`. It does not wait for a thread that
   * was taken off its core in the middle of a chunk: it computes that chunk itself.
   *
   * The other threads write to memory of their own only, so that a late one never writes into what others use. An output
   * in their memory is valid until the next job.
   *
   * @throws DeviceError if a chunk has failed
   */
  run(job: Job, use: (output: number, chunk: number) => void): void;
}

export interface Job {
  readonly routine: string;
  readonly args: readonly Argument[];
  readonly chunks: number;
  /** Where the calling thread writes the output of chunk k: `bytes` bytes at `pointer` + `bytes`·k. */
  readonly output: Block;
  /** scratch memory of the calling thread; the others get as much of their own */
  readonly scratch?: Block | undefined;
  /** The chunks are computed in descending order. */
  readonly backwards?: boolean;
}

/** `bytes` is a multiple of 16, and `pointer` is not 0. */
interface Block {
  readonly pointer: number;
  readonly bytes: number;
}

/**
 * An argument of a routine: a number, or min(origin + base + chunk·k, upTo) for chunk k. The origin is 0, or a pointer to
 * the output of the chunk or to the scratch memory of the thread.
 */
export type Argument =
  | number
  | { origin?: "output" | "scratch" | undefined; base?: number; chunk?: number; upTo?: number };
