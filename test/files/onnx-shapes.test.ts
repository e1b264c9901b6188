import { describe, expect, it } from "vitest";
import { OnnxNames } from "../../src/files/onnx-constants.js";
import { type OnnxModel, readOnnxGraph } from "../../src/files/onnx-graph.js";
import { onnxDecoder } from "../../src/files/onnx-numbers.js";
import { OnnxShapes } from "../../src/files/onnx-shapes.js";
import { bytesOf } from "../../src/files/onnx-tensor.js";
import { ProtobufReader } from "../../src/files/protobuf.js";
import { memorySource } from "../../src/files/source.js";
import { floats } from "./models.js";
import {
  attribute,
  constant,
  graph,
  inputs,
  node,
  onnx,
  outputs,
  raw,
  tensor,
  value,
  values,
} from "./onnx-models.js";
import { outputsOf } from "./onnx-runtime.js";
import { encode } from "./writers.js";

/** The shapes of the values of a model; raw constants alone are read. */
function shapesIn(bytes: Uint8Array): { shapes: OnnxShapes; model: OnnxModel } {
  const model = readOnnxGraph(new ProtobufReader(memorySource(bytes)));
  const shapes = new OnnxShapes(new OnnxNames(model), (constant) => {
    const { place } = constant.stored;
    if (place.kind !== "here") throw new Error("is not raw");
    const own = bytes.slice(place.begin, place.begin + bytesOf(constant));
    return Float64Array.from(onnxDecoder(constant.type)?.(own, 0, constant.count) ?? []);
  });
  return { shapes, model };
}

const int64 = (name: string, numbers: readonly number[]) =>
  tensor(name, "INT64", [numbers.length], raw(encode("<i8", numbers)));
const float = (name: string, shape: readonly number[]) => {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(name, "FLOAT", shape, raw(floats("F32", new Float64Array(count).fill(1))));
};
const scales = (name: string, numbers: readonly number[]) =>
  tensor(name, "FLOAT", [numbers.length], raw(floats("F32", numbers)));
const integers = attribute.integers;
const integer = attribute.integer;

const shape = [2, 4, 11, 13];
const k = [3, 3];

