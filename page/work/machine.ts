import { kernelInfo } from "../../src/index.js";
import { webgpuState } from "./webgpu.js";

/** What this browser computes with. */
export interface Machine {
  /** the kernels in use, and why not faster ones */
  readonly kernels: string;
  readonly reason?: string;
  readonly cores: number;
  /** whether threads may share memory */
  readonly isolated: boolean;
  /** undefined: there is one */
  readonly webgpuMissing?: string;
}

export async function machine(): Promise<Machine> {
  const { name, reason } = kernelInfo();
  const missing = await webgpuState();
  return {
    kernels: name,
    ...(reason !== undefined && { reason }),
    cores: navigator.hardwareConcurrency ?? 1,
    isolated: globalThis.crossOriginIsolated === true,
    ...(missing !== undefined && { webgpuMissing: missing }),
  };
}
