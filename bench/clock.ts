import type { Loaded } from "./contender.js";
import type { Times } from "./result.js";

export interface ClockOptions {
  /** samples wanted of each contender */
  readonly rounds: number;
  /** time that one contender may take in all, after its warm-up */
  readonly budgetMs: number;
  /** a sample takes at least this long, by repeating the call */
  readonly sampleMs: number;
  /** before the first sample each is called for so long, unless it is compiled sooner */
  readonly warmUpMs: number;
  onTurn?(name: string, round: number): void;
}

interface Turns {
  readonly name: string;
  readonly loaded: Loaded;
  readonly loops: number;
  readonly callMs: number;
  readonly samples: (number | null)[];
}

/** Chosen: V8 has optimized a function after this many calls. */
const WARM_UP_CALLS = 200;
/** Chosen: before a sample of this many calls or fewer, some calls are made that do not count. */
const LEAD_IN = 5;
/** The fewest samples that have a median and quartiles. */
const FEWEST = 3;
/** Chosen: the fewest samples may take this many times the budget. */
const OVERDRAFT = 4;

/**
 * Times all contenders in turn, A B C A B C …, one sample each, so that changes of clock rate or load affect all of them
 * and ratios can be taken round by round. A contender that would exceed the budget skips rounds, evenly.
 */
export async function takeTurns(
  contenders: readonly { readonly name: string; readonly loaded: Loaded }[],
  { rounds, budgetMs, sampleMs, warmUpMs, onTurn }: ClockOptions,
): Promise<Map<string, Times>> {
  const all: Turns[] = [];
  for (const { name, loaded } of contenders) {
    onTurn?.(name, 0);
    const callMs = await warmUp(loaded, warmUpMs);
    await loaded.settle?.();
    all.push({ name, loaded, callMs, loops: Math.max(1, Math.ceil(sampleMs / callMs)), samples: [] });
  }
  for (let round = 0; round < rounds; round++)
    for (const { name, loaded, loops, callMs, samples } of all) {
      const wanted = Math.floor(budgetMs / (loops * callMs));
      const fewest = FEWEST * callMs <= OVERDRAFT * budgetMs ? FEWEST : 1;
      const share = Math.min(1, Math.max(wanted, fewest) / rounds);
      if (Math.floor((round + 1) * share) === Math.floor(round * share)) {
        samples.push(null);
        continue;
      }
      onTurn?.(name, round + 1);
      // Refills caches and raises the clock rate after the other contenders.
      if (callMs < LEAD_IN * sampleMs) await loaded.time(Math.ceil(loops / 5));
      samples.push((await loaded.time(loops)) / loops);
      await loaded.settle?.();
    }
  return new Map(all.map(({ name, loops, samples }) => [name, summarize(samples, loops)]));
}

/** Calls it until it is compiled and its caches are warm; the time of a call in milliseconds. */
async function warmUp(loaded: Loaded, warmUpMs: number): Promise<number> {
  const begin = performance.now();
  let callMs = await loaded.time(1);
  for (let calls = 1; calls < WARM_UP_CALLS && performance.now() - begin < warmUpMs; ) {
    const loops = Math.max(1, Math.min(50, Math.floor(10 / callMs)));
    callMs = (await loaded.time(loops)) / loops;
    calls += loops;
  }
  // A clock that did not advance would give infinitely many loops.
  return Math.max(callMs, 1e-5);
}

function summarize(samples: (number | null)[], loops: number): Times {
  const sorted = samples.filter((sample) => sample !== null).sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  return {
    median,
    min: sorted[0],
    max: sorted[sorted.length - 1],
    spread: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / (2 * median),
    loops,
    samples,
  };
}

/** The median of the numbers that are not NaN. */
export function median(values: readonly number[]): number {
  return quantile(
    values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b),
    0.5,
  );
}

/** A quantile of ascending numbers, interpolated. */
export function quantile(sorted: readonly number[], q: number): number {
  const place = (sorted.length - 1) * q;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
