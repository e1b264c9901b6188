import { OptionError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import type { Kernels } from "./contract.js";
import { referenceKernels } from "./reference/instance.js";
import { relaxedAvailable, wasmKernels } from "./wasm/instance.js";

/** Which arithmetic runs, and why not a faster one. */
export interface KernelInfo {
  /** "wasm-relaxed" (SIMD with fused multiply-add), "wasm" (SIMD) or "reference" (plain loops) */
  name: Kernels["name"];
  /** How many threads compute: 1, or what `startThreads` of spectral-norm/threads has started. */
  threads: number;
  /** Why WebAssembly does not serve, where it does not. */
  reason?: string;
}

/** Memory beyond this is given back after the call that needed it: WebAssembly's own never shrinks. */
const KEPT_BYTES = 256 * 2 ** 20;

let wanted: Kernels["name"] | "auto" = "auto";
let current: Kernels | undefined;
let reason: string | undefined;
let threads: Threads | undefined;

/** Threads on one memory, and the WebAssembly kernels that leave work to them. */
export interface Threads {
  readonly count: number;
  kernels(relaxed: boolean): Kernels;
}

function wasm(relaxed: boolean): Kernels {
  return threads ? threads.kernels(relaxed) : wasmKernels(relaxed);
}

/**
 * From here on the WebAssembly kernels compute with these threads; undefined: with the calling one alone.
 *
 * Not for use while a computation runs (an operator's own functions, say): memory is exchanged.
 */
export function useThreadPool(next: Threads | undefined): void {
  threads = next;
  current = undefined;
}

function make(): Kernels {
  reason = undefined;
  if (wanted === "reference") {
    reason = "chosen by setKernels";
    return referenceKernels();
  }
  if (wanted !== "auto") return wasm(wanted === "wasm-relaxed");
  try {
    return wasm(relaxedAvailable());
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
  // A crew has the memory it was started on.
  if (!threads && current && current.arena.mark() <= 64 && current.arena.size() > KEPT_BYTES)
    current = undefined;
}

/** What `setKernels` has chosen. */
export function kernelsWanted(): Kernels["name"] | "auto" {
  return wanted;
}

/**
 * Which kernels compute in this process: "wasm-relaxed", "wasm", or "reference" with the reason.
 *
 * @remarks
 * **Cost.** Compiles the kernels if nothing has yet (a few milliseconds).
 *
 * @example
 * ```ts
 * import { kernelInfo } from "spectral-norm";
 *
 * console.log(kernelInfo().threads); // 1
 * ```
 */
export function kernelInfo(): KernelInfo {
  const { name } = kernels();
  const count = name === "reference" ? 1 : (threads?.count ?? 1);
  return reason === undefined ? { name, threads: count } : { name, threads: count, reason };
}

/**
 * Chooses the kernels for all calls from here on. "wasm" gives the same bits on every machine;
 * "wasm-relaxed", where the engine has it, fuses multiply-adds and is faster on some processors; "auto"
 * (the default) takes the best there is.
 *
 * @throws OptionError for another name, or where this engine lacks what was asked for
 *
 * @example
 * ```ts
 * import { kernelInfo, setKernels } from "spectral-norm";
 *
 * setKernels("reference");
 * console.log(kernelInfo().name); // reference
 * setKernels("auto");
 * ```
 */
export function setKernels(name: Kernels["name"] | "auto"): void {
  if (!["auto", "wasm", "wasm-relaxed", "reference"].includes(name))
    throw new OptionError(
      `kernels: expected "auto", "wasm", "wasm-relaxed" or "reference", got ${formatValue(name)}`,
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
