/**
 * Operations with custom derivatives of higher order.
 *
 * `tf.customGrad` treats everything that its backward pass saved as constant, so a second derivative is an error or
 * silently zero. Here every backward pass consists of operations with custom derivatives, and `undifferentiable` throws
 * where there is no further derivative. Gradients of TensorFlow.js' own kernels are not needed: a program that imports
 * only `@tensorflow/tfjs-core` and a backend has none.
 */
import {
  clone,
  customGrad,
  type GradSaveFunc,
  keep,
  mul,
  reshape,
  scalar,
  sum,
  type Tensor,
  zerosLike,
} from "@tensorflow/tfjs-core";
import { UnsupportedError } from "../matrix/errors.js";

/**
 * `tf.customGrad` with types: runs `forward` off the tape, and `backward` when the gradient is computed.
 *
 * @param forward  computes the value; passes the tensors that `backward` needs to `save`
 * @param backward  the pull-back of dy: for each input one tensor of its shape
 */
export function withGradient(
  inputs: Tensor[],
  forward: (save: (tensors: Tensor[]) => void) => Tensor,
  backward: (dy: Tensor, saved: Tensor[]) => Tensor[],
): Tensor {
  const operation = customGrad((...args: Array<Tensor | GradSaveFunc>) => ({
    value: forward(args[args.length - 1] as GradSaveFunc),
    gradFunc: backward,
  }));
  return operation(...inputs);
}

/**
 * The result of `f`, computed off the tape. The caller has to dispose the tensors; `tidy` does not.
 */
export function offTape<T extends Record<keyof T, Tensor>>(f: () => T): T {
  let tensors: T | undefined;
  const nothing = withGradient(
    [],
    () => {
      tensors = f();
      for (const tensor of Object.values<Tensor>(tensors)) keep(tensor);
      return scalar(0);
    },
    () => [],
  );
  nothing.dispose();
  return tensors as T;
}

/** x as an operation whose derivative throws, for computations whose derivative in x is not known. */
export function undifferentiable(x: Tensor, what: string, instead: string): Tensor {
  return withGradient(
    [x],
    () => clone(x),
    () => {
      throw new UnsupportedError(`${what} does not exist here; ${instead}`);
    },
  );
}

/** s·G for a batch: s of shape […], G of shape […, m, n]. */
export function scale(s: Tensor, g: Tensor): Tensor {
  return withGradient(
    [s, g],
    (save) => {
      save([s, g]);
      return mul(reshape(s, [...s.shape, 1, 1]), g);
    },
    (dy, [s, g]) => [inner(dy, g), scale(s, dy)],
  );
}

/** ⟨A, B⟩ = Σ aᵢⱼbᵢⱼ for a batch: […, m, n], twice, to […]. */
export function inner(a: Tensor, b: Tensor): Tensor {
  return withGradient(
    [a, b],
    (save) => {
      save([a, b]);
      return sum(mul(a, b), [-2, -1]);
    },
    (dy, [a, b]) => [scale(dy, b), scale(dy, a)],
  );
}

/** A scalar function of each matrix of a batch, with its derivatives. All functions run off the tape. */
export interface MatrixFunction {
  /** the public name, for messages */
  readonly name: string;
  /** f(x), with the shape of the leading axes, and tensors to keep for the two functions below */
  value(x: Tensor): { value: Tensor; keep: Tensor[] };
  /** ∇f(x), of x's shape */
  gradient(x: Tensor, kept: Tensor[]): Tensor;
  /** the derivative of ∇f in the direction c, of x's shape; as a map of c it is symmetric */
  hessian(x: Tensor, kept: Tensor[], c: Tensor): Tensor;
}

/**
 * f(x) on the tape with its first and second derivative. The second may be a term of any larger
 * derivative; a third is an UnsupportedError.
 */
export function twiceDifferentiable(x: Tensor, f: MatrixFunction): Tensor {
  return withGradient(
    [x],
    (save) => {
      const { value, keep } = f.value(x);
      save([x, ...keep]);
      return value;
    },
    (dy, [x, ...kept]) => [scale(dy, gradientOf(x, kept, f))],
  );
}

// ∇f is an operation separate from dy·∇f, so that its pull-back (a linear solve) runs only for a derivative with respect
// to x, not to dy.
function gradientOf(x: Tensor, kept: Tensor[], f: MatrixFunction): Tensor {
  return withGradient(
    [x],
    (save) => {
      save([x, ...kept]);
      return f.gradient(x, kept);
    },
    (c, [x, ...kept]) => [hessianOf(c, x, kept, f)],
  );
}

function hessianOf(c: Tensor, x: Tensor, kept: Tensor[], f: MatrixFunction): Tensor {
  const still = undifferentiable(x, `the third derivative of ${f.name}`, "it is differentiable twice");
  return withGradient(
    [c, still],
    (save) => {
      save([x, ...kept]);
      return f.hessian(x, kept, c);
    },
    // Symmetric in c. The zero goes to `still`, which throws if it is differentiated further.
    (d, [x, ...kept]) => [hessianOf(d, x, kept, f), zerosLike(x)],
  );
}
