import { describe, expect, it } from "vitest";
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
import { constantsOf, int64, type ModelConstant, modelOf, networkOf, single } from "./onnx-network-models.js";
import { join } from "./writers.js";

// Graphs that differ in one detail from a graph whose constant is known. The constant of what they look like is too small.

const { integer, integers, tensor: tensorOf, text } = attribute;
const full = (shape: readonly number[], x: number): ModelConstant => ({
  shape,
  data: new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(x),
});
const number = (name: string, x: number) => tensor(name, "FLOAT", [], raw(floats("F32", [x])));
/** The constant of the last node; the reason if it has none. */
function constantOf(bytes: Uint8Array, output = "y"): number | string {
  const found = networkOf(bytes).nodes.find(({ outputs: names }) => names.includes(output));
  if (!found) throw new Error(`no node gives ${output}`);
  return found.map.kind === "unbounded" ? found.map.reason : constantsOf(found.map).constants[0];
}

const PRODUCT = "the product of two values that both depend on the input";
const QUOTIENT = "the quotient of two values that both depend on the input";

describe("a normalization has no constant if", () => {
  const shifted = (own: string) => [
    int64("a", [1]),
    int64("b", [0]),
    node("ReduceMean", ["x", "a"], ["m"]),
    node("ReduceMean", ["x", "b"], ["n"]),
    ...[
      node("Sub", ["x", "m"], ["d"]),
      node("Mul", ["d", "d"], ["q"]),
      node("ReduceMean", ["q", "a"], ["v"]),
    ],
    ...[node("Add", ["v", "e"], ["t"]), node("Sqrt", ["t"], ["s"]), node("Reciprocal", ["s"], ["r"])],
    ...[node("Mul", ["x", "r"], ["h"]), node("Mul", [own, "r"], ["k"]), node("Sub", ["beta", "k"], ["l"])],
    node("Add", ["h", "l"], ["y"]),
  ];
  const rms = (power: readonly Uint8Array[]) => [
    ...[int64("a", [-1]), node("Mul", ["x", "x"], ["q"]), node("ReduceMean", ["q", "a"], ["v"])],
    ...[node("Add", ["v", "e"], ["t"]), ...power],
  ];
  const divided = (...kept: readonly Uint8Array[]) => [
    int64("a", [-1]),
    node("ReduceL2", ["x", "a"], ["n"]),
    ...kept,
    node("Div", ["x", "s"], ["y"]),
  ];
  const shape = { x: [2, 3] };
  const e = single(1);

  it("another mean than that of its deviation is subtracted", () => {
    const constants = { e, beta: single(0.5) };
    expect(constantOf(modelOf(shifted("m"), shape, constants))).toBeCloseTo(1, 12);
    const network = networkOf(modelOf(shifted("n"), shape, constants));
    expect(network.nodes.map(({ op }) => op.split(" ")[0])).not.toContain("LayerNormalization");
    expect(network.nodes.filter(({ map }) => map.kind === "unbounded").length).toBeGreaterThan(0);
  });

  it.each([
    ["quotient", [node("Pow", ["t", "h"], ["s"]), node("Div", ["x", "s"], ["y"])], 0.5, QUOTIENT],
    ["product", [node("Pow", ["t", "h"], ["s"]), node("Mul", ["x", "s"], ["y"])], -0.5, PRODUCT],
  ] as const)("the exponent of a power repeats its entries (%s)", (_, nodes, exponent, reason) => {
    const constants = (h: ModelConstant) => ({ e, h });
    expect(constantOf(modelOf(rms(nodes), shape, constants(single(exponent))))).toBeCloseTo(1, 12);
    expect(constantOf(modelOf(rms(nodes), shape, constants(full([9, 1, 1], exponent))))).toBe(reason);
  });

  it("its norm is kept from 0 by the largest of three", () => {
    const nodes = divided(node("Max", ["n", "e", "w"], ["s"]));
    expect(constantOf(modelOf(divided(node("Max", ["n", "e"], ["s"])), shape, { e }))).toBeCloseTo(1, 12);
    expect(constantOf(modelOf(nodes, { ...shape, w: [1] }, { e }))).toBe(QUOTIENT);
    expect(constantOf(modelOf(nodes, shape, { e, w: full([9, 1], 0) }))).toBe(QUOTIENT);
  });

  it("its norm is clipped from above", () => {
    const nodes = divided(node("Clip", ["n", "e", "w"], ["s"]));
    expect(constantOf(modelOf(divided(node("Clip", ["n", "e"], ["s"])), shape, { e }))).toBeCloseTo(1, 12);
    // What exporters write for no maximum.
    expect(constantOf(modelOf(nodes, shape, { e, w: single(3.4028234663852886e38) }))).toBeCloseTo(1, 12);
    expect(constantOf(modelOf(nodes, { ...shape, w: [] }, { e }))).toBe(QUOTIENT);
    for (const most of [1e-20, 0.5, 2])
      expect(constantOf(modelOf(nodes, shape, { e, w: single(most) }))).toBe(QUOTIENT);
  });

  it("its deviation is that of another multiple of the input", () => {
    const filled = (output: string, x: number) =>
      node(
        "ConstantOfShape",
        ["shape"],
        [output],
        tensorOf("value", tensor("", "FLOAT", [1], raw(floats("F32", [x])))),
      );
    // Below and above the number of entries that are computed.
    for (const count of [8, 5000]) {
      const nodes = [
        ...[int64("shape", [count]), int64("a", [-1]), filled("one", 1), filled("many", 100)],
        ...[
          node("Mul", ["x", "one"], ["b"]),
          node("Mul", ["x", "many"], ["c"]),
          node("Mul", ["c", "c"], ["q"]),
        ],
        ...[
          node("ReduceMean", ["q", "a"], ["v"]),
          node("Add", ["v", "e"], ["t"]),
          node("Sqrt", ["t"], ["s"]),
        ],
      ];
      const end = (from: string) => [node("Div", [from, "s"], ["y"])];
      expect(constantOf(modelOf([...nodes, ...end("b")], { x: [count] }, { e }))).toBe(QUOTIENT);
      const network = networkOf(modelOf([...nodes, ...end("c")], { x: [count] }, { e }));
      expect(network.nodes.find(({ outputs: [name] }) => name === "y")?.inputs).toEqual(["c"]);
    }
  });
});

