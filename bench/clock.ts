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

interface Timed {
  readonly name: string;
  readonly loaded: Loaded;
  readonly loops: number;
  readonly callMs: number;
  /** a sample a round; null, or nothing at the end, where it sat the round out */
  readonly samples: (number | null)[];
}

/** Chosen: V8 has optimized a function after this many calls. */
const WARM_UP_CALLS = 200;
/**
 * Before a sample, some calls are made that do not count: a fifth as many as in the sample, but at least this many or, if
 * the sample has fewer, as many as it has. Calls that take longer than this many samples have none. Chosen.
 */
const LEAD_IN = 5;
/** The fewest samples that have a median and quartiles. */
const FEWEST = 3;
/** Chosen: the fewest samples may take this many times the budget. */
const OVERDRAFT = 4;

/** Contenders that are timed in turn, A B C A B C …, one sample each. */
export class Turns {
  readonly #timed: Timed[] = [];
  readonly #clock: ClockOptions;
  #rounds = 0;

  private constructor(clock: ClockOptions) {
    this.#clock = clock;
  }

  /** Warms all contenders up. */
  static async of(
    contenders: readonly { readonly name: string; readonly loaded: Loaded }[],
    clock: ClockOptions,
  ): Promise<Turns> {
    const turns = new Turns(clock);
    for (const { name, loaded } of contenders) {
      clock.onTurn?.(name, 0);
      const callMs = await warmUp(loaded, clock.warmUpMs);
      await loaded.settle?.();
      const loops = Math.max(1, Math.ceil(clock.sampleMs / callMs));
      turns.#timed.push({ name, loaded, callMs, loops, samples: [] });
    }
    return turns;
  }

  /** The rounds of all. A contender that would exceed the budget skips some of them, evenly. */
  async takeAll(): Promise<void> {
    const { rounds, budgetMs } = this.#clock;
    for (let round = 0; round < rounds; round++)
      await this.#round(
        this.#timed.filter(({ loops, callMs }) => {
          const wanted = Math.floor(budgetMs / (loops * callMs));
          const fewest = FEWEST * callMs <= OVERDRAFT * budgetMs ? FEWEST : 1;
          const share = Math.min(1, Math.max(wanted, fewest) / rounds);
          return Math.floor((round + 1) * share) > Math.floor(round * share);
        }),
      );
  }

  /**
   * Further rounds of a few contenders. Such a round is short, so other programs are likely to slow all of it or none.
   *
   * @param most  the largest number of rounds. It is reduced to what `budgetMs` milliseconds allow; if they allow fewer
   *   than three, there are none
   */
  async takeSome(names: readonly string[], most: number, budgetMs: number): Promise<void> {
    const some = this.#timed.filter(({ name }) => names.includes(name));
    const roundMs = some.reduce((sum, { loops, callMs }) => sum + loops * callMs, 0);
    const rounds = Math.min(most, Math.floor(budgetMs / roundMs));
    if (rounds >= FEWEST) for (let round = 0; round < rounds; round++) await this.#round(some);
  }

  times(): Map<string, Times> {
    return new Map(this.#timed.map(({ name, loops, samples }) => [name, summarize(samples, loops)]));
  }

  async #round(some: readonly Timed[]): Promise<void> {
    for (const { name, loaded, loops, callMs, samples } of some) {
      this.#clock.onTurn?.(name, this.#rounds + 1);
      // Refills caches and raises the clock rate after the other contenders.
      if (callMs < LEAD_IN * this.#clock.sampleMs)
        await loaded.time(Math.max(Math.ceil(loops / LEAD_IN), Math.min(loops, LEAD_IN)));
      while (samples.length < this.#rounds) samples.push(null);
      samples.push((await loaded.time(loops)) / loops);
      await loaded.settle?.();
    }
    this.#rounds++;
  }
}

/** Times all contenders in turn. Changes of clock rate or load affect all of them, so ratios are taken round by round. */
export async function takeTurns(
  contenders: readonly { readonly name: string; readonly loaded: Loaded }[],
  clock: ClockOptions,
): Promise<Map<string, Times>> {
  const turns = await Turns.of(contenders, clock);
  await turns.takeAll();
  return turns.times();
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

/** The quotients of two contenders' samples, of the rounds that both took part in. */
export function quotients(numerator: Times["samples"], denominator: Times["samples"]): number[] {
  return numerator.flatMap((sample, round) => {
    const other = denominator[round];
    return typeof sample === "number" && typeof other === "number" ? [sample / other] : [];
  });
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
