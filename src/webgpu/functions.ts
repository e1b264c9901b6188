import { gradientOf } from "../derivative/gradient.js";
import type { DenseMatrix, HalfMatrix, IntegerMatrix, MatrixRow, PlainMatrix } from "../matrix/types.js";
import {
  type CheckedDeviceOptions,
  checkDeviceOptions,
  type DeviceInput,
  deviceInputOf,
} from "./device-input.js";
import { outerOn, vectorOn } from "./device-outer.js";
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

/** A matrix in the memory of the host, dense in any form. */
export type HostMatrix = DenseMatrix | HalfMatrix | IntegerMatrix | PlainMatrix | readonly MatrixRow[];

/** Options that say where results go, or leave them where A is. */
export type OnHost = DeviceOptions & { output: "host" };
export type OnDevice = DeviceOptions & { output: "device" };
export type WhereHostIs = DeviceOptions & { output?: "host" };
export type WhereDeviceIs = DeviceOptions & { output?: "device" };

function checked(A: unknown, options: unknown, name: string): [DeviceInput, CheckedDeviceOptions] {
  const input = deviceInputOf(A, name);
  return [input, checkDeviceOptions(options, name, input.kind === "buffer")];
}

/**
 * ‖A‖₂, computed in float32 on a GPU.
 *
 * @param A - m×n, finite: dense, in the memory of the host, in any form that `spectral-norm` takes (what is not float32
 *   is rounded to it on its way); or `{ buffer, shape, offset? }`, row-major float32 in a `GPUBuffer` with
 *   `GPUBufferUsage.STORAGE`, of `options.device`, which is read where it lies. Neither changed nor kept; not to
 *   be changed by others before the promise settles
 * @param options - those of `spectralNorm` of `spectral-norm`, but `method` "power" and "dense", and
 *   `device`: the `GPUDevice` to use; default: that of `requestDevice()`
 * @returns a number, good to 1e-6 of it: the iteration stops when float32 has no more digits of σ
 * @throws (rejects) what `spectralNorm` throws, ConvergenceError with the best `triplet` among it; UnsupportedError for
 *   operators, sparse matrices and row panels; DeviceError where there is no device, it is lost, has no memory, or the
 *   buffer is another device's or destroyed
 *
 * @remarks
 * **Cost.** Two reads of A a step, some tens of steps; on the device A, where it has to be brought there, 68·min(m, n)
 * numbers and some vectors of both lengths. Of a matrix on the host one read of it there. The first call compiles.
 *
 * **Not guaranteed.** As there. That it is faster: every few steps the host waits for the device, which a small matrix
 * does not repay.
 */
export async function spectralNorm(A: HostMatrix | DeviceArray, options?: DeviceOptions): Promise<number> {
  const [input, settings] = checked(A, options, "spectralNorm");
  return withSession(settings, (session) => normOn(session, input, settings));
}

/**
 * Largest singular value σ of A (m×n) with its unit vectors u (m) and v (n), computed in float32 on a GPU, and how far
 * they can be trusted.
 *
 * @param A - as for `spectralNorm`
 * @param options - as for `spectralNorm`; `output`: "host" for u and v as Float32Array, "device" for buffers
 *   (`{ buffer, shape }`, the caller's to destroy); default: where A is
 * @returns as `singularTriplet` of `spectral-norm`; u and v are float32 whatever A is. Of a matrix on the host σ, u
 *   and `residual` are taken from v in float64 there, σ with an error of (ε/gap)²·σ for ε = 2⁻²³ and gap relative; of
 *   one on the device in float32, so that σ and `residual` tell nothing below some ε·σ
 * @throws (rejects) as `spectralNorm` does, but for an iteration that was cut short, which is `converged: false`
 *
 * @remarks
 * **Cost.** As `spectralNorm`, and one more read of A.
 *
 * **Source.** As `singularTriplet` of `spectral-norm`; three passes of classical Gram–Schmidt for every block (Giraud
 * et al., Numer. Math. 101:87, 2005, on why two are enough but for what vanishes).
 */
export function singularTriplet(A: HostMatrix, options?: WhereHostIs): Promise<HostTriplet>;
export function singularTriplet(A: HostMatrix | DeviceArray, options: OnHost): Promise<HostTriplet>;
export function singularTriplet(A: DeviceArray, options?: WhereDeviceIs): Promise<DeviceTriplet>;
export function singularTriplet(A: HostMatrix | DeviceArray, options: OnDevice): Promise<DeviceTriplet>;
export async function singularTriplet(
  A: HostMatrix | DeviceArray,
  options?: DeviceOptions,
): Promise<HostTriplet | DeviceTriplet> {
  const [input, settings] = checked(A, options, "singularTriplet");
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
 * @param options - as for `singularTriplet`; `output` says where the gradient goes
 * @returns `grad`: `{ data, shape }` or `{ buffer, shape }`, row-major float32, good to some ε/gap in the Frobenius
 *   norm. Ties and the zero matrix as `valueAndGrad` of `spectral-norm` has them, `converged` and `gradientError` too
 * @throws (rejects) as `singularTriplet` does; DeviceError for a gradient beyond the device's `maxBufferSize`
 *
 * @remarks
 * **Cost.** As `singularTriplet`, and m·n numbers for the gradient.
 */
export function valueAndGrad(A: HostMatrix, options?: WhereHostIs): Promise<HostValueAndGrad>;
export function valueAndGrad(A: HostMatrix | DeviceArray, options: OnHost): Promise<HostValueAndGrad>;
export function valueAndGrad(A: DeviceArray, options?: WhereDeviceIs): Promise<DeviceValueAndGrad>;
export function valueAndGrad(A: HostMatrix | DeviceArray, options: OnDevice): Promise<DeviceValueAndGrad>;
export async function valueAndGrad(
  A: HostMatrix | DeviceArray,
  options?: DeviceOptions,
): Promise<HostValueAndGrad | DeviceValueAndGrad> {
  const [input, settings] = checked(A, options, "valueAndGrad");
  const { m, n } = input;
  return withSession(settings, async (session) => {
    // Asked for first: what does not fit is known before anything is computed.
    const buffer = settings.output === "device" ? session.storage("the gradient", m * n) : undefined;
    const triplet = await tripletOn(session, input, settings);
    const { sigma: value, converged, gradientError } = triplet;
    if (!buffer) {
      const data = gradientOf(triplet) as Float32Array;
      return { value, grad: { data, shape: [m, n] }, converged, gradientError };
    }
    await outerOn(session, triplet, buffer, 0);
    await session.settle();
    return { value, grad: { buffer: session.release(buffer), shape: [m, n] }, converged, gradientError };
  });
}
