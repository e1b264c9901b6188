import { sizeName } from "../cases.js";
import type { BenchResult, CaseResult } from "../result.js";
import { LARGE } from "../terminal.js";
import { decades, drawChart, type Line, timeText, whereMeasured } from "./chart.js";
import { fastest } from "./tables.js";

/** Colours that stay apart for colour-blind eyes; symbols and the name at the line's end say it too. */
const series: readonly (Omit<Line, "points"> & { readonly rows: RegExp })[] = [
  {
    label: "spectral-norm",
    rows: /^spectral-norm valueAndGrad, /,
    color: "var(--ours)",
    symbol: "circle",
    strong: true,
  },
  {
    label: "spectral-norm in jax-js",
    rows: /^jax-js grad\(spectralNorm\)/,
    color: "var(--ours)",
    symbol: "square2",
  },
  { label: "SciPy ARPACK", rows: /^SciPy svds\(k=1\),/, color: "var(--blue)", symbol: "square" },
  { label: "PyTorch matrix_norm", rows: /^PyTorch matrix_norm/, color: "var(--orange)", symbol: "triangle" },
  { label: "NumPy, value alone", rows: /^NumPy/, color: "var(--green)", symbol: "diamond" },
  { label: "numpy-ts, value alone", rows: /^numpy-ts/, color: "var(--purple)", symbol: "star" },
  { label: "ml-matrix", rows: /^ml-matrix SVD with/, color: "var(--red)", symbol: "cross" },
  { label: "svd-js", rows: /^svd-js/, color: "var(--brown)", symbol: "wye" },
  {
    label: "TensorFlow.js unrolled",
    rows: /^TensorFlow\.js grad\(spectralNormUnrolled/,
    color: "var(--teal)",
    symbol: "hexagon",
  },
  {
    label: "jax-js unrolled",
    rows: /^jax-js jit\(grad\(power/,
    color: "var(--olive)",
    symbol: "diamond2",
  },
];

/** Time of σ₁ with its gradient against size, both logarithmic. */
export function timeFigure(result: BenchResult): string | undefined {
  // The long and thin are as large as squares that they have nothing else in common with.
  const chosen = result.cases.filter(
    ({ rows, cols, spectrum, stored, batch }) =>
      spectrum === "gaussian" &&
      stored === "float32" &&
      batch === 1 &&
      Math.max(rows, cols) <= 2 * Math.min(rows, cols),
  );
  const lines = series
    .map(({ rows, ...line }): Line => ({ ...line, points: chosen.flatMap((of) => pointOf(of, rows)) }))
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return undefined;
  const limit = chosen.flatMap((of) => {
    const triplet = fastest(of, /^spectral-norm singularTriplet, /);
    const read = of.reads.find(({ threads }) => threads === triplet?.threads);
    // Below that the matrix stays in the processor, and what it costs to read is no limit.
    if (triplet?.passes === undefined || !read || of.bytes < LARGE) return [];
    return [{ x: sizeOf(of), y: triplet.passes * read.ms }];
  });
  if (limit.length > 1)
    lines.push({
      label: "our passes × one read of A",
      color: "var(--muted)",
      dashed: true,
      points: limit,
    });
  return drawChart({
    title: "Time of σ₁ with its gradient or its vectors; float32, Gaussian entries",
    note: `${whereMeasured(result)}; bars from the fastest to the slowest sample`,
    lines,
    xTicks: chosen.map((of) => ({ at: sizeOf(of), text: sizeName(of) })),
    xLabel: "size",
    yTicks: decades(
      lines.flatMap(({ points }) => points.flatMap(({ y, min, max }) => [min ?? y, max ?? y])),
      timeText,
    ),
    yScale: "log",
    height: 560,
  });
}

function pointOf(result: CaseResult, rows: RegExp): Line["points"] {
  const row = fastest(result, rows);
  if (!row || row.wrong) return [];
  const { median, min, max } = row.ms;
  const title = `${row.name}, ${sizeName(result)}: ${timeText(median)} (${timeText(min)} to ${timeText(max)})`;
  return [{ x: sizeOf(result), y: median, min, max, title }];
}

/** The side of a square with as many entries. */
function sizeOf({ rows, cols }: CaseResult): number {
  return Math.sqrt(rows * cols);
}