it("a gate of three values is none of two", () => {
  const gated = (...more: readonly string[]) => [
    node("Relu", ["x"], ["r"]),
    node("Min", ["r", "six", ...more], ["g"]),
    node("Mul", ["x", "g"], ["y"]),
  ];
  const six = single(6);
  expect(constantOf(modelOf(gated(), { x: [3] }, { six }))).toBeCloseTo(12, 9);
  expect(constantOf(modelOf(gated("w"), { x: [3] }, { six, w: single(-100) }))).toBe(PRODUCT);
  expect(constantOf(modelOf(gated("w"), { x: [3], w: [3] }, { six }))).toBe(PRODUCT);
});

it("an attribute with more numbers than are read leaves its node without a constant", () => {
  const split = (...rest: readonly number[]) => {
    const parts = rest.map((_, k) => `o${k}`);
    return modelOf(
      [node("Split", ["x"], ["y", ...parts], integer("axis", 0), integers("split", [36, ...rest]))],
      {
        x: [36 + rest.length],
      },
    );
  };
  expect(constantOf(split(1, 1))).toBe(1);
  expect(constantOf(split(...new Array<number>(64).fill(1)))).toBe(
    "its attribute split has more numbers than are read",
  );
});

describe("functions", () => {
  const times = (output: string, x: number, own = "k") => [
    constant(own, number("", x)),
    node("Mul", ["u", own], [output]),
  ];
  const called = (...more: readonly Uint8Array[]) => node("f", ["x"], ["y"], field(7, "custom"), ...more);
  const whole = (nodes: readonly Uint8Array[], initializers: readonly Uint8Array[]) =>
    graph(nodes, initializers, inputs(value("x", "FLOAT", [3])), outputs(value("y", "FLOAT")));
  const defined = (x: number, ...more: readonly Uint8Array[]) =>
    join(functionOf("custom", "f", ["u"], times("v", x)), field(5, "v"), ...more);

  it("are told apart by their overloads", () => {
    const model = (overload: string) =>
      onnx(whole([called(field(8, overload))], []), defined(5, field(13, "a")), defined(1, field(13, "b")));
    expect(constantOf(model("a"))).toBe(5);
    expect(constantOf(model("b"))).toBe(1);
    expect(constantOf(model("c"))).toMatch(/no constant is known of the operator custom\.f:c/);
  });

  it("are refused if two have the same name", () => {
    expect(() => networkOf(onnx(whole([called()], []), defined(5), defined(1)))).toThrow(
      /"f": this function is there a second time/,
    );
  });

  it("have values of their own, whatever those of the graph are called", () => {
    const twice = functionOf("custom", "f", ["u"], times("v", 2, "W"));
    const model = onnx(
      whole(
        [
          node("f", ["x"], ["h"], field(7, "custom"), field(3, "fc")),
          node("f", ["h"], ["i"], field(7, "custom"), field(3, "fc")),
          node("Mul", ["i", "fc/W"], ["y"]),
        ],
        [number("fc/W", 7)],
      ),
      join(twice, field(5, "v")),
    );
    const { nodes } = networkOf(model);
    expect(nodes.map(({ map }) => constantsOf(map).constants[0])).toEqual([2, 2, 7]);
  });
});

it("axes that may be different ones are padded each", () => {
  const model = (...values: readonly number[]) =>
    onnx(
      graph(
        [
          int64("a", values),
          int64("p", [2, 3, 2, 3]),
          node("Pad", ["x", "p", "", "a"], ["y"], text("mode", "edge")),
        ],
        [],
        inputs(value("x", "FLOAT")),
        outputs(value("y", "FLOAT")),
      ),
    );
  expect(constantOf(model(-1, 1))).toBeCloseTo(Math.sqrt(5 * 7), 12);
  expect(constantOf(model(1, 1))).toBe("its axes occur twice");
});

it("a branch that gives a value of the graph around it depends on that", () => {
  const branch = graph([], [], inputs(), outputs(value("x", "FLOAT")));
  const nested = graph(
    [
      node(
        "If",
        ["c"],
        ["z"],
        attribute.graph("then_branch", branch),
        attribute.graph("else_branch", branch),
      ),
    ],
    [],
    inputs(),
    outputs(value("z", "FLOAT")),
  );
  for (const inner of [branch, nested]) {
    const nodes = [
      node("If", ["c"], ["y"], attribute.graph("then_branch", inner), attribute.graph("else_branch", inner)),
    ];
    expect(constantOf(modelOf(nodes, { x: [3] }, { c: single(1) }))).toMatch(/If has a graph of its own/);
  }
});
