import { DeviceError } from "../matrix/errors.js";
import { messageOf, requestDevice, USAGE } from "./device.js";
import { type Loss, lossOf } from "./device-lost.js";
import { type Program, type Programs, programsOf } from "./programs.js";
import { PARAM_NAMES } from "./shaders/common.js";

export type Params = Partial<Record<(typeof PARAM_NAMES)[number], number>> & {
  scale?: readonly [number, number, number, number];
};

/** A routine with what it works on, not yet run. `params.groups` says how many workgroups have work. */
export interface Dispatch {
  readonly program: Program;
  readonly bindings: GPUBindGroup;
  readonly params: Params & { groups: number };
}

/** Runs one call: its device found, its buffers destroyed at the end, come what may. */
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

/** Bytes between the parameters of two dispatches: the alignment that every device accepts. */
const APART = 256;
/** Bytes of `Params`. */
const PARAM_BYTES = 4 * PARAM_NAMES.length + 16;
/** How long a failure may wait to be explained by the loss of the device. */
const LOSS_MS = 100;
/** Dispatches to a submission. */
const MOST = 512;
/** Bytes that are handed to the device at a time. */
const WRITTEN = 2 ** 25;

/**
 * One call's work on a device: what it allocates, what it runs, what it reads back, and every way in which that may
 * fail. Buffers are destroyed by `end`, but for those that were handed out.
 */
export class Session {
  readonly device: GPUDevice;
  readonly programs: Programs;
  readonly params: GPUBuffer;
  readonly #buffers = new Set<GPUBuffer>();
  readonly #loss: Loss;
  /** errors of what has been asked for, as they come to be known */
  #scopes: Promise<void>[] = [];

  constructor(device: GPUDevice) {
    this.device = device;
    this.#loss = lossOf(device);
    this.programs = programsOf(device);
    this.params = this.buffer("parameters", MOST * APART, USAGE.uniform | USAGE.copyDst);
  }

  /** Runs `act` and notes what the device has to say to it. */
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

  /** Waits for something of the device's, no longer than there is a device. */
  wait<T>(what: Promise<T>): Promise<T> {
    return this.#loss.wait(what);
  }

  /** Resolves when all that was asked for so far is known to have been in order. */
  async settle(): Promise<void> {
    const scopes = this.#scopes;
    this.#scopes = [];
    await this.#orLost(Promise.all(scopes), "computing");
  }

  /** Waits; of a failure that comes of the loss of the device says that instead. */
  async #orLost<T>(what: Promise<T>, doing: string): Promise<T> {
    try {
      return await this.wait(what);
    } catch (error) {
      // A device that is lost refuses first, and says that it is lost after that.
      await this.wait(new Promise((resolve) => setTimeout(resolve, LOSS_MS)));
      throw error instanceof DeviceError
        ? error
        : new DeviceError(`device: ${doing} failed: ${messageOf(error)}`, { cause: error });
    }
  }

  /** A new buffer, zero. */
  buffer(what: string, bytes: number, usage: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const { maxBufferSize } = this.device.limits;
    if (size > maxBufferSize)
      throw new DeviceError(
        `device: ${what} takes ${size} bytes, and this device has buffers of ${maxBufferSize} at most`,
      );
    const buffer = this.#watched(`a buffer of ${size} bytes for ${what}`, () =>
      this.device.createBuffer({ label: what, size, usage }),
    );
    this.#buffers.add(buffer);
    return buffer;
  }

  /** Numbers for computing with. */
  storage(what: string, numbers: number): GPUBuffer {
    return this.buffer(what, 4 * numbers, USAGE.storage | USAGE.copySrc | USAGE.copyDst);
  }

  /** The buffer is the caller's from here on. */
  release(buffer: GPUBuffer): GPUBuffer {
    this.#buffers.delete(buffer);
    return buffer;
  }

  /** Destroys a buffer before the end. */
  drop(buffer: GPUBuffer): void {
    if (this.#buffers.delete(buffer)) buffer.destroy();
  }

  /** Numbers to `buffer`, from number `to` of it on. */
  write(buffer: GPUBuffer, to: number, data: Float32Array | Uint32Array): void {
    this.#watched("writing", () => {
      const step = WRITTEN / 4;
      for (let i = 0; i < data.length; i += step) {
        const count = Math.min(step, data.length - i);
        this.device.queue.writeBuffer(buffer, 4 * (to + i), data, i, count);
      }
    });
  }

  /** What the routines work on, in the order of `BINDING`, without the parameters. */
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

  /** Runs the dispatches, one after another. */
  run(dispatches: readonly Dispatch[]): void {
    for (let i = 0; i < dispatches.length; i += MOST) this.#submit(dispatches.slice(i, i + MOST));
  }

  #submit(dispatches: readonly Dispatch[]): void {
    const most = this.device.limits.maxComputeWorkgroupsPerDimension;
    const words = APART / 4;
    const integers = new Uint32Array(words * dispatches.length);
    const numbers = new Float32Array(integers.buffer);
    dispatches.forEach(({ params }, d) => {
      PARAM_NAMES.forEach((name, k) => {
        integers[d * words + k] = params[name] ?? 0;
      });
      if (params.scale) numbers.set(params.scale, d * words + PARAM_NAMES.length);
    });
    this.#watched("computing", () => {
      // Writes and submissions take effect in the order in which they are made.
      this.device.queue.writeBuffer(this.params, 0, integers);
      const encoder = this.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      dispatches.forEach(({ program, bindings, params: { groups } }, d) => {
        pass.setPipeline(program.pipeline);
        pass.setBindGroup(0, bindings, [d * APART]);
        const down = Math.ceil(groups / most);
        pass.dispatchWorkgroups(Math.ceil(groups / down), down);
      });
      pass.end();
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /** Numbers of `buffer`, from number `from` on, when all that was asked for before is done. */
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
    // What went wrong before says more than that there is nothing to map.
    await this.settle();
    await this.#orLost(mapped, "reading back");
    const numbers = new Float32Array(stage.getMappedRange(0, bytes).slice(0));
    stage.unmap();
    this.drop(stage);
    return numbers;
  }

  /** Destroys what is left. */
  end(): void {
    for (const buffer of this.#buffers) buffer.destroy();
    this.#buffers.clear();
  }
}
