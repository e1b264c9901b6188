import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { singularTriplet, valueAndGrad } from "../../src/index.js";
import type { Kernels } from "../../src/kernels/contract.js";
import { divided } from "../../src/kernels/parallel.js";
import { type Threads, useThreadPool } from "../../src/kernels/select.js";
import { wasmKernels } from "../../src/kernels/wasm/instance.js";
import type { Argument, Job, WorkerTeam } from "../../src/kernels/worker-team.js";
import { DeviceError } from "../../src/matrix/errors.js";
import { createRandom } from "../../src/numerics/random.js";
import { type RunningTeam, startTeam } from "../../src/threads/start-team.js";
import { skipMissingKernels, WASM_SETS } from "../kernels/sets.js";
import { expectSameBits } from "./bits.js";
import { COMPLEX_MATRICES } from "./cases.js";

/** Rows and columns, multiples of four as the routines have it: chunks of all sizes, even and not. */
const SIZES: [number, number][] = [
  [4, 4],
  [8, 1024],
  [132, 20],
  [136, 64],
  [516, 12],
  [1000, 44],
  [2564, 8],
];

const cases = WASM_SETS.flatMap(({ name }) =>
  [1, 2, 3, 4].map((threads) => ({ name, relaxed: name === "wasm-relaxed", threads })),
);

