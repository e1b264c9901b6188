import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One file to a process: kernels, TensorFlow.js backends and memory counts are per process.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // A test that passes at the second attempt has found something.
    retry: 0,
  },
});
