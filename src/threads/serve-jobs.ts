import { ChunkCounters, callRoutine, globalWords, Mailbox, ORDER, REPORT, STOP } from "./mailbox.js";
import type { Routines } from "./routines.js";

/** Milliseconds that a worker polls for the next job before it sleeps. Chosen: jobs of one call follow faster. */
const POLL_MS = 1;
/** Polls between two readings of the clock. Chosen: a reading costs as much as some tens of polls. */
const POLLS_PER_CLOCK = 500;

/**
 * Works on the jobs of a team until it is stopped.
 *
 * @param shared  `teamBytes(threads)`, the same for all threads
 * @param names  names of the routines that jobs call, in the same order for all threads
 * @param sets  the routines of each set of kernels
 * @param thread  number of this worker, from 1
 * @param threads  number of threads
 */
export function serveJobs(
  shared: SharedArrayBuffer,
  names: readonly string[],
  sets: readonly Routines[],
  thread: number,
  threads: number,
): void {
  const globals = globalWords(shared);
  const counters = new ChunkCounters(shared, threads);
  const mailbox = new Mailbox(shared, threads, thread);
  const { words } = mailbox;
  // The first order may have arrived already.
  for (let orders = 0; ; ) {
    orders = nextOrder(words, orders);
    if (Atomics.load(globals, STOP) === 1) return;
    try {
      computeChunks(counters, mailbox, thread, sets[words[ORDER.set]][names[words[ORDER.routine]]]);
    } catch (error) {
      mailbox.writeError(error);
    }
    Atomics.store(words, REPORT.finished, orders);
  }
}

/** Waits for the order after number `orders`, and returns its number. A worker that is woken without one polls again. */
function nextOrder(words: Int32Array, orders: number): number {
  for (;;) {
    const until = performance.now() + POLL_MS;
    do {
      for (let poll = 0; poll < POLLS_PER_CLOCK; poll++) {
        const count = Atomics.load(words, ORDER.count);
        if (count !== orders) return count;
      }
    } while (performance.now() < until);
    Atomics.store(words, REPORT.asleep, 1);
    Atomics.wait(words, ORDER.count, orders);
    Atomics.store(words, REPORT.asleep, 0);
  }
}

/** Computes chunks of the job that was ordered, until none is left, the job is over, or there is no room for an output. */
function computeChunks(
  counters: ChunkCounters,
  { words, numbers, reports }: Mailbox,
  thread: number,
  routine: Routines[string],
): void {
  const job = words[ORDER.job];
  const chunks = words[ORDER.chunks];
  const backwards = words[ORDER.backwards] === 1;
  const room = words[ORDER.room];
  const arity = words[ORDER.arity];
  for (let done = 0; done < room && Atomics.load(words, ORDER.job) === job; done++) {
    const chunk = counters.take(thread, job, chunks, backwards);
    if (chunk < 0) return;
    callRoutine(routine, numbers, arity, chunk, done);
    reports[done] = chunk;
    Atomics.add(words, REPORT.done, 1);
  }
}
