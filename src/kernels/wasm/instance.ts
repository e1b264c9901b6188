import { createArena } from "../arena.js";
import type { Arena, Dense, Kernels, Products } from "../contract.js";
import type { SlotRoutines } from "../parallel.js";
import { kernels } from "./binary.generated.js";
import { decode } from "./decode.js";
import { instantiate } from "./instantiate.js";
import { replaceMarks } from "./multiply-add.js";

/** Bytes in a page of WebAssembly memory, and the most pages that 32-bit addresses can reach. */
const PAGE = 65536;
const MOST_PAGES = 65536;
const INITIAL_PAGES = 16;

const compiled = new Map<string, WebAssembly.Module>();

/** The module, compiled on first use. `fuse`: with fused multiply-add where the module marks one. */
export function moduleOf(text: string, shared = false, fuse = false): WebAssembly.Module {
  const key = `${shared} ${fuse} ${text}`;
  let module = compiled.get(key);
  if (!module) {
    const bytes = replaceMarks(decode(text), fuse);
    module = new WebAssembly.Module(shared ? forSharedMemory(bytes) : bytes);
    compiled.set(key, module);
  }
  return module;
}

/** Flags of a memory's limits: with a maximum, and shared with a maximum (WebAssembly specification, §5.3.9). */
const LIMITED = 1;
const LIMITED_SHARED = 3;

/**
 * The same module with a shared memory as its import. The code is the same for both, so the package holds each module
 * once. The kernels import only their memory, so its limits follow the two names of the first import.
 */
function forSharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode("memory");
  const at = bytes.findIndex((_, i) => name.every((byte, k) => bytes[i + k] === byte)) + name.length;
  // The kind of import (2: a memory), then the flags of its limits.
  if (bytes[at] !== 2 || bytes[at + 1] !== LIMITED)
    throw new Error("kernels: the import of the memory is not where it is expected");
  const copy = bytes.slice();
  copy[at + 1] = LIMITED_SHARED;
  return copy;
}

/** Whether this engine supports SIMD and the fused multiply-add of relaxed SIMD. */
export function relaxedAvailable(): boolean {
  return WebAssembly.validate(replaceMarks(decode(kernels), true));
}

/** The module of a set of kernels for a shared memory. */
export function sharedModule(relaxed: boolean): WebAssembly.Module {
  return moduleOf(kernels, true, relaxed);
}

/** A memory that threads can share. It reserves 4 GiB of addresses, but no memory for them. */
export function sharedMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MOST_PAGES, shared: true });
}

/**
 * The WebAssembly kernels over a new memory, or over a shared one.
 *
 * @throws what `WebAssembly` throws if it is missing or forbidden, or lacks SIMD
 */
export function wasmKernels(
  relaxed: boolean,
  shared?: WebAssembly.Memory,
): Kernels & { slots: SlotRoutines } {
  const memory = shared ?? new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MOST_PAGES });
  const exports = instantiate(moduleOf(kernels, shared !== undefined, relaxed), memory) as unknown;
  return {
    name: relaxed ? "wasm-relaxed" : "wasm",
    routines: exports as Products & Dense,
    slots: exports as SlotRoutines,
    arena: arenaOf(memory),
  };
}

/** An arena over the memory, which grows up to the limit of 32-bit addresses. */
export function arenaOf(memory: WebAssembly.Memory): Arena {
  return createArena({
    buffer: () => memory.buffer as ArrayBuffer,
    grow(bytes) {
      const pages = Math.ceil(bytes / PAGE);
      const now = memory.buffer.byteLength / PAGE;
      // Grows by at least half, so that many small requests cause few copies.
      const ample = Math.min(MOST_PAGES, Math.max(pages, Math.ceil(now * 1.5)));
      if (pages > MOST_PAGES) throw new RangeError(`${bytes} bytes are more than WebAssembly can hold`);
      memory.grow(ample - now);
    },
  });
}
