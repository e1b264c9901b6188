import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { conv1d, conv3d, spectralNorm, svdvals } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { frobenius } from "../../src/numerics/sums.js";
import { floats, safetensors } from "../files/models.js";
import { encode, npy, zip } from "../files/writers.js";
import { answers } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "convolution-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = createRandom(7);
/** K[o][c][a][b] */
type Kernel = number[][][][];
const kernelOf = (o: number, i: number, kh: number, kw: number): Kernel =>
  Array.from({ length: o }, () =>
    Array.from({ length: i }, () =>
      Array.from({ length: kh }, () => Array.from({ length: kw }, () => random.normal())),
    ),
  );
const [h, w] = [5, 4];

/** The matrix of the convolution with as many outputs as inputs, from its definition. */
function dense(K: Kernel, channelOf: (o: number, c: number) => number, channels: number, boundary: string) {
  const [kh, kw] = [K[0][0].length, K[0][0][0].length];
  const rows = K.length * h * w;
  const cols = channels * h * w;
  const A = new Float64Array(rows * cols);
  const place = (at: number, size: number) => {
    if (at >= 0 && at < size) return at;
    if (boundary === "zero") return -1;
    if (boundary === "circular") return (at + size) % size;
    if (boundary === "reflect") return at < 0 ? -at : 2 * (size - 1) - at;
    return at < 0 ? 0 : size - 1;
  };
  K.forEach((ofOutput, o) => {
    ofOutput.forEach((taps, c) => {
      for (let p = 0; p < h; p++)
        for (let q = 0; q < w; q++)
          for (let a = 0; a < kh; a++)
            for (let b = 0; b < kw; b++) {
              const [y, x] = [
                place(p + a - Math.floor((kh - 1) / 2), h),
                place(q + b - Math.floor((kw - 1) / 2), w),
              ];
              if (y >= 0 && x >= 0)
                A[((o * h + p) * w + q) * cols + (channelOf(o, c) * h + y) * w + x] += taps[a][b];
            }
    });
  });
  return { A, rows, cols };
}

const oihw = (K: Kernel) => K.flat(3);
const hwio = (K: Kernel) => {
  const [o, i, kh, kw] = [K.length, K[0].length, K[0][0].length, K[0][0][0].length];
  return Array.from(
    { length: kh * kw * i * o },
    (_, k) => K[k % o][Math.floor(k / o) % i][Math.floor(k / o / i / kw)][Math.floor(k / o / i) % kw],
  );
};

const plain = kernelOf(3, 2, 3, 3);
const tall = kernelOf(2, 3, 3, 1);
const own = kernelOf(4, 1, 3, 3);
const torch = join(folder, "torch.safetensors");
writeFileSync(
  torch,
  safetensors([
    { name: "conv.weight", dtype: "F64", shape: [3, 2, 3, 3], data: floats("F64", oihw(plain)) },
    { name: "tall.weight", dtype: "F64", shape: [2, 3, 3, 1], data: floats("F64", oihw(tall)) },
    { name: "depthwise.weight", dtype: "F64", shape: [4, 1, 3, 3], data: floats("F64", oihw(own)) },
    { name: "fc.weight", dtype: "F64", shape: [2, 2], data: floats("F64", [3, 0, 0, 1]) },
  ]),
);
const keras = join(folder, "keras.npz");
const array = (shape: number[], data: number[], fortran = false) =>
  npy({ descr: "<f8", shape, fortran, data: encode("<f8", data) });
/** The same numbers with the first axis fastest. */
const turned = (shape: readonly number[], data: readonly number[]) =>
  data.map((_, k) => {
    let [rest, at] = [k, 0];
    const index = shape.map((length) => {
      const i = rest % length;
      rest = Math.floor(rest / length);
      return i;
    });
    index.forEach((i, axis) => {
      at = at * shape[axis] + i;
    });
    return data[at];
  });
/** [h, w, channels, multiplier] with two kernels for each of two channels: outputs in the order of channels. */
const depthwise = Array.from({ length: 9 * 2 * 2 }, (_, k) => {
  const [multiplier, channel, b, a] = [
    k % 2,
    Math.floor(k / 2) % 2,
    Math.floor(k / 4) % 3,
    Math.floor(k / 12),
  ];
  return own[2 * channel + multiplier][0][a][b];
});
writeFileSync(
  keras,
  zip([
    { name: "conv.npy", content: array([3, 3, 2, 3], hwio(plain)) },
    { name: "tall.npy", content: array([3, 1, 3, 2], turned([3, 1, 3, 2], hwio(tall)), true) },
    { name: "depthwise_kernel.npy", content: array([3, 3, 2, 2], depthwise) },
  ]),
);

