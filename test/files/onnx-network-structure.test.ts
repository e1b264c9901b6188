import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Network, NetworkNode } from "../../src/files/network.js";
import { SpectralNormError } from "../../src/matrix/errors.js";
import { checkError, largestAllocation, mutations } from "./hostile.js";
import { floats } from "./models.js";
import {
  attribute,
  constant,
  field,
  functionOf,
  graph,
  inputs,
  node,
  onnx,
  outputs,
  raw,
  tensor,
  value,
} from "./onnx-models.js";
import { int64, modelOf, networkOf, norm, single } from "./onnx-network-models.js";
import { sessionOf } from "./onnx-runtime.js";
import { join } from "./writers.js";

const { float, integer, integers } = attribute;
const ones = (...shape: readonly number[]) => ({
  shape,
  data: new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(1),
});

const last = ({ nodes }: Network, name = "y"): NetworkNode => {
  const found = nodes.find(({ outputs: names }) => names.includes(name));
  if (!found) throw new Error(`no node gives ${name}`);
  return found;
};
const reasonOf = (network: Network, name = "y") => {
  const { map } = last(network, name);
  return map.kind === "unbounded" ? map.reason : "has a bound";
};
const refusal = (bytes: Uint8Array, sizes?: Readonly<Record<string, readonly number[]>>) => {
  try {
    networkOf(bytes, sizes);
  } catch (error) {
    if (error instanceof SpectralNormError) return checkError(error).message;
    throw error;
  }
  throw new Error("was read");
};

/** A normalization in pieces, of the last axis. */
const PIECES = {
  LayerNormalization: [
    node("ReduceMean", ["x", "a"], ["m"]),
    node("Sub", ["x", "m"], ["d"]),
    node("Pow", ["d", "two"], ["q"]),
    node("ReduceMean", ["q", "a"], ["v"]),
    node("Add", ["v", "e"], ["t"]),
    node("Sqrt", ["t"], ["s"]),
    node("Div", ["d", "s"], ["y"]),
  ],
  "LayerNormalization with two differences": [
    node("ReduceMean", ["x", "a"], ["m"]),
    node("Sub", ["x", "m"], ["d"]),
    node("Sub", ["x", "m"], ["f"]),
    node("Mul", ["f", "f"], ["q"]),
    node("ReduceMean", ["q", "a"], ["v"]),
    node("Add", ["v", "e"], ["t"]),
    node("Sqrt", ["t"], ["s"]),
    node("Reciprocal", ["s"], ["r"]),
    node("Mul", ["d", "r"], ["y"]),
  ],
  "LayerNormalization as TensorFlow writes it": [
    node("ReduceMean", ["x", "a"], ["m"]),
    node("Sub", ["x", "m"], ["d"]),
    node("Mul", ["d", "d"], ["q"]),
    node("ReduceMean", ["q", "a"], ["v"]),
    node("Add", ["v", "e"], ["t"]),
    node("Sqrt", ["t"], ["s"]),
    node("Reciprocal", ["s"], ["r"]),
    node("Mul", ["r", "g"], ["i"]),
    node("Mul", ["x", "i"], ["h"]),
    node("Mul", ["m", "i"], ["k"]),
    node("Sub", ["b", "k"], ["l"]),
    node("Add", ["h", "l"], ["y"]),
  ],
  RMSNormalization: [
    node("Pow", ["x", "two"], ["q"]),
    node("ReduceMean", ["q", "a"], ["v"]),
    node("Add", ["v", "e"], ["t"]),
    node("Sqrt", ["t"], ["s"]),
    node("Div", ["one", "s"], ["r"]),
    node("Mul", ["x", "r"], ["y"]),
  ],
  "L2 normalization": [
    node("ReduceL2", ["x", "a"], ["n"]),
    node("Clip", ["n", "e"], ["c"]),
    node("Shape", ["x"], ["z"]),
    node("Expand", ["c", "z"], ["w"]),
    node("Div", ["x", "w"], ["y"]),
  ],
  "L2 normalization of squares": [
    node("ReduceSumSquare", ["x", "a"], ["q"]),
    node("Max", ["q", "e"], ["t"]),
    node("Sqrt", ["t"], ["s"]),
    node("Div", ["x", "s"], ["y"]),
  ],
  "L2 normalization with a sum": [
    node("ReduceL2", ["x", "a"], ["n"]),
    node("Add", ["n", "e"], ["t"]),
    node("Div", ["x", "t"], ["y"]),
  ],
} as const;

