import { referenceStencil } from "./reference/stencil.js";
import { kernels } from "./select.js";
import type { StencilKernels } from "./stencil-contract.js";
import { wasmStencil } from "./wasm/stencil.js";

/** A memory larger than this is discarded after the call that needed it. Chosen: a call takes a few MiB, unless its
 * kernel is very large. */
const KEPT_BYTES = 64 * 2 ** 20;

let current: StencilKernels | undefined;

/** The kernels of convolutions: those of the set that the other kernels are. */
export function stencilKernels(): StencilKernels {
  const { name } = kernels();
  if (current?.name !== name)
    current = name === "reference" ? referenceStencil() : wasmStencil(name === "wasm-relaxed");
  return current;
}

/** Discards the memory if a large kernel has grown it. */
export function trimStencil(): void {
  if (current && current.arena.size() > KEPT_BYTES) current = undefined;
}
