import { complexComputations } from "./complex-computations.js";
import { complexParameterGrad } from "./complex-derivatives.js";
import {
  complexAdjointOf,
  complexDiagonal,
  complexKronecker,
  complexLinearOperator,
  complexLowRank,
  complexProductOf,
  complexScaled,
  complexSumOf,
  complexTransposeOf,
} from "./complex-operators.js";
import { complexProbableBound } from "./complex-probable.js";
import { complexCoo, complexCsc } from "./complex-sparse.js";
import { complexRowPanels } from "./complex-view.js";

/** The functions for complex matrices, by the names of those for real ones. */
export const complexFunctions: Readonly<Record<string, unknown>> = {
  ...complexComputations,
  probableUpperBound: complexProbableBound,
  valueAndParameterGrad: complexParameterGrad,
  rowPanels: complexRowPanels,
  csc: complexCsc,
  coo: complexCoo,
  linearOperator: complexLinearOperator,
  sumOf: complexSumOf,
  productOf: complexProductOf,
  transposeOf: complexTransposeOf,
  adjointOf: complexAdjointOf,
  scaled: complexScaled,
  diagonal: complexDiagonal,
  kronecker: complexKronecker,
  lowRank: complexLowRank,
};
