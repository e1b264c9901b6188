import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import type { SymbolicTensor } from "@tensorflow/tfjs-layers";
import { spectralNorm } from "spectral-norm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attack, standingAt } from "../../examples/robust-digits/attack.js";
import {
  type ConvolutionResult,
  type ConvolutionSettings,
  convolutionExperiment,
} from "../../examples/robust-digits/convolution-experiment.js";
import {
  createConvolutionalNetwork,
  type NormalizedBy,
  reshapedNorms,
} from "../../examples/robust-digits/convolutional-network.js";
import {
  asTensor,
  CLASSES,
  first,
  type Images,
  loadDigits,
  PIXELS,
  permutation,
} from "../../examples/robust-digits/digits.js";
import {
  checkTheorems,
  experiment,
  largest,
  type Result,
  type Settings,
} from "../../examples/robust-digits/experiment.js";
import { figures, standaloneFigure } from "../../examples/robust-digits/figures.js";
import { addKernelGradient, kernelGradient } from "../../examples/robust-digits/kernel-gradient.js";
import { certifiedLengths, measureSteepness } from "../../examples/robust-digits/lipschitz.js";
import {
  classes,
  createNetwork,
  layerNorms,
  lipschitzBound,
  logits,
  numbers,
  settle,
} from "../../examples/robust-digits/network.js";
import { reportPage } from "../../examples/robust-digits/page.js";
import { provenBound } from "../../examples/robust-digits/proven-bound.js";
import { type Run, reshapedProduct, textTables, withMeasured } from "../../examples/robust-digits/tables.js";
import { train } from "../../examples/robust-digits/training.js";
import { normal } from "../tfjs/setup.js";

const SHAPE = { inputs: PIXELS, hidden: [24, 16], classes: CLASSES };
const TRAINING = { epochs: 3, batchSize: 20, learningRate: 0.002, scale: 4, seed: 3 };

const settings: Settings = {
  ...TRAINING,
  networks: [
    { normalized: false, scale: 4 },
    { normalized: true, scale: 4 },
    { normalized: true, scale: 16 },
  ],
  hidden: SHAPE.hidden,
  attacked: 30,
  measured: 12,
  lengths: [0.5, 1, 2],
  pictureLengths: [1, 2],
  attackSteps: 4,
  differenceStep: 0.01,
  convolutional: {
    ...TRAINING,
    learningRate: 0.02,
    networks: ["nothing", "reshape", "operator"],
    convolutions: [
      { filters: 2, kernelSize: 5, strides: 4 },
      { filters: 3, kernelSize: 3, strides: 2 },
    ],
    attacked: 20,
    measured: 3,
    lengths: [0.25, 1, 4, 8],
    attackSteps: 8,
  },
};

/** Noisy copies of one random picture for each class: easy to tell apart, and no file needed. */
function synthetic(count: number, seed: number): Images {
  const pictures = normal(CLASSES * PIXELS, 99);
  const noise = normal(count * PIXELS, seed);
  const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES);
  const pixels = noise.map((value, i) => {
    const place = labels[Math.floor(i / PIXELS)] * PIXELS + (i % PIXELS);
    return Math.min(Math.max(0.3 * pictures[place] + 0.1 * value, 0), 1);
  });
  return { count, pixels, labels };
}

const length = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
const difference = (a: Float32Array, b: Float32Array) => length(a.map((value, i) => value - b[i]));

beforeAll(async () => {
  expect(await tf.setBackend("wasm")).toBe(true);
});

