import type { Job } from "../kernels/worker-team.js";
import { messageOf } from "../matrix/error-message.js";
import { DeviceError } from "../matrix/errors.js";
import {
  argumentNumbers,
  ChunkCounters,
  callRoutine,
  globalWords,
  JOBS,
  Mailbox,
  ORDER,
  REPORT,
  STOP,
  writeArguments,
} from "./mailbox.js";
import type { Routines } from "./routines.js";

/** Polls between two readings of the clock. Chosen: a reading costs as much as some tens of polls. */
const POLLS_PER_CLOCK = 50;
/**
 * Times that of a chunk for which the main thread waits for a chunk before it computes it itself. Chosen: a thread on a
 * core of its own needs one; another one is for differences in speed.
 */
const PATIENCE = 2;
/**
 * Most calls for which a worker that did not help gets no order. Chosen: an order in vain costs some tenth of a call, so
 * a worker without a core costs less than a hundredth, and one that has a core again is found within a call or two.
 */
const LONGEST_LEAVE = 63;
/**
 * Chunks that the main thread computes before it reads the reports of the others again. Chosen: reading moves a cache line
 * from the worker's core, which takes half a microsecond if the cores share no cache. If the main thread read only at the
 * end, the workers would wait while it uses all outputs.
 */
const READ_EVERY = 4;
/** Outputs and scratch memory begin at multiples of this many bytes, a cache line. */
const ALIGNMENT = 64;

/** Kernel memory of the workers: `bytes` each, one after the other. Nobody else writes to it. */
export interface Areas {
  readonly pointer: number;
  readonly bytes: number;
}

/** What the main thread knows about a worker. */
interface Worker {
  readonly mailbox: Mailbox;
  readonly area: number;
  /** number of orders so far; the worker is idle if it has finished as many */
  orders: number;
  /** whether it has an order for the job that runs */
  employed: boolean;
  /** where its outputs of the job begin */
  outputs: number;
  /** chunks that it had computed before the job */
  reported: number;
  /** reports of the job that have been read */
  read: number;
  /** calls for which it gets no order, and as many after it has last failed to help */
  leave: number;
  lastLeave: number;
}

/**
 * The main thread's end of a team: it runs jobs, one at a time.
 *
 * A worker that is idle gets an order, which is a copy of the job. Workers and the main thread take chunks until none is
 * left. A worker writes each output to its own memory and then reports it. When a worker has been late for as long as a
 * chunk takes, the main thread computes the chunk itself, and the worker gets no order until it has finished its old
 * one. What it writes meanwhile is read by nobody. So a worker that was taken off its core, or that has ended, costs the
 * time of a chunk or two, once.
 */
export class JobQueue {
  readonly #globals: Int32Array;
  readonly #counters: ChunkCounters;
  /** the number of each routine, by which workers call it */
  readonly #numberOf: ReadonlyMap<string, number>;
  readonly #sets: readonly Routines[];
  readonly #workers: Worker[] = [];
  readonly #areaBytes: number;
  readonly #numbers = argumentNumbers();
  #job = 0;
  /** pointers to the outputs of the current job by chunk; 0: not computed yet */
  #outputs = new Float64Array(64);

