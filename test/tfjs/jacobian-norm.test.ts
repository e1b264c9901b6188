// References: Jacobians multiplied together from those of the pieces, written down entry by entry; closed forms.
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, test } from "vitest";
import { type JacobianNorm, jacobianNorm } from "../../src/tfjs/index.js";
import { truth } from "./oracle.js";
import { complaint, dot, normal, onEachBackend } from "./setup.js";

/** One operation of a network on flattened tensors, with its Jacobian (row-major) where it is computed. */
interface Piece {
  readonly name: string;
  readonly f: (x: tf.Tensor) => tf.Tensor;
  readonly outputs: number;
  jacobian(x: Float32Array): Float64Array;
}

const UNIT = 2 ** -24;
const tensorOf = (data: Float32Array, shape: number[]) => tf.tensor(data, shape);

function dense(inputs: number, outputs: number, seed: number): Piece {
  const w = normal(inputs * outputs, seed).map((value) => value / Math.sqrt(inputs));
  return {
    name: "dense",
    outputs,
    f: (x) => tf.reshape(tf.matMul(tensorOf(w, [outputs, inputs]), tf.reshape(x, [inputs, 1])), [outputs]),
    jacobian: () => Float64Array.from(w),
  };
}

/** A function of each entry. */
function entrywise(
  name: string,
  n: number,
  f: (x: tf.Tensor) => tf.Tensor,
  slope: (x: number) => number,
): Piece {
  return {
    name,
    outputs: n,
    f,
    jacobian: (x) => {
      const J = new Float64Array(n * n);
      x.forEach((value, i) => {
        J[i * n + i] = slope(value);
      });
      return J;
    },
  };
}

const relu = (n: number) =>
  entrywise("relu", n, tf.relu, (x) => {
    return x > 0 ? 1 : 0;
  });
const tanh = (n: number) => entrywise("tanh", n, tf.tanh, (x) => 1 - Math.tanh(x) ** 2);
const elu = (n: number) => entrywise("elu", n, tf.elu, (x) => (x > 0 ? 1 : Math.exp(x)));

function softmax(n: number): Piece {
  return {
    name: "softmax",
    outputs: n,
    f: (x) => tf.softmax(tf.reshape(x, [n])),
    jacobian: (x) => {
      const most = Math.max(...x);
      const weights = Array.from(x, (value) => Math.exp(value - most));
      const total = weights.reduce((a, b) => a + b);
      const p = weights.map((value) => value / total);
      return Float64Array.from({ length: n * n }, (_, k) => {
        const [i, j] = [Math.floor(k / n), k % n];
        return (i === j ? p[i] : 0) - p[i] * p[j];
      });
    },
  };
}

/** Batch normalization at inference, of images with these channels. */
function batchNorm(size: number, channels: number, seed: number): Piece {
  const [mean, scale] = [normal(channels, seed), normal(channels, seed + 1)];
  const variance = normal(channels, seed + 2).map((value) => 0.5 + value * value);
  const n = size * size * channels;
  return {
    name: "batchNorm",
    outputs: n,
    f: (x) =>
      tf.reshape(
        tf.batchNorm(
          tf.reshape(x, [1, size, size, channels]) as tf.Tensor4D,
          tf.tensor1d(mean),
          tf.tensor1d(variance),
          tf.zeros([channels]) as tf.Tensor1D,
          tf.tensor1d(scale),
          1e-3,
        ),
        [n],
      ),
    jacobian: () => {
      const J = new Float64Array(n * n);
      for (let i = 0; i < n; i++)
        J[i * n + i] = scale[i % channels] / Math.sqrt(variance[i % channels] + 1e-3);
      return J;
    },
  };
}

/** A 3×3 convolution with zeros around, stride 1. */
function convolution(
  size: number,
  channels: number,
  filters: number,
  seed: number,
  depthwise = false,
): Piece {
  const outputs = depthwise ? channels * filters : filters;
  const count = 9 * channels * filters;
  const w = normal(count, seed).map((value) => value / (3 * Math.sqrt(channels)));
  const [m, n] = [size * size * outputs, size * size * channels];
  return {
    name: depthwise ? "depthwise" : "convolution",
    outputs: m,
    f: (x) => {
      const image = tf.reshape(x, [1, size, size, channels]) as tf.Tensor4D;
      const kernel = tensorOf(w, [3, 3, channels, filters]) as tf.Tensor4D;
      return tf.reshape((depthwise ? tf.depthwiseConv2d : tf.conv2d)(image, kernel, 1, "same"), [m]);
    },
    jacobian: () => {
      const J = new Float64Array(m * n);
      for (let p = 0; p < size * size; p++)
        for (let tap = 0; tap < 9; tap++) {
          const [i, j] = [Math.floor(p / size) + Math.floor(tap / 3) - 1, (p % size) + (tap % 3) - 1];
          if (i < 0 || j < 0 || i >= size || j >= size) continue;
          for (let c = 0; c < channels; c++)
            for (let k = 0; k < filters; k++) {
              const o = depthwise ? c * filters + k : k;
              J[(p * outputs + o) * n + (i * size + j) * channels + c] =
                w[(tap * channels + c) * filters + k];
            }
        }
      return J;
    },
  };
}

