import type { Growable } from "../arena.js";

/** A plain `ArrayBuffer`, copied when it grows. */
export function plainMemory(size: number): Growable {
  let bytes = new ArrayBuffer(size);
  return {
    buffer: () => bytes,
    grow(wanted) {
      const grown = new ArrayBuffer(Math.ceil(Math.max(wanted, bytes.byteLength * 1.5) / 64) * 64);
      new Uint8Array(grown).set(new Uint8Array(bytes));
      bytes = grown;
    },
  };
}
