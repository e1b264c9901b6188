import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from "vitest";
import * as core from "../../src/index.js";
import * as threads from "../../src/threads/index.js";
import { normalMatrix } from "../matrices.js";
import { expectSameBits } from "./bits.js";
import { BATCH, COMPLEX_BATCH, COMPLEX_MATRICES, MATRICES } from "./cases.js";

/** Where threads come from, which a test can stand in front of. */
const workerThreads = process.getBuiltinModule("node:worker_threads");

let pool: threads.ThreadPool;
beforeAll(async () => {
  pool = await threads.startThreads(2);
});
afterAll(() => pool.stop());

const A = normalMatrix(140, 120, 3);
const E = { data: Float32Array.from(normalMatrix(140, 120, 4).data), shape: [140, 120] };
const sparse = core.csr({
  // An entry given twice, and empty rows and columns.
  data: Float32Array.from([3, 4, 5, 1]),
  indices: [0, 2, 7, 7],
  indptr: [0, 1, 2, 2, 4],
  shape: [4, 9],
});
/** Too few steps for anything. */
const early = { maxIterations: 2 };
const rows = Array.from({ length: 30 }, (_, i) => Array.from({ length: 20 }, (_, j) => Math.sin(i * j)));

it("gives the bits of the function of the same name", async () => {
  const triplet = core.singularTriplet(A);
  const start = new Float64Array(3 * 120).map((_, k) => Math.cos(k)).subarray(120, 240);
  const calls: [string, unknown, Promise<unknown>][] = [
    ...MATRICES.map(
      ([name, B]) =>
        [name, core.singularTriplet(B), threads.singularTriplet(B)] as [string, unknown, Promise<unknown>],
    ),
    ["spectralNorm", core.spectralNorm(A, { start }), threads.spectralNorm(A, { start })],
    ["valueAndGrad", core.valueAndGrad(A, { rtol: 1e-3 }), threads.valueAndGrad(A, { rtol: 1e-3 })],
    ["an unfinished gradient", core.valueAndGrad(A, early), threads.valueAndGrad(A, early)],
    ["unfinished gradients", core.valueAndGradBatch(BATCH, early), threads.valueAndGradBatch(BATCH, early)],
    ["triplets", core.singularTriplets(A, { k: 7 }), threads.singularTriplets(A, { k: 7 })],
    [
      "the largest triplets",
      core.singularTriplets(A, { k: 2, which: "largest" }),
      threads.singularTriplets(A, { k: 2, which: "largest" }),
    ],
    ["rows", core.valueAndGrad(rows), threads.valueAndGrad(rows)],
    ["sparse", core.valueAndGrad(sparse), threads.valueAndGrad(sparse)],
    ["hessian", core.hessianVectorProduct(A, E), threads.hessianVectorProduct(A, E)],
    [
      "hessian of a triplet",
      core.hessianVectorProduct(A, E, { triplet }),
      threads.hessianVectorProduct(A, E, { triplet }),
    ],
    [
      "vjp",
      core.tripletVjp(A, triplet, { sigma: 2, v: start }),
      threads.tripletVjp(A, triplet, { sigma: 2, v: start }),
    ],
    ["batch", core.spectralNormBatch(BATCH), threads.spectralNormBatch(BATCH)],
    ["batch gradients", core.valueAndGradBatch(BATCH), threads.valueAndGradBatch(BATCH)],
    ["nested batch", core.spectralNormBatch([rows, rows]), threads.spectralNormBatch([rows, rows])],
    ...(["float32", "float64"] as const).map((dtype) => {
      const data = dtype === "float32" ? new Float32Array() : new Float64Array();
      const none = { data, shape: [0, 3, 4] };
      return [`none of ${dtype}`, core.valueAndGradBatch(none), threads.valueAndGradBatch(none)] as [
        string,
        unknown,
        Promise<unknown>,
      ];
    }),
    ["svdvals", core.svdvals(A), threads.svdvals(A)],
    ["Ky Fan", core.kyFanNorm(A, 3, { rtol: 1e-4 }), threads.kyFanNorm(A, 3, { rtol: 1e-4 })],
    ["Schatten", core.schattenNorm(A, 3), threads.schattenNorm(A, 3)],
    ["cond", core.cond(A), threads.cond(A)],
    ...([2, -2, "fro", "nuc", 1, -1, Number.POSITIVE_INFINITY] as const).map(
      (ord) =>
        [`norm ${ord}`, core.matrixNorm(sparse, ord), threads.matrixNorm(sparse, ord)] as [
          string,
          unknown,
          Promise<unknown>,
        ],
    ),
    [
      "big integers",
      core.svdvals({ data: BigInt64Array.of(3n, 0n, 0n, 4n), shape: [2, 2] } as never),
      threads.svdvals({ data: BigInt64Array.of(3n, 0n, 0n, 4n), shape: [2, 2] } as never),
    ],
  ];
  for (const [name, expected, found] of calls) expectSameBits(await found, expected, name);
});

