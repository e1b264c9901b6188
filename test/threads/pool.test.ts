import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import {
  DeviceError,
  kernelInfo,
  OptionError,
  setKernels,
  singularTriplet,
  spectralNorm,
  svdvals as svdvalsAlone,
  UnsupportedError,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { startThreads, svdvals, type ThreadPool } from "../../src/threads/index.js";
import { KERNEL_SETS, skipMissingKernels, WASM_SETS } from "../kernels/sets.js";
import { normalMatrix } from "../matrices.js";
import { expectSameBits } from "./bits.js";
import { BATCH, COMPLEX_BATCH, COMPLEX_MATRICES, MATRICES } from "./cases.js";

const pools: ThreadPool[] = [];
/** One that the test need not stop. */
async function started(count?: number): Promise<ThreadPool> {
  const pool = await startThreads(count);
  pools.push(pool);
  return pool;
}
afterEach(async () => {
  setKernels("auto");
  for (const pool of pools.splice(0)) await pool.stop();
});

skipMissingKernels();
describe.each(WASM_SETS)("$name", ({ name }) => {
  it.each([2, 4])("%i threads give the bits of one", async (count) => {
    setKernels(name);
    const compute = () => [
      ...[...MATRICES, ...COMPLEX_MATRICES].map(([, A]) => [singularTriplet(A), spectralNorm(A)]),
      valueAndGrad(MATRICES.at(-1)![1]),
      valueAndGradBatch(BATCH),
      valueAndGrad(COMPLEX_MATRICES.at(-1)![1]),
      valueAndGradBatch(COMPLEX_BATCH),
      svdvalsAlone(COMPLEX_MATRICES.at(-1)![1]),
    ];
    const alone = compute();
    await started(count);
    expect(kernelInfo()).toMatchObject({ name, threads: count });
    compute().forEach((found, i) => {
      expectSameBits(found, alone[i], [...MATRICES, ...COMPLEX_MATRICES][i]?.[0] ?? "gradients");
    });
  });
});

describe("startThreads", () => {
  it("takes the cores there are", async () => {
    const pool = await started();
    expect(pool.count).toBe(availableParallelism());
    expect(kernelInfo().threads).toBe(pool.count);
    await pool.stop();
    expect(kernelInfo().threads).toBe(1);
  });

  it("starts no more threads than there are cores", async () => {
    const workerThreads = process.getBuiltinModule("node:worker_threads");
    const original = workerThreads.Worker;
    let created = 0;
    workerThreads.Worker = class extends original {
      constructor(...args: ConstructorParameters<typeof original>) {
        super(...args);
        created++;
      }
    };
    const starting = started(64);
    workerThreads.Worker = original;
    const pool = await starting;
    expect(pool.count).toBe(64);
    expect(kernelInfo().threads).toBe(64);
    expect(created).toBe(Math.min(64, availableParallelism()) - 1);
    expect(spectralNorm([[3, 4]])).toBe(5);
  });

  it("with 1 leaves the functions as they are", async () => {
    await started(1);
    expect(kernelInfo().threads).toBe(1);
    expect(await svdvals([[3, 0], [0, 4]])).toEqual(Float64Array.of(4, 3)); // biome-ignore format: a matrix
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 257, "2", null, {}, Symbol("2"), 2n])(
    "refuses %s",
    async (count) => {
      const start = startThreads(count as number);
      await expect(start).rejects.toThrow(OptionError);
      await expect(start).rejects.toThrow(/^count: expected an integer from 1 to 256, got /);
    },
  );

  it("shares the pool that runs, and ends it with its last user", async () => {
    const [first, second] = await Promise.all([startThreads(2), startThreads()]);
    const third = await startThreads(2);
    expect([first.count, second.count, third.count]).toEqual([2, 2, 2]);
    await first.stop();
    await first.stop();
    expect(kernelInfo().threads).toBe(2);
    await third.stop();
    expect(kernelInfo().threads).toBe(2);
    await second.stop();
    expect(kernelInfo().threads).toBe(1);
  });

  it("refuses another count while one runs, and says what to do", async () => {
    await started(2);
    const other = startThreads(3);
    await expect(other).rejects.toThrow(OptionError);
    await expect(other).rejects.toThrow(
      /^count: 3 threads .* while a pool of 2 is running; call its stop\(\)/,
    );
    expect(kernelInfo().threads).toBe(2);
  });

  it("leaves everything as it was if it fails, and works later", async () => {
    const { Memory } = WebAssembly;
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError("out of addresses");
      }
    } as unknown as typeof Memory;
    const outcomes = await Promise.allSettled([startThreads(2), startThreads(2)]);
    WebAssembly.Memory = Memory;
    for (const outcome of outcomes) {
      const { reason } = outcome as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(DeviceError);
      expect(reason.message).toMatch(/out of addresses/);
    }
    expect(kernelInfo().threads).toBe(1);
    expect((await started(2)).count).toBe(2);
    expect(spectralNorm([[3, 4]])).toBe(5);
  });

  it("where WebAssembly may not be compiled, says so", async () => {
    const { validate } = WebAssembly;
    WebAssembly.validate = () => {
      throw new WebAssembly.CompileError("unsafe-eval is blocked");
    };
    const start = startThreads(2).finally(() => {
      WebAssembly.validate = validate;
    });
    await expect(start).rejects.toThrow(UnsupportedError);
    await expect(start).rejects.toThrow(/WebAssembly, which is not available: unsafe-eval is blocked/);
  });

  it("where memory cannot be shared, names the headers; 1 works", async () => {
    const shared = globalThis.SharedArrayBuffer;
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    try {
      const start = startThreads(2);
      await expect(start).rejects.toThrow(UnsupportedError);
      await expect(start).rejects.toThrow(/Cross-Origin-Opener-Policy: same-origin/);
      await expect(start).rejects.toThrow(/Cross-Origin-Embedder-Policy: require-corp/);
      await started(1);
      expect(await svdvals([[3], [4]])).toEqual(Float64Array.of(5));
    } finally {
      globalThis.SharedArrayBuffer = shared;
    }
  });

  it("serves whichever kernels are chosen while it runs", async () => {
    const { data, shape } = normalMatrix(300, 301, 4);
    const values = new Map<string, number>();
    const names = KERNEL_SETS.map(({ name }) => name);
    for (const name of names) {
      setKernels(name);
      values.set(name, spectralNorm({ data, shape }));
    }
    await started(2);
    for (const name of [...names, ...names]) {
      setKernels(name);
      expect(kernelInfo()).toMatchObject({ name, threads: name === "reference" ? 1 : 2 });
      expect(spectralNorm({ data, shape })).toBe(values.get(name));
    }
  });

  it("keeps a computation's memory, whichever kernels an operator chooses in the middle of it", async () => {
    const { data } = normalMatrix(90, 80, 6);
    const product = (x: Float64Array, out: Float64Array, transposed: boolean) => {
      for (let i = 0; i < 90; i++)
        for (let j = 0; j < 80; j++)
          if (transposed) out[j] += data[i * 80 + j] * x[i];
          else out[i] += data[i * 80 + j] * x[j];
    };
    const other = normalMatrix(300, 300, 7);
    const operator = (disturb: () => void) => ({
      shape: [90, 80],
      matvec(x: Float64Array, out: Float64Array) {
        disturb();
        product(x, out, false);
      },
      rmatvec: (y: Float64Array, out: Float64Array) => product(y, out, true),
    });
    setKernels("wasm");
    const calm = singularTriplet(operator(() => {}));
    await started(2);
    const disturbed = singularTriplet(
      operator(() => {
        setKernels("wasm");
        spectralNorm(other, { rtol: 0.1 });
      }),
    );
    expectSameBits(disturbed, calm, "disturbed");
  });

  it("starts and stops 200 times without leaving threads or memory behind", async () => {
    const A = normalMatrix(260, 260, 1);
    const once = async () => {
      const pool = await startThreads(2);
      spectralNorm(A, { rtol: 0.1 });
      await pool.stop();
    };
    for (let i = 0; i < 20; i++) await once();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 180; i++) await once();
    expect(process.getActiveResourcesInfo().filter((name) => /worker|messageport/i.test(name))).toEqual([]);
    // A pool's memory is some 2 MB and a thread's heap as much: 180 of them would be 700 MB. Guarded memory says nothing:
    // all of it is written to, also the addresses that a pool only reserves.
    if (process.env["GUARDED_MEMORY"] !== "yes")
      expect(process.memoryUsage().rss - before).toBeLessThan(250e6);
  });
});

