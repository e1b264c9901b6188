import { down, up } from "../certify/rounding.js";
import { floatOf, integerOf } from "./onnx-graph.js";
import {
  broadcastShape,
  checkedReal,
  copiesOf,
  type EmittedValue,
  largestMagnitude,
  lipschitz,
  type OnnxOperation,
  type OperatorRule,
  type OperatorRules,
  rootUp,
  shapeOf,
} from "./onnx-operation.js";
import { NoBound, type Variable } from "./onnx-values.js";

// x/√(‖x‖²/n + ε) has the Jacobian (I − x·xᵀ/(n·s))/√s, s = ‖x‖²/n + ε, whose norm is at most 1/√ε, its norm at x = 0. A
// mean that is subtracted before is a projection.

/** A double not below 1/√ε. @throws NoBound if ε is not positive */
export function inverseRootOf(epsilon: number): number {
  if (!(epsilon >= 2 ** -500 && epsilon <= 2 ** 500))
    throw new NoBound(`it divides by a deviation that may be 0, as its ε is ${epsilon}`);
  return up(1 / down(Math.sqrt(epsilon)));
}

const HOW = "max |γ| / √ε";

/** Normalizations with a scale at input 1, or without. */
function normalization(
  defaultEpsilon: number,
  scaleAt: number | undefined,
  biasAt: number | undefined,
): OperatorRule {
  return (operation) => {
    const x = operation.real(0);
    emitNormalized(operation, x, defaultEpsilon, scaleAt, biasAt);
  };
}

function emitNormalized(
  operation: OnnxOperation,
  x: Variable,
  defaultEpsilon: number,
  scaleAt: number | undefined,
  biasAt: number | undefined,
  part?: string,
): void {
  const { node, outputs } = operation;
  const root = inverseRootOf(floatOf(node, "epsilon", defaultEpsilon));
  const given = scaleAt !== undefined && !operation.isOmitted(scaleAt);
  const largest = given ? largestMagnitude(operation.numbers(scaleAt, "scale")) : 1;
  if (biasAt !== undefined) operation.notVariable([biasAt, "bias"]);
  operation.emit({
    inputs: [x],
    outputs: [{ name: outputs[0] ?? "", shape: x.shape, type: x.type }],
    ...(part && { part }),
    map: lipschitz(largest === 1 ? root : up(largest * root), given ? HOW : "1 / √ε"),
  });
}

/** The sum of two values, and a bias, before the normalization. */
function skipNormalization(scaleAt: number, biasAt: number | undefined, innerBias: number): OperatorRule {
  return (operation) => {
    const { outputs, inputs, lengths } = operation;
    const output = outputs[0] ?? "";
    const terms = [0, 1, innerBias].flatMap((k) => {
      const input = inputs[k];
      return input?.kind === "variable" ? [input] : [];
    });
    if (terms.length === 0) throw new NoBound("its scale or its bias depends on the input");
    terms.forEach(checkedReal);
    const shape = broadcastShape(
      lengths,
      [0, 1].map((k) => shapeOf(inputs[k])),
    );
    const constants = terms.map((term) => rootUp(copiesOf(term.shape, shape)));
    const sum: EmittedValue = { name: outputs[3] || `${output}: sum`, shape, type: terms[0].type };
    operation.emit({
      ...{ inputs: terms, outputs: [sum], part: "sum", op: "Add" },
      map: { kind: "lipschitz", constants, combine: "sum", how: "added", linear: true },
    });
    emitNormalized(operation, { ...sum, kind: "variable" }, Math.fround(1e-12), scaleAt, biasAt);
  };
}

/** (x − mean)/(√variance + ε): its slopes are at most 1/ε, those at a variance of 0. */
const meanVariance: OperatorRule = (operation) => {
  const { shape } = operation.real(0);
  // The float nearest to 1e-9 is below it.
  operation.emitFirst(lipschitz(1.0000001e9, "1/ε, ε = 1e-9"), shape);
};

/**
 * xᵢ/sᵢ^β, sᵢ = b + (α/n)·Σ xⱼ² over a window of n channels. The Jacobian is diag(sᵢ^−β), at most b^−β, less a matrix with
 * the rows 2β(α/n)·xᵢ·sᵢ^(−β−1)·(xⱼ). As (α/n)·Σ xⱼ² = s − b, such a row is at most 2β(s − b)·s^(−β−1), which is largest
 * at s = b(β + 1)/β: 2·b^−β·(β/(β + 1))^(β+1). Every channel is in n rows, so the matrix is at most √n times that.
 */
const localResponse: OperatorRule = (operation) => {
  const { shape } = operation.real(0);
  const { node } = operation;
  const [alpha, beta, bias] = [
    floatOf(node, "alpha", Math.fround(1e-4)),
    floatOf(node, "beta", 0.75),
    floatOf(node, "bias", 1),
  ];
  const size = integerOf(node, "size", 0);
  if (
    !(
      alpha >= 0 &&
      beta > 0 &&
      beta <= 64 &&
      bias >= 2 ** -10 &&
      bias <= 2 ** 10 &&
      size >= 1 &&
      size <= 2 ** 20
    )
  )
    throw new NoBound("its attributes are not understood");
  // Math.pow is not known to be correctly rounded; these arguments keep it within 2^-40.
  const first = bias === 1 ? 1 : bias ** -beta * (1 + 2 ** -40);
  const second = 2 * first * (beta / (beta + 1)) ** (beta + 1) * Math.sqrt(size) * (1 + 2 ** -39);
  operation.emitFirst(
    lipschitz(up(first + (alpha === 0 ? 0 : second)), "1/bias^β, and the change of the divisor"),
    shape,
  );
};

const powerNormalization: OperatorRule = () => {
  throw new NoBound("it divides by the norm of its input, which may be 0");
};

/** Rules of operators that divide by a deviation or a norm. */
export const NORMALIZATION_RULES: OperatorRules = {
  InstanceNormalization: normalization(Math.fround(1e-5), 1, 2),
  LayerNormalization: normalization(Math.fround(1e-5), 1, 2),
  GroupNormalization: normalization(Math.fround(1e-5), 1, 2),
  RMSNormalization: normalization(Math.fround(1e-5), 1, undefined),
  SimplifiedLayerNormalization: normalization(Math.fround(1e-5), 1, undefined),
  SkipLayerNormalization: skipNormalization(2, 3, 4),
  SkipSimplifiedLayerNormalization: skipNormalization(2, undefined, 3),
  MeanVarianceNormalization: meanVariance,
  LRN: localResponse,
  LpNormalization: powerNormalization,
};
