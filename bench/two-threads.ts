import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TwoThreads } from "./result.js";

/** threads/gain.ts, as far as it is used here. */
interface Gain {
  measureThreads(
    dist: string,
    script: string,
    counts: readonly number[],
  ): Promise<
    readonly {
      readonly name: string;
      readonly n: number;
      readonly load: "quiet" | "busy";
      readonly ratio: { readonly median: number };
    }[]
  >;
}

/**
 * Two threads against one, in `singularTriplet`; undefined if the benchmark was compiled without threads/gain.ts.
 *
 * @param scripts  the folder with the compiled benchmark
 */
export async function twoThreadsOf(
  dist: string,
  scripts: string,
): Promise<readonly TwoThreads[] | undefined> {
  const script = join(scripts, "threads", "gain.js");
  if (!existsSync(script)) return undefined;
  const { measureThreads } = (await import(pathToFileURL(script).href)) as Gain;
  const rows = (await measureThreads(dist, join(scripts, "threads", "solves.js"), [2])).filter(
    ({ name }) => name === "singularTriplet",
  );
  const ratio = (n: number, load: string) =>
    rows.find((row) => row.n === n && row.load === load)?.ratio.median ?? Number.NaN;
  return [...new Set(rows.map(({ n }) => n))].map((n) => ({
    n,
    quiet: ratio(n, "quiet"),
    busy: ratio(n, "busy"),
  }));
}
