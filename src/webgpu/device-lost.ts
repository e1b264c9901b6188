import { DeviceError } from "../matrix/errors.js";
import type { Device } from "./device-types.js";

/** Those who wait for a device, and what becomes of them when it is lost. */
export class Loss {
  #error: DeviceError | undefined;
  readonly #waiting = new Set<(error: DeviceError) => void>();

  constructor(device: Device) {
    device.lost.then(({ reason, message }) => {
      const why = [reason && ` (${reason})`, message && `: ${message}`].filter(Boolean).join("");
      this.#error = new DeviceError(`device: lost${why}`);
      for (const refuse of this.#waiting) refuse(this.#error);
    });
  }

  /** The same promise, but that it rejects when the device is lost; once it has settled, nothing is left of it. */
  wait<T>(what: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#error) reject(this.#error);
      this.#waiting.add(reject);
      what.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }
}

const ofDevice = new WeakMap<Device, Loss>();

/** One for each device, as `lost` keeps whoever has asked for as long as the device lives. */
export function lossOf(device: Device): Loss {
  let loss = ofDevice.get(device);
  if (!loss) {
    loss = new Loss(device);
    ofDevice.set(device, loss);
  }
  return loss;
}
