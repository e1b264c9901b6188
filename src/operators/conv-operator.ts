import type { Product } from "../matrix/scaled-product.js";
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
  const { forward, adjoint } = convolutionProducts(form, true);
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
 * The products of a convolution, and of its adjoint, with vectors. Each number of a product is a sum of products of a weight
 * and a number, added in some order.
 *
 * @param fused  whether multiplications and additions may be fused
 */
export function convolutionProducts(
  form: ConvolutionForm,
  fused: boolean,
): { readonly forward: Product; readonly adjoint: Product } {
  return {
    forward: product(() => forwardPasses(form), true, fused),
    adjoint: product(() => adjointPasses(form), false, fused),
  };
}

/**
 * The weights are laid out at the first call.
 *
 * @param complete  whether every pass writes all of the result
 */
function product(passes: () => Pass[], complete: boolean, fused: boolean): Product {
  let sweeps: Sweep[] | undefined;
  return (x, out) => {
    sweeps ??= passes().map((pass) => sweepOf(pass, fused));
    if (!complete) out.fill(0);
    sweeps.forEach((sweep, k) => {
      sweep(x, out, !complete || k > 0);
    });
  };
}
