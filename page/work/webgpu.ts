import type { ValueAndGrad } from "../../src/index.js";
import { messageOf } from "../../src/matrix/error-message.js";
import type { Matrix } from "../../src/matrix/types.js";

/** The part of `spectral-norm/webgpu` that the page uses. */
export interface WebGpu {
  valueAndGrad(A: Matrix): Promise<ValueAndGrad>;
}

/** Loaded when times are measured, and not before. */
export const loadWebGpu: () => Promise<WebGpu> = () => import("../../src/webgpu/index.js");

/** Chosen: a driver that has not answered in this time will not. Software that stands in for a GPU takes seconds. */
const PATIENCE_MS = 60_000;

/**
 * Waits for what a GPU answers, but not for ever: browsers set no limit.
 *
 * @throws Error after a minute
 */
export async function answered<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it did not answer within a minute")), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Why nothing can be computed on a GPU here; undefined if it can. */
export async function webgpuState(): Promise<string | undefined> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<object | null> } };
  if (!gpu)
    return globalThis.isSecureContext ? "this browser has no WebGPU" : "WebGPU needs https, or localhost";
  try {
    const adapter = await answered(gpu.requestAdapter().catch(() => null));
    return adapter ? undefined : "this browser has WebGPU, but no adapter was found";
  } catch (error) {
    return `this browser has WebGPU, but ${messageOf(error)}`;
  }
}