/** Nodes whose outputs are known to ONNX Runtime; the input is x. */
const nodes: readonly Uint8Array[] = [
  node("Relu", ["x"], ["relu"]),
  node("Conv", ["relu", "kernel"], ["conv"], integers("strides", [2, 1]), integers("pads", [1, 0, 2, 1])),
  node(
    "Conv",
    ["x", "kernel"],
    ["same"],
    attribute.text("auto_pad", "SAME_LOWER"),
    integers("strides", [2, 3]),
  ),
  node("Conv", ["x", "kernel"], ["dilated"], integers("dilations", [2, 3])),
  node(
    "ConvTranspose",
    ["x", "up"],
    ["up1"],
    integers("strides", [2, 3]),
    integers("output_padding", [1, 1]),
  ),
  node(
    "ConvTranspose",
    ["x", "up"],
    ["up2"],
    attribute.text("auto_pad", "SAME_UPPER"),
    integers("strides", [2, 2]),
  ),
  node("ConvTranspose", ["x", "up"], ["up3"], integer("group", 2), integers("pads", [1, 1, 0, 1])),
  node("MaxPool", ["x"], ["max"], integers("kernel_shape", k), integers("strides", [2, 2])),
  node(
    "MaxPool",
    ["x"],
    ["ceil"],
    integers("kernel_shape", k),
    integers("strides", [3, 2]),
    integer("ceil_mode", 1),
    integers("pads", [1, 1, 1, 1]),
  ),
  node(
    "AveragePool",
    ["x"],
    ["mean"],
    integers("kernel_shape", [2, 2]),
    attribute.text("auto_pad", "SAME_UPPER"),
    integers("strides", [2, 2]),
  ),
  node(
    "AveragePool",
    ["x"],
    ["valid"],
    integers("kernel_shape", [2, 5]),
    attribute.text("auto_pad", "VALID"),
  ),
  node("GlobalAveragePool", ["x"], ["global"]),
  node("Mul", ["x", "global"], ["gated"]),
  node("Add", ["row", "gated"], ["added"]),
  node("Concat", ["x", "gated", "x"], ["concat"], integer("axis", 1)),
  node("Concat", ["x", "x"], ["wide"], integer("axis", -1)),
  node("Transpose", ["x"], ["nhwc"], integers("perm", [0, 2, 3, 1])),
  node("Transpose", ["x"], ["turned"]),
  node("Reshape", ["x", "to"], ["reshaped"]),
  node("Flatten", ["x"], ["flat"], integer("axis", 2)),
  node("Unsqueeze", ["x", "axes"], ["unsqueezed"]),
  node("Squeeze", ["unsqueezed", "axes"], ["squeezed"]),
  node("Slice", ["x", "starts", "ends", "sliced-axes", "steps"], ["sliced"]),
  node("Slice", ["x", "starts", "ends"], ["sliced2"]),
  node("Pad", ["x", "pads"], ["padded"]),
  node("Resize", ["x", "", "scales"], ["resized"], attribute.text("mode", "nearest")),
  node("Resize", ["x", "", "", "sizes"], ["sized"], attribute.text("mode", "linear")),
  node("DepthToSpace", ["x"], ["space"], integer("blocksize", 2)),
  node("SpaceToDepth", ["resized"], ["depth"], integer("blocksize", 2)),
  node("Gather", ["x", "indices"], ["gathered"], integer("axis", 2)),
  node("MatMul", ["x", "matrix"], ["product"]),
  node("ReduceMean", ["x", "reduced-axes"], ["reduced"]),
  node("ReduceMax", ["x", "reduced-axes"], ["dropped"], integer("keepdims", 0)),
  node("Split", ["x", "split"], ["part1", "part2"], integer("axis", 1)),
  node("Split", ["x"], ["half1", "half2"], integer("axis", 2), integer("num_outputs", 2)),
  node("Softmax", ["part2"], ["softmax"]),
  node("Identity", ["sized"], ["identity"]),
];

const initializers = [
  ...[float("kernel", [6, 4, ...k]), float("up", [4, 3, ...k]), float("row", [13]), float("matrix", [13, 5])],
  ...[
    int64("to", [0, -1, 13]),
    int64("axes", [1, -1]),
    int64("starts", [1, -3]),
    int64("ends", [2 ** 40, -1]),
  ],
  ...[int64("sliced-axes", [2, 1]), int64("steps", [3, 1]), int64("pads", [0, 0, 1, 2, 0, 0, 3, 4])],
  ...[scales("scales", [1, 1, 2, 2]), int64("sizes", [2, 4, 7, 9]), int64("indices", [0, 2, 2])],
  ...[int64("reduced-axes", [1, -1]), int64("split", [1, 3])],
];

const names = (
  "relu conv same dilated up1 up2 up3 max ceil mean valid global gated added concat wide nhwc turned reshaped flat " +
  "unsqueezed squeezed sliced sliced2 padded resized sized space depth gathered product reduced dropped part1 part2 " +
  "half1 half2 softmax identity"
).split(" ");

