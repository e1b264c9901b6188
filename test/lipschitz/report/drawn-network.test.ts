import { describe, expect, it } from "vitest";
import { networkBounds } from "../../../src/lipschitz/network-bounds.js";
import { drawnNetwork } from "../../../src/lipschitz/report/drawn-network.js";
import { randomNetwork } from "../plain-network.js";
import { attention, chain, NetworkBuilder, residual } from "./report-networks.js";

describe("the boxes of a network", () => {
  it("hold every map once, and are joined as the maps are", () => {
    for (let seed = 0; seed < 100; seed++) {
      const { maps, outputs } = networkBounds(randomNetwork(seed));
      const boxes = drawnNetwork({ maps, outputs });
      const held = boxes.flatMap((box) => (box.kind === "map" ? [box.map, ...box.quiet] : []));
      expect(new Set(held)).toEqual(new Set(maps));
      expect(held.length).toBe(maps.length);
      const boxGiving = (value: string) =>
        boxes.findIndex((box) =>
          box.kind === "map"
            ? [box.map, ...box.quiet].some(({ outputs }) => outputs.includes(value))
            : box.kind === "input" && box.name === value,
        );
      for (const [k, box] of boxes.entries()) {
        for (const from of box.before) expect(from).toBeLessThan(k);
        if (box.kind === "map") expect(new Set(box.before)).toEqual(new Set(box.map.inputs.map(boxGiving)));
        if (box.kind === "output") expect(box.before).toEqual([boxGiving(box.answer.output)]);
      }
    }
  });

  it("are one for a map and the activations behind it, which keep the bound", () => {
    const boxes = drawnNetwork(chain(4).bounded("chain"));
    expect(boxes.map(({ kind }) => kind)).toEqual(["input", "map", "map", "map", "map", "output"]);
    for (const box of boxes)
      if (box.kind === "map") for (const quiet of box.quiet) expect(quiet.bound).toBe(box.map.bound);
  });

  it("of an activation whose value goes two ways is the one before it; of one that is asked for by itself, its own", () => {
    const network = new NetworkBuilder();
    const dense = network.gemm("dense", 2, network.input("x"));
    const act = network.relu("act", dense);
    network.output(network.add("sum", act, network.gemm("more", 3, act)), dense);
    const boxes = drawnNetwork(network.bounded("asked"));
    const maps = boxes.flatMap((box) => (box.kind === "map" ? [box.map.nodes[0]] : []));
    expect(maps).toContain("act");
    const joined = drawnNetwork(residual(1).bounded("joined"));
    expect(joined.some((box) => box.kind === "map" && box.map.nodes[0] === "/stem/act")).toBe(false);
  });

  it("behind a node without a bound are not joined to it", () => {
    const boxes = drawnNetwork(attention().bounded("attention"));
    for (const box of boxes) if (box.kind === "map" && !box.map.constants) expect(box.quiet).toEqual([]);
    expect(boxes.filter(({ kind }) => kind === "output").length).toBe(2);
  });
});
