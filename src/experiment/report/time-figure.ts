import * as Plot from "@observablehq/plot";
import type { Figure } from "../../report/figure.js";
import { decades, duration, spreadOut } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";
import type { SpeedRow } from "../result.js";
import { engineColor, methodAxis, methodAxisMarks, methodFrame } from "./method-axis.js";

/** Time against method: every sample, the range they span, and the median, on a logarithmic scale. */
export function timeFigure(rows: readonly SpeedRow[], caption: Markup): Figure {
  const { ticks, domain } = decades(rows.flatMap(({ minMs, maxMs }) => [minMs, maxMs]));
  return {
    id: "figure-times",
    title: "Time of one forward and backward evaluation, by method",
    description: `Logarithmic scale from ${duration(domain[0])} to ${duration(domain[1])}. The same numbers are in the table below.`,
    caption,
    draw: (layout) => {
      const axis = methodAxis(rows, layout);
      const samples = axis.rows.flatMap((row) =>
        row.samplesMs.map((ms) => ({ id: row.id, ms, color: engineColor(row.engine) })),
      );
      return {
        ...methodFrame(axis, domain),
        marginRight: layout.narrow ? 58 : 76,
        marks: [
          ...(["top", "bottom"] as const).map((anchor) =>
            Plot.axisX(spreadOut(ticks, layout.narrow ? 4 : 9), {
              anchor,
              label: null,
              tickSize: 4,
              tickFormat: duration,
              fill: "var(--muted)",
            }),
          ),
          Plot.gridX(ticks, { stroke: "var(--rule)", strokeOpacity: 0.7 }),
          ...methodAxisMarks(axis),
          Plot.ruleY(axis.rows, {
            y: "id",
            x1: "minMs",
            x2: "maxMs",
            stroke: (row: SpeedRow) => engineColor(row.engine),
            strokeWidth: 5,
            strokeOpacity: 0.28,
            strokeLinecap: "round",
          }),
          Plot.tickX(samples, {
            x: "ms",
            y: "id",
            stroke: "color",
            strokeOpacity: 0.6,
            insetTop: 7,
            insetBottom: 7,
          }),
          Plot.dot(axis.rows, {
            x: "medianMs",
            y: "id",
            r: 5,
            fill: (row: SpeedRow) => engineColor(row.engine),
            stroke: "var(--surface)",
            strokeWidth: 1.5,
            title: (row: SpeedRow) => `${row.name}: median ${duration(row.medianMs)}`,
          }),
          Plot.text(axis.rows, {
            x: "maxMs",
            y: "id",
            text: (row: SpeedRow) => duration(row.medianMs),
            textAnchor: "start",
            dx: 9,
            fill: "var(--ink)",
            fontVariant: "tabular-nums",
            stroke: "var(--surface)",
            strokeWidth: 4,
          }),
        ],
      };
    },
  };
}
