import { sizeName } from "../cases.js";
import type { BenchResult } from "../result.js";
import { decades, drawChart, type Line, timeText, whereMeasured } from "./chart.js";

const series: readonly (Pick<Line, "label" | "color" | "symbol" | "strong"> & { readonly rows: RegExp })[] = [
  {
    label: "spectral-norm, 1 thread",
    rows: /^spectral-norm singularTriplet, 1 thread$/,
    color: "var(--ours)",
    symbol: "circle",
  },
  {
    label: "spectral-norm, all cores",
    rows: /^spectral-norm singularTriplet, \d+ threads$/,
    color: "var(--ours)",
    symbol: "diamond",
    strong: true,
  },
  { label: "SciPy ARPACK", rows: /^SciPy svds\(k=1\),/, color: "var(--blue)", symbol: "square" },
  { label: "PyTorch matrix_norm", rows: /^PyTorch matrix_norm/, color: "var(--orange)", symbol: "triangle" },
  { label: "NumPy norm", rows: /^NumPy/, color: "var(--green)", symbol: "star" },
  { label: "numpy-ts svdvals", rows: /^numpy-ts/, color: "var(--purple)", symbol: "cross" },
];

/** Times against n with the power of n that fits them. */
export function growthFigure(result: BenchResult): string | undefined {
  const lines = series.flatMap(({ rows, label, ...style }): Line[] => {
    const fits = result.growth.filter(({ name }) => rows.test(name));
    if (fits.length === 0) return [];
    const timeAt = (n: number, fit: { factor: number; exponent: number }) => fit.factor * n ** fit.exponent;
    // Of a rival's thread counts the one that is faster where both end.
    const least = Math.min(...fits.map(({ sizes }) => sizes[sizes.length - 1]));
    const best = fits.reduce((a, b) => (timeAt(least, b) < timeAt(least, a) ? b : a));
    const measured = result.cases.flatMap(({ rows: n, cols, batch, stored, spectrum, results }) => {
      const row = results.find(({ name }) => name === best.name);
      const fits = n === cols && batch === 1 && stored === "float32" && spectrum === "gaussian";
      return row && fits && best.sizes.includes(n)
        ? [{ x: n, y: row.ms.median, title: `${row.name}, ${n}²: ${timeText(row.ms.median)}` }]
        : [];
    });
    const { color, strong } = style;
    return [
      {
        label: `${label}: n^${best.exponent.toFixed(2)}`,
        color,
        strong,
        points: best.sizes.map((n) => ({ x: n, y: timeAt(n, best) })),
      },
      { label: "", ...style, unlinked: true, points: measured },
    ];
  });
  if (lines.length === 0) return undefined;
  const points = lines.flatMap((line) => line.points);
  return drawChart({
    title: "How cost grows: times of n×n, and the power of n that fits them",
    note: `${whereMeasured(result)}; float32, Gaussian entries`,
    lines,
    xTicks: [...new Set(points.map(({ x }) => x))].map((at) => ({
      at,
      text: sizeName({ rows: at, cols: at, batch: 1 }),
    })),
    xLabel: "size",
    yTicks: decades(
      points.map(({ y }) => y),
      timeText,
    ),
    yScale: "log",
    height: 440,
  });
}
