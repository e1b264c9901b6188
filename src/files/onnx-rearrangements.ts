import { up } from "../certify/rounding.js";
import { broadcastShape, copiesOf, shapeText } from "./broadcasting.js";
import { combined, lipschitz } from "./lipschitz-maps.js";
import type { NetworkMap, ValueShape } from "./network.js";
import { GIVE_SIZES, NoBound } from "./no-bound.js";
import { permutationOf, sliceRange } from "./onnx-evaluation.js";
import { integerOf } from "./onnx-graph.js";
import type { OnnxOperation, OperatorRule, OperatorRules } from "./onnx-operation.js";
import { axisOf, type Variable } from "./onnx-values.js";
import { rootUp } from "./rounded-roots.js";
import type { AxisLength } from "./symbolic-lengths.js";

/** What changes the places of numbers, and nothing else. */
function reordered(operation: OnnxOperation, shape: ValueShape | undefined): void {
  operation.emitFirst(lipschitz(1, "moves entries", true), shape);
}

function copying(operation: OnnxOperation, copies: number, shape: ValueShape | undefined): void {
  const how = copies === 1 ? "moves entries" : "√copies";
  operation.emitFirst(lipschitz(rootUp(copies), how, true), shape);
}

/** What a shape rule finds, or nothing where it does not understand. */
function attempt<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof NoBound)) throw error;
    return undefined;
  }
}

function reshapedShape(operation: OnnxOperation, x: Variable): ValueShape | undefined {
  const { lengths } = operation;
  const wanted = operation.lengthList(1, "shape");
  if (!wanted) return undefined;
  const zeros = integerOf(operation.node, "allowzero", 0) === 0;
  const shape = wanted.map((length, axis) => (length === 0 && zeros ? x.shape?.[axis] : length));
  const output = operation.outputs[0] ?? "";
  const others = shape.filter((length) => length !== -1);
  return shape.map((length, axis): AxisLength => {
    if (length === undefined) return lengths.open(output, axis);
    if (length !== -1) return length;
    if (!x.shape || others.includes(undefined)) return lengths.open(output, axis);
    const rest = lengths.over(lengths.product(x.shape), lengths.product(others as AxisLength[]));
    if (typeof rest === "number" && !Number.isInteger(rest))
      throw new NoBound(
        `its input of shape ${shapeText(x.shape)} cannot be reshaped to [${wanted.join(", ")}]`,
      );
    return rest;
  });
}

const reshape: OperatorRule = (operation) => {
  const x = operation.variable(0);
  operation.notVariable([1, "shape"]);
  reordered(operation, reshapedShape(operation, x));
};

const transpose: OperatorRule = (operation) => {
  const { shape } = operation.variable(0);
  reordered(operation, shape && permutationOf(operation.node, shape.length).map((axis) => shape[axis]));
};

const squeeze: OperatorRule = (operation) => {
  const { shape } = operation.variable(0);
  operation.notVariable([1, "axes"]);
  const axes = attempt(() => operation.list(1, "axes"));
  const known =
    axes !== undefined ||
    (operation.inputs[1] === undefined && shape?.every((length) => typeof length === "number"));
  if (!shape || !known) return reordered(operation, undefined);
  const own = axes?.map((axis) => axisOf(axis, shape.length));
  reordered(
    operation,
    shape.filter((length, axis) => (own ? !own.includes(axis) : length !== 1)),
  );
};

const unsqueeze: OperatorRule = (operation) => {
  const { shape } = operation.variable(0);
  operation.notVariable([1, "axes"]);
  const axes = attempt(() => operation.list(1, "axes"));
  if (!shape || !axes) return reordered(operation, undefined);
  const rank = shape.length + axes.length;
  const own = axes.map((axis) => axisOf(axis, rank));
  if (new Set(own).size < own.length) throw new NoBound("its axes occur twice");
  const rest = [...shape];
  reordered(
    operation,
    Array.from({ length: rank }, (_, axis) => (own.includes(axis) ? 1 : (rest.shift() ?? 1))),
  );
};

const flatten: OperatorRule = (operation) => {
  const { shape } = operation.variable(0);
  if (!shape) return reordered(operation, [operation.open(0), operation.open(1)]);
  const axis = axisOf(integerOf(operation.node, "axis", 1), shape.length + 1);
  const { lengths } = operation;
  reordered(operation, [lengths.product(shape.slice(0, axis)), lengths.product(shape.slice(axis))]);
};

