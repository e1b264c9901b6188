import fc from "fast-check";
import { refuse, wrong } from "./arguments.js";
import { mutated, read } from "./files.js";
import { cases, check } from "./functions.js";
import { read as readAsSaid, statements } from "./layouts.js";
import { calls, write } from "./outputs.js";
import { reported } from "./report.js";
import { threads } from "./threads.js";

export interface Run {
  readonly seed: number;
  readonly runs: number;
  /** of a counterexample, to go straight to it */
  readonly path?: string | undefined;
}

export interface Part {
  /** cases of a full run */
  readonly runs: number;
  /** what went wrong and how to see it again; undefined where nothing did */
  run(run: Run): Promise<string | undefined>;
}

function part<T>(
  name: string,
  runs: number,
  arbitrary: fc.Arbitrary<T>,
  property: (value: T) => unknown,
): Part {
  return {
    runs,
    async run({ seed, runs, path }) {
      const details = await fc.check(
        fc.asyncProperty(arbitrary, async (value) => {
          await property(value);
        }),
        {
          seed,
          numRuns: runs,
          ...(path === undefined ? {} : { path }),
        },
      );
      return reported(details, name);
    },
  };
}

/** Fails at times, to see what is said then. */
export const example = part("example", 100, fc.nat({ max: 99 }), (value) => {
  if (value > 90) throw new Error(`${value} is above 90`);
});

/** Everything that is fuzzed. */
export const parts: Readonly<Record<string, Part>> = {
  functions: part("functions", 20_000, cases, check),
  arguments: part("arguments", 20_000, wrong, refuse),
  layouts: part("layouts", 50_000, statements, readAsSaid),
  files: part("files", 100_000, mutated, read),
  outputs: part("outputs", 3_000, calls, write),
  threads,
};
