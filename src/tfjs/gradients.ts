/**
 * The derivatives of the kernels that `spectralNormUnrolled` records on the tape.
 *
 * TensorFlow.js keeps gradients in a registry that `@tensorflow/tfjs` and `@tensorflow/tfjs-layers`
 * fill when they are imported and `@tensorflow/tfjs-core` does not; core's own module for it,
 * `dist/register_all_gradients`, cannot be imported in Node (an ES module in a CommonJS package). So
 * that a program with only core and a backend can differentiate, missing rules are added when they are first needed;
 * existing ones are kept. Each rule uses operations that have a rule here, so that derivatives can be nested.
 */
import {
  add,
  broadcast_util,
  cast,
  div,
  type GradConfig,
  getGradient,
  matMul,
  mul,
  ones,
  registerGradient,
  reshape,
  sqrt,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";

/** Adds the rules below for kernels that have none. Idempotent. */
export function registerMissingGradients(): void {
  for (const rule of RULES) if (getGradient(rule.kernelName) === undefined) registerGradient(rule);
}

/** dy summed over the axes along which an operand of this shape was broadcast. */
function reduceTo(dy: Tensor, shape: number[]): Tensor {
  const axes = broadcast_util.getReductionAxes(shape, dy.shape);
  return reshape(axes.length > 0 ? sum(dy, axes) : dy, shape);
}

const one = (dy: Tensor | Tensor[]): Tensor => (Array.isArray(dy) ? dy[0] : dy);

const RULES: GradConfig[] = [
  {
    kernelName: "Add",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => ({
      a: () => reduceTo(one(dy), a.shape),
      b: () => reduceTo(one(dy), b.shape),
    }),
  },
  {
    kernelName: "Sub",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => ({
      a: () => reduceTo(one(dy), a.shape),
      b: () => reduceTo(mul(one(dy), -1), b.shape),
    }),
  },
  {
    kernelName: "Multiply",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => ({
      a: () => reduceTo(mul(one(dy), b), a.shape),
      b: () => reduceTo(mul(one(dy), a), b.shape),
    }),
  },
  {
    kernelName: "RealDiv",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => ({
      a: () => reduceTo(div(one(dy), b), a.shape),
      b: () => reduceTo(mul(div(mul(one(dy), a), mul(b, b)), -1), b.shape),
    }),
  },
  {
    kernelName: "Sqrt",
    // Not the output: a saved output is a constant for the tape, so a second derivative would silently be wrong.
    inputsToSave: ["x"],
    gradFunc: (dy, [x]) => ({ x: () => div(one(dy), mul(sqrt(x), 2)) }),
  },
  {
    kernelName: "Sum",
    inputsToSave: ["x"],
    gradFunc: (dy, [x], attributes) => {
      const given = attributes["axis"] as number | number[] | null | undefined;
      const axes = given == null ? undefined : [given].flat().map((axis) => (axis + x.rank) % x.rank);
      const kept = x.shape.map((length, axis) => (!axes || axes.includes(axis) ? 1 : length));
      return { x: () => mul(reshape(one(dy), kept), ones(x.shape)) };
    },
  },
  {
    kernelName: "Reshape",
    inputsToSave: ["x"],
    gradFunc: (dy, [x]) => ({ x: () => reshape(one(dy), x.shape) }),
  },
  {
    kernelName: "Identity",
    gradFunc: (dy) => ({ x: () => cast(one(dy), "float32") }),
  },
  {
    kernelName: "Cast",
    gradFunc: (dy) => ({ x: () => add(one(dy), 0) }),
  },
  {
    kernelName: "BatchMatMul",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b], attributes) => {
      const tA = attributes["transposeA"] === true;
      const tB = attributes["transposeB"] === true;
      const g = one(dy);
      return {
        a: () => (tA ? matMul(b, g, tB, true) : matMul(g, b, false, !tB)),
        b: () => (tB ? matMul(g, a, true, tA) : matMul(a, g, !tA, false)),
      };
    },
  },
];