/** Windows of 2×2, maximum or mean, with the given stride and no padding. */
function pool(size: number, channels: number, stride: number, max: boolean): Piece {
  const to = Math.floor((size - 2) / stride) + 1;
  const [m, n] = [to * to * channels, size * size * channels];
  return {
    name: max ? "maxPool" : "avgPool",
    outputs: m,
    f: (x) => {
      const image = tf.reshape(x, [1, size, size, channels]) as tf.Tensor4D;
      return tf.reshape((max ? tf.maxPool : tf.avgPool)(image, 2, stride, "valid"), [m]);
    },
    jacobian: (x) => {
      const J = new Float64Array(m * n);
      for (let k = 0; k < m; k++) {
        const [p, c] = [Math.floor(k / channels), k % channels];
        const places = [0, 1, 2, 3].map((d) => {
          const [i, j] = [Math.floor(p / to) * stride + (d >> 1), (p % to) * stride + (d & 1)];
          return (i * size + j) * channels + c;
        });
        const largest = places.reduce((best, at) => (x[at] > x[best] ? at : best));
        for (const at of places) J[k * n + at] = max ? (at === largest ? 1 : 0) : 0.25;
      }
      return J;
    },
  };
}

function multiplied(A: Float64Array, B: Float64Array, inner: number): Float64Array {
  const [m, n] = [A.length / inner, B.length / inner];
  const C = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let k = 0; k < inner; k++) {
      const a = A[i * inner + k];
      if (a !== 0) for (let j = 0; j < n; j++) C[i * n + j] += a * B[k * n + j];
    }
  return C;
}

/** √(‖A‖₁·‖A‖∞) ≥ ‖A‖₂ */
function normBound(A: Float64Array, columns: number): number {
  const rowSums = new Float64Array(A.length / columns);
  const columnSums = new Float64Array(columns);
  A.forEach((value, k) => {
    rowSums[Math.floor(k / columns)] += Math.abs(value);
    columnSums[k % columns] += Math.abs(value);
  });
  return Math.sqrt(Math.max(...rowSums) * Math.max(...columnSums));
}

/** The network, its exact Jacobian at x, and a bound of the rounding in products with it. */
function networkOf(pieces: readonly Piece[], x: Float32Array) {
  const f = (z: tf.Tensor) => pieces.reduce((value, piece) => piece.f(value), z);
  let at = x;
  let J: Float64Array | undefined;
  let bound = 1;
  let width = x.length;
  for (const piece of pieces) {
    const local = piece.jacobian(at);
    const columns = at.length;
    bound *= normBound(local, columns);
    J = J ? multiplied(local, J, columns) : local;
    width = Math.max(width, columns, piece.outputs);
    at = tf.tidy(() =>
      piece
        .f(tensorOf(at, [at.length]))
        .dataSync<"float32">()
        .slice(),
    );
  }
  // Each of the operations is off by at most about √width roundings of what the norms allow (float32 sums in any order).
  return { f, J: J as Float64Array, rounding: 8 * pieces.length * Math.sqrt(width) * UNIT * bound };
}

/** The numbers of an answer, whose tensors are disposed. */
function numbersOf({ u, v, ...rest }: JacobianNorm) {
  const numbers = {
    ...rest,
    u: Float64Array.from(u.dataSync()),
    v: Float64Array.from(v.dataSync()),
    shapes: [u.shape, v.shape],
  };
  tf.dispose([u, v]);
  return numbers;
}