it("gives the bits of the function of the same name for complex matrices", async () => {
  const [m, n] = [140, 120];
  const C = { data: normalMatrix(m, 2 * n, 3).data, shape: [m, n], dtype: "complex128" };
  const D = { data: Float32Array.from(normalMatrix(m, 2 * n, 4).data), shape: [m, n], dtype: "complex64" };
  const nested = Array.from({ length: 30 }, (_, i) =>
    Array.from({ length: 20 }, (_, j) => ({ re: Math.sin(i * j), im: Math.cos(i + j) })),
  );
  // Copied in slices; some entries are plain numbers.
  const many = Array.from({ length: 600 }, (_, i) =>
    Array.from({ length: 500 }, (_, j) => (j % 7 === 0 ? i : { re: i - j, im: Math.sin(i * j) })),
  );
  const entries = core.csr({
    data: Float32Array.from([3, 1, 4, -2, 5, 0, 1, 1]),
    dtype: "complex64",
    indices: [0, 2, 7, 7],
    indptr: [0, 1, 2, 2, 4],
    shape: [4, 9],
  });
  const triplet = core.singularTriplet(C);
  const nestedBatch = [nested, nested];
  const calls: [string, unknown, Promise<unknown>][] = [
    ...COMPLEX_MATRICES.map(([name, B]): [string, unknown, Promise<unknown>] => [
      name,
      core.singularTriplet(B),
      threads.singularTriplet(B),
    ]),
    [
      "spectralNorm",
      core.spectralNorm(C, { start: triplet.v }),
      threads.spectralNorm(C, { start: triplet.v }),
    ],
    ["valueAndGrad", core.valueAndGrad(D), threads.valueAndGrad(D)],
    ["an unfinished gradient", core.valueAndGrad(C, early), threads.valueAndGrad(C, early)],
    ["triplets", core.singularTriplets(C, { k: 3 }), threads.singularTriplets(C, { k: 3 })],
    ["rows", core.valueAndGrad(nested), threads.valueAndGrad(nested)],
    ["many rows", core.matrixNorm(many, "fro"), threads.matrixNorm(many, "fro")],
    ["sparse", core.singularTriplet(entries), threads.singularTriplet(entries)],
    ["hessian", core.hessianVectorProduct(C, D), threads.hessianVectorProduct(C, D)],
    ["hessian, real direction", core.hessianVectorProduct(C, A), threads.hessianVectorProduct(C, A)],
    ["hessian of a real matrix", core.hessianVectorProduct(A, C), threads.hessianVectorProduct(A, C)],
    ["vjp", core.tripletVjp(C, triplet, { sigma: 2 }), threads.tripletVjp(C, triplet, { sigma: 2 })],
    ["batch", core.spectralNormBatch(COMPLEX_BATCH), threads.spectralNormBatch(COMPLEX_BATCH)],
    ["batch gradients", core.valueAndGradBatch(COMPLEX_BATCH), threads.valueAndGradBatch(COMPLEX_BATCH)],
    ["nested batch", core.valueAndGradBatch(nestedBatch), threads.valueAndGradBatch(nestedBatch)],
    ["svdvals", core.svdvals(C), threads.svdvals(C)],
    ["Ky Fan", core.kyFanNorm(C, 3), threads.kyFanNorm(C, 3)],
    ["Schatten", core.schattenNorm(C, 3), threads.schattenNorm(C, 3)],
    ["cond", core.cond(C), threads.cond(C)],
    ["certify", core.certify(D), threads.certify(D)],
    ["certify, sparse", core.certify(entries), threads.certify(entries)],
    ...([2, -2, "fro", "nuc", 1, -1, Number.POSITIVE_INFINITY] as const).map(
      (ord): [string, unknown, Promise<unknown>] => [
        `norm ${ord}`,
        core.matrixNorm(entries, ord),
        threads.matrixNorm(entries, ord),
      ],
    ),
  ];
  for (const [name, expected, found] of calls) expectSameBits(await found, expected, name);
});

