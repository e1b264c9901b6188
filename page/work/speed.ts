import type { ComparedMethod, DenseEntries, Evaluation } from "../../src/experiment/method.js";
import { coreMethods } from "../../src/experiment/methods/core.js";
import type { SpeedRow } from "../../src/experiment/result.js";
import { measureSpeed } from "../../src/experiment/speed.js";
import { kernelInfo, matrix, valueAndGrad } from "../../src/index.js";
import { messageOf } from "../../src/matrix/error-message.js";
import { type Engine, methodsOf } from "./engines.js";
import type { Task } from "./task.js";
import { answered, loadWebGpu, type WebGpu, webgpuState } from "./webgpu.js";

export interface SpeedInput {
  readonly rows: number;
  readonly cols: number;
  readonly engines: readonly Engine[];
}

export interface Speed {
  readonly speed: readonly SpeedRow[];
  readonly timing: { readonly runs: number; readonly loops: number; readonly budgetMs: number };
  /** notes on rows, and on rows that are missing */
  readonly remarks: readonly string[];
}

const timing = { runs: 7, loops: 10, budgetMs: 700 };
/** Above this order, complete decompositions take too long for a page. */
const mostForDense = 256;
const mostForPower = 512;

/** Times of every method in this browser; threads and the GPU last, because they would disturb the others. */
export const speed: Task<SpeedInput, Speed, Speed> = async (
  { rows, cols, engines },
  { progress, update },
) => {
  const remarks: string[] = [];
  const found: SpeedRow[] = [];
  const measure = async (methods: readonly ComparedMethod[]) => {
    found.push(...(await measureSpeed(methods, { rows, cols, seed: 0, ...timing, onSample: progress })));
    // Rows of the same engine belong together.
    const place = ({ engine, dtype }: SpeedRow) =>
      found.findIndex((row) => row.engine === engine && row.dtype === dtype);
    found.sort((a, b) => place(a) - place(b));
    update({ speed: found, timing, remarks });
  };

  const alone = coreMethods().methods.filter(({ name }) => worthwhile(name, Math.min(rows, cols)));
  for (const engine of engines) {
    progress(`loading ${engine}`, 0, 1);
    const { methods, missing: without } = await methodsOf(engine, rows, cols);
    alone.push(...methods);
    if (without !== undefined) remarks.push(without);
  }
  await measure(alone);
  remarks.push(...(await withThreads(measure)));
  remarks.push(...(await withGpu(measure)));
  return { speed: found, timing, remarks };
};

function worthwhile(name: string, order: number): boolean {
  if (name === "lanczos") return true;
  if (name === "power") return order <= mostForPower;
  return name === "norm" && order <= mostForDense;
}

type Measure = (methods: readonly ComparedMethod[]) => Promise<void>;

/** @returns a note: why it could not be done, if it could not */
async function withThreads(measure: Measure): Promise<string[]> {
  const without = "threads: not available";
  if (kernelInfo().name === "reference") return [`${without}: they need WebAssembly`];
  if (globalThis.crossOriginIsolated !== true)
    return [
      `${without}: this page came without the headers that make it cross-origin isolated, so memory cannot be shared`,
    ];
  if (navigator.hardwareConcurrency === 1) return [`${without}: there is one core`];
  // Not all of spectral-norm/threads: the script of its asynchronous functions has 60 KB.
  const { startPool } = await import("../../src/threads/pool.js");
  try {
    const pool = await startPool();
    try {
      const named = `${pool.count} threads`;
      await measure((["float64", "float32"] as const).map((dtype) => onThreads(named, dtype)));
      return [
        `${named}: lanczos once more, its products with the matrix divided among ${pool.count} threads`,
      ];
    } finally {
      await pool.stop();
    }
  } catch (error) {
    return [`${without}: ${messageOf(error)}`];
  }
}

/** In a worker, the ordinary functions use the threads. */
function onThreads(name: string, dtype: ComparedMethod["dtype"]): ComparedMethod {
  return asynchronous("core", name, dtype, async (A) => valueAndGrad(A, { method: "lanczos" }));
}

/** @returns likewise */
async function withGpu(measure: Measure): Promise<string[]> {
  const without = "WebGPU: not available";
  const reason = await webgpuState();
  if (reason !== undefined) return [`${without}: ${reason}`];
  try {
    const gpu: WebGpu = await loadWebGpu();
    await measure([asynchronous("webgpu", "lanczos", "float32", (A) => answered(gpu.valueAndGrad(A)))]);
  } catch (error) {
    return [`${without}: ${messageOf(error)}`];
  }
  return [];
}

function asynchronous(
  engine: string,
  name: string,
  dtype: ComparedMethod["dtype"],
  run: (A: ReturnType<typeof matrix>) => Promise<{ value: number; grad: { data: ArrayLike<number> } }>,
): ComparedMethod {
  const load = ({ data, rows, cols }: DenseEntries) =>
    matrix(dtype === "float32" ? Float32Array.from(data) : data, [rows, cols]);
  const evaluate = async (A: ReturnType<typeof matrix>): Promise<Evaluation> => {
    const { value, grad } = await run(A);
    return { value, gradient: grad.data };
  };
  return {
    name,
    engine,
    dtype,
    runs: `valueAndGrad, ${name}`,
    evaluate: (entries) => evaluate(load(entries)),
    async time(matrices) {
      const loaded = matrices.map(load);
      const begin = performance.now();
      for (const one of loaded) await evaluate(one);
      return (performance.now() - begin) / matrices.length;
    },
  };
}
