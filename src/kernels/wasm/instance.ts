import { createArena } from "../arena.js";
import type { Arena, Dense, Kernels, Products } from "../contract.js";
import type { SvdRoutines } from "../svd-contract.js";
import { dense, products, productsRelaxed } from "./binary.generated.js";

/** Bytes in a page of WebAssembly memory, and the most pages that 32-bit addresses reach. */
const PAGE = 65536;
const MOST_PAGES = 65536;

const compiled = new Map<string, WebAssembly.Module>();

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  const digit = (i: number) => {
    const code = hex.charCodeAt(i);
    return code < 64 ? code - 48 : code - 87;
  };
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = 16 * digit(2 * i) + digit(2 * i + 1);
  return bytes;
}

/** Compiled once, on first use. */
export function moduleOf(hex: string): WebAssembly.Module {
  let module = compiled.get(hex);
  if (!module) {
    module = new WebAssembly.Module(bytesOf(hex));
    compiled.set(hex, module);
  }
  return module;
}

/** Whether this engine has SIMD and the fused multiply-add of relaxed SIMD. */
export function relaxedAvailable(): boolean {
  return WebAssembly.validate(bytesOf(productsRelaxed));
}

/**
 * The WebAssembly kernels over a fresh memory.
 *
 * @throws whatever `WebAssembly` throws where it is missing, forbidden or without SIMD
 */
export function wasmKernels(relaxed: boolean): Kernels {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: MOST_PAGES });
  const imports = { env: { memory, abort: () => {} } };
  const hot = new WebAssembly.Instance(moduleOf(relaxed ? productsRelaxed : products), imports);
  const rest = new WebAssembly.Instance(moduleOf(dense), imports);
  return {
    name: relaxed ? "wasm-relaxed" : "wasm",
    routines: {
      ...(hot.exports as unknown as Products),
      ...(rest.exports as unknown as Dense & SvdRoutines),
    },
    arena: arenaOf(memory),
  };
}

/** Hands out the memory, and lets it grow as far as 32-bit addresses reach. */
export function arenaOf(memory: WebAssembly.Memory): Arena {
  return createArena({
    buffer: () => memory.buffer as ArrayBuffer,
    grow(bytes) {
      const pages = Math.ceil(bytes / PAGE);
      const now = memory.buffer.byteLength / PAGE;
      // Grown by half at least, so that many small steps do not copy often.
      const ample = Math.min(MOST_PAGES, Math.max(pages, Math.ceil(now * 1.5)));
      if (pages > MOST_PAGES) throw new RangeError(`${bytes} bytes are more than WebAssembly can hold`);
      memory.grow(ample - now);
    },
  });
}