it("refuses complex matrices as the function of the same name does, and operators", async () => {
  const matvec = () => {};
  const operator = {
    shape: [2, 2],
    matvec,
    rmatvec: matvec,
    dtype: "complex128",
  } as unknown as core.MatrixLike;
  await expect(threads.spectralNorm(operator)).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
    message: expect.stringMatching(/an operator's functions cannot be sent .* call spectralNorm/),
  });
  const panels = { shape: [2, 2], dtype: "complex128", rows: () => new Float64Array(8) };
  await expect(threads.valueAndGrad(panels as unknown as core.MatrixLike)).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
  });
  const bad: [string, unknown][] = [
    ["odd", { data: new Float64Array(7), shape: [2, 2], dtype: "complex128" }],
    ["short", { data: new Float64Array(6), shape: [2, 2], dtype: "complex128" }],
    ["another type", { data: new Float32Array(8), shape: [2, 2], dtype: "complex128" }],
    ["big-endian", { data: new Float64Array(8), shape: [2, 2], dtype: ">c16" }],
    ["NaN", { data: Float64Array.of(0, 0, 0, Number.NaN), shape: [1, 2], dtype: "complex128" }],
    ["ragged", [[{ re: 1, im: 2 }], []]],
    ["text", [[{ re: 1, im: "2" }]]],
    [
      "large, with a text",
      Array.from({ length: 600 }, (_, i) => new Array(500).fill({ re: 1, im: i === 599 ? "x" : 1 })),
    ],
    [
      "large and ragged",
      Array.from({ length: 600 }, (_, i) => new Array(i === 9 ? 3 : 500).fill({ re: 1, im: 1 })),
    ],
    ["a batch", { data: new Float64Array(8), shape: [1, 2, 2], dtype: "complex128" }],
  ];
  for (const [name, C] of bad) {
    let expected: unknown;
    try {
      core.spectralNorm(C as core.MatrixLike);
    } catch (error) {
      expected = error;
    }
    const { code, message } = expected as core.SpectralNormError;
    await expect(threads.spectralNorm(C as core.MatrixLike), name).rejects.toMatchObject({ code, message });
  }
});

it("computes with the kernels that are chosen when it is called", async () => {
  core.setKernels("reference");
  const B = normalMatrix(30, 70, 2);
  const reference = core.singularTriplet(B);
  const first = threads.singularTriplet(B);
  core.setKernels("wasm");
  const second = threads.singularTriplet(B);
  expectSameBits(await first, reference, "reference");
  expectSameBits(await second, core.singularTriplet(B), "wasm");
  core.setKernels("auto");
});

it("answers in the order of the calls, large and small", async () => {
  const order: number[] = [];
  const large = normalMatrix(1100, 1000, 1);
  const nested = Array.from({ length: 1100 }, (_, i) => [...large.data.subarray(1000 * i, 1000 * (i + 1))]);
  const options = { rtol: 0.1 };
  const expected = core.spectralNorm(large, options);
  const norms = await Promise.all(
    [large, [[3, 4]], nested, { data: Array.from({ length: 6 }, () => 1), shape: [2, 3] }].map(
      async (B, i) => {
        const norm = await threads.spectralNorm(B as core.MatrixLike, options);
        order.push(i);
        return norm;
      },
    ),
  );
  expect(order).toEqual([0, 1, 2, 3]);
  expect(norms).toEqual([expected, 5, expected, core.spectralNorm([[1, 1, 1], [1, 1, 1]])]); // biome-ignore format: matrices
});

it("has copied a small matrix when it returns, and leaves the caller's memory alone", async () => {
  const data = Float64Array.of(3, 0, 0, 4);
  const start = Float64Array.of(1, 0);
  const norm = threads.spectralNorm({ data, shape: [2, 2] }, { start });
  data.fill(7);
  start.fill(0);
  expect(await norm).toBe(4);
  expect([...data]).toEqual([7, 7, 7, 7]);
});

it("lets other things have their turn while it copies", async () => {
  let turns = 0;
  let done = false;
  const turn = () => {
    turns++;
    if (!done) setTimeout(turn);
  };
  setTimeout(turn);
  // Each slice of the copy takes ten seconds by this clock, however fast the machine is.
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => {
    now += 10_000;
    return now;
  });
  await threads.matrixNorm({ data: new Float64Array(2 ** 24), shape: [2 ** 12, 2 ** 12] }, 2);
  clock.mockRestore();
  done = true;
  expect(turns).toBeGreaterThan(3);
});

