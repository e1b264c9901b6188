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

/** A stack of 64-byte aligned blocks of one memory, which nothing else may grow. */
export function createArena(memory: Growable): Arena {
  let top = BOTTOM;
  // Kept, because asking a `WebAssembly.Memory` for its buffer takes as long as making a view.
  let buffer = memory.buffer();
  let all = new Float64Array(buffer);
  const moveTop = (end: number) => {
    const aligned = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (aligned > buffer.byteLength) {
      try {
        memory.grow(aligned);
        buffer = memory.buffer();
        all = new Float64Array(buffer);
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
    size: () => buffer.byteLength,
    float64: () => all,
    f64: (pointer, length) => new Float64Array(buffer, pointer, length),
    f32: (pointer, length) => new Float32Array(buffer, pointer, length),
    u16: (pointer, length) => new Uint16Array(buffer, pointer, length),
    fill(pointer, bytes) {
      // Eight bytes at a time, because on shared memory every element is stored separately.
      const whole = Math.floor(bytes / 8);
      new Float64Array(buffer, pointer, whole).fill(0);
      if (bytes > 8 * whole) new Uint8Array(buffer, pointer + 8 * whole, bytes - 8 * whole).fill(0);
    },
  };
}
