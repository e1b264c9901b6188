import Table from "cli-table3";
import { power, short } from "./compare.js";
import { threadsText } from "./contender.js";
import type {
  CaseResult,
  Choice,
  GapPoint,
  Growth,
  MoreThreads,
  PassSpeed,
  Profile,
  Proof,
  Roof,
  Target,
  TwoThreads,
  WarmStart,
} from "./result.js";
import { overLimit, passGoal, percent } from "./targets.js";

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

/** Chosen: bytes from which a pass is limited by memory; smaller matrices stay in the caches. */
export const LARGE = 2 ** 21;

/** A time with its unit. */
export function duration(ms: number): string {
  if (ms < 1) return `${Number((ms * 1000).toPrecision(3))} µs`;
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  return `${Number((ms / 1000).toPrecision(3))} s`;
}

export function caseTable(result: CaseResult): string {
  const { id, truth, reads, bytes, results, comparisons, leftOut } = result;
  const table = new Table({
    head: ["", "median", "min", "±", "n", "σ error", "residual", "gradient error", "passes", "time ÷ limit"],
    colAligns: ["left", ...Array<"right">(9).fill("right")],
    style,
    chars,
  });
  for (const row of [...results].sort((a, b) => a.ms.median - b.ms.median)) {
    const over = bytes < LARGE ? undefined : overLimit(row, result);
    const reading = row.tasks.length === 0;
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
      over === undefined ? "" : short(over),
    ]);
  }
  const lines = [
    "",
    `${id}   σ₁ ${truth.sigma.toPrecision(6)}, relative gap ${power(truth.relativeGap)}; one read ${reads
      .map(
        ({ threads, ms }) =>
          `${duration(ms)} by ${threadsText(threads)} (${(bytes / ms / 1e6).toFixed(1)} GB/s)`,
      )
      .join(", ")}`,
    table.toString(),
  ];
  for (const { task, ours, rival, ratio, atLeastAsAccurate, measure, oursError, rivalError } of comparisons)
    lines.push(
      `  ${task}: ${rival} takes ${short(ratio.median)} (${short(ratio.min)} … ${short(ratio.max)}) times the time of ${ours}` +
        (atLeastAsAccurate
          ? ""
          : `, NOT at equal accuracy: ${measure === "residual" ? "residual" : "σ error"} ${power(oursError)} for ${power(rivalError)}`),
    );
  const tooSlow = leftOut.filter(({ why }) => why.startsWith("would") || why.startsWith("failed"));
  if (tooSlow.length > 0)
    lines.push(`  left out: ${tooSlow.map(({ name, why }) => `${name} (${why})`).join(", ")}`);
  return lines.join("\n");
}

export function targetTable(title: string, targets: readonly Target[]): string {
  const lines = targets.map(({ what, wanted, found, missing, reached }) => {
    const mark = reached === undefined ? "?" : reached ? "✓" : "✗";
    return `  ${mark} ${what}: ${wanted}; ${found ?? `not in this run${missing === undefined ? "" : `: ${missing}`}`}`;
  });
  return ["", title, ...lines].join("\n");
}

export function gapTable(points: readonly GapPoint[]): string {
  const lines = points.map(
    ({ gap, rtol, ours, error, power: steps }) =>
      `  gap ${power(gap)}, ${rtol === "default" ? "default" : `rtol ${power(rtol)}`}: ${ours} passes; power iteration ${steps} to a gradient error of ${power(error)}`,
  );
  return ["", "Passes over A against the relative gap, 400×300 float64", ...lines].join("\n");
}

export function growthTable(growth: readonly Growth[]): string {
  if (growth.length === 0)
    return "\nHow cost grows: not in this run, which has fewer than three square float32 sizes from 256² on";
  const lines = growth.map(
    ({ name, exponent, sizes }) =>
      `  n^${exponent.toFixed(2)}  ${name} (${sizes.map((n) => `${n}²`).join(", ")})`,
  );
  return ["", "How cost grows with n, float32 Gaussian n×n", ...lines].join("\n");
}

/** Multiply-adds a second, in billions. */
export function billions(perSecond: number): string {
  return (perSecond / 1e9).toFixed(2);
}

/** Speeds in GB/s. */
export function gigabytes(perSecond: number): string {
  return (perSecond / 1e9).toFixed(1);
}

/** The passes of a size, by width. */
export function passesBySize({
  passes,
}: Roof): { readonly size: string; readonly by: readonly PassSpeed[] }[] {
  const sizes = [...new Set(passes.map(({ n, dtype }) => `${n}² ${dtype}`))];
  return sizes.map((size) => ({ size, by: passes.filter(({ n, dtype }) => `${n}² ${dtype}` === size) }));
}

