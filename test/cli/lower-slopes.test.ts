import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { Matrix } from "ml-matrix";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type OutputSlope,
  prepareSlopes,
  type SlopeEngines,
  sampleChoice,
} from "../../src/cli/lower-slopes.js";
import { findOnnxRuntime, onnxFunction, withOutput } from "../../src/cli/onnx-engine.js";
import { NO_PROGRESS } from "../../src/cli/progress.js";
import { contradictions, type LipschitzFlags, runLipschitz } from "../../src/cli/run-lipschitz.js";
import { findTfjs, jacobianSlope, layersModel, type TfjsEngine } from "../../src/cli/tfjs-engine.js";
import { folderOf } from "../../src/files/disk.js";
import type { Network, ValueShape } from "../../src/files/network.js";
import { steepestSlope } from "../../src/lipschitz/slope-search.js";
import * as models from "../files/onnx-models.js";
import { randomize, savedTfjs } from "../files/tfjs-models.js";
import { encode, join as joined, npy } from "../files/writers.js";
import { dense as sigmaOf } from "../lipschitz/plain-network.js";
import { normal } from "../tfjs/setup.js";

const folder = mkdtempSync(join(tmpdir(), "slopes-"));
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const floats = (name: string, shape: readonly number[], descr = "<f4", seed = 1) => {
  const count = shape.reduce((product, length) => product * length, 1);
  return put(name, npy({ descr, shape, data: encode(descr, [...normal(count, seed)]) }));
};

const { attribute, constant, node, raw, tensor, value } = models;
const weights = (name: string, shape: readonly number[], data: ArrayLike<number>) =>
  tensor(name, "FLOAT", shape, raw(encode("<f4", Array.from(data))));

/** x ↦ relu(x·A)·B in ONNX, with the value "h" between. */
function perceptron(A: Float32Array, B: Float32Array, n: number, batch: number | string): Uint8Array {
  const hidden = A.length / n;
  return models.onnx(
    models.graph(
      [node("MatMul", ["x", "A"], ["a"]), node("Relu", ["a"], ["h"]), node("MatMul", ["h", "B"], ["y"])],
      [weights("A", [n, hidden], A), weights("B", [hidden, B.length / hidden], B)],
      models.inputs(value("x", "FLOAT", [batch, n])),
      models.outputs(value("y", "FLOAT", [batch, B.length / hidden])),
    ),
  );
}

const networkOf = (shape: ValueShape, outputs = ["y"], count = 1): Network => ({
  inputs: Array.from({ length: count }, (_, k) => ({ name: k === 0 ? "x" : `x${k}`, shape })),
  outputs,
  nodes: [],
});

async function slopesOf(
  file: string,
  network: Network,
  samples: string,
  outputs: readonly string[] = network.outputs,
  engines?: SlopeEngines,
): Promise<{ slopes: ReadonlyMap<string, OutputSlope> | undefined; notes: string[]; steps: string[] }> {
  const [notes, steps]: string[][] = [[], []];
  const measurement = await prepareSlopes(
    { file, network },
    sampleChoice(samples),
    (text) => notes.push(text),
    engines,
  );
  const slopes = await measurement?.measure(outputs, (label, share) => {
    expect(share).toBeGreaterThanOrEqual(0);
    expect(share).toBeLessThanOrEqual(1);
    steps.push(label);
  });
  return { slopes, notes, steps };
}

const [A, B] = [normal(6 * 9, 21), normal(9 * 4, 22)];
const matrixA = Matrix.from1DArray(6, 9, A);

/** σ₁ of the Jacobian of the perceptron at x. */
function slopeAt(x: ArrayLike<number>): number {
  const row = Matrix.rowVector(Array.from(x)).mmul(matrixA);
  const mask = Matrix.diag(row.to1DArray().map((entry) => (entry > 0 ? 1 : 0)));
  return sigmaOf(matrixA.mmul(mask).mmul(Matrix.from1DArray(9, 4, B)));
}

