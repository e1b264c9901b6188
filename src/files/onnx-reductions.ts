import { excess, up } from "../certify/rounding.js";
import type { ValueShape } from "./network.js";
import { floatOf, integerOf } from "./onnx-graph.js";
import {
  GIVE_SIZES,
  lipschitz,
  type OnnxOperation,
  type OperatorRule,
  type OperatorRules,
  rootUp,
  shapeText,
} from "./onnx-operation.js";
import { axisOf, NoBound } from "./onnx-values.js";
import { averageBound, type WindowAxis, windowShape, windowsOfEntry } from "./sliding-windows.js";
import type { Length } from "./symbolic-lengths.js";

/** Chosen: larger than the attributes of any pooling. */
const MOST = 2 ** 20;

/** A double not below 1/√n. */
function inverseRoot(n: number): number {
  return n === 1 ? 1 : up(1 / Math.sqrt(n) + 2 ** -1000) * (1 + 2 ** -52);
}

/** The constant of a reduction of n numbers to one; n is undefined if it is open. */
type Constant = (n: number | undefined) => {
  readonly constant: number;
  readonly how: string;
  readonly linear?: boolean;
};

function needCount(n: number | undefined): number {
  if (n === undefined) throw new NoBound(`it takes an open number of entries together; ${GIVE_SIZES}`);
  return n;
}

const one: Constant = () => ({ constant: 1, how: "1-Lipschitz" });
const mean: Constant = (n) =>
  n === undefined || n === 0
    ? { constant: 1, how: "1/√n ≤ 1", linear: true }
    : { constant: inverseRoot(n), how: `1/√${n}`, linear: true };

/** Reductions of the axes that are taken together. */
const REDUCTIONS: Readonly<Record<string, Constant>> = {
  ReduceMean: mean,
  ReduceSum: (n) => ({ constant: rootUp(needCount(n)), how: `√${n}`, linear: true }),
  ReduceL1: (n) => ({ constant: rootUp(needCount(n)), how: `√${n}` }),
  ReduceL2: one,
  ReduceMax: one,
  ReduceMin: one,
  // Its gradient is a softmax, whose sum of squares is at most 1.
  ReduceLogSumExp: one,
};

function reduction(constant: Constant): OperatorRule {
  return (operation) => {
    const x = operation.real(0);
    const { node } = operation;
    const { shape } = x;
    operation.notVariable([1, "axes"]);
    const given = operation.list(1, "axes");
    if ((given === undefined || given.length === 0) && integerOf(node, "noop_with_empty_axes", 0) !== 0)
      return operation.emitFirst(lipschitz(1, "1-Lipschitz"), shape);
    const keep = integerOf(node, "keepdims", 1) !== 0;
    const whole = given === undefined || given.length === 0;
    const rank = shape?.length;
    const axes =
      rank === undefined
        ? undefined
        : whole
          ? shape?.map((_, axis) => axis)
          : given?.map((axis) => axisOf(axis, rank));
    const reduced = axes && shape?.filter((_, axis) => axes.includes(axis));
    const fixed = reduced?.every((length) => typeof length === "number")
      ? (reduced as number[]).reduce((a, b) => a * b, 1)
      : undefined;
    const { constant: own, how, linear = false } = constant(fixed);
    const result =
      shape && axes
        ? keep
          ? shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
          : shape.filter((_, axis) => !axes.includes(axis))
        : undefined;
    operation.emitFirst(lipschitz(own, how, linear), result);
  };
}

function globalPooling(constant: (operation: OnnxOperation) => Constant): OperatorRule {
  return (operation) => {
    const { shape } = operation.real(0);
    const places = shape?.slice(2);
    const n = places?.every((length) => typeof length === "number")
      ? (places as number[]).reduce((a, b) => a * b, 1)
      : undefined;
    const { constant: own, how, linear = false } = constant(operation)(n);
    operation.emitFirst(
      lipschitz(own, how, linear),
      shape?.map((length, axis) => (axis < 2 ? length : 1)),
    );
  };
}

/** Norms of windows: for p ≥ 2 at most the Euclidean one. */
function powerOf({ node }: OnnxOperation): number {
  const p = node.integers.get("p")?.[0] ?? floatOf(node, "p", 2);
  if (!(p >= 1)) throw new NoBound(`its p is ${p}`);
  return p;
}

/** For 1 ≤ p < 2, ‖x‖ₚ ≤ n^(1/p − 1/2)·‖x‖₂ ≤ √n·‖x‖₂. */
const globalPower = (operation: OnnxOperation): Constant => {
  const p = powerOf(operation);
  return p >= 2 ? one : (n) => ({ constant: rootUp(needCount(n)), how: `√${n}` });
};

