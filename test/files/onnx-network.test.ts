import { Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import type { Network } from "../../src/files/network.js";
import { createRandom } from "../../src/numerics/random.js";
import { attribute, microsoft, node } from "./onnx-models.js";
import {
  changeOf,
  convolutionMatrix,
  int64,
  modelOf,
  networkOf,
  norm,
  single,
} from "./onnx-network-models.js";
import { sessionOf } from "./onnx-runtime.js";

const random = createRandom(18);
const normal = (count: number, scale = 1) => Array.from({ length: count }, () => scale * random.normal());
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const { integer, integers, float, floats, text } = attribute;

type Constants = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>
>;
const constants = (shapes: Readonly<Record<string, readonly number[]>>, scale = 1): Constants =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, data: normal(count(shape), scale) }]),
  );
const list = (...data: readonly number[]): Constants[string] => ({ shape: [data.length], data });

interface Case {
  readonly name: string;
  readonly nodes: readonly Uint8Array[];
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly constants?: Constants;
  /** of the inputs */
  readonly scales?: readonly number[];
}

function only(
  nodes: readonly Uint8Array[],
  shapes: Case["shapes"] | readonly number[],
  more: Constants = {},
  name?: string,
): Case {
  const own = Array.isArray(shapes) ? { x: shapes as readonly number[] } : (shapes as Case["shapes"]);
  return { name: name ?? "", nodes, shapes: own, constants: more };
}

const op = (operator: string, inputs: readonly string[] = ["x"], ...more: readonly Uint8Array[]) =>
  node(operator, inputs, ["y"], ...more);

/** Random pairs of inputs, some of them near, whose outputs must not be farther apart than the bound. */
async function check({ nodes, shapes, constants: own = {}, scales = [0.3, 3] }: Case): Promise<void> {
  const bytes = modelOf(nodes, shapes, own);
  const network = networkOf(bytes);
  const session = await sessionOf(bytes);
  try {
    for (const scale of scales)
      for (const step of [0.01, 1])
        for (let k = 0; k < 3; k++) {
          const pairs = Object.entries(shapes).map(([name, dims]) => {
            const x = Float32Array.from(normal(count(dims), scale));
            const y = Float32Array.from(x, (value) => value + step * scale * random.normal());
            return { name, dims, x, y, distance: norm(x.map((value, i) => value - y[i])) };
          });
          const [a, b] = [
            await session.run(
              Object.fromEntries(pairs.map(({ name, dims, x }) => [name, { data: x, dims }])),
            ),
            await session.run(
              Object.fromEntries(pairs.map(({ name, dims, y }) => [name, { data: y, dims }])),
            ),
          ];
          const bound = changeOf(
            network,
            "y",
            Object.fromEntries(pairs.map(({ name, distance }) => [name, distance])),
          );
          const [first, second] = [a["y"].data, b["y"].data];
          const change = norm(first.map((value, i) => value - second[i]));
          // float32 rounds sums of up to a hundred numbers.
          const rounding = 100 * 2 ** -24 * (norm(first) + norm(second));
          expect(change).toBeLessThanOrEqual(bound + rounding);
          expect(bound).toBeGreaterThan(0);
          // The matrix of a convolution, on each image of the batch.
          const map = network.nodes.find(({ map }) => map.kind === "convolution")?.map;
          if (map?.kind !== "convolution" || network.nodes.length > 1 || k > 0) continue;
          const [{ x, y }] = pairs;
          const matrix = convolutionMatrix(map);
          const images = Array.from({ length: x.length / matrix.columns }, (_, image) => {
            const part = Array.from(
              { length: matrix.columns },
              (_, i) => x[image * matrix.columns + i] - y[image * matrix.columns + i],
            );
            return norm(matrix.mmul(Matrix.columnVector(part)).to1DArray());
          });
          expect(Math.abs(norm(images) - change)).toBeLessThanOrEqual(rounding);
        }
  } finally {
    await session.close();
  }
}

const image = [2, 4, 5, 4];
const matrix = { w: [5, 7] };

