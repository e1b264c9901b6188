import type { ProofKernels, ProofRoutines } from "../proof-contract.js";
import { proof } from "./binary.generated.js";
import { arenaOf, moduleOf } from "./instance.js";
import { instantiate } from "./instantiate.js";

/**
 * The routines of a proof in WebAssembly, whose arithmetic is deterministic as long as relaxed SIMD is not used.
 *
 * @throws what `WebAssembly` throws if it is missing or forbidden, or lacks SIMD
 */
export function wasmProof(): ProofKernels {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  return {
    name: "wasm",
    routines: instantiate(moduleOf(proof), memory) as unknown as ProofRoutines,
    arena: arenaOf(memory),
  };
}
