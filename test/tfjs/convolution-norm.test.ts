// The regularizer and the constraint by the norm of the convolution: against dense SVDs of its matrix.
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { expect, test } from "vitest";
import { applyConstraints, maxSpectralNorm, spectralNormRegularizer } from "../../src/tfjs/index.js";
import { truth } from "./oracle.js";
import { complaint, maxDifference, normal, onEachBackend, taken } from "./setup.js";

type Args = Parameters<typeof spectralNormRegularizer>[0];

interface Case {
  readonly name: string;
  readonly args: NonNullable<Args>;
  readonly kernel: number[];
  readonly image: number[];
  readonly operation: (x: tf.Tensor, k: tf.Tensor) => tf.Tensor;
}

const CASES: Case[] = [
  {
    name: "conv2d",
    args: { input: [5, 4], padding: "same" },
    kernel: [3, 3, 2, 3],
    image: [5, 4, 2],
    operation: (x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, "same"),
  },
  {
    name: "conv2d with strides",
    args: { input: [6, 5], strides: [2, 1], layerType: "conv2d" },
    kernel: [3, 2, 2, 2],
    image: [6, 5, 2],
    operation: (x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, [2, 1], "valid"),
  },
  {
    name: "dilated conv1d",
    args: { input: [11], dilationRate: 2, padding: "same" },
    kernel: [3, 2, 3],
    image: [11, 2],
    operation: (x, k) => tf.conv1d(x as tf.Tensor3D, k as tf.Tensor3D, 1, "same", "NWC", 2),
  },
  {
    name: "conv2dTranspose",
    args: { input: [3, 4], strides: 2, layerType: "conv2dTranspose" },
    kernel: [3, 3, 2, 3],
    image: [3, 4, 3],
    operation: (x, k) =>
      tf.conv2dTranspose(x as tf.Tensor4D, k as tf.Tensor4D, [x.shape[0], 7, 9, 2], 2, "valid"),
  },
  {
    name: "depthwiseConv2d",
    args: { input: [5, 5], padding: "same", layerType: "depthwiseConv2d" },
    kernel: [3, 3, 2, 2],
    image: [5, 5, 2],
    operation: (x, k) => tf.depthwiseConv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, "same"),
  },
  {
    name: "conv3d",
    args: { input: [3, 3, 3], padding: "same" },
    kernel: [2, 2, 2, 2, 2],
    image: [3, 3, 3, 2],
    operation: (x, k) => tf.conv3d(x as tf.Tensor5D, k as tf.Tensor5D, 1, "same"),
  },
];

/** The matrix of the operation with a kernel, in float64 numbers. */
function matrixOf({ image, operation, kernel }: Case, weights: Float32Array) {
  const n = image.reduce((a, b) => a * b);
  const columns = tf.tidy(() => {
    const all = operation(tf.reshape(tf.eye(n), [n, ...image]), tf.tensor(weights, kernel));
    return tf.transpose(tf.reshape(all, [n, all.size / n]));
  });
  const data = Float64Array.from(taken(columns));
  return { data, m: data.length / n, n };
}

/** Random weights for which σ₁ is simple, with their matrix. */
function simple(each: Case) {
  const count = each.kernel.reduce((a, b) => a * b);
  for (let seed = 11; ; seed++) {
    const weights = normal(count, seed);
    const { data, m, n } = matrixOf(each, weights);
    const exact = truth(data, m, n);
    if (exact.S[0] - exact.S[1] > 1e-2 * exact.S[0]) return { count, weights, data, m, n, exact };
  }
}

const operator = { conv: "operator" } as const;

onEachBackend("the norm of a convolution", (backend) => {
  // TensorFlow.js' transposed 3-d convolution is wrong on wasm.
  test.each(CASES.filter(({ name }) => !(backend === "wasm" && name === "conv3d")))(
    "of $name is penalized, with its derivative",
    (each) => {
      const { count, weights, data, m, n, exact } = simple(each);
      const w = tf.tensor(weights, each.kernel);
      const penalty = spectralNormRegularizer({ l: 0.5, ...operator, ...each.args });
      const before = tf.memory().numTensors;
      expect(taken(penalty.apply(w))[0] / (0.5 * exact.S[0])).toBeCloseTo(1, 5);
      const { value, grad } = tf.valueAndGrad((k: tf.Tensor) => penalty.apply(k))(w);
      expect(grad.shape).toEqual(each.kernel);
      expect(taken(value)[0] / (0.5 * exact.S[0])).toBeCloseTo(1, 5);
      const got = taken(grad);
      expect(tf.memory().numTensors).toBe(before);
      // σ₁ is simple, and the matrix linear in each weight: a difference of exact norms, off by t²/gap.
      const t = 1e-5;
      const differences = Float64Array.from({ length: count }, (_, k) => {
        const one = new Float32Array(count);
        one[k] = 1;
        const step = matrixOf(each, one).data;
        const at = (sign: number) =>
          truth(
            data.map((value, i) => value + sign * t * step[i]),
            m,
            n,
          ).S[0];
        return (at(1) - at(-1)) / (2 * t);
      });
      const expected = differences.map((value) => 0.5 * value);
      // The gradient is asked for to 1e-4 of u·vᵀ (1e-3 of conv3d), each weight of which meets √(positions) entries.
      expect(maxDifference(got, expected)).toBeLessThan(
        (each.name === "conv3d" ? 1e-3 : 1e-4) * Math.sqrt(n),
      );

      const limit = maxSpectralNorm({ maxValue: 0.25, ...operator, ...each.args });
      const scaled = taken(limit.apply(w));
      expect(
        maxDifference(
          scaled,
          weights.map((x) => (0.25 / exact.S[0]) * x),
        ),
      ).toBeLessThan(1e-5);
      expect(
        maxDifference(taken(maxSpectralNorm({ maxValue: 1e3, ...operator, ...each.args }).apply(w)), weights),
      ).toBe(0);
    },
  );

  test("of a kernel of zeros is 0, with the derivative 0", () => {
    const penalty = spectralNormRegularizer({ ...operator, input: [4, 4] });
    const { value, grad } = tf.valueAndGrad((k: tf.Tensor) => penalty.apply(k))(tf.zeros([2, 2, 1, 2]));
    expect(taken(value)).toEqual(Float32Array.of(0));
    expect(taken(grad)).toEqual(new Float32Array(8));
  });
});

