import { OptionError } from "../matrix/errors.js";
import { shown } from "../matrix/shown.js";
import type { Kernels } from "./contract.js";
import { referenceKernels } from "./reference/instance.js";
import { relaxedAvailable, wasmKernels } from "./wasm/instance.js";

/** Which arithmetic runs, and why not a faster one. */
export interface KernelInfo {
  /** "wasm-relaxed" (SIMD with fused multiply-add), "wasm" (SIMD) or "reference" (plain loops) */
  name: Kernels["name"];
  /** Why WebAssembly does not serve, where it does not. */
  reason?: string;
}

/** Memory beyond this is given back after the call that needed it: WebAssembly's own never shrinks. */
const KEPT_BYTES = 256 * 2 ** 20;

let wanted: Kernels["name"] | "auto" = "auto";
let current: Kernels | undefined;
let reason: string | undefined;

function make(): Kernels {
  reason = undefined;
  if (wanted === "reference") {
    reason = "chosen by setKernels";
    return referenceKernels();
  }
  if (wanted !== "auto") return wasmKernels(wanted === "wasm-relaxed");
  try {
    return wasmKernels(relaxedAvailable());
  } catch (error) {
    // A content policy without 'wasm-unsafe-eval', an engine without SIMD, or none at all.
    reason = `WebAssembly is not available: ${error instanceof Error ? error.message : String(error)}`;
    return referenceKernels();
  }
}

/** The kernels in use; made on first use. */
export function kernels(): Kernels {
  current ??= make();
  return current;
}

/** Lets go of a memory that a large matrix has left behind. */
export function trim(): void {
  if (current && current.arena.mark() <= 64 && current.arena.size() > KEPT_BYTES) current = undefined;
}

/**
 * Which kernels compute in this process: "wasm-relaxed", "wasm", or "reference" with the reason.
 *
 * Cost: compiles the kernels if nothing has yet (a few milliseconds).
 */
export function kernelInfo(): KernelInfo {
  const { name } = kernels();
  return reason === undefined ? { name } : { name, reason };
}

/**
 * Chooses the kernels for all calls from here on. "wasm" gives the same bits on every machine;
 * "wasm-relaxed", where the engine has it, fuses multiply-adds and is faster on some processors; "auto"
 * (the default) takes the best there is.
 *
 * @throws OptionError for another name, or where this engine lacks what was asked for
 */
export function setKernels(name: Kernels["name"] | "auto"): void {
  if (!["auto", "wasm", "wasm-relaxed", "reference"].includes(name))
    throw new OptionError(
      `kernels: expected "auto", "wasm", "wasm-relaxed" or "reference", got ${shown(name)}`,
    );
  const before = { wanted, reason };
  wanted = name;
  try {
    current = make();
  } catch (error) {
    ({ wanted, reason } = before);
    throw new OptionError(
      `kernels: "${name}" is not available here: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