describe.each([false, true])("a network, normalized: %s", (normalized) => {
  const images = synthetic(60, 1);
  let network: ReturnType<typeof createNetwork>;
  let bound: number;

  beforeAll(async () => {
    network = createNetwork(SHAPE, normalized, 5);
    await train(network, images, TRAINING, () => {});
    settle(network);
    bound = lipschitzBound(layerNorms(network));
  });

  test("is never steeper than the product of its layers' norms", () => {
    const count = 200;
    // Far apart and close together, in the range of pixels and far outside of it.
    const from = normal(count * PIXELS, 11);
    const to = from.map((value, i) => {
      const pair = Math.floor(i / PIXELS);
      return value + 10 ** ((pair % 4) - 2) * normal(1, i)[0];
    });
    const shape: [number, number] = [count, PIXELS];
    const [a, b] = [from, to].map((data) => numbers(() => logits(network, tf.tensor2d(data, shape))));
    let steepest = 0;
    for (let i = 0; i < count; i++) {
      const [near, far] = [i, i + 1];
      const rise = difference(
        a.subarray(near * CLASSES, far * CLASSES),
        b.subarray(near * CLASSES, far * CLASSES),
      );
      const run = difference(
        from.subarray(near * PIXELS, far * PIXELS),
        to.subarray(near * PIXELS, far * PIXELS),
      );
      steepest = Math.max(steepest, rise / run);
    }
    expect(steepest).toBeGreaterThan(0);
    expect(steepest).toBeLessThanOrEqual(bound * 1.001);
  });

  test("has the steepness at an image that its finite differences have", () => {
    const { jacobianNorms, differences, slopes } = measureSteepness(network, first(images, 10), 0.001);
    expect(slopes.length).toBe(45);
    for (const values of [jacobianNorms, differences, slopes]) {
      expect(values.every((value) => value > 0 && value <= bound * 1.001)).toBe(true);
    }
    // All but where a ReLU switches within the step.
    const close = jacobianNorms.filter((norm, i) => Math.abs(differences[i] - norm) < 0.01 * norm);
    expect(close.length).toBeGreaterThanOrEqual(8);
  });

  test("falls to attacks that stay in the ball and among pictures, and to none below its certificate", () => {
    const subset = first(images, 30);
    const {
      broken,
      images: changed,
      taken,
    } = attack(network, subset, { lengths: [0.5, 1, 2, 4, 8], steps: 8 });
    const certified = certifiedLengths(network, subset, bound);
    const x = asTensor(changed);
    expect([...classes(network, x)]).toEqual([...taken]);
    x.dispose();
    expect(broken.some((at) => at > 0 && at < Number.POSITIVE_INFINITY)).toBe(true);
    broken.forEach((at, i) => {
      const range = [i * PIXELS, (i + 1) * PIXELS] as const;
      const moved = difference(changed.pixels.subarray(...range), subset.pixels.subarray(...range));
      expect(moved).toBeLessThanOrEqual(Number.isFinite(at) ? at * 1.0001 : 0);
      expect(at === Number.POSITIVE_INFINITY).toBe(taken[i] === subset.labels[i]);
      expect(at === 0 ? certified[i] === 0 : certified[i] <= at).toBe(true);
    });
    expect(changed.pixels.every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  test("leaves no tensor behind", () => {
    const before = tf.memory().numTensors;
    measureSteepness(network, first(images, 3), 0.01);
    attack(network, first(images, 3), { lengths: [1, 2], steps: 2 });
    layerNorms(network);
    expect(tf.memory().numTensors).toBe(before);
  });
});

test("normalized layers have norm 1 once settled", async () => {
  const network = createNetwork(SHAPE, true, 5);
  await train(network, synthetic(60, 2), TRAINING, () => {});
  settle(network);
  for (const norm of layerNorms(network)) expect(Math.abs(norm - 1)).toBeLessThan(1e-5);
});

test("both kinds begin with the same kernels", () => {
  const [plain, normalized] = [false, true].map((kind) => createNetwork(SHAPE, kind, 7));
  plain.layers.forEach((layer, i) => {
    const [a, b] = [layer, normalized.layers[i]].map(({ weights }) =>
      weights
        .filter(({ name }) => name.includes("kernel"))[0]
        .read()
        .dataSync(),
    );
    expect([...a]).toEqual([...b]);
  });
});

test("counts what stands", () => {
  expect(standingAt(Float64Array.of(0, 0.5, 1, Number.POSITIVE_INFINITY), [0, 0.5, 0.7, 9])).toEqual([
    0.75, 0.5, 0.5, 0.25,
  ]);
});

describe("the whole of it, small", () => {
  let result: Result;
  let run: Run;
  const lines: string[] = [];

  beforeAll(async () => {
    const split = { training: synthetic(100, 1), test: synthetic(40, 2) };
    result = await experiment(split, settings, (line) => lines.push(line));
    run = { result, seconds: 1, processor: "a processor", node: "0", tfjs: "0" };
  });

  test("reports every epoch and every attack", () => {
    const { networks, convolutional, epochs } = settings;
    expect(lines.length).toBe((networks.length + convolutional.networks.length) * (epochs + 1));
  });

  test("bounds what it measures", () => {
    for (const { bound, layerNorms: norms, steepness } of result.networks) {
      expect(bound).toBeCloseTo(norms[0] * norms[1] * norms[2], 12);
      expect(largest(steepness.jacobianNorms)).toBeLessThanOrEqual(bound * 1.001);
    }
  });

  test("stops where a bound or a certificate does not hold", () => {
    const [plain] = result.networks;
    const low = largest(plain.steepness.differences) * 0.9;
    expect(() => checkTheorems({ ...plain, bound: low })).toThrow("beyond the bound");
    expect(() => checkTheorems({ ...plain, bound: Number.NaN })).toThrow("beyond the bound");
    const certified = plain.certified.map(() => 100);
    const broken = plain.broken.map(() => 1);
    expect(() => checkTheorems({ ...plain, certified, broken })).toThrow("was certified");
  });

  test("is printed, drawn and written up", () => {
    const page = reportPage(run);
    for (const text of [page, textTables(run), ...figures(result).map(standaloneFigure)]) {
      expect(text).not.toMatch(/NaN|undefined|\[object/);
    }
    expect(page.match(/<figure /g)?.length).toBe(5);
    const block = (name: string) => `<!-- ${name}: begin --> old <!-- ${name}: end -->`;
    const readme = `before ${block("measured")} between ${block("convolutions")} after`;
    const written = withMeasured(readme, run);
    const filled = (name: string) => `<!-- ${name}: begin -->\\n\\| .*\\n<!-- ${name}: end -->`;
    expect(written).toMatch(
      new RegExp(`^before ${filled("measured")} between ${filled("convolutions")} after$`, "s"),
    );
    expect(written).not.toContain("--> old");
    expect(() => withMeasured(`before ${block("measured")}`, run)).toThrow("convolutions: begin");
    expect(withMeasured(written, run)).toBe(written);
    expect(() => withMeasured("no markers", run)).toThrow("README.md");
  });
});

test.each(["measured", "convolutions"])("the README holds a run's numbers: %s", async (name) => {
  const readme = await readFile(new URL("../../examples/README.md", import.meta.url), "utf8");
  const [, block] = new RegExp(`<!-- ${name}: begin -->(.*)<!-- ${name}: end -->`, "s").exec(readme) ?? [];
  expect(block).toMatch(/^\| test accuracy +(\| +\d+\.\d% ){3}\|$/m);
});

describe("the derivative of a convolution with respect to its kernel", () => {
  const cases = (["same", "valid"] as const).flatMap((pad) =>
    [
      [6, 5, 3, 2, 1],
      [7, 8, 3, 3, 2],
      [9, 7, 2, 4, 3],
      [5, 5, 1, 1, 2],
      [4, 4, 5, 4, 1],
    ].map(([height, width, tapsY, tapsX, stride]) => ({ pad, height, width, tapsY, tapsX, stride })),
  );

  test.each(cases.filter(({ pad, height, tapsY }) => pad === "same" || tapsY <= height))(
    "is the sum over the places that a tap meets: $pad, $height×$width, $tapsY×$tapsX, stride $stride",
    ({ pad, height, width, tapsY, tapsX, stride }) => {
      const [images, channels, filters] = [3, 2, 4];
      const x = tf.tensor4d(normal(images * height * width * channels, 1), [images, height, width, channels]);
      const kernel = tf.tensor4d(normal(tapsY * tapsX * channels * filters, 2), [
        tapsY,
        tapsX,
        channels,
        filters,
      ]);
      const shape = tf.conv2d(x, kernel, stride, pad).shape;
      const dy = tf.tensor4d(normal(tf.util.sizeFromShape(shape), 3), shape);
      const found = kernelGradient(x, dy, { strides: [stride, stride], pad, filterShape: kernel.shape });
      const before = [height, width].map((size, k) => {
        const places = (shape[k + 1] - 1) * stride + [tapsY, tapsX][k];
        return pad === "same" ? Math.floor(Math.max(places - size, 0) / 2) : 0;
      });
      const [at, dyAt] = [x.arraySync(), dy.arraySync()];
      const expected: number[] = [];
      for (let i = 0; i < tapsY; i++)
        for (let j = 0; j < tapsX; j++)
          for (let c = 0; c < channels; c++)
            for (let o = 0; o < filters; o++) {
              let sum = 0;
              for (let n = 0; n < images; n++)
                for (let p = 0; p < shape[1]; p++)
                  for (let q = 0; q < shape[2]; q++) {
                    const row = at[n][p * stride + i - before[0]];
                    sum += (row?.[q * stride + j - before[1]]?.[c] ?? 0) * dyAt[n][p][q][o];
                  }
              expected.push(sum);
            }
      // Sums of at most 200 products of numbers of size 1, in float32.
      const numbers = found.dataSync();
      expected.forEach((value, k) => {
        expect(Math.abs(numbers[k] - value)).toBeLessThan(1e-4);
      });
      // As the tape calls it.
      addKernelGradient();
      const [taped] = tf.grads((w) => tf.conv2d(x, w as tf.Tensor4D, stride, pad))([kernel], dy);
      expect([...taped.dataSync()]).toEqual([...numbers]);
      tf.dispose([x, kernel, dy, found, taped]);
    },
  );
});

describe("networks with convolutions", () => {
  const images = { training: synthetic(100, 1), test: synthetic(40, 2) };
  let results: ConvolutionResult[];
  const of = (by: NormalizedBy) => results.find((result) => result.by === by) as ConvolutionResult;

  beforeAll(async () => {
    results = await convolutionExperiment(images, settings.convolutional, () => {});
  });

  test("have norms that are those of their matrices, proven", async () => {
    const network = createConvolutionalNetwork(settings.convolutional.convolutions, "nothing", 3);
    const { factors, bound } = await provenBound(network);
    const linear = network.layers.filter(({ weights }) => weights.length > 0);
    const norms = linear.map((layer) => {
      const shape = (layer.input as SymbolicTensor).shape.slice(1) as number[];
      const size = tf.util.sizeFromShape(shape);
      const matrix = tf.tidy(() => {
        const kernel = layer.getWeights()[0];
        const units = tf.reshape(tf.eye(size), [size, ...shape]);
        if (kernel.rank === 2) return tf.matMul(units as tf.Tensor2D, kernel as tf.Tensor2D);
        const { strides } = layer as unknown as { strides: [number, number] };
        const made = tf.conv2d(units as tf.Tensor4D, kernel as tf.Tensor4D, strides, "same");
        return tf.reshape(made, [size, -1]);
      });
      return spectralNorm({ data: matrix.dataSync<"float32">(), shape: matrix.shape as [number, number] });
    });
    expect(factors.length).toBe(3);
    factors.forEach((factor, k) => {
      // The norm of a matrix in float32, which the proof is not.
      expect(Math.abs(factor / norms[k] - 1)).toBeLessThan(1e-6);
    });
    expect(bound / factors.reduce((a, b) => a * b, 1)).toBeCloseTo(1, 12);
    network.dispose();
  });

  test("have the norms that were normalized", () => {
    for (const norm of of("reshape").reshapedNorms) expect(Math.abs(norm - 1)).toBeLessThan(1e-5);
    for (const factor of of("operator").factors) expect(Math.abs(factor - 1)).toBeLessThan(1e-5);
    expect(Math.abs(reshapedProduct(of("reshape")) - of("reshape").bound)).toBeGreaterThan(0.01);
  });

  test("are nowhere found to be steeper than their bounds", () => {
    for (const { name, bound, steepness, broken, certified } of results) {
      const { jacobianNorms, attackSlopes } = steepness;
      expect(jacobianNorms.length, name).toBe(settings.convolutional.measured);
      expect(attackSlopes.length, name).toBe(broken.filter((at) => at > 0 && at < Infinity).length);
      expect(attackSlopes.length, name).toBeGreaterThan(0);
      for (const slope of [...jacobianNorms, ...attackSlopes]) {
        expect(slope).toBeGreaterThan(0);
        expect(slope).toBeLessThanOrEqual(bound * 1.001);
      }
      broken.forEach((at, i) => {
        expect(at === 0 ? certified[i] === 0 : certified[i] <= at).toBe(true);
      });
      expect(certified.some((length) => length > 0)).toBe(true);
    }
  });

  test("begin with the same kernels", () => {
    const [plain, ...others] = settings.convolutional.networks.map((by) =>
      createConvolutionalNetwork(settings.convolutional.convolutions, by, 7)
        .weights.filter(({ name }) => name.includes("kernel"))
        .map((weight) => [...weight.read().dataSync()]),
    );
    for (const other of others) expect(other).toEqual(plain);
  });

  test("leave no tensor behind", async () => {
    const network = createConvolutionalNetwork(settings.convolutional.convolutions, "operator", 7);
    const before = tf.memory().numTensors;
    await provenBound(network);
    reshapedNorms(network);
    expect(tf.memory().numTensors).toBe(before);
    network.dispose();
    const small: ConvolutionSettings = { ...settings.convolutional, networks: ["reshape"], epochs: 1 };
    const outside = tf.memory().numTensors;
    await convolutionExperiment(images, small, () => {});
    expect(tf.memory().numTensors).toBe(outside);
  });

  test("stop where a bound does not hold", () => {
    const plain = of("nothing");
    const low = largest(plain.steepness.attackSlopes) * 0.5;
    expect(() => checkTheorems({ ...plain, bound: low })).toThrow("beyond the bound");
  });
});

describe("the digits", () => {
  let folder: string;
  const counts = [3, 1, 2, 2, 1, 1, 1, 1, 1, 2];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "digits-"));
    await mkdir(join(folder, "src", "digits"), { recursive: true });
    for (const [digit, count] of counts.entries()) {
      // Pixels that say which image they are of.
      const data = Array.from(
        { length: count * PIXELS },
        (_, i) => (digit + Math.floor(i / PIXELS) / 10) / 10,
      );
      await writeFile(join(folder, "src", "digits", `${digit}.json`), JSON.stringify({ data }));
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("are all in one of two sets, with their labels", async () => {
    const { training, test: held } = await loadDigits(folder, 5, 1);
    expect([training.count, held.count]).toEqual([10, 5]);
    const names = [training, held].flatMap(({ count, pixels, labels }) =>
      Array.from({ length: count }, (_, i) => {
        expect(Math.floor(10 * pixels[i * PIXELS] + 1e-4)).toBe(labels[i]);
        return pixels[i * PIXELS].toFixed(3);
      }),
    );
    expect(new Set(names).size).toBe(15);
  });

  test("are divided as the seed says", () => {
    expect([...permutation(50, 4)]).toEqual([...permutation(50, 4)]);
    expect([...permutation(50, 4)]).not.toEqual([...permutation(50, 5)]);
    expect([...permutation(50, 4)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});
