import { afterAll, describe, expect, it } from "vitest";
import { conv1d, convTranspose1d, setKernels, spectralNorm, valueAndParameterGrad } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { convolutionFormOf } from "../../src/operators/convolution-form.js";
import { KERNEL_SETS, skipMissingKernels } from "../kernels/sets.js";
import { expectRefusal } from "../refusal.js";
import { expectOperator, matrixOf, randomVector, singularValuesOf } from "./adjoint.js";
import {
  channelsLast,
  entries,
  isPossible,
  lengths,
  matrixByDefinition,
  operatorOf,
  type Setting,
  size,
} from "./conv-definition.js";

afterAll(() => setKernels("auto"));
skipMissingKernels();

const SETTINGS = 600;
const LARGEST = 12_000;

/** A random setting, possible or not. */
function randomSetting(seed: number): Setting {
  const random = createRandom(seed);
  const below = (n: number) => Math.floor(random.uniform() * n);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)];
  const rank = pick([1, 2, 3]);
  const each = <T>(make: () => T) => Array.from({ length: rank }, make);
  const groups = pick([1, 1, 2, 3]);
  const [mostTaps, mostSize] = [
    [6, 14],
    [4, 7],
    [3, 4],
  ][rank - 1];
  const stride = each(() => 1 + below(3));
  const dilation = each(() => 1 + below(3));
  return {
    transposed: pick([false, true]),
    shape: [groups * pick([1, 2, 3, 5]), pick([1, 2, 3, 5]), ...each(() => 1 + below(mostTaps))],
    groups,
    input: each(() => 1 + below(mostSize)),
    stride,
    dilation,
    boundary: pick(["zero", "circular", "reflect", "replicate"] as const),
    padding: pick([
      () => "same" as const,
      () => "valid" as const,
      () => Array.from({ length: 2 * rank }, () => below(4)),
    ])(),
    outputPadding: stride.map((step, k) => below(Math.max(step, dilation[k]))),
  };
}

/** Settings whose matrices are small, and what was left out because there is no such convolution. */
const possible: Setting[] = [];
const impossible: Setting[] = [];
for (let seed = 1; possible.length < SETTINGS; seed++) {
  const s = randomSetting(seed);
  if (!s.transposed) s.outputPadding.fill(0);
  if (!isPossible(s)) impossible.push(s);
  else {
    const count = size(s.input.map((_, axis) => lengths(s, axis).outputs));
    const channels = s.transposed ? [s.shape[0], s.shape[1] * s.groups] : [s.shape[1] * s.groups, s.shape[0]];
    if (channels[0] * channels[1] * size(s.input) * count <= LARGEST) possible.push(s);
  }
}

const termsOf = (s: Setting) => size(s.shape.slice(1)) * s.shape[0];

describe.each(KERNEL_SETS)("$name: random convolutions of every kind", ({ name }) => {
  const parts = 6;
  for (let part = 0; part < parts; part++)
    it(`are their matrices, both ways, and so are their derivatives: part ${part + 1} of ${parts}`, () => {
      setKernels(name);
      possible.forEach((s, k) => {
        if (k % parts !== part) return;
        const K = randomVector(size(s.shape), k);
        const A = operatorOf({ data: K, shape: s.shape }, s);
        const M = matrixByDefinition(K, s);
        try {
          expectOperator(A, M, termsOf(s));
          const outputs = s.input.map((_, axis) => lengths(s, axis).outputs);
          const [first, second] = [s.shape[0], s.shape[1] * s.groups];
          expect(A.inputShape).toEqual([s.transposed ? first : second, ...s.input]);
          expect(A.outputShape).toEqual([s.transposed ? second : first, ...outputs]);

          // The same weights in TensorFlow's order.
          const space = ["w", "hw", "dhw"][s.input.length - 1];
          const B = operatorOf(channelsLast(K, s.shape), {
            ...s,
            layout: s.transposed ? `${space}oi` : `${space}io`,
          });
          const x = randomVector(M.shape[1], 3);
          const [Ax, Bx] = [new Float64Array(M.shape[0]), new Float64Array(M.shape[0])];
          A.matvec(x, Ax);
          B.matvec(x, Bx);
          expect(Bx).toEqual(Ax);

          const y = randomVector(M.shape[0], 4);
          const [sums, magnitudes] = [new Float64Array(K.length), new Float64Array(K.length)];
          let terms = 0;
          entries(s, (row, column, weight) => {
            sums[weight] += y[row] * x[column];
            magnitudes[weight] += Math.abs(y[row] * x[column]);
            terms++;
          });
          const { data, shape } = A.parameterGrad(y, x);
          expect(shape).toEqual(s.shape);
          data.forEach((sum, w) => {
            expect(Math.abs(sum - sums[w])).toBeLessThanOrEqual(2 * terms * 2 ** -52 * magnitudes[w]);
          });
          expect(B.parameterGrad(y, x)).toEqual({ ...channelsLast(data as Float64Array, s.shape) });
        } catch (error) {
          throw new Error(`${JSON.stringify(s)}: ${(error as Error).message}`, { cause: error });
        }
      });
    });
});

