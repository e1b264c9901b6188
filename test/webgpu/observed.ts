/** The device, with some of what it says and does replaced. */
export function altered(device: GPUDevice, changes: Readonly<Record<string, unknown>>): GPUDevice {
  return new Proxy(device, {
    get(target, name) {
      if (typeof name === "string" && Object.hasOwn(changes, name)) return changes[name];
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The device as if it had smaller limits than any has. */
export function limited(
  device: GPUDevice,
  limits: Partial<Record<keyof GPUSupportedLimits, number>>,
): GPUDevice {
  const all = new Proxy(device.limits, {
    get: (target, name) => (limits as Record<PropertyKey, unknown>)[name] ?? Reflect.get(target, name),
  });
  return altered(device, { limits: all });
}

/** The device, and the labels of those of its buffers that have been made and not destroyed. */
export function counted(device: GPUDevice): { device: GPUDevice; left(): string[] } {
  const alive = new Set<GPUBuffer>();
  const createBuffer = (descriptor: GPUBufferDescriptor) => {
    const buffer = device.createBuffer(descriptor);
    alive.add(buffer);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      alive.delete(buffer);
      destroy();
    };
    return buffer;
  };
  return {
    device: altered(device, { createBuffer }),
    left: () => [...alive].map(({ label }) => label),
  };
}

const STORAGE = 0x80 | 0x8 | 0x4;

/** A buffer that holds these numbers, from number `offset` on. */
export function bufferOf(device: GPUDevice, data: ArrayLike<number>, offset = 0, usage = STORAGE): GPUBuffer {
  const buffer = device.createBuffer({ size: 4 * Math.max(1, data.length + offset), usage });
  device.queue.writeBuffer(buffer, 4 * offset, Float32Array.from(data));
  return buffer;
}

export async function numbersIn(device: GPUDevice, buffer: GPUBuffer, count: number): Promise<Float32Array> {
  const stage = device.createBuffer({ size: 4 * count, usage: 0x8 | 0x1 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, stage, 0, 4 * count);
  device.queue.submit([encoder.finish()]);
  await stage.mapAsync(1);
  const numbers = new Float32Array(stage.getMappedRange().slice(0));
  stage.destroy();
  return numbers;
}