function windowsOf(operation: OnnxOperation, rank: number): readonly WindowAxis[] {
  const { node } = operation;
  const { integers, texts } = node;
  const taps = integers.get("kernel_shape");
  const axes = taps?.length ?? 0;
  if (!taps || axes < 1 || axes > 3) throw new NoBound("its kernel_shape is not understood");
  if (rank !== axes + 2) throw new NoBound(`its input has ${rank} axes, and its windows ${axes}`);
  const list = (name: string, length: number, least: number, otherwise: number) => {
    const given = integers.get(name) ?? new Array<number>(length).fill(otherwise);
    if (given.length !== length || !given.every((x) => x >= least && x <= MOST))
      throw new NoBound(`its ${name} are [${given.slice(0, 8).join(", ")}], which is not understood`);
    return given;
  };
  const automatic = texts.get("auto_pad") ?? "NOTSET";
  if (!["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"].includes(automatic))
    throw new NoBound(`its auto_pad is ${automatic}`);
  list("kernel_shape", axes, 1, 1);
  const [strides, dilations] = [list("strides", axes, 1, 1), list("dilations", axes, 1, 1)];
  const pads = automatic === "NOTSET" ? list("pads", 2 * axes, 0, 0) : new Array<number>(2 * axes).fill(0);
  const { shape } = operation.variable(0);
  return taps.map((count, k) => ({
    ...{ taps: count, stride: strides[k], dilation: dilations[k], automatic },
    ...{ before: pads[k], after: pads[k + axes], ceil: integerOf(node, "ceil_mode", 0) !== 0 },
    length: shape?.[k + 2] ?? operation.open(k + 2),
  }));
}

function pooling(
  constant: (operation: OnnxOperation, windows: readonly WindowAxis[]) => ReturnType<Constant>,
): OperatorRule {
  return (operation) => {
    const x = operation.real(0);
    const { outputs, lengths } = operation;
    const rank = x.shape?.length ?? (operation.node.integers.get("kernel_shape")?.length ?? 0) + 2;
    const windows = windowsOf(operation, rank);
    const shape: ValueShape = [
      ...[x.shape?.[0] ?? operation.open(0), x.shape?.[1] ?? operation.open(1)],
      ...windows.map((axis): Length => windowShape(lengths, axis).length),
    ];
    const { constant: own, how, linear = false } = constant(operation, windows);
    operation.emitFirst(lipschitz(own, how, linear), shape);
    const indices = outputs[1] ?? "";
    if (indices === "") return;
    operation.emit({
      ...{ inputs: [x], outputs: [{ name: indices, shape, type: "INT64" }], part: "indices" },
      map: { kind: "unbounded", reason: "the indices of the largest numbers are a step function" },
    });
  };
}

/** A largest number moves no more than the numbers of its window do together, and each of them is in so many windows. */
function overlap(windows: readonly WindowAxis[]): number {
  return windows.reduce((product, axis) => product * windowsOfEntry(axis), 1);
}

const maxPool = pooling((_, windows) => {
  const count = overlap(windows);
  return {
    constant: rootUp(count),
    how: count === 1 ? "windows do not overlap" : `√${count} windows an entry is in`,
  };
});

const powerPool = pooling((operation, windows) => {
  const p = powerOf(operation);
  const taps = p >= 2 ? 1 : windows.reduce((product, axis) => product * axis.taps, 1);
  const count = overlap(windows) * taps;
  return { constant: rootUp(count), how: `√${count}` };
});

const averagePool = pooling(({ node }, windows) => {
  const withPadding = integerOf(node, "count_include_pad", 0) !== 0;
  const constant = windows.reduce((product, axis) => {
    const bound = averageBound(axis, withPadding);
    return bound === 1 ? product : product === 1 ? bound : up(product * bound);
  }, 1);
  return { constant, how: "√(largest row sum · largest column sum)", linear: true };
});

/** How an axis is sampled anew. */
interface Resampling {
  readonly mode: string;
  readonly coordinates: string;
  readonly nearest: string;
  readonly length: number | undefined;
  readonly result: number | undefined;
  readonly scale: number;
  readonly cubic: number;
}

/** Chosen: longer axes are not resampled place by place. */
const RESAMPLED_LIMIT = 2 ** 16;

