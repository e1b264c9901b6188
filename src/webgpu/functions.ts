import { gradientOf } from "../derivative/gradient.js";
import type { DenseMatrix, HalfMatrix, IntegerMatrix, MatrixRow, PlainMatrix } from "../matrix/types.js";
import {
  type CheckedDeviceOptions,
  checkDeviceOptions,
  type DeviceInput,
  deviceInputOf,
} from "./device-input.js";
import { vectorOn, writeRankOne } from "./device-rank-one.js";
import type {
  DeviceArray,
  DeviceOptions,
  DeviceTriplet,
  DeviceValueAndGrad,
  HostTriplet,
  HostValueAndGrad,
} from "./device-types.js";
import { withSession } from "./session.js";
import { normOn, tripletOn } from "./solve.js";

/** A dense matrix in host memory, in any form. */
export type HostMatrix = DenseMatrix | HalfMatrix | IntegerMatrix | PlainMatrix | readonly MatrixRow[];

/** Options that state where results are stored, or leave it to the default. */
export type OnHost = DeviceOptions & { output: "host" };
export type OnDevice = DeviceOptions & { output: "device" };
export type WhereHostIs = DeviceOptions & { output?: "host" };
export type WhereDeviceIs = DeviceOptions & { output?: "device" };

function checkArguments(A: unknown, options: unknown, name: string): [DeviceInput, CheckedDeviceOptions] {
  const input = deviceInputOf(A, name);
  return [input, checkDeviceOptions(options, name, input.kind === "buffer")];
}

/**
 * ‖A‖₂, computed in float32 on a GPU.
 *
 * @param A - m×n, finite. Either a dense matrix in host memory, in any form that `spectral-norm` takes, which is rounded
 *   to float32; or `{ buffer, shape, offset? }`, row-major float32 in a `GPUBuffer` of `options.device` with
 *   `GPUBufferUsage.STORAGE`, which is not copied. A is neither changed nor kept; do not change it before the promise
 *   settles
 * @param options - those of `spectralNorm` of `spectral-norm`, except `method` "power" and "dense", and
 *   `device`: the `GPUDevice` to use; default: that of `requestDevice()`
 * @returns a number with a relative error up to about 1e-6: the iteration stops when float32 has no more digits of σ
 * @throws (rejects) what `spectralNorm` throws, such as ConvergenceError with the best `triplet`; UnsupportedError for
 *   complex matrices, operators, sparse matrices and row panels; DeviceError if there is no device, if it is lost or out
 *   of memory, or if the buffer belongs to another device or was destroyed
 *
 * @remarks
 * **Cost.** Two reads of A per step, and some tens of steps. Memory on the device: 68·min(m, n) numbers, some vectors of
 * both lengths and, for a matrix in host memory, a copy of A. A matrix in host memory is read there once. The first call
 * compiles the shaders.
 *
 * **Not guaranteed.** As for `spectralNorm` of `spectral-norm`; and a speedup: every few steps the host waits for the
 * device, which makes small matrices slow.
 *
 * **Complex.** Refused; call the function of this name of `spectral-norm`.
 */
export async function spectralNorm(A: HostMatrix | DeviceArray, options?: DeviceOptions): Promise<number> {
  const [input, settings] = checkArguments(A, options, "spectralNorm");
  return withSession(settings, (session) => normOn(session, input, settings));
}