describe("the shapes of the values of an ONNX graph", () => {
  it("are those that ONNX Runtime gives", async () => {
    const all = outputs(...names.map((name) => value(name, "FLOAT")));
    const bytes = onnx(graph(nodes, initializers, inputs(value("x", "FLOAT", shape)), all));
    const { shapes, model } = shapesIn(bytes);
    const [first] = model.items;
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const found = await outputsOf(bytes, { x: { data, dims: shape } });
    for (const name of names) expect(shapes.of(name, first.scope), name).toEqual(found[name].dims);
  });

  it("are open where the inputs are", () => {
    const bytes = onnx(graph(nodes, initializers, inputs(value("x", "FLOAT", ["n", 4, "h", 13]))));
    const { shapes, model } = shapesIn(bytes);
    const of = (name: string) => shapes.of(name, model.items[0].scope);
    expect(of("conv")).toEqual([undefined, 6, undefined, 12]);
    expect(of("concat")).toEqual([undefined, 12, undefined, 13]);
    expect(of("added")).toEqual([undefined, 4, undefined, 13]);
    expect(of("sized")).toEqual([2, 4, 7, 9]);
    expect(of("nothing")).toBeUndefined();
  });

  it("are what the model says, unless that is a contradiction", () => {
    const bytes = onnx(
      graph(
        [
          constant("c", float("", [1, 2, 3, 4])),
          node("Strange", ["x"], ["said"]),
          node("Relu", ["said"], ["after"]),
          node("Relu", ["c"], ["wrong"]),
          node("Relu", ["c"], ["other"]),
          node("Relu", ["c"], ["more"]),
          node(
            "If",
            ["b"],
            ["y"],
            attribute.graph("then_branch", graph([node("Relu", ["after"], ["inner"])], [float("w", [1, 1])])),
          ),
        ],
        [],
        values(
          ...[value("said", "FLOAT", [1, 2, 3, 4]), value("wrong", "FLOAT", [1, 2, 5, 4])],
          ...[value("other", "FLOAT", [1, 2]), value("more", "FLOAT", ["n", 2, -1, 0])],
        ),
      ),
    );
    const { shapes, model } = shapesIn(bytes);
    const inner = model.items.find(({ name }) => name === "w");
    const main = model.items.find(({ name }) => name === "c");
    if (!inner || !main) throw new Error("is not there");
    expect(shapes.of("after", main.scope)).toEqual([1, 2, 3, 4]);
    expect(shapes.of("inner", inner.scope)).toEqual([1, 2, 3, 4]);
    expect(shapes.of("inner", main.scope)).toBeUndefined();
    expect(shapes.of("wrong", main.scope)).toEqual([1, 2, undefined, 4]);
    expect(shapes.of("other", main.scope)).toEqual([undefined, undefined, undefined, undefined]);
    expect(shapes.of("more", main.scope)).toEqual([1, 2, 3, 4]);
  });

  it("are unknown where an operator makes no sense", () => {
    const odd: readonly Uint8Array[] = [
      node("Conv", ["x"], ["a"]),
      node("Conv", ["x", "kernel"], ["b"], integers("strides", [1])),
      node("MaxPool", ["x"], ["c"]),
      node("Transpose", ["x"], ["d"], integers("perm", [0, 1])),
      node("Reshape", ["x", "nothing"], ["e"]),
      node("Gather", ["x", "indices"], ["f"], integer("axis", 9)),
      node("Concat", ["x", "nothing"], ["g"]),
      node("Unsqueeze", ["x", "twice"], ["h"]),
      node("Conv", ["x", "large"], ["i"]),
      node("SpaceToDepth", ["x"], ["j"], integer("blocksize", 0)),
      node("Split", ["x"], ["k", "k2"], integer("axis", 4)),
      node("Resize", ["x", "", "", "sizes"], ["l"], integers("axes", [2, 3])),
      node("Slice", ["x", "starts", "ends", "", "backwards"], ["m"]),
    ];
    const bytes = onnx(
      graph(
        odd,
        [
          ...initializers,
          int64("twice", [0, 0]),
          float("large", [1, 4, 50, 50]),
          int64("backwards", [-1, -1]),
        ],
        inputs(value("x", "FLOAT", shape)),
      ),
    );
    const { shapes, model } = shapesIn(bytes);
    const of = (name: string) => shapes.of(name, model.items[0].scope);
    for (const name of ["a", "c", "d", "e", "f", "g", "h", "k", "l"]) expect(of(name), name).toBeUndefined();
    expect(of("b")).toEqual([2, 6, 9, undefined]);
    expect(of("i")).toEqual([2, 1, undefined, undefined]);
    expect(of("j")?.slice(2)).toEqual([undefined, undefined]);
    expect(of("m")?.slice(0, 2)).toEqual([undefined, undefined]);
  });
});
