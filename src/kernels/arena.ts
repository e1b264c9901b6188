import { messageOf } from "../matrix/error-message.js";
import { UnsupportedError } from "../matrix/errors.js";
import type { Arena } from "./contract.js";

/** Memory that can only grow: a `WebAssembly.Memory`, or plain bytes. */
export interface Growable {
  /** The current buffer; an older one may be detached. */
  buffer(): ArrayBuffer;
  /** Grows the memory to at least `bytes` bytes; throws RangeError if it cannot. */
  grow(bytes: number): void;
}

/** Blocks begin at multiples of this many bytes, a cache line. */
const ALIGNMENT = 64;
/** Where the first block begins, so that pointer 0 is never handed out. */
const BOTTOM = 64;

/** A stack of 64-byte aligned blocks of one memory. */
export function createArena(memory: Growable): Arena {
  let top = BOTTOM;
  const moveTop = (end: number) => {
    const aligned = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (aligned > memory.buffer().byteLength) {
      try {
        memory.grow(aligned);
      } catch (error) {
        throw new UnsupportedError(
          `matrix: there is no memory for it (${messageOf(error)}); ` +
            "pass rowPanels or an operator { shape, matvec, rmatvec }",
        );
      }
    }
    top = aligned;
  };
  return {
    take(bytes) {
      const pointer = top;
      moveTop(pointer + bytes);
      return pointer;
    },
    extend(pointer, bytes) {
      moveTop(pointer + bytes);
    },
    mark: () => top,
    release(mark) {
      // Written so that NaN fails too. A wrong mark is a bug in the library: a block would be allocated twice.
      if (!(mark >= BOTTOM && mark <= top && mark % ALIGNMENT === 0))
        throw new Error(`kernel memory: ${mark} is not a mark`);
      top = mark;
    },
    size: () => memory.buffer().byteLength,
    f64: (pointer, length) => new Float64Array(memory.buffer(), pointer, length),
    f32: (pointer, length) => new Float32Array(memory.buffer(), pointer, length),
    u16: (pointer, length) => new Uint16Array(memory.buffer(), pointer, length),
    fill(pointer, bytes) {
      // Eight bytes at a time, because on shared memory every element is stored separately.
      const whole = Math.floor(bytes / 8);
      new Float64Array(memory.buffer(), pointer, whole).fill(0);
      if (bytes > 8 * whole) new Uint8Array(memory.buffer(), pointer + 8 * whole, bytes - 8 * whole).fill(0);
    },
  };
}
