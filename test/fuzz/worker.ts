import { parentPort, workerData } from "node:worker_threads";
import fc from "fast-check";
import { digest, type Shared } from "./digest.js";
import { mutated, read } from "./files.js";
import { cases, check } from "./functions.js";
import { reported } from "./report.js";

/** What a thread is to do, and what came of it. */
export interface Orders {
  readonly seed: number;
  readonly runs: number;
  readonly shared: Shared;
  /** cases of the digest, the same ones in every thread */
  readonly digestSeed: number;
}

export interface Outcome {
  readonly digest: string;
  readonly found: readonly string[];
}

const { seed, runs, shared, digestSeed } = workerData as Orders;
const first = digest(digestSeed, runs, shared);
const found = [
  reported(fc.check(fc.property(cases, check), { seed, numRuns: runs }), "functions"),
  reported(
    fc.check(
      fc.property(mutated, (one) => void read(one)),
      { seed, numRuns: 5 * runs },
    ),
    "files",
  ),
].flatMap((text) => text ?? []);
parentPort?.postMessage({ digest: first, found } satisfies Outcome);
