import * as Plot from "@observablehq/plot";
import { type Figure, legendMarkup } from "../../report/figure.js";
import { decades, scientific, spreadOut } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";
import type { AccuracyRow, Truth } from "../result.js";
import { errorAxisMarks } from "./error-axis.js";
import { methodAxis, methodAxisMarks, methodFrame, methodPoints } from "./method-axis.js";

const kinds = [
  {
    key: "forwardError",
    label: "forward, |σ₁ − σ̂|",
    color: "var(--series-1)",
    symbol: "circle",
    path: "M0,-5A5,5,0,1,1,0,5A5,5,0,1,1,0,-5Z",
  },
  {
    key: "backwardError",
    label: "backward, RMS",
    color: "var(--series-2)",
    symbol: "triangle",
    path: "M0,-6L5.2,4L-5.2,4Z",
  },
  {
    key: "gradientError",
    label: "gradient, Frobenius",
    color: "var(--series-3)",
    symbol: "diamond",
    path: "M0,-6.5L4.4,0L0,6.5L-4.4,0Z",
  },
] as const;

/** Error against method: one line per method, three marks on a logarithmic scale. */
export function errorFigure(rows: readonly AccuracyRow[], truth: Truth, caption: Markup): Figure {
  const { ticks, domain, clamp } = decades([
    1e-16,
    1e-2,
    ...rows.flatMap((row) => kinds.map(({ key }) => row[key])),
  ]);
  const floor = clamp(truth.float32Floor.gradientError);

  return {
    id: "figure-errors",
    title: "Error of σ and of its gradient, by method",
    description: `Logarithmic scale from ${domain[0]} to ${domain[1]}. The same numbers are in the table below.`,
    caption,
    legend: legendMarkup(kinds.map(({ label, color, path }) => ({ label, color, symbol: path }))),
    draw: (layout) => {
      const axis = methodAxis(rows, layout);
      const points = axis.rows.flatMap((row) =>
        kinds.map(({ key, color, symbol, label }) => ({
          id: row.id,
          value: clamp(row[key]),
          color,
          symbol,
          title: `${row.name}: ${label} = ${scientific(row[key])}`,
        })),
      );
      return {
        ...methodFrame(axis, domain),
        symbol: { type: "identity" },
        marks: [
          ...errorAxisMarks({
            ticks: spreadOut(ticks, layout.narrow ? 5 : 10),
            lines: ticks,
            floor,
            label: layout.narrow ? "float32 floor" : "rounding X to float32 costs this much",
          }),
          ...methodAxisMarks(axis),
          Plot.ruleY(axis.rows, {
            y: "id",
            x1: (row: AccuracyRow) => clamp(Math.min(...kinds.map(({ key }) => row[key]))),
            x2: (row: AccuracyRow) => clamp(Math.max(...kinds.map(({ key }) => row[key]))),
            stroke: "var(--muted)",
            strokeWidth: 1.5,
            strokeOpacity: 0.55,
          }),
          methodPoints(points, layout),
        ],
      };
    },
  };
}
