import type { HermitianKernels, HermitianRoutines } from "../hermitian-contract.js";
import { hermitian } from "./binary.generated.js";
import { arenaOf, moduleOf } from "./instance.js";
import { instantiate } from "./instantiate.js";

/**
 * The routines for Hermitian matrices in WebAssembly, without relaxed SIMD.
 *
 * @throws what `WebAssembly` throws if it is missing or forbidden, or lacks SIMD
 */
export function wasmHermitian(): HermitianKernels {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  return {
    name: "wasm",
    routines: instantiate(moduleOf(hermitian), memory) as unknown as HermitianRoutines,
    arena: arenaOf(memory),
  };
}