function blockwise(toSpace: boolean): OperatorRule {
  return (operation) => {
    const { shape } = operation.variable(0);
    const block = integerOf(operation.node, "blocksize", 0);
    const { lengths } = operation;
    if (!(block >= 1)) throw new NoBound("its blocksize is not understood");
    if (shape?.length !== 4) return reordered(operation, undefined);
    const [batch, channels, ...places] = shape;
    const own = toSpace ? lengths.over(channels, block ** 2) : lengths.times(channels, block ** 2);
    reordered(operation, [
      ...[batch, own],
      ...places.map((length) => (toSpace ? lengths.times(length, block) : lengths.over(length, block))),
    ]);
  };
}

const concat: OperatorRule = (operation) => {
  const { inputs, variables, lengths } = operation;
  const shapes = inputs.map((input) => (input && input.kind !== "unknown" ? input.shape : undefined));
  const rank = shapes.find((shape) => shape !== undefined)?.length;
  let shape: ValueShape | undefined;
  if (rank !== undefined && shapes.every((one) => one?.length === rank)) {
    const all = shapes as readonly ValueShape[];
    const axis = operation.axis(1, rank);
    shape = all[0].map((first, k): AxisLength => {
      if (k === axis) return all.reduce<AxisLength>((sum, one) => lengths.plus(sum, one[k]), 0);
      return all.map((one) => one[k]).find((length) => typeof length === "number") ?? first;
    });
  }
  operation.emit({
    inputs: variables,
    outputs: [{ name: operation.outputs[0] ?? "", shape, type: variables[0].type }],
    map: combined(
      variables.map(() => 1),
      true,
    ),
  });
};

const split: OperatorRule = (operation) => {
  const x = operation.variable(0);
  const { node, outputs, lengths } = operation;
  operation.notVariable([1, "lengths"]);
  const given = operation.lengthList(1, "split");
  const hasList = operation.inputs[1] !== undefined || node.integers.has("split");
  const { shape } = x;
  const axis = shape && operation.axis(0, shape.length);
  const count = Math.max(outputs.length, integerOf(node, "num_outputs", 0));
  const lengthAt = (k: number, whole: AxisLength): AxisLength => {
    if (hasList) return given?.[k] ?? lengths.open(outputs[k], axis ?? 0);
    if (typeof whole !== "number") return whole === undefined ? 1 : lengths.of("part", whole, k, count);
    const each = Math.ceil(whole / count);
    return Math.max(0, Math.min(each, whole - k * each));
  };
  operation.emit({
    inputs: [x],
    outputs: outputs.flatMap((name, k) =>
      name === ""
        ? []
        : [
            {
              name,
              type: x.type,
              shape: shape?.map((length, at) => (at === axis ? lengthAt(k, length) : length)),
            },
          ],
    ),
    map: lipschitz(1, "chooses entries", true),
  });
};

const slice: OperatorRule = (operation) => {
  const x = operation.variable(0);
  operation.notVariable([1, "starts"], [2, "ends"], [3, "axes"], [4, "steps"]);
  // An entry is chosen once at most, wherever the slice begins.
  operation.emitFirst(lipschitz(1, "chooses entries", true), slicedShape(operation, x));
};

function slicedShape(operation: OnnxOperation, { shape }: Variable): ValueShape | undefined {
  if (!shape) return undefined;
  const { lengths, node } = operation;
  const given = (k: number, name: string) => !operation.isOmitted(k) || node.integers.has(name);
  const starts = operation.lengthList(1, "starts");
  const ends = operation.lengthList(2, "ends");
  const output = operation.outputs[0] ?? "";
  const open = () => shape.map((_, axis) => lengths.open(output, axis));
  const axes = given(3, "axes") ? operation.lengthList(3, "axes") : starts?.map((_, k) => k);
  const steps = given(4, "steps") ? operation.lengthList(4, "steps") : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps) return open();
  const result = [...shape];
  for (const [k, at] of axes.entries()) {
    if (typeof at !== "number") return open();
    const axis = axisOf(at, shape.length);
    const [length, start, end, step] = [shape[axis], starts[k], ends[k], steps[k]];
    if ([start, end, step].includes(undefined as never))
      throw new NoBound("its starts, ends and steps are not as many");
    result[axis] =
      typeof length === "number" &&
      typeof start === "number" &&
      typeof end === "number" &&
      typeof step === "number"
        ? sliceRange(length, start, end, step)[1]
        : start === 0 && step === 1 && typeof end === "number" && end >= 2 ** 31 - 1
          ? length
          : lengths.of("slice", length, start, end, step);
  }
  return result;
}

