import type { HermitianKernels } from "./hermitian-contract.js";
import { referenceHermitian } from "./reference/hermitian.js";
import { kernels } from "./select.js";
import { wasmHermitian } from "./wasm/hermitian.js";

/** A memory larger than this is discarded after the call that needed it. Chosen: as for proofs of real matrices. */
const KEPT_BYTES = 64 * 2 ** 20;

let current: HermitianKernels | undefined;

/** The kernels for Hermitian matrices: WebAssembly if the other kernels use it, else plain loops. */
export function hermitianKernels(): HermitianKernels {
  const name = kernels().name === "reference" ? "reference" : "wasm";
  if (current?.name !== name) current = name === "wasm" ? wasmHermitian() : referenceHermitian();
  return current;
}

/** Discards the memory if a large matrix has grown it. */
export function trimHermitian(): void {
  if (current && current.arena.size() > KEPT_BYTES) current = undefined;
}
