// Every options object: what it is, its names, and its values. A wrong one is an error that names the option, and
// never a default.
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, test } from "vitest";
import {
  jacobianNorm,
  matrixNorm,
  maxSpectralNorm,
  norm,
  SpectralNormalization,
  SpectralNormalizationLayer,
  singularTriplet,
  spectralNorm,
  spectralNormRegularizer,
  spectralNormUnrolled,
  svdvals,
} from "../../src/tfjs/index.js";
import { complaint, taken } from "./setup.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const x = () => tf.tensor2d([3, 0, 0, 1], [2, 2]);
const dense = () => tfl.layers.dense({ units: 2 });

/** A function that takes options: a call of it, one valid option, and wrong values for each option. */
interface Subject {
  call: (options: never) => unknown;
  /** what is valid, to which one wrong option is added */
  base?: () => object;
  wrong: Record<string, readonly unknown[]>;
}

const notCount = [0, -1, 1.5, Number.NaN, Infinity, "3", null, true, [3], 2n];
const notAmount = [-1, Number.NaN, Infinity, "0.1", null, true, [1], 1n];
const notNatural = [-1, 0.5, Number.NaN, Infinity, "1", null];
const SOLVE: Subject["wrong"] = {
  method: ["magic", null, 1],
  rtol: notAmount,
  atol: notAmount,
  maxIterations: notCount,
  start: ["ab", 1, null, ["1", "2"]],
  seed: [0.5, "1", null, Number.NaN],
  readBack: [1, 0, "false", null],
  steps: notCount,
};

const LAYER: Subject["wrong"] = {
  layer: [null, 1, "dense", {}, { kernel: 1 }, tfl.layers.dense],
  powerIterations: notCount,
  conv: ["circular", null, 1, true],
  input: [4, "4", null, [], [0, 4], [1.5], [1, 1, 1, 1]],
  name: [1, {}],
  trainable: [1, "false"],
  inputShape: [4, "4", [0.5], [-1], ["4"]],
  batchInputShape: [4, "4", [-1]],
  batchSize: [0, 1.5, "3"],
  weights: [1, {}, [1]],
  dtype: [1],
  inputDType: [1],
};

const SUBJECTS: Record<string, Subject> = {
  spectralNorm: { call: (options) => spectralNorm(x(), options), wrong: SOLVE },
  "spectralNorm on the device": {
    call: (options) => spectralNorm(x(), options),
    base: () => ({ readBack: false }),
    wrong: { ...SOLVE, readBack: [] },
  },
  singularTriplet: { call: (options) => singularTriplet(x(), options), wrong: SOLVE },
  spectralNormUnrolled: {
    call: (options) => spectralNormUnrolled(x(), options),
    wrong: { rtol: notAmount, atol: notAmount, maxIterations: notNatural, seed: notNatural },
  },
  jacobianNorm: {
    call: (options) => jacobianNorm((z) => tf.mul(z, 2), x(), options),
    wrong: { rtol: notAmount, maxIterations: notCount, seed: SOLVE["seed"], start: SOLVE["start"] },
  },
  norm: { call: (options) => norm(x(), options), wrong: { ord: [3, 0, "frobenius", null, "2", [2], true] } },
  matrixNorm: { call: (options) => matrixNorm(x(), options), wrong: { ord: [3, "FRO", null] } },
  maxSpectralNorm: { call: maxSpectralNorm, wrong: { maxValue: [0, ...notAmount] } },
  spectralNormRegularizer: { call: spectralNormRegularizer, wrong: { l: notAmount } },
  SpectralNormalization: {
    call: SpectralNormalization,
    base: () => ({ layer: dense() }),
    wrong: LAYER,
  },
  SpectralNormalizationLayer: {
    call: (args) => new SpectralNormalizationLayer(args),
    base: () => ({ layer: dense() }),
    wrong: LAYER,
  },
};

describe.each(Object.entries(SUBJECTS))("%s", (_, { call, base = () => ({}), wrong }) => {
  const run = (options: unknown) => complaint(() => call(options as never));

  test("accepts what is valid, and undefined for what is left out", () => {
    expect(run(base()).message).toBe("no error");
    const absent = Object.keys(wrong).filter((name) => !(name in base()));
    expect(run({ ...Object.fromEntries(absent.map((name) => [name, undefined])), ...base() }).message).toBe(
      "no error",
    );
  });

  test("refuses what is not an object with named options", () => {
    const positional = [
      2,
      0.1,
      "fro",
      true,
      null,
      [2],
      [],
      new Float32Array(1),
      new Map(),
      () => 2,
      Symbol("2"),
    ];
    for (const options of positional) {
      const error = run(options);
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(/^(options|args): .* expects an object, such as \{ .* \}, got /);
    }
  });

  test("refuses a tensor and a layer in the place of the options", () => {
    for (const options of [x(), dense(), tfl.layers.timeDistributed({ layer: dense() })]) {
      expect(run(options).code).toBe("ERR_OPTION");
    }
  });

  test("refuses a name that does not exist, and lists those that do", () => {
    for (const name of ["nonsense", "customObjects", "__proto__x", "toString"]) {
      const error = run({ ...base(), [name]: 1 });
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(new RegExp(`^${name}: no such option of `));
      for (const known of Object.keys(wrong)) expect(error.message).toContain(known);
    }
  });

  test("asks whether the name in snake case was meant to be that in camel case", () => {
    for (const name of Object.keys(wrong)) {
      const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      if (snake === name) continue;
      const error = run({ ...base(), [snake]: 1 });
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(new RegExp(`^${snake}: no such option of .*did you mean ${name}\\?`));
    }
  });

  test.each(Object.keys(wrong))("refuses a wrong %s, and says which it takes and got", (name) => {
    for (const value of wrong[name]) {
      // TensorFlow.js' own arguments may be null.
      const error = run({ ...base(), [name]: value });
      expect(error.code, `${name}: ${String(value)}`).toBe("ERR_OPTION");
      expect(error.message).toMatch(new RegExp(`^${name}: .*(expect|takes).* got `));
    }
  });
});

