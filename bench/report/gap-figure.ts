import type { BenchResult, GapPoint } from "../result.js";
import { decades, drawChart, type Line } from "./chart.js";

/** How often A is read, against the relative gap, by Lanczos and by power iteration. */
export function gapFigure({ gaps }: BenchResult): string | undefined {
  if (gaps.length === 0) return undefined;
  const line = (
    label: string,
    rtol: GapPoint["rtol"],
    count: (point: GapPoint) => number,
    style: Pick<Line, "color" | "symbol" | "strong" | "dashed">,
  ): Line => ({
    label,
    ...style,
    points: gaps
      .filter((point) => point.rtol === rtol)
      .map((point) => ({
        x: point.gap,
        y: count(point),
        title: `gap ${point.gap}: ${count(point)} passes to a gradient error of ${point.error.toExponential(1)}`,
      })),
  });
  const lines = [
    line("power iteration, as far as ours", "default", ({ power }) => power, {
      color: "var(--orange)",
      symbol: "triangle",
      dashed: true,
    }),
    line("power iteration to 1e-3", 1e-3, ({ power }) => power, {
      color: "var(--red)",
      symbol: "cross",
      dashed: true,
    }),
    line("spectral-norm, default", "default", ({ ours }) => ours, {
      color: "var(--ours)",
      symbol: "circle",
      strong: true,
    }),
    line("spectral-norm, rtol 1e-3", 1e-3, ({ ours }) => ours, { color: "var(--blue)", symbol: "square" }),
  ];
  const values = lines.flatMap(({ points }) => points.map(({ y }) => y));
  return drawChart({
    title: "Passes over A until the gradient is accurate; 400×300, float64",
    note: "σ₁ = 1, σ₂ = 1 − gap, the others evenly below; power iteration followed in the basis of the singular vectors, a pass a step",
    lines,
    xTicks: [...new Set(gaps.map(({ gap }) => gap))].map((at) => ({ at, text: at.toExponential(0) })),
    xLabel: "relative gap (σ₁ − σ₂)/σ₁",
    xReversed: true,
    yTicks: decades(values, (value) => (value < 1e4 ? String(value) : value.toExponential(0))),
    yScale: "log",
    height: 420,
  });
}
