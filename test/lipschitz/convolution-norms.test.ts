import { expect, it } from "vitest";
import { convolutionBound } from "../../src/convolutions/certify-convolution.js";
import { LinearBounds } from "../../src/lipschitz/linear-bound.js";
import { magnitudeNorm, pieceOf } from "../../src/lipschitz/linear-piece.js";
import { sizedForm } from "../../src/lipschitz/sized-form.js";
import { supremumOfSymbol } from "../../src/lipschitz/symbol-supremum.js";
import { createRandom } from "../../src/numerics/random.js";
import { size } from "./plain-layers.js";
import { dense, jacobian, PlainNetwork, randomConvolution } from "./plain-network.js";

it("bounds norms of convolutions from both sides", () => {
  let [tried, close] = [0, 0];
  for (let seed = 0; seed < 150; seed++) {
    const random = createRandom(seed);
    const channelsLast = random.uniform() < 0.5;
    const space = random.uniform() < 0.5 ? [7] : [4, 3];
    const network = new PlainNetwork(channelsLast ? [...space, 4] : [4, ...space]);
    const layer = randomConvolution(network.input, channelsLast, random);
    if (!layer) continue;
    network.outputs.push(network.add(layer, "x"));
    const sigma = dense(jacobian(network, new Float64Array(size(network.input)), 1));
    // Sums of at most 40 products and a constant, and their differences.
    const rounding = 2 ** -43 * (1 + sigma);
    const piece = pieceOf(network.nodes[0])!;
    const { values } = piece.numbers();
    expect(magnitudeNorm(piece, values), `seed ${seed}`).toBeGreaterThanOrEqual(sigma - rounding);
    if (piece.kind !== "convolution") continue;
    expect(supremumOfSymbol(piece, values, 1e9).upper, `seed ${seed}`).toBeGreaterThanOrEqual(
      sigma - rounding,
    );
    const form = sizedForm(piece, values);
    if (!form) continue;
    tried++;
    const { lower } = convolutionBound(form, { symbol: 1e9, dense: 0, lower: 1e9 });
    expect(lower, `seed ${seed}`).toBeLessThanOrEqual(sigma + rounding);
    if (lower >= 0.999 * sigma) close++;
    const { upper } = new LinearBounds(1e9).boundOf(piece);
    expect(upper, `seed ${seed}`).toBeLessThanOrEqual(sigma * (1 + 1e-9) + rounding);
  }
  expect(tried).toBeGreaterThan(40);
  expect(close).toBe(tried);
});
