import * as Plot from "@observablehq/plot";
import type { Figure } from "../../src/report/figure.js";
import { legendMarkup } from "../../src/report/figure.js";
import { decades, powerOfTen, spreadOut } from "../../src/report/format-number.js";
import { html } from "../../src/report/markup.js";
import type { PlotRequest } from "../work/plot-request.js";

const colors = ["var(--series-1)", "var(--series-2)", "var(--series-3)", "var(--pytorch)", "var(--peer)"];
/** Dashes, for readers who cannot tell the colours apart. */
const dashes = ["", "7 4", "2 3", "9 3 2 3", "12 5"];

/** The plot of a cell, with one line for each label. */
export function lineFigure({ title, x, y, logX, logY, series }: PlotRequest): Figure {
  const lines = series.map(({ label, points }, i) => ({
    label,
    color: colors[i % colors.length],
    dash: dashes[i % dashes.length],
    points,
  }));
  const all = series.flatMap(({ points }) => points);
  const count = all.length === 1 ? "one point" : `${all.length} points`;
  return {
    id: "",
    title,
    description: `${series.map(({ label }) => label).join(", ")}: ${count}.`,
    caption: html``,
    legend:
      lines.length > 1
        ? legendMarkup(lines.map(({ label, color }) => ({ label, color, symbol: "M-8,-1.5H8V1.5H-8Z" })))
        : html``,
    draw: ({ narrow }) => ({
      height: narrow ? 260 : 320,
      marginLeft: narrow ? 44 : 56,
      marginRight: 16,
      marginTop: 26,
      marginBottom: 42,
      x: logX ? { type: "log" } : {},
      y: logY ? { type: "log", domain: [...decades(all.map(([, value]) => value)).domain] } : { nice: true },
      marks: [
        ...axes(
          "y",
          y,
          logY,
          all.map(([, value]) => value),
          narrow,
        ),
        ...axes(
          "x",
          x,
          logX,
          all.map(([value]) => value),
          narrow,
        ),
        ...lines.map(({ points, color, dash }) =>
          Plot.line(points, { stroke: color, strokeWidth: 2, strokeDasharray: dash }),
        ),
        ...lines
          .filter(({ points }) => points.length <= 60)
          .map(({ points, color }) => Plot.dot(points, { fill: color, r: narrow ? 2 : 2.5 })),
      ],
    }),
  };
}

function axes(
  which: "x" | "y",
  label: string,
  log: boolean,
  values: number[],
  narrow: boolean,
): Plot.Markish[] {
  const common = {
    label: label || null,
    labelArrow: "none" as const,
    fill: "var(--muted)",
    tickSize: which === "x" ? 4 : 0,
  };
  const ticks = log ? spreadOut(decades(values).ticks, narrow ? 5 : 9) : undefined;
  const tickFormat = log ? (tick: number) => powerOfTen(Math.round(Math.log10(tick))) : undefined;
  if (which === "x")
    return [Plot.axisX({ ...common, ticks: ticks ?? (narrow ? 5 : 9), tickFormat, labelAnchor: "center" })];
  return [
    Plot.gridY({ ticks: ticks ?? 5, stroke: "var(--rule)", strokeOpacity: 0.9 }),
    Plot.axisY({ ...common, ticks: ticks ?? 5, tickFormat }),
  ];
}