const NETWORKS: readonly (readonly [string, number, (seed: number) => Piece[]])[] = [
  ["dense, relu, dense, 10 outputs", 40, (s) => [dense(40, 30, s), relu(30), dense(30, 10, s + 1)]],
  ["dense, tanh, dense, 70 outputs", 50, (s) => [dense(50, 60, s), tanh(60), dense(60, 70, s + 1)]],
  ["more outputs than inputs", 12, (s) => [dense(12, 90, s), elu(90)]],
  [
    "softmax of many",
    30,
    (s) => [
      dense(30, 66, s),
      entrywise(
        "scale",
        66,
        (x) => tf.mul(x, 2),
        () => 2,
      ),
      softmax(66),
    ],
  ],
  [
    "convolution, relu, maxPool, dense",
    6 * 6 * 2,
    (s) => [
      convolution(6, 2, 3, s),
      batchNorm(6, 3, s + 1),
      elu(108),
      relu(108),
      pool(6, 3, 2, true),
      dense(27, 5, s + 2),
      softmax(5),
    ],
  ],
  [
    "convolutions with overlapping maxima, many outputs",
    6 * 6 * 2,
    (s) => [convolution(6, 2, 4, s), relu(144), pool(6, 4, 1, true), convolution(5, 4, 3, s + 1)],
  ],
  [
    "batch norm and average pooling, many outputs",
    6 * 6 * 3,
    (s) => [batchNorm(6, 3, s), convolution(6, 3, 3, s + 1), tanh(108), pool(6, 3, 1, false)],
  ],
];

