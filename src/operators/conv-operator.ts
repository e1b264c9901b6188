import { dimensions } from "../matrix/view.js";
import { adjointPasses, forwardPasses, type Pass } from "./conv-passes.js";
import { type Sweep, sweepOf } from "./conv-sweep.js";
import { type ConvolutionForm, setConvolutionForm } from "./convolution-form.js";
import { checkedOperator, type Operator, rescaled } from "./operator.js";

/** What comes into a convolution, or out of it: [channels, …sizes]. */
export interface ConvolutionShapes {
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
}

/** The shapes of the operator that a form stands for. */
export function shapesOf({ axes, outputs, depth, groups, transposed }: ConvolutionForm): ConvolutionShapes {
  const inputShape = [depth * groups, ...axes.map(({ size }) => size)];
  const outputShape = [outputs, ...axes.map((axis) => axis.outputs)];
  return transposed ? { inputShape: outputShape, outputShape: inputShape } : { inputShape, outputShape };
}

/**
 * The operator of a convolution, or its adjoint. Vectors are images, channels first.
 *
 * @param form  its weights are referred to
 * @param more  further members
 * @throws ShapeError if a vector would be too long
 */
export function operatorOfForm<More extends object>(
  form: ConvolutionForm,
  more?: More,
): Operator & ConvolutionShapes & More {
  const shapes = shapesOf(form);
  const [m, n] = [countOf(shapes.outputShape), countOf(shapes.inputShape)];
  dimensions([m, n], 2);
  const forward = product(() => forwardPasses(form), true);
  const adjoint = product(() => adjointPasses(form), false);
  const products = form.transposed
    ? { matvec: adjoint, rmatvec: forward }
    : { matvec: forward, rmatvec: adjoint };
  const operator = checkedOperator([m, n], rescaled(products), { ...shapes, ...(more as More) });
  setConvolutionForm(operator, form);
  return operator;
}

/** The product of a shape's numbers. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * The weights are laid out at the first call.
 *
 * @param complete  whether every pass writes all of the result
 */
function product(passes: () => Pass[], complete: boolean): (x: Float64Array, out: Float64Array) => void {
  let sweeps: Sweep[] | undefined;
  return (x, out) => {
    sweeps ??= passes().map(sweepOf);
    if (!complete) out.fill(0);
    sweeps.forEach((sweep, k) => {
      sweep(x, out, !complete || k > 0);
    });
  };
}