test("what returned another norm, another limit or another factor is an error", () => {
  // As in plain JavaScript, where no type is checked.
  const untyped = { norm, maxSpectralNorm, spectralNormRegularizer, SpectralNormalization } as Record<
    string,
    (...args: unknown[]) => unknown
  >;
  expect(complaint(() => untyped["norm"](x(), 2)).message).toBe(
    "options: norm expects an object, such as { ord: 2 }, got 2",
  );
  expect(complaint(() => untyped["maxSpectralNorm"](2)).message).toBe(
    "args: maxSpectralNorm expects an object, such as { maxValue: 1 }, got 2",
  );
  expect(complaint(() => untyped["spectralNormRegularizer"](0.1)).message).toBe(
    "args: spectralNormRegularizer expects an object, such as { l: 0.01 }, got 0.1",
  );
  expect(
    complaint(() => untyped["SpectralNormalization"]({ layer: dense(), power_iterations: 3 })).message,
  ).toMatch(/^power_iterations: no such option of SpectralNormalization; did you mean powerIterations\?/);
});

test("a wrapper is not taken for arguments, though it has a layer", () => {
  const wrapper = tfl.layers.timeDistributed({ layer: dense() });
  expect(complaint(() => SpectralNormalization(wrapper as never)).message).toMatch(
    /^args: SpectralNormalization expects an object.*got an object of class TimeDistributed/,
  );
});

test("svdvals has no options", () => {
  for (const options of [{}, { ord: 2 }, 2, null]) {
    const error = complaint(() => svdvals(x(), options as never));
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toMatch(/^options: svdvals takes no options, got /);
  }
});

test("normalizedKernel takes a boolean, not an object with one", () => {
  const layer = SpectralNormalization({ layer: dense(), inputShape: [3] });
  layer.build([null, 3]);
  for (const training of [{ training: false }, "false", 0]) {
    expect(complaint(() => layer.normalizedKernel(training as never)).code).toBe("ERR_OPTION");
  }
});

describe("saved configurations", () => {
  test("an option that is not known is an error on loading, too", () => {
    for (const [className, config] of [
      ["MaxSpectralNorm", { maxValue: 1, axis: 0 }],
      ["MaxSpectralNorm", { maxValue: null }],
      ["SpectralNormRegularizer", { l: 1, l2: 0.1 }],
    ] as const) {
      const identifier = { className, config: { ...config } } as never;
      const args =
        className === "MaxSpectralNorm"
          ? { kernelConstraint: identifier }
          : { kernelRegularizer: identifier };
      expect(complaint(() => tfl.layers.dense({ units: 2, ...args })).code).toBe("ERR_OPTION");
    }
  });

  test("a model that Keras saved loads: names in snake case, and those of every layer", async () => {
    const layer = {
      class_name: "Dense",
      config: {
        name: "inner",
        trainable: true,
        dtype: "float32",
        units: 2,
        activation: "linear",
        use_bias: true,
        kernel_constraint: { class_name: "MaxSpectralNorm", config: { max_value: 3 } },
        kernel_regularizer: { class_name: "SpectralNormRegularizer", config: { l: 0.5 } },
      },
    };
    const model = await tfl.models.modelFromJSON({
      class_name: "Sequential",
      config: {
        name: "saved",
        layers: [
          {
            class_name: "SpectralNormalization",
            config: {
              name: "wrapped",
              trainable: false,
              dtype: "float32",
              batch_input_shape: [null, 3],
              layer,
              power_iterations: 4,
            },
          },
        ],
      },
    } as never);
    const loaded = model.layers[0] as SpectralNormalizationLayer;
    expect(loaded).toBeInstanceOf(SpectralNormalizationLayer);
    expect(loaded.powerIterations).toBe(4);
    expect(loaded.name).toBe("wrapped");
    expect(loaded.trainable).toBe(false);
    expect(loaded.layer.getConfig()["kernelConstraint"]).toEqual({
      className: "MaxSpectralNorm",
      config: { maxValue: 3 },
    });
    expect(loaded.layer.getConfig()["kernelRegularizer"]).toEqual({
      className: "SpectralNormRegularizer",
      config: { l: 0.5 },
    });
    expect(taken(loaded.normalizedKernel()).length).toBe(6);
  });

  test("fromConfig leaves the configuration as it was", () => {
    const config = new SpectralNormalizationLayer({ layer: dense(), powerIterations: 2 }).getConfig();
    const before = JSON.stringify(config);
    for (let i = 0; i < 2; i++) {
      const copy = SpectralNormalizationLayer.fromConfig(
        SpectralNormalizationLayer as never,
        config,
      ) as unknown as SpectralNormalizationLayer;
      expect(copy.powerIterations).toBe(2);
    }
    expect(JSON.stringify({ ...config })).toContain('"powerIterations":2');
    expect(Object.keys(config)).toEqual(Object.keys(JSON.parse(before)));
  });
});
