import { DeviceError } from "../matrix/errors.js";
import type { Device } from "./device-types.js";

/** Rejects everything that waits for a device when the device is lost. */
export class DeviceLoss {
  #error: DeviceError | undefined;
  readonly #waiting = new Set<(error: DeviceError) => void>();

  constructor(device: Device) {
    device.lost.then(({ reason, message }) => {
      const why = [reason && ` (${reason})`, message && `: ${message}`].filter(Boolean).join("");
      this.#error = new DeviceError(`device: lost${why}`);
      for (const refuse of this.#waiting) refuse(this.#error);
    });
  }

  /** The same promise, except that it rejects if the device is lost first. */
  wait<T>(what: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#error) reject(this.#error);
      this.#waiting.add(reject);
      what.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }
}

const ofDevice = new WeakMap<Device, DeviceLoss>();

/** One per device, because callbacks of `device.lost` are kept as long as the device lives. */
export function deviceLossOf(device: Device): DeviceLoss {
  let loss = ofDevice.get(device);
  if (!loss) {
    loss = new DeviceLoss(device);
    ofDevice.set(device, loss);
  }
  return loss;
}