describe("errors", () => {
  const odd = { data: Float64Array.of(1, 2, Number.NaN, 4), shape: [2, 2] };
  const operator = { shape: [2, 2], matvec: () => {}, rmatvec: () => {} };
  it.each([
    ["NaN", () => core.spectralNorm(odd), () => threads.spectralNorm(odd)],
    ["empty", () => core.valueAndGrad([]), () => threads.valueAndGrad([])],
    ["ragged", () => core.valueAndGrad([[1], []]), () => threads.valueAndGrad([[1], []])],
    [
      "too short",
      () => core.cond({ data: new Float32Array(3), shape: [2, 2] }),
      () => threads.cond({ data: new Float32Array(3), shape: [2, 2] }),
    ],
    [
      "an option",
      () => core.spectralNorm(A, { tol: 1 } as never),
      () => threads.spectralNorm(A, { tol: 1 } as never),
    ],
    [
      "an option of a pull-back",
      () => core.tripletVjp(A, core.singularTriplet(A), {}, { tol: 1 } as never),
      () => threads.tripletVjp(A, core.singularTriplet(A), {}, { tol: 1 } as never),
    ],
    ["ord", () => core.matrixNorm(A, 3 as never), () => threads.matrixNorm(A, 3 as never)],
    ["options of svdvals", () => core.svdvals(A, {} as never), () => threads.svdvals(A, {} as never)],
    ["options of cond", () => core.cond(A, 1 as never), () => threads.cond(A, 1 as never)],
    [
      "options of matrixNorm",
      () => (core.matrixNorm as (...args: unknown[]) => number)(A, 1, { axes: [1, 0] }),
      () => threads.matrixNorm(A, 1, { axes: [1, 0] } as never),
    ],
    [
      "options of schattenNorm",
      () => core.schattenNorm(A, 3, {} as never),
      () => threads.schattenNorm(A, 3, {} as never),
    ],
    [
      "other triplets",
      () => core.singularTriplets(A, { k: 1, which: "smallest" as never }),
      () => threads.singularTriplets(A, { k: 1, which: "smallest" as never }),
    ],
    [
      "a sparse matrix with other entries",
      () => core.spectralNorm({ ...sparse, data: sparse.data.map((x) => 10 * x) }),
      () => threads.spectralNorm({ ...sparse, data: sparse.data.map((x) => 10 * x) }),
    ],
    [
      "tied",
      () =>
        core.hessianVectorProduct(
          [
            [0, 1],
            [1, 0],
          ],
          [
            [1, 0],
            [0, 1],
          ],
        ),
      () =>
        threads.hessianVectorProduct(
          [
            [0, 1],
            [1, 0],
          ],
          [
            [1, 0],
            [0, 1],
          ],
        ),
    ],
    [
      "overflow",
      () => core.spectralNorm([[1.7e308, 1.7e308]]),
      () => threads.spectralNorm([[1.7e308, 1.7e308]]),
    ],
    [
      "a batch",
      () => core.spectralNormBatch([[[1]], [[Number.NaN]]]),
      () => threads.spectralNormBatch([[[1]], [[Number.NaN]]]),
    ],
    ["an iteration cut short", () => core.spectralNorm(A, early), () => threads.spectralNorm(A, early)],
    [
      "an iteration cut short in a batch",
      () => core.spectralNormBatch(BATCH, early),
      () => threads.spectralNormBatch(BATCH, early),
    ],
    ["triplets cut short", () => core.kyFanNorm(A, 3, early), () => threads.kyFanNorm(A, 3, early)],
    [
      "derivatives of an unfinished triplet",
      () => core.hessianVectorProduct(A, E, early),
      () => threads.hessianVectorProduct(A, E, early),
    ],
    ...(
      [
        ["an unfinished triplet", core.singularTriplet(A, early)],
        ["another matrix's triplet", core.singularTriplet(E)],
      ] as const
    ).flatMap(([name, triplet]): [string, () => unknown, () => unknown][] => [
      [
        `vjp of ${name}`,
        () => core.tripletVjp(A, triplet, { v: triplet.v }),
        () => threads.tripletVjp(A, triplet, { v: triplet.v }),
      ],
      [
        `hessian of ${name}`,
        () => core.hessianVectorProduct(A, E, { triplet }),
        () => threads.hessianVectorProduct(A, E, { triplet }),
      ],
    ]),
  ])("%s: of the same class, with the same words and fields", async (_, sync, async) => {
    let expected: unknown;
    try {
      sync();
    } catch (error) {
      expected = error;
    }
    const found = await (async() as Promise<unknown>).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(expected instanceof core.SpectralNormError && found instanceof core.SpectralNormError))
      expect.fail(`${String(expected)} against ${String(found)}`);
    expect(found.constructor).toBe(expected.constructor);
    expect({ ...found, message: found.message }).toEqual({ ...expected, message: expected.message });
  });

  it("that the caller has no part in keep their cause and both stacks", async () => {
    const calling = () => threads.spectralNorm([[1, 2], [3, Number.MAX_VALUE], [4, Number.MAX_VALUE]]); // biome-ignore format: a matrix
    const found = await calling().catch((error: Error) => error);
    if (!(found instanceof core.OverflowError)) return expect.fail(String(found));
    const [here, there] = found.stack!.split("in another thread:");
    expect(here).toMatch(/^OverflowError: .*\n/);
    expect(here).toMatch(/at calling .*async-api\.test\.ts/);
    expect(there).toMatch(/^\n +at /);
  });

  it("says what to call for an operator, and what cannot be handed over", async () => {
    const norm = threads.spectralNorm(operator as never);
    await expect(norm).rejects.toThrow(core.UnsupportedError);
    await expect(norm).rejects.toThrow(/call spectralNorm of spectral-norm itself/);
    const gradient = threads.valueAndGrad(operator as never);
    await expect(gradient).rejects.toThrow(/call singularTriplet of spectral-norm itself/);
    const strange = threads.tripletVjp(A, core.singularTriplet(A), { u: () => {} } as never);
    await expect(strange).rejects.toThrow(core.UnsupportedError);
    const symbol = threads.matrixNorm(A, Symbol("two") as never);
    await expect(symbol).rejects.toThrow(core.UnsupportedError);
    for (const refused of [strange, symbol])
      expect(await refused.catch(({ cause }) => cause.name)).toBe("DataCloneError");
  });
});

