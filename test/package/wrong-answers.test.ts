// What docs/guide/accuracy.md says of other libraries, checked on the versions that are installed here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as jax from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import * as np from "numpy-ts";
import { describe, expect, it } from "vitest";
import { svdvals } from "../../src/index.js";
import { repository } from "./install.js";

const A = [
  [3, 0],
  [0, 4],
];

it.each(["@tensorflow/tfjs-core", "numpy-ts", "@jax-js/jax"])(
  "names the version of %s that it speaks of",
  (name) => {
    const manifest = readFileSync(join(repository, "node_modules", name, "package.json"), "utf8");
    const page = readFileSync(join(repository, "docs", "guide", "accuracy.md"), "utf8");
    expect(page).toContain(`| ${name} ${JSON.parse(manifest).version} |`);
  },
);

describe("the Frobenius norm in place of the spectral norm", () => {
  it("of TensorFlow.js", async () => {
    await tf.setBackend("cpu");
    expect(tf.norm(tf.tensor2d(A), 2).dataSync()[0]).toBe(5);
    expect(() => tf.norm(tf.tensor2d(A), 2, [0, 1])).toThrow(/invalid ord value: 2/);
  });

  it("of numpy-ts", () => {
    expect(np.linalg.norm(np.array(A), 2)).toBe(5);
    expect(np.linalg.matrix_norm(np.array(A), 2)).toBeCloseTo(4, 12);
  });
});

it("a singular value of numpy-ts that should be zero", () => {
  const rankTwo = [0, 1, 2].map((i) => [0, 1, 2, 3, 4, 5].map((j) => Math.sin(7 * i + 3 * j + 1)));
  const theirs = Number(np.linalg.svdvals(np.array(rankTwo)).toArray()[2]);
  expect(theirs).toBeGreaterThan(2e-8);
  expect(theirs).toBeLessThan(4e-8);
  const [first, , third] = svdvals(rankTwo);
  expect(first).toBeCloseTo(3.435, 3);
  expect(third).toBeLessThan(1e-15);
});

it("the missing gradient of jax-js", async () => {
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const norm = (x: jax.Array) => jax.numpy.linalg.norm(x, { ord: 2 });
  expect((await norm(jax.numpy.array(A)).data())[0]).toBeCloseTo(4, 5);
  expect(() => jax.grad(norm)(jax.numpy.array(A))).toThrow(/not implemented/);
});