const resize: OperatorRule = (operation) => {
  const x = operation.real(0);
  const { node, opset, lengths, inputs } = operation;
  const { shape } = x;
  const { texts } = node;
  const upsample = operation.operator === "Upsample" || opset < 11;
  if (!shape) throw new NoBound(`it is not known how many axes its input has; ${GIVE_SIZES}`);
  operation.notVariable([1, upsample ? "scales" : "roi"], [2, "scales"], [3, "sizes"]);
  if (integerOf(node, "antialias", 0) !== 0) throw new NoBound("its antialias is set, which is not followed");
  if (integerOf(node, "exclude_outside", 0) !== 0)
    throw new NoBound("its exclude_outside is set, which is not followed");
  if ((texts.get("keep_aspect_ratio_policy") ?? "stretch") !== "stretch")
    throw new NoBound("its keep_aspect_ratio_policy is set, which is not followed");
  const mode = texts.get("mode") ?? "nearest";
  const coordinates = upsample ? "asymmetric" : (texts.get("coordinate_transformation_mode") ?? "half_pixel");
  const nearest = upsample ? "floor" : (texts.get("nearest_mode") ?? "round_prefer_floor");
  const axes = (node.integers.get("axes") ?? shape.map((_, axis) => axis)).map((axis) =>
    axisOf(axis, shape.length),
  );
  const filled = (k: number) => {
    const input = inputs[k];
    return input !== undefined && !(input.kind === "constant" && input.count === 0);
  };
  const sizes = !upsample && filled(3) ? operation.lengthList(3, "sizes") : undefined;
  const scalesAt = upsample ? 1 : 2;
  const hasScales = filled(scalesAt) || node.floats.has("scales");
  const scales = hasScales ? operation.list(scalesAt, "scales") : undefined;
  if ((sizes ?? scales)?.length !== axes.length) throw new NoBound(`its sizes are not known; ${GIVE_SIZES}`);
  const result = [...shape];
  // The interpolation is the Kronecker product of those of the axes.
  let square = 1;
  let changed = 0;
  axes.forEach((axis, k) => {
    const length = shape[axis];
    const wanted = sizes?.[k];
    const scale =
      scales?.[k] ??
      (typeof wanted === "number" && typeof length === "number" ? wanted / length : Number.NaN);
    if (wanted !== undefined ? wanted === length : scale === 1) return;
    if (wanted !== undefined && (typeof wanted !== "number" || typeof length !== "number"))
      throw new NoBound(`it is resized to sizes that are open; ${GIVE_SIZES}`);
    if (!(scale > 0 && scale <= MOST)) throw new NoBound(`its scale is ${scale}`);
    result[axis] =
      wanted ??
      (typeof length === "number"
        ? Math.floor(length * scale)
        : Number.isInteger(scale)
          ? lengths.times(length, scale)
          : lengths.of("resized", length, scale));
    changed++;
    const size = result[axis];
    const squares = resampledSquare({
      ...{ mode, coordinates, nearest, scale, cubic: floatOf(node, "cubic_coeff_a", -0.75) },
      ...{
        length: typeof length === "number" ? length : undefined,
        result: typeof size === "number" ? size : undefined,
      },
    });
    const product = square * squares;
    square =
      Number.isSafeInteger(square) && Number.isSafeInteger(squares) && Number.isSafeInteger(product)
        ? product
        : up(product);
  });
  const how =
    changed === 0
      ? "changes nothing"
      : mode === "nearest"
        ? "√copies"
        : "√(largest row sum · largest column sum)";
  operation.emitFirst(lipschitz(rootUp(square), how, true), result);
};

/** A bound on the square of the norm of one axis' interpolation. @throws NoBound */
function resampledSquare(axis: Resampling): number {
  const { mode, coordinates, nearest, length: n, result: m, scale } = axis;
  if (!["nearest", "linear", "cubic"].includes(mode)) throw new NoBound(`its mode is ${mode}`);
  const known = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "tf_half_pixel_for_nn"];
  if (!known.includes(coordinates)) throw new NoBound(`its coordinate_transformation_mode is ${coordinates}`);
  const centered = coordinates === "half_pixel" || coordinates === "pytorch_half_pixel";
  const whole = Number.isInteger(scale) && (m === undefined || n === undefined || m === n * scale);
  if (mode === "nearest") {
    // Each entry is repeated `scale` times: the nearest of (i + ½)/scale − ½, which is no tie, or the floor of i/scale.
    const regular =
      (coordinates === "asymmetric" && nearest === "floor") || (centered && nearest.startsWith("round"));
    if (whole && regular) return scale;
    if (coordinates === "align_corners") {
      if (n === undefined || m === undefined)
        throw new NoBound(`its corners are aligned, and its sizes are open; ${GIVE_SIZES}`);
      return n === 1 ? m : Math.floor((m - 1) / (n - 1)) + 2;
    }
    // Places lie 1/scale apart. Those of one entry fill an interval of length 1, and at an edge one more.
    return Math.floor(2 * Math.max(scale, m && n ? m / n : scale)) + 1;
  }
  // Tents of integer scale, half a place off, have the sum `scale`, at the edges as well.
  if (mode === "linear" && whole && centered) return scale;
  if (mode === "linear" && n === undefined) {
    if (coordinates === "align_corners")
      throw new NoBound(`its corners are aligned, and its sizes are open; ${GIVE_SIZES}`);
    // The tent has an integral of 1 and a maximum of 1; beyond an edge, over less than one place, weights are 1.
    return up(1.5 * scale + 2);
  }
  if (n === undefined || m === undefined)
    throw new NoBound(`it is cubic, and its sizes are open; ${GIVE_SIZES}`);
  if (n > RESAMPLED_LIMIT || m > RESAMPLED_LIMIT) throw new NoBound("its axes are too long");
  return interpolationSums(axis, n, m);
}

