import { expect } from "vitest";
import { kernels } from "../../src/kernels/select.js";

/** The most bytes of kernel memory that were taken at once while `run` ran. */
export function highWater(run: () => unknown): number {
  const { arena } = kernels();
  const { take } = arena;
  const bottom = arena.mark();
  let most = bottom;
  arena.take = (bytes) => {
    const pointer = take(bytes);
    most = Math.max(most, arena.mark());
    return pointer;
  };
  try {
    run();
  } finally {
    arena.take = take;
  }
  expect(arena.mark()).toBe(bottom);
  return most - bottom;
}
