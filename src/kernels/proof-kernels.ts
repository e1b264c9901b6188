import type { ProofKernels } from "./proof-contract.js";
import { referenceProof } from "./reference/proof.js";
import { kernels } from "./select.js";
import { wasmProof } from "./wasm/proof.js";

/**
 * A memory larger than this is discarded after the call that needed it. Chosen: room for a Gram matrix of order 2900
 * (8n² bytes) and its factor in place, so that smaller proofs need not grow it again.
 */
const KEPT_BYTES = 64 * 2 ** 20;

let current: ProofKernels | undefined;

/** The kernels of a proof: WebAssembly if the other kernels use it, else plain loops. */
export function proofKernels(): ProofKernels {
  const name = kernels().name === "reference" ? "reference" : "wasm";
  if (current?.name !== name) current = name === "wasm" ? wasmProof() : referenceProof();
  return current;
}

/** Discards the memory if a large matrix has grown it. */
export function trimProof(): void {
  if (current && current.arena.size() > KEPT_BYTES) current = undefined;
}
