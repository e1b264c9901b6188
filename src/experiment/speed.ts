import { createRandom } from "../numerics/random.js";
import { normalEntries } from "./ground-truth.js";
import type { ComparedMethod, DenseEntries } from "./method.js";
import type { SpeedRow } from "./result.js";

interface SpeedOptions {
  readonly rows: number;
  readonly cols: number;
  readonly seed: number;
  /** samples wanted of each method */
  readonly runs: number;
  /** evaluations that each sample is the mean of */
  readonly loops: number;
  /** time that one method may take in all, after its warm-up */
  readonly budgetMs: number;
  onSample?(label: string, done: number, total: number): void;
}

interface Turns {
  readonly method: ComparedMethod;
  readonly loops: number;
  readonly samples: number[];
  /** milliseconds that the samples have taken */
  spent: number;
}

/** Chosen: bytes of the matrices of one sample, which limit its evaluations. */
const poolBytes = 2 ** 26;
/** A random stream separate from those of the ground truth and the solver. */
const stream = 2 ** 41;
/** Chosen: warm-up ends after this time or these calls, whichever comes first. */
const warmUpMs = 50;
const warmUpCalls = 10;
/** The fewest samples that have a median and a range. */
const fewestSamples = 3;
/** Chosen: the fewest samples may take this many times the budget. */
const overdraft = 3;

/**
 * Times forward and backward of every method on new normal matrices, like `%%timeit -r runs -n loops`, with three
 * differences: making the matrices is not timed; the methods take turns, one sample each, so that changes of clock rate or
 * load affect all of them; and a method that would exceed `budgetMs` makes fewer evaluations per sample, then fewer samples.
 */
export async function measureSpeed(
  methods: readonly ComparedMethod[],
  options: SpeedOptions,
): Promise<SpeedRow[]> {
  const { rows, cols, runs, budgetMs } = options;
  const random = createRandom(stream + options.seed);
  const fresh = (): DenseEntries => ({ data: normalEntries(random, rows, cols), rows, cols });
  const most = Math.max(1, Math.min(options.loops, Math.floor(poolBytes / (rows * cols * 8))));

  const all: Turns[] = [];
  for (const [index, method] of methods.entries()) {
    options.onSample?.(`${method.engine} ${method.name}, warm-up`, index, methods.length);
    const callMs = await warmUp(method, fresh());
    const loops = Math.max(1, Math.min(most, Math.floor(budgetMs / (runs * callMs))));
    all.push({ method, loops, samples: [], spent: 0 });
  }

  for (let round = 0; round < runs; round++) {
    const matrices = Array.from({ length: Math.max(...all.map(({ loops }) => loops)) }, fresh);
    for (const [index, turns] of all.entries()) {
      const { method, loops, samples } = turns;
      options.onSample?.(`${method.engine} ${method.name}`, round * all.length + index, runs * all.length);
      if (exhausted(turns, budgetMs)) continue;
      const ms = await method.time(matrices.slice(0, loops));
      samples.push(ms);
      turns.spent += ms * loops;
    }
  }
  options.onSample?.("", runs * all.length, runs * all.length);
  return all.map(summarize);
}

/** Whether another sample like those before would go over the budget. */
function exhausted({ samples, spent }: Turns, budgetMs: number): boolean {
  const taken = samples.length;
  if (taken === 0 || (spent * (taken + 1)) / taken <= budgetMs) return false;
  // Even the slowest method gets the fewest samples, unless they would take several times the budget.
  return taken >= fewestSamples || (spent * fewestSamples) / taken > overdraft * budgetMs;
}

/** Calls the method until it is compiled and its caches are warm; the last call's time. */
async function warmUp(method: ComparedMethod, matrix: DenseEntries): Promise<number> {
  let last = 0;
  for (let call = 0, spent = 0; call < warmUpCalls && spent < warmUpMs; call++) {
    last = await method.time([matrix]);
    spent += last;
  }
  return last;
}

function summarize({ method, loops, samples }: Turns): SpeedRow {
  const { name, engine, dtype } = method;
  const sorted = [...samples].sort((a, b) => a - b);
  const medianMs = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return {
    name,
    engine,
    dtype,
    medianMs,
    minMs: sorted[0],
    maxMs: sorted[sorted.length - 1],
    samples: samples.length,
    loops,
    samplesMs: samples,
  };
}
