import { expect, it } from "vitest";
import { errorsAgainst } from "../../src/experiment/evaluation-errors.js";
import { groundTruth } from "../../src/experiment/ground-truth.js";

it("is zero for the truth itself", () => {
  const truth = groundTruth(5, 3, 0);
  expect(errorsAgainst(truth, { value: truth.sigma[0], gradient: truth.gradient })).toEqual({
    forwardError: 0,
    backwardError: 0,
    gradientError: 0,
  });
});

it("measures the gradient in the Frobenius norm and, as the notebook, by its RMS", () => {
  const truth = groundTruth(4, 9, 0);
  const gradient = truth.gradient.map((g) => -g);
  const errors = errorsAgainst(truth, { value: truth.sigma[0] + 0.25, gradient });
  expect(errors.forwardError).toBeCloseTo(0.25, 14);
  expect(errors.gradientError).toBeCloseTo(2, 14);
  expect(errors.backwardError).toBeCloseTo(2 / 6, 14);
});
