import type { Kernels } from "../../src/kernels/contract.js";
import { referenceKernels } from "../../src/kernels/reference/instance.js";
import { relaxedAvailable, wasmKernels } from "../../src/kernels/wasm/instance.js";

/** Every set of kernels that this engine can run. */
export const KERNEL_SETS: { name: Kernels["name"]; make: () => Kernels }[] = [
  { name: "reference", make: referenceKernels },
  { name: "wasm", make: () => wasmKernels(false) },
];
if (relaxedAvailable()) KERNEL_SETS.push({ name: "wasm-relaxed", make: () => wasmKernels(true) });
else console.warn("relaxed SIMD is not available in this Node: its kernels are not tested here");
