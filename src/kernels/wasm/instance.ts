import { createArena } from "../arena.js";
import type { Dense, Kernels, Products } from "../contract.js";
import type { SvdRoutines } from "../svd-contract.js";
import { dense, products, productsRelaxed } from "./binary.generated.js";

/** Bytes in a page of WebAssembly memory, and the most pages that 32-bit addresses reach. */
const PAGE = 65536;
const MOST_PAGES = 65536;

const compiled = new Map<string, WebAssembly.Module>();

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Compiled once, on first use. */
function moduleOf(base64: string): WebAssembly.Module {
  let module = compiled.get(base64);
  if (!module) {
    module = new WebAssembly.Module(bytesOf(base64));
    compiled.set(base64, module);
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
    arena: createArena({
      buffer: () => memory.buffer as ArrayBuffer,
      grow(bytes) {
        const pages = Math.ceil(bytes / PAGE);
        const now = memory.buffer.byteLength / PAGE;
        // Grown by half at least, so that many small steps do not copy often.
        const ample = Math.min(MOST_PAGES, Math.max(pages, Math.ceil(now * 1.5)));
        if (pages > MOST_PAGES) throw new RangeError(`${bytes} bytes are more than WebAssembly can hold`);
        memory.grow(ample - now);
      },
    }),
  };
}