const gather: OperatorRule = (operation) => {
  const { inputs } = operation;
  if (inputs[1]?.kind === "variable")
    throw new NoBound("it takes entries at an index that depends on the input");
  const x = operation.variable(0);
  const { shape } = x;
  const indices = inputs[1];
  const axis = shape && operation.axis(0, shape.length);
  const own = indices?.kind === "constant" || indices?.kind === "lengths" ? indices.shape : undefined;
  const copies = indicesCopies(operation, axis === undefined ? undefined : shape?.[axis]);
  const result =
    shape && axis !== undefined && own
      ? [...shape.slice(0, axis), ...own, ...shape.slice(axis + 1)]
      : undefined;
  copying(operation, copies, result);
};

/** How often the same index occurs. */
function indicesCopies(operation: OnnxOperation, length: AxisLength | undefined): number {
  const indices = operation.inputs[1];
  if (indices?.kind === "lengths") return indices.lengths.length;
  const { values } = operation.constant(1, "indices").numbers();
  const counts = new Map<number, number>();
  let most = 0;
  const negative = values.some((index) => index < 0);
  // A negative index may be the same place as another one.
  if (negative && typeof length !== "number" && values.length > 1) return values.length;
  for (const index of values) {
    const place = index < 0 && typeof length === "number" ? index + length : index;
    const count = (counts.get(place) ?? 0) + 1;
    counts.set(place, count);
    most = Math.max(most, count);
  }
  return most;
}

const expand: OperatorRule = (operation) => {
  const { shape } = operation.variable(0);
  const wanted = operation.lengthList(1, "shape");
  operation.notVariable([1, "shape"]);
  if (!wanted) throw new NoBound(`it is not known how often it repeats its input; ${GIVE_SIZES}`);
  const result = broadcastShape(operation.lengths, [shape, wanted]);
  copying(operation, copiesOf(shape, result), result);
};

const tile: OperatorRule = (operation) => {
  const { shape } = operation.variable(0);
  const repeats = operation.list(1, "repeats");
  if (!repeats || (shape && repeats.length !== shape.length) || !repeats.every((count) => count >= 0))
    throw new NoBound("its repeats are not understood");
  const copies = repeats.reduce((a, b) => a * b, 1);
  copying(
    operation,
    copies,
    shape?.map((length, axis) => operation.lengths.times(length, repeats[axis])),
  );
};

const pad: OperatorRule = (operation) => {
  const x = operation.variable(0);
  const { node, lengths } = operation;
  const mode = node.texts.get("mode") ?? "constant";
  operation.notVariable([1, "pads"], [2, "value"], [3, "axes"]);
  const pads = attempt(() => operation.list(1, "pads") ?? node.integers.get("paddings"));
  const axes = attempt(() => operation.list(3, "axes"));
  const { shape } = x;
  const output = operation.outputs[0] ?? "";
  if (!pads || (!operation.isOmitted(3) && !axes)) {
    if (mode !== "constant") throw new NoBound(`it is not known by how much it pads; ${GIVE_SIZES}`);
    return operation.emitFirst(
      lipschitz(1, "adds constants", true),
      shape?.map((_, axis) => lengths.open(output, axis)),
    );
  }
  const rank = pads.length / 2;
  if (!Number.isInteger(rank) || (axes && axes.length !== rank) || (shape && !axes && shape.length !== rank))
    throw new NoBound("its pads are not as many as its axes");
  const sides = new Map<number, readonly [number, number]>();
  for (let k = 0; k < rank; k++)
    sides.set(axes ? (shape ? axisOf(axes[k], shape.length) : axes[k]) : k, [pads[k], pads[k + rank]]);
  if (sides.size < rank) throw new NoBound("its axes occur twice");
  const result = shape?.map((length, axis) => {
    const [before, after] = sides.get(axis) ?? [0, 0];
    return lengths.plus(length, before + after);
  });
  if (result?.some((length) => typeof length === "number" && length < 0))
    throw new NoBound("it cuts off more than its input has");
  let copies = 1;
  if (mode !== "constant")
    for (const [axis, [before, after]] of sides)
      copies *= edgeCopies(mode, Math.max(0, before), Math.max(0, after), shape?.[axis]);
  const map: NetworkMap = lipschitz(rootUp(copies), copies === 1 ? "adds constants" : "√copies", true);
  operation.emitFirst(map, result);
};

