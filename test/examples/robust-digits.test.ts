import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attack, standingAt } from "../../examples/robust-digits/attack.js";
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
import { type Run, textTable, withMeasured } from "../../examples/robust-digits/tables.js";
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
    expect(lines.length).toBe(settings.networks.length * (settings.epochs + 1));
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
    for (const text of [page, textTable(run), ...figures(result).map(standaloneFigure)]) {
      expect(text).not.toMatch(/NaN|undefined|\[object/);
    }
    expect(page.match(/<figure /g)?.length).toBe(4);
    const readme = "before <!-- measured: begin --> old <!-- measured: end --> after";
    const written = withMeasured(readme, run);
    expect(written).toMatch(/^before <!-- measured: begin -->\n\| .*\n<!-- measured: end --> after$/s);
    expect(withMeasured(written, run)).toBe(written);
    expect(() => withMeasured("no markers", run)).toThrow("README.md");
  });
});

test("the README holds a run's numbers", async () => {
  const readme = await readFile(new URL("../../examples/README.md", import.meta.url), "utf8");
  const [, measured] = /<!-- measured: begin -->(.*)<!-- measured: end -->/s.exec(readme) ?? [];
  expect(measured).toMatch(/^\| test accuracy +(\| +\d+\.\d% ){3}\|$/m);
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
