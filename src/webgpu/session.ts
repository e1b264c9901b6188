import { messageOf } from "../matrix/error-message.js";
import { DeviceError } from "../matrix/errors.js";
import { requestDevice, USAGE } from "./device.js";
import { type DeviceLoss, deviceLossOf } from "./device-lost.js";
import { type Program, type Programs, programsOf } from "./programs.js";
import { PARAM_NAMES } from "./shaders/common.js";

export type Params = Partial<Record<(typeof PARAM_NAMES)[number], number>> & {
  scale?: readonly [number, number, number, number];
};

/** A routine with its arguments. `params.groups` is the number of workgroups that have work. */
export interface Dispatch {
  readonly program: Program;
  readonly bindings: GPUBindGroup;
  readonly params: Params & { groups: number };
}

/** Runs one call on a device; its buffers are destroyed at the end in any case. */
export async function withSession<T>(
  { device }: { device: GPUDevice | undefined },
  compute: (session: Session) => Promise<T>,
): Promise<T> {
  const session = new Session(device ?? (await requestDevice()));
  try {
    const result = await compute(session);
    await session.settle();
    return result;
  } finally {
    session.end();
  }
}

/** Bytes between the parameters of two dispatches: WebGPU's default `minUniformBufferOffsetAlignment`. */
const PARAM_STRIDE = 256;
/** Bytes of `Params`. */
const PARAM_BYTES = 4 * PARAM_NAMES.length + 16;
/** Milliseconds that a failure waits for the report that the device was lost. Chosen: it follows at once. */
const LOSS_MS = 100;
/** Most dispatches per submission. Chosen: 128 KiB of parameters. */
const MOST_DISPATCHES = 512;
/** Bytes per write to the device. Chosen: 32 MiB, because the implementation holds a copy of each write. */
const WRITE_BYTES = 2 ** 25;

/**
 * The work of one call on a device: buffers, dispatches, reading back, and all errors of these. `end` destroys the
 * buffers, except those that were released.
 */
export class Session {
  readonly device: GPUDevice;
  readonly programs: Programs;
  readonly params: GPUBuffer;
  readonly #buffers = new Set<GPUBuffer>();
  readonly #deviceLoss: DeviceLoss;
  /** error scopes of the requests so far */
  #scopes: Promise<void>[] = [];

  constructor(device: GPUDevice) {
    this.device = device;
    this.#deviceLoss = deviceLossOf(device);
    this.programs = programsOf(device);
    this.params = this.buffer("parameters", MOST_DISPATCHES * PARAM_STRIDE, USAGE.uniform | USAGE.copyDst);
  }

