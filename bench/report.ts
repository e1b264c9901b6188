// The README's tables between its markers, and the figures, from the JSON in bench/results.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gapFigure } from "./report/gap-figure.js";
import { growthFigure } from "./report/growth-figure.js";
import { limitFigure } from "./report/limit-figure.js";
import { readmeText } from "./report/tables.js";
import { timeFigure } from "./report/time-figure.js";
import type { BenchResult } from "./result.js";

// Compiled, it lies in bench/dist.
const bench = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { values: given } = parseArgs({
  options: {
    from: { type: "string", default: join(bench, "results") },
    readme: { type: "string", default: join(bench, "..", "README.md") },
    figures: { type: "string" },
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

const drawn: (readonly [alternative: string, file: string])[] = [];
const figures = [
  ["time", "Time against size, one line for each library", timeFigure],
  ["limit", "Share of the memory limit against size, for each thread count", limitFigure],
  ["gap", "Passes over A against the relative gap, Lanczos and power iteration", gapFigure],
  ["growth", "Time against n with the fitted power", growthFigure],
] as const;
for (const [name, alternative, draw] of figures) {
  const svg = draw(results[0]);
  if (svg === undefined) {
    console.log(`${name}.svg is left out: this run has nothing to draw it from`);
    continue;
  }
  const file = join(given.figures ?? given.from, `${name}.svg`);
  writeFileSync(file, svg);
  console.log(`Written to ${file}`);
  drawn.push([alternative, relative(dirname(resolve(given.readme)), resolve(file))]);
}

const text = readmeText(results, drawn);
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
