import { messageOf } from "../matrix/error-message.js";
import { OptionError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import type { Kernels } from "./contract.js";
import { referenceKernels } from "./reference/instance.js";
import { relaxedAvailable, wasmKernels } from "./wasm/instance.js";

/** The kernels in use. */
export interface KernelInfo {
  /** "wasm-relaxed" (SIMD with fused multiply-add), "wasm" (SIMD) or "reference" (plain loops) */
  name: Kernels["name"];
  /** Number of threads that compute: 1, or the count of `startThreads` of spectral-norm/threads. */
  threads: number;
  /** Why WebAssembly is not used, if it is not. */
  reason?: string;
}

/**
 * A memory larger than this is discarded after the call that needed it, because a WebAssembly memory never shrinks.
 * Chosen: small beside the memory of a machine, and enough for most matrices, whose calls then need not grow it again.
 */
const KEPT_BYTES = 256 * 2 ** 20;

let wanted: Kernels["name"] | "auto" = "auto";
let current: Kernels | undefined;
let reason: string | undefined;
let threads: Threads | undefined;

/** Threads on one memory, with WebAssembly kernels that use them. */
export interface Threads {
  readonly count: number;
  kernels(relaxed: boolean): Kernels;
}

function wasm(relaxed: boolean): Kernels {
  return threads ? threads.kernels(relaxed) : wasmKernels(relaxed);
}

/**
 * Sets the threads that the WebAssembly kernels use; undefined: the calling thread only.
 *
 * This replaces the kernel memory, so it must not be called during a computation, as from an operator's products.
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
    // A content policy without 'wasm-unsafe-eval', an engine without SIMD, or one without WebAssembly.
    reason = `WebAssembly is not available: ${messageOf(error)}`;
    return referenceKernels();
  }
}

/** The kernels in use, created on first use. */
export function kernels(): Kernels {
  current ??= make();
  return current;
}

/** Discards the memory if a large matrix has grown it. */
export function trim(): void {
  // The memory of a team cannot be replaced. At most 64: no block is allocated.
  if (!threads && current && current.arena.mark() <= 64 && current.arena.size() > KEPT_BYTES)
    current = undefined;
}

/** The current choice of `setKernels`. */
export function kernelsWanted(): Kernels["name"] | "auto" {
  return wanted;
}

/**
 * The kernels that compute in this process: "wasm-relaxed", "wasm", or "reference" with the reason.
 *
 * @remarks
 * **Cost.** Compiles the kernels on first use (a few milliseconds).
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
 * Chooses the kernels for all later calls. "wasm" gives the same bits on every machine. "wasm-relaxed" uses fused
 * multiply-add, which is faster on some processors; not every engine supports it. "auto" (the default) takes the best
 * kernels that the engine supports.
 *
 * @throws OptionError for another name, or if this engine does not support the kernels
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
    throw new OptionError(`kernels: "${name}" is not available here: ${messageOf(error)}`);
  }
}
