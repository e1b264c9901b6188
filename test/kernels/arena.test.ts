import { describe, expect, it, vi } from "vitest";
import { plainMemory } from "../../src/kernels/reference/memory.js";
import { startTeam } from "../../src/threads/start-team.js";
import { guardedArena } from "./guarded-arena.js";
import { KERNEL_SETS } from "./sets.js";

// The plain one, also where the tests' memory is guarded.
const { createArena } = await vi.importActual<typeof import("../../src/kernels/arena.js")>(
  "../../src/kernels/arena.js",
);
const arenaOf = () => createArena(plainMemory(1 << 16));

describe("the arena", () => {
  it("hands out aligned blocks that do not overlap, and the same ones after a release", () => {
    const arena = arenaOf();
    const mark = arena.mark();
    const sizes = [1, 64, 65, 0, 200_000];
    const blocks = sizes.map((bytes) => ({ pointer: arena.take(bytes), bytes }));
    blocks.forEach(({ pointer }, i) => {
      expect(pointer % 64).toBe(0);
      expect(pointer).toBeGreaterThan(0);
      if (i > 0) expect(pointer).toBeGreaterThanOrEqual(blocks[i - 1].pointer + blocks[i - 1].bytes);
    });
    expect(arena.size()).toBeGreaterThanOrEqual(arena.mark());
    arena.release(mark);
    expect(sizes.map((bytes) => arena.take(bytes))).toEqual(blocks.map(({ pointer }) => pointer));
  });

  it("makes the last block longer and keeps what is in it", () => {
    const arena = arenaOf();
    const mark = arena.mark();
    const block = arena.take(16);
    arena.f64(block, 2).set([1, 2]);
    arena.extend(block, 300_000);
    expect([...arena.f64(block, 2)]).toEqual([1, 2]);
    expect(arena.size()).toBeGreaterThanOrEqual(block + 300_000);
    expect(arena.take(1)).toBeGreaterThanOrEqual(block + 300_000);
    arena.release(mark);
    expect(arena.take(1)).toBe(block);
  });

  it.each([
    ["above the top", (mark: number) => mark + 64],
    ["below the bottom", () => 0],
    ["negative", () => -64],
    ["not aligned", (mark: number) => mark - 8],
    ["NaN", () => Number.NaN],
    ["undefined", () => undefined as unknown as number],
  ])("throws on a release to a number that is no mark: %s", (_, wrong) => {
    const arena = arenaOf();
    arena.take(1000);
    const mark = arena.mark();
    expect(() => arena.release(wrong(mark))).toThrow(/^kernel memory: /);
    expect(arena.mark()).toBe(mark);
  });

  it("throws when a caller's block was released by what it has called", () => {
    const arena = arenaOf();
    const outer = arena.mark();
    arena.take(100);
    const inner = arena.mark();
    arena.release(outer);
    expect(() => arena.release(inner)).toThrow(/^kernel memory: /);
  });
});

describe("the guarded arena", () => {
  const guarded = () => guardedArena(arenaOf());
  const at = (arena: ReturnType<typeof guarded>, address: number) =>
    new Uint8Array(arena.f64(0, 0).buffer, address, 1);

  it.each([0, 1, 3, 16, 100, 640])("allows every byte of a block of %i", (bytes) => {
    const arena = guarded();
    const mark = arena.mark();
    const pointer = arena.take(bytes);
    expect(pointer % 64).toBe(0);
    for (let i = 0; i < bytes; i++) at(arena, pointer + i)[0] = 0;
    arena.take(40);
    expect(() => arena.release(mark)).not.toThrow();
  });

  it.each([-128, -1, 100, 101, 127, 128, 200])(
    "notices one byte written at %i of a block of 100",
    (offset) => {
      const arena = guarded();
      const mark = arena.mark();
      const pointer = arena.take(100);
      at(arena, pointer + offset)[0] = 0;
      expect(() => arena.release(mark)).toThrow(`a block of 100 bytes was written at ${offset}`);
    },
  );

  it("fills what was never written, and what is released, with NaN", () => {
    const arena = guarded();
    const mark = arena.mark();
    const block = arena.f64(arena.take(80), 10);
    expect([...block]).toEqual(new Array(10).fill(Number.NaN));
    block.fill(1);
    arena.release(mark);
    expect([...block]).toEqual(new Array(10).fill(Number.NaN));
    expect([...arena.f32(block.byteOffset, 20)]).toEqual(new Array(20).fill(Number.NaN));
  });

  it("guards a block that was extended, and refuses to extend another than the last", () => {
    const arena = guarded();
    const first = arena.take(16);
    arena.f64(first, 2).set([1, 2]);
    arena.extend(first, 32);
    expect([...arena.f64(first, 4)]).toEqual([1, 2, Number.NaN, Number.NaN]);
    at(arena, first + 31)[0] = 0;
    arena.verify();
    at(arena, first + 32)[0] = 0;
    expect(() => arena.verify()).toThrow("a block of 32 bytes was written at 32");
    arena.take(8);
    expect(() => arena.extend(first, 64)).toThrow(/not the last one/);
  });

  it.each<[string, (arena: ReturnType<typeof guarded>) => void]>([
    [
      "a number that is no mark",
      (arena) => {
        arena.take(100);
        arena.release(64);
      },
    ],
    [
      "a mark twice",
      (arena) => {
        const mark = arena.mark();
        arena.release(mark);
        arena.release(mark);
      },
    ],
    [
      "a caller's mark, though as much is taken again",
      (arena) => {
        const outer = arena.mark();
        arena.take(100);
        const inner = arena.mark();
        arena.release(outer);
        arena.take(500);
        arena.release(inner);
      },
    ],
  ])("throws on a release of %s", (_, run) => {
    expect(() => run(guarded())).toThrow(/not a mark in use/);
  });

  it("allows a caller to release what an error has left behind", () => {
    const arena = guarded();
    const outer = arena.mark();
    arena.take(100);
    arena.mark();
    arena.take(100);
    expect(() => arena.release(outer)).not.toThrow();
  });
});

const guardedHere = process.env["GUARDED_MEMORY"] === "yes";
const where = guardedHere ? "" : ' (skipped: this holds in the project "guarded" alone)';
it.skipIf(!guardedHere)(`every set of kernels computes in guarded memory here${where}`, async () => {
  const team = await startTeam(2, 0);
  const sets = [...KERNEL_SETS.map(({ make }) => make()), team.kernels(false)];
  for (const { arena, routines } of sets) {
    const mark = arena.mark();
    const x = arena.take(64);
    arena.f64(x, 8).fill(1);
    // Four numbers beyond the end of the block.
    routines.scale64(x, 12, 2);
    expect(() => arena.release(mark)).toThrow("a block of 64 bytes was written at 70");
  }
  await team.stop();
});
