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
