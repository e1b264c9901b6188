import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchResult } from "../result.js";

/** The results in a folder, that of the newest Node first: the tables come from it. */
export function resultsIn(folder: string): BenchResult[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".json")) : [];
  return files
    .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as BenchResult)
    .sort((a, b) => majorOf(b) - majorOf(a) || b.date.localeCompare(a.date));
}

function majorOf({ node }: BenchResult): number {
  return Number.parseInt(node.slice(1), 10);
}
