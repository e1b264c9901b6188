import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadMatrix } from "../src/kernels/load-matrix.js";
import { kernels } from "../src/kernels/select.js";
import { relaxedAvailable } from "../src/kernels/wasm/instance.js";
import type { DType } from "../src/matrix/types.js";
import { type View, viewOf } from "../src/matrix/view.js";
import { createRandom } from "../src/numerics/random.js";
import { loadedAction } from "../src/solve/action.js";
import { type ClockOptions, takeTurns } from "./clock.js";
import type { Contender, Loaded } from "./contender.js";
import type { MultiplyAdds, PassSpeed, Roof } from "./result.js";
import type { Workload } from "./workload.js";

/** Multiply-adds of a turn of the loops of bench/loops.mjs. */
const TURN = { registers: 12, decoding: 16 };
/** Chosen: turns of a call, some ten microseconds. */
const TURNS = 4000;
/** Chosen: short rounds, of which some are not disturbed. */
const SHORT = { rounds: 40, sampleMs: 3 };
/** The sizes of the passes: in the second-level cache, in the third, and in memory. */
const SIZES = [256, 512, 1024, 2048, 4096];
/** Bytes of a vector of WebAssembly. */
const VECTOR = 16;

type Loop = (turns: number, at: number) => number;
type Loops = Partial<Record<"fused32" | "fused64", Loop>> &
  Record<"separate32" | "separate64" | "decoding", Loop>;

/** The loops that this engine can run; those with fused multiply-add are absent where it has none. */
function loops(scripts: string): Loops {
  const module = new WebAssembly.Module(
    readFileSync(join(scripts, relaxedAvailable() ? "roof-fused.wasm" : "roof.wasm")),
  );
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => {} } });
  return exports as Loops;
}

/** A loop of registers as something to time; `time` counts turns of TURNS. */
function timedLoop(loop: Loop): Loaded {
  return {
    time(calls) {
      const begin = performance.now();
      for (let i = 0; i < calls; i++) loop(TURNS, 64);
      return performance.now() - begin;
    },
    answer: () => ({ sigmas: [] }),
  };
}

/** Multiply-adds a second of a loop whose call took so long. */
const rate = (ms: number, turn: number = TURN.registers) => (1000 * TURNS * turn) / ms;

/**
 * The roofs of one thread and the passes beneath them, all in turn: multiply-adds on registers, a read of as many
 * bytes, and AᵀA·X for one and two vectors at a time. A pass takes two multiply-adds for each vector of A and column of
 * X, and reads A once. It cannot be faster than either. Each speed is that of the fastest of many short rounds, which
 * other processes disturb least.
 *
 * @param scripts  the folder with the compiled benchmark
 * @param reading  the read loop of one thread
 */
export async function roofOf(
  scripts: string,
  reading: Contender,
  clock: ClockOptions,
  sizes = SIZES,
): Promise<Roof> {
  const found = loops(scripts);
  const multiplyAdds: MultiplyAdds[] = [];
  const passes: PassSpeed[] = [];
  for (const dtype of ["float32", "float64"] as const) {
    const bits = dtype === "float32" ? 32 : 64;
    const fused = found[`fused${bits}`];
    const separate = found[`separate${bits}`];
    let fastestFused = 0;
    let fastestSeparate = 0;
    for (const n of sizes) {
      const name = (what: string) => `roof ${n}² ${dtype}, ${what}`;
      const { pass, data, release } = passesOf(n, dtype);
      const read = await reading.load({ data } as unknown as Workload);
      const times = await takeTurns(
        [
          { name: name("separate"), loaded: timedLoop(separate) },
          ...(fused ? [{ name: name("fused"), loaded: timedLoop(fused) }] : []),
          { name: name("read"), loaded: read },
          { name: name("width 2"), loaded: pass(2) },
          { name: name("width 1"), loaded: pass(1) },
        ],
        { ...clock, ...SHORT, budgetMs: 2 * clock.budgetMs },
      );
      release();
      await read.release?.();
      const least = (what: string) => times.get(name(what))?.min ?? Number.NaN;
      fastestSeparate = Math.max(fastestSeparate, rate(least("separate")));
      if (fused) fastestFused = Math.max(fastestFused, rate(least("fused")));
      const peak = rate(least(kernels().name === "wasm-relaxed" ? "fused" : "separate"));
      const speed = (what: string) => (1000 * data.byteLength) / least(what);
      for (const width of [2, 1] as const) {
        const arithmetic = (VECTOR * peak) / (2 * width);
        const fastest = speed(`width ${width}`);
        const share = fastest / Math.min(arithmetic, speed("read"));
        passes.push({ n, dtype, width, pass: fastest, read: speed("read"), arithmetic, share });
      }
    }
    multiplyAdds.push({ dtype, separate: fastestSeparate, ...(fused && { fused: fastestFused }) });
  }
  return { kernels: kernels().name, multiplyAdds, passes };
}

/**
 * Bytes a second that a pass of width two over bfloat16 could read at most if its arithmetic alone took time: the
 * fastest of many samples.
 */
export async function halvesRoof(scripts: string): Promise<number> {
  const { decoding } = loops(scripts);
  const loaded = timedLoop(decoding);
  let ms = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 60; round++) ms = Math.min(ms, (await loaded.time(50)) / 50);
  // Four multiply-adds for each four numbers of two bytes.
  return 2 * rate(ms, TURN.decoding);
}

/** A matrix in kernel memory, as a call has it there, and its passes. */
function passesOf(n: number, dtype: DType) {
  const used = kernels();
  const { arena } = used;
  const mark = arena.mark();
  const random = createRandom(1);
  const entries = dtype === "float32" ? new Float32Array(n * n) : new Float64Array(n * n);
  // The time of a pass does not depend on the entries.
  for (let i = 0; i < entries.length; i++) entries[i] = random.uniform() - 0.5;
  const P = loadMatrix(used, viewOf({ data: entries, shape: [n, n] }) as View, false);
  const action = loadedAction(used, P, true);
  const bytes = action.padded * (action.single ? 4 : 8);
  const x = arena.take(2 * bytes);
  const scratch = arena.take(2 * bytes);
  const z = arena.take(16 * action.padded);
  const vectors = action.single ? arena.f32(x, 2 * action.padded) : arena.f64(x, 2 * action.padded);
  for (let i = 0; i < vectors.length; i++) vectors[i] = random.uniform() - 0.5;
  arena.fill(scratch, 2 * bytes);
  const pass = (width: 1 | 2): Loaded => ({
    time(calls) {
      const begin = performance.now();
      for (let i = 0; i < calls; i++) action.normalMatvec(x, bytes, width, z, scratch);
      return performance.now() - begin;
    },
    answer: () => ({ sigmas: [] }),
  });
  return { pass, data: entries, release: () => arena.release(mark) };
}
