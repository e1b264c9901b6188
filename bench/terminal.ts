import Table from "cli-table3";
import { power, short } from "./compare.js";
import { READING } from "./contenders/reading.js";
import type { CaseResult, Target } from "./result.js";

const style = { head: [], border: [], "padding-left": 1, "padding-right": 1 };
/** Columns without lines. */
const chars = {
  ...Object.fromEntries(
    ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"].map(
      (place) => [place, ""],
    ),
  ),
  ...{ mid: "", "left-mid": "", "mid-mid": "", "right-mid": "", left: "", right: "", middle: "" },
};

/** Bytes from which on reading is what a pass costs; smaller matrices stay in the processor. */
const LARGE = 2 ** 21;

/** A time with its unit. */
export function duration(ms: number): string {
  if (ms < 1) return `${Number((ms * 1000).toPrecision(3))} µs`;
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  return `${Number((ms / 1000).toPrecision(3))} s`;
}

export function caseTable(result: CaseResult): string {
  const { id, truth, readMs, bytes, results, comparisons, leftOut } = result;
  const table = new Table({
    head: ["", "median", "min", "±", "n", "σ error", "residual", "gradient error", "passes", "time ÷ limit"],
    colAligns: ["left", ...Array<"right">(9).fill("right")],
    style,
    chars,
  });
  for (const row of [...results].sort((a, b) => a.ms.median - b.ms.median)) {
    const limit = row.passes === undefined || bytes < LARGE ? undefined : row.passes * readMs;
    const reading = row.name === READING;
    table.push([
      row.wrong ? `${row.name}  WRONG` : row.name,
      duration(row.ms.median),
      duration(row.ms.min),
      `${(100 * row.ms.spread).toFixed(0)}%`,
      String(row.ms.samples.filter((sample) => sample !== null).length),
      reading ? "" : power(row.sigmaError),
      row.residual === undefined ? "" : power(row.residual),
      row.gradientError === undefined ? "" : power(row.gradientError),
      row.passes === undefined ? "" : String(row.passes),
      limit === undefined ? "" : short(row.ms.median / limit),
    ]);
  }
  const lines = [
    "",
    `${id}   σ₁ ${truth.sigma.toPrecision(6)}, relative gap ${power(truth.relativeGap)}; one read ${duration(readMs)} (${(bytes / readMs / 1e6).toFixed(1)} GB/s)`,
    table.toString(),
  ];
  for (const { task, ours, rival, ratio, atLeastAsAccurate, measure, oursError, rivalError } of comparisons)
    lines.push(
      `  ${task}: ${rival} takes ${short(ratio.median)} (${short(ratio.min)} … ${short(ratio.max)}) times the time of ${ours}` +
        (atLeastAsAccurate
          ? ""
          : `, NOT at equal accuracy: ${measure === "residual" ? "residual" : "σ error"} ${power(oursError)} for ${power(rivalError)}`),
    );
  const tooSlow = leftOut.filter(({ why }) => why.startsWith("would"));
  if (tooSlow.length > 0)
    lines.push(`  left out: ${tooSlow.map(({ name, why }) => `${name} (${why})`).join(", ")}`);
  return lines.join("\n");
}

export function targetTable(title: string, targets: readonly Target[]): string {
  const lines = targets.map(({ what, wanted, found, reached }) => {
    const mark = reached === undefined ? "?" : reached ? "✓" : "✗";
    return `  ${mark} ${what}: ${wanted}; ${found ?? "not in this run"}`;
  });
  return ["", title, ...lines].join("\n");
}
