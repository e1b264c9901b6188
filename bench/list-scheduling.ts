/** What the parts of a job take, in milliseconds, in the order in which threads take its chunks. */
export interface ChunkTime {
  /** its number: results are used in the order of the numbers */
  readonly chunk: number;
  readonly computeMs: number;
  /** what the main thread does with the result */
  readonly useMs: number;
}

/**
 * How long a job takes on `threads` threads that share nothing: each takes the next chunk as soon as it is free. The main
 * thread first gives the others their orders. Whenever it is free, it uses the results that have arrived, by number, before
 * it takes a chunk.
 *
 * @param orderMs  what an order costs the main thread
 */
export function timeOfJob(times: readonly ChunkTime[], threads: number, orderMs: number): number {
  const workers = Math.min(threads, times.length) - 1;
  // Each worker begins when its order has been written.
  const free = Array.from({ length: workers }, (_, i) => orderMs * (i + 1));
  const use = [...times].sort((a, b) => a.chunk - b.chunk);
  const doneAt = new Map<number, number>();
  let main = orderMs * workers;
  let used = 0;
  for (let taken = 0; used < use.length; ) {
    // Workers that are free before the main thread is come first.
    while (taken < times.length && workers > 0) {
      const first = free.indexOf(Math.min(...free));
      if (free[first] > main) break;
      const { chunk, computeMs } = times[taken++];
      free[first] += computeMs;
      doneAt.set(chunk, free[first]);
    }
    const arrived = doneAt.get(use[used].chunk);
    if (arrived !== undefined && (arrived <= main || taken === times.length)) {
      main = Math.max(main, arrived) + use[used].useMs;
      used++;
    } else {
      const { chunk, computeMs } = times[taken++];
      main += computeMs;
      doneAt.set(chunk, main);
    }
  }
  return main;
}
