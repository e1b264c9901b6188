import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { kernelInfo, setKernels, singularTriplet, spectralNorm } from "../../src/index.js";
import { relaxedAvailable } from "../../src/kernels/wasm/instance.js";
import { gradientDistance, normalMatrix } from "../matrices.js";
import { expectRefusal } from "../refusal.js";
import { RELAXED_SIMD_FLAGS } from "./relaxed-simd.js";
import { KERNEL_SETS, skipMissingKernels } from "./sets.js";

type Name = Parameters<typeof setKernels>[0];

afterEach(() => setKernels("auto"));

describe("setKernels and kernelInfo", () => {
  skipMissingKernels();

  it("take the best there is, unless told otherwise", () => {
    expect(kernelInfo()).toEqual({ name: relaxedAvailable() ? "wasm-relaxed" : "wasm", threads: 1 });
    setKernels("wasm");
    expect(kernelInfo()).toEqual({ name: "wasm", threads: 1 });
    setKernels("reference");
    expect(kernelInfo()).toEqual({ name: "reference", threads: 1, reason: "chosen by setKernels" });
    setKernels("auto");
    expect(kernelInfo().name).toMatch(/^wasm/);
  });

  it("give the same answer whichever they are", () => {
    const A = normalMatrix(80, 70, 3);
    const first = singularTriplet(A);
    for (const { name } of KERNEL_SETS) {
      setKernels(name);
      const t = singularTriplet(A);
      expect(Math.abs(t.sigma / first.sigma - 1), name).toBeLessThan(1e-14);
      expect(gradientDistance(t, first), name).toBeLessThan(t.gradientError + first.gradientError);
    }
  });

  it("refuse another name, and stay as they were", () => {
    setKernels("reference");
    for (const name of ["simd", "", undefined, null, 3, 1n, {}, Symbol("wasm")])
      expectRefusal(() => setKernels(name as Name), "ERR_OPTION", "kernels", '"auto"', '"wasm-relaxed"');
    expect(kernelInfo()).toEqual({ name: "reference", threads: 1, reason: "chosen by setKernels" });
    expect(spectralNorm([[3, 4]])).toBe(5);
  });

  it("refuse what this engine lacks, and stay as they were, with the reason", () => {
    setKernels("reference");
    const { Memory } = WebAssembly;
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError("out of memory");
      }
    } as unknown as typeof Memory;
    try {
      expectRefusal(() => setKernels("wasm"), "ERR_OPTION", '"wasm"', "not available", "out of memory");
    } finally {
      WebAssembly.Memory = Memory;
    }
    expect(kernelInfo()).toEqual({ name: "reference", threads: 1, reason: "chosen by setKernels" });
  });

  const complete = relaxedAvailable();
  const why = complete ? " (skipped: this engine has relaxed SIMD)" : "";
  it.skipIf(complete)(`refuse wasm-relaxed where there is no relaxed SIMD${why}`, () => {
    setKernels("reference");
    expectRefusal(() => setKernels("wasm-relaxed"), "ERR_OPTION", '"wasm-relaxed"', "not available");
    expect(kernelInfo()).toEqual({ name: "reference", threads: 1, reason: "chosen by setKernels" });
  });
});

describe("in another process", () => {
  const folder = mkdtempSync(join(tmpdir(), "kernels-"));
  const script = join(folder, "report.mjs");
  beforeAll(async () => {
    await build({
      entryPoints: [fileURLToPath(new URL("../../src/index.ts", import.meta.url))],
      outfile: join(folder, "core.mjs"),
      bundle: true,
      format: "esm",
      platform: "neutral",
    });
    writeFileSync(
      script,
      `globalThis.before?.();
      const core = await import("./core.mjs");
      const data = Float64Array.from({ length: 80 * 70 }, (_, k) => Math.sin(k * k));
      const { sigma, converged } = core.singularTriplet({ data, shape: [80, 70] });
      const chosen = core.kernelInfo();
      let refused = null;
      try { core.setKernels("wasm"); } catch (error) { refused = error.code; }
      console.log(JSON.stringify({ ...chosen, sigma, converged, refused }));`,
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const report = (...flags: string[]) => {
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, script], { encoding: "utf8" });
    if (stdout === "") expect.fail(stderr);
    return JSON.parse(stdout);
  };
  const data = Float64Array.from({ length: 80 * 70 }, (_, k) => Math.sin(k * k));
  const sigma = () => spectralNorm({ data, shape: [80, 70] });

  it("without WebAssembly (--jitless) the reference serves, and says why", () => {
    const found = report("--jitless");
    expect(found).toMatchObject({ name: "reference", converged: true, refused: "ERR_OPTION" });
    expect(found.reason).toMatch(/WebAssembly is not available/);
    expect(Math.abs(found.sigma / sigma() - 1)).toBeLessThan(1e-14);
  });

  it("where compiling is forbidden, too", () => {
    const preload = join(folder, "forbid.mjs");
    writeFileSync(
      preload,
      `WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError("unsafe-eval is blocked"); } };`,
    );
    const found = report("--import", preload);
    expect(found).toMatchObject({ name: "reference", converged: true, refused: "ERR_OPTION" });
    expect(found.reason).toMatch(/WebAssembly is not available: unsafe-eval is blocked/);
  });

  it("importing does nothing: no module is compiled, no memory taken", () => {
    const idle = join(folder, "idle.mjs");
    writeFileSync(
      idle,
      `let touched = 0;
      for (const name of ["Module", "Instance", "Memory", "validate", "compile", "instantiate"]) {
        const original = WebAssembly[name];
        WebAssembly[name] = new Proxy(original, {
          apply: (...all) => (touched++, Reflect.apply(...all)),
          construct: (...all) => (touched++, Reflect.construct(...all)),
        });
      }
      const core = await import("./core.mjs");
      const idle = touched;
      core.spectralNorm([[3, 4]]);
      console.log(JSON.stringify({ idle, used: touched > 0 }));`,
    );
    const { stdout } = spawnSync(process.execPath, [idle], { encoding: "utf8" });
    expect(JSON.parse(stdout)).toEqual({ idle: 0, used: true });
  });

  it("relaxed SIMD is taken: every Node from 20 on has it, the oldest behind a flag", () => {
    const found = report(...RELAXED_SIMD_FLAGS);
    expect(found).toMatchObject({ name: "wasm-relaxed", converged: true, refused: null });
    expect(Math.abs(found.sigma / sigma() - 1)).toBeLessThan(1e-14);
  });
});