/** Of differences in float32; see the derivation in test/lipschitz/slope-search.test.ts. A kink near x costs more. */
const LOSS = 1e-3;

describe("ONNX models by ONNX Runtime", () => {
  it.each(["N", 1])("finds the steepest sample, with a batch of %s", async (batch) => {
    const file = put(`mlp-${batch}.onnx`, perceptron(A, B, 6, batch));
    const samples = floats("mlp.npy", [6, 6]);
    const { slopes, notes, steps } = await slopesOf(file, networkOf([batch, 6]), samples);
    expect(notes).toEqual([]);
    const exact = Array.from({ length: 6 }, (_, k) => slopeAt(normal(36, 1).subarray(6 * k, 6 * k + 6)));
    const best = Math.max(...exact);
    const found = slopes!.get("y")!;
    expect(found).toMatchObject({
      samples: 6,
      how: "differences at 6 samples (estimate)",
      exact: false,
      sample: exact.indexOf(best),
    });
    expect(found.lower).toBeLessThanOrEqual(best);
    expect(found.lower).toBeGreaterThan(best * (1 - LOSS));
    expect(steps[0]).toBe("y, sample 0");
  });

  it("takes float64, float16, integers and one sample without the axis of the batch", async () => {
    const file = put("types.onnx", perceptron(A, B, 6, "N"));
    const numbers = [3, -1, 4, 1, -5, 9];
    const halves = [0x4200, 0xbc00, 0x4400, 0x3c00, 0xc500, 0x4880];
    const written = [
      put("a.npy", npy({ descr: "<f8", shape: [6], data: encode("<f8", numbers) })),
      put("b.npy", npy({ descr: "|i1", shape: [1, 6], data: encode("|i1", numbers) })),
      put("c.npy", npy({ descr: "<f2", shape: [1, 1, 6], data: encode("<u2", halves) })),
      put("d.npy", npy({ descr: ">f4", shape: [6], data: encode(">f4", numbers) })),
    ];
    const lower: number[] = [];
    for (const path of written) {
      const found = (await slopesOf(file, networkOf(["N", 6]), path)).slopes!.get("y")!;
      expect(found.how).toBe("differences at 1 sample (estimate)");
      lower.push(found.lower);
    }
    expect(new Set(lower).size).toBe(1);
    expect(lower[0]).toBeGreaterThan(slopeAt(numbers) * (1 - LOSS));
  });

  it("measures a value that is no output of the model", async () => {
    const file = put("inner.onnx", perceptron(A, B, 6, "N"));
    const { slopes, notes } = await slopesOf(file, networkOf(["N", 6]), "random:3", ["a", "h", "y"]);
    expect(notes).toEqual([]);
    // "a" is linear.
    expect(slopes!.get("a")!.lower).toBeLessThanOrEqual(sigmaOf(matrixA));
    expect(slopes!.get("a")!.lower).toBeGreaterThan(sigmaOf(matrixA) * (1 - LOSS));
    expect(slopes!.get("h")!.lower).toBeLessThanOrEqual(slopes!.get("a")!.lower * (1 + LOSS));
  });

  it("is printed by the command, for outputs and values between", async () => {
    const file = put("whole.onnx", perceptron(A, B, 6, "N"));
    const flags = { samples: "random:3", output: ["y", "h"] };
    const { status, stdout, stderr } = await answer([file], { ...flags, json: true });
    expect([status, stderr]).toEqual([0, ""]);
    const lines = outputsIn(stdout);
    expect(lines.map(({ output }) => output)).toEqual(["y", "h"]);
    for (const line of lines) {
      expect(line["lowerHow"]).toBe("differences at 3 samples (estimate)");
      expect(line["lower"]).toBeGreaterThan(0);
      expect(line["lower"]).toBeLessThanOrEqual(line["lipschitz"] as number);
    }
    const table = (await answer([file], flags)).stdout.replace(/\s+/g, " ");
    expect(table).toMatch(
      /its slope is estimated by differences at [\d.]+: the bound is at most [\d.]+ times/,
    );
  });

  it("adds outputs with long names", () => {
    const name = "/a/".padEnd(300, "b");
    const bytes = withOutput(Uint8Array.of(1, 2), name);
    const expected = joined(Uint8Array.of(1, 2), models.field(7, models.field(12, models.field(1, name))));
    expect(bytes).toEqual(expected);
  });

  it("is never above the norm of a linear model, however large its biases are", async () => {
    const runtime = findOnnxRuntime();
    for (let seed = 0; seed < 24; seed++) {
      const [n, h, m] = [1 + ((seed * 7) % 40), 1 + ((seed * 13) % 60), 1 + ((seed * 5) % 30)];
      const size = 10 ** ((seed % 8) - 1);
      const [first, second] = [normal(n * h, seed), normal(h * m, seed + 900)];
      const bias = normal(h, seed + 500).map((entry) => entry * size);
      const nodes = [
        node("MatMul", ["x", "A"], ["a"]),
        node("Add", ["a", "b"], ["c"]),
        node("MatMul", ["c", "B"], ["y"]),
      ];
      const graph = models.graph(
        nodes,
        [weights("A", [n, h], first), weights("b", [h], bias), weights("B", [h, m], second)],
        models.inputs(value("x", "FLOAT", ["N", n])),
        models.outputs(value("y", "FLOAT", ["N", m])),
      );
      const given = { input: "x", output: "y", isOpen: true };
      const f = await onnxFunction(runtime, models.onnx(graph), [1, n], given);
      expect(f.batch).toBeGreaterThan(1);
      const sigma = sigmaOf(Matrix.from1DArray(n, h, first).mmul(Matrix.from1DArray(h, m, second)));
      for (const scale of [0.01, 1]) {
        const x = Float64Array.from(normal(n, seed + 77), (entry) => entry * scale);
        const { lower } = await steepestSlope(f, x);
        expect(lower, `seed ${seed}, scale ${scale}`).toBeLessThanOrEqual(sigma);
        if (scale === 1 && size <= 1) expect(lower).toBeGreaterThan(sigma * (1 - LOSS));
      }
      await f.release();
    }
  });

  it("does not evaluate points together where that changes their values", async () => {
    // x − mean over the batch.
    const mean = node("ReduceMean", ["x", "axes"], ["m"], attribute.integer("keepdims", 1));
    const axes = constant("axes", tensor("", "INT64", [1], raw(encode("<i8", [0]))));
    const graph = models.graph(
      [axes, mean, node("Sub", ["x", "m"], ["s"]), node("Add", ["s", "x"], ["y"])],
      [],
      models.inputs(value("x", "FLOAT", ["N", 3])),
      models.outputs(value("y", "FLOAT", ["N", 3])),
    );
    const file = put("batch.onnx", models.onnx(graph));
    const f = await onnxFunction(findOnnxRuntime(), file, [1, 3], { input: "x", output: "y", isOpen: true });
    expect(f.batch).toBe(1);
    await f.release();
    const { slopes } = await slopesOf(file, networkOf(["N", 3]), "random:2");
    expect(slopes!.get("y")!.lower).toBeGreaterThan(1 - LOSS);
    expect(slopes!.get("y")!.lower).toBeLessThanOrEqual(1);
  });

  it("computes in float64 where the model does", async () => {
    const graph = models.graph(
      [node("Mul", ["x", "c"], ["y"])],
      [tensor("c", "DOUBLE", [1], raw(encode("<f8", [3])))],
      models.inputs(value("x", "DOUBLE", [5])),
      models.outputs(value("y", "DOUBLE", [5])),
    );
    const { slopes } = await slopesOf(put("double.onnx", models.onnx(graph)), networkOf([5]), "random:1");
    expect(slopes!.get("y")!.lower).toBeLessThanOrEqual(3);
    // Steps of 2^(−53/3)·‖x‖ and roundings of 2⁻⁵³·‖f‖.
    expect(slopes!.get("y")!.lower).toBeGreaterThan(3 * (1 - 1e-9));
  });

  it("notes an input of integers, an output of integers, and what the engine cannot run", async () => {
    const graph = (type: models.OnnxType, operator: string, out: models.OnnxType, ...more: Uint8Array[]) =>
      models.onnx(
        models.graph(
          [node(operator, ["x"], ["y"], ...more)],
          [],
          models.inputs(value("x", type, [2])),
          models.outputs(value("y", out, [2])),
        ),
      );
    const noted = async (bytes: Uint8Array) =>
      (await slopesOf(put("odd.onnx", bytes), networkOf([2]), "random")).notes;
    expect(await noted(graph("INT64", "Abs", "INT64"))).toEqual([
      expect.stringMatching(/^no slope of "y" is measured: the input "x" holds int64 numbers/),
    ]);
    const cast = graph("FLOAT", "Cast", "INT64", attribute.integer("to", 7));
    expect(await noted(cast)).toEqual([expect.stringMatching(/"y" holds int64 numbers/)]);
    expect(await noted(graph("FLOAT", "NoSuchOperator", "FLOAT"))).toEqual([
      expect.stringMatching(/^no slope of "y" is measured: ONNX Runtime cannot run it: /),
    ]);
    const logarithm = put("log.onnx", graph("FLOAT", "Log", "FLOAT"));
    const negative = put("log.npy", npy({ descr: "<f4", shape: [2], data: encode("<f4", [1, -1]) }));
    const { notes } = await slopesOf(logarithm, networkOf([2]), negative);
    expect(notes).toEqual([expect.stringMatching(/^no slope of "y" is measured: its value .* not finite/)]);
  });

  it("leaves out samples where the value is not finite", async () => {
    const graph = models.graph(
      [node("Log", ["x"], ["y"])],
      [],
      models.inputs(value("x", "FLOAT", ["N", 2])),
      models.outputs(value("y", "FLOAT", ["N", 2])),
    );
    const file = put("logarithm.onnx", models.onnx(graph));
    const numbers = [1, 2, -1, 1, 0.5, 0.25, 3, -3];
    const samples = put("four-logs.npy", npy({ descr: "<f4", shape: [4, 2], data: encode("<f4", numbers) }));
    const { slopes, notes } = await slopesOf(file, networkOf(["N", 2]), samples);
    expect(notes).toEqual(['"y": 2 samples left out; sample 1: its value at the sample is not finite']);
    // The largest of the slopes 1/x is at 0.25; a step of 2⁻⁸ of the length adds what is below 10⁻³.
    const found = slopes!.get("y")!;
    expect(found).toMatchObject({ sample: 2, samples: 2, how: "differences at 2 samples (estimate)" });
    expect(Math.abs(found.lower - 4)).toBeLessThan(0.1);
  });
});