  /** Runs `act` in error scopes. */
  #watched<T>(what: string, act: () => T): T {
    const { device } = this;
    const filters = ["validation", "internal", "out-of-memory"] as const;
    for (const filter of filters) device.pushErrorScope(filter);
    try {
      return act();
    } catch (error) {
      throw new DeviceError(`device: ${what}: ${messageOf(error)}`, { cause: error });
    } finally {
      for (const filter of [...filters].reverse()) {
        const scope = device.popErrorScope().then(
          (error) => {
            if (!error) return;
            const why = filter === "out-of-memory" ? "out of memory" : error.message;
            throw new DeviceError(`device: ${what}: ${why}`, { cause: error });
          },
          (error) => {
            throw new DeviceError(`device: ${what}: ${messageOf(error)}`, { cause: error });
          },
        );
        scope.catch(() => {});
        this.#scopes.push(scope);
      }
    }
  }

  /** Waits for a promise of the device; rejects if the device is lost. */
  wait<T>(what: Promise<T>): Promise<T> {
    return this.#deviceLoss.wait(what);
  }

  /** Resolves when all requests so far have been validated; rejects with the first error. */
  async settle(): Promise<void> {
    const scopes = this.#scopes;
    this.#scopes = [];
    await this.#orLost(Promise.all(scopes), "computing");
  }

  /** Waits. If it fails because the device was lost, the error says so. */
  async #orLost<T>(what: Promise<T>, doing: string): Promise<T> {
    try {
      return await this.wait(what);
    } catch (error) {
      // A lost device rejects requests before it reports the loss.
      await this.wait(new Promise((resolve) => setTimeout(resolve, LOSS_MS)));
      throw error instanceof DeviceError
        ? error
        : new DeviceError(`device: ${doing} failed: ${messageOf(error)}`, { cause: error });
    }
  }

  /** A new buffer filled with zeros. */
  buffer(what: string, bytes: number, usage: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const { maxBufferSize } = this.device.limits;
    if (size > maxBufferSize)
      throw new DeviceError(
        `device: ${what} takes ${size} bytes; the largest buffer of this device has ${maxBufferSize}`,
      );
    const buffer = this.#watched(`a buffer of ${size} bytes for ${what}`, () =>
      this.device.createBuffer({ label: what, size, usage }),
    );
    this.#buffers.add(buffer);
    return buffer;
  }

  /** A new storage buffer for `numbers` float32. */
  storage(what: string, numbers: number): GPUBuffer {
    return this.buffer(what, 4 * numbers, USAGE.storage | USAGE.copySrc | USAGE.copyDst);
  }

  /** Hands the buffer over to the caller. */
  release(buffer: GPUBuffer): GPUBuffer {
    this.#buffers.delete(buffer);
    return buffer;
  }

  /** Destroys a buffer before the end of the session. */
  drop(buffer: GPUBuffer): void {
    if (this.#buffers.delete(buffer)) buffer.destroy();
  }

  /** Writes numbers to `buffer`, beginning at number `to`. */
  write(buffer: GPUBuffer, to: number, data: Float32Array | Uint32Array): void {
    this.#watched("writing", () => {
      const step = WRITE_BYTES / 4;
      for (let i = 0; i < data.length; i += step) {
        const count = Math.min(step, data.length - i);
        this.device.queue.writeBuffer(buffer, 4 * (to + i), data, i, count);
      }
    });
  }

  /** @param resources  in the order of `BINDING`, without the parameters */
  bindGroup(resources: readonly GPUBufferBinding[]): GPUBindGroup {
    return this.#watched("binding", () =>
      this.device.createBindGroup({
        layout: this.programs.layout,
        entries: [...resources, { buffer: this.params, offset: 0, size: PARAM_BYTES }].map(
          (resource, binding) => ({ binding, resource }),
        ),
      }),
    );
  }

  /** Runs the dispatches in order. */
  run(dispatches: readonly Dispatch[]): void {
    for (let i = 0; i < dispatches.length; i += MOST_DISPATCHES)
      this.#submit(dispatches.slice(i, i + MOST_DISPATCHES));
  }

  #submit(dispatches: readonly Dispatch[]): void {
    const most = this.device.limits.maxComputeWorkgroupsPerDimension;
    const words = PARAM_STRIDE / 4;
    const integers = new Uint32Array(words * dispatches.length);
    const numbers = new Float32Array(integers.buffer);
    dispatches.forEach(({ params }, d) => {
      PARAM_NAMES.forEach((name, k) => {
        integers[d * words + k] = params[name] ?? 0;
      });
      if (params.scale) numbers.set(params.scale, d * words + PARAM_NAMES.length);
    });
    this.#watched("computing", () => {
      // The queue executes writes and submissions in order, so this write is safe.
      this.device.queue.writeBuffer(this.params, 0, integers);
      const encoder = this.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      dispatches.forEach(({ program, bindings, params: { groups } }, d) => {
        pass.setPipeline(program.pipeline);
        pass.setBindGroup(0, bindings, [d * PARAM_STRIDE]);
        const down = Math.ceil(groups / most);
        pass.dispatchWorkgroups(Math.ceil(groups / down), down);
      });
      pass.end();
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /** Reads `count` numbers of `buffer`, from number `from` on, after all requests so far. */
  async read(buffer: GPUBuffer, from: number, count: number): Promise<Float32Array> {
    const bytes = 4 * count;
    const stage = this.buffer("reading back", bytes, USAGE.mapRead | USAGE.copyDst);
    this.#watched("reading back", () => {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 4 * from, stage, 0, bytes);
      this.device.queue.submit([encoder.finish()]);
    });
    const mapped = stage.mapAsync(1, 0, bytes);
    mapped.catch(() => {});
    // The error of an earlier request says more than that of the mapping.
    await this.settle();
    await this.#orLost(mapped, "reading back");
    const numbers = new Float32Array(stage.getMappedRange(0, bytes).slice(0));
    stage.unmap();
    this.drop(stage);
    return numbers;
  }

  /** Destroys the remaining buffers. */
  end(): void {
    for (const buffer of this.#buffers) buffer.destroy();
    this.#buffers.clear();
  }
}