const EPSILON = 0.04;
const pieceConstants = {
  two: single(2),
  one: single(1),
  e: single(EPSILON),
  g: { shape: [6], data: [0.5, -2, 1, 1, 1, 0.25] },
  b: ones(6),
};

describe("a normalization in pieces", () => {
  for (const [name, nodes] of Object.entries(PIECES))
    it(`is one node, whose constant is reached near 0: ${name}`, async () => {
      const bytes = modelOf([int64("a", [-1]), ...nodes], { x: [3, 6] }, pieceConstants);
      const found = last(networkOf(bytes));
      expect(found.inputs).toEqual(["x"]);
      const wanted = name.startsWith("L2") ? "L2 normalization" : name.split(" ")[0];
      expect(found.op.startsWith(`${wanted} (`), found.op).toBe(true);
      const { map } = found;
      if (map.kind !== "lipschitz") throw new Error(map.kind);
      const session = await sessionOf(bytes);
      try {
        let most = 0;
        for (let axis = 0; axis < 6; axis++) {
          // Numbers of opposite signs have no mean; TensorFlow's has its largest factor at the second.
          const x = new Float32Array(18);
          x[axis] = 1e-4;
          x[(axis + 1) % 6] = -1e-4;
          const y = await session.run({ x: { data: x, dims: [3, 6] } });
          const zero = await session.run({ x: { data: new Float32Array(18), dims: [3, 6] } });
          most = Math.max(most, norm(y["y"].data.map((v, i) => v - zero["y"].data[i])) / norm(x));
        }
        expect(most).toBeLessThanOrEqual(map.constants[0] * (1 + 1e-5));
        // Of TensorFlow's, the largest factor has only one of the two numbers.
        expect(most).toBeGreaterThan((name.includes("TensorFlow") ? 0.7 : 0.99) * map.constants[0]);
      } finally {
        await session.close();
      }
    });

  it("is not recognized where ε is 0, the axes go, or another value is divided", () => {
    const rms = (more: readonly Uint8Array[], e = EPSILON) =>
      last(
        networkOf(
          modelOf([int64("a", [-1]), ...more], { x: [3, 6], z: [3, 6] }, { ...pieceConstants, e: single(e) }),
        ),
      ).map.kind;
    const change = (k: number, other: Uint8Array) =>
      PIECES.RMSNormalization.map((one, at) => (at === k ? other : one));
    expect(rms(PIECES.RMSNormalization)).toBe("lipschitz");
    expect(rms(PIECES.RMSNormalization, 0)).toBe("unbounded");
    expect(rms(PIECES.RMSNormalization, -1)).toBe("unbounded");
    expect(rms(change(5, node("Mul", ["z", "r"], ["y"])))).toBe("unbounded");
    expect(rms(change(1, node("ReduceMean", ["q", "a"], ["v"], integer("keepdims", 0))))).toBe("unbounded");
    expect(rms(change(0, node("Mul", ["x", "z"], ["q"])))).toBe("unbounded");
  });
});

