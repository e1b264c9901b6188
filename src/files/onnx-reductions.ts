import { logSoftmaxSlope, SOFTMAX_SLOPE } from "./activation-slopes.js";
import { shapeText } from "./broadcasting.js";
import { lipschitz } from "./lipschitz-maps.js";
import type { ValueShape } from "./network.js";
import { GIVE_SIZES, NoBound } from "./no-bound.js";
import { floatOf, integerOf } from "./onnx-graph.js";
import type { OnnxOperation, OperatorRule, OperatorRules } from "./onnx-operation.js";
import { axisOf } from "./onnx-values.js";
import { type Resampling, resampledNorm } from "./resampling.js";
import { rootUp } from "./rounded-roots.js";
import { averageNorm, meanNorm, overlapOf, type WindowAxis, windowShape } from "./sliding-windows.js";
import { type AxisLength, fixedCount, fixedLength } from "./symbolic-lengths.js";

/** Chosen: larger than the attributes of any pooling. */
const MOST = 2 ** 20;

/** The constant of a reduction of axes of these lengths to one number; they are undefined if not even the axes are known. */
type Constant = (lengths: ValueShape | undefined) => {
  readonly constant: number;
  readonly how: string;
  readonly linear?: boolean;
};

/** √n for n numbers. */
const rootOfCount: Constant = (lengths) => {
  const n = fixedCount(lengths);
  if (n === undefined) throw new NoBound(`it takes an open number of entries together; ${GIVE_SIZES}`);
  return { constant: rootUp(n), how: `√${n}` };
};

const one: Constant = () => ({ constant: 1, how: "1-Lipschitz" });
const mean: Constant = (lengths) => ({ ...meanNorm(lengths), linear: true });

/** Reductions of the axes that are taken together. */
const REDUCTIONS: Readonly<Record<string, Constant>> = {
  ReduceMean: mean,
  ReduceSum: (lengths) => ({ ...rootOfCount(lengths), linear: true }),
  ReduceL1: rootOfCount,
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
    const { constant: own, how, linear = false } = constant(reduced);
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
    const { constant: own, how, linear = false } = constant(operation)(shape?.slice(2));
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
  return p >= 2 ? one : rootOfCount;
};

function windowsOf(operation: OnnxOperation, rank: number): readonly WindowAxis[] {
  const { node } = operation;
  const axes = node.integers.get("kernel_shape")?.length ?? 0;
  if (axes < 1 || axes > 3) throw new NoBound("its kernel_shape is not understood");
  if (rank !== axes + 2) throw new NoBound(`its input has ${rank} axes, and its windows ${axes}`);
  const { strides, dilations, pads, automatic } = operation.windowAttributes(axes, 0);
  const { shape } = operation.variable(0);
  return operation.counts("kernel_shape", axes, 1, 1).map((taps, k) => ({
    ...{ taps, stride: strides[k], dilation: dilations[k], automatic },
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
      ...windows.map((axis): AxisLength => windowShape(lengths, axis).length),
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

const maxPool = pooling(({ lengths }, windows) => {
  const count = overlapOf(lengths, windows);
  return {
    constant: rootUp(count),
    how: count === 1 ? "windows do not overlap" : `√${count} windows an entry is in`,
  };
});

const powerPool = pooling((operation, windows) => {
  const p = powerOf(operation);
  const taps = p >= 2 ? 1 : windows.reduce((product, axis) => product * axis.taps, 1);
  const count = overlapOf(operation.lengths, windows) * taps;
  return { constant: rootUp(count), how: `√${count}` };
});

const averagePool = pooling(({ node }, windows) => {
  const withPadding = integerOf(node, "count_include_pad", 0) !== 0;
  return {
    constant: averageNorm(windows, withPadding),
    how: "√(largest row sum · largest column sum)",
    linear: true,
  };
});

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
  const changed: Resampling[] = [];
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
    changed.push({
      ...{ mode, coordinates, nearest, scale, cubic: floatOf(node, "cubic_coeff_a", -0.75) },
      ...{ length: fixedLength(length), result: fixedLength(result[axis]) },
    });
  });
  const { constant, how } = resampledNorm(changed);
  operation.emitFirst(lipschitz(constant, how, true), result);
};

const softmax: OperatorRule = (operation) => {
  operation.emitFirst(lipschitz(SOFTMAX_SLOPE, "½"), operation.real(0).shape);
};

const logSoftmax: OperatorRule = (operation) => {
  const { shape } = operation.real(0);
  const { opset } = operation;
  if (!shape) throw new NoBound(`it is not known over how many numbers it is taken; ${GIVE_SIZES}`);
  const axis = operation.axis(opset < 13 ? 1 : -1, shape.length);
  const together = opset < 13 ? shape.slice(axis) : [shape[axis]];
  const n = fixedCount(together);
  if (n === undefined)
    throw new NoBound(`it is taken over an axis whose length is open, ${shapeText(together)}; ${GIVE_SIZES}`);
  operation.emitFirst(lipschitz(logSoftmaxSlope(n), `√${n}`), shape);
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
