import { describe, expect, it } from "vitest";
import { networkBounds } from "../../../src/lipschitz/network-bounds.js";
import { heaviestPath, shownValue } from "../../../src/lipschitz/report/heaviest-path.js";
import { randomNetwork } from "../plain-network.js";
import { attention, chain, NetworkBuilder, residual } from "./report-networks.js";

describe("the heaviest path", () => {
  it("has factors that multiply to the bound, on random networks", () => {
    for (let seed = 0; seed < 100; seed++) {
      const { maps, outputs } = networkBounds(randomNetwork(seed));
      const { output, bound = 0 } = outputs[0];
      const steps = heaviestPath(maps, output);
      const product = steps.reduce((so, { factor }) => so * factor, 1);
      // Each bound is rounded upwards a few times more than the factor's quotient; fewer than 8 in each of the steps.
      expect(Math.abs(product - bound), `seed ${seed}`).toBeLessThanOrEqual(
        8 * steps.length * 2 ** -52 * bound,
      );
      for (const [k, { map }] of steps.entries())
        if (k > 0) expect(map.inputs.some((value) => steps[k - 1].map.outputs.includes(value))).toBe(true);
    }
  });

  it("of a chain has all its maps, with their constants", () => {
    const { maps, outputs } = chain(6).bounded("chain");
    const steps = heaviestPath(maps, outputs[0].output);
    expect(steps.map(({ map }) => map)).toEqual(maps);
    for (const { map, factor } of steps) expect(factor).toBe(map.constants?.[0]);
  });

  it("takes the branch whose value contributes most", () => {
    const network = new NetworkBuilder();
    const x = network.input("x");
    const sum = network.add("sum", network.gemm("small", 2, x), network.gemm("large", 6, x));
    const { maps, outputs } = network.output(sum).bounded("branches");
    const steps = heaviestPath(maps, outputs[0].output);
    expect(steps.map(({ map }) => map.nodes[0])).toEqual(["large", "sum"]);
    // (2 + 6)/6
    expect(steps[1].factor).toBeCloseTo(8 / 6, 10);
  });

  it("goes through the branch even where every factor on the way to it is below 1", () => {
    const { maps, outputs } = residual(3).bounded("residual");
    const names = heaviestPath(maps, outputs[0].output).map(({ map }) => map.nodes[0]);
    expect(names[0]).toBe("/stem/conv");
    expect(names.at(-1)).toBe("/fc/Gemm");
  });

  it("of a value that is zero is still a path", () => {
    const network = new NetworkBuilder();
    const zero = network.gemm("zero", 0, network.input("x"));
    const { maps, outputs } = network.output(network.add("sum", zero, zero)).bounded("zero");
    expect(outputs[0].bound).toBe(0);
    const steps = heaviestPath(maps, outputs[0].output);
    expect(steps.map(({ factor }) => factor)).toEqual([0, 0]);
  });

  it("of an output without a bound is that of the last value that has one", () => {
    const { maps, outputs } = attention().bounded("attention");
    const [open] = outputs;
    expect(open.bound).toBeUndefined();
    expect(heaviestPath(maps, open.output)).toEqual([]);
    const value = shownValue(maps, open)!;
    expect(value).toBe("key");
    expect(heaviestPath(maps, value).map(({ map }) => map.nodes[0])).toEqual(["embed", value]);
  });

  it("of an input of the network has no map", () => {
    const { maps } = chain(2).bounded("chain");
    expect(heaviestPath(maps, "x")).toEqual([]);
  });
});