onEachBackend("jacobianNorm", (backend) => {
  test.each(NETWORKS)("of %s is that of the Jacobian", (_, inputs, make) => {
    for (let seed = 1; seed <= 2; seed++) {
      const x = normal(inputs, 100 * seed);
      const { f, J, rounding } = networkOf(make(100 * seed + 1), x);
      const m = J.length / inputs;
      const input = tensorOf(x, [inputs]);
      const before = tf.memory().numTensors;
      const { sigma, residual, converged, u, v } = numbersOf(jacobianNorm(f, input));
      // f makes tensors of its own, all of which are released.
      expect(tf.memory().numTensors).toBe(before);
      const { S } = truth(J, m, inputs);
      expect(sigma).toBeLessThanOrEqual(S[0] + rounding);
      expect(sigma).toBeGreaterThanOrEqual(S[0] * (1 - 1e-6) - rounding);
      expect(converged).toBe(true);
      expect(Math.hypot(...u)).toBeCloseTo(1, 6);
      expect(Math.hypot(...v)).toBeCloseTo(1, 6);
      // The residual is what it says it is, for the exact Jacobian.
      const Jv = multiplied(J, v, inputs);
      const Jtu = multiplied(u, J, m);
      const exact = Math.hypot(
        ...Jv.map((value, i) => value - sigma * u[i]),
        ...Jtu.map((value, i) => value - sigma * v[i]),
      );
      expect(Math.abs(residual - exact)).toBeLessThanOrEqual(2 * rounding);
      input.dispose();
    }
  });

  test("of a linear function is the norm of its matrix, whatever the shapes", () => {
    const [m, n] = [84, 72];
    const a = normal(m * n, 5);
    const W = tensorOf(a, [m, n]);
    const f = (x: tf.Tensor) => tf.reshape(tf.matMul(W, tf.reshape(x, [n, 1])), [3, 4, 7]);
    const { sigma, shapes } = numbersOf(jacobianNorm(f, tf.zeros([6, 2, 6])));
    const exact = truth(a, m, n).S[0];
    expect(Math.abs(sigma / exact - 1)).toBeLessThan(2e-6);
    expect(shapes).toEqual([
      [3, 4, 7],
      [6, 2, 6],
    ]);
  });

  test("of a function of each entry is its steepest slope, also where it is tied", () => {
    const x = Float32Array.from({ length: 100 }, (_, i) => 0.03 * (i - 20));
    const square = numbersOf(jacobianNorm((z) => tf.square(z), tf.tensor1d(x)));
    expect(square.sigma).toBeCloseTo(2 * 0.03 * 79, 4);
    expect(Math.abs(square.v[99])).toBeCloseTo(1, 4);
    const tied = numbersOf(jacobianNorm((z) => tf.mul(z, -3), tf.tensor1d(x)));
    expect(tied.sigma).toBeCloseTo(3, 5);
    expect(tied.converged).toBe(true);
    const sine = numbersOf(jacobianNorm((z) => tf.sin(z), tf.zeros([4])));
    expect(sine.sigma).toBeCloseTo(1, 6);
  });

  test("of a scalar function is the length of its gradient; x may be a scalar", () => {
    const x = normal(90, 3);
    const { sigma, v, shapes } = numbersOf(jacobianNorm((z) => tf.sum(tf.square(z)), tf.tensor1d(x)));
    const length = Math.sqrt(dot(x, x));
    expect(sigma / (2 * length)).toBeCloseTo(1, 6);
    expect(Math.abs(dot(v, x)) / length).toBeCloseTo(1, 6);
    expect(shapes[0]).toEqual([]);
    expect(numbersOf(jacobianNorm((z) => tf.mul(z, 7), tf.scalar(2))).sigma).toBeCloseTo(7, 5);
    const spread = jacobianNorm((z) => tf.mul(z, tf.ones([100])), tf.scalar(2));
    expect(numbersOf(spread).sigma).toBeCloseTo(10, 5);
  });

  test("is 0 where f ignores x, is locally constant, or passes a maximum's place alone", () => {
    const x = tf.tensor1d(normal(100, 4));
    for (const f of [
      () => tf.ones([5]),
      () => tf.ones([80]),
      (z: tf.Tensor) => tf.round(z),
      (z: tf.Tensor) => tf.cast(tf.oneHot(tf.argMax(z), 100), "float32"),
    ]) {
      const { sigma, residual, converged, u, v } = numbersOf(jacobianNorm(f, x));
      expect({ sigma, residual, converged }).toEqual({ sigma: 0, residual: 0, converged: true });
      expect(Math.hypot(...u)).toBeCloseTo(1, 6);
      expect(Math.hypot(...v)).toBeCloseTo(1, 6);
    }
    const zero = numbersOf(jacobianNorm((z) => z, x));
    expect(zero.sigma).toBe(1);
  });

  test("forms the Jacobian where a gradient has no derivative", () => {
    const x = tf.tensor4d(normal(4 * 4 * 6, 8), [1, 4, 4, 6]);
    const f = (z: tf.Tensor) => tf.localResponseNormalization(z as tf.Tensor4D);
    const { sigma, converged } = numbersOf(jacobianNorm(f, x));
    const J = new Float64Array(96 * 96);
    for (let i = 0; i < 96; i++)
      J.set(
        tf
          .grad((z: tf.Tensor) => tf.slice(tf.reshape(f(z), [96]), [i], [1]))(x)
          .dataSync(),
        i * 96,
      );
    expect(sigma / truth(J, 96, 96).S[0]).toBeCloseTo(1, 5);
    expect(converged).toBe(true);
  });

  test.skipIf(backend === "wasm")("of a depthwise convolution with ELU (not on wasm)", () => {
    const x = normal(75, 2);
    const { f, J, rounding } = networkOf([convolution(5, 3, 2, 1, true), elu(150)], x);
    const { sigma, converged } = numbersOf(jacobianNorm(f, tf.tensor1d(x)));
    expect(Math.abs(sigma - truth(J, 150, 75).S[0])).toBeLessThan(1e-6 * sigma + rounding);
    expect(converged).toBe(true);
  });

  test("of a layers model, and of a sample at a time in a batch", () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 3, kernelSize: 3, activation: "relu", inputShape: [6, 6, 1] }),
        tfl.layers.maxPooling2d({ poolSize: 2 }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 4 }),
      ],
    });
    const batch = tf.tensor4d(normal(3 * 36, 7), [3, 6, 6, 1]);
    const f = (x: tf.Tensor) => model.apply(x) as tf.Tensor;
    const each = [0, 1, 2].map(
      (i) => numbersOf(jacobianNorm(f, tf.slice(batch, [i, 0, 0, 0], [1, 6, 6, 1]))).sigma,
    );
    // The Jacobian of a batch is block diagonal.
    const { sigma } = numbersOf(jacobianNorm(f, batch));
    expect(sigma / Math.max(...each)).toBeCloseTo(1, 5);
    const predicted = numbersOf(jacobianNorm((x) => model.predict(x) as tf.Tensor, batch));
    expect(predicted.sigma / sigma).toBeCloseTo(1, 6);
  });
});

describe("max pooling of negative numbers", () => {
  const pieces = [pool(7, 2, 2, true)];
  const x = normal(98, 1).map((value) => -Math.abs(value));
  test("is right on cpu", async () => {
    await tf.setBackend("cpu");
    const { f } = networkOf(pieces, x);
    expect(numbersOf(jacobianNorm(f, tf.tensor1d(x))).sigma).toBeCloseTo(1, 6);
  });
  test("is an error on wasm, where TensorFlow.js' gradient of it is wrong", async () => {
    await tf.setBackend("wasm");
    const { f } = networkOf(pieces, x);
    expect(complaint(() => jacobianNorm(f, tf.tensor1d(x))).code).toBe("ERR_ADJOINT");
  });
});

