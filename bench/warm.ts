import { createRandom } from "../src/numerics/random.js";
import type { Core } from "./contenders/core.js";
import type { WarmStart } from "./result.js";
import { withSingularValues } from "./workload.js";

const SIZE = 512;
/** Chosen: the change of A between two solves, relative to ‖A‖₂. */
const CHANGE = 1e-6;
const TOLERANCES = [1e-3, 1e-6] as const;

const SPECTRA: readonly (readonly [
  name: WarmStart["spectrum"],
  sigma: ((i: number) => number) | undefined,
])[] = [
  ["1/i", (i) => 1 / (i + 1)],
  ["1/√i", (i) => 1 / Math.sqrt(i + 1)],
  ["0.9ⁱ", (i) => 0.9 ** i],
  ["gaussian", undefined],
];

/** How often A is read from a random start and from the v of a matrix that differs by a millionth. */
export function passesOfWarmStarts(core: Core, seed: number): WarmStart[] {
  return SPECTRA.flatMap(([spectrum, sigma]): WarmStart[] => {
    const random = createRandom(seed);
    const normals = () => Float64Array.from({ length: SIZE * SIZE }, () => random.normal());
    const shape = [SIZE, SIZE];
    const data = sigma
      ? withSingularValues(
          random,
          SIZE,
          SIZE,
          Float64Array.from({ length: SIZE }, (_, i) => sigma(i)),
        )
      : normals();
    const { sigma: size, v } = core.singularTriplet({ data, shape });
    const change = normals();
    const scale = (CHANGE * size) / core.spectralNorm({ data: change, shape });
    const A = { data: data.map((x, k) => x + scale * change[k]), shape };
    return TOLERANCES.map((rtol): WarmStart => {
      const cold = core.singularTriplet(A, { rtol });
      const warm = core.singularTriplet(A, { rtol, start: v });
      return { spectrum, rtol, cold: cold.passes, warm: warm.passes };
    });
  });
}
