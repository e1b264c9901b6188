import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Kernels } from "../../src/kernels/contract.js";
import { divided } from "../../src/kernels/parallel.js";
import { wasmKernels } from "../../src/kernels/wasm/instance.js";
import type { WorkerTeam } from "../../src/kernels/worker-team.js";
import { DeviceError } from "../../src/matrix/errors.js";
import { createRandom } from "../../src/numerics/random.js";
import { type RunningTeam, startTeam } from "../../src/threads/start-team.js";
import { skipMissingKernels, WASM_SETS } from "../kernels/sets.js";
import { expectSameBits } from "./bits.js";

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
    kernels = made;
    const work = team.teamOf(relaxed);
    const counted: WorkerTeam = {
      threads,
      run(...job) {
        jobs++;
        work.run(...job);
      },
    };
    parallel = divided(made.arena, made.routines, slots, counted, 0);
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
        for (const width of [1, 2]) {
          const x = numbers(2 * cols, vectors, 2);
          const ldx = cols * (vectors ? 4 : 8);
          const y = numbers(rows * width, false, 3);
          const t = kernels.arena.take(64);
          const scratch = kernels.arena.take(width * cols * 8);
          kernels.arena.fill(scratch, width * cols * 8);
          if (type !== "32")
            expectSame(rows * width, (routines, out) =>
              routines[`multiply${type}`](a, lda, rows, cols, x, ldx, width, out),
            );
          if (type !== "32")
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
    expect(jobs).toBeGreaterThan(100);
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
      const y = kernels.arena.take(64);
      // Beyond the end of memory for every thread but this one; until one has come for a chunk.
      const job = () =>
        work.run("multiply64", [{ base: a, thread: 2 ** 31 }, 8 * 4096, 4, 4096, x, 8 * 4096, 1, y], 2000);
      const thrown = (act: () => void): unknown => {
        try {
          act();
        } catch (error) {
          return error;
        }
        return undefined;
      };
      const failed = thrown(() => {
        for (let i = 0; i < 1000; i++) job();
      });
      // And for this one.
      const wrong = () => work.run("multiply64", [2 ** 32 - 2 ** 16, 32, 4, 4, x, 32, 1, y], 1);
      for (const error of [failed, thrown(wrong)]) {
        if (!(error instanceof DeviceError && error.cause instanceof WebAssembly.RuntimeError))
          return expect.fail(String(error));
        expect(error.message).toMatch(/^threads: multiply64 has failed: .*memory access out of bounds/);
        expect(error.cause.stack).toMatch(/wasm/);
      }
      expectSame(512, (routines, out) => routines.multiply64(x, 64, 512, 8, x, 64, 1, out));
    });
});

it("memory that a stuck thread may write to is not handed out again", async () => {
  const workerThreads = process.getBuiltinModule("node:worker_threads");
  const { Worker } = workerThreads;
  // Its routines never return.
  const stuck = `const { Instance } = WebAssembly;
    WebAssembly.Instance = function (...args) {
      const never = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      const names = Object.keys(new Instance(...args).exports);
      return { exports: Object.fromEntries(names.map((name) => [name, never])) };
    };`;
  workerThreads.Worker = class extends Worker {
    constructor(script: string, options: object) {
      super(
        script.replace(/\n/, () => `\n${stuck}\n`),
        options,
      );
    }
  };
  const starting = startTeam(2, 0, 50);
  workerThreads.Worker = Worker;
  const team = await starting;
  const { arena } = team.kernels(false);
  const a = arena.take(32 * 4);
  const job = () => team.teamOf(false).run("multiply64", [a, 0, 4, 4, a, 0, 1, a], 2000);
  const refusal =
    /^threads: a thread has not finished its part of multiply64; stop the pool and start another$/;
  // Until the worker has come for a chunk.
  expect(() => {
    for (let i = 0; i < 1000; i++) job();
  }).toThrow(refusal);
  expect(job).toThrow(refusal);
  expect(() => arena.take(8)).toThrow(DeviceError);
  expect(() => arena.take(8)).toThrow(refusal);
  await team.stop();
});
