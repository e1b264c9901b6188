import type { SvdKernels } from "../svd-contract.js";
import { svd } from "./binary.generated.js";
import { arenaOf, moduleOf } from "./instance.js";
import { instantiate } from "./instantiate.js";

/**
 * The singular value decomposition in WebAssembly, over a new memory.
 *
 * @throws what `WebAssembly` throws if it is missing or forbidden, or lacks SIMD
 */
export function wasmSvd(): SvdKernels {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  const { svd: routine } = instantiate(moduleOf(svd), memory);
  return {
    name: "wasm",
    routines: { svd: routine as SvdKernels["routines"]["svd"] },
    arena: arenaOf(memory),
  };
}
