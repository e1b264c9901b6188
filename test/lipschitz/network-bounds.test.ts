import { describe, expect, it } from "vitest";
import type { LipschitzMap, Network, NetworkMap, NetworkNode } from "../../src/files/network.js";
import { FileError, NonFiniteError, OptionError } from "../../src/index.js";
import { LinearBounds } from "../../src/lipschitz/linear-bound.js";
import { pieceOf } from "../../src/lipschitz/linear-piece.js";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";

const lipschitz = (constants: readonly number[], combine: LipschitzMap["combine"] = "sum"): LipschitzMap => ({
  kind: "lipschitz",
  constants,
  combine,
  how: "given",
  linear: false,
});

const unbounded = (reason: string): NetworkMap => ({ kind: "unbounded", reason });

const diagonal = (...values: readonly number[]): NetworkMap => ({
  kind: "matrix",
  shape: [values.length, values.length],
  axis: -1,
  read: () => Float64Array.from(values.flatMap((x, i) => values.map((_, j) => (i === j ? x : 0)))),
});

/** "name: in, in → out, out" with its map. */
function node(text: string, map: NetworkMap): NetworkNode {
  const [, name, inputs, outputs] = /^(.*?): (.*?) → (.*)$/.exec(text)!;
  return {
    name,
    op: map.kind,
    inputs: inputs.split(", "),
    outputs: outputs.split(", "),
    shape: undefined,
    map,
  };
}

function network(inputs: string, outputs: string, ...nodes: readonly NetworkNode[]): Network {
  const split = (text: string) => text.split(", ");
  return {
    inputs: split(inputs).map((name) => ({ name, shape: undefined })),
    outputs: split(outputs),
    nodes,
  };
}

const boundsOf = (graph: Network, outputs?: readonly string[]) =>
  networkBounds(graph, outputs ? { outputs } : {}).outputs.map(({ bound }) => bound);

describe("composition", () => {
  it("multiplies along a chain, and is exact where the products are", () => {
    const graph = network(
      "x",
      "c",
      node("f: x → a", lipschitz([3])),
      node("g: a → b", lipschitz([1])),
      node("h: b → c", lipschitz([1])),
    );
    expect(boundsOf(graph)).toEqual([3]);
  });

  it("rounds products and sums upwards", () => {
    const third = 1 / 3;
    const graph = network(
      "x",
      "b, d",
      node("f: x → a", lipschitz([third])),
      node("g: a → b", lipschitz([third])),
      node("h: a, b → d", lipschitz([third, 1])),
    );
    const [product, sum] = boundsOf(graph) as number[];
    expect(product).toBeGreaterThan(third * third);
    expect(product).toBeLessThan(third * third * (1 + 2 ** -50));
    expect(sum).toBeGreaterThanOrEqual(2 * third * third);
    expect(sum).toBeLessThan(2 * third * third * (1 + 2 ** -49));
  });

  it("adds sums exactly where they are doubles, and not below where they are not", () => {
    const sum = (...constants: number[]) =>
      boundsOf(
        network("x", "y", node(`add: ${constants.map(() => "x").join(", ")} → y`, lipschitz(constants))),
      )[0];
    expect(sum(1, 1)).toBe(2);
    expect(sum(1, 2 ** -53)).toBeGreaterThan(1);
    expect(sum(1, 2 ** -1074)).toBeGreaterThan(1);
  });

  it("adds a skip connection to its branch", () => {
    const graph = network(
      "x",
      "y",
      node("f: x → a", diagonal(2, 5)),
      node("add: x, a → y", lipschitz([1, 1])),
    );
    const [bound] = boundsOf(graph) as number[];
    expect(bound).toBeGreaterThanOrEqual(6);
    expect(bound).toBeLessThan(6 * (1 + 1e-12));
  });

  it("takes the root of squares, at any scale", () => {
    for (const scale of [1, 2 ** 600, 2 ** -600, 2 ** -1070]) {
      const graph = network(
        "x",
        "y",
        node("f: x → a", lipschitz([3 * scale])),
        node("g: x → b", lipschitz([4 * scale])),
        node("cat: a, b → y", lipschitz([1, 1], "root of squares")),
      );
      const [bound] = boundsOf(graph) as number[];
      expect(bound).toBeGreaterThanOrEqual(5 * scale);
      expect(bound).toBeLessThanOrEqual(5 * scale * (1 + 2 ** -48) + 2 ** -1072);
    }
  });

  it("takes several inputs together", () => {
    const graph = network(
      "x, z",
      "y, w",
      node("add: x, z → y", lipschitz([1, 1])),
      node("f: z → w", lipschitz([0.5])),
    );
    const { outputs } = networkBounds(graph);
    expect(outputs.map(({ bound, inputs }) => [bound, inputs])).toEqual([
      [2, ["x", "z"]],
      [0.5, ["z"]],
    ]);
  });

  it("gives each output of a node the bound of the node", () => {
    const graph = network("x", "a, b", node("split: x → a, b", lipschitz([7])));
    expect(boundsOf(graph)).toEqual([7, 7]);
  });

  it("says where a bound is beyond the largest double", () => {
    const graph = network(
      "x",
      "b",
      node("f: x → a", lipschitz([1e200])),
      node("g: a → b", lipschitz([1e200])),
    );
    const { outputs, maps } = networkBounds(graph);
    expect(outputs[0]).toMatchObject({ bound: undefined, missing: { node: "g" } });
    expect(outputs[0].missing!.reason).toMatch(/largest double/);
    expect(maps[1].constants).toEqual([1e200]);
    expect(boundsOf(network("x", "a", node("f: x → a", lipschitz([Number.POSITIVE_INFINITY]))))).toEqual([
      undefined,
    ]);
  });
});