describe("random convolutions of every kind", () => {
  it("there are enough of each", () => {
    const count = (test: (s: Setting) => boolean) => possible.filter(test).length;
    for (const transposed of [false, true])
      for (const rank of [1, 2, 3])
        for (const boundary of ["zero", "circular", "reflect", "replicate"])
          expect(
            count((s) => s.transposed === transposed && s.input.length === rank && s.boundary === boundary),
          ).toBeGreaterThan(4);
    // Output padding that is not less than the stride.
    expect(count((s) => s.outputPadding.some((more, k) => more >= s.stride[k]))).toBeGreaterThan(20);
  });

  it("have the norms of their matrices", () => {
    let compared = 0;
    possible.forEach((s, k) => {
      if (k % 3 > 0) return;
      const K = randomVector(size(s.shape), k);
      const [sigma] = singularValuesOf(matrixByDefinition(K, s));
      const value = spectralNorm(operatorOf({ data: K, shape: s.shape }, s));
      // The rounding of a product, relative to the norm: terms·ε times ‖|A|‖ / ‖A‖, which is at most √rank.
      if (!(Math.abs(value - sigma) <= 1e3 * 2 ** -52 * Math.max(sigma, 1)))
        expect.fail(`${JSON.stringify(s)}: ${value}, not ${sigma}`);
      compared++;
    });
    expect(compared).toBe(200);
  });

  it("are refused where there are none", () => {
    expect(impossible.length).toBeGreaterThan(50);
    for (const s of impossible) {
      const kernel = { data: randomVector(size(s.shape), 1), shape: s.shape };
      const name = `conv${s.transposed ? "Transpose" : ""}${s.input.length}d`;
      expectRefusal(() => operatorOf(kernel, s), "ERR_SHAPE", name);
    }
  });

  it("have a form that says what they are", () => {
    for (const s of possible.slice(0, 100)) {
      const K = randomVector(size(s.shape), 1);
      const A = operatorOf({ data: K, shape: s.shape }, s);
      const form = convolutionFormOf(A);
      expect(form).toMatchObject({ transposed: s.transposed, boundary: s.boundary, groups: s.groups });
      expect([form?.outputs, form?.depth, form?.axes.length]).toEqual([
        s.shape[0],
        s.shape[1],
        s.input.length,
      ]);
      expect(form?.weights).toEqual(K);
      form?.axes.forEach((axis, k) => {
        const { before, after, outputs } = lengths(s, k);
        const [near, far] = s.transposed ? [s.input[k], outputs] : [outputs, s.input[k]];
        expect(axis).toMatchObject({ taps: s.shape[k + 2], stride: s.stride[k], dilation: s.dilation[k] });
        expect(axis).toMatchObject({ before, after, outputs: near, size: far });
        expect(axis.source.length).toBe(far + before + after);
      });
    }
  });
});

