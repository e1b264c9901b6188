import type { ValueAndGrad } from "../../src/index.js";
import type { Matrix } from "../../src/matrix/types.js";

/** The part of `spectral-norm/webgpu` that the page uses. */
export interface WebGpu {
  valueAndGrad(A: Matrix): Promise<ValueAndGrad>;
}

/** Loaded when times are measured, and not before. */
export const loadWebGpu: () => Promise<WebGpu> = () => import("../../src/webgpu/index.js");

/** Why nothing can be computed on a GPU here; undefined if it can. */
export async function webgpuState(): Promise<string | undefined> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<object | null> } };
  if (!gpu)
    return globalThis.isSecureContext ? "this browser has no WebGPU" : "WebGPU needs https, or localhost";
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter ? undefined : "this browser has WebGPU, but no adapter was found";
}