/** Not below how often an entry occurs where edges continue an axis. @throws NoBound */
function edgeCopies(mode: string, before: number, after: number, length: AxisLength | undefined): number {
  if (before === 0 && after === 0) return 1;
  const n = typeof length === "number" ? length : undefined;
  switch (mode) {
    case "edge":
      // An axis of one place continues it on both sides.
      return 1 + (n !== undefined && n > 1 ? Math.max(before, after) : before + after);
    case "reflect": {
      if (n === undefined) return 1 + (before > 0 ? 1 : 0) + (after > 0 ? 1 : 0);
      if (before >= n || after >= n) throw new NoBound("it reflects more places than its input has");
      // Places 1 … before are repeated on one side, n − 1 − after … n − 2 on the other.
      return before > 0 && after > 0 && before + after >= n - 1 ? 3 : 2;
    }
    case "wrap": {
      if (n === undefined) return 1 + before + after;
      return 1 + Math.ceil((before + after) / n);
    }
  }
  throw new NoBound(`its mode is ${mode}`);
}

/** Sums of all entries up to each: the matrix of ones on and below the diagonal. */
const cumulativeSum: OperatorRule = (operation) => {
  const { shape } = operation.real(0);
  const axis = operation.list(1, "axis")?.[0];
  if (!shape || axis === undefined) throw new NoBound("its axis is not known");
  const n = shape[axisOf(axis, shape.length)];
  if (typeof n !== "number") throw new NoBound(`it adds up an axis whose length is open; ${GIVE_SIZES}`);
  const terms = integerOf(operation.node, "exclusive", 0) === 0 ? n : n - 1;
  // 1/(2·sin(π/(4n + 2))); the relative error of the sine is below 2^-50.
  const norm =
    terms < 1 ? 0 : terms === 1 ? 1 : up((1 / (2 * Math.sin(Math.PI / (4 * terms + 2)))) * (1 + 2 ** -48));
  operation.emitFirst(lipschitz(norm, "1/(2 sin(π/(4n + 2)))", true), shape);
};

const topK: OperatorRule = (operation) => {
  const x = operation.real(0);
  const { outputs, node, lengths } = operation;
  operation.notVariable([1, "k"]);
  const k = attempt(() => (operation.isOmitted(1) ? node.integers.get("k") : operation.list(1, "k")))?.[0];
  const { shape } = x;
  const axis = shape && operation.axis(-1, shape.length);
  const [values, indices] = outputs;
  const result = shape?.map((length, at) => (at === axis ? (k ?? lengths.open(values ?? "", at)) : length));
  if ((values ?? "") !== "")
    operation.emit({
      inputs: [x],
      outputs: [{ name: values, shape: result, type: x.type }],
      map: lipschitz(1, "sorts entries"),
    });
  if ((indices ?? "") !== "")
    operation.emit({
      ...{ inputs: [x], outputs: [{ name: indices, shape: result, type: "INT64" }], part: "indices" },
      map: { kind: "unbounded", reason: "the indices of the largest numbers are a step function" },
    });
};

/** Lower and upper triangles: the others become 0. */
const triangle: OperatorRule = (operation) => {
  operation.notVariable([1, "k"]);
  operation.emitFirst(lipschitz(1, "sets entries to 0", true), operation.variable(0).shape);
};

/** Rules of operators that move, repeat or choose entries. */
export const REARRANGEMENT_RULES: OperatorRules = {
  Reshape: reshape,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Flatten: flatten,
  DepthToSpace: blockwise(true),
  SpaceToDepth: blockwise(false),
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  CumSum: cumulativeSum,
  TopK: topK,
  Trilu: triangle,
};
