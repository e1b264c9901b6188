import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Job } from "../../src/kernels/worker-team.js";
import { DeviceError } from "../../src/matrix/errors.js";
import { createRandom } from "../../src/numerics/random.js";
import { JobQueue } from "../../src/threads/job-queue.js";
import { JOBS, Mailbox, REPORT, teamBytes } from "../../src/threads/mailbox.js";

/** A memory of float64 numbers instead of kernel memory: outputs of the main thread, then an area for each worker. */
const MOST_CHUNKS = 200;
const OUTPUT_BYTES = 16;
const OUTPUTS = 64;
const AREA = { pointer: OUTPUTS + MOST_CHUNKS * OUTPUT_BYTES, bytes: 64 + MOST_CHUNKS * OUTPUT_BYTES };
const SCRATCH = { pointer: 0, bytes: 8 };
const NAMES = ["idle", "write", "hold", "fail"];

/** Words that the routines share with the tests. */
const ENTERED = 0;
const GATE = 1;
const CLOCK = 2;
/** words from here on: chunks that each thread has computed */
const COMPUTED = 4;

/** The routines, as text, because they run in workers too. `memory`, `words` and `thread` are free. */
const ROUTINES = `
  const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  const write = (output, chunk, factor, limited) => {
    Atomics.add(words, ${COMPUTED} + thread, 1);
    if (limited > 5) throw new RangeError("thread " + thread + " is beyond its limit ∞");
    memory[output / 8] = factor * (chunk + 1);
    memory[output / 8 + 1] = thread;
  };
  // A worker stays in its first chunk until the gate is opened. The main thread finishes none before a worker is in one.
  const hold = (output, chunk, factor) => {
    if (thread > 0) {
      Atomics.add(words, ${ENTERED}, 1);
      while (Atomics.load(words, ${GATE}) === 0) pause();
    } else while (Atomics.load(words, ${ENTERED}) === 0) pause();
    write(output, chunk, factor, 0);
  };
  const fail = (output, chunk, factor) => {
    Atomics.add(words, ${ENTERED}, 1);
    if (thread > 0) throw new RangeError("thread " + thread + " is beyond its limit ∞");
    while (Atomics.load(words, ${ENTERED}) < 2) pause();
    write(output, chunk, factor, 0);
  };
  const routines = { idle() {}, write, hold, fail };
`;

interface Team {
  queue: JobQueue;
  workers: Worker[];
  memory: Float64Array;
  words: Int32Array;
  mailbox(worker: number): Mailbox;
  stop(): Promise<unknown>;
}

