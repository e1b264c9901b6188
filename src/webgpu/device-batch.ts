import { gradientOf } from "../derivative/gradient.js";
import { addMatrixIndex, type MatrixBatch, type NestedBatch } from "../derivative/gradient-batch.js";
import { allocateArray } from "../matrix/view.js";
import { requestDevice } from "./device.js";
import {
  type CheckedDeviceOptions,
  checkDeviceOptions,
  type DeviceBatch,
  type DeviceInput,
  deviceBatchOf,
} from "./device-input.js";
import { writeRankOne } from "./device-rank-one.js";
import type { DeviceArray, DeviceOptions, DeviceValuesAndGrads, HostValuesAndGrads } from "./device-types.js";
import type { OnDevice, OnHost, WhereDeviceIs, WhereHostIs } from "./functions.js";
import { type Session, withSession } from "./session.js";
import { normOn, tripletOn } from "./solve.js";

/** A batch of matrices in host memory. */
export type HostBatch = MatrixBatch | NestedBatch;

/** Matrices in progress at a time. Chosen: while one is waiting for a read-back, the device works on the others. */
const CONCURRENCY = 8;

function checkBatchArguments(
  A: unknown,
  options: unknown,
  name: string,
): [DeviceBatch, CheckedDeviceOptions] {
  const batch = deviceBatchOf(A, name);
  return [batch, checkDeviceOptions(options, name, batch.onDevice)];
}

/** Calls `compute` for each matrix, in a session of its own. After an error no further matrix is started. */
async function each(
  batch: DeviceBatch,
  settings: CheckedDeviceOptions,
  compute: (session: Session, A: DeviceInput, k: number) => Promise<void>,
): Promise<void> {
  const device = settings.device ?? (await requestDevice());
  let next = 0;
  let failed = false;
  let failure: unknown;
  const lane = async () => {
    while (next < batch.count && !failed) {
      const k = next++;
      try {
        await withSession({ device }, (session) => compute(session, batch.at(k), k));
      } catch (error) {
        if (!failed) failure = addMatrixIndex(k, error);
        failed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  if (failed) throw failure;
}

/**
 * ‖Aₖ‖₂ of each matrix in a batch, computed in float32 on a GPU.
 *
 * @param A - `shape: [b, m, n]` or an array of b nested matrices, as `spectralNormBatch` of `spectral-norm` takes it;
 *   or `{ buffer, shape: [b, m, n], offset? }`; b may be 0
 * @returns Float64Array(b)
 * @throws (rejects) as `spectralNorm` does; the message names the matrix, and a ConvergenceError has its `index`
 *
 * @remarks
 * **Cost.** That of b single calls, eight at a time, so that their waits overlap. For many small matrices
 * `spectralNormBatch` of `spectral-norm` is faster.
 *
 * **Complex.** Refused; call the function of this name of `spectral-norm`.
 */
export async function spectralNormBatch(
  A: HostBatch | DeviceArray,
  options?: DeviceOptions,
): Promise<Float64Array> {
  const [batch, settings] = checkBatchArguments(A, options, "spectralNormBatch");
  const values = allocateArray("float64", batch.count) as Float64Array;
  await each(batch, settings, async (session, one, k) => {
    values[k] = await normOn(session, one, settings);
  });
  return values;
}

/**
 * ‖Aₖ‖₂ and uₖ·vₖᵀ of each matrix in a batch, computed in float32 on a GPU.
 *
 * @param A - as `spectralNormBatch` takes it
 * @param options - `output`: where the gradients are stored; default: where A is
 * @throws (rejects) as `valueAndGrad` does; the message names the matrix
 *
 * @remarks
 * **Cost.** As `spectralNormBatch`, and b·m·n numbers.
 *
 * **Complex.** Refused; call the function of this name of `spectral-norm`.
 */
export function valueAndGradBatch(A: HostBatch, options?: WhereHostIs): Promise<HostValuesAndGrads>;
export function valueAndGradBatch(A: HostBatch | DeviceArray, options: OnHost): Promise<HostValuesAndGrads>;
export function valueAndGradBatch(A: DeviceArray, options?: WhereDeviceIs): Promise<DeviceValuesAndGrads>;
export function valueAndGradBatch(
  A: HostBatch | DeviceArray,
  options: OnDevice,
): Promise<DeviceValuesAndGrads>;
export async function valueAndGradBatch(
  A: HostBatch | DeviceArray,
  options?: DeviceOptions,
): Promise<HostValuesAndGrads | DeviceValuesAndGrads> {
  const [batch, settings] = checkBatchArguments(A, options, "valueAndGradBatch");
  const { count, m, n } = batch;
  const values = allocateArray("float64", count) as Float64Array;
  const converged = new Array<boolean>(count).fill(false);
  const shape: [number, number, number] = [count, m, n];
  if (settings.output === "host") {
    const data = allocateArray("float32", count * m * n) as Float32Array;
    await each(batch, settings, async (session, one, k) => {
      const triplet = await tripletOn(session, one, settings);
      values[k] = triplet.sigma;
      converged[k] = triplet.converged;
      gradientOf(triplet, data, k * m * n);
    });
    return { values, grads: { data, shape }, converged };
  }
  return withSession(settings, async (whole) => {
    const buffer = whole.storage("the gradients", count * m * n);
    await whole.settle();
    await each(batch, { ...settings, device: whole.device }, async (session, one, k) => {
      const triplet = await tripletOn(session, one, settings);
      values[k] = triplet.sigma;
      converged[k] = triplet.converged;
      await writeRankOne(session, triplet, buffer, k * m * n);
    });
    return { values, grads: { buffer: whole.release(buffer), shape }, converged };
  });
}
