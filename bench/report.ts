// The tables of docs/benchmarks.md, the headline of README.md and the figures, from the JSON in bench/results.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isComplexCase } from "./cases.js";
import { commandLine } from "./command-line.js";
import { gapFigure } from "./report/gap-figure.js";
import { growthFigure } from "./report/growth-figure.js";
import { limitFigure } from "./report/limit-figure.js";
import { between } from "./report/markers.js";
import { resultsIn } from "./report/results.js";
import { benchmarksText, headlineText } from "./report/tables.js";
import { timeFigure } from "./report/time-figure.js";

// Compiled, it lies in bench/dist.
const bench = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const given = commandLine({
  from: { type: "string", default: join(bench, "results") },
  readme: { type: "string", default: join(bench, "..", "README.md") },
  page: { type: "string", default: join(bench, "..", "docs", "benchmarks.md") },
  figures: { type: "string" },
});

const results = resultsIn(given.from);
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
  const svg = draw(results.find(({ cases }) => !cases.every(isComplexCase)) ?? results[0]);
  if (svg === undefined) {
    console.log(`${name}.svg is left out: this run has nothing to draw it from`);
    continue;
  }
  const file = join(given.figures ?? given.from, `${name}.svg`);
  writeFileSync(file, svg);
  console.log(`Written to ${file}`);
  drawn.push([alternative, relative(dirname(resolve(given.page)), resolve(file))]);
}

for (const [file, text] of [
  [given.page, benchmarksText(results, drawn)],
  [given.readme, headlineText(results)],
] as const) {
  const page = between(existsSync(file) ? readFileSync(file, "utf8") : "", text);
  if (page === undefined) {
    console.log(`${file} has no markers; this is what would be between them:\n\n${text}`);
  } else {
    writeFileSync(file, page);
    console.log(`Written to ${file}`);
  }
}