/** Passes beside what bounds them, in 80 columns. */
export function roofTable(roof: Roof): string {
  const { kernels, multiplyAdds } = roof;
  const peaks = multiplyAdds.map(
    ({ dtype, separate, fused }) =>
      `  ${dtype}: ${fused === undefined ? "" : `${billions(fused)} fused, `}${billions(separate)} separate, in 10⁹/s`,
  );
  const cell = ({ pass, arithmetic, share }: PassSpeed, goal: boolean) =>
    `${gigabytes(pass).padStart(8)} ${gigabytes(arithmetic).padStart(6)} ${percent(share).padStart(5)} ${goal ? "✓" : "✗"}`;
  const lines = passesBySize(roof).map(({ size, by }) => {
    const cells = by.map((pass) => cell(pass, pass.pass >= passGoal(pass)));
    return `  ${size.padEnd(13)} ${gigabytes(by[0].read).padStart(6)} ${cells.join(" ")}`;
  });
  const heads = `${" ".repeat(17)}read   width 2   roof share    width 1   roof share`;
  return [
    "",
    `128-bit multiply-adds of one thread (the passes: ${kernels} kernels)`,
    ...peaks,
    "Passes AᵀA·X of one thread, GB/s of A: the pass, what its multiply-adds allow,",
    "and its share of the lower of that and a plain read",
    heads,
    ...lines,
  ].join("\n");
}

/** The time of two threads by that of one. */
export function twoThreadsTable(measured: readonly TwoThreads[]): string {
  const lines = measured.map(
    ({ n, quiet, busy }) => `  ${n}²: ${short(quiet)}; with another process busy on a core ${short(busy)}`,
  );
  return ["", "Two threads, their time by that of one, singularTriplet float32", ...lines].join("\n");
}

/** What more threads would take by the time of one. */
export function moreThreadsTable(simulated: readonly MoreThreads[]): string {
  const lines = simulated.map(
    ({ n, oneMs, ratios, gigabytesPerSecond }) =>
      `  ${n}²: one thread ${duration(oneMs)}; ` +
      ratios.map(({ threads, ratio }) => `${threads} threads ${short(ratio)}`).join(", ") +
      `, reading ${gigabytesPerSecond.toFixed(0)} GB/s`,
  );
  return [
    "",
    "More threads on as many cores, simulated, their time by that of one, singularTriplet float32",
    ...lines,
  ].join("\n");
}

/** Where the time of valueAndGrad goes. */
export function profileTable(profiles: readonly Profile[]): string {
  const lines = profiles.map(
    ({ n, dtype, ms, passes, outside, parts }) =>
      `  ${n}² ${dtype}: ${duration(ms)}, passes ${percent(passes)}, beside them ${percent(1 - passes)}; outside of kernels ${percent(outside)}, ` +
      parts.map(({ name, share }) => `${name} ${percent(share)}`).join(", "),
  );
  return ["", "Where the time of valueAndGrad goes, one thread", ...lines].join("\n");
}

/** What a proof costs, and what it proves. */
export function proofTable(found: readonly Proof[]): string {
  const lines = found.map(
    ({ rows, cols, certifyMs, gradientMs, ratio, proven, width, gradientErrorBound, gradientError, holds }) =>
      `  ${rows}×${cols}: ${duration(certifyMs.median)} ± ${(100 * certifyMs.spread).toFixed(0)}%, ${short(ratio)} times valueAndGrad's ${duration(gradientMs.median)}; ` +
      `${proven ? "proven" : "NOT PROVEN"}, interval ${power(width)} wide${holds ? "" : " and WITHOUT the reference"}, ` +
      `gradient off by ${power(gradientError)}, at most ${power(gradientErrorBound)}`,
  );
  return ["", "certify, float64, one thread", ...lines].join("\n");
}

export function warmTable(starts: readonly WarmStart[]): string {
  const lines = starts.map(
    ({ spectrum, rtol, cold, warm }) => `  σᵢ ${spectrum}, rtol ${power(rtol)}: ${warm} passes for ${cold}`,
  );
  return ["", "Warm starts after a change of 1e-6·‖A‖₂, 512² float64", ...lines].join("\n");
}

/** What "auto" costs, beside the methods that could have been asked for. */
export function choiceTable(choices: readonly Choice[]): string {
  const lines = choices.map(({ rows, cols, dtype, chosen, autoMs, lanczosMs, denseMs, float64AloneMs }) => {
    const alone = float64AloneMs ?? lanczosMs;
    const best = Math.min(lanczosMs, denseMs, autoMs, alone);
    return `  ${rows}×${cols} ${dtype}: ${chosen}, ${short(autoMs)} ms, ${short(autoMs / best)} times the best (passes ${short(lanczosMs)} ms, without float32 ${short(alone)} ms, dense ${short(denseMs)} ms)`;
  });
  return ["", 'What method: "auto" chooses', ...lines].join("\n");
}