skipMissingKernels();
describe.each(cases)("$name kernels divided among $threads threads", ({ relaxed, threads }) => {
  let team: RunningTeam;
  let kernels: Kernels;
  let parallel: Kernels["routines"];
  let jobs = 0;

  beforeAll(async () => {
    team = await startTeam(threads);
    const { slots, ...made } = wasmKernels(relaxed, team.memory);
    // The workers write to memory that this arena keeps.
    kernels = { ...made, arena: team.arena };
    const work = team.teamOf(relaxed);
    const counted: WorkerTeam = {
      threads,
      // Divided even if no worker is ready.
      available: () => true,
      wake() {},
      run(...job) {
        jobs++;
        work.run(...job);
      },
    };
    parallel = divided(team.arena, made.routines, slots, counted, 0);
  });
  afterAll(() => team.stop());

  /** Normal numbers in kernel memory. */
  function numbers(length: number, single: boolean, seed: number): number {
    const random = createRandom(seed);
    const pointer = kernels.arena.take(length * (single ? 4 : 8));
    const view = (single ? kernels.arena.f32 : kernels.arena.f64)(pointer, length);
    for (let i = 0; i < length; i++) view[i] = random.normal();
    return pointer;
  }

  /** What `compute` writes into `length` float64 that both find the same, with either set of routines. */
  function expectSame(length: number, compute: (routines: Kernels["routines"], out: number) => void): void {
    const { arena, routines } = kernels;
    const results = [routines, parallel].map((set) => {
      const mark = arena.mark();
      const out = numbers(length, false, 7);
      compute(set, out);
      const copy = arena.f64(out, length).slice();
      arena.release(mark);
      return copy;
    });
    expectSameBits(results[1], results[0], "divided against whole");
  }

  for (const [rows, cols] of SIZES)
    for (const [type, single, vectors] of [
      ["32", true, true],
      ["64", false, false],
      ["Wide", true, false],
    ] as const)
      it(`${rows}×${cols}, ${type}`, () => {
        const mark = kernels.arena.mark();
        const bytes = single ? 4 : 8;
        const lda = cols * bytes;
        const a = numbers(rows * cols, single, 1);
        for (const width of [1, 2, 4]) {
          const x = numbers(width * cols, vectors, 2);
          const ldx = cols * (vectors ? 4 : 8);
          const y = numbers(rows * width, false, 3);
          const t = kernels.arena.take(64);
          const scratch = kernels.arena.take(width * cols * 8);
          kernels.arena.fill(scratch, width * cols * 8);
          // Four vectors are for the product of the Krylov space alone.
          const few = width <= 2;
          if (few && type !== "32")
            expectSame(rows * width, (routines, out) =>
              routines[`multiply${type}`](a, lda, rows, cols, x, ldx, width, out),
            );
          if (few && type !== "32")
            expectSame(cols * width, (routines, out) =>
              routines[`multiplyTransposed${type}`](a, lda, rows, cols, y, width, scratch, out),
            );
          if (type !== "Wide")
            expectSame(cols * width, (routines, out) =>
              routines[`normalMatvec${type}`](a, lda, rows, cols, x, ldx, width, t, scratch, out),
            );
        }
        kernels.arena.release(mark);
      });

  it("a row that stands for its neighbours", () => {
    const cols = 3000;
    const a = numbers(cols, false, 1);
    const x = numbers(cols, false, 2);
    expectSame(4, (routines, out) => routines.multiply64(a, 0, 4, cols, x, 8 * cols, 1, out));
  });

  it("has divided them", () => {
    expect(jobs).toBeGreaterThan(50);
  });

  it("leaves no memory taken", () => {
    const mark = kernels.arena.mark();
    const a = numbers(512 * 64, false, 1);
    const x = numbers(64, false, 2);
    const z = numbers(64, false, 3);
    const inside = kernels.arena.mark();
    parallel.normalMatvec64(a, 512, 512, 64, x, 512, 1, z, z, z);
    expect(kernels.arena.mark()).toBe(inside);
    kernels.arena.release(mark);
  });

  if (threads > 1)
    it("a thread that fails is a DeviceError, and the others go on", () => {
      const work = team.teamOf(relaxed);
      const a = numbers(4 * 4096, false, 1);
      const x = numbers(4096, false, 2);
      const y = kernels.arena.take(64 * 2000);
      const output = { pointer: y, bytes: 64 };
      // Beyond the end of memory for every thread but this one.
      const wild: Argument = { origin: "scratch", base: 2 ** 31 };
      const job = (pointer: Argument): Job => ({
        routine: "multiply64",
        args: [pointer, 8 * 4096, 4, 4096, x, 8 * 4096, 1, { origin: "output" }],
        chunks: 2000,
        output,
        scratch: { pointer: a - 2 ** 31, bytes: 0 },
      });
      const thrown = (act: () => void): unknown => {
        try {
          act();
        } catch (error) {
          return error;
        }
        return undefined;
      };
      // Until one of the others has come for a chunk.
      const failed = thrown(() => {
        for (;;) {
          work.run(job(wild), () => {});
          letOthersRun();
        }
      });
      // And for this one.
      const wrong = () => work.run(job(2 ** 32 - 2 ** 16), () => {});
      for (const error of [failed, thrown(wrong)]) {
        if (!(error instanceof DeviceError && error.cause instanceof WebAssembly.RuntimeError))
          return expect.fail(String(error));
        expect(error.message).toMatch(/^threads: multiply64 has failed: .*memory access out of bounds/);
        expect(error.cause.stack).toMatch(/wasm/);
      }
      expectSame(512, (routines, out) => routines.multiply64(x, 64, 512, 8, x, 64, 1, out));
    });
});

/** On a busy machine, workers have the least of what time the process gets. */
function letOthersRun(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.3);
}

