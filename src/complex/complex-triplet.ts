import type { Kernels } from "../kernels/contract.js";
import { ShapeError, UnsupportedError } from "../matrix/errors.js";
import type { SingularTriplet } from "../matrix/types.js";
import type { OperatorView } from "../matrix/view.js";
import { EPSILON } from "../numerics/epsilon.js";
import { formGram } from "../solve/action.js";
import { type RitzResult, secondOfGram } from "../solve/finish.js";
import { lanczos } from "../solve/lanczos.js";
import { mixedPrecision } from "../solve/mixed-precision.js";
import { type CheckedOptions, checkOptions, checkStart } from "../solve/options.js";
import { fits } from "../solve/panel-action.js";
import { power } from "../solve/power.js";
import { notConverged } from "../solve/require-converged.js";
import { DENSE_UP_TO } from "../solve/small.js";
import { type Goal, goalOf } from "../solve/stopping-rule.js";
import { answerOf, type Solved, startOf } from "../solve/triplet.js";
import { complexAction, realFormAction } from "./complex-action.js";
import { checkComplexLinear } from "./complex-linearity.js";
import { type ComplexInput, complexInputOf, realFormView, writtenOut } from "./complex-view.js";
import { hermitianLargest } from "./hermitian-eigen.js";

/** `singularTriplet` of a complex matrix: u and v have real and imaginary parts interleaved, and A·v = σ·u. */
export function complexSingularTriplet(A: unknown, options?: unknown): SingularTriplet {
  return complexTripletOf(complexInputOf(A), checkOptions(options));
}

/** `spectralNorm` of a complex matrix. */
export function complexSpectralNorm(A: unknown, options?: unknown): number {
  return complexNormOf(complexInputOf(A), checkOptions(options));
}

/** The triplet of a checked input. */
export function complexTripletOf(input: ComplexInput, options: CheckedOptions): SingularTriplet {
  return solve(input, options, "gradient") as SingularTriplet;
}

/** The norm of a checked input. */
export function complexNormOf(input: ComplexInput, options: CheckedOptions): number {
  const result = solve(input, options, "value");
  if (typeof result === "number") return result;
  throw notConverged(result);
}

/** The triplet or, for the value alone, ‖A‖₂ if that has converged. */
function solve(input: ComplexInput, options: CheckedOptions, of: Goal["of"]): SingularTriplet | number {
  checkComplexStart(options, input.n);
  return answerOf(options, of, of === "gradient", {
    power: (kernels) => powerTriplet(kernels, input, options),
    solve: (kernels) =>
      isDense(input, options)
        ? solveDense(kernels, input, options)
        : solveLanczos(kernels, input, options, of),
  });
}

/** @throws ShapeError if the start is not an interleaved vector with as many elements as A has columns; NonFiniteError */
export function checkComplexStart({ start }: Pick<CheckedOptions, "start">, n: number): void {
  if (start && start.length !== 2 * n)
    throw new ShapeError(
      `start: expected ${n} complex numbers, as A has columns, that is ${2 * n} interleaved parts; got ${start.length}`,
    );
  checkStart(start, 2 * n);
}

/** Complex entries of tall row panels that the dense path writes out. Chosen: 16 MiB. */
const MOST_WRITTEN_OUT = 2 ** 20;

/** Whether the method is dense. "auto" never is where there is no memory for it. */
function isDense({ kind, m, n, dtype }: ComplexInput, { method }: CheckedOptions): boolean {
  if (method !== "auto") return method === "dense";
  if (Math.min(m, n) > DENSE_UP_TO) return false;
  // Wide panels take less memory than the 64 long vectors of an iteration.
  if (kind === "panels" && m > n && m * n > MOST_WRITTEN_OUT) return false;
  return kind === "operator" || fits({ m: 2 * m, n: 2 * n, dtype }, true);
}

function solveLanczos(
  kernels: Kernels,
  input: ComplexInput,
  options: CheckedOptions,
  of: Goal["of"],
): Solved {
  const action = complexAction(kernels, input, options);
  const goal = goalOf(options, of, action, startOf({ n: 2 * input.n }, action, options));
  return { action, result: mixedPrecision(kernels, action, goal) ?? lanczos(kernels, action, goal) };
}

/** From the eigenvectors of the smaller Gram matrix. */
function solveDense(kernels: Kernels, input: ComplexInput, options: CheckedOptions): Solved {
  const { arena } = kernels;
  const view = writtenOut(input, 'method: "dense"');
  if (view) {
    const { m, n, dtype } = view;
    if (!fits({ m: 2 * m, n: 2 * n, dtype }, true))
      throw new UnsupportedError(
        `method: "dense" has no memory for the ${2 * m}×${2 * n} real form of A; call it with method "lanczos"`,
      );
    const { action, matrix } = realFormAction(kernels, view);
    const lda = matrix.paddedRows;
    const gram = arena.take(8 * lda * lda);
    formGram(kernels, matrix, gram);
    const G = arena.f64(gram, lda * lda);
    // The real form of the Gram matrix has the block [a −b; b a] for the entry a + ib.
    const short = matrix.rows / 2;
    const result = topOfGram(kernels, short, EPSILON[dtype], 1, (re, im, ld) => {
      for (let i = 0; i < short; i++)
        for (let j = 0; j <= i; j++) {
          re[i * ld + j] = G[2 * (i * lda + j)];
          im[i * ld + j] = G[(2 * i + 1) * lda + 2 * j];
        }
    });
    return { action, result };
  }
  const action = complexAction(kernels, input, options);
  // A column of the Gram matrix for each unit vector; i times one would give i times its column.
  const columns = Array.from({ length: action.short / 2 }, (_, j) => {
    const unit = new Float64Array(action.short);
    unit[2 * j] = 1;
    return action.rmatvec(action.matvec(unit));
  });
  const result = topOfGram(kernels, columns.length, EPSILON.float64, 0, (re, im, ld) => {
    columns.forEach((column, j) => {
      for (let i = j; i < columns.length; i++) {
        re[i * ld + j] = column[2 * i];
        im[i * ld + j] = column[2 * i + 1];
      }
    });
  });
  return { action, result };
}

/** σ₁, σ₂ and the short vector from a Gram matrix of order n, which `write` writes as `hermitianLargest` has it. */
function topOfGram(
  kernels: Kernels,
  n: number,
  epsilon: number,
  reads: number,
  write: (re: Float64Array, im: Float64Array, lda: number) => void,
): RitzResult {
  const wanted = Math.min(2, n);
  const { values, vectors } = hermitianLargest(kernels, n, wanted, 1, write);
  return {
    short: vectors[0],
    ...secondOfGram(values[0], values[1], epsilon, wanted > 1),
    converged: true,
    iterations: 0,
    reads,
    method: "dense",
  };
}

/** The notebook's algorithm on the real form, with its defaults. */
function powerTriplet(kernels: Kernels, input: ComplexInput, options: CheckedOptions): SingularTriplet {
  if (input.kind === "panels")
    throw new UnsupportedError('method: "power" needs the whole matrix, not row panels; leave it "auto"');
  const { rtol = 1e-6, atol = 1e-6, maxIterations = 1000 } = options;
  const real = input.kind === "dense" ? realFormView(input) : (input.real as OperatorView);
  if (real.kind === "operator" && !real.entries)
    checkComplexLinear(
      {
        name: "matvec",
        apply(x) {
          const y = new Float64Array(real.m);
          real.matvec(x, y);
          return y;
        },
      },
      [real.n, real.m],
      options.seed,
      options.adjointRtol,
    );
  return power(kernels, real, { ...options, rtol, atol, maxIterations });
}
