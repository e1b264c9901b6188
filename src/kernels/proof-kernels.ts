import type { ProofKernels } from "./proof-contract.js";
import { referenceProof } from "./reference/proof.js";
import { kernels } from "./select.js";
import { wasmProof } from "./wasm/proof.js";

/** Memory beyond this is given back after the call that needed it. */
const KEPT_BYTES = 64 * 2 ** 20;

let current: ProofKernels | undefined;

/** What a proof computes with: WebAssembly where the other kernels do, else plain loops. */
export function proofKernels(): ProofKernels {
  const name = kernels().name === "reference" ? "reference" : "wasm";
  if (current?.name !== name) current = name === "wasm" ? wasmProof() : referenceProof();
  return current;
}

/** Lets go of a memory that a large matrix has left behind. */
export function trimProof(): void {
  if (current && current.arena.size() > KEPT_BYTES) current = undefined;
}
