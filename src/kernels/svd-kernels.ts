import { referenceSvd } from "./reference/svd.js";
import { kernels } from "./select.js";
import type { SvdKernels } from "./svd-contract.js";
import { wasmSvd } from "./wasm/svd.js";

/** A memory larger than this is discarded after the call that needed it. Chosen: as for the other kernels. */
const KEPT_BYTES = 256 * 2 ** 20;

let current: SvdKernels | undefined;

/** The kernels of the singular value decomposition, those of the set that the other kernels are. */
export function svdKernels(): SvdKernels {
  const { name } = kernels();
  if (current?.name !== name)
    current = name === "reference" ? referenceSvd() : wasmSvd(name === "wasm-relaxed");
  return current;
}

/** Discards the memory if a large matrix has grown it. */
export function trimSvd(): void {
  if (current && current.arena.size() > KEPT_BYTES) current = undefined;
}