let script = "";
beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { workerData, parentPort } from "node:worker_threads";
        import { serveJobs } from "./src/threads/serve-jobs.ts";
        const { shared, memory, words, thread, threads } = workerData;
        // Time goes by as often as it is looked at.
        performance.now = () => Atomics.add(words, ${CLOCK}, 1) / 16;
        ${ROUTINES}
        parentPort.postMessage("ready");
        serveJobs(shared, ${JSON.stringify(NAMES)}, [{}, routines], thread, threads);`,
      resolveDir: new URL("../..", import.meta.url).pathname,
    },
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
  });
  script = outputFiles[0].text;
});

async function start(threads: number): Promise<Team> {
  const shared = new SharedArrayBuffer(teamBytes(threads));
  const memory = new Float64Array(new SharedArrayBuffer(AREA.pointer + AREA.bytes * (threads - 1)));
  const words = new Int32Array(new SharedArrayBuffer(4 * (COMPUTED + threads)));
  const routines = new Function("memory", "words", "thread", `${ROUTINES} return routines;`)(
    memory,
    words,
    0,
  );
  const queue = new JobQueue(shared, NAMES, [{}, routines], threads, AREA);
  const workers: Worker[] = [];
  for (let thread = 1; thread < threads; thread++) {
    const worker = new Worker(script, { eval: true, workerData: { shared, memory, words, thread, threads } });
    workers.push(worker);
    await new Promise((resolve) => worker.once("message", resolve));
  }
  return {
    queue,
    workers,
    memory,
    words,
    mailbox: (worker) => new Mailbox(shared, threads, worker),
    stop: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}

function job(routine: string, chunks: number, factor: number, more: Partial<Job> = {}): Job {
  return {
    routine,
    args: [{ origin: "output" }, { base: 0, chunk: 1 }, factor, { base: 0, chunk: 1, upTo: 5 }],
    chunks,
    output: { pointer: OUTPUTS, bytes: OUTPUT_BYTES },
    scratch: SCRATCH,
    ...more,
  };
}

/** Runs the job and returns the number of the thread that computed each chunk; checks what it computed. */
function threadsOf({ queue, memory }: Team, { routine, chunks, args, ...rest }: Job): number[] {
  const factor = args[2] as number;
  const by: number[] = [];
  queue.run(1, { routine, chunks, args, ...rest }, (output, chunk) => {
    if (chunk !== by.length || memory[output / 8] !== factor * (chunk + 1))
      expect.fail(`chunk ${chunk} came after ${by.length} others with ${memory[output / 8]}`);
    const thread = memory[output / 8 + 1];
    const area = output < AREA.pointer ? 0 : 1 + Math.floor((output - AREA.pointer) / AREA.bytes);
    if (thread !== area) expect.fail(`thread ${thread} wrote to the memory of ${area}`);
    by.push(thread);
  });
  expect(by.length).toBe(chunks);
  return by;
}

const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
function until(condition: () => boolean): void {
  while (!condition()) pause(1);
}
const open = ({ words }: Team) => Atomics.store(words, GATE, 1);

describe("a team of four", () => {
  let team: Team;
  beforeAll(async () => {
    team = await start(4);
  });
  afterAll(() => team.stop());

  it("computes every chunk, in thousands of jobs of random size with random pauses", () => {
    const random = createRandom(1);
    const uniform = () => Math.abs(random.normal() * 1e4) % 1;
    for (let jobs = 0; jobs < 4000; jobs++) {
      const chunks = 1 + Math.floor(uniform() * (jobs % 2 ? 6 : MOST_CHUNKS));
      threadsOf(team, job("write", chunks, 1 + jobs, { backwards: jobs % 3 === 0 }));
      // Long enough for workers to fall asleep now and then, or to be on the way to it.
      if (jobs % 50 === 0) pause(2 * uniform());
    }
  });

  it("has the workers take part", () => {
    // Other processes may have the cores: then a job is over before a worker has one.
    const seen = new Set<number>();
    until(() => {
      for (const thread of threadsOf(team, job("write", MOST_CHUNKS, 1))) seen.add(thread);
      return seen.size === 4;
    });
  });

  it.each([
    ["write", /^thread [0-3] is beyond its limit ∞$/],
    ["fail", /^thread [1-3] is beyond its limit ∞$/],
  ])(
    "throws the error of a chunk, whoever computed it, and forgets it with the next job (%s)",
    (name, of) => {
      for (let i = 0; i < 20; i++) {
        let error: unknown;
        // The main thread may have computed the chunk before it hears of the error: then there is none.
        until(() => {
          until(() => team.queue.available());
          Atomics.store(team.words, ENTERED, 0);
          const more = name === "write" ? { args: [OUTPUTS, 0, 1, 6] } : {};
          error = thrownBy(() => team.queue.run(1, job(name, 20, 1, more), () => {}));
          return error !== undefined;
        });
        if (!(error instanceof DeviceError && error.cause instanceof RangeError))
          return expect.fail(String(error));
        expect(error.message).toBe(`threads: ${name} has failed: ${error.cause.message}`);
        expect(error.cause.message).toMatch(of);
        // Where it was thrown.
        expect(error.cause.stack).toMatch(name === "write" ? /\bwrite\b/ : /\bfail\b/);
        threadsOf(team, job("write", 20, 2));
      }
    },
  );

  it("refuses more arguments than there is room for", () => {
    expect(() => team.queue.run(1, job("idle", 1, 0, { args: new Array(13).fill(0) }), () => {})).toThrow(
      RangeError,
    );
  });

  it("lets workers go when it is stopped, asleep or not", async () => {
    const ended = Promise.all(
      team.workers.map((worker) => new Promise<number>((resolve) => worker.once("exit", resolve))),
    );
    team.queue.run(1, job("idle", 3, 0), () => {});
    team.queue.stop();
    expect(await ended).toEqual(team.workers.map(() => 0));
  });
});

describe("a worker that does not come out of its chunk", () => {
  let team: Team;
  beforeEach(async () => {
    team = await start(2);
    return () => team.stop();
  });

  it("is not waited for, and what it writes later is read by nobody", () => {
    const { queue, memory, words } = team;
    // It has taken a chunk, which the main thread computes.
    expect(threadsOf(team, job("hold", 8, 7))).toEqual(new Array(8).fill(0));
    expect(Atomics.load(words, ENTERED)).toBe(1);

    // It gets no order meanwhile, and its memory is not used.
    memory.fill(-1, AREA.pointer / 8);
    for (let jobs = 0; jobs < 1000; jobs++) {
      expect(queue.available()).toBe(false);
      expect(threadsOf(team, job("write", 1 + (jobs % 50), jobs))).not.toContain(1);
    }
    expect(memory.subarray(AREA.pointer / 8).every((number) => number === -1)).toBe(true);
    expect(Atomics.load(words, COMPUTED + 1)).toBe(0);

    // Its late output goes to its own memory and nowhere else, although job after job uses the same counters.
    const before = memory.slice();
    open(team);
    until(() => queue.available());
    expect(Atomics.load(words, COMPUTED + 1)).toBe(1);
    const changed = Array.from(memory.keys()).filter((i) => memory[i] !== before[i]);
    // After scratch memory, which is rounded up to 64 bytes.
    expect(changed).toEqual([AREA.pointer / 8 + 8, AREA.pointer / 8 + 9]);
  });

  it("joins in again when it has finished, in the middle of a job too", () => {
    const { words } = team;
    threadsOf(team, job("hold", 8, 7));
    let chunks = 0;
    // The worker finishes its old chunk while this job runs, and then takes chunks of this one.
    team.queue.run(1, job("write", MOST_CHUNKS, 3), () => {
      chunks++;
      if (chunks > 1) return;
      open(team);
      until(() => team.queue.available());
    });
    expect(chunks).toBe(MOST_CHUNKS);
    Atomics.store(words, ENTERED, 0);
    until(() => team.queue.available());
    expect(threadsOf(team, job("hold", 8, 5))).toContain(1);
  });

  it("takes nothing of the job that runs when it comes out, thousands of jobs later", () => {
    const { queue, words } = team;
    threadsOf(team, job("hold", 8, 7));
    // After more than half of all numbers, a later job looks like an earlier one by its number.
    for (let jobs = 0; jobs < (3 * JOBS) / 4; jobs++) threadsOf(team, job("write", 1, jobs));
    queue.run(1, job("write", 8, 1), (_, chunk) => {
      if (chunk > 0) return;
      open(team);
      until(() => queue.available());
    });
    // The chunk that it was in, and no other.
    expect(Atomics.load(words, COMPUTED + 1)).toBe(1);
  });

  it("may end there: the others go on without it", async () => {
    threadsOf(team, job("hold", 8, 7));
    await team.stop();
    expect(team.queue.available()).toBe(false);
    for (let jobs = 1; jobs < 100; jobs++)
      expect(threadsOf(team, job("write", jobs, jobs))).toEqual(new Array(jobs).fill(0));
  });
});

it("a worker that ends while it is idle changes nothing", async () => {
  const team = await start(2);
  threadsOf(team, job("write", 8, 7));
  await team.stop();
  for (let jobs = 1; jobs < 100; jobs++) threadsOf(team, job("write", jobs, jobs));
});

it("a worker that has reported nothing gets no order for some calls, more each time", async () => {
  const team = await start(2);
  const { queue } = team;
  const lengths: number[] = [];
  for (let jobs = 0; jobs < 8; jobs++) {
    let calls = 1;
    while (!queue.available()) calls++;
    lengths.push(calls);
    Atomics.store(team.words, GATE, 0);
    Atomics.store(team.words, ENTERED, 0);
    // The worker stays in its chunk until the job is over.
    threadsOf(team, job("hold", 4, 1));
    open(team);
    until(() => Atomics.load(team.mailbox(1).words, REPORT.finished) === jobs + 1);
  }
  expect(lengths).toEqual([1, 1, 3, 7, 15, 31, 63, 63]);
  await team.stop();
});

it("a worker whose memory is full leaves the rest to the others", async () => {
  const team = await start(2);
  Atomics.store(team.words, GATE, 1);
  // Room for two outputs, besides scratch memory.
  const bytes = 16 * Math.floor((AREA.bytes - 64) / 2 / 16);
  const outputs: number[] = [];
  const memory = { pointer: OUTPUTS, bytes };
  // The main thread writes all outputs to the same place, because there is no room for so many of this size.
  const args: Job["args"] = [{ origin: "output", chunk: -bytes }, 0, 1, 0];
  team.queue.run(1, { ...job("hold", 20, 1), args, output: memory }, (output) => outputs.push(output));
  expect(outputs.length).toBe(20);
  expect(Atomics.load(team.words, COMPUTED + 1)).toBeLessThanOrEqual(2);
  await team.stop();
});

it("an idle worker looks at the clock for a millisecond, and then sleeps", async () => {
  const team = await start(2);
  const { words } = team.mailbox(1);
  const asleep = () => Atomics.load(words, REPORT.asleep) === 1;
  for (let jobs = 0; jobs < 5; jobs++) {
    until(asleep);
    const before = Atomics.load(team.words, CLOCK);
    pause(20);
    expect(Atomics.load(team.words, CLOCK)).toBe(before);
    // The worker is woken, and finds out when it began to wait; from then on sixteen looks are a millisecond.
    Atomics.store(team.words, ENTERED, 0);
    open(team);
    until(() => team.queue.available());
    threadsOf(team, job("hold", 2, 1));
    until(asleep);
    expect(Atomics.load(team.words, CLOCK) - before).toBeLessThanOrEqual(18);
  }
  await team.stop();
});

it("a worker that is woken polls for a millisecond, sleeps again if no job comes, and computes when one does", async () => {
  const team = await start(2);
  const { words } = team.mailbox(1);
  const asleep = () => Atomics.load(words, REPORT.asleep) === 1;
  const clock = () => Atomics.load(team.words, CLOCK);
  for (let jobs = 0; jobs < 5; jobs++) {
    until(asleep);
    const before = clock();
    // It may not have begun to wait when it is woken for the first time.
    let wakes = 0;
    until(() => {
      if (clock() > before) return true;
      team.queue.wake();
      wakes++;
      return false;
    });
    until(asleep);
    expect(clock() - before).toBeLessThanOrEqual(18 * wakes);
    Atomics.store(team.words, ENTERED, 0);
    open(team);
    team.queue.wake();
    expect(threadsOf(team, job("hold", 2, 1))).toContain(1);
  }
  await team.stop();
});

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
