import { complexAction } from "../src/complex/complex-action.js";
import { complexInputOf } from "../src/complex/complex-view.js";
import { loadMatrix } from "../src/kernels/load-matrix.js";
import { kernels } from "../src/kernels/select.js";
import { type View, viewOf } from "../src/matrix/view.js";
import { createRandom } from "../src/numerics/random.js";
import { type Action, loadedAction } from "../src/solve/action.js";
import { type ClockOptions, median, quotients, takeTurns } from "./clock.js";
import type { Loaded } from "./contender.js";
import type { ComplexPass } from "./result.js";

const SIZES = [256, 512, 1024];

/** Complex passes beside real ones over a float64 n×2n matrix, in turn. */
export async function complexPassesOf(clock: ClockOptions): Promise<ComplexPass[]> {
  const found: ComplexPass[] = [];
  for (const n of SIZES) {
    const used = kernels();
    const mark = used.arena.mark();
    const random = createRandom(1);
    const data = Float64Array.from({ length: 2 * n * n }, () => random.uniform() - 0.5);
    const complex = complexAction(used, complexInputOf({ data, shape: [n, n], dtype: "complex128" }), {
      seed: 0,
    });
    const P = loadMatrix(used, viewOf({ data, shape: [n, 2 * n] }) as View, false);
    const names = [`complex pass ${n}²`, `real pass ${n}×${2 * n}`];
    const times = await takeTurns(
      [
        { name: names[0], loaded: blockPass(complex) },
        { name: names[1], loaded: blockPass(loadedAction(used, P, true)) },
      ],
      clock,
    );
    used.arena.release(mark);
    const [own, real] = names.map((name) => times.get(name)?.samples ?? []);
    found.push({ n, ratio: median(quotients(own, real)) });
  }
  return found;
}

function blockPass(action: Action): Loaded {
  const { arena } = kernels();
  const bytes = 8 * action.padded;
  const x = arena.take(2 * bytes);
  const scratch = arena.take(2 * bytes);
  const z = arena.take(2 * bytes);
  const random = createRandom(2);
  const vectors = arena.f64(x, 2 * action.padded);
  for (let i = 0; i < vectors.length; i++) vectors[i] = random.uniform() - 0.5;
  arena.fill(scratch, 2 * bytes);
  return {
    time(calls) {
      const begin = performance.now();
      for (let i = 0; i < calls; i++) action.normalMatvec(x, bytes, 2, z, scratch);
      return performance.now() - begin;
    },
    answer: () => ({ sigmas: [] }),
  };
}
