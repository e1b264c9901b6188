import { describe, expect, it } from "vitest";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";
import { createRandom } from "../../src/numerics/random.js";
import { size } from "./plain-layers.js";
import { dense, jacobian, randomNetwork, steepest } from "./plain-network.js";

/**
 * Slopes are quotients of differences, of steps not below 10⁻⁴. Values of these networks are below 10⁵, and so are the
 * sums of a few hundred products that they are computed by: 10⁵·10³·2⁻⁵³/10⁻⁴ is 10⁻⁴ at worst. Nearly all are far
 * smaller; relative to the bound, which is not below the slope that is sought, 10⁻⁶ is ample for those found here.
 */
const ROUNDING = 1e-6;

const seeds = Array.from({ length: 200 }, (_, seed) => seed);

describe("bounds of random networks", () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])("part %i: are not below a slope that a search finds", (part) => {
    for (const seed of seeds.filter((one) => one % 10 === part)) {
      const network = randomNetwork(seed);
      const { outputs } = networkBounds(network);
      const { bound } = outputs[0];
      expect(bound).toBeTypeOf("number");
      const found = steepest(network, createRandom(1000 + seed));
      expect(found, `seed ${seed}`).toBeLessThanOrEqual(bound! * (1 + ROUNDING));
    }
  });

  it("of linear ones are not below the norm of the whole map", () => {
    let sharp = 0;
    for (const seed of seeds) {
      const network = randomNetwork(seed, true);
      const { outputs, maps } = networkBounds(network);
      const zeros = new Float64Array(size(network.input));
      const J = jacobian(network, zeros, 1);
      const sigma = dense(J);
      const { bound } = outputs[0];
      // Products of up to six layers of at most 160 numbers, and the differences of constants that are added.
      const rounding = 1e-12 * (1 + sigma) * size(network.input);
      expect(sigma, `seed ${seed}`).toBeLessThanOrEqual(bound! + rounding);
      if (maps.length === 1 && network.nodes.length > 1 && sigma > 0 && bound! < sigma * (1 + 1e-9)) sharp++;
    }
    // Joined into one map, some are bounded by their norm.
    expect(sharp).toBeGreaterThan(5);
  });
});
