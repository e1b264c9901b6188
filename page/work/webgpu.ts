import type { ValueAndGrad } from "../../src/index.js";
import type { Matrix } from "../../src/matrix/types.js";

/** What the page uses of `spectral-norm/webgpu`. */
export interface WebGpu {
  valueAndGrad(A: Matrix): Promise<ValueAndGrad>;
}

/** How that is loaded; undefined while there is no such module. */
export const loadWebGpu: (() => Promise<WebGpu>) | undefined = undefined;

/** Why nothing can be computed on a GPU here; undefined where it can. */
export async function webgpuState(): Promise<string | undefined> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<object | null> } };
  if (!gpu) return "this browser has no WebGPU";
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) return "this browser has WebGPU and no adapter for it";
  return loadWebGpu ? undefined : "the package has no GPU kernels yet";
}