it("rejects what is pending when the pool stops, and everything after", async () => {
  await pool.stop();
  await expect(threads.cond(A)).rejects.toThrow(core.UnsupportedError);
  await expect(threads.cond(A)).rejects.toThrow(/^cond: no threads are running; await startThreads\(\)/);
  const starting = threads.startThreads(2);
  const early = threads.cond([[2]]);
  pool = await starting;
  expect(await early).toBe(1);
  const large = normalMatrix(1100, 1000, 1);
  const pending = [threads.svdvals(large), threads.cond([[1]]), threads.svdvals(large)].map((one) =>
    one.catch((error: unknown) => error),
  );
  await pool.stop();
  for (const error of await Promise.all(pending)) expect(error).toBeInstanceOf(core.DeviceError);
  pool = await threads.startThreads(2);
  expect(await threads.cond([[1]])).toBe(1);
});

it("a thread that dies rejects what is pending, and another takes its place", async () => {
  await pool.stop();
  const made: Worker[] = [];
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      made.push(this);
    }
  };
  try {
    pool = await threads.startThreads(2);
    const large = normalMatrix(1100, 1000, 1);
    expect(await threads.cond([[1]])).toBe(1);
    const pending = [threads.svdvals(large), threads.cond([[1]])].map((one) => one.catch((e: unknown) => e));
    // A worker of this thread's team, then the one that answers.
    expect(made.length).toBe(2);
    await made[1].terminate();
    for (const error of await Promise.all(pending)) expect(error).toBeInstanceOf(core.DeviceError);
    expect(await threads.cond([[1]])).toBe(1);
    expect(made.length).toBe(3);
    // Without its only worker the main thread does all the work.
    await made[0].terminate();
    const B = normalMatrix(300, 400, 1);
    expect(core.spectralNorm(B)).toBe(await threads.spectralNorm(B));
  } finally {
    workerThreads.Worker = Worker;
  }
});

