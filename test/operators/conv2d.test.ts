import { describe, expect, it } from "vitest";
import {
  type Conv2dOptions,
  conv2d,
  type NonFiniteError,
  singularTriplets,
  spectralNorm,
} from "../../src/index.js";
import { expectRefusal } from "../refusal.js";
import { type Dense, expectOperator, matrixOf, randomVector, singularValuesOf } from "./adjoint.js";

type Four = [number, number, number, number];

interface Case {
  shape: Four;
  input: [number, number];
  stride: [number, number];
  /** top, bottom, left, right */
  padding: Four;
  dilation: [number, number];
  groups: number;
  boundary: "zero" | "circular";
}

/** The matrix, entry by entry from the definition. */
function byDefinition(K: Float64Array, c: Case): Dense {
  const [o, depth, kh, kw] = c.shape;
  const [h, w] = c.input;
  const channels = depth * c.groups;
  const [top, bottom, left, right] = c.padding;
  const H = Math.floor((h + top + bottom - c.dilation[0] * (kh - 1) - 1) / c.stride[0]) + 1;
  const W = Math.floor((w + left + right - c.dilation[1] * (kw - 1) - 1) / c.stride[1]) + 1;
  const [m, n] = [o * H * W, channels * h * w];
  const data = new Float64Array(m * n);
  const wrap = (i: number, size: number) => ((i % size) + size) % size;
  for (let f = 0; f < o; f++)
    for (let p = 0; p < H; p++)
      for (let q = 0; q < W; q++)
        for (let d = 0; d < depth; d++)
          for (let a = 0; a < kh; a++)
            for (let b = 0; b < kw; b++) {
              let i = p * c.stride[0] + a * c.dilation[0] - top;
              let j = q * c.stride[1] + b * c.dilation[1] - left;
              if (c.boundary === "circular") [i, j] = [wrap(i, h), wrap(j, w)];
              if (i < 0 || i >= h || j < 0 || j >= w) continue;
              const channel = Math.floor((f * c.groups) / o) * depth + d;
              data[((f * H + p) * W + q) * n + (channel * h + i) * w + j] +=
                K[((f * depth + d) * kh + a) * kw + b];
            }
  return { data, shape: [m, n] };
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The weights in TensorFlow's order. */
function hwio(K: Float64Array, [o, depth, kh, kw]: Four): { data: Float64Array; shape: Four } {
  const data = new Float64Array(K.length);
  for (let f = 0; f < o; f++)
    for (let d = 0; d < depth; d++)
      for (let a = 0; a < kh; a++)
        for (let b = 0; b < kw; b++)
          data[((a * kw + b) * depth + d) * o + f] = K[((f * depth + d) * kh + a) * kw + b];
  return { data, shape: [kh, kw, depth, o] };
}

describe("conv2d is the matrix of its definition, and rmatvec its transpose", () => {
  const strides: Case["stride"][] = [
    [1, 1],
    [2, 2],
    [1, 3],
  ];
  const paddings: Four[] = [
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [2, 2, 0, 0],
    [1, 0, 2, 3],
  ];
  const dilations: Case["dilation"][] = [
    [1, 1],
    [2, 1],
    [2, 3],
  ];
  for (const stride of strides)
    for (const dilation of dilations)
      it(`stride ${stride}, dilation ${dilation}, all paddings, groups, boundaries and layouts`, () => {
        for (const padding of paddings)
          for (const boundary of ["zero", "circular"] as const)
            for (const groups of [1, 2, 4]) {
              const shape: Four = [16, 4 / groups, 3, 2];
              const c: Case = { shape, input: [5, 4], stride, padding, dilation, groups, boundary };
              const K = randomVector(size(shape), groups);
              const { input } = c;
              const options: Conv2dOptions = { input, stride, padding, dilation, groups, boundary };
              const M = byDefinition(K, c);
              const terms = size(shape.slice(1)) + 16;
              expectOperator(conv2d({ data: K, shape }, options), M, terms);
              if (boundary === "zero")
                expectOperator(conv2d(hwio(K, shape), { ...options, layout: "hwio" }), M, terms);
            }
      });

  it("numbers stand for both axes, and absent options for the usual ones", () => {
    const K = { data: randomVector(36, 1), shape: [2, 2, 3, 3] };
    const same = (a: Conv2dOptions, b: Conv2dOptions) =>
      expect(matrixOf(conv2d(K, a))).toEqual(matrixOf(conv2d(K, b)));
    same(
      { input: [7, 6], stride: 2, dilation: 2, padding: 1 },
      {
        input: [7, 6],
        stride: [2, 2],
        dilation: [2, 2],
        padding: [1, 1],
        groups: 1,
        boundary: "zero",
        layout: "oihw",
      },
    );
    same({ input: [7, 6] }, { input: [7, 6], padding: "valid" });
    same({ input: [7, 6], padding: [1, 2] }, { input: [7, 6], padding: [1, 1, 2, 2] });
  });

  it('"same" gives ⌈size/stride⌉ outputs, and the odd zero comes after', () => {
    const K = { data: randomVector(12, 1), shape: [1, 1, 3, 4] };
    for (const [input, stride, padding] of [
      [[5, 6], 1, [1, 1, 1, 2]],
      [[5, 6], 2, [1, 1, 1, 1]],
      [[6, 5], 2, [0, 1, 1, 2]],
      [[7, 9], 3, [1, 1, 0, 1]],
    ] as [[number, number], number, Four][]) {
      const A = conv2d(K, { input, stride, padding: "same" });
      expect(A.outputShape).toEqual([1, Math.ceil(input[0] / stride), Math.ceil(input[1] / stride)]);
      expect(matrixOf(A)).toEqual(matrixOf(conv2d(K, { input, stride, padding })));
    }
  });

  it("a depthwise layer of TensorFlow is one of as many groups as channels", () => {
    // [kh, kw, channels, multiplier]
    const [kh, kw, channels, multiplier] = [3, 2, 3, 2];
    const data = randomVector(kh * kw * channels * multiplier, 2);
    const input: [number, number] = [4, 5];
    const A = conv2d(
      { data, shape: [kh, kw, 1, channels * multiplier] },
      { input, groups: channels, layout: "hwio" },
    );
    const { shape, data: M } = matrixOf(A);
    expect([A.inputShape, A.outputShape]).toEqual([
      [3, 4, 5],
      [6, 2, 4],
    ]);
    // Output channel 3 is the second of channel 1: at place (0, 0) it meets tap (2, 1) at (2, 1).
    const row = 3 * 8;
    const column = 20 + 2 * 5 + 1;
    expect(M[row * shape[1] + column]).toBe(data[((2 * kw + 1) * channels + 1) * multiplier + 1]);
  });
});

/**
 * Circular convolution of stride 1 is diagonal in frequency: its singular values are those of the o×i matrices
 * K̂(p, q) = Σ K[o, i, a, b]·e^(−2πi(pa/h + qb/w)) (Sedghi, Gupta & Long, ICLR 2019, theorem 6). A complex matrix has
 * the values of [Re −Im; Im Re], each of them twice there.
 */
function byFrequency(K: Float64Array, [o, channels, kh, kw]: Four, [h, w]: [number, number]): number[] {
  const all: number[] = [];
  for (let p = 0; p < h; p++)
    for (let q = 0; q < w; q++) {
      const data = new Float64Array(4 * o * channels);
      const n = 2 * channels;
      for (let f = 0; f < o; f++)
        for (let c = 0; c < channels; c++)
          for (let a = 0; a < kh; a++)
            for (let b = 0; b < kw; b++) {
              const angle = -2 * Math.PI * ((p * a) / h + (q * b) / w);
              const weight = K[((f * channels + c) * kh + a) * kw + b];
              const [re, im] = [weight * Math.cos(angle), weight * Math.sin(angle)];
              data[f * n + c] += re;
              data[(o + f) * n + channels + c] += re;
              data[(o + f) * n + c] += im;
              data[f * n + channels + c] -= im;
            }
      const values = singularValuesOf({ data, shape: [2 * o, n] });
      for (let k = 0; k < values.length; k += 2) all.push(values[k]);
    }
  return all.sort((a, b) => b - a);
}

describe("norms", () => {
  it.each([
    [
      [3, 4, 3, 3],
      [6, 5],
    ],
    [
      [10, 9, 3, 3],
      [4, 7],
    ],
    [
      [2, 2, 5, 3],
      [3, 4],
    ],
  ] as [Four, [number, number]][])("kernel %s on %s, circular: those of its frequencies", (shape, input) => {
    const K = randomVector(size(shape), 5);
    const A = conv2d({ data: K, shape }, { input, padding: "same", boundary: "circular" });
    const expected = byFrequency(K, shape, input);
    // ‖A‖ is the largest, and so are the values that go in pairs with conjugate frequencies.
    const tolerance = 1e3 * 2 ** -52 * expected[0];
    expect(Math.abs(spectralNorm(A) - expected[0])).toBeLessThan(tolerance);
    singularTriplets(A, { k: 8 }).sigma.forEach((sigma, i) => {
      expect(Math.abs(sigma - expected[i])).toBeLessThan(tolerance);
    });
  });

  it.each([
    { input: [6, 7], padding: "same" },
    { input: [8, 6], stride: 2, padding: 1 },
    { input: [7, 7], dilation: 2, boundary: "circular", padding: "same" },
    { input: [6, 6], groups: 2 },
  ] as Conv2dOptions[])("%o: that of the dense matrix", (options) => {
    const shape: Four = [4, 4 / (options.groups ?? 1), 3, 3];
    const A = conv2d({ data: Float32Array.from(randomVector(size(shape), 3)), shape }, options);
    const sigma = singularValuesOf(matrixOf(A))[0];
    expect(Math.abs(spectralNorm(A) / sigma - 1)).toBeLessThan(1e3 * 2 ** -52);
  });

  it("half precision weights are what they stand for", () => {
    const bits = Uint16Array.of(0x3f80, 0xc000, 0x4040, 0x3f00);
    const A = conv2d({ data: bits, dtype: "bfloat16", shape: [1, 1, 2, 2] }, { input: [3, 3] });
    const B = conv2d({ data: [1, -2, 3, 0.5], shape: [1, 1, 2, 2] }, { input: [3, 3] });
    expect(matrixOf(A)).toEqual(matrixOf(B));
  });

  it("the weights are copied", () => {
    const data = randomVector(9, 1);
    const A = conv2d({ data, shape: [1, 1, 3, 3] }, { input: [4, 4] });
    const before = matrixOf(A);
    data.fill(Number.NaN);
    expect(matrixOf(A)).toEqual(before);
  });
});

describe("refuses", () => {
  const K = { data: new Float64Array(36).fill(1), shape: [2, 2, 3, 3] };
  const input: [number, number] = [5, 5];
  it("kernels that are none", () => {
    expectRefusal(() => conv2d(undefined as never, { input }), "ERR_SHAPE", "kernel", "undefined");
    expectRefusal(
      () => conv2d({ data: [1], shape: [1, 1, 1] }, { input }),
      "ERR_SHAPE",
      "[o, i/groups, kh, kw]",
    );
    expectRefusal(
      () => conv2d({ data: [], shape: [1, 1, 0, 1] }, { input }),
      "ERR_SHAPE",
      "positive integers",
    );
    expectRefusal(() => conv2d({ data: [1, 2], shape: [1, 1, 1, 3] }, { input }), "ERR_SHAPE", "too short");
    expectRefusal(
      () => conv2d({ ...K, shape: [2, 2, 7, 1], data: new Float64Array(28) }, { input }),
      "ERR_SHAPE",
      "7 rows",
      "5",
    );
    expectRefusal(() => conv2d(K, { input, groups: 3 }), "ERR_SHAPE", "2 output channels", "3 groups");
    const beyond = { ...K, stride: [1, 2, 4, 13] };
    expectRefusal(() => conv2d(beyond, { input }), "ERR_SHAPE", "too short", "36");
    const longer = { ...K, data: new Float64Array(37) };
    expectRefusal(() => conv2d(longer, { input }), "ERR_SHAPE", "takes 36", "has 37");
    expectRefusal(() => conv2d({ ...K, dtype: "float32" }, { input }), "ERR_UNSUPPORTED", "Float64Array");
    const data = new Float64Array(36);
    data[23] = Number.NaN;
    expectRefusal(() => conv2d({ ...K, data }, { input }), "ERR_NON_FINITE", "[1, 0, 1, 2]", "NaN");
    try {
      conv2d({ data, shape: [3, 3, 2, 2] }, { input, layout: "hwio" });
      expect.fail("taken");
    } catch (error) {
      expect((error as NonFiniteError).message).toContain("[1, 2, 1, 1]");
    }
  });

  it("options that do not exist or have other values", () => {
    const refuse = (options: object, ...words: string[]) =>
      expectRefusal(() => conv2d(K, options as Conv2dOptions), "ERR_OPTION", ...words);
    refuse({}, "input", "[h, w]");
    refuse({ input: [5] }, "input", "[5]");
    refuse({ input: [5, 0] }, "input", "positive integers");
    refuse({ input, strides: 2 }, "strides", "no such option", "stride");
    refuse({ input, stride: 0 }, "stride", "0");
    refuse({ input, stride: [1, 2, 3] }, "stride", "[1, 2, 3]");
    refuse({ input, dilation: 1.5 }, "dilation", "1.5");
    refuse({ input, padding: -1 }, "padding", "-1");
    refuse({ input, padding: "full" }, "padding", '"same"', '"full"');
    expectRefusal(() => conv2d(K, { input, padding: 2 ** 30 }), "ERR_SHAPE", "2147483653 rows", "16777216");
    refuse({ input, groups: 0 }, "groups", "0");
    refuse({ input, boundary: "wrap" }, "boundary", '"zero" or "circular" or "reflect" or "replicate"');
    refuse({ input, layout: "iohw" }, "layout", '"hwio"');
    expectRefusal(() => conv2d(K, undefined as never), "ERR_OPTION", "input");
  });

  it("vectors of the wrong length", () => {
    const A = conv2d(K, { input });
    expectRefusal(() => A.matvec(new Float64Array(49), new Float64Array(18)), "ERR_SHAPE", "50", "49");
    expectRefusal(() => A.rmatvec(new Float64Array(18), new Float64Array(51)), "ERR_SHAPE", "18", "51");
    expectRefusal(() => A.parameterGrad(new Float64Array(17), new Float64Array(50)), "ERR_SHAPE", "18", "17");
  });
});
