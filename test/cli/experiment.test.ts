import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ExperimentResult } from "../../src/experiment/result.js";
import { command, runCommand, runScript } from "./run-command.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spectral-norm-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quick = ["experiment", "--runs", "2", "--loops", "1"];

function json(...argv: string[]): ExperimentResult {
  const { status, stdout, stderr } = runCommand(...quick, "--json", ...argv);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout.indexOf("\n")).toBe(stdout.length - 1);
  return JSON.parse(stdout);
}

const finite = (value: unknown) => typeof value === "number" && Number.isFinite(value);

function checkRows({ certificate, accuracy, speed, secondDerivative }: ExperimentResult): void {
  for (const { name, engine, dtype, tied, ...finding } of secondDerivative) {
    expect([name, engine].every((text) => text.length > 0)).toBe(true);
    expect(dtype).toMatch(/^float(32|64)$/);
    for (const { error, verdict } of [finding, tied]) {
      expect(["right", "silently wrong", "none", "NaN"]).toContain(verdict);
      expect([name, error === null]).toEqual([name, verdict === "none" || verdict === "NaN"]);
      expect(error === null || finite(error)).toBe(true);
    }
  }
  for (const { lower, upper, sigma2Upper, gradientErrorBound, proven } of Object.values(certificate)) {
    expect([lower, upper, sigma2Upper, gradientErrorBound].every(finite)).toBe(true);
    expect([proven, lower <= upper]).toEqual([true, true]);
  }
  for (const { name, dtype, sigma, outsideInterval } of accuracy) {
    const { lower, upper } = certificate[dtype];
    const expected = sigma < lower ? sigma - lower : sigma > upper ? sigma - upper : 0;
    expect([name, outsideInterval]).toEqual([name, expected]);
  }
  for (const { name, engine, dtype, forwardError, backwardError, gradientError } of accuracy) {
    expect([name, engine].every((text) => text.length > 0)).toBe(true);
    expect(dtype).toMatch(/^float(32|64)$/);
    expect([name, [forwardError, backwardError, gradientError].every(finite)]).toEqual([name, true]);
  }
  for (const { name, engine, dtype, medianMs, minMs, maxMs, samples } of speed) {
    expect([name, engine].every((text) => text.length > 0)).toBe(true);
    expect(dtype).toMatch(/^float(32|64)$/);
    expect([medianMs, minMs, maxMs, samples].every(finite)).toBe(true);
    expect(minMs <= medianMs && medianMs <= maxMs && samples >= 1).toBe(true);
  }
}