it("a thread that is late writes to its own memory only, and joins in again", async () => {
  const workerThreads = process.getBuiltinModule("node:worker_threads");
  const { Worker } = workerThreads;
  const gate = new Int32Array(new SharedArrayBuffer(12));
  const [ENTERED, OPEN, CALLS] = [0, 1, 2];
  // The routines of the worker wait at their beginning until the gate is open.
  const waiting = `const { gate } = require("node:worker_threads").workerData;
    const { Instance } = WebAssembly;
    WebAssembly.Instance = function (...args) {
      const held = (routine) => (...args) => {
        Atomics.store(gate, ${ENTERED}, 1);
        Atomics.wait(gate, ${OPEN}, 0);
        Atomics.add(gate, ${CALLS}, 1);
        return routine(...args);
      };
      const routines = Object.entries(new Instance(...args).exports);
      return { exports: Object.fromEntries(routines.map(([name, routine]) => [name, held(routine)])) };
    };`;
  workerThreads.Worker = class extends Worker {
    constructor(script: string, options: object) {
      super(
        script.replace(/\n/, () => `\n${waiting}\n`),
        { ...options, workerData: { gate } },
      );
    }
  };
  const starting = startTeam(2, 0);
  workerThreads.Worker = Worker;
  const team = await starting;
  const { arena, routines } = team.kernels(false);
  const whole = wasmKernels(false, team.memory).routines;
  const work = team.teamOf(false);
  // Long enough for a worker to come in the middle of a job.
  const [rows, cols] = [20_000, 44];
  const a = arena.take(8 * rows * cols);
  const random = createRandom(3);
  const A = arena.f64(a, rows * cols);
  for (let i = 0; i < A.length; i++) A[i] = random.normal();
  const [t, scratch, z] = [64, 8 * cols, 8 * cols].map((bytes) => arena.take(bytes));
  arena.fill(scratch, 8 * cols);
  const compute = (set: Kernels["routines"]) => {
    arena.fill(z, 8 * cols);
    set.normalMatvec64(a, 8 * cols, rows, cols, a, 0, 1, t, scratch, z);
    return arena.f64(z, cols).slice();
  };
  const expected = compute(whole);
  const expectRight = () => expectSameBits(compute(routines), expected, "late");

  while (Atomics.load(gate, ENTERED) === 0) {
    expectRight();
    letOthersRun();
  }
  expect(work.available()).toBe(false);
  for (let i = 0; i < 20; i++) expectRight();
  expect(Atomics.load(gate, CALLS)).toBe(0);
  // What the main thread has, all of it above the memory of the worker, and all that it will have.
  const used = () => new Uint8Array(team.memory.buffer, a - 128).slice();
  const before = used();
  Atomics.store(gate, OPEN, 1);
  Atomics.notify(gate, OPEN);
  while (!work.available()) Atomics.wait(gate, CALLS, 0, 1);
  expect(Atomics.load(gate, CALLS)).toBe(1);
  expect(Buffer.compare(used(), before)).toBe(0);
  while (Atomics.load(gate, CALLS) < 3) {
    expectRight();
    letOthersRun();
  }
  await team.stop();
});

it("large complex matrices have work for the threads, and the bits of one", async () => {
  const team = await startTeam(2);
  let jobs = 0;
  const counting: Threads = {
    count: 2,
    kernels(relaxed) {
      const { name, routines, slots } = wasmKernels(relaxed, team.memory);
      const work = team.teamOf(relaxed);
      const counted: WorkerTeam = {
        threads: 2,
        available: () => true,
        wake() {},
        run(...job) {
          jobs++;
          work.run(...job);
        },
      };
      return {
        name,
        arena: team.arena,
        team: counted,
        routines: divided(team.arena, routines, slots, counted),
      };
    },
  };
  try {
    for (const [name, A] of COMPLEX_MATRICES) {
      const [m, n] = A.shape;
      const compute = () => [singularTriplet(A), valueAndGrad(A)];
      useThreadPool(undefined);
      const alone = compute();
      useThreadPool(counting);
      jobs = 0;
      expectSameBits(compute(), alone, name);
      if (m * n >= 2 ** 18) expect(jobs, name).toBeGreaterThan(0);
    }
  } finally {
    useThreadPool(undefined);
    await team.stop();
  }
});

const here = process.platform === "linux" ? "" : " (skipped: only on Linux do threads have priorities)";
it.skipIf(process.platform !== "linux")(`the workers alone have the lowest priority${here}`, async () => {
  const { readdirSync, readFileSync } = process.getBuiltinModule("node:fs");
  const { getPriority } = process.getBuiltinModule("node:os");
  const own = getPriority();
  const niceness = () =>
    readdirSync("/proc/self/task").map((id) => {
      // The fields after the name, which is in parentheses: the nineteenth of all is the niceness.
      const fields = readFileSync(`/proc/self/task/${id}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return Number(fields[16]);
    });
  const before = niceness().filter((nice) => nice === 19).length;
  const team = await startTeam(3);
  expect(niceness().filter((nice) => nice === 19).length).toBe(before + 2);
  expect(getPriority()).toBe(own);
  await team.stop();
});
