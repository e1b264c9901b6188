import { createRequire } from "node:module";

/** Dawn's WebGPU for Node; it goes with the object that made it, which is kept for as long as the process lives. */
export function dawn(): GPU {
  const kept = globalThis as { dawn?: GPU };
  if (!kept.dawn) {
    const { create } = createRequire(import.meta.url)("webgpu") as { create(flags: string[]): GPU };
    kept.dawn = create([]);
  }
  return kept.dawn;
}

/** A device of its own, with the limits that every device has; fails where there is no adapter. */
export async function startDevice(descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> {
  const adapter = await dawn().requestAdapter();
  if (!adapter) throw new Error("no WebGPU adapter: Vulkan's loader or its driver was not found");
  const device = await adapter.requestDevice(descriptor);
  device.addEventListener("uncapturederror", ({ error }) => {
    throw new Error(`an error that nobody looked at: ${error.message}`);
  });
  return device;
}
