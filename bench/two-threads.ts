import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TwoThreads } from "./result.js";

/** threads/measure.ts. */
interface Measurement {
  measureThreads(onStep: (what: string) => void): Promise<readonly TwoThreads[]>;
}

/** Two threads against one; undefined if the benchmark was compiled without this measurement. */
export async function twoThreadsOf(
  scripts: string,
  onStep: (what: string) => void,
): Promise<readonly TwoThreads[] | undefined> {
  const script = join(scripts, "threads", "measure.js");
  if (!existsSync(script)) return undefined;
  const { measureThreads } = (await import(pathToFileURL(script).href)) as Measurement;
  return measureThreads(onStep);
}