describe("what has no bound", () => {
  const graph = network(
    "x",
    "y, a",
    node("f: x → a", diagonal(2, 3)),
    node("g: a → b", lipschitz([1])),
    node("mul: a, b → c", unbounded("a product of values that both depend on the input")),
    node("h: c → d", diagonal(1, 1)),
    node("out: d, b → y", lipschitz([1, 1])),
  );

  it("names the node, and what can be asked for instead", () => {
    const { outputs, maps } = networkBounds(graph);
    expect(outputs[0]).toMatchObject({ output: "y", bound: undefined, instead: ["a", "b"] });
    expect(outputs[0].missing).toMatchObject({
      node: "mul",
      reason: expect.stringMatching(/product/),
    });
    expect(outputs[1].bound).toBeGreaterThanOrEqual(3);
    expect(maps.map(({ nodes, bound }) => [nodes[0], bound === undefined])).toEqual([
      ["f", false],
      ["g", false],
      ["mul", true],
      ["h", true],
      ["out", true],
    ]);
    expect(maps[3].constants).toHaveLength(1);
  });

  it("does not matter to outputs that do not depend on it", () => {
    const { maps, outputs } = networkBounds(graph, { outputs: ["b"] });
    expect(maps.map(({ nodes }) => nodes)).toEqual([["f"], ["g"]]);
    expect(outputs[0].bound).toBeGreaterThanOrEqual(3);
  });

  it("is a value that nothing computes from an input", () => {
    const { outputs } = networkBounds(network("x", "k", node("f: x → a", lipschitz([1]))));
    expect(outputs[0].bound).toBeUndefined();
    expect(outputs[0].missing!.reason).toMatch(/not computed/);
  });
});

describe("what is asked for", () => {
  const chain = network(
    "x",
    "c",
    node("first: x → a", diagonal(2, 1)),
    node("second: a → b", diagonal(1, 3)),
    node("third: b → c", diagonal(5, 1)),
  );

  it("are outputs, values or nodes", () => {
    expect(networkBounds(chain).maps.map(({ nodes }) => nodes)).toEqual([["first", "second", "third"]]);
    const { maps, outputs } = networkBounds(chain, { outputs: ["second", "c", "x"] });
    // The value behind the second stays a value.
    expect(maps.map(({ nodes }) => nodes)).toEqual([["first", "second"], ["third"]]);
    expect(outputs.map(({ output }) => output)).toEqual(["b", "c", "x"]);
    expect(outputs[2].bound).toBe(1);
  });

  it("are refused where there are none of that name, with a list", () => {
    expect(() => networkBounds(chain, { outputs: ["nothing"] })).toThrow(OptionError);
    expect(() => networkBounds(chain, { outputs: ["nothing"] })).toThrow(/"nothing".*"c".*"first"/);
  });

  it("may be at the end of thousands of nodes, or inputs themselves", () => {
    const nodes = Array.from({ length: 5000 }, (_, k) => node(`n${k}: v${k} → v${k + 1}`, diagonal(1, -1)));
    const { maps, outputs } = networkBounds(network("v0", "v5000", ...nodes));
    expect(maps.length).toBeLessThan(100);
    expect(outputs[0].bound).toBeGreaterThanOrEqual(1);
    expect(outputs[0].bound).toBeLessThan(1 + 1e-9);
    expect(networkBounds(network("x", "x"))).toEqual({
      maps: [],
      outputs: [{ output: "x", inputs: ["x"], bound: 1, missing: undefined, instead: [] }],
    });
  });

  it("joins nothing over a value that is used twice", () => {
    const graph = network(
      "x",
      "y",
      node("f: x → a", diagonal(2, 1)),
      node("g: a → b", diagonal(1, 2)),
      node("add: a, b → y", lipschitz([1, 1])),
    );
    expect(networkBounds(graph).maps.map(({ nodes }) => nodes)).toEqual([["f"], ["g"], ["add"]]);
    const twice = network(
      "x",
      "y",
      node("f: x → a", diagonal(2, 1)),
      node("add: a, a → y", lipschitz([1, 1])),
    );
    expect(boundsOf(twice)[0]).toBeGreaterThanOrEqual(4);
  });
});

