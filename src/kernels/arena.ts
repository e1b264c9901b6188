import { UnsupportedError } from "../matrix/errors.js";
import type { Arena } from "./contract.js";

/** Memory that can only grow: a `WebAssembly.Memory`, or plain bytes. */
export interface Growable {
  /** The bytes as they are now; an older buffer may be detached. */
  buffer(): ArrayBuffer;
  /** Makes room for at least `bytes` in all; throws RangeError where there is none. */
  grow(bytes: number): void;
}

/** A stack of 16-byte aligned pieces of one memory. Pointer 0 is never handed out. */
export function createArena(memory: Growable): Arena {
  let top = 64;
  return {
    take(bytes) {
      const pointer = top;
      const end = pointer + Math.ceil(bytes / 64) * 64;
      if (end > memory.buffer().byteLength) {
        try {
          memory.grow(end);
        } catch (error) {
          throw new UnsupportedError(
            `matrix: there is no memory for it (${error instanceof Error ? error.message : String(error)}); ` +
              "pass it in parts, with rowPanels, or as an operator { shape, matvec, rmatvec }",
          );
        }
      }
      top = end;
      return pointer;
    },
    mark: () => top,
    release(mark) {
      top = mark;
    },
    size: () => memory.buffer().byteLength,
    f64: (pointer, length) => new Float64Array(memory.buffer(), pointer, length),
    f32: (pointer, length) => new Float32Array(memory.buffer(), pointer, length),
    u16: (pointer, length) => new Uint16Array(memory.buffer(), pointer, length),
    fill(pointer, bytes) {
      // Eight at a time: on shared memory every element is a store of its own.
      const whole = Math.floor(bytes / 8);
      new Float64Array(memory.buffer(), pointer, whole).fill(0);
      if (bytes > 8 * whole) new Uint8Array(memory.buffer(), pointer + 8 * whole, bytes - 8 * whole).fill(0);
    },
  };
}