/** Saves a TensorFlow.js model in `files` files of weights. */
async function save(name: string, model: tfl.LayersModel, files = 1): Promise<string> {
  const { json, files: saved } = await savedTfjs(model);
  const [bytes] = Object.values(saved) as Uint8Array[];
  const paths = Array.from({ length: files }, (_, k) => `${name}-${k}.bin`);
  const each = Math.ceil(bytes.length / files);
  paths.forEach((path, k) => {
    put(path, bytes.subarray(k * each, (k + 1) * each));
  });
  (json["weightsManifest"] as { paths: string[] }[])[0].paths = paths;
  return put(`${name}.json`, JSON.stringify(json));
}

let [linear, branched, twins]: string[] = [];
let product: Matrix;

beforeAll(async () => {
  await tf.setBackend("cpu");
  const chain = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 7, inputShape: [5], name: "first" }),
      tfl.layers.dense({ units: 4, name: "second" }),
    ],
  });
  randomize(chain, 31);
  linear = await save("linear", chain, 3);
  product = ["first", "second"]
    .map((name) => {
      const [kernel] = chain.getLayer(name).getWeights();
      return new Matrix(kernel.arraySync() as number[][]);
    })
    .reduce((a, b) => a.mmul(b));
  const input = tfl.input({ shape: [4], name: "x" });
  const hidden = tfl.layers.dense({ units: 6, activation: "relu", name: "hidden" });
  const h = hidden.apply(input) as tfl.SymbolicTensor;
  const [left, right] = ["left", "right"].map(
    (name) => tfl.layers.dense({ units: 3, name }).apply(h) as tfl.SymbolicTensor,
  );
  const two = tfl.model({ inputs: input, outputs: [left, right] });
  randomize(two, 32);
  branched = await save("branched", two);
  const other = tfl.input({ shape: [4], name: "other" });
  const sum = tfl.layers.add({ name: "sum" }).apply([input, other]) as tfl.SymbolicTensor;
  twins = await save("twins", tfl.model({ inputs: [input, other], outputs: sum }));
}, 60_000);

