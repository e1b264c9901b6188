import { createHash } from "node:crypto";
import fc from "fast-check";
import { SpectralNormError, singularTriplet, spectralNorm } from "../../src/index.js";
import { mutated, read } from "./files.js";
import { made, recipes } from "./inputs.js";

/** A matrix that several threads read at the same time. */
export interface Shared {
  readonly data: Float64Array<SharedArrayBuffer>;
  readonly shape: [number, number];
}

/** The bits of everything that `count` cases of a seed come to: the same whoever computes it, and beside whom. */
export function digest(seed: number, count: number, shared: Shared): string {
  const hash = createHash("sha256");
  const add = (work: () => Iterable<number>) => {
    try {
      hash.update(new Uint8Array(Float64Array.from(work()).buffer));
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      hash.update(error.message);
    }
  };
  fc.sample(recipes, { seed, numRuns: count }).forEach((recipe, k) => {
    const { A } = made(recipe);
    add(() => {
      const { sigma, u, v } = singularTriplet(A);
      return [sigma, ...u, ...v];
    });
    if (k % 10 === 0) add(() => [spectralNorm(shared)]);
  });
  for (const one of fc.sample(mutated, { seed, numRuns: 5 * count })) hash.update(read(one));
  return hash.digest("hex");
}