describe("--json", () => {
  const result = json("--rows", "20", "--cols", "30", "--seed", "5");

  it("says where and on what", () => {
    const { environment, truth } = result;
    expect(environment.node).toBe(process.version);
    expect(environment.platform).toContain(process.platform);
    expect(environment.cores).toBeGreaterThan(0);
    expect(environment.kernels).toMatch(/wasm|reference/);
    expect(environment.versions["ml-matrix"]).toMatch(/^\d/);
    expect(truth).toMatchObject({ rows: 20, cols: 30, seed: 5 });
    expect(truth.sigma.length).toBe(20);
    expect(truth.sigma).toEqual([...truth.sigma].sort((a, b) => b - a));
    expect(truth.sigma.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
  });

  it("has every method once in each table, all numbers finite", () => {
    const names = (rows: readonly { name: string; engine: string; dtype: string }[]) =>
      rows.map(({ name, engine, dtype }) => `${engine} ${name} ${dtype}`);
    const core = ["matrixNorm", "norm", "svdvals", "power", "lanczos"];
    const tfjs = ["matrixNorm", "norm", "svdvals", "unrolled", "spectralNorm"];
    const expected = [
      ...core.map((name) => `core ${name} float64`),
      ...core.map((name) => `core ${name} float32`),
      ...tfjs.map((name) => `tfjs-wasm ${name} float32`),
      ...["float64", "float32"].flatMap((dtype) =>
        ["svdvals", "spectralNorm"].map((name) => `jax-wasm ${name} ${dtype}`),
      ),
      "ml-matrix SVD float64",
    ];
    expect(names(result.accuracy)).toEqual(expected);
    expect(names(result.speed)).toEqual(expected);
    checkRows(result);
  });

  it("has errors as small as each method's precision", () => {
    const error = (name: string, dtype: string) =>
      result.accuracy.find((row) => row.engine === "core" && row.name === name && row.dtype === dtype)
        ?.gradientError;
    for (const name of ["matrixNorm", "norm", "svdvals", "lanczos"]) {
      expect([name, error(name, "float64")! < 1e-12]).toEqual([name, true]);
      expect([name, error(name, "float32")! < 1e-5]).toEqual([name, true]);
    }
    for (const { engine, dtype, gradientError } of result.accuracy.filter(
      ({ engine }) => engine === "jax-wasm",
    ))
      expect([engine, dtype, gradientError < (dtype === "float64" ? 1e-12 : 1e-5)]).toEqual([
        engine,
        dtype,
        true,
      ]);
    for (const row of result.accuracy) expect([row.name, row.gradientError < 1]).toEqual([row.name, true]);
  });

  it("proves an interval that holds the truth and the value of every dense method in float64", () => {
    const { float64, float32 } = result.certificate;
    const [first, second] = result.truth.sigma;
    // X differs from U·diag(σ)·Vᵀ by rounding: ‖δX‖_F ≤ k·ε·‖X‖_F or so, k the number of terms summed.
    const rounded = 20 * 2 ** -52 * first;
    expect(float64.lower - rounded).toBeLessThan(first);
    expect(float64.upper + rounded).toBeGreaterThan(first);
    expect((float64.upper - float64.lower) / first).toBeLessThan(1e-11);
    expect(float64.sigma2Upper + rounded).toBeGreaterThan(second);
    // What rounding to float32 moves: ‖δX‖_F ≤ 2⁻²⁴‖X‖_F.
    expect(Math.abs(float32.upper - first)).toBeLessThan(2 ** -24 * Math.hypot(...result.truth.sigma));
    for (const { name, engine, dtype, outsideInterval } of result.accuracy)
      if (dtype === "float64" && name !== "power")
        expect([engine, name, outsideInterval]).toEqual([engine, name, 0]);
  });

  it("has the second derivative of each method that has one, right where lower singular values tie too", () => {
    const { error, tiedError } = result.secondDerivativeReference;
    expect(error).toBeLessThan(1e-9);
    expect(tiedError).toBeLessThan(1e-10);
    const bounds: Record<string, number> = { float64: 1e-9, float32: 1e-3 };
    const right = result.secondDerivative.filter(({ verdict }) => verdict === "right");
    expect(right.map(({ engine, name, dtype }) => `${engine} ${name} ${dtype}`)).toEqual([
      "core hessianVectorProduct float64",
      "core hessianVectorProduct float32",
      ...["matrixNorm", "norm", "svdvals", "unrolled", "spectralNorm"].map(
        (name) => `tfjs-wasm ${name} float32`,
      ),
      "jax-wasm spectralNorm float64",
      "jax-wasm spectralNorm float32",
    ]);
    for (const { name, dtype, error, tied } of right) {
      expect(tied.verdict).toBe("right");
      // The unrolled one is as far off as the notebook's stopping rule leaves it.
      const bound = name === "unrolled" ? 0.1 : bounds[dtype];
      expect([name, dtype, (error ?? 1) < bound, (tied.error ?? 1) < bound]).toEqual([
        name,
        dtype,
        true,
        true,
      ]);
    }
    for (const { name, verdict, note } of result.secondDerivative.filter((row) => !right.includes(row)))
      expect([name, verdict, (note ?? "").length > 10]).toEqual([name, "none", true]);
  });

  it("repeats its errors with the same seed", () => {
    const errors = ({ accuracy }: ExperimentResult) =>
      accuracy.filter(({ engine }) => engine !== "tfjs-wasm");
    const again = json("--rows", "20", "--cols", "30", "--seed", "5");
    expect(errors(again)).toEqual(errors(result));
    expect(again.truth).toEqual(result.truth);
    expect(again.secondDerivative).toEqual(result.secondDerivative);
    expect(again.convergence).toEqual(result.convergence);
  });

  it.each([
    ["1", "1"],
    ["1", "7"],
    ["7", "1"],
    ["2", "2"],
  ])("works for %s×%s", (rows, cols) => {
    checkRows(json("--rows", rows, "--cols", cols));
  });
});

it("runs where no peer is installed, and says how to get their rows", () => {
  const alone = join(folder, "alone");
  cpSync(dirname(dirname(command)), join(alone, "dist"), { recursive: true });
  writeFileSync(join(alone, "package.json"), '{ "type": "module" }');
  const script = join(alone, "dist", "cli", "spectral-norm.js");
  const { status, stdout, stderr } = runScript(script, ...quick, "--rows", "4", "--cols", "6");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).not.toMatch(/(tfjs|jax)-(wasm|cpu) /);
  expect(stdout).toMatch(/^Not here: TensorFlow\.js: npm install [^\n]+$/m);
  expect(stdout).toMatch(/^Not here: jax-js: npm install [^\n]+$/m);
  expect(stdout).toMatch(/^Not here: PyTorch: --python [^\n]+$/m);
  expect(stdout).toMatch(/lanczos +core +float64/);
});