test("both are saved with a model, and work after loading", async () => {
  await tf.setBackend("cpu");
  const convolution = { ...operator, input: [6, 6], strides: 2, padding: "same" } as const;
  const layer = tfl.layers.conv2d({
    filters: 3,
    kernelSize: 3,
    strides: 2,
    padding: "same",
    useBias: false,
    inputShape: [6, 6, 2],
    kernelRegularizer: spectralNormRegularizer({ l: 0.1, ...convolution }),
    kernelConstraint: maxSpectralNorm({ maxValue: 0.5, ...convolution }),
  });
  const model = tfl.sequential({ layers: [layer] });
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
    }),
  );
  const modelTopology = JSON.parse(JSON.stringify(saved?.modelTopology));
  const loaded = await tfl.loadLayersModel(
    tf.io.fromMemory({ ...saved, modelTopology } as tf.io.ModelArtifacts),
  );
  const options = {
    conv: "operator",
    input: [6, 6],
    strides: [2, 2],
    padding: "same",
    dilationRate: [1, 1],
    layerType: "conv2d",
  };
  for (const name of ["kernelRegularizer", "kernelConstraint"]) {
    expect(loaded.layers[0].getConfig()[name]).toMatchObject({ config: options });
    expect(loaded.layers[0].getConfig()[name]).toEqual(layer.getConfig()[name]);
  }
  loaded.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError" });
  await loaded.trainOnBatch(tf.ones([2, 6, 6, 2]), tf.ones([2, 3, 3, 3]));
  applyConstraints(loaded);
  const each: Case = {
    name: "",
    args: {},
    kernel: [3, 3, 2, 3],
    image: [6, 6, 2],
    operation: (x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 2, "same"),
  };
  const { data, m, n } = matrixOf(each, loaded.getWeights()[0].dataSync<"float32">());
  expect(truth(data, m, n).S[0]).toBeLessThan(0.5 * (1 + 1e-5));
});

test("a second derivative is refused, not taken for 0", async () => {
  await tf.setBackend("cpu");
  const penalty = spectralNormRegularizer({ ...operator, input: [4, 4] });
  const w = tf.tensor(normal(8, 1), [2, 2, 1, 2]);
  const gradient = tf.grad((k: tf.Tensor) => penalty.apply(k));
  const error = complaint(() => tf.grad((k: tf.Tensor) => tf.sum(tf.square(gradient(k))))(w));
  expect(error.code).toBe("ERR_UNSUPPORTED");
  expect(error.message).toMatch(/second derivative/);
});

test.each([
  [{ conv: "operator" }, /^input: .* needs it/],
  [{ conv: "matrix" }, /^conv: .* expects/],
  [{ input: [4, 4] }, /^input: .* conv: "operator" only/],
  [{ padding: "same" }, /^padding: .* conv: "operator" only/],
  [{ conv: "operator", input: 4 }, /^input: .* expects an array/],
  [{ conv: "operator", input: [4, 4, 4, 4] }, /^input: .* expects an array/],
  [{ conv: "operator", input: [4, 4], strides: 0 }, /^strides: .* expects a positive integer/],
  [{ conv: "operator", input: [4, 4], strides: [1, 1, 1] }, /^strides: .* 2 of them/],
  [{ conv: "operator", input: [4, 4], padding: "causal" }, /^padding: .* "same" or "valid", got "causal"/],
  [{ conv: "operator", input: [4, 4], dilationRate: 0.5 }, /^dilationRate: /],
  [{ conv: "operator", input: [4, 4], layerType: "dense" }, /^layerType: .* got "dense"/],
  [{ conv: "operator", input: [4, 4], layerType: "conv1d" }, /^input: .* 1 size for conv1d/],
  [{ conv: "operator", input: [4, 4], stride: 2 }, /^stride: no such option .* did you mean strides/],
])("%o is refused at the call", (args, message) => {
  for (const make of [spectralNormRegularizer, maxSpectralNorm]) {
    const error = complaint(() => make(args as never));
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toMatch(message);
  }
});

test("a kernel that does not belong to the options is an error", () => {
  const penalty = spectralNormRegularizer({ ...operator, input: [4, 4] });
  expect(complaint(() => penalty.apply(tf.ones([3, 1, 1]))).code).toBe("ERR_SHAPE");
  expect(complaint(() => penalty.apply(tf.ones([5, 5, 1, 1]))).code).toBe("ERR_SHAPE");
});