/** The largest row sum times the largest column sum of the magnitudes of an interpolation matrix, m×n. */
function interpolationSums({ mode, coordinates, scale, cubic: a }: Resampling, n: number, m: number): number {
  const columns = new Float64Array(n);
  let row = 0;
  for (let i = 0; i < m; i++) {
    const at = coordinateOf(coordinates, i, n, m, scale);
    const left = Math.floor(at);
    const t = at - left;
    const weights =
      mode === "linear"
        ? [1 - t, t]
        : [
            ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
            ((a + 2) * t - (a + 3)) * t * t + 1,
            ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
            ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a,
          ];
    const first = mode === "linear" ? left : left - 1;
    const sum = weights.reduce((s, w) => s + Math.abs(w), 0);
    row = Math.max(row, sum);
    weights.forEach((weight, k) => {
      columns[Math.min(Math.max(first + k, 0), n - 1)] += Math.abs(weight);
    });
  }
  const column = columns.reduce((max, sum) => Math.max(max, sum), 0);
  // A coordinate below 2^17 is off by less than 2^-34, and a weight by less than 16 times that; the sums are rounded, too.
  const slack = 2 ** -29;
  if (mode === "linear") return up(up(column * (1 + excess(m))) + (m / n + 4) * slack);
  return up(up(up(row + slack) * up(column * (1 + excess(4 * m)))) + (m / n + 4) * slack * 8);
}

function coordinateOf(mode: string, i: number, n: number, m: number, scale: number): number {
  if (mode === "align_corners") return m === 1 ? 0 : (i * (n - 1)) / (m - 1);
  if (mode === "asymmetric") return i / scale;
  if (mode === "tf_half_pixel_for_nn") return (i + 0.5) / scale;
  if (mode === "pytorch_half_pixel" && m === 1) return 0;
  return (i + 0.5) / scale - 0.5;
}

/** diag(p) − p·pᵀ of a softmax p is at most ½: its form is the variance of a vector of which two entries differ by √2 at most. */
const softmax: OperatorRule = (operation) => {
  operation.emitFirst(lipschitz(0.5, "½"), operation.real(0).shape);
};

/** I − 1·pᵀ is a projection, and so has the norm of 1·pᵀ, √n·‖p‖ ≤ √n. */
const logSoftmax: OperatorRule = (operation) => {
  const { shape } = operation.real(0);
  const { opset } = operation;
  if (!shape) throw new NoBound(`it is not known over how many numbers it is taken; ${GIVE_SIZES}`);
  const axis = operation.axis(opset < 13 ? 1 : -1, shape.length);
  const together = opset < 13 ? shape.slice(axis) : [shape[axis]];
  if (!together.every((length) => typeof length === "number"))
    throw new NoBound(`it is taken over an axis whose length is open, ${shapeText(together)}; ${GIVE_SIZES}`);
  const n = (together as number[]).reduce((a, b) => a * b, 1);
  operation.emitFirst(lipschitz(rootUp(n), `√${n}`), shape);
};

/** Rules of operators that take several numbers together. */
export const REDUCTION_RULES: OperatorRules = {
  ...Object.fromEntries(Object.entries(REDUCTIONS).map(([name, constant]) => [name, reduction(constant)])),
  GlobalAveragePool: globalPooling(() => mean),
  GlobalMaxPool: globalPooling(() => one),
  GlobalLpPool: globalPooling(globalPower),
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: powerPool,
  Resize: resize,
  Upsample: resize,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