describe("an activation in pieces", () => {
  const kind = (nodes: readonly Uint8Array[], constants = {}) =>
    last(networkOf(modelOf(nodes, { x: [4], z: [4] }, constants))).map.kind;

  it("is not recognized if a piece is another one", () => {
    expect(kind([node("Sigmoid", ["z"], ["s"]), node("Mul", ["x", "s"], ["y"])])).toBe("unbounded");
    expect(kind([node("Exp", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])])).toBe("unbounded");
    const gate = (t: number) => [
      ...[node("Add", ["x", "t"], ["u"]), node("Sigmoid", ["u"], ["s"]), node("Mul", ["x", "s"], ["y"])],
      { t: single(t) },
    ];
    const shifted = gate(1);
    expect(kind(shifted.slice(0, 3) as Uint8Array[], shifted[3])).toBe("unbounded");
    const cubic = (m: number) =>
      kind(
        [
          ...[
            node("Pow", ["x", "three"], ["a"]),
            node("Mul", ["a", "m"], ["b"]),
            node("Add", ["x", "b"], ["c"]),
          ],
          ...[node("Mul", ["c", "k"], ["d"]), node("Tanh", ["d"], ["e"]), node("Add", ["e", "o"], ["f"])],
          node("Mul", ["x", "f"], ["y"]),
        ],
        { three: single(3), m: single(m), k: single(Math.sqrt(2 / Math.PI)), o: single(1) },
      );
    expect(cubic(0.044715)).toBe("lipschitz");
    expect(cubic(0.5)).toBe("unbounded");
    expect(cubic(0)).toBe("unbounded");
  });

  it("may have pieces that are used elsewhere", () => {
    const network = networkOf(
      modelOf(
        [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["t"]), node("Add", ["t", "s"], ["y"])],
        { x: [4] },
      ),
    );
    expect(last(network, "t").op).toBe("SiLU (Sigmoid, Mul)");
    expect(last(network, "y").inputs).toEqual(["t", "s"]);
    expect(last(network, "s").op).toBe("Sigmoid");
  });
});

describe("shapes with open lengths", () => {
  const kernel = (...shape: readonly number[]) => ones(...shape);

  it("let the branches of a block be added", () => {
    const network = networkOf(
      modelOf(
        [
          node("Conv", ["x", "k"], ["a"], integers("pads", [1, 1, 1, 1]), integers("strides", [2, 2])),
          node("Conv", ["x", "p"], ["b"], integers("strides", [2, 2])),
          node("Add", ["a", "b"], ["c"]),
          node("Conv", ["c", "q"], ["d"], integers("pads", [1, 1, 1, 1])),
          node("Add", ["c", "d"], ["y"]),
        ],
        { x: ["N", 3, "H", "W"] },
        { k: kernel(4, 3, 3, 3), p: kernel(4, 3, 1, 1), q: kernel(4, 4, 3, 3) },
      ),
    );
    for (const name of ["c", "y"]) expect(last(network, name).map).toMatchObject({ constants: [1, 1] });
    expect(last(network, "d").shape).toEqual(["N", 4, "floor((H + 1)/2)", "floor((W + 1)/2)"]);
  });

  it("that may differ give a reason, and a bound once the size is given", () => {
    const bytes = modelOf(
      [
        node("Conv", ["x", "k"], ["a"], integers("strides", [2, 2])),
        node("Resize", ["a", "", "s"], ["b"]),
        node("Add", ["x", "b"], ["y"]),
      ],
      { x: ["N", 1, "H", 4] },
      { k: kernel(1, 1, 2, 2), s: { shape: [4], data: [1, 1, 2, 2] } },
    );
    expect(reasonOf(networkOf(bytes))).toMatch(/--input NAME=1x3x224x224/);
    expect(last(networkOf(bytes, { x: [1, 1, 6, 4] })).map).toMatchObject({ constants: [1, 1] });
  });

  it("are followed through the shapes that a graph computes", () => {
    const network = networkOf(
      modelOf(
        [
          node("Shape", ["x"], ["s"]),
          node("Gather", ["s", "zero"], ["n"], integer("axis", 0)),
          node("Concat", ["n", "rest"], ["t"], integer("axis", 0)),
          node("Reshape", ["x", "t"], ["r"]),
          node("MatMul", ["r", "w"], ["y"]),
          int64("zero", [0]),
          int64("rest", [-1]),
        ],
        { x: ["N", 2, 3] },
        { w: kernel(6, 5) },
      ),
    );
    expect(last(network).shape).toEqual(["N", 6]);
    expect(last(network).map).toMatchObject({ kind: "matrix", shape: [5, 6] });
  });
});

