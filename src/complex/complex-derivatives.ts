import {
  type BorderedMatrix,
  checkTriplet,
  solveBordered,
  type UnitTriplet,
  unitTriplet,
} from "../derivative/bordered.js";
import type { HessianOptions } from "../derivative/hessian.js";
import type { ValueAndParameterGrad } from "../derivative/parameter-gradient.js";
import {
  checkedCotangents,
  checkVjpOptions,
  scaleToNearOne,
  type TripletCotangents,
} from "../derivative/vjp.js";
import { kernels as currentKernels } from "../kernels/select.js";
import { OptionError, OverflowError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { inDouble, type PanelsView } from "../matrix/row-panels.js";
import type { Matrix, SingularTriplet } from "../matrix/types.js";
import { allocateArray } from "../matrix/view.js";
import { EPSILON } from "../numerics/epsilon.js";
import { scaleByPower } from "../numerics/powers.js";
import { norm2 } from "../numerics/sums.js";
import type { ParametricOperator } from "../operators/operator.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";
import { requireConverged } from "../solve/require-converged.js";
import { complexAction } from "./complex-action.js";
import { complexResult } from "./complex-gradient.js";
import { complexTripletOf } from "./complex-triplet.js";
import { innerOf } from "./complex-vectors.js";
import { type ComplexInput, complexEntriesOf, complexInputOf } from "./complex-view.js";

/**
 * A cotangent along the phase of (u, v) of this many ε relative to its length is more than rounding. Chosen: above what
 * a loss that does not depend on the phase leaves.
 */
const PHASE = 1000;

/**
 * `tripletVjp` of a complex matrix.
 *
 * u and v are known up to a common factor e^{iφ}. A change of φ moves (u, v) along (iu, iv), so a loss that does not
 * depend on it has Im(uᴴū) + Im(vᴴv̄) = 0. With dv = q + iβv and du = p + iαu, p ⟂ u and q ⟂ v, only α − β = Im(uᴴEv)/σ
 * is determined; it adds Im(uᴴū)/σ·i·u·vᴴ to the real case's p·vᴴ + u·qᴴ.
 *
 * @throws OptionError if the cotangents depend on the phase
 */
export function complexTripletVjp(
  A: unknown,
  triplet: SingularTriplet,
  cotangents: TripletCotangents,
  options?: { adjointRtol?: number },
): Matrix {
  const input = complexInputOf(A);
  const { m, n } = input;
  const adjointRtol = checkVjpOptions(options);
  const { sigma, a, b, solve } = checkedCotangents(cotangents, 2 * m, 2 * n);
  const unit = unitTriplet(triplet, 2 * m, 2 * n);
  const matrix = borderedComplex(input, adjointRtol);
  if (!solve) {
    checkTriplet(matrix, triplet);
    return complexRankTwo(input, unit, a, b, [triplet.sigma === 0 ? 0 : sigma, 0], 0, "tripletVjp");
  }
  const shift = scaleToNearOne(a, b);
  const alongU = innerOf(unit.u, a)[1];
  const phase = alongU + innerOf(unit.v, b)[1];
  if (Math.abs(phase) > PHASE * EPSILON[input.dtype] * (norm2(a) + norm2(b)))
    throw new OptionError(
      "cotangents: u and v are determined up to a common factor of modulus 1, and these cotangents depend on it " +
        `(Im(uᴴū) + Im(vᴴv̄) = ${scaleByPower(phase, shift)}, which must be 0); use a loss of u·vᴴ, |uᵢ| or the like`,
    );
  const { p, q, exponent } = solveBordered(matrix, unit, a, b, {
    origin: triplet,
    given: true,
    what: "tripletVjp",
  });
  const turn = scaleByPower(alongU / triplet.sigma, shift);
  return complexRankTwo(input, unit, p, q, [sigma, turn], shift - exponent, "tripletVjp");
}

/** `hessianVectorProduct` of a complex matrix: the derivative of u·vᴴ in the direction E, which may be real. */
export function complexHessianVectorProduct(A: unknown, E: unknown, options?: HessianOptions): Matrix {
  const input = complexInputOf(A);
  const { m, n } = input;
  const direction = complexEntriesOf(E, "hessianVectorProduct", "pass E as a matrix");
  if (direction.m !== m || direction.n !== n)
    throw new ShapeError(`E: expected ${m}×${n}, as A is, got ${direction.m}×${direction.n}`);
  const checked = checkOptions(options, ["triplet"]);
  const given = options?.triplet !== undefined;
  const origin = options?.triplet ?? complexTripletOf(input, checked);
  if (!given) requireConverged(origin, "hessianVectorProduct");
  const triplet = unitTriplet(origin, 2 * m, 2 * n);
  const { right, left, exponent: shift } = directionProducts(direction, triplet);
  const turn = innerOf(triplet.u, right)[1];
  const { p, q, exponent } = solveBordered(
    borderedComplex(input, checked.adjointRtol),
    triplet,
    right,
    left,
    {
      origin,
      given,
      what: "hessianVectorProduct",
    },
  );
  return complexRankTwo(
    input,
    triplet,
    p,
    q,
    [0, scaleByPower(turn / origin.sigma, shift)],
    shift - exponent,
    "hessianVectorProduct",
  );
}

/** A in float64, whatever its type. */
function borderedComplex(input: ComplexInput, adjointRtol: number | undefined): BorderedMatrix {
  return {
    dtype: input.dtype,
    action: (kernels) => complexAction(kernels, inDoubles(input), { seed: 0, adjointRtol }),
  };
}

function inDoubles(input: ComplexInput): ComplexInput {
  if (input.dtype === "float64" || input.kind === "operator") return input;
  if (input.kind === "dense") return { ...input, dtype: "float64", data: Float64Array.from(input.data) };
  return { ...input, dtype: "float64", real: inDouble(input.real as PanelsView) };
}

/** E·v and Eᴴ·u, of E·2^−exponent. */
function directionProducts(E: ComplexInput, { u, v }: UnitTriplet) {
  const kernels = currentKernels();
  const mark = kernels.arena.mark();
  try {
    const action = complexAction(kernels, E, { seed: 0 });
    const [right, left] = action.transposed
      ? [action.rmatvec(v), action.matvec(u)]
      : [action.matvec(v), action.rmatvec(u)];
    return { right, left, exponent: action.exponent };
  } finally {
    kernels.arena.release(mark);
  }
}

/** (p·vᴴ + u·qᴴ)·2^exponent + s·u·vᴴ, s complex, in A's type. */
function complexRankTwo(
  { m, n, dtype }: ComplexInput,
  { u, v }: UnitTriplet,
  p: Float64Array,
  q: Float64Array,
  [re, im]: readonly [number, number],
  exponent: number,
  what: string,
): Matrix {
  const data = allocateArray(dtype, 2 * m * n);
  const left = p.map((value) => scaleByPower(value, exponent));
  for (let i = 0; i < left.length; i += 2) {
    left[i] += re * u[i] - im * u[i + 1];
    left[i + 1] += re * u[i + 1] + im * u[i];
  }
  const right = q.map((value) => scaleByPower(value, exponent));
  let finite = true;
  let to = 0;
  for (let i = 0; i < 2 * m; i += 2)
    for (let j = 0; j < 2 * n; j += 2) {
      data[to] = left[i] * v[j] + left[i + 1] * v[j + 1] + u[i] * right[j] + u[i + 1] * right[j + 1];
      data[to + 1] = left[i + 1] * v[j] - left[i] * v[j + 1] + u[i + 1] * right[j] - u[i] * right[j + 1];
      finite &&= Number.isFinite(data[to]) && Number.isFinite(data[to + 1]);
      to += 2;
    }
  if (!finite)
    throw new OverflowError(`${what}: an entry is beyond the largest ${dtype}; scale A up or E down`);
  return complexResult(data, [m, n], dtype);
}

/** `valueAndParameterGrad` of an operator of complex numbers. */
export function complexParameterGrad<G>(
  A: ParametricOperator<G>,
  options?: SolveOptions,
): ValueAndParameterGrad<G> {
  const input = complexInputOf(A);
  if (typeof A.parameterGrad !== "function")
    throw new UnsupportedError(
      "valueAndParameterGrad: the operator has no parameterGrad(u, v); call valueAndGrad for the gradient of a matrix",
    );
  const { sigma, u, v, converged, gradientError } = complexTripletOf(input, checkOptions(options));
  const grad = sigma === 0 ? A.parameterGrad(u.fill(0), v.fill(0)) : A.parameterGrad(u, v);
  return { value: sigma, grad, converged, gradientError };
}
