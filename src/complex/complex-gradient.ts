import { rowsInBlocks, type ValueAndGrad } from "../derivative/gradient.js";
import { addMatrixIndex, type BatchValuesAndGrads } from "../derivative/gradient-batch.js";
import { checkGradientOptions, panelsApartFrom } from "../derivative/gradient-options.js";
import { hermitianKernels } from "../kernels/hermitian-kernels.js";
import { UnsupportedError } from "../matrix/errors.js";
import type { DType, Matrix, SingularTriplet } from "../matrix/types.js";
import { allocateArray } from "../matrix/view.js";
import { checkOptions } from "../solve/options.js";
import { complexNormOf, complexTripletOf } from "./complex-triplet.js";
import { complexBatchOf, complexInputOf, complexTypeOf } from "./complex-view.js";

/** A complex row-major matrix that this package made: 2·m·n interleaved parts. */
export function complexResult(
  data: Float32Array | Float64Array,
  shape: [number, number],
  dtype: DType,
): Matrix {
  return { data, shape, dtype: complexTypeOf(dtype) };
}

/** `valueAndGrad` of a complex matrix; the gradient is u·vᴴ. */
export function complexValueAndGrad(A: unknown, options?: unknown): ValueAndGrad {
  const input = complexInputOf(A);
  if (input.kind === "operator" && input.real.kind === "operator" && !input.real.entries)
    throw new UnsupportedError(
      "valueAndGrad: an operator has no entries; its gradient is u·vᴴ, which singularTriplet returns",
    );
  const { m, n, dtype } = input;
  const [checked, out] = checkGradientOptions(options, A, dtype, 2 * m * n);
  // The gradient of a matrix that is not dense may not fit; then nothing is computed.
  const given = out ?? (input.kind === "dense" ? undefined : allocateArray(dtype, 2 * m * n));
  const apart = input.kind === "panels" ? complexInputOf(panelsApartFrom(out, A)) : input;
  const triplet = complexTripletOf(apart, checked);
  const data = gradientOf(triplet, dtype, given);
  const { sigma, converged, gradientError } = triplet;
  return { value: sigma, grad: complexResult(data, [m, n], dtype), converged, gradientError };
}

/** u·vᴴ of a triplet, in a new array, or in `out` from `offset` on; zero for σ = 0. */
function gradientOf(
  { sigma, u, v }: SingularTriplet,
  dtype: DType,
  out?: Float32Array | Float64Array,
  offset = 0,
): Float32Array | Float64Array {
  const [m, n] = [u.length / 2, v.length];
  if (sigma === 0) return (out ?? allocateArray(dtype, m * n)).fill(0, offset, offset + m * n);
  const { arena, routines } = hermitianKernels();
  const mark = arena.mark();
  try {
    const [p, q] = [arena.take(8 * n + 16), arena.take(8 * n + 16)];
    const [P, Q] = [arena.f64(p, n), arena.f64(q, n)];
    for (let j = 0; j < n; j += 2) {
      Q[j + 1] = P[j] = v[j];
      Q[j] = v[j + 1];
      P[j + 1] = -v[j + 1];
    }
    const single = u instanceof Float32Array ? 1 : 0;
    const compute = (left: number, count: number, to: number) =>
      routines.complexOuter(left, count, p, q, n, single, to);
    return rowsInBlocks(arena, u, n, out, offset, compute, 2);
  } finally {
    arena.release(mark);
  }
}

/** `spectralNormBatch` of complex matrices. */
export function complexNormBatch(A: unknown, options?: unknown): Float64Array {
  const batch = complexBatchOf(A);
  const checked = checkOptions(options);
  const values = allocateArray("float64", batch.count) as Float64Array;
  for (let k = 0; k < batch.count; k++) values[k] = withIndex(k, () => complexNormOf(batch.at(k), checked));
  return values;
}

/** `valueAndGradBatch` of complex matrices. */
export function complexGradBatch(A: unknown, options?: unknown): BatchValuesAndGrads {
  const batch = complexBatchOf(A);
  const { count, m, n, dtype } = batch;
  const [checked, out] = checkGradientOptions(options, A, dtype, 2 * count * m * n);
  const values = allocateArray("float64", count) as Float64Array;
  const data = out ?? allocateArray(dtype, 2 * count * m * n);
  const converged = new Array<boolean>(count);
  for (let k = 0; k < count; k++) {
    const triplet = withIndex(k, () => complexTripletOf(batch.at(k), checked));
    values[k] = triplet.sigma;
    converged[k] = triplet.converged;
    gradientOf(triplet, dtype, data, 2 * k * m * n);
  }
  return { values, grads: { data, shape: [count, m, n], dtype: complexTypeOf(dtype) }, converged };
}

function withIndex<T>(k: number, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw addMatrixIndex(k, error);
  }
}
