// The README's table between its markers, and the figure, from the JSON in bench/results.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { timeFigure } from "./report/figure.js";
import { readmeText } from "./report/tables.js";
import type { BenchResult } from "./result.js";

// Compiled, it lies in bench/dist.
const bench = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { values: given } = parseArgs({
  options: {
    from: { type: "string", default: join(bench, "results") },
    readme: { type: "string", default: join(bench, "..", "README.md") },
    figure: { type: "string", default: join(bench, "results", "time.svg") },
  },
});

const START = "<!-- bench:start -->";
const END = "<!-- bench:end -->";

const files = existsSync(given.from) ? readdirSync(given.from).filter((file) => file.endsWith(".json")) : [];
const results = files
  .map((file) => JSON.parse(readFileSync(join(given.from, file), "utf8")) as BenchResult)
  // The newest Node first: its engine is what most will have.
  .sort((a, b) => majorOf(b) - majorOf(a) || b.date.localeCompare(a.date));
if (results.length === 0) {
  console.error(`bench: no results in ${given.from}; npm run bench first`);
  process.exit(2);
}

writeFileSync(given.figure, timeFigure(results[0]));
console.log(`Written to ${given.figure}`);

const text = readmeText(results);
const page = existsSync(given.readme) ? readFileSync(given.readme, "utf8") : "";
const start = page.indexOf(START);
const end = page.indexOf(END);
if (start < 0 || end < start) {
  console.log(`${given.readme} has no ${START} … ${END}; this is what would be between them:\n\n${text}`);
} else {
  writeFileSync(given.readme, `${page.slice(0, start + START.length)}\n${text}\n${page.slice(end)}`);
  console.log(`Written to ${given.readme}`);
}

function majorOf({ node }: BenchResult): number {
  return Number.parseInt(node.slice(1), 10);
}
