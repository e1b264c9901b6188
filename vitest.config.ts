import { defineConfig } from "vitest/config";
import type { Reporter } from "vitest/node";

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
    include: ["test/**/*.test.ts"],
    reporters: ["default", count],
    globalSetup: ["test/webgpu/software-vulkan.ts"],
    // One file to a process: kernels, TensorFlow.js backends and memory counts are per process.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // A test that passes at the second attempt has found something.
    retry: 0,
  },
});
