import { UnsupportedError } from "../matrix/errors.js";
import type { Arena } from "./contract.js";

/** Memory that can only grow: a `WebAssembly.Memory`, or plain bytes. */
export interface Growable {
  /** The bytes as they are now; an older buffer may be detached. */
  buffer(): ArrayBuffer;
  /** Makes room for at least `bytes` in all; throws RangeError where there is none. */
  grow(bytes: number): void;
}

/** Blocks begin at multiples of this: a cache line. */
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
          `matrix: there is no memory for it (${error instanceof Error ? error.message : String(error)}); ` +
            "pass it in parts, with rowPanels, or as an operator { shape, matvec, rmatvec }",
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
      // Written so that NaN fails too. A bad mark is a fault of the library: going on would give out a block twice.
      if (!(mark >= BOTTOM && mark <= top && mark % ALIGNMENT === 0))
        throw new Error(`kernel memory: ${mark} is not a mark between ${BOTTOM} and ${top}`);
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