test.each(["same", "valid", 1] as const)(
  "max pooling with padding %s, windows of any size",
  async (padding) => {
    await tf.setBackend("cpu");
    for (const [window, stride] of [
      [[3, 2], 1],
      [2, 2],
      [
        [2, 3],
        [2, 1],
      ],
    ] as [number | [number, number], number | [number, number]][]) {
      const x = tf.tensor4d(normal(2 * 7 * 8 * 3, 5), [2, 7, 8, 3]);
      const f = (z: tf.Tensor) => tf.maxPool(z as tf.Tensor4D, window, stride, padding);
      const { sigma, v } = numbersOf(jacobianNorm(f, x));
      // The square of the norm is the largest number of windows that have one maximum.
      const outputs = f(x).dataSync();
      const counts = new Map<number, number>();
      for (const value of outputs) counts.set(value, (counts.get(value) ?? 0) + 1);
      expect(sigma).toBeCloseTo(Math.sqrt(Math.max(...counts.values())), 5);
      expect(Math.hypot(...v)).toBeCloseTo(1, 6);
    }
  },
);

describe("jacobianNorm's options and refusals", () => {
  beforeAll(async () => {
    await tf.setBackend("cpu");
  });

  const n = 120;
  const matrix = normal(n * n, 9);
  const counted = () => {
    let calls = 0;
    const f = (x: tf.Tensor) => {
      calls++;
      return tf.reshape(tf.matMul(tensorOf(matrix, [n, n]), tf.reshape(x, [n, 1])), [n]);
    };
    return { f, calls: () => calls };
  };
  const x = () => tf.tensor1d(normal(n, 1));
  const exact = truth(matrix, n, n).S[0];

  test("too few iterations give a lower bound that is not converged", () => {
    const { sigma, converged, residual } = numbersOf(jacobianNorm(counted().f, x(), { maxIterations: 2 }));
    expect(converged).toBe(false);
    expect(sigma).toBeLessThan(exact * (1 - 1e-3));
    expect(residual).toBeGreaterThan(1e-3 * sigma);
  });

  test("a looser rtol takes fewer evaluations, and holds", () => {
    const [loose, tight] = [counted(), counted()];
    const answer = numbersOf(jacobianNorm(loose.f, x(), { rtol: 1e-2 }));
    numbersOf(jacobianNorm(tight.f, x()));
    expect(loose.calls()).toBeLessThan(tight.calls());
    expect(answer.converged).toBe(true);
    expect(answer.sigma).toBeGreaterThan(exact * (1 - 1e-2));
    // Beyond what float32 has, nothing is called accurate.
    expect(numbersOf(jacobianNorm(counted().f, x(), { rtol: 1e-12 })).converged).toBe(false);
  });

  test("a start, a tensor or an array, changes the cost and not the answer", () => {
    const first = jacobianNorm(counted().f, x());
    for (const start of [first.v, first.v.dataSync(), tf.ones([n]), new Float32Array(n)]) {
      expect(numbersOf(jacobianNorm(counted().f, x(), { start })).sigma / exact).toBeCloseTo(1, 5);
    }
    tf.dispose([first.u, first.v]);
    expect(complaint(() => jacobianNorm(counted().f, x(), { start: [1, 2] })).code).toBe("ERR_SHAPE");
    const nan = new Float32Array(n).fill(Number.NaN);
    expect(complaint(() => jacobianNorm(counted().f, x(), { start: nan })).code).toBe("ERR_NON_FINITE");
  });

  test("the same call gives the same bits, and works while a gradient is taken", () => {
    const answers = [0, 1].map(() => numbersOf(jacobianNorm(counted().f, x(), { seed: 3 })));
    expect(answers[0]).toEqual(answers[1]);
    const before = tf.memory().numTensors;
    let inside = 0;
    const z = x();
    const gradient = tf.grad((z: tf.Tensor) => {
      inside = numbersOf(jacobianNorm(counted().f, z)).sigma;
      return tf.sum(tf.square(z));
    })(z);
    expect(inside / exact).toBeCloseTo(1, 5);
    tf.dispose([gradient, z]);
    expect(tf.memory().numTensors).toBe(before);
  });

  const cases: [string, () => unknown, string, RegExp][] = [
    ["f that is no function", () => jacobianNorm({} as never, x()), "ERR_UNSUPPORTED", /f is not a function/],
    [
      "x that is no tensor",
      () => jacobianNorm(tf.relu, [1] as never),
      "ERR_UNSUPPORTED",
      /x is not a Tensor/,
    ],
    [
      "x of integers",
      () => jacobianNorm(tf.relu, tf.tensor1d([1], "int32")),
      "ERR_UNSUPPORTED",
      /x has dtype int32.*tf\.cast/,
    ],
    ["an empty x", () => jacobianNorm(tf.relu, tf.zeros([0, 3])), "ERR_SHAPE", /x is empty/],
    [
      "an f with an integer result",
      () => jacobianNorm((z) => tf.argMax(z), x()),
      "ERR_UNSUPPORTED",
      /f\(x\) has dtype int32/,
    ],
    [
      "an asynchronous f",
      () => jacobianNorm((async (z: tf.Tensor) => z) as never, x()),
      "ERR_UNSUPPORTED",
      /must not be asynchronous/,
    ],
    [
      "an f that returns an array",
      () => jacobianNorm((() => [1]) as never, x()),
      "ERR_UNSUPPORTED",
      /f\(x\) is not a/,
    ],
    [
      "x with a NaN",
      () => jacobianNorm(tf.relu, tf.tensor2d([1, 2, Number.NaN, 4], [2, 2])),
      "ERR_NON_FINITE",
      /x is NaN at \[1, 0\]/,
    ],
    [
      "an infinite f(x)",
      () => jacobianNorm((z) => tf.div(1, z), tf.tensor1d([1, 0])),
      "ERR_NON_FINITE",
      /f\(x\) is Infinity at \[1\]/,
    ],
    [
      "a derivative that is infinite",
      () => jacobianNorm((z) => tf.sqrt(z), tf.zeros([3])),
      "ERR_NON_FINITE",
      /derivative of f at x/,
    ],
    [
      "f that reads x",
      () => jacobianNorm((z) => tf.tensor1d(z.dataSync()), x()),
      "ERR_UNSUPPORTED",
      /not by TensorFlow\.js operations/,
    ],
    [
      "an operation without a gradient",
      () => jacobianNorm((z) => tf.topk(z, 3).values, x()),
      "ERR_UNSUPPORTED",
      /cannot differentiate f: .*TopK/,
    ],
    [
      "dropout",
      () => jacobianNorm((z) => tf.dropout(z, 0.5), x()),
      "ERR_ADJOINT",
      /not deterministic.*dropout/,
    ],
    [
      "an unknown option",
      () => jacobianNorm(tf.relu, x(), { tol: 1 } as never),
      "ERR_OPTION",
      /^tol: no such/,
    ],
    [
      "a positional option",
      () => jacobianNorm(tf.relu, x(), 1e-3 as never),
      "ERR_OPTION",
      /^options: .*got 0.001/,
    ],
    ["a wrong rtol", () => jacobianNorm(tf.relu, x(), { rtol: -1 }), "ERR_OPTION", /^rtol: /],
  ];
  test.each(cases)("%s is an error that says so, and leaves no tensor", (_, run, code, message) => {
    const before = tf.memory().numTensors;
    let made = 0;
    const error = tf.tidy(() => {
      const complained = complaint(run);
      made = tf.memory().numTensors;
      return complained as unknown as tf.TensorContainer;
    }) as unknown as { code: string; message: string };
    expect(made).toBeGreaterThanOrEqual(before);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.engine().state.gradientDepth).toBe(0);
  });

  test("what f throws comes through", () => {
    expect(
      complaint(() =>
        jacobianNorm(() => {
          throw new RangeError("mine");
        }, x()),
      ),
    ).toBeInstanceOf(RangeError);
  });

  test("a gradient that TensorFlow.js gets wrong is an error, with few outputs and with many", () => {
    // Its backward pass divides by the size of the window, its forward pass by the part inside the image.
    for (const size of [4, 9]) {
      const f = (z: tf.Tensor) => tf.avgPool(z as tf.Tensor4D, 2, 1, "same");
      const error = complaint(() => jacobianNorm(f, tf.ones([1, size, size, 1])));
      expect(error.code).toBe("ERR_ADJOINT");
      expect(error.message).toMatch(/average pooling with padding "same"/);
    }
  });
});