describe("a thread that fails", () => {
  /** The pools that `use` starts have threads whose scripts begin with `first`. */
  async function withScripts(first: string, use: () => Promise<void>): Promise<void> {
    await pool.stop();
    const { Worker } = workerThreads;
    workerThreads.Worker = class extends Worker {
      constructor(script: string, options: object) {
        super(
          script.replace(/\n/, () => `\n${first};\n`),
          options,
        );
      }
    };
    try {
      await use();
    } finally {
      workerThreads.Worker = Worker;
    }
    pool = await threads.startThreads(2);
    expect(await threads.cond([[1]])).toBe(1);
  }
  const refusal = async (promise: Promise<unknown>) => {
    const error: unknown = await promise.catch((thrown) => thrown);
    return error instanceof core.DeviceError ? error : expect.fail(String(error));
  };

  it.each([
    ["an error", "throw new RangeError('no stack to be had')", "no stack to be had"],
    ["nothing", "throw null", "null"],
    ["what is no error", "throw { status: 5 }", "[object Object]"],
  ])("at its start, with %s: a DeviceError that keeps it, and the next may start", async (_, first, why) => {
    await withScripts(first, async () => {
      const starting = threads.startThreads(2);
      // A call that counts on it is told, too.
      const early: unknown = await threads.cond([[1]]).catch((error) => error);
      const error = await refusal(starting);
      expect(error.message).toContain(`thread 1 of 1 did not start: ${why}`);
      expect(early).toBeInstanceOf(core.UnsupportedError);
      expect((early as Error).cause).toBe(error);
      const alone = await threads.startThreads(1);
      const pending = await refusal(threads.cond([[1]]));
      expect(pending.message).toBe(`threads: the computing thread has failed: ${why}`);
      await alone.stop();
      for (const { cause } of [error, pending])
        if (why === "null") expect(cause).toBe(null);
        else if (why.startsWith("[")) expect(cause).toEqual({ status: 5 });
        else {
          expect(cause).toBeInstanceOf(RangeError);
          expect((cause as Error).message).toBe(why);
          expect((cause as Error).stack).toMatch(/\n +at .*:\d+:\d+/);
        }
    });
  });

  it("when it gets its first message: the same", async () => {
    const first =
      "WebAssembly.Instance = class { constructor() { throw new WebAssembly.LinkError('no import') } }";
    await withScripts(first, async () => {
      const { message, cause } = await refusal(threads.startThreads(2));
      expect(message).toContain("did not start: no import");
      expect(cause).toBeInstanceOf(WebAssembly.LinkError);
    });
  });

  it("in the middle of an answer: the same, for every call that waits", async () => {
    // Neither an answer nor an error can be sent.
    const first = `const { postMessage } = nodePort;
      nodePort.postMessage = (message, transfer) => {
        if (message.id !== undefined) throw new TypeError("gone");
        postMessage.call(nodePort, message, transfer);
      };`;
    await withScripts(first, async () => {
      const alone = await threads.startThreads(1);
      for (const one of [threads.svdvals(A), threads.cond(A)].map(refusal)) {
        const { message, cause } = await one;
        expect(message).toBe("threads: the computing thread has failed: gone");
        expect(cause).toBeInstanceOf(TypeError);
      }
      await alone.stop();
    });
  });
});

it("is typed as the function of the same name is, in a promise", () => {
  const single = { data: new Float32Array(1), shape: [1, 1] };
  type Of<T> = Promise<T>;
  const types = () => {
    expectTypeOf(threads.spectralNorm(single)).toEqualTypeOf<Of<number>>();
    expectTypeOf(threads.valueAndGrad(single)).toEqualTypeOf<
      Of<core.ValueAndGrad<Float32Array<ArrayBuffer>>>
    >();
    expectTypeOf(threads.valueAndGrad(rows)).toEqualTypeOf<Of<core.ValueAndGrad<Float64Array>>>();
    const triplet = core.singularTriplet(single);
    expectTypeOf(threads.singularTriplet(single)).toEqualTypeOf<Of<typeof triplet>>();
    const matrix = core.hessianVectorProduct(single, rows);
    expectTypeOf(threads.hessianVectorProduct(single, rows)).toEqualTypeOf<Of<typeof matrix>>();
    expectTypeOf(threads.tripletVjp(single, triplet, {})).toEqualTypeOf<Of<typeof matrix>>();
    const batch = core.valueAndGradBatch(BATCH);
    expectTypeOf(threads.valueAndGradBatch(BATCH)).toEqualTypeOf<Of<typeof batch>>();
    expectTypeOf(threads.svdvals(rows)).toEqualTypeOf<Of<Float64Array>>();
  };
  expect(types).toBeTypeOf("function");
});