/** What the command answers, in this process. */
async function answer(models: readonly string[], flags: LipschitzFlags, engines?: SlopeEngines) {
  const [out, err]: string[][] = [[], []];
  const status = await runLipschitz(models, flags, {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    progress: NO_PROGRESS,
    ...(engines && { engines }),
  });
  return { status, stdout: out.join(""), stderr: err.join("") };
}

const outputsIn = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .filter((line) => "output" in line);

describe("TensorFlow.js models by their Jacobians", () => {
  it("finds the norm of a linear model, whose bound is no larger", async () => {
    const before = tf.memory().numTensors;
    const { status, stdout, stderr } = await answer([linear], { json: true, samples: "random:2" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(tf.memory().numTensors).toBe(before);
    const [line] = outputsIn(stdout);
    const sigma = sigmaOf(product);
    expect(Object.keys(line).slice(0, 8)).toEqual([
      "file",
      "input",
      "output",
      "lipschitz",
      "proven",
      "lower",
      "lowerHow",
      "lowerSample",
    ]);
    expect(line["lowerHow"]).toBe("Jacobian at 2 samples");
    const [lower, bound] = [line["lower"], line["lipschitz"]] as number[];
    expect(lower).toBeLessThanOrEqual(sigma);
    // 2⁻¹⁶ is always subtracted, and eight times the rounding of products of at most seven terms.
    expect(lower).toBeGreaterThan(sigma * (1 - 1e-4));
    expect(bound).toBeGreaterThanOrEqual(sigma);
    expect(bound / lower).toBeLessThan(1.001);
  });

  it("says in the table how loose the bound is at most", async () => {
    const { stdout } = await answer([linear], { samples: floats("five.npy", [3, 5]) });
    const text = stdout.replace(/\s+/g, " ");
    const [, sample, slope, ratio] =
      /At sample (\d) \(counted from 0\) its slope is ([\d.]+): the bound is at most ([\d.]+) times too large\./.exec(
        text,
      ) ?? [];
    expect(Number(sample)).toBeLessThan(3);
    expect(Number(slope)).toBeLessThanOrEqual(sigmaOf(product));
    expect(Number(ratio)).toBeGreaterThanOrEqual(1);
    // Rounded up to three digits.
    expect(Number(ratio)).toBeLessThanOrEqual(1.01);
    expect(text).toContain("Slopes are measured in floating-point arithmetic, and not proven.");
    expect(stdout.split("\n").filter((line) => line.length > 80 && !line.includes("─"))).toEqual([]);
  });

  it("measures each output and layers in between, and leaks nothing", async () => {
    const before = tf.memory().numTensors;
    const flags = { json: true, samples: "random:4" };
    const all = await answer([branched], flags);
    expect([all.status, all.stderr]).toEqual([0, ""]);
    const lines = outputsIn(all.stdout);
    expect(lines.map(({ output }) => output)).toEqual(["left", "right"]);
    for (const line of lines) {
      expect(line["lower"]).toBeGreaterThan(0);
      expect(line["lower"]).toBeLessThanOrEqual(line["lipschitz"] as number);
    }
    const inner = outputsIn((await answer([branched], { ...flags, output: ["hidden"] })).stdout)[0];
    expect(inner["lower"]).toBeGreaterThan(0);
    expect(inner["lower"]).toBeLessThanOrEqual(inner["lipschitz"] as number);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([4, 8, 12, 16, 20])(
    "does not take rounding for a slope where large terms cancel to a share of 2^−%i",
    async (bits) => {
      // Pairs c·w·x − c·w·(1 + 2^−bits)·x.
      const input = tfl.input({ shape: [1], name: "x" });
      const up = tfl.layers.dense({ units: 16, useBias: false, name: "up" });
      const down = tfl.layers.dense({ units: 1, useBias: false, name: "down" });
      const inner = up.apply(input) as tfl.SymbolicTensor;
      const model = tfl.model({ inputs: input, outputs: down.apply(inner) as tfl.SymbolicTensor });
      const [first, second] = [normal(16, 41), normal(16, 42)];
      const large = first.map((_, k) => 1e6 * first[k - (k % 2)]);
      const other = second.map((_, k) => (k % 2 === 0 ? 1 : -(1 + 2 ** -bits)) * second[k - (k % 2)]);
      up.setWeights([tf.tensor2d(large, [1, 16])]);
      down.setWeights([tf.tensor2d(other, [16, 1])]);
      const exact = Math.abs(
        Array.from(large, (entry, k) => entry * other[k]).reduce((sum, term) => sum + term),
      );
      const file = await save("cancelling", model);
      const { stdout, stderr } = await answer([file], { json: true, samples: "random:8" });
      const [line] = outputsIn(stdout);
      expect(line["lower"]).toBeLessThanOrEqual(exact);
      if (bits === 4) expect(line["lower"]).toBeGreaterThan(0.999 * exact);
      // So much cancels otherwise that products with the Jacobian do not look linear.
      else expect(stderr).toMatch(/"down": measured by differences; /);
    },
  );

  it("measures by differences where TensorFlow.js' gradient is wrong", async () => {
    // Its average pooling with padding "same" divides by another count in the gradient.
    const pooling = {
      poolSize: 2,
      strides: 2,
      padding: "same",
      inputShape: [3, 3, 1],
      name: "mean",
    } as const;
    const model = tfl.sequential({
      layers: [tfl.layers.averagePooling2d({ ...pooling, inputShape: [3, 3, 1] })],
    });
    const file = await save("pooled", model);
    const { stdout, stderr, status } = await answer([file], { json: true, samples: "random:2" });
    expect(status).toBe(0);
    const [line] = outputsIn(stdout);
    expect(stderr).toMatch(/"mean": measured by differences; /);
    expect(line["lowerHow"]).toBe("differences at 2 samples (estimate)");
    // The corner is a mean of one number.
    expect(line["lower"]).toBeLessThanOrEqual(1);
    expect(line["lower"]).toBeGreaterThan(1 - LOSS);
  });

  it("takes no sum of slopes at a kink for a slope", async () => {
    // At equal numbers, TensorFlow.js has the gradient 1 for all of them.
    const model = tfl.sequential({
      layers: [tfl.layers.globalMaxPooling1d({ inputShape: [9, 1], name: "max" })],
    });
    const file = await save("maximum", model);
    const zeros = put("zeros.npy", npy({ descr: "<f4", shape: [9, 1], data: new Uint8Array(36) }));
    const { stdout, stderr, status } = await answer([file], { json: true, samples: zeros });
    expect([status, stderr]).toEqual([0, ""]);
    const [line] = outputsIn(stdout);
    expect(line["lower"]).toBeLessThanOrEqual(1);
    expect(line["lower"]).toBeGreaterThan(1 - LOSS);
  });

  it("keeps the bound where TensorFlow.js cannot load the model", async () => {
    const engine = await findTfjs();
    const layers = { ...engine.layers, loadLayersModel: () => Promise.reject(new Error("Unknown layer: X")) };
    const engines = { onnx: () => findOnnxRuntime(), tfjs: async () => ({ ...engine, layers }) };
    const { status, stdout, stderr } = await answer([linear], { json: true, samples: "random" }, engines);
    expect(status).toBe(0);
    expect(stderr).toMatch(/no slopes are measured: TensorFlow\.js cannot load it: Unknown layer: X\n$/);
    expect(outputsIn(stdout)[0]["lipschitz"]).toBeGreaterThan(0);
  });

  it("names missing and damaged weights", async () => {
    const engine = await findTfjs();
    const text = JSON.stringify({
      modelTopology: {},
      weightsManifest: [{ paths: ["none.bin"], weights: [] }],
    });
    const description = new TextEncoder().encode(text);
    await expect(layersModel(engine, description, folderOf(linear))).rejects.toThrow(/no such file/);
    const empty = new TextEncoder().encode('{"modelTopology":{},"weightsManifest":[]}');
    await expect(layersModel(engine, empty, folderOf(linear))).rejects.toThrow(
      /TensorFlow\.js cannot load it/,
    );
  });

  it("disposes what it made where the Jacobian cannot be taken", async () => {
    const engine = await findTfjs();
    const model = tfl.sequential({
      layers: [tfl.layers.embedding({ inputDim: 4, outputDim: 2, inputShape: [3] })],
    });
    const before = tf.memory().numTensors;
    expect(() => jacobianSlope(engine, model, Float64Array.of(0, 1, 2), [1, 3])).toThrow();
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});

describe("what cannot be measured", () => {
  const nowhere = join(folder, "empty", "package.json");
  const none: SlopeEngines = {
    onnx: () => findOnnxRuntime([nowhere]),
    tfjs: () =>
      findTfjs({
        core: () => Promise.reject(Object.assign(new Error("none"), { code: "ERR_MODULE_NOT_FOUND" })),
        layers: () => import("@tensorflow/tfjs-layers"),
        backend: () => import("@tensorflow/tfjs-backend-cpu"),
      }),
  };

  it("says how to install a missing engine, keeps the bound, and ends with status 2", async () => {
    const { status, stdout, stderr } = await answer([linear], { json: true, samples: "random" }, none);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `spectral-norm: ${linear}: --samples: TensorFlow.js models are evaluated by TensorFlow.js, which is not ` +
        "installed: npm install @tensorflow/tfjs-core @tensorflow/tfjs-layers @tensorflow/tfjs-backend-cpu\n",
    );
    const [line] = outputsIn(stdout);
    expect(line["lipschitz"]).toBeGreaterThan(0);
    expect(line).not.toHaveProperty("lower");
    const file = put("missing.onnx", perceptron(A, B, 6, "N"));
    await expect(slopesOf(file, networkOf(["N", 6]), "random", ["y"], none)).rejects.toThrow(
      /npm install onnxruntime-node/,
    );
  });

  it("needs no engine without --samples", async () => {
    const { status, stderr } = await answer([linear], { json: true }, none);
    expect([status, stderr]).toEqual([0, ""]);
  });

  it("does not take a package of another name, and says which one is broken", () => {
    const place = (name: string, manifest: object, code: string) => {
      const inside = join(folder, name, "node_modules", "onnxruntime-node");
      mkdirSync(inside, { recursive: true });
      writeFileSync(join(inside, "package.json"), JSON.stringify({ main: "index.js", ...manifest }));
      writeFileSync(join(inside, "index.js"), code);
      return join(folder, name, "package.json");
    };
    const other = place("other", { name: "onnxruntime-common" }, "module.exports = {}");
    expect(() => findOnnxRuntime([other])).toThrow(/npm install onnxruntime-node/);
    const broken = place("broken", { name: "onnxruntime-node" }, "throw new Error('no such library')");
    expect(() => findOnnxRuntime([broken])).toThrow("onnxruntime-node cannot be loaded: no such library");
    const right = place("right", { name: "onnxruntime-node" }, "module.exports = { env: {}, mine: 1 }");
    expect(findOnnxRuntime([right])).toMatchObject({ mine: 1 });
  });

  it("notes several inputs, Keras models and samples beyond the limit", async () => {
    const several = await answer([twins], { json: true, samples: "random" });
    expect(several.status).toBe(0);
    expect(several.stderr).toMatch(/no slopes are measured: the model has 2 inputs/);
    const keras = put("model.keras", Uint8Array.of(0x50, 0x4b, 3, 4));
    expect((await slopesOf(keras, networkOf([3]), "random")).notes).toEqual([
      "no slopes are measured: no engine here evaluates Keras models; convert the model to ONNX",
    ]);
    const many = await answer([linear], { json: true, samples: floats("many.npy", [100, 5]) });
    expect(many.status).toBe(0);
    expect(many.stderr).toMatch(/slopes are measured at the first 64 of 100 samples\n$/);
    expect(outputsIn(many.stdout)[0]["lowerHow"]).toBe("Jacobian at 64 samples");
  });

  it("refuses samples that do not fit, and keeps the bound", async () => {
    const { status, stdout, stderr } = await answer([linear, branched], {
      json: true,
      samples: floats("four.npy", [2, 4]),
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^spectral-norm: [^\n]*linear\.json: --samples: holds 2×4; the input [^\n]*\n$/);
    expect(outputsIn(stdout).map(({ lower }) => typeof lower)).toEqual(["undefined", "number", "number"]);
    const bad = put(
      "nan.npy",
      npy({ descr: "<f4", shape: [5], data: encode("<f4", [1, 2, Number.NaN, 4, 5]) }),
    );
    expect((await answer([linear], { json: true, samples: bad })).stderr).toMatch(/the entry at \[2\]/);
  });

  it.each([
    ["no-such.npy", /--samples no-such\.npy: no such file/],
    ["random:0", /--samples random:0: takes from 1 to 64/],
    ["random:x", /takes from 1 to 64/],
  ])("refuses --samples %s before anything is read", async (samples, expected) => {
    await expect(answer([linear], { samples })).rejects.toThrow(expected);
  });
});

describe("a measured slope above the bound", () => {
  it("is reported, and only then", () => {
    const one = { inputs: ["x"], missing: undefined, instead: [] };
    const outputs = [
      { ...one, output: "y", bound: 2 },
      { ...one, output: "z", bound: 3 },
      { ...one, output: "w", bound: undefined },
    ];
    const slope = { how: "Jacobian at 1 sample", sample: 0, samples: 1, exact: true };
    const slopes = new Map(["y", "z", "w"].map((name) => [name, { ...slope, lower: 2.5 }]));
    expect(contradictions({ outputs, slopes })).toEqual([
      expect.stringMatching(/^the measured slope 2\.5 of "y" .* exceeds the bound 2: .*please report/),
    ]);
    expect(contradictions({ outputs, slopes: undefined })).toEqual([]);
  });

  it("ends the command with status 1", async () => {
    const engine = await findTfjs();
    const steep: TfjsEngine = {
      ...engine,
      // Ten times what it is.
      jacobianNorm(f, x, options) {
        const found = engine.jacobianNorm(f, x, options);
        return { ...found, sigma: 10 * found.sigma };
      },
    };
    const engines = { onnx: () => findOnnxRuntime(), tfjs: async () => steep };
    const { status, stdout, stderr } = await answer([linear], { json: true, samples: "random:1" }, engines);
    expect(status).toBe(1);
    expect(stderr).toMatch(/exceeds the bound [\d.]+: one of them is wrong; please report this/);
    expect(outputsIn(stdout)[0]["lower"]).toBeGreaterThan(outputsIn(stdout)[0]["lipschitz"] as number);
  });
});
