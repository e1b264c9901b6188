import { SVD } from "ml-matrix";
import type { createRandom } from "../../src/numerics/random.js";
import type {
  Boundary,
  ConvolutionAxis,
  ConvolutionForm,
  Stencil,
} from "../../src/operators/convolution-form.js";

/** An axis on an input of known size. */
export function axisOf(
  {
    size,
    taps,
    stride = 1,
    dilation = 1,
    before = 0,
    after = 0,
  }: Partial<ConvolutionAxis> & { size: number; taps: number },
  boundary: Boundary,
): ConvolutionAxis {
  const padded = size + before + after;
  const source = Int32Array.from({ length: padded }, (_, i) => {
    const place = i - before;
    if (place >= 0 && place < size) return place;
    if (boundary === "zero") return -1;
    if (boundary === "circular") return ((place % size) + size) % size;
    if (boundary === "replicate") return place < 0 ? 0 : size - 1;
    return place < 0 ? -place : 2 * (size - 1) - place;
  });
  const outputs = Math.floor((padded - (taps - 1) * dilation - 1) / stride) + 1;
  return { size, taps, stride, dilation, before, after, outputs, source };
}

/** The matrix of a convolution by its definition; row-major. Its own transpose where the form is transposed. */
export function matrixOf(form: ConvolutionForm): { data: Float64Array; m: number; n: number } {
  const { axes, outputs, depth, groups, weights } = form;
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  const placesOf = (sizes: readonly number[]) =>
    Array.from({ length: product(sizes) }, (_, index) => {
      const place: number[] = [];
      for (let k = sizes.length - 1, rest = index; k >= 0; k--) {
        place.unshift(rest % sizes[k]);
        rest = Math.floor(rest / sizes[k]);
      }
      return place;
    });
  const image = product(axes.map(({ size }) => size));
  const area = product(axes.map((axis) => axis.outputs));
  const [rows, columns] = [outputs * area, depth * groups * image];
  const data = new Float64Array(rows * columns);
  const taps = placesOf(axes.map((axis) => axis.taps));
  const each = outputs / groups;
  for (let o = 0; o < outputs; o++)
    placesOf(axes.map((axis) => axis.outputs)).forEach((p, output) => {
      for (let c = 0; c < depth; c++)
        taps.forEach((a, t) => {
          const from = axes.map((axis, k) => axis.source[p[k] * axis.stride + a[k] * axis.dilation]);
          if (from.some((place) => place < 0)) return;
          const place = from.reduce((sum, value, k) => sum * axes[k].size + value, 0);
          const column = (Math.floor(o / each) * depth + c) * image + place;
          data[(o * area + output) * columns + column] += weights[(o * depth + c) * taps.length + t];
        });
    });
  if (!form.transposed) return { data, m: rows, n: columns };
  const turned = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j];
  return { data: turned, m: columns, n: rows };
}

/** All singular values, descending. */
export function singularValues({ data, m, n }: { data: Float64Array; m: number; n: number }): number[] {
  const rows = Array.from({ length: m }, (_, i) => Array.from(data.subarray(i * n, i * n + n)));
  return new SVD(rows, {
    autoTranspose: true,
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
  }).diagonal;
}

/** Products of a form, for functions that take an operator. */
export function operatorOf(form: ConvolutionForm) {
  const { data, m, n } = matrixOf(form);
  return {
    shape: [m, n] as const,
    matvec(x: Float64Array, out: Float64Array): void {
      for (let i = 0; i < m; i++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += data[i * n + j] * x[j];
        out[i] = sum;
      }
    },
    rmatvec(y: Float64Array, out: Float64Array): void {
      out.fill(0);
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j] += data[i * n + j] * y[i];
    },
  };
}

/** A stencil of one axis and one channel. */
export function filter(...weights: number[]): Stencil {
  return {
    weights: Float64Array.from(weights),
    outputs: 1,
    depth: 1,
    groups: 1,
    axes: [{ taps: weights.length, stride: 1, dilation: 1 }],
  };
}

/** The same stencil on an input with zeros around it, as many as a tap can meet. */
export function onInput(stencil: Stencil, size: number): ConvolutionForm {
  return {
    ...stencil,
    boundary: "zero",
    transposed: false,
    axes: stencil.axes.map((axis) => {
      const reach = (axis.taps - 1) * axis.dilation;
      return axisOf({ ...axis, size, before: reach, after: reach + axis.stride - 1 }, "zero");
    }),
  };
}

export type Random = ReturnType<typeof createRandom>;

/** A whole number from `least` to `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random.uniform() * (most - least + 1));
}

/** A random stencil; some of its weights are zero now and then. */
export function randomStencil(random: Random, axes = between(random, 1, 3)): Stencil {
  const groups = between(random, 1, 2);
  const depth = between(random, 1, 3);
  const outputs = groups * between(random, 1, 3);
  const list = Array.from({ length: axes }, () => ({
    taps: between(random, 1, axes === 3 ? 2 : 4),
    stride: between(random, 1, 3),
    dilation: between(random, 1, 3),
  }));
  const count = list.reduce((product, axis) => product * axis.taps, outputs * depth);
  const sparse = random.uniform() < 0.3;
  return {
    weights: Float64Array.from({ length: count }, () =>
      sparse && random.uniform() < 0.5 ? 0 : random.normal(),
    ),
    outputs,
    depth,
    groups,
    axes: list,
  };
}

/**
 * ‖S(θ)‖ of a stencil at a frequency given in turns, from the definition: the matrix of the input e^(iθ·j) in each phase,
 * all products in plain complex arithmetic, without any reduction. The real form of it goes to a singular value
 * decomposition.
 */
export function symbolNorm(stencil: Stencil, turns: readonly number[]): number {
  const { axes, outputs, depth, groups, weights } = stencil;
  const phases = axes.reduce((product, axis) => product * axis.stride, 1);
  const count = axes.reduce((product, axis) => product * axis.taps, 1);
  const each = outputs / groups;
  let most = 0;
  for (let g = 0; g < groups; g++) {
    const [m, n] = [2 * each, 2 * depth * phases];
    const data = new Float64Array(m * n);
    for (let o = 0; o < each; o++)
      for (let c = 0; c < depth; c++)
        for (let t = 0; t < count; t++) {
          let [rest, phase, angle, weight] = [t, 0, 0, 1];
          for (let k = axes.length - 1; k >= 0; k--) {
            const a = rest % axes[k].taps;
            rest = Math.floor(rest / axes[k].taps);
            const reach = a * axes[k].dilation;
            phase += (reach % axes[k].stride) * weight;
            weight *= axes[k].stride;
            angle += 2 * Math.PI * turns[k] * Math.floor(reach / axes[k].stride);
          }
          const value = weights[((g * each + o) * depth + c) * count + t];
          const [re, im] = [value * Math.cos(angle), value * Math.sin(angle)];
          const [i, j] = [2 * o, 2 * (c * phases + phase)];
          data[i * n + j] += re;
          data[i * n + j + 1] -= im;
          data[(i + 1) * n + j] += im;
          data[(i + 1) * n + j + 1] += re;
        }
    most = Math.max(most, singularValues({ data, m, n })[0]);
  }
  return most;
}
