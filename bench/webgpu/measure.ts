// What spectral-norm/webgpu takes on this machine's device; bench/webgpu.mjs builds it and starts it.
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import Table from "cli-table3";
import { createRandom } from "../../src/numerics/random.js";
import { takeTurns } from "../clock.js";
import { commandLine } from "../command-line.js";
import { importCore } from "../contenders/core.js";
import { checkResult, writeResult } from "../output.js";
import { duration } from "../terminal.js";
import { errorsOf, truthOf } from "../truth.js";
import { bandwidthOf } from "./memory.js";
import { torchOnCuda } from "./torch.js";

type WebGpu = typeof import("../../src/webgpu/index.js");

/** Of a run that finds no adapter: bench/webgpu.mjs then comes again with one that computes on the processor. */
const NO_ADAPTER = 3;

// Compiled, it lies in bench/dist/webgpu.
const bench = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");
const given = commandLine({
  sizes: { type: "string" },
  rounds: { type: "string", default: "7" },
  budget: { type: "string", default: "10" },
  python: { type: "string", default: process.env["PYTHON"] ?? "python3" },
  dist: { type: "string", default: join(bench, "..", "dist") },
  seed: { type: "string", default: "1" },
  out: { type: "string" },
});
if (given.out !== undefined) checkResult(given.out);
const rounds = Number(given.rounds);
const budgetMs = 1000 * Number(given.budget);