describe("constants that a graph computes", () => {
  it("are the weights, exact where nothing is rounded", () => {
    const w = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
    const network = networkOf(
      modelOf(
        [node("Transpose", ["w"], ["t"]), node("Identity", ["t"], ["i"]), node("MatMul", ["x", "i"], ["y"])],
        { x: [1, 3] },
        { w },
      ),
    );
    const { map } = last(network);
    if (map.kind !== "matrix") throw new Error(map.kind);
    expect(map.shape).toEqual([2, 3]);
    expect([...map.read()]).toEqual(w.data);
  });

  it("are dequantized as ONNX Runtime does it", async () => {
    const codes = tensor("q", "INT8", [3, 4], raw(Uint8Array.from({ length: 12 }, (_, k) => 37 * k)));
    const zeros = tensor("z", "INT8", [4], raw(Uint8Array.of(1, 255, 0, 7)));
    const packed = tensor("b", "UINT8", [3, 1, 8], raw(Uint8Array.from({ length: 24 }, (_, k) => 11 * k)));
    const scales = tensor("r", "FLOAT", [3], raw(floats("F32", [0.3, -2, 0.01])));
    const bytes = onnx(
      graph(
        [
          node("DequantizeLinear", ["q", "s", "z"], ["w"], integer("axis", 1)),
          node("MatMul", ["x", "w"], ["y"]),
          node(
            "MatMulNBits",
            ["x3", "b", "r"],
            ["p"],
            ...[integer("K", 16), integer("N", 3), integer("bits", 4), integer("block_size", 16)],
            field(7, "com.microsoft"),
          ),
        ],
        [codes, zeros, packed, scales, tensor("s", "FLOAT", [4], raw(floats("F32", [0.1, 0.2, 3, 1e-3])))],
        inputs(value("x", "FLOAT", [3, 3]), value("x3", "FLOAT", [16, 16])),
        outputs(value("y", "FLOAT"), value("p", "FLOAT")),
      ),
    );
    const network = networkOf(bytes);
    const unit = (n: number) => Float32Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0));
    const session = await sessionOf(bytes);
    try {
      const found = await session.run({
        x: { data: unit(3), dims: [3, 3] },
        x3: { data: unit(16), dims: [16, 16] },
      });
      for (const [name, rows, columns] of [
        ["y", 4, 3],
        ["p", 3, 16],
      ] as const) {
        const { map } = last(network, name);
        if (map.kind !== "matrix") throw new Error(map.kind);
        expect(map.shape).toEqual([rows, columns]);
        const own = map.read();
        const transposed = Float32Array.from(
          own,
          (_, k) => own[(k % rows) * columns + Math.floor(k / rows)] + 0,
        );
        expect(transposed, name).toEqual(found[name].data.map((x) => x + 0));
      }
    } finally {
      await session.close();
    }
  });

  it("have a bound of their rounding: γ/√(v + ε)", () => {
    const network = networkOf(
      modelOf(
        [
          ...[node("Add", ["v", "e"], ["t"]), node("Sqrt", ["t"], ["s"]), node("Div", ["g", "s"], ["f"])],
          node("Mul", ["x", "f"], ["y"]),
        ],
        { x: [1, 2, 3] },
        { v: { shape: [2, 1], data: [0.3, 2] }, e: single(1e-3), g: { shape: [2, 1], data: [1, -3] } },
      ),
    );
    const { map } = last(network);
    if (map.kind !== "scaling") throw new Error(map.kind);
    const exact = [
      1 / Math.sqrt(Math.fround(0.3) + Math.fround(1e-3)),
      -3 / Math.sqrt(2 + Math.fround(1e-3)),
    ];
    expect(map.axis).toBe(-2);
    expect(map.relativeError).toBeGreaterThan(0);
    expect(map.relativeError).toBeLessThan(1e-15);
    // Both are rounded three times.
    for (const [k, factor] of map.factors.entries())
      expect(Math.abs(factor / exact[k] - 1)).toBeLessThan(4 * 2 ** -52);
  });

  it("that are differences of rounded numbers are not known", () => {
    const network = networkOf(
      modelOf(
        [...[node("Sqrt", ["a"], ["s"]), node("Sub", ["s", "b"], ["d"]), node("Mul", ["x", "d"], ["y"])]],
        { x: [2] },
        { a: single(2), b: single(1.5) },
      ),
    );
    expect(reasonOf(network)).toMatch(/difference of rounded numbers/);
  });

  it("are bounded by their magnitudes where a matrix is rounded", () => {
    const network = networkOf(
      modelOf(
        [node("Mul", ["w", "t"], ["v"]), node("MatMul", ["x", "v"], ["y"])],
        { x: [1, 2] },
        { w: { shape: [2, 2], data: [3, 0, 0, 4] }, t: single(0.1) },
      ),
    );
    const { map } = last(network);
    if (map.kind !== "lipschitz") throw new Error(map.kind);
    expect(map.constants[0]).toBeGreaterThanOrEqual(4 * Math.fround(0.1));
    expect(map.constants[0]).toBeLessThan(4 * Math.fround(0.1) * (1 + 1e-14));
  });
});