const dist = (path: string) => JSON.stringify(fileURLToPath(new URL(`../../dist/${path}`, import.meta.url)));
const PROGRAM = `
  const { spectralNorm, kernelInfo } = await import(${dist("index.js")});
  const threads = await import(${dist("threads/index.js")});
  const n = 400;
  const A = { data: Float64Array.from({ length: n * n }, (_, k) => Math.sin(k * k)), shape: [n, n] };
`;

/** Runs a program in a process of its own; one that hangs fails the test. */
function run(
  program: string,
  ...flags: string[]
): Promise<{ code: number | null; printed: string; complained: string }> {
  const child = spawn(process.execPath, [...flags, "--input-type=module", "--eval", `${PROGRAM}${program}`], {
    timeout: 240_000,
  });
  let printed = "";
  let complained = "";
  child.stdout.on("data", (text) => {
    printed += text;
  });
  child.stderr.on("data", (text) => {
    complained += text;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, printed: printed.trim(), complained }));
  });
}

describe("a process", () => {
  it.each([
    ["ends though nobody stops the pool", `await threads.startThreads(2); console.log(spectralNorm(A) > 0);`],
    [
      "ends though nobody stops it, asynchronous functions too",
      `await threads.startThreads(2); console.log(await threads.spectralNorm(A) > 0);`,
    ],
    [
      "goes on to the end if it awaits nothing but the pool",
      `const pool = await threads.startThreads(3); await pool.stop(); console.log(true);`,
    ],
    [
      "stays for an answer that nothing else waits for",
      `await threads.startThreads(2); threads.spectralNorm(A).then((x) => console.log(x === spectralNorm(A)));`,
    ],
    [
      "ends after many answers and an error",
      `const pool = await threads.startThreads(2);
       const all = await Promise.allSettled([A, [[1]], [], A].map((B) => threads.valueAndGrad(B)));
       await pool.stop();
       console.log(all.map(({ status }) => status).join() === "fulfilled,fulfilled,rejected,fulfilled");`,
    ],
    [
      "has threads where its own modules are preloaded",
      `await threads.startThreads(2); console.log(kernelInfo().threads === 2);`,
      "--import",
      "data:text/javascript,import{isMainThread}from'node:worker_threads';if(!isMainThread)throw new Error('no')",
    ],
  ])("%s", async (_, program, ...flags) => {
    expect(await run(program, ...flags)).toEqual({ code: 0, printed: "true", complained: "" });
  });

  it("without WebAssembly has no threads, and is told why", async () => {
    const program = `await threads.startThreads(2).catch(({ code, message }) => console.log(code, message));
      console.log(spectralNorm([[3, 4]]), kernelInfo().threads);`;
    const { code, printed } = await run(program, "--jitless");
    expect(code).toBe(0);
    expect(printed).toMatch(/^ERR_UNSUPPORTED startThreads: .*WebAssembly.*\n5 1$/);
  });
});

it("two of the user's own threads have a pool each, of different size, at the same time", async () => {
  const program = (count: number) => `
    const { parentPort } = require("node:worker_threads");
    (async () => {
      ${PROGRAM}
      const alone = spectralNorm(A);
      const pool = await threads.startThreads(${count});
      const same = [];
      for (let i = 0; i < 20; i++) same.push(spectralNorm(A) === alone, await threads.spectralNorm(A) === alone);
      parentPort.postMessage({ count: kernelInfo().threads, same: same.every(Boolean) });
      await pool.stop();
    })();`;
  const results = await Promise.all(
    [2, 3].map((count) => {
      const worker = new Worker(program(count), { eval: true });
      return new Promise((resolve, reject) => {
        worker.once("message", (message) => worker.once("exit", (code) => resolve({ ...message, code })));
        worker.once("error", reject);
      });
    }),
  );
  expect(results).toEqual([2, 3].map((count) => ({ count, same: true, code: 0 })));
});