describe("--report", () => {
  it("writes a page, and the tables still come", () => {
    const file = join(folder, "report.html");
    const { status, stdout, stderr } = runCommand(...quick, "--rows", "5", "--cols", "8", "--report", file);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain(`Report: ${file}`);
    expect(stdout).toContain("PyTorch: --python");
    const page = readFileSync(file, "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page.match(/<figure /g)?.length).toBe(6);
    expect(page.match(/NaN|undefined|unbundled/)?.[0]).toBeUndefined();
  });

  it("works for a single row, where there is no gap", () => {
    const file = join(folder, "row.html");
    expect(runCommand(...quick, "--rows", "1", "--cols", "3", "--report", file).status).toBe(0);
    expect(readFileSync(file, "utf8").match(/NaN|Infinity|undefined/)?.[0]).toBeUndefined();
  });

  it.each([
    ["missing/report.html", "no such folder"],
    ["folder", "it is a folder"],
  ])("that cannot be written, %s, costs one line and no work", (name, why) => {
    mkdirSync(join(folder, "folder"), { recursive: true });
    const file = join(folder, name);
    const { status, stdout, stderr } = runCommand("experiment", "--report", file);
    expect(stderr).toBe(`spectral-norm: ${file}: cannot be written (${why})\n`);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  it("is not left behind empty when the experiment fails", () => {
    const file = join(folder, "never.html");
    expect(runCommand("experiment", "--report", file, "--python", join(folder, "none")).status).toBe(2);
    expect(existsSync(file)).toBe(false);
  });
});

describe("--python", () => {
  function pretend(name: string, script: string): string {
    const file = join(folder, name);
    writeFileSync(file, script);
    chmodSync(file, 0o755);
    return file;
  }

  it("names a Python that cannot be run, in one line", () => {
    const file = join(folder, "no-python");
    const { status, stdout, stderr } = runCommand(...quick, "--python", file);
    expect(stderr).toMatch(new RegExp(`^spectral-norm: ${file}: cannot be run as Python[^\\n]*\n$`));
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  it("names a program that is no Python", () => {
    const file = pretend("babble", "#!/bin/sh\necho hello\n");
    const { status, stderr } = runCommand(...quick, "--python", file);
    expect(stderr).toMatch(/^spectral-norm: [^\n]*babble: cannot be run as Python[^\n]*\n$/);
    expect(status).toBe(2);
  });

  it("does not wait for one that never stops talking", () => {
    const file = pretend("yes", "#!/bin/sh\nexec yes\n");
    expect(runCommand(...quick, "--python", file).status).toBe(2);
  });

  it("goes on without one that has no torch, and says so", () => {
    const file = pretend(
      "torchless",
      `#!/bin/sh\necho '{"error": "ModuleNotFoundError: No module named torch"}'\n`,
    );
    const { accuracy, missing } = json("--rows", "3", "--cols", "4", "--python", file);
    expect(accuracy.some(({ engine }) => engine === "pytorch")).toBe(false);
    expect(missing.join()).toContain("No module named torch");
  });

  it("adds the notebook's five, float64 for the errors and float32 for the times", () => {
    const file = pretend(
      "python",
      `#!/usr/bin/env node
console.log(JSON.stringify({ torch: "9.9", python: "3.99", threads: 4, compiled: true }));
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { do: what, method, rows, cols } = JSON.parse(line);
  const zeros = Buffer.alloc(8 * rows * cols);
  const gradient = zeros.toString("base64");
  const nan = Buffer.from(new Float64Array(rows * cols).fill(NaN).buffer).toString("base64");
  const second = {
    norm: { hessian: nan },
    svdvals: { hessian: gradient },
    spectral_norm: { alone: "RuntimeError: lost" },
    SpectralNorm: { hessian: gradient, alone: "RuntimeError: not here" },
  };
  const answers = { evaluate: { value: 0, gradient }, time: { ms: 1.5 }, second: second[method] ?? { hessian: gradient } };
  console.log(JSON.stringify(answers[what]));
});
`,
    );
    const { accuracy, speed, secondDerivative, environment, missing, truth } = json(
      "--rows",
      "3",
      "--cols",
      "4",
      "--python",
      file,
    );
    const names = ["norm", "matrix_norm", "svdvals", "spectral_norm", "SpectralNorm"];
    const errors = accuracy.filter(({ engine }) => engine === "pytorch");
    const times = speed.filter(({ engine }) => engine === "pytorch");
    expect(errors.map(({ name, dtype }) => [name, dtype])).toEqual(names.map((name) => [name, "float64"]));
    expect(times.map(({ name, dtype }) => [name, dtype])).toEqual(names.map((name) => [name, "float32"]));
    for (const { forwardError, gradientError } of errors) {
      expect(forwardError).toBe(truth.sigma[0]);
      expect(gradientError).toBeCloseTo(1, 12);
    }
    expect(times.every(({ medianMs }) => medianMs === 1.5)).toBe(true);
    const second = secondDerivative.filter(({ engine }) => engine === "pytorch");
    expect(second.map(({ name, dtype }) => [name, dtype])).toEqual(names.map((name) => [name, "float64"]));
    expect(second.map(({ verdict, error }) => [verdict, error])).toEqual([
      ["NaN", null],
      ["silently wrong", 1],
      ["silently wrong", 1],
      ["none", null],
      ["silently wrong", 1],
    ]);
    expect(second[3].note).toBe("throws: RuntimeError: lost");
    expect(second[4].note).toMatch(/^alone it throws: RuntimeError: not here; /);
    expect(environment.versions["torch"]).toBe("9.9 (4 threads)");
    expect(missing).toEqual([]);
  });
});