describe("what has no constant", () => {
  const simple = (operator: string, more: readonly Uint8Array[] = [], names: readonly string[] = ["x"]) =>
    reasonOf(
      networkOf(
        modelOf(
          [node(operator, names, ["y"], ...more)],
          { x: [2, 3], z: [2, 3] },
          { c: single(2), o: single(0) },
        ),
      ),
    );

  it("says why, and names an operator that is not known", () => {
    expect(simple("Exp")).toMatch(/steeper/);
    expect(simple("Sqrt")).toMatch(/slopes of any size/);
    expect(simple("Round")).toMatch(/step function/);
    expect(simple("Mul", [], ["x", "z"])).toMatch(/product of two values/);
    expect(simple("MatMul", [], ["x", "z"])).toMatch(/product of two values/);
    expect(simple("Div", [], ["x", "z"])).toMatch(/quotient of two/);
    expect(simple("Div", [], ["c", "z"])).toMatch(/constant divided/);
    expect(simple("Div", [], ["x", "o"])).toMatch(/divides by 0/);
    expect(simple("Pow", [], ["x", "c"])).toMatch(/exponent of 2/);
    expect(simple("LpNormalization")).toMatch(/may be 0/);
    expect(simple("ThresholdedRelu")).toMatch(/step/);
    expect(simple("Shrink", [float("bias", 0), float("lambd", 1)])).toMatch(/step/);
    expect(simple("Cast", [integer("to", 7)])).toMatch(/step function/);
    expect(simple("Frobnicate")).toMatch(/no constant is known of the operator Frobnicate/);
    expect(simple("Conv", [field(7, "my.domain")])).toMatch(/my\.domain\.Conv/);
    expect(simple("LSTM")).toMatch(/recurrent/);
    expect(simple("toString")).toMatch(/no constant is known/);
  });

  it("is known by its graphs inside, too", () => {
    const inner = graph([node("Neg", ["x"], ["i"])], [], outputs(value("i", "FLOAT")));
    const bytes = modelOf(
      [
        node("Cast", ["c"], ["b"], integer("to", 9)),
        node("If", ["b"], ["y"], attribute.graph("then_branch", inner)),
      ],
      { x: [2] },
      { c: single(1) },
    );
    const found = last(networkOf(bytes));
    expect(found.inputs).toEqual(["x"]);
    expect(found.map.kind).toBe("unbounded");
  });
});