const { create } = createRequire(import.meta.url)("webgpu") as { create(flags: string[]): GPU };
// Collected, it would take the process with it.
const gpu = create([]);
Object.assign(globalThis, { gpu });
const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
if (!adapter) process.exit(NO_ADAPTER);
const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
const device = await adapter.requestDevice({
  requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
});
const { vendor, architecture, description } = adapter.info;
const onProcessor = /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`);
const sizes = (
  given.sizes ?? (onProcessor ? "64x128,256x256,512x512" : "512x512,1024x1024,2048x2048,4096x4096,8192x8192")
)
  .split(",")
  .map((size) => size.split("x").map(Number) as [number, number]);

const load = loadavg()[0];
const core = await importCore(given.dist);
const { spectralNorm, singularTriplet, valueAndGrad }: WebGpu = await import(
  pathToFileURL(join(given.dist, "webgpu", "index.js")).href
);
const largest = Math.min(maxStorageBufferBindingSize, onProcessor ? 2 ** 26 : 2 ** 30);
const bandwidth = await bandwidthOf(device, largest);
console.log(
  `${vendor} ${architecture} ${description}: reads ${bandwidth.read.toFixed(1)} GB/s, copies at ${bandwidth.copy.toFixed(1)} GB/s (read and written), ${bandwidth.bytes / 2 ** 20} MiB`,
);

interface Row {
  readonly name: string;
  readonly ms: {
    readonly median: number;
    readonly min: number;
    readonly max: number;
    readonly samples: number;
  };
  /** reads of A, each of all its bytes */
  readonly passes?: number;
  /** the time by that of reading as many bytes at the bandwidth measured */
  readonly overLimit?: number;
  readonly sigmaError: number;
  readonly residual?: number;
  readonly gradientError?: number;
}

const summary = (samples: readonly number[]) => {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    median: sorted[sorted.length >> 1],
    min: sorted[0],
    max: sorted[sorted.length - 1],
    samples: sorted.length,
  };
};

const missing = new Set<string>();
const versions: Record<string, string> = {};
const cases = [];
for (const [rows, cols] of sizes) {
  const shape: [number, number] = [rows, cols];
  const random = createRandom(Number(given.seed) * 2 ** 20);
  const data = Float32Array.from({ length: rows * cols }, () => random.normal());
  const workload = {
    case: {
      id: `${rows}×${cols} float32 gaussian`,
      rows,
      cols,
      batch: 1,
      dtype: "float32",
      stored: "float32",
      spectrum: "gaussian",
    },
    data,
    at: () => data,
  } as const;
  const truth = truthOf(core, workload, 0);
  const buffer = device.createBuffer({ size: 4 * data.length, usage: 0x80 | 0x8 | 0x4 });
  device.queue.writeBuffer(buffer, 0, data);
  const A = { buffer, shape };

  const timed = (call: () => Promise<unknown>) => ({
    name: "",
    loaded: {
      async time(loops: number) {
        const begin = performance.now();
        for (let i = 0; i < loops; i++) await call();
        return performance.now() - begin;
      },
      answer: () => ({ sigmas: [] }),
    },
  });
  const calls = {
    spectralNorm: () => spectralNorm(A, { device }),
    "singularTriplet, vectors to the host": () => singularTriplet(A, { device, output: "host" }),
    "valueAndGrad, gradient on the device": async () =>
      (await valueAndGrad(A, { device })).grad.buffer.destroy(),
    "singularTriplet of a matrix on the host": () => singularTriplet({ data, shape }, { device }),
    "spectral-norm, this thread: singularTriplet": async () => core.singularTriplet({ data, shape }),
  };
  const times = await takeTurns(
    Object.entries(calls).map(([name, call]) => ({ ...timed(call), name })),
    { rounds, budgetMs, sampleMs: 20, warmUpMs: 300 },
  );

  // Outside of the time: how wrong they are, and how often they read A.
  const t = await singularTriplet(A, { device, output: "host" });
  const h = await singularTriplet({ data, shape }, { device });
  const c = core.singularTriplet({ data, shape });
  const { value, grad } = await valueAndGrad(A, { device, output: "host" });
  const norm = await spectralNorm(A, { device });
  const answers = {
    spectralNorm: { sigmas: [norm] },
    "singularTriplet, vectors to the host": { sigmas: [t.sigma], u: t.u, v: t.v, passes: t.passes },
    "valueAndGrad, gradient on the device": { sigmas: [value], gradients: grad.data, passes: t.passes },
    "singularTriplet of a matrix on the host": { sigmas: [h.sigma], u: h.u, v: h.v, passes: h.passes },
    "spectral-norm, this thread: singularTriplet": { sigmas: [c.sigma], u: c.u, v: c.v },
  };
  const found: Row[] = Object.entries(answers).map(([name, answer]) => {
    const { median, min, max, samples } = times.get(name)!;
    const passes = "passes" in answer ? answer.passes : undefined;
    return {
      name,
      ms: { median, min, max, samples: samples.filter((sample) => sample !== null).length },
      passes,
      overLimit: passes && (median * bandwidth.read * 1e6) / (passes * data.byteLength),
      ...errorsOf(answer, workload, [truth]),
    };
  });

  const torch = torchOnCuda(
    given.python,
    join(bench, "python", "cuda.py"),
    { data, shape },
    rounds,
    budgetMs / 1000,
  );
  if ("missing" in torch) missing.add(`PyTorch on CUDA: ${torch.missing}`);
  else {
    Object.assign(versions, torch.versions);
    for (const { name, sigma, steps, ms } of torch.rows)
      found.push({
        name: `${name} (${torch.device})`,
        ms: summary(ms),
        ...(steps && { passes: 2 * steps + 1 }),
        sigmaError: Math.abs(sigma - truth.sigma) / truth.sigma,
      });
  }
  const table = new Table({
    head: ["", "median", "min", "n", "σ error", "residual", "gradient error", "reads of A", "time ÷ limit"],
    style: { head: [], border: [] },
  });
  const tiny = (x: number | undefined) => (x === undefined ? "" : x.toExponential(1));
  for (const { name, ms, sigmaError, residual, gradientError, passes, overLimit } of found)
    table.push([
      name,
      duration(ms.median),
      duration(ms.min),
      String(ms.samples),
      tiny(sigmaError),
      tiny(residual),
      tiny(gradientError),
      passes === undefined ? "" : String(passes),
      overLimit === undefined ? "" : overLimit.toPrecision(3),
    ]);
  console.log(`\n${workload.case.id}, relative gap ${truth.gap.toExponential(1)}\n${table}`);
  cases.push({
    id: workload.case.id,
    rows,
    cols,
    bytes: data.byteLength,
    truth: { sigma: truth.sigma, relativeGap: truth.gap, residual: truth.residual },
    results: found,
  });
  buffer.destroy();
}

const result = {
  date: new Date().toISOString(),
  adapter: { vendor, architecture, description, onProcessor },
  machine: { cpu: cpus()[0].model, cores: cpus().length, load: [load, loadavg()[0]] },
  node: process.version,
  versions,
  settings: { rounds, budget: Number(given.budget), seed: Number(given.seed) },
  bandwidth,
  missing: [...missing],
  cases,
};
for (const line of missing) console.log(`Left out: ${line}`);
const name = `${vendor}-${architecture}`.replace(/[^a-z0-9-]+/gi, "-");
const out = given.out ?? join(bench, "results", "webgpu", `${name}.json`);
writeResult(out, `${JSON.stringify(result, null, 1)}\n`);
console.log(`Written to ${out}`);
device.destroy();
