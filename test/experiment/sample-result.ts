import type { ExperimentResult, Finding, SecondDerivativeRow } from "../../src/experiment/result.js";

/** A small result, made up, with everything in it that a report can meet: an exact zero, a cut sample, a gap. */
export const sampleResult: ExperimentResult = {
  environment: {
    node: "v20.0.0",
    platform: "linux x64",
    cpu: 'A <b>"CPU"</b> & more',
    cores: 2,
    kernels: "wasm",
    versions: { "spectral-norm": "0.1.0", "ml-matrix": "6.15.1" },
    date: "2025-01-02T03:04:05.678Z",
  },
  truth: {
    rows: 3,
    cols: 5,
    seed: 7,
    sigma: [0.6, 0.3, 0.1],
    float32Floor: { forwardError: 1e-9, backwardError: 1e-8, gradientError: 3e-8 },
  },
  certificate: {
    float64: {
      lower: 0.6 - 1e-14,
      upper: 0.6 + 1e-14,
      sigma2Upper: 0.3 + 1e-8,
      gradientErrorBound: 5e-15,
      proven: true,
    },
    float32: {
      lower: 0.6 - 2e-9,
      upper: 0.6 + 2e-9,
      sigma2Upper: 0.3 + 1e-8,
      gradientErrorBound: 8e-8,
      proven: true,
    },
  },
  accuracy: [
    row("matrixNorm", "core", "float64", 0, 2e-16, 8e-16),
    row("power", "core", "float64", 1e-8, 2e-5, 2e-3, -1e-8),
    row("lanczos", "core", "float64", 1e-17, 2e-16, 9e-16),
    row("lanczos", "core", "float32", 1e-9, 1e-8, 4e-8),
    row("unrolled", "tfjs-wasm", "float32", 1e-7, 1e-4, 4e-3, 1.25e-7),
    row("SVD", "ml-matrix", "float64", 1e-16, 2e-16, 3e-15),
  ],
  speed: [
    { name: "lanczos", engine: "core", dtype: "float32", ...sampled([0.06, 0.05, 0.3], 10) },
    { name: "unrolled", engine: "tfjs-wasm", dtype: "float32", ...sampled([900, 950, 920], 1) },
    { name: "SVD", engine: "ml-matrix", dtype: "float64", ...sampled([18, 19, 17], 10) },
  ],
  secondDerivative: [
    second("hessianVectorProduct", "core", "float64", found(2e-13), found(0)),
    second("power", "core", "float64", none("numbers <only>"), none("numbers <only>")),
    second("unrolled", "tfjs-wasm", "float32", found(4e-5), found(1.2)),
    second("svdvals", "jax-wasm", "float32", none("throws: once"), none("throws: once")),
    second("norm", "pytorch", "float64", found(1e-13), { error: null, verdict: "NaN" }),
    second(
      "SpectralNorm",
      "pytorch",
      "float64",
      { ...found(1), note: "alone it throws" },
      { ...found(1), note: "alone it throws" },
    ),
  ],
  secondDerivativeReference: { error: 8e-13, tiedError: 2e-13 },
  convergence: {
    power: [1, 2, 5, 10, 40].map((passes) => ({
      passes,
      gradientError: 0.5 ** passes,
      sigmaError: 0.3 ** passes,
    })),
    lanczos: [1, 2, 5, 8].map((passes) => ({
      passes,
      gradientError: 0.01 ** passes,
      sigmaError: 0.01 ** passes,
    })),
    notebookStop: { passes: 10, gradientError: 0.5 ** 10, sigmaError: 0.3 ** 10 },
  },
  timing: { runs: 3, loops: 10, budgetMs: 4000 },
  missing: ["PyTorch: <how> to get it"],
};

function row(
  name: string,
  engine: string,
  dtype: "float32" | "float64",
  forwardError: number,
  backwardError: number,
  gradientError: number,
  outsideInterval = 0,
) {
  const errors = { forwardError, backwardError, gradientError };
  const sigma = 0.6 + outsideInterval;
  return { name, engine, dtype, ...errors, sigma, outsideInterval, runs: `${name}(A) & u·vᵀ` };
}

function second(
  name: string,
  engine: string,
  dtype: "float32" | "float64",
  finding: Finding,
  tied: Finding,
): SecondDerivativeRow {
  return { name, engine, dtype, ...finding, tied, runs: `${name} twice` };
}

function found(error: number): Finding {
  return { error, verdict: error > 0.1 ? "silently wrong" : "right" };
}

function none(note: string): Finding {
  return { error: null, verdict: "none", note };
}

function sampled(samplesMs: number[], loops: number) {
  const sorted = [...samplesMs].sort((a, b) => a - b);
  return {
    samplesMs,
    loops,
    samples: sorted.length,
    minMs: sorted[0],
    medianMs: sorted[1],
    maxMs: sorted[2],
  };
}