describe("the structure of a network", () => {
  it("has functions written out", () => {
    const model = onnx(
      graph(
        [node("Twice", ["x"], ["t"], field(7, "f")), node("Twice", ["t"], ["y"], field(7, "f"))],
        [],
        inputs(value("x", "FLOAT", [3])),
        outputs(value("y", "FLOAT")),
      ),
      join(functionOf("f", "Twice", ["u"], [node("Add", ["u", "u"], ["v"])]), field(5, "v")),
    );
    const { nodes } = networkOf(model);
    expect(nodes.map(({ op, inputs: from, outputs: to }) => [op, from, to])).toEqual([
      ["Add", ["x", "x"], ["t"]],
      ["Add", ["t", "t"], ["y"]],
    ]);
    expect(new Set(nodes.map(({ name }) => name)).size).toBe(2);
  });

  it("is in order, whatever the order of the file", () => {
    const network = networkOf(modelOf([node("Relu", ["a"], ["y"]), node("Tanh", ["x"], ["a"])], { x: [3] }));
    expect(network.nodes.map(({ op }) => op)).toEqual(["Tanh", "Relu"]);
  });

  it("takes inputs with an initializer as constants, and outputs without an input as nodes without inputs", () => {
    const network = networkOf(
      modelOf(
        [node("Mul", ["x", "c"], ["y"]), node("Neg", ["c"], ["z"])],
        { x: [3], c: [] },
        { c: single(2) },
        "y",
        "z",
      ),
    );
    expect(network.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(last(network).map).toMatchObject({ kind: "scaling" });
    expect(last(network, "z")).toMatchObject({ inputs: [], map: { constants: [] } });
  });

  it("is refused where it makes no sense", () => {
    expect(refusal(modelOf([node("Relu", ["a"], ["y"]), node("Tanh", ["y"], ["a"])], { x: [3] }))).toMatch(
      /cycle/,
    );
    expect(refusal(modelOf([node("Relu", ["a"], ["y"])], { x: [3] }))).toMatch(
      /takes "a", which no node gives/,
    );
    expect(refusal(modelOf([node("Relu", ["x"], ["z"])], { x: [3] }))).toMatch(
      /output "y" is given by no node/,
    );
    expect(refusal(modelOf([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])], { x: [3] }))).toMatch(
      /there already/,
    );
    expect(refusal(modelOf([node("Relu", ["x"], ["y"])], { x: [3] }), { z: [1] })).toMatch(
      /no input "z"; its inputs are "x"/,
    );
    const damaged = tensor("c", "FLOAT", [3], raw(floats("F32", [1])));
    const whole = onnx(
      graph(
        [node("Mul", ["x", "c"], ["y"])],
        [damaged],
        inputs(value("x", "FLOAT", [3])),
        outputs(value("y", "FLOAT")),
      ),
    );
    expect(refusal(whole)).toMatch(/tensor "c": .*takes 12 bytes/);
  });

  it("is refused or read, never wrong or huge, if bytes of the file are others", () => {
    const bytes = modelOf(
      [
        constant("k", tensor("", "FLOAT", [2, 3, 1, 1], raw(floats("F32", [1, 2, 3, 4, 5, 6])))),
        node("Conv", ["x", "k"], ["a"], integers("pads", [1, 0, 0, 1])),
        node("MaxPool", ["a"], ["b"], integers("kernel_shape", [2, 2]), integers("strides", [2, 2])),
        node("Sigmoid", ["b"], ["s"]),
        node("Mul", ["b", "s"], ["c"]),
        node("Flatten", ["c"], ["d"]),
        node("Gemm", ["d", "w"], ["y"], integer("transB", 1)),
      ],
      { x: [1, 3, 5, 5] },
      { w: ones(2, 8) },
    );
    let read = 0;
    const largest = largestAllocation(() => {
      for (const mutated of fc.sample(mutations(bytes), { numRuns: 1500, seed: 18 })) {
        try {
          const network = networkOf(mutated);
          for (const { map } of network.nodes)
            if (map.kind === "matrix" || map.kind === "convolution") {
              const shape =
                map.kind === "matrix"
                  ? map.shape
                  : [map.outputs, map.depth, ...map.axes.map(({ taps }) => taps)];
              expect(map.read().length).toBe(shape.reduce((a, b) => a * b, 1));
            }
          read++;
        } catch (error) {
          if (!(error instanceof SpectralNormError)) throw error;
          checkError(error);
        }
      }
    });
    expect(read).toBeGreaterThan(0);
    expect(largest).toBeLessThan(2 ** 20);
  });
});
