import type { StencilKernels, StencilRoutines } from "../stencil-contract.js";
import { stencil } from "./binary.generated.js";
import { arenaOf, moduleOf } from "./instance.js";
import { instantiate } from "./instantiate.js";

/**
 * The routine of convolutions in WebAssembly, over a new memory.
 *
 * @param relaxed  whether multiply-adds are fused
 * @throws what `WebAssembly` throws if it is missing or forbidden, or lacks SIMD
 */
export function wasmStencil(relaxed: boolean): StencilKernels {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  return {
    name: relaxed ? "wasm-relaxed" : "wasm",
    routines: instantiate(moduleOf(stencil, false, relaxed), memory) as unknown as StencilRoutines,
    arena: arenaOf(memory),
  };
}
