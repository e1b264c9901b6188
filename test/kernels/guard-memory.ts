import { afterEach, vi } from "vitest";
import type { GuardedArena } from "./guarded-arena.js";

// A setup file: every kernel memory of the test files that follow has canaries around its blocks, which are looked at
// when a block is released and after each test.
const arenas: WeakRef<GuardedArena>[] = [];

vi.mock("../../src/kernels/arena.js", async (original) => {
  const { createArena } = await original<typeof import("../../src/kernels/arena.js")>();
  const { guardedArena } = await import("./guarded-arena.js");
  return {
    createArena(...memory: Parameters<typeof createArena>): GuardedArena {
      const arena = guardedArena(createArena(...memory));
      arenas.push(new WeakRef(arena));
      return arena;
    },
  };
});

afterEach(() => {
  for (const arena of arenas) arena.deref()?.verify();
});
