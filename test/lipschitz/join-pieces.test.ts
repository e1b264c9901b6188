import { describe, expect, it } from "vitest";
import type { NetworkMap } from "../../src/files/network.js";
import { joinedPiece } from "../../src/lipschitz/join-pieces.js";
import { groupsOf } from "../../src/lipschitz/linear-chains.js";
import { pieceOf } from "../../src/lipschitz/linear-piece.js";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";
import { createRandom } from "../../src/numerics/random.js";
import { matrix, scaling, size } from "./plain-layers.js";
import { dense, jacobian, PlainNetwork, randomConvolution } from "./plain-network.js";

const groups = (network: PlainNetwork) =>
  groupsOf(network.nodes, new Set(network.outputs)).map(({ nodes }) => nodes.length);

const sigmaOf = (network: PlainNetwork) => dense(jacobian(network, new Float64Array(size(network.input)), 1));

/** Layers in a row, at random: convolutions, matrices along the channels or another axis, scalings. */
function chain(seed: number): PlainNetwork {
  const random = createRandom(seed);
  const pick = (count: number) => Math.floor(random.uniform() * count);
  const channelsLast = random.uniform() < 0.4;
  const space = random.uniform() < 0.5 ? [3 + pick(5)] : [2 + pick(3), 2 + pick(3)];
  const channels = 1 + pick(4);
  const network = new PlainNetwork(channelsLast ? [...space, channels] : [channels, ...space]);
  let at = "x";
  const layers = 2 + pick(3);
  while (network.nodes.length < layers) {
    const shape = network.shapeOf(at);
    const axis = channelsLast ? -1 : -shape.length;
    const draw = random.uniform();
    const along = random.uniform() < 0.8 ? axis : -1;
    const convolution = draw < 0.55 ? randomConvolution(shape, channelsLast, random) : undefined;
    if (convolution) at = network.add(convolution, at);
    else if (draw > 0.8) at = network.add(matrix(shape, along, 1 + pick(4), random), at);
    else if (draw > 0.55)
      at = network.add(scaling(shape, along, random.uniform() < 0.7 ? shape.at(along)! : 1, random), at);
  }
  network.outputs.push(at);
  return network;
}

describe("linear layers in a row", () => {
  const seeds = Array.from({ length: 300 }, (_, seed) => seed);

  it("as one map have the norm of the composition", () => {
    let [joined, closed] = [0, 0];
    for (const seed of seeds) {
      const network = chain(seed);
      const sigma = sigmaOf(network);
      const { outputs, maps } = networkBounds(network);
      const { bound } = outputs[0];
      // The matrix comes from differences of outputs that hold sums of a few hundred products of normal numbers.
      const rounding = 1e-12 * (1 + sigma) * size(network.input);
      expect(bound! + rounding, `seed ${seed}`).toBeGreaterThanOrEqual(sigma);
      if (groups(network).length > 1) continue;
      joined++;
      expect(maps[0].lower ?? 0, `seed ${seed}`).toBeLessThanOrEqual(sigma + rounding);
      const sized = network.nodes.every(
        ({ map }) => map.kind !== "convolution" || map.axes.every((axis) => axis.size !== undefined),
      );
      if (!sized) continue;
      closed++;
      // A dense certificate of the composition's matrix, so the bound is its norm.
      expect(bound! - sigma, `seed ${seed}`).toBeLessThanOrEqual(1e-9 * sigma + rounding);
    }
    expect(joined).toBeGreaterThan(100);
    expect(closed).toBeGreaterThan(50);
  });
});

const axis = (taps: number, padding: readonly [number, number], size?: number, stride = 1) => ({
  ...{ taps, stride, dilation: 1, padding, size },
});

function conv(
  weights: readonly number[],
  [outputs, depth]: readonly [number, number],
  axes: ReturnType<typeof axis>[],
  groups = 1,
): NetworkMap {
  const read = () => Float64Array.from(weights);
  return { kind: "convolution", outputs, depth, groups, axes, transposed: false, channelsLast: false, read };
}

function joined(...maps: readonly NetworkMap[]) {
  const pieces = maps.map((map, k) => {
    const node = {
      name: `n${k}`,
      op: "Op",
      inputs: [`v${k}`],
      outputs: [`v${k + 1}`],
      shape: undefined,
      map,
    };
    const piece = pieceOf(node);
    if (!piece) throw new Error("not linear");
    return piece;
  });
  return joinedPiece(pieces[0], pieces[1]);
}