const CASES: Readonly<Record<string, readonly Case[]>> = {
  "products with constants": [
    only([op("MatMul", ["x", "w"])], [3, 5], constants(matrix)),
    only([op("MatMul", ["w", "x"])], [2, 7, 3], constants(matrix)),
    only([op("MatMul", ["w", "x"])], [7], constants(matrix)),
    only([op("MatMul", ["x", "w"])], [5], constants(matrix)),
    only([op("MatMul", ["x", "w"])], [3, 5], constants({ w: [5] })),
    only([op("MatMul", ["w", "x"])], [2, 5, 3], constants({ w: [5] })),
    only([op("MatMul", ["x", "w"])], [4, 3, 5], constants({ w: [4, 5, 2] })),
    only([op("MatMul", ["x", "w"])], [3, 5], constants({ w: [4, 5, 2] })),
    only([op("MatMul", ["w", "x"])], [1, 7, 2], constants({ w: [3, 5, 7] })),
    only([op("MatMul", ["x", "w"])], [3, 5], constants({ w: [1, 1, 5, 2] })),
    ...[0, 1].flatMap((transA) =>
      [0, 1].flatMap((transB) => [
        only(
          [
            op(
              "Gemm",
              ["x", "w", "c"],
              integer("transA", transA),
              integer("transB", transB),
              float("alpha", 1.3),
            ),
          ],
          transA ? [5, 3] : [3, 5],
          constants({ w: transB ? [4, 5] : [5, 4], c: [4] }),
        ),
        only(
          [op("Gemm", ["w", "x"], integer("transA", transA), integer("transB", transB), float("alpha", 0.7))],
          transB ? [3, 5] : [5, 3],
          constants({ w: transA ? [5, 4] : [4, 5] }),
        ),
        only(
          [
            op(
              "Gemm",
              ["x", "w", "z"],
              integer("transA", transA),
              integer("transB", transB),
              float("beta", -2),
            ),
          ],
          { x: transA ? [5, 3] : [3, 5], z: [4] },
          constants({ w: transB ? [4, 5] : [5, 4] }),
        ),
      ]),
    ),
    only(
      [op("FusedMatMul", ["x", "w"], integer("transA", 1), float("alpha", 0.5), microsoft)],
      [2, 5, 3],
      constants(matrix),
    ),
    only([op("FusedMatMul", ["x", "w"], integer("transB", 1), microsoft)], [3, 7], constants(matrix)),
  ],
  convolutions: [
    only(
      [op("Conv", ["x", "w", "b"], integers("pads", [1, 0, 2, 1]), integers("strides", [2, 1]))],
      image,
      constants({ w: [6, 4, 3, 2], b: [6] }),
    ),
    only(
      [op("Conv", ["x", "w"], integer("group", 2), integers("dilations", [2, 1]))],
      image,
      constants({ w: [6, 2, 3, 2] }),
    ),
    ...["SAME_UPPER", "SAME_LOWER", "VALID"].map((mode) =>
      only(
        [op("Conv", ["x", "w"], text("auto_pad", mode), integers("strides", [2, 3]))],
        image,
        constants({ w: [3, 4, 2, 3] }),
      ),
    ),
    only([op("Conv", ["x", "w"], integers("pads", [2, 1]))], [1, 2, 9], constants({ w: [3, 2, 4] })),
    only(
      [op("Conv", ["x", "w"], integers("strides", [1, 2, 1]))],
      [1, 2, 3, 4, 3],
      constants({ w: [2, 2, 2, 2, 2] }),
    ),
    only(
      [op("ConvTranspose", ["x", "w"], integers("strides", [2, 3]), integers("pads", [1, 0, 0, 1]))],
      [1, 4, 3, 3],
      constants({ w: [4, 3, 3, 2] }),
    ),
    only(
      [
        op(
          "ConvTranspose",
          ["x", "w", "b"],
          integer("group", 2),
          integers("strides", [3, 2]),
          integers("output_padding", [2, 1]),
        ),
      ],
      [1, 4, 3, 3],
      constants({ w: [4, 3, 3, 2], b: [6] }),
    ),
    only(
      [
        op(
          "ConvTranspose",
          ["x", "w"],
          integers("dilations", [2, 1]),
          integers("strides", [2, 2]),
          integers("output_padding", [1, 0]),
        ),
      ],
      [1, 2, 3, 4],
      constants({ w: [2, 3, 2, 3] }),
    ),
    only(
      [op("ConvTranspose", ["x", "w"], integers("strides", [2]), integers("pads", [1, 1]))],
      [1, 2, 5],
      constants({ w: [2, 3, 4] }),
    ),
    only(
      [
        op(
          "FusedConv",
          ["x", "w"],
          text("activation", "LeakyRelu"),
          floats("activation_params", [0.1]),
          microsoft,
        ),
      ],
      image,
      constants({ w: [3, 4, 2, 2] }),
    ),
  ],
  "numbers for channels": [
    only([op("BatchNormalization", ["x", "s", "b", "m", "v"], float("epsilon", 0.01))], image, {
      ...constants({ s: [4], b: [4], m: [4] }),
      v: list(0.5, 2, 0.01, 1),
    }),
    only([op("Mul", ["x", "c"])], image, constants({ c: [4, 1, 1] })),
    only([op("Mul", ["c", "x"])], image, constants({ c: [5, 4] })),
    only([op("Mul", ["x", "c"])], [2, 1, 3], constants({ c: [4, 3] })),
    only([op("Div", ["x", "c"])], image, constants({ c: [4, 1, 1] })),
    only([op("Div", ["x", "c"])], [3], { c: single(0.3) }),
    only([op("Sub", ["c", "x"])], [2, 1, 3], constants({ c: [4, 3] })),
    only([op("PRelu", ["x", "c"])], image, constants({ c: [4, 1, 1] }, 2)),
    only([op("PRelu", ["x", "c"])], [2, 1, 3], constants({ c: [4, 3] }, 2)),
    only([op("PRelu", ["x", "c"])], [2, 1], constants({ c: [3] }, 2)),
    only([op("PRelu", ["x", "c"])], [2], constants({ c: [3, 2] })),
  ],
  "several values": [
    only([op("Add", ["x", "z"])], { x: [2, 1, 3], z: [4, 1] }),
    only([op("Add", ["x", "x"])], { x: [5] }),
    only([op("Sub", ["x", "z"])], { x: [2, 3], z: [2, 3] }),
    only([op("Sum", ["x", "z", "w"])], { x: [2, 3], z: [3], w: [2, 1] }),
    only([op("Mean", ["x", "z", "w"])], { x: [2, 3], z: [3], w: [2, 1] }),
    only([op("Max", ["x", "z"])], { x: [2, 1, 3], z: [4, 1] }),
    only([op("Min", ["x", "z", "c"])], { x: [2, 3], z: [2, 3] }, { c: single(0.5) }),
    only(
      [op("Concat", ["x", "z", "c"], integer("axis", 1))],
      { x: [2, 3], z: [2, 1] },
      constants({ c: [2, 2] }),
    ),
    only(
      [
        node("Split", ["x"], ["a", "b"], integer("axis", 1), integer("num_outputs", 2)),
        op("Sub", ["a", "b"]),
      ],
      [2, 6],
    ),
    only(
      [op("SkipLayerNormalization", ["x", "z", "g", "b"], float("epsilon", 0.1), microsoft)],
      { x: [1, 3, 4], z: [1, 3, 4] },
      constants({ g: [4], b: [4] }),
    ),
  ],
  "moving and repeating entries": [
    only([op("Transpose", ["x"], integers("perm", [1, 0]))], [3, 4]),
    only([op("Flatten")], [2, 3, 4]),
    only([op("DepthToSpace", ["x"], integer("blocksize", 2))], [1, 8, 2, 3]),
    only([op("SpaceToDepth", ["x"], integer("blocksize", 2))], [1, 2, 4, 6]),
    only([int64("s", [-1, 6]), op("Reshape", ["x", "s"])], [3, 4]),
    only([int64("i", [2, 0, 2, -1]), op("Gather", ["x", "i"], integer("axis", 1))], [2, 4]),
    only([int64("s", [2, 4, 3]), op("Expand", ["x", "s"])], [4, 1]),
    only([int64("s", [2, 3]), op("Tile", ["x", "s"])], [2, 2]),
    only(
      [
        int64("a", [-1]),
        int64("b", [-9]),
        int64("c", [1]),
        int64("d", [-2]),
        op("Slice", ["x", "a", "b", "c", "d"]),
      ],
      [2, 7],
    ),
    ...["constant", "reflect", "edge", "wrap"].flatMap((mode) => [
      only([int64("p", [0, 2, 0, 3]), op("Pad", ["x", "p"], text("mode", mode))], [2, 4]),
      only([int64("p", [0, 1, 0, 0]), op("Pad", ["x", "p"], text("mode", mode))], [2, 4]),
    ]),
    only([int64("p", [0, -1, 0, 2]), op("Pad", ["x", "p"])], [2, 4]),
    only([int64("a", [1]), op("CumSum", ["x", "a"])], [2, 9]),
    only([int64("k", [3]), node("TopK", ["x", "k"], ["y", "i"])], [2, 7]),
    only([op("Trilu")], [4, 4]),
  ],
  pooling: [
    only([op("GlobalAveragePool")], image),
    only([op("GlobalMaxPool")], image),
    ...[0, 1].flatMap((pad) =>
      [0, 1].map((ceil) =>
        only(
          [
            op(
              "AveragePool",
              ["x"],
              integers("kernel_shape", [3, 2]),
              integers("strides", [2, 1]),
              integers("pads", [1, 0, 1, 1]),
              integer("count_include_pad", pad),
              integer("ceil_mode", ceil),
            ),
          ],
          image,
        ),
      ),
    ),
    ...["SAME_UPPER", "SAME_LOWER", "VALID"].map((mode) =>
      only(
        [
          op(
            "AveragePool",
            ["x"],
            integers("kernel_shape", [3, 3]),
            integers("strides", [2, 2]),
            text("auto_pad", mode),
          ),
        ],
        image,
      ),
    ),
    only(
      [
        op(
          "MaxPool",
          ["x"],
          integers("kernel_shape", [3, 3]),
          integers("strides", [2, 2]),
          integers("pads", [1, 1, 1, 1]),
        ),
      ],
      image,
    ),
    only(
      [
        op(
          "MaxPool",
          ["x"],
          integers("kernel_shape", [2, 2]),
          integers("strides", [2, 2]),
          integer("ceil_mode", 1),
        ),
      ],
      image,
    ),
    only([op("MaxPool", ["x"], integers("kernel_shape", [3]), integers("dilations", [2]))], [1, 2, 9]),
    only([op("LpPool", ["x"], integers("kernel_shape", [2, 3]), integer("p", 1))], image),
    only([op("LpPool", ["x"], integers("kernel_shape", [2, 3]), integer("p", 3))], image),
  ],
  reductions: [
    ...[
      "ReduceMean",
      "ReduceSum",
      "ReduceL1",
      "ReduceL2",
      "ReduceMax",
      "ReduceMin",
      "ReduceLogSumExp",
    ].flatMap((name) => [
      only([int64("a", [0, -1]), op(name, ["x", "a"], integer("keepdims", 0))], [3, 4, 5]),
      only([op(name)], [3, 4]),
    ]),
    only([op("Softmax", ["x"], integer("axis", 1))], [2, 3, 4]),
    only([op("LogSoftmax", ["x"], integer("axis", 1))], [2, 3, 4]),
  ],
  resizing: ["nearest", "linear", "cubic"].flatMap((mode) =>
    ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"].flatMap((how) =>
      [
        [1, 1, 2, 3],
        [1, 1, 1.5, 0.7],
      ].map((scales) =>
        only(
          [op("Resize", ["x", "", "s"], text("mode", mode), text("coordinate_transformation_mode", how))],
          [1, 2, 5, 6],
          { s: list(...scales) },
        ),
      ),
    ),
  ),
  normalizations: [
    only(
      [op("LayerNormalization", ["x", "g", "b"], float("epsilon", 0.1))],
      [3, 5],
      constants({ g: [5], b: [5] }),
    ),
    only(
      [op("InstanceNormalization", ["x", "g", "b"], float("epsilon", 0.2))],
      image,
      constants({ g: [4], b: [4] }),
    ),
    only(
      [op("GroupNormalization", ["x", "g", "b"], integer("num_groups", 2), float("epsilon", 0.2))],
      image,
      constants({ g: [4], b: [4] }),
    ),
    only(
      [op("SimplifiedLayerNormalization", ["x", "g"], float("epsilon", 0.1))],
      [3, 5],
      constants({ g: [5] }),
    ),
    only(
      [op("LRN", ["x"], integer("size", 3), float("alpha", 5), float("beta", 0.75), float("bias", 0.5))],
      image,
    ),
    only([op("MeanVarianceNormalization")], image),
  ],
};

