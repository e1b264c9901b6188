import type { ValueAndGrad } from "../derivative/gradient.js";
import { addMatrixIndex, type BatchValuesAndGrads } from "../derivative/gradient-batch.js";
import { checkGradientOptions } from "../derivative/gradient-options.js";
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
  const data = out ?? allocateArray(dtype, 2 * m * n);
  const triplet = complexTripletOf(input, checked);
  writeGradient(triplet, data, 0);
  const { sigma, converged, gradientError } = triplet;
  return { value: sigma, grad: complexResult(data, [m, n], dtype), converged, gradientError };
}

/** u·vᴴ of a triplet, from `offset` on; zero for σ = 0. */
function writeGradient(
  { sigma, u, v }: SingularTriplet,
  out: Float32Array | Float64Array,
  offset: number,
): void {
  const width = v.length;
  if (sigma === 0) {
    out.fill(0, offset, offset + (u.length * width) / 2);
    return;
  }
  let to = offset;
  for (let i = 0; i < u.length; i += 2) {
    const [re, im] = [u[i], u[i + 1]];
    for (let j = 0; j < width; j += 2) {
      out[to++] = re * v[j] + im * v[j + 1];
      out[to++] = im * v[j] - re * v[j + 1];
    }
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
    writeGradient(triplet, data, 2 * k * m * n);
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
