// What derivatives cost: the TensorFlow.js adapter above the core, against the unrolled iteration at equal gradient
// error, a training step with SpectralNormalization against one without, and a Hessian-vector product against
// value and gradient. Contenders take turns; medians of ratios. `npm run build` first.
import { writeFileSync } from "node:fs";
import os from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import * as tfl from "@tensorflow/tfjs-layers";
import { hessianVectorProduct, kernelInfo, singularTriplet, svdvals, valueAndGrad } from "spectral-norm";
import { SpectralNormalization, spectralNorm, spectralNormUnrolled } from "spectral-norm/tfjs";

const ROUNDS = 31;

/** Normal numbers, the same for the same seed (mulberry32 and Box–Muller). */
function normal(length, seed, Type = Float32Array) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32 + 2 ** -33;
  };
  return Type.from({ length }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

const sorted = (values) => [...values].sort((a, b) => a - b);
const spread = (values) => {
  const s = sorted(values);
  return { median: s[s.length >> 1], min: s[0], max: s[s.length - 1], samples: s.length };
};

/** Milliseconds of each contender, a sample of each a round. */
async function inTurn(contenders, rounds = ROUNDS) {
  const times = contenders.map(() => []);
  for (const run of contenders) for (let i = 0; i < 3; i++) await run();
  for (let round = 0; round < rounds; round++)
    for (const [k, run] of contenders.entries()) {
      const start = performance.now();
      await run();
      times[k].push(performance.now() - start);
    }
  return times;
}

const ratios = (above, below) => spread(above.map((time, i) => time / below[i]));
const results = [];
function report(name, goal, value, unit = "") {
  const met = value.median <= goal.atMost || value.median >= goal.atLeast;
  const aim = goal.atMost === undefined ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
  console.log(
    `${met ? "✓" : "✗"} ${name}: ${value.median.toPrecision(3)}${unit} (${value.min.toPrecision(3)} … ${value.max.toPrecision(3)}), aim ${aim}${unit}`,
  );
  results.push({ name, goal, met, ...value });
}

/** Value and gradient by TensorFlow.js, read within the time but outside of `tidy`, which would search them. */
function readGradient(f, x) {
  let gradient;
  tf.tidy(() => {
    const { value, grad } = f(x);
    value.dataSync();
    gradient = grad.dataSync();
  });
  return gradient;
}

tf.enableProdMode();
await tf.setBackend("wasm");

{
  const [m, n] = [64, 128];
  const data = normal(m * n, 1);
  const x = tf.tensor2d(data, [m, n]);
  const custom = tf.valueAndGrad((a) => spectralNorm(a));
  const unrolled = tf.valueAndGrad((a) =>
    spectralNormUnrolled(a, { rtol: 1e-6, atol: 0, maxIterations: 5000 }),
  );
  const exact = valueAndGrad({ data: Float64Array.from(data), shape: [m, n] }).grad.data;
  const error = (gradient) => Math.hypot(...gradient.map((g, i) => g - exact[i]));
  const [theirs, ours] = [error(readGradient(unrolled, x)), error(readGradient(custom, x))];
  const [adapter, core] = await inTurn(
    [() => readGradient(custom, x), () => valueAndGrad({ data, shape: [m, n] })],
    301,
  );
  report(
    "tf.valueAndGrad(spectralNorm) above the core, 64×128",
    { atMost: 0.3 },
    spread(adapter.map((t, i) => t - core[i])),
    " ms",
  );
  const [slow, fast] = await inTurn([() => readGradient(unrolled, x), () => readGradient(custom, x)], 9);
  const gap = svdvals({ data: Float64Array.from(data), shape: [m, n] });
  report(
    `unrolled (gradient error ${theirs.toExponential(1)}) against custom (${ours.toExponential(1)}), 64×128, relative gap ${(1 - gap[1] / gap[0]).toPrecision(2)}`,
    { atLeast: 300 },
    ratios(slow, fast),
    " times",
  );
  x.dispose();
}

{
  const model = (wrap) => {
    const dense = tfl.layers.dense({ units: 512, inputShape: [512] });
    const layer = wrap
      ? SpectralNormalization({ layer: dense, powerIterations: 1, inputShape: [512] })
      : dense;
    const whole = tfl.sequential({ layers: [layer] });
    whole.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    return whole;
  };
  const [plain, normalized] = [model(false), model(true)];
  const x = tf.tensor2d(normal(256 * 512, 2), [256, 512]);
  const y = tf.tensor2d(normal(256 * 512, 3), [256, 512]);
  const [withNorm, without] = await inTurn([
    () => normalized.trainOnBatch(x, y),
    () => plain.trainOnBatch(x, y),
  ]);
  report(
    "a training step with SpectralNormalization against one without, dense 512×512, batch 256",
    { atMost: 1.3 },
    ratios(withNorm, without),
    " times",
  );
}

for (const Type of [Float32Array, Float64Array]) {
  const n = 512;
  const A = { data: normal(n * n, 4, Type), shape: [n, n] };
  const E = { data: normal(n * n, 5, Type), shape: [n, n] };
  const { gap, sigma } = singularTriplet(A);
  const [hessian, gradient] = await inTurn([() => hessianVectorProduct(A, E), () => valueAndGrad(A)]);
  report(
    `hessianVectorProduct against valueAndGrad, 512², ${Type === Float32Array ? "float32" : "float64"}, relative gap ${(gap / sigma).toPrecision(2)}`,
    { atMost: 3 },
    ratios(hessian, gradient),
    " times",
  );
}

const environment = {
  node: process.version,
  cpu: os.cpus()[0].model,
  cores: os.cpus().length,
  kernels: kernelInfo().name,
  date: new Date().toISOString().slice(0, 10),
};
writeFileSync(
  new URL("derivatives.json", import.meta.url),
  `${JSON.stringify({ environment, results }, null, 2)}\n`,
);
