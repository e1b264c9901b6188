import type { Arena } from "../../src/kernels/contract.js";

/** Bytes before and after each block; a multiple of the alignment, so that blocks stay aligned. */
const GUARD = 128;
/**
 * The eight bytes that fill guards, and memory that nothing has been written to: NaN in every type that the kernels
 * read. As a float64 it is a signaling NaN, and so is its first half as a float32: arithmetic in place, which would
 * leave a quiet NaN as it is, changes them.
 */
const POISON = [0xa5, 0xff, 0xa5, 0xff, 0xa5, 0xff, 0xf4, 0xff];

/** A block that is taken. */
interface Block {
  readonly mark: number;
  readonly pointer: number;
  /** as asked for: the guard begins with the next byte */
  readonly bytes: number;
  /** where the guard behind the block ends */
  readonly end: number;
}

export interface GuardedArena extends Arena {
  /** Throws if a byte was written beside a block that is taken. */
  verify(): void;
}

/**
 * An arena that detects what the plain one cannot:
 *
 * - a byte written outside a block (up to `GUARD` bytes away), when the block is released or `verify` is called;
 * - reads from outside a block, from memory that was never written, or from a released block, which find NaN;
 * - an extension of a block that is not the last;
 * - a release to a number that `mark` did not return, or that has been released already.
 */
export function guardedArena(arena: Arena): GuardedArena {
  const blocks: Block[] = [];
  const marks: number[] = [];
  const memory = () => new Uint8Array(arena.f64(0, 0).buffer);
  const fill = (from: number, to: number) => {
    const bytes = memory();
    for (let at = from; at < Math.min(to, from + POISON.length); at++) bytes[at] = POISON[at % 8];
    for (let done = POISON.length; done < to - from; done *= 2)
      bytes.copyWithin(from + done, from, Math.min(from + done, to - done));
  };
  const check = ({ mark, pointer, bytes, end }: Block) => {
    const stored = memory();
    const expectUntouched = (from: number, to: number) => {
      for (let at = from; at < to; at++)
        if (stored[at] !== POISON[at % 8])
          throw new Error(`a block of ${bytes} bytes was written at ${at - pointer}`);
    };
    expectUntouched(mark, pointer);
    expectUntouched(pointer + bytes, end);
  };
  return {
    ...arena,
    verify() {
      for (const block of blocks) check(block);
    },
    take(bytes) {
      const mark = arena.mark();
      arena.take(GUARD + bytes + GUARD);
      const pointer = mark + GUARD;
      const block = { mark, pointer, bytes, end: arena.mark() };
      blocks.push(block);
      fill(mark, block.end);
      return pointer;
    },
    extend(pointer, bytes) {
      const block = blocks.pop();
      if (block?.pointer !== pointer || bytes < block.bytes)
        throw new Error(`the block at ${pointer} is not the last one, or longer than ${bytes} bytes`);
      check(block);
      const contents = memory().slice(pointer, pointer + block.bytes);
      arena.extend(block.mark, GUARD + bytes + GUARD);
      const extended = { ...block, bytes, end: arena.mark() };
      blocks.push(extended);
      fill(extended.mark, extended.end);
      memory().set(contents, pointer);
    },
    mark() {
      const mark = arena.mark();
      marks.push(mark);
      return mark;
    },
    release(mark) {
      // Marks above it belong to calls that an error has ended.
      const at = marks.lastIndexOf(mark);
      if (at < 0) throw new Error(`${mark} is released, which is not a mark in use (${marks.join(", ")})`);
      marks.length = at;
      const from = blocks.findIndex((block) => block.mark >= mark);
      const released = from < 0 ? [] : blocks.splice(from);
      for (const block of released) check(block);
      fill(mark, arena.mark());
      arena.release(mark);
    },
  };
}