describe("weights", () => {
  it("that are the same are bounded once, also where they are read anew", () => {
    const weights = Float64Array.from({ length: 20 * 20 }, (_, k) => Math.sin(k));
    const map = (): NetworkMap => ({
      kind: "matrix",
      shape: [20, 20],
      axis: -1,
      read: () => weights.slice(),
    });
    const linear = new LinearBounds(1e9);
    const [one, other] = [0, 1].map((k) => linear.boundOf(pieceOf(node(`f${k}: x → a`, map()))!));
    expect(other).toBe(one);
  });

  it("that differ in one number are not taken for the same", () => {
    const map = (last: number): NetworkMap => ({
      kind: "matrix",
      shape: [1, 2],
      axis: -1,
      read: () => Float64Array.of(1, last),
    });
    const { maps } = networkBounds(
      network(
        "x",
        "c",
        node("f: x → a", map(1)),
        node("r: a → b", lipschitz([1])),
        node("g: b → c", map(-1)),
      ),
    );
    const swapped = networkBounds(
      network("x", "a, b", node("f: x → a", map(0)), node("g: x → b", map(3))),
    ).maps;
    expect(maps[0].constants).toEqual(maps[2].constants);
    expect(swapped[1].constants![0]).toBeGreaterThan(3);
  });

  it("whose norm or composition is beyond the largest double have no bound", () => {
    const huge = diagonal(1.7e308, 1);
    const square: NetworkMap = {
      kind: "matrix",
      shape: [2, 2],
      axis: -1,
      read: () => new Float64Array(4).fill(1.7e308),
    };
    for (const graph of [
      network("x", "a", node("f: x → a", square)),
      network("x", "b", node("f: x → a", huge), node("g: a → b", huge)),
    ]) {
      const [{ bound, missing }] = networkBounds(graph).outputs;
      expect(bound).toBeUndefined();
      expect(missing!.reason).toMatch(/largest double/);
    }
    const tiny = network(
      "x",
      "b",
      node("f: x → a", diagonal(1e-300, 1e-310)),
      node("g: a → b", diagonal(1e-300, 1)),
    );
    const [bound] = boundsOf(tiny) as number[];
    expect(bound).toBeGreaterThanOrEqual(1e-310);
    expect(bound).toBeLessThan(1e-290);
  });

  it("that are too few or not finite are errors with the node's name", () => {
    const few: NetworkMap = { kind: "matrix", shape: [2, 2], axis: -1, read: () => Float64Array.of(1, 2, 3) };
    const bad: NetworkMap = {
      kind: "matrix",
      shape: [1, 2],
      axis: -1,
      read: () => Float64Array.of(1, Number.NaN),
    };
    expect(() => boundsOf(network("x", "a", node("dense: x → a", few)))).toThrow(/"dense".*3 weights.*4/);
    expect(() => boundsOf(network("x", "a", node("dense: x → a", few)))).toThrow(FileError);
    expect(() => boundsOf(network("x", "a", node("dense: x → a", bad)))).toThrow(NonFiniteError);
  });

  it("may be zero", () => {
    expect(
      boundsOf(network("x", "b", node("f: x → a", diagonal(0, 0)), node("g: a → b", lipschitz([4])))),
    ).toEqual([0]);
  });

  it("too expensive for the sharpest proof have a wider bound, which is said", () => {
    const weights = Float64Array.from({ length: 900 }, (_, k) => (k % 2 ? 1 : -1));
    const map: NetworkMap = { kind: "matrix", shape: [30, 30], axis: -1, read: () => weights };
    const [wide] = networkBounds(network("x", "a", node("f: x → a", map)), { maxCost: 10 }).maps;
    expect(wide.wider).toBe(true);
    expect(wide.how).toMatch(/wider/);
    expect(wide.constants![0]).toBeGreaterThanOrEqual(30);
  });
});

describe("graphs that are no graphs", () => {
  it.each([
    ["a value that nothing gives", [node("f: y → a", lipschitz([1]))], /"f".*takes "y"/],
    [
      "a value that is given twice",
      [node("f: x → a", lipschitz([1])), node("g: x → a", lipschitz([1]))],
      /"g".*"a" a second time/,
    ],
    ["constants that are too few", [node("f: x, x → a", lipschitz([1]))], /"f".*constant/],
    ["a constant that is NaN", [node("f: x → a", lipschitz([Number.NaN]))], /"f".*constant/],
    ["a matrix of two values", [node("f: x, x → a", diagonal(1, 1))], /"f".*2 values/],
  ])("%s", (_, nodes, message) => {
    expect(() => boundsOf(network("x", "a", ...nodes))).toThrow(message);
    expect(() => boundsOf(network("x", "a", ...nodes))).toThrow(FileError);
  });
});
