import { createRandom } from "../solve/random.js";
import { normalEntries } from "./ground-truth.js";
import type { Entries, Method } from "./method.js";
import type { SpeedRow } from "./result.js";

export interface SpeedOptions {
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

interface Plan {
  readonly method: Method;
  readonly loops: number;
  readonly runs: number;
  readonly samples: number[];
}

/** Matrices kept at once; more loops than fit are done on as many as do. */
const poolBytes = 2 ** 26;
const warmUpMs = 50;
const warmUpCalls = 10;
const fewestSamples = 3;

/**
 * Times forward and backward of every method on fresh normal matrices, as `%%timeit -r runs -n loops`
 * does, with three differences: making the matrices is not in the time; the methods take turns, a
 * sample each, so that a change of the machine's clock or load meets all of them; and one whose
 * samples would not fit into `budgetMs` takes fewer evaluations a sample first, then fewer samples.
 */
export async function measureSpeed(methods: readonly Method[], options: SpeedOptions): Promise<SpeedRow[]> {
  const { rows, cols, runs } = options;
  const random = createRandom(options.seed);
  const fresh = (): Entries => ({ data: normalEntries(random, rows, cols), rows, cols });
  const loops = Math.max(1, Math.min(options.loops, Math.floor(poolBytes / (rows * cols * 8))));

  const plans: Plan[] = [];
  for (const [index, method] of methods.entries()) {
    options.onSample?.(`${method.engine} ${method.name}, warm-up`, index, methods.length);
    plans.push(plan(method, await warmUp(method, fresh()), { ...options, loops }));
  }

  const total = plans.reduce((sum, { runs }) => sum + runs, 0);
  let done = 0;
  for (let round = 0; round < runs; round++) {
    const turns = plans.filter((one) => one.runs > round);
    const matrices = Array.from({ length: Math.max(...turns.map((one) => one.loops)) }, fresh);
    for (const { method, loops, samples } of turns) {
      samples.push(await method.time(matrices.slice(0, loops)));
      options.onSample?.(`${method.engine} ${method.name}`, ++done, total);
    }
  }
  return plans.map(summarize);
}

/** Calls the method until it is compiled and its caches are warm; the last call's time. */
async function warmUp(method: Method, matrix: Entries): Promise<number> {
  let last = 0;
  for (let call = 0, spent = 0; call < warmUpCalls && spent < warmUpMs; call++) {
    last = await method.time([matrix]);
    spent += last;
  }
  return last;
}

function plan(method: Method, callMs: number, { runs, loops, budgetMs }: SpeedOptions): Plan {
  const calls = Math.floor(budgetMs / callMs);
  if (calls >= runs * loops) return { method, runs, loops, samples: [] };
  const fittingLoops = Math.max(1, Math.min(loops, Math.floor(calls / runs)));
  // Even the slowest method gets a spread, unless that alone would take several times the budget.
  const fewest = callMs * fewestSamples <= 3 * budgetMs ? fewestSamples : 1;
  const fittingRuns = Math.min(runs, Math.max(fewest, Math.floor(calls / fittingLoops)));
  return { method, runs: fittingRuns, loops: fittingLoops, samples: [] };
}

function summarize({ method, loops, samples }: Plan): SpeedRow {
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