/**
 * Largest singular value σ of A (m×n) with its unit vectors u (m) and v (n), computed in float32 on a GPU, with estimates
 * of their errors.
 *
 * @param A - as for `spectralNorm`
 * @param options - as for `spectralNorm`; `output`: "host" for u and v as Float32Array, "device" for buffers
 *   (`{ buffer, shape }`, which the caller destroys); default: where A is
 * @returns as `singularTriplet` of `spectral-norm`; u and v are always float32. For a matrix in host memory, σ, u and
 *   `residual` are computed from v there in float64, and the error of σ is about (ε/gap)²·σ for ε = 2⁻²³ and the
 *   relative gap. For a matrix on the device they are computed in float32, with errors of a few ε·σ
 * @throws (rejects) as `spectralNorm` does, except that an iteration that did not converge gives `converged: false`
 *
 * @remarks
 * **Cost.** As `spectralNorm`, and one more read of A.
 *
 * **Source.** As `singularTriplet` of `spectral-norm`; three passes of classical Gram–Schmidt for every block (Giraud
 * et al., Numer. Math. 101:87, 2005: two are enough unless a vector nearly vanishes).
 *
 * **Complex.** Refused; call the function of this name of `spectral-norm`.
 */
export function singularTriplet(A: HostMatrix, options?: WhereHostIs): Promise<HostTriplet>;
export function singularTriplet(A: HostMatrix | DeviceArray, options: OnHost): Promise<HostTriplet>;
export function singularTriplet(A: DeviceArray, options?: WhereDeviceIs): Promise<DeviceTriplet>;
export function singularTriplet(A: HostMatrix | DeviceArray, options: OnDevice): Promise<DeviceTriplet>;
export async function singularTriplet(
  A: HostMatrix | DeviceArray,
  options?: DeviceOptions,
): Promise<HostTriplet | DeviceTriplet> {
  const [input, settings] = checkArguments(A, options, "singularTriplet");
  return withSession(settings, async (session) => {
    const triplet = await tripletOn(session, input, settings);
    if (settings.output === "host") return triplet;
    const [u, v] = [vectorOn(session, triplet.u), vectorOn(session, triplet.v)];
    await session.settle();
    session.release(u.buffer);
    session.release(v.buffer);
    return { ...triplet, u, v };
  });
}

/**
 * ‖A‖₂ and its derivative u·vᵀ, computed in float32 on a GPU.
 *
 * @param A - as for `singularTriplet`
 * @param options - as for `singularTriplet`; `output` says where the gradient is stored
 * @returns `grad`: `{ data, shape }` or `{ buffer, shape }`, row-major float32, with an error of a few ε/gap in the
 *   Frobenius norm. Ties, the zero matrix, `converged` and `gradientError` are as in `valueAndGrad` of `spectral-norm`
 * @throws (rejects) as `singularTriplet` does; DeviceError if the gradient exceeds the device's `maxBufferSize`
 *
 * @remarks
 * **Cost.** As `singularTriplet`, and m·n numbers for the gradient.
 *
 * **Complex.** Refused; call the function of this name of `spectral-norm`.
 */
export function valueAndGrad(A: HostMatrix, options?: WhereHostIs): Promise<HostValueAndGrad>;
export function valueAndGrad(A: HostMatrix | DeviceArray, options: OnHost): Promise<HostValueAndGrad>;
export function valueAndGrad(A: DeviceArray, options?: WhereDeviceIs): Promise<DeviceValueAndGrad>;
export function valueAndGrad(A: HostMatrix | DeviceArray, options: OnDevice): Promise<DeviceValueAndGrad>;
export async function valueAndGrad(
  A: HostMatrix | DeviceArray,
  options?: DeviceOptions,
): Promise<HostValueAndGrad | DeviceValueAndGrad> {
  const [input, settings] = checkArguments(A, options, "valueAndGrad");
  const { m, n } = input;
  return withSession(settings, async (session) => {
    // Allocated first, so that a gradient that does not fit is an error before anything is computed.
    const buffer = settings.output === "device" ? session.storage("the gradient", m * n) : undefined;
    const triplet = await tripletOn(session, input, settings);
    const { sigma: value, converged, gradientError } = triplet;
    if (!buffer) {
      const data = gradientOf(triplet) as Float32Array;
      return { value, grad: { data, shape: [m, n] }, converged, gradientError };
    }
    await writeRankOne(session, triplet, buffer, 0);
    await session.settle();
    return { value, grad: { buffer: session.release(buffer), shape: [m, n] }, converged, gradientError };
  });
}
