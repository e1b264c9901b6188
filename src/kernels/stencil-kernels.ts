import { referenceStencil } from "./reference/stencil.js";
import { kernels } from "./select.js";
import type { StencilKernels } from "./stencil-contract.js";
import { wasmStencil } from "./wasm/stencil.js";

/** A memory larger than this is discarded after the call that needed it. Chosen: a call takes a few MiB, unless its
 * kernel is very large. */
const KEPT_BYTES = 64 * 2 ** 20;

const made = new Map<StencilKernels["name"], StencilKernels>();

/**
 * The kernels of convolutions, those of the set that the other kernels are.
 *
 * @param fused  whether they may fuse multiplications with additions; without it, their results have the bits of the
 *   reference
 */
export function stencilKernels(fused: boolean): StencilKernels {
  const { name } = kernels();
  const wanted = name === "wasm-relaxed" && !fused ? "wasm" : name;
  const known = made.get(wanted);
  if (known) return known;
  const kernel = wanted === "reference" ? referenceStencil() : wasmStencil(wanted === "wasm-relaxed");
  made.set(wanted, kernel);
  return kernel;
}

/** Discards the memory if a large kernel has grown it. */
export function trimStencil({ name, arena }: StencilKernels): void {
  if (arena.size() > KEPT_BYTES) made.delete(name);
}
