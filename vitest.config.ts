import { defineConfig } from "vitest/config";
import type { Reporter } from "vitest/node";
import { RELAXED_SIMD_FLAGS } from "./test/kernels/relaxed-simd.js";

/** The last line of a run, for those who count: tests that passed, tests and files that failed. */
const count: Reporter = {
  onTestRunEnd(modules, errors) {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const passed = states.filter((state) => state === "passed").length;
    const failed = states.filter((state) => state === "failed").length;
    const broken = errors.length + modules.reduce((sum, module) => sum + module.errors().length, 0);
    console.log(`${passed} passed, ${failed + broken} failed`);
  },
};

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "all",
          include: ["test/**/*.test.ts"],
          globalSetup: ["test/webgpu/software-vulkan.ts"],
        },
      },
      {
        // What computes with the kernels, once more: with relaxed SIMD, which Node 20 has behind a flag and later ones
        // without, and with canaries around every block of kernel memory.
        extends: true,
        test: {
          name: "guarded",
          include: [
            "test/conformance.test.ts",
            "test/{kernels,solve,derivative,certify,operators,complex,convolutions}/*.test.ts",
            "test/robustness/adversaries.test.ts",
            "test/threads/{divided,pool,twins}.test.ts",
          ],
          // Of what memory an uninstrumented call takes.
          exclude: ["test/solve/memory.test.ts"],
          execArgv: [...RELAXED_SIMD_FLAGS],
          env: { RELAXED_SIMD: "required", GUARDED_MEMORY: "yes" },
          setupFiles: ["test/kernels/guard-memory.ts"],
        },
      },
    ],
    reporters: ["default", count],
    // One file to a process: kernels, TensorFlow.js backends and memory counts are per process.
    pool: "forks",
    maxWorkers: 2,
    // For what hangs. Nothing is slow enough to meet them, however busy the machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 240_000 } },
    // A test that passes at the second attempt has found something.
    retry: 0,
  },
});
