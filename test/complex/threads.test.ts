import { describe, expect, it } from "vitest";
import {
  hessianVectorProduct,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  svdvals,
  valueAndGradBatch,
} from "../../src/index.js";
import { WAYS } from "../kernels/sets.js";
import { cast, complexNormal, PRECISIONS } from "./build.js";

/** Many answers, all of their bits. */
function answers() {
  return PRECISIONS.flatMap((precision) =>
    [
      [9, 7],
      [70, 66],
      [90, 130],
      [300, 20],
    ].map(([m, n]) => {
      const A = cast(complexNormal(m, n, 1), precision);
      return [
        singularTriplet(A),
        singularTriplet(A, { method: "lanczos" }),
        singularTriplet(A, { method: "dense" }),
        spectralNorm(A),
        singularTriplets(A, { k: 3, method: "lanczos" }),
        valueAndGradBatch({ ...A, shape: [1, m, n] }),
        hessianVectorProduct(A, A),
        svdvals(A),
      ];
    }),
  );
}

describe("complex matrices on threads", () => {
  it.each(WAYS.filter(({ name }) => name.includes("threads")))(
    "$name: the bits of one",
    async ({ kernels, begin }) => {
      const one = WAYS.find(({ name }) => name === kernels);
      let end = await one!.begin();
      const expected = answers();
      await end();
      end = await begin();
      try {
        expect(answers()).toEqual(expected);
      } finally {
        await end();
      }
    },
  );
});