describe("what is not joined", () => {
  it("a convolution with padding behind one with several taps, whose composition may be zero without the edge", () => {
    // y = (x_{i+1}, −x_i), z_i = y¹_{i−1} + y²_i: zero inside, but y¹ is cut off before its place 0, so z₀ = −x₀.
    const first = conv([0, 0, 1, 0, -1, 0], [2, 1], [axis(3, [1, 1], 5)]);
    const second = conv([1, 0, 0, 0, 1, 0], [1, 2], [axis(3, [1, 1], 5)]);
    expect(joined(first, second)).toBeUndefined();
    const network = {
      inputs: [{ name: "v0", shape: [1, 5] }],
      outputs: ["v2"],
      nodes: [first, second].map((map, k) => ({
        ...{ name: `n${k}`, op: "Conv", inputs: [`v${k}`], outputs: [`v${k + 1}`] },
        ...{ shape: [1, 5], map },
      })),
    };
    expect(networkBounds(network).outputs[0].bound).toBeGreaterThanOrEqual(1);
  });

  it("a convolution with padding behind one of one tap that cuts its input", () => {
    const cut = conv([1], [1, 1], [axis(1, [-1, 0], 5)]);
    const padded = conv([1, 1, 1], [1, 1], [axis(3, [1, 1], 4)]);
    expect(joined(cut, padded)).toBeUndefined();
    expect(joined(conv([1], [1, 1], [axis(1, [0, 0], 4)]), padded)).toBeDefined();
  });

  it("a scaling along another axis, of another length, or a matrix along another axis", () => {
    const kernel = conv([1, 2, 3], [1, 1], [axis(3, [1, 1], 4)]);
    const factors = (count: number, along: number): NetworkMap => ({
      ...{ kind: "scaling", factors: new Float64Array(count).fill(2), relativeError: 0, axis: along },
    });
    expect(joined(kernel, factors(4, -1))).toBeUndefined();
    expect(joined(kernel, factors(3, -2))).toBeUndefined();
    expect(joined(kernel, factors(1, -1))).toBeDefined();
    const square = (along: number): NetworkMap => ({
      ...{ kind: "matrix", shape: [1, 1], axis: along, read: () => Float64Array.of(2) },
    });
    expect(joined(square(-1), square(-2))).toBeUndefined();
    expect(joined(kernel, square(-1))).toBeUndefined();
    expect(joined(kernel, square(-2))).toBeDefined();
  });

  it("what is much larger as one", () => {
    const wide = Array.from({ length: 64 }, (_, k) => k + 1);
    const down: NetworkMap = {
      kind: "matrix",
      shape: [1, 64],
      axis: -1,
      read: () => Float64Array.from(wide),
    };
    const back: NetworkMap = {
      kind: "matrix",
      shape: [64, 1],
      axis: -1,
      read: () => Float64Array.from(wide),
    };
    expect(joined(down, back)).toBeUndefined();
    expect(joined(back, down)).toBeDefined();
  });
});

/** a·2^1074 of a double, exact. */
function exact(a: number): bigint {
  const [bits] = new BigInt64Array(Float64Array.of(a).buffer);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const whole = exponent === 0 ? fraction : (fraction | 0x10000000000000n) << BigInt(exponent - 1);
  return bits < 0n ? -whole : whole;
}
const UNIT = exact(1);
const magnitude = (x: bigint) => (x < 0n ? -x : x);

describe("the rounding of joined weights", () => {
  it("is counted, and not by much more than there can be", () => {
    const random = createRandom(5);
    let most = 0;
    for (let k = 0; k < 300; k++) {
      const [w, s] = [random.normal(), random.normal()];
      const map: NetworkMap = { kind: "scaling", factors: Float64Array.of(s), relativeError: 0, axis: -1 };
      const piece = joined(conv([w], [1, 1], [axis(1, [0, 0], 3, 2)]), map);
      const { values, error } = piece!.numbers();
      // All times 2^2148.
      const off = magnitude(exact(values[0]) * UNIT - exact(w) * exact(s));
      expect(off <= exact(error) * UNIT).toBe(true);
      expect(error).toBeLessThanOrEqual(1.001 * 2 ** -53 * Math.abs(w * s));
      most = Math.max(most, Number((off * 1000n) / (exact(error) * UNIT)));
    }
    // Half a unit in the last place of a number just above a power of two.
    expect(most).toBeGreaterThan(900);
  });

  it("of sums of products is counted", () => {
    const random = createRandom(6);
    for (let k = 0; k < 100; k++) {
      const [x, y] = [0, 1].map(() => Float64Array.from({ length: 5 }, () => random.normal()));
      const row: NetworkMap = { kind: "matrix", shape: [1, 5], axis: -1, read: () => x };
      const column: NetworkMap = { kind: "matrix", shape: [5, 1], axis: -1, read: () => y };
      const { values, error } = joined(column, row)!.numbers();
      const truth = x.reduce((sum, value, i) => sum + exact(value) * exact(y[i]), 0n);
      expect(magnitude(exact(values[0]) * UNIT - truth) <= exact(error) * UNIT).toBe(true);
    }
  });

  it("has the error of the factors in it", () => {
    const stored = 1.01;
    const map: NetworkMap = {
      kind: "scaling",
      factors: Float64Array.of(stored),
      relativeError: 0.01,
      axis: -2,
    };
    const kernel = conv([1, 0, 0], [1, 1], [axis(3, [1, 1])]);
    for (const maps of [[kernel, map], [map, kernel], [map]]) {
      const network = {
        inputs: [{ name: "v0", shape: undefined }],
        outputs: [`v${maps.length}`],
        nodes: maps.map((one, k) => ({
          ...{
            name: `n${k}`,
            op: "Op",
            inputs: [`v${k}`],
            outputs: [`v${k + 1}`],
            shape: undefined,
            map: one,
          },
        })),
      };
      const { bound } = networkBounds(network).outputs[0];
      // 1.01 = t·(1 − 0.01).
      expect(bound).toBeGreaterThanOrEqual(1.01 / 0.99);
      expect(bound).toBeLessThan(1.0203);
    }
  });
});