describe("the map of an ONNX operator", () => {
  for (const [group, cases] of Object.entries(CASES))
    it(`bounds what ONNX Runtime computes: ${group}`, async () => {
      for (const one of cases) await check(one);
    });
});

/** The largest slope of a function of one number, on a grid, and its place. */
async function steepest(nodes: readonly Uint8Array[], own: Constants): Promise<number> {
  const [n, step] = [8001, 2 ** -8];
  const x = Float32Array.from({ length: n }, (_, k) => (k - (n - 1) / 2) * step);
  const session = await sessionOf(modelOf(nodes, { x: [n] }, own));
  try {
    const { data } = (await session.run({ x: { data: x, dims: [n] } }))["y"];
    let most = 0;
    for (let k = 0; k + 1 < n; k++) most = Math.max(most, Math.abs(data[k + 1] - data[k]) / step);
    return most;
  } finally {
    await session.close();
  }
}

const constantOf = ({ nodes }: Network): number => {
  const last = nodes.find(({ outputs: names }) => names.includes("y"));
  if (last?.map.kind === "lipschitz") return last.map.constants[0];
  if (last?.map.kind === "scaling") return Math.abs(last.map.factors[0]);
  throw new Error(last?.map.kind === "unbounded" ? last.map.reason : "another map");
};

