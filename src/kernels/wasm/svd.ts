import type { SvdKernels } from "../svd-contract.js";
import { svd } from "./binary.generated.js";
import { arenaOf, moduleOf } from "./instance.js";
import { instantiate } from "./instantiate.js";

/**
 * The singular value decomposition in WebAssembly, over a new memory.
 *
 * @param relaxed  whether multiply-adds are fused
 * @throws what `WebAssembly` throws if it is missing or forbidden, or lacks SIMD
 */
export function wasmSvd(relaxed: boolean): SvdKernels {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  const { svd: routine } = instantiate(moduleOf(svd, false, relaxed), memory);
  return {
    name: relaxed ? "wasm-relaxed" : "wasm",
    routines: { svd: routine as SvdKernels["routines"]["svd"] },
    arena: arenaOf(memory),
  };
}
