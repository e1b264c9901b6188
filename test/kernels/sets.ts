import { it } from "vitest";
import type { Kernels } from "../../src/kernels/contract.js";
import { referenceKernels } from "../../src/kernels/reference/instance.js";
import { referenceSvd } from "../../src/kernels/reference/svd.js";
import { setKernels, useThreadPool } from "../../src/kernels/select.js";
import type { SvdKernels } from "../../src/kernels/svd-contract.js";
import { relaxedAvailable, wasmKernels } from "../../src/kernels/wasm/instance.js";
import { wasmSvd } from "../../src/kernels/wasm/svd.js";
import { startTeam } from "../../src/threads/start-team.js";

/** Every set of kernels that this engine can run. */
export const KERNEL_SETS: { name: Kernels["name"]; make: () => Kernels }[] = [
  { name: "reference", make: referenceKernels },
  { name: "wasm", make: () => wasmKernels(false) },
];
if (relaxedAvailable()) KERNEL_SETS.push({ name: "wasm-relaxed", make: () => wasmKernels(true) });
else if (process.env["RELAXED_SIMD"] === "required")
  throw new Error("this project has to test the wasm-relaxed kernels, and this engine has no relaxed SIMD");

/** Those that need WebAssembly, and can be divided among threads. */
export const WASM_SETS = KERNEL_SETS.slice(1);

/** The kernels of the singular value decomposition in every set that this engine can run. */
export function svdSets(): SvdKernels[] {
  return KERNEL_SETS.map(({ name }) =>
    name === "reference" ? referenceSvd() : wasmSvd(name === "wasm-relaxed"),
  );
}

/** Adds a skipped test for each set of kernels that this engine cannot run. Every suite over kernels calls it. */
export function skipMissingKernels(): void {
  if (!relaxedAvailable())
    it.skip(
      'wasm-relaxed kernels (skipped: no relaxed SIMD without a flag here; the project "guarded" runs them)',
    );
}

/** A way in which the functions can compute: `begin` has them do so until what it resolves to is called. */
export interface Way {
  name: string;
  kernels: Kernels["name"];
  begin(): Promise<() => Promise<void>>;
}

/** Every set of kernels on one thread, and those of WebAssembly on several. */
export const WAYS: Way[] = [
  ...KERNEL_SETS.map(({ name }) => ({
    name,
    kernels: name,
    async begin() {
      setKernels(name);
      return async () => setKernels("auto");
    },
  })),
  ...WASM_SETS.map(({ name }) => ({
    name: `${name}, 2 threads`,
    kernels: name,
    async begin() {
      // Whatever can be divided is, however small.
      const team = await startTeam(2, 0);
      useThreadPool(team);
      setKernels(name);
      return async () => {
        setKernels("auto");
        useThreadPool(undefined);
        await team.stop();
      };
    },
  })),
];