/** Activations, as operators and as exporters write them. */
const ACTIVATIONS: readonly (readonly [name: string, nodes: readonly Uint8Array[], constants?: Constants])[] =
  [
    ...[
      "Relu",
      "Sigmoid",
      "Tanh",
      "Softplus",
      "Softsign",
      "Erf",
      "Abs",
      "Neg",
      "Sin",
      "Cos",
      "Atan",
      "Asinh",
      "Mish",
      "Gelu",
      "HardSwish",
      "HardSigmoid",
      "Elu",
      "Selu",
      "Celu",
      "LeakyRelu",
      "Clip",
      "Identity",
    ].map((name): [string, Uint8Array[]] => [name, [op(name)]]),
    ["Gelu by tanh", [op("Gelu", ["x"], text("approximate", "tanh"))]],
    ["FastGelu", [op("FastGelu", ["x"], microsoft)]],
    ["QuickGelu", [op("QuickGelu", ["x"], microsoft)]],
    ["BiasGelu", [op("BiasGelu", ["x", "b"], microsoft)], { b: list(...normal(8001)) }],
    ["LeakyRelu 3", [op("LeakyRelu", ["x"], float("alpha", -3))]],
    ["Elu 2", [op("Elu", ["x"], float("alpha", 2))]],
    ["Celu 2", [op("Celu", ["x"], float("alpha", 2))]],
    ["Selu", [op("Selu", ["x"], float("alpha", 0.5), float("gamma", 1.5))]],
    ["HardSigmoid 2", [op("HardSigmoid", ["x"], float("alpha", 2), float("beta", 0.1))]],
    ["Shrink", [op("Shrink", ["x"], float("bias", 0.5), float("lambd", 0.5))]],
    ["ThresholdedRelu 0", [op("ThresholdedRelu", ["x"], float("alpha", 0))]],
    ["PRelu", [op("PRelu", ["x", "a"])], { a: list(2.5) }],
    ["SiLU", [node("Sigmoid", ["x"], ["s"]), op("Mul", ["x", "s"])]],
    [
      "Swish of 2x",
      [node("Mul", ["x", "t"], ["u"]), node("Sigmoid", ["u"], ["s"]), op("Mul", ["s", "x"])],
      { t: single(2) },
    ],
    [
      "GELU as PyTorch writes it",
      [
        node("Div", ["x", "r"], ["a"]),
        node("Erf", ["a"], ["e"]),
        node("Add", ["e", "o"], ["p"]),
        node("Mul", ["x", "p"], ["q"]),
        op("Mul", ["q", "h"]),
      ],
      { r: single(Math.SQRT2), o: single(1), h: single(0.5) },
    ],
    [
      "GELU as Keras writes it",
      [
        node("Mul", ["x", "r"], ["a"]),
        node("Erf", ["a"], ["e"]),
        node("Add", ["o", "e"], ["p"]),
        node("Mul", ["h", "x"], ["q"]),
        op("Mul", ["q", "p"]),
      ],
      { r: single(Math.SQRT1_2), o: single(1), h: single(0.5) },
    ],
    [
      "GELU as ONNX's function",
      [
        node("Mul", ["r", "x"], ["a"]),
        node("Erf", ["a"], ["e"]),
        node("Sum", ["o", "e"], ["p"]),
        node("Mul", ["h", "p"], ["q"]),
        op("Mul", ["x", "q"]),
      ],
      { r: single(Math.SQRT1_2), o: single(1), h: single(0.5) },
    ],
    [
      "GELU by tanh in pieces",
      [
        node("Pow", ["x", "three"], ["a"]),
        node("Mul", ["a", "m"], ["b"]),
        node("Add", ["x", "b"], ["c"]),
        node("Mul", ["c", "k"], ["d"]),
        node("Tanh", ["d"], ["e"]),
        node("Add", ["e", "o"], ["f"]),
        node("Mul", ["x", "h"], ["g"]),
        op("Mul", ["g", "f"]),
      ],
      {
        three: single(3),
        m: single(0.044715),
        k: single(Math.sqrt(2 / Math.PI)),
        o: single(1),
        h: single(0.5),
      },
    ],
    [
      "GELU by tanh, factored",
      [
        node("Mul", ["x", "m"], ["a"]),
        node("Mul", ["a", "x"], ["b"]),
        node("Add", ["o", "b"], ["c"]),
        node("Mul", ["x", "k"], ["d"]),
        node("Mul", ["d", "c"], ["e"]),
        node("Tanh", ["e"], ["f"]),
        node("Add", ["o", "f"], ["g"]),
        node("Mul", ["x", "g"], ["i"]),
        op("Mul", ["h", "i"]),
      ],
      { m: single(0.044715), k: single(Math.sqrt(2 / Math.PI)), o: single(1), h: single(0.5) },
    ],
    [
      "Hard Swish by Hard Sigmoid",
      [node("HardSigmoid", ["x"], ["s"], float("alpha", 1 / 6), float("beta", 0.5)), op("Mul", ["x", "s"])],
    ],
    [
      "Hard Swish by Clip",
      [
        node("Add", ["x", "t"], ["a"]),
        node("Clip", ["a", "z", "s"], ["c"]),
        node("Mul", ["x", "c"], ["m"]),
        op("Div", ["m", "s"]),
      ],
      { t: single(3), z: single(0), s: single(6) },
    ],
    [
      "Hard Swish by Clip, divided first",
      [
        node("Add", ["x", "t"], ["a"]),
        node("Clip", ["a", "z", "s"], ["c"]),
        node("Mul", ["c", "i"], ["m"]),
        op("Mul", ["m", "x"]),
      ],
      { t: single(3), z: single(0), s: single(6), i: single(1 / 6) },
    ],
    ["Mish in pieces", [node("Softplus", ["x"], ["a"]), node("Tanh", ["a"], ["b"]), op("Mul", ["x", "b"])]],
    ["Leaky ReLU by Max", [node("Mul", ["x", "a"], ["b"]), op("Max", ["b", "x"])], { a: single(0.1) }],
  ];

describe("the constant of an activation", () => {
  it("is its steepest slope, found by ONNX Runtime on a grid", async () => {
    for (const [name, nodes, own = {}] of ACTIVATIONS) {
      const constant = constantOf(networkOf(modelOf(nodes, { x: [8001] }, own)));
      const slope = await steepest(nodes, own);
      // Differences of numbers up to 32 that are rounded to float32, divided by the step.
      if (name !== "BiasGelu") expect(slope, name).toBeGreaterThanOrEqual(0.99 * constant);
      expect(slope, name).toBeLessThanOrEqual(name === "BiasGelu" ? 1e9 : constant + 64 * 2 ** -24 * 2 ** 8);
    }
  });
});