  /**
   * @param shared  `teamBytes(threads)`, the same for all threads
   * @param names  names of the routines that jobs call, in the same order for all threads
   * @param sets  the routines of each set of kernels
   * @param threads  number of threads, including this one
   */
  constructor(
    shared: SharedArrayBuffer,
    names: readonly string[],
    sets: readonly Routines[],
    threads: number,
    areas: Areas,
  ) {
    this.#globals = globalWords(shared);
    this.#counters = new ChunkCounters(shared, threads);
    this.#numberOf = new Map(names.map((name, i) => [name, i]));
    this.#sets = sets;
    this.#areaBytes = areas.bytes;
    for (let worker = 1; worker < threads; worker++)
      this.#workers.push({
        mailbox: new Mailbox(shared, threads, worker),
        area: areas.pointer + areas.bytes * (worker - 1),
        orders: 0,
        employed: false,
        outputs: 0,
        reported: 0,
        read: 0,
        leave: 0,
        lastLeave: 0,
      });
  }

  /** Whether a worker is ready for an order. */
  available(): boolean {
    this.#shortenLeaves();
    return this.#workers.some(isReady);
  }

  /** Wakes the workers that sleep. */
  wake(): void {
    for (const { mailbox } of this.#workers) mailbox.wake();
  }

  #shortenLeaves(): void {
    for (const worker of this.#workers) if (worker.leave > 0) worker.leave--;
  }

  /**
   * Runs a job as `WorkerTeam.run` specifies, with the routines of set number `set`.
   *
   * @throws DeviceError whose cause is the error of a failed chunk
   */
  run(set: number, job: Job, use: (output: number, chunk: number) => void): void {
    const { routine, chunks, output, scratch } = job;
    writeArguments(this.#numbers, job, output.pointer, scratch?.pointer ?? 0);
    if (this.#outputs.length < chunks) this.#outputs = new Float64Array(2 * chunks);
    this.#outputs.fill(0, 0, chunks);
    this.#job = (this.#job % (JOBS - 1)) + 1;
    for (const worker of this.#workers) {
      worker.employed = false;
      // A late worker takes no more chunks, even if the numbers of jobs have wrapped around meanwhile.
      if (!hasFinished(worker)) Atomics.store(worker.mailbox.words, ORDER.job, 0);
    }
    this.#shortenLeaves();
    try {
      this.#compute(job, set, this.#sets[set][routine], use);
    } catch (error) {
      this.#counters.close(this.#job);
      throw error;
    } finally {
      for (const worker of this.#workers) if (worker.employed) this.#judge(worker);
    }
  }

  /** Gives a worker leave if it has reported nothing, each time for twice as long: other processes have its core. */
  #judge(worker: Worker): void {
    const { read, lastLeave } = worker;
    worker.lastLeave = read > 0 ? 0 : Math.min(2 * lastLeave + 1, LONGEST_LEAVE);
    worker.leave = worker.lastLeave;
  }

  #compute(
    job: Job,
    set: number,
    routine: Routines[string],
    use: (output: number, chunk: number) => void,
  ): void {
    const { chunks, output, args, backwards = false } = job;
    const outputs = this.#outputs;
    const compute = (chunk: number) => {
      try {
        callRoutine(routine, this.#numbers, args.length, chunk, chunk);
      } catch (error) {
        throw failed(job, error);
      }
      outputs[chunk] = output.pointer + output.bytes * chunk;
    };
    const started = performance.now();
    let own = 0;
    let deadline: number | undefined;
    let next = 0;
    for (;;) {
      // Here, because a worker that is still late with an older job joins when it has finished that.
      this.#employIdle(job, set);
      const chunk = this.#counters.take(0, this.#job, chunks, backwards);
      if (chunk >= 0) {
        compute(chunk);
        own++;
        if (own % READ_EVERY > 0) continue;
      }
      this.#readReports(job);
      while (next < chunks && outputs[next] !== 0) use(outputs[next], next++);
      if (next === chunks) return;
      if (chunk >= 0) continue;
      if (deadline === undefined) {
        const now = performance.now();
        deadline = now + (PATIENCE * (now - started)) / Math.max(own, 1);
      }
      if (!this.#arrives(job, next, deadline)) compute(next);
    }
  }

  /** Polls for the output of a chunk. */
  #arrives(job: Job, chunk: number, deadline: number): boolean {
    do {
      for (let poll = 0; poll < POLLS_PER_CLOCK; poll++) {
        this.#readReports(job);
        if (this.#outputs[chunk] !== 0) return true;
      }
    } while (performance.now() < deadline);
    return false;
  }

  /** Orders the job from every idle worker, as long as there are chunks for them. */
  #employIdle(job: Job, set: number): void {
    const workers = this.#workers;
    const most = Math.min(workers.length, job.chunks - 1);
    for (let i = 0; i < most; i++)
      if (!workers[i].employed && isReady(workers[i])) this.#order(workers[i], job, set);
  }

  #order(worker: Worker, job: Job, set: number): void {
    const { words, numbers } = worker.mailbox;
    const { bytes } = job.output;
    const scratch = ALIGNMENT * Math.ceil((job.scratch?.bytes ?? 0) / ALIGNMENT);
    const room = Math.floor((this.#areaBytes - scratch) / bytes);
    // Without room for an output, the main thread computes alone.
    if (room < 1) return;
    worker.employed = true;
    worker.outputs = worker.area + scratch;
    worker.read = 0;
    worker.reported = Atomics.load(words, REPORT.done);
    writeArguments(numbers, job, worker.outputs, worker.area);
    words[ORDER.job] = this.#job;
    words[ORDER.routine] = this.#numberOf.get(job.routine) ?? -1;
    words[ORDER.set] = set;
    words[ORDER.arity] = job.args.length;
    words[ORDER.chunks] = job.chunks;
    words[ORDER.backwards] = job.backwards ? 1 : 0;
    words[ORDER.room] = Math.min(room, worker.mailbox.reports.length);
    if (Atomics.load(words, REPORT.errorLength) > 0) Atomics.store(words, REPORT.errorLength, 0);
    Atomics.store(words, ORDER.count, ++worker.orders);
    worker.mailbox.wake();
  }

  /** Notes the outputs that workers have reported. */
  #readReports(job: Job): void {
    for (const worker of this.#workers) {
      if (!worker.employed) continue;
      const { words, reports } = worker.mailbox;
      const done = (Atomics.load(words, REPORT.done) - worker.reported) | 0;
      for (; worker.read < done; worker.read++) {
        const chunk = reports[worker.read];
        // The main thread may have computed it meanwhile.
        if (this.#outputs[chunk] === 0)
          this.#outputs[chunk] = worker.outputs + job.output.bytes * worker.read;
      }
      if (Atomics.load(words, REPORT.errorLength) > 0) throw failed(job, worker.mailbox.readError());
    }
  }

  /** Makes the workers end, as soon as they have finished what they compute. */
  stop(): void {
    Atomics.store(this.#globals, STOP, 1);
    for (const { mailbox } of this.#workers) {
      // So that a worker that is about to sleep does not.
      Atomics.add(mailbox.words, ORDER.count, 1);
      Atomics.notify(mailbox.words, ORDER.count);
    }
  }
}

function isReady(worker: Worker): boolean {
  return worker.leave === 0 && hasFinished(worker);
}

function hasFinished({ mailbox, orders }: Worker): boolean {
  return Atomics.load(mailbox.words, REPORT.finished) === orders;
}

function failed({ routine }: Job, error: unknown): DeviceError {
  return new DeviceError(`threads: ${routine} has failed: ${messageOf(error)}`, { cause: error });
}