describe.each(["zero", "circular", "reflect", "replicate"] as const)(
  "--conv operator with %s beyond the edges",
  (boundary) => {
    const flags = { conv: "operator", input: [h, w], boundary } as const;

    it("has the norms of the matrix that a convolution is, of either layout and depthwise", async () => {
      const [first, second] = [await answers([torch], flags), await answers([keras], flags)];
      expect([first.status, first.stderr, second.status, second.stderr]).toEqual([0, "", 0, ""]);
      const mixing = (_: number, c: number) => c;
      const expected = [
        dense(plain, mixing, 2, boundary),
        dense(tall, mixing, 3, boundary),
        dense(own, (o) => o, 4, boundary),
        dense(plain, mixing, 2, boundary),
        dense(tall, mixing, 3, boundary),
        dense(own, (o) => Math.floor(o / 2), 2, boundary),
      ];
      const lines = [...first.lines.slice(0, 3), ...second.lines];
      lines.forEach(({ sigma, rows, cols, frobenius: norm, converged }, k) => {
        const { A, rows: m, cols: n } = expected[k];
        expect([rows, cols, converged]).toEqual([m, n, true]);
        expect(Math.abs(sigma / svdvals({ data: A, shape: [m, n] })[0] - 1)).toBeLessThan(1e-13);
        expect(Math.abs(norm / frobenius(A) - 1)).toBeLessThan(1e-14);
      });
      // What has two axes is a matrix all the same.
      expect(first.lines[3]).toMatchObject({ rows: 2, cols: 2 });
      expect(first.lines[3].sigma).toBeCloseTo(3, 14);
    });
  },
);

it("takes the kernels of one and three axes for convolutions if the input has as many lengths", async () => {
  const numbers = oihw(plain);
  const path = join(folder, "axes.safetensors");
  const parts = [
    { name: "line.weight", dtype: "F64" as const, shape: [3, 2, 9], data: floats("F64", numbers) },
    { name: "space.weight", dtype: "F64" as const, shape: [3, 2, 3, 3, 1], data: floats("F64", numbers) },
  ];
  writeFileSync(path, safetensors(parts));
  const sizes = [[6], [4, 5, 3]];
  for (const [k, input] of sizes.entries()) {
    const { lines } = await answers([path], { conv: "operator", input, boundary: "circular" });
    const { shape } = parts[k];
    const kernel = { data: Float64Array.from(numbers), shape };
    const make = k === 0 ? conv1d : conv3d;
    const A = make(kernel, { input: input as never, padding: "same", boundary: "circular" });
    expect(lines[k]).toMatchObject({ rows: A.shape[0], cols: A.shape[1], input });
    expect(Math.abs(lines[k].sigma / spectralNorm(A) - 1)).toBeLessThan(1e-13);
    // The other one is a matrix.
    expect(lines[1 - k]).toMatchObject({ rows: 3, cols: 18 });
  }
});

it("with circular boundaries has the largest norm of the kernel's Fourier transform", async () => {
  const { lines } = await answers([torch], { conv: "operator", input: [h, w], boundary: "circular" });
  let largest = 0;
  for (let u = 0; u < h; u++)
    for (let v = 0; v < w; v++) {
      // K̂(u, v), complex o×i, as the real matrix of twice the size that it acts as.
      const [o, i] = [plain.length, plain[0].length];
      const data = new Float64Array(4 * o * i);
      for (let p = 0; p < o; p++)
        for (let c = 0; c < i; c++) {
          let [re, im] = [0, 0];
          plain[p][c].forEach((row, a) => {
            row.forEach((tap, b) => {
              const angle = 2 * Math.PI * ((u * a) / h + (v * b) / w);
              re += tap * Math.cos(angle);
              im += tap * Math.sin(angle);
            });
          });
          for (const [row, column, value] of [
            [p, c, re],
            [p, i + c, -im],
            [o + p, c, im],
            [o + p, i + c, re],
          ])
            data[row * 2 * i + column] = value;
        }
      largest = Math.max(largest, svdvals({ data, shape: [2 * o, 2 * i] })[0]);
    }
  expect(Math.abs(lines[0].sigma / largest - 1)).toBeLessThan(1e-13);
});

it("says where a weight is NaN", async () => {
  const numbers = oihw(plain).map((x, k) => (k === 20 ? Number.NaN : x));
  const path = join(folder, "bad.safetensors");
  const parts = [
    { name: "conv.weight", dtype: "F64", shape: [3, 2, 3, 3], data: floats("F64", numbers) },
    { name: "fine.weight", dtype: "F64", shape: [3, 2, 3, 3], data: floats("F64", oihw(plain)) },
  ];
  writeFileSync(path, safetensors(parts));
  const { status, stderr, lines } = await answers([path], { conv: "operator", input: [h, w] });
  expect([status, lines.length]).toEqual([2, 1]);
  expect(stderr).toBe(
    `spectral-norm: ${path}: "conv.weight": row 1, column 2 of 3×18 is NaN (counted from 0)\n`,
  );
});

it("does not take what does not go with it", async () => {
  const bad = (flags: Parameters<typeof answers>[1]) => answers([torch], flags);
  await expect(bad({ conv: "operator" })).rejects.toThrow(/--input 32x32/);
  await expect(bad({ input: [3, 3] })).rejects.toThrow(/--input: is for --conv operator/);
  await expect(bad({ boundary: "zero" })).rejects.toThrow(/--boundary: is for --conv operator/);
});

it("proves the norms of convolutions", async () => {
  const { status, lines } = await answers([torch], { conv: "operator", input: [h, w], certify: true });
  expect(status).toBe(0);
  for (const { sigma, lower, upper, proven } of lines) {
    expect(proven).toBe(true);
    // The matrices are small, so their proofs are sharp.
    expect(lower).toBeLessThanOrEqual(sigma);
    expect(lower).toBeGreaterThan((1 - 1e-9) * sigma);
    expect(upper).toBeGreaterThanOrEqual(lower as number);
    expect(upper).toBeLessThan((1 + 1e-9) * sigma);
  }
});