describe("a transposed convolution", () => {
  it("is the adjoint of the convolution with its attributes, from its outputs to its inputs", () => {
    let compared = 0;
    possible.forEach((s, k) => {
      // With "same", the two pad in different ways; with output padding from the stride on, the convolution has more
      // outputs.
      if (
        !s.transposed ||
        s.padding === "same" ||
        s.outputPadding.some((more, axis) => more >= s.stride[axis])
      )
        return;
      const K = randomVector(size(s.shape), k);
      const A = operatorOf({ data: K, shape: s.shape }, s);
      const input = A.outputShape.slice(1);
      const B = operatorOf({ data: K, shape: s.shape }, { ...s, transposed: false, input });
      expect([B.outputShape, B.inputShape]).toEqual([A.inputShape, A.outputShape]);
      const [m, n] = A.shape;
      const [x, y] = [randomVector(n, 1), randomVector(m, 2)];
      const products = [new Float64Array(m), new Float64Array(m), new Float64Array(n), new Float64Array(n)];
      A.matvec(x, products[0]);
      B.rmatvec(x, products[1]);
      A.rmatvec(y, products[2]);
      B.matvec(y, products[3]);
      expect(products[0]).toEqual(products[1]);
      expect(products[2]).toEqual(products[3]);
      compared++;
    });
    expect(compared).toBeGreaterThan(50);
  });

  it("leaves zeros where no tap reaches", () => {
    // One tap, stride 3: the second and third of each three outputs are zero.
    const A = operatorOf(
      { data: [2], shape: [1, 1, 1] },
      { ...SINGLE, transposed: true, input: [3], stride: [3], padding: "same" },
    );
    const y = new Float64Array(9).fill(Number.NaN);
    A.matvec(Float64Array.of(1, 2, 3), y);
    expect(Array.from(y)).toEqual([2, 0, 0, 4, 0, 0, 6, 0, 0]);
    expect(spectralNorm(A)).toBe(2);
  });

  it("has the derivative of its norm", () => {
    const data = randomVector(2 * 3 * 3 * 2, 3);
    const setting = { ...SINGLE, transposed: true, input: [4, 3], stride: [2, 1], dilation: [1, 2] };
    const at = (K: Float64Array) =>
      operatorOf({ data: K, shape: [2, 3, 3, 2] }, { ...setting, outputPadding: [1, 0] });
    const { value, grad } = valueAndParameterGrad(at(data)) as {
      value: number;
      grad: { data: Float64Array };
    };
    expect(value).toBeCloseTo(spectralNorm(at(data)), 12);
    const E = randomVector(data.length, 4);
    const moved = (t: number) => spectralNorm(at(data.map((x, k) => x + t * E[k])));
    // Central differences: an error of h² and of ε/h.
    const h = 2 ** -17;
    const slope = (moved(h) - moved(-h)) / (2 * h);
    expect(grad.data.reduce((sum, g, k) => sum + g * E[k], 0)).toBeCloseTo(slope, 8);
  });
});

const SINGLE = { groups: 1, shape: [], dilation: [1], boundary: "zero" as const, outputPadding: [0] };

describe("how options are written", () => {
  it("the length of a one-dimensional input may be a number", () => {
    const kernel = { data: [1, 2, 3], shape: [1, 1, 3] };
    expect(matrixOf(conv1d(kernel, { input: 6 }))).toEqual(matrixOf(conv1d(kernel, { input: [6] })));
    const transposed = [6, [6]].map((input) => convTranspose1d(kernel, { input: input as number }));
    expect(matrixOf(transposed[0])).toEqual(matrixOf(transposed[1]));
  });

  const K = (rank: number) => ({
    data: randomVector(2 * 2 ** rank, 1),
    shape: [2, 1, ...new Array(rank).fill(2)],
  });
  it.each([1, 2, 3])("numbers stand for all of %i axes, and absent options for the usual ones", (rank) => {
    for (const transposed of [false, true]) {
      const input = (rank === 3 ? [5, 6, 5] : [6, 5]).slice(0, rank);
      const all = (n: number) => new Array<number>(rank).fill(n);
      const make = (options: object) =>
        matrixOf(operatorOf(K(rank), { transposed, input, ...options } as unknown as Setting));
      const ones = { stride: all(1), dilation: all(1), groups: 1, boundary: "zero", outputPadding: all(0) };
      expect(make({})).toEqual(make({ ...ones, padding: "valid" }));
      expect(make({ stride: 2, dilation: 2, padding: 1 })).toEqual(
        make({ ...ones, stride: all(2), dilation: all(2), padding: all(1) }),
      );
      expect(make({ padding: all(1) })).toEqual(make({ padding: all(1).flatMap((n) => [n, n]) }));
      if (transposed)
        expect(make({ stride: 2, outputPadding: 1 })).toEqual(make({ stride: 2, outputPadding: all(1) }));
    }
  });
});
