import asc from "assemblyscript/asc";
import type { Contender, ContenderGroup } from "../contender.js";
import { inProcess } from "../contender.js";
import type { Workload } from "../workload.js";

/**
 * Reads memory as fast as one thread of WebAssembly can: 128 bytes a turn, summed in eight lanes so that no
 * addition waits for another.
 */
const source = `
export function read(from: usize, bytes: usize): i64 {
  let a = i64x2.splat(0), b = a, c = a, d = a;
  for (let at = from, end = from + bytes; at < end; at += 128) {
    a = i64x2.add(a, i64x2.add(v128.load(at), v128.load(at, 64)));
    b = i64x2.add(b, i64x2.add(v128.load(at, 16), v128.load(at, 80)));
    c = i64x2.add(c, i64x2.add(v128.load(at, 32), v128.load(at, 96)));
    d = i64x2.add(d, i64x2.add(v128.load(at, 48), v128.load(at, 112)));
  }
  const sum = i64x2.add(i64x2.add(a, b), i64x2.add(c, d));
  return i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
}`;

/** What every contender that must read A from end to end is held against. */
export const READING = "one read of A";

/** The memory limit: a plain read of as many bytes as the case has, timed in turn with the contenders. */
export async function readingContender(): Promise<ContenderGroup> {
  const { error, binary, stderr } = await asc.compileString(source, {
    optimizeLevel: 3,
    noAssert: true,
    runtime: "stub",
    importMemory: true,
    enable: ["simd"],
  });
  if (error || !binary) throw new Error(`the read loop does not compile: ${stderr.toString()}`);
  const module = new WebAssembly.Module(binary as BufferSource);

  const contender: Contender = {
    name: READING,
    engine: "reading",
    ours: false,
    tasks: [],
    threads: 1,
    roughSeconds: ({ rows, cols, batch }) => 1e-9 * rows * cols * batch,
    declines: () => undefined,
    load: inProcess({
      prepare: ({ data }: Workload) => {
        const bytes = Math.ceil(data.byteLength / 128) * 128;
        const memory = new WebAssembly.Memory({ initial: Math.ceil((bytes + 128) / 65536) });
        // Written once, or the pages would all be the same page of zeros.
        new Uint8Array(memory.buffer, 128, data.byteLength).set(
          new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
        );
        const instance = new WebAssembly.Instance(module, {
          env: { memory, abort: () => {} },
        });
        const read = instance.exports["read"] as (from: number, bytes: number) => bigint;
        return () => read(128, bytes);
      },
      run: (read) => read(),
      read: () => ({ sigmas: [] }),
    }),
  };
  return { contenders: [contender] };
}
