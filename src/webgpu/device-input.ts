import { comesInPanels } from "../matrix/array-fields.js";
import { isComplex } from "../matrix/complex-input.js";
import { panelTypeOf } from "../matrix/dtype.js";
import { OptionError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { describe, formatValue } from "../matrix/format-value.js";
import { checkRowMajor } from "../matrix/layout.js";
import { type BatchView, batchOf, dimensions, type View, viewOf } from "../matrix/view.js";
import { type CheckedOptions, checkOptions } from "../solve/options.js";
import { USAGE } from "./device.js";
import type { Device, DeviceBuffer, Output } from "./device-types.js";

/** A row-major matrix in a buffer. */
export interface BufferView {
  readonly kind: "buffer";
  readonly m: number;
  readonly n: number;
  readonly buffer: DeviceBuffer;
  /** numbers before the first entry */
  readonly offset: number;
}

/** A matrix in host memory or in a buffer. */
export type DeviceInput = View | BufferView;

/** The checked options, with the device and the place of the results. */
export interface CheckedDeviceOptions extends CheckedOptions {
  device: Device | undefined;
  output: Output;
}

interface BufferMatrix {
  readonly buffer: DeviceBuffer;
  readonly shape: unknown;
  readonly offset?: unknown;
  readonly dtype?: unknown;
}

function isOnDevice(A: unknown): A is BufferMatrix {
  if (typeof A !== "object" || A === null || !("buffer" in A) || "data" in A) return false;
  const { buffer } = A;
  return typeof buffer === "object" && buffer !== null && "usage" in buffer && "destroy" in buffer;
}

/** @throws UnsupportedError for complex numbers, with the function to call instead */
function refuseComplex(A: unknown, name: string): void {
  if (isComplex(A))
    throw new UnsupportedError(
      `${name}: a device computes with real numbers, not with complex ones; call ${name} of spectral-norm`,
    );
}

/**
 * @throws UnsupportedError for a complex matrix, an operator, a sparse matrix or row panels, with the function to call
 *   instead
 */
export function deviceInputOf(A: unknown, name: string): DeviceInput {
  refuseComplex(A, name);
  if (isOnDevice(A)) {
    const [m, n] = dimensions(A.shape, 2);
    return { kind: "buffer", m, n, buffer: A.buffer, offset: checkBuffer(A, [m, n]) };
  }
  if (comesInPanels(A))
    throw new UnsupportedError(
      `${name}: a device needs the whole matrix, not row panels; call ${name} of spectral-norm`,
    );
  const view = viewOf(A);
  if (view.kind === "operator")
    throw new UnsupportedError(
      `${name}: a device needs the entries of a dense matrix, got ` +
        `${view.entries ? "a sparse matrix" : "an operator"}; call ${name === "valueAndGrad" && !view.entries ? "singularTriplet" : name} of spectral-norm`,
    );
  return view;
}

/** A batch of matrices in host memory or in a buffer. */
export interface DeviceBatch {
  readonly count: number;
  readonly m: number;
  readonly n: number;
  readonly onDevice: boolean;
  at(index: number): DeviceInput;
}

/** @throws UnsupportedError for complex numbers, with the function to call instead */
export function deviceBatchOf(A: unknown, name: string): DeviceBatch {
  refuseComplex(A, name);
  if (isOnDevice(A)) {
    const [count, m, n] = dimensions(A.shape, 3);
    const offset = checkBuffer(A, [count, m, n]);
    const { buffer } = A;
    return {
      count,
      m,
      n,
      onDevice: true,
      at: (k) => ({ kind: "buffer", m, n, buffer, offset: offset + k * m * n }),
    };
  }
  const batch: BatchView = batchOf(A);
  return { ...batch, onDevice: false };
}

/** Checks that the buffer holds all numbers; returns the offset of the first one. The buffer may be longer. */
function checkBuffer(A: BufferMatrix, shape: readonly number[]): number {
  const { buffer, offset = 0, dtype } = A;
  const numbers = shape.reduce((product, size) => product * size, 1);
  checkRowMajor(A, shape, "buffer: its numbers");
  if (dtype !== undefined && panelTypeOf(dtype) !== "float32")
    throw new UnsupportedError(`dtype: a buffer holds float32, got ${formatValue(dtype)}`);
  if (typeof offset !== "number" || !Number.isInteger(offset) || offset < 0)
    throw new ShapeError(`offset: expected a non-negative integer, got ${formatValue(offset)}`);
  if (4 * (offset + numbers) > buffer.size)
    throw new ShapeError(
      `buffer: too short; this shape and offset take ${4 * (offset + numbers)} bytes, and the buffer has ${buffer.size}`,
    );
  if (!(buffer.usage & USAGE.storage))
    throw new UnsupportedError("buffer: needs GPUBufferUsage.STORAGE; copy it into a buffer with that usage");
  return offset;
}

/** @throws OptionError with the name of the option; UnsupportedError for a method that runs only on the host */
export function checkDeviceOptions(options: unknown, name: string, onDevice: boolean): CheckedDeviceOptions {
  const checked = checkOptions(options, ["device", "output"]);
  if (checked.method === "power" || checked.method === "dense")
    throw new UnsupportedError(
      `method: ${formatValue(checked.method)} does not run on a device; call ${name} of spectral-norm`,
    );
  const { device, output = onDevice ? "device" : "host" } = (options ?? {}) as {
    device?: Device;
    output?: unknown;
  };
  if (output !== "host" && output !== "device")
    throw new OptionError(`output: expected "host" or "device", got ${formatValue(output)}`);
  if (device !== undefined && (typeof device !== "object" || device === null || !("queue" in device)))
    throw new OptionError(`device: expected a GPUDevice, got ${describe(device)}`);
  return { ...checked, device, output };
}
