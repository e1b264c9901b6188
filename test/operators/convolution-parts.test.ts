import { afterAll, describe, expect, it } from "vitest";
import { setKernels } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { KERNEL_SETS, skipMissingKernels } from "../kernels/sets.js";
import { entries, operatorOf, type Setting, size } from "./conv-definition.js";

afterAll(() => setKernels("auto"));
skipMissingKernels();

describe("large convolutions, which are computed in parts", () => {
  const plain = (s: Partial<Setting>): Setting => {
    const ones = (s.input ?? []).map(() => 1);
    return {
      ...{ transposed: false, shape: [], groups: 1, input: [], stride: ones, dilation: ones },
      ...{ boundary: "zero", padding: "same", outputPadding: ones.map(() => 0) },
      ...s,
    };
  };
  const settings: [string, Setting][] = [
    ["many positions", plain({ shape: [2, 1, 3, 3], input: [270, 260] })],
    ["rows cut", plain({ shape: [6, 2, 2, 3], input: [40, 1200] })],
    ["columns cut", plain({ shape: [3, 2, 5], input: [70_001], stride: [2] })],
    ["many inputs", plain({ shape: [5, 90, 3, 3], input: [9, 8] })],
    ["many outputs", plain({ shape: [1030, 3, 2], input: [21] })],
    ["many outputs of the adjoint", plain({ shape: [3, 1041, 2], input: [21], stride: [3] })],
    ["a long kernel", plain({ shape: [2, 2, 5001], input: [60], boundary: "circular" })],
    ["a large kernel", plain({ shape: [1, 1, 2, 47, 51], input: [3, 5, 6], boundary: "replicate" })],
    ["taps far apart", plain({ shape: [2, 2, 3, 3], input: [9, 400], dilation: [4, 190] })],
    [
      "rows far apart",
      plain({ shape: [2, 2, 3, 3], input: [500, 300], dilation: [240, 7], padding: "valid" }),
    ],
    ["patches", plain({ shape: [11, 3, 7, 7], input: [49, 63], stride: [7, 7], padding: "valid" })],
    ["a stride beyond the kernel", plain({ shape: [3, 2, 2, 2], input: [31, 29], stride: [5, 4] })],
    ["transposed", plain({ transposed: true, shape: [9, 4, 4, 4], input: [40, 45], stride: [2, 2] })],
    ["depthwise", plain({ shape: [40, 1, 3, 3], groups: 40, input: [17, 19], boundary: "reflect" })],
    ["in space", plain({ shape: [4, 5, 3, 3, 3], input: [9, 20, 30], stride: [1, 2, 1] })],
  ];
  for (const { name } of KERNEL_SETS)
    it.each(settings)(`${name}: %s`, (_, s) => {
      setKernels(name);
      // Small integers, whose sums are exact: however they are ordered, the products are the same.
      const integers = (count: number, seed: number) => {
        const random = createRandom(seed);
        return Float64Array.from({ length: count }, () => Math.floor(random.uniform() * 17) - 8);
      };
      const K = integers(size(s.shape), 1);
      const A = operatorOf({ data: K, shape: s.shape }, s);
      const [m, n] = A.shape;
      const [x, y] = [integers(n, 2), integers(m, 3)];
      const [Ax, Ay, sums] = [new Float64Array(m), new Float64Array(n), new Float64Array(K.length)];
      entries(s, (row, column, weight) => {
        Ax[row] += K[weight] * x[column];
        Ay[column] += K[weight] * y[row];
        sums[weight] += y[row] * x[column];
      });
      const [matvec, rmatvec] = [new Float64Array(m).fill(Number.NaN), new Float64Array(n).fill(Number.NaN)];
      A.matvec(x, matvec);
      A.rmatvec(y, rmatvec);
      const same = (found: ArrayLike<number>, expected: Float64Array, what: string) => {
        for (let k = 0; k < expected.length; k++)
          if (found[k] !== expected[k]) expect.fail(`${what} ${k}: ${found[k]}, not ${expected[k]}`);
      };
      same(matvec, Ax, "A·x");
      same(rmatvec, Ay, "Aᵀ·y");
      same(A.parameterGrad(y, x).data, sums, "derivative");
    });
});
