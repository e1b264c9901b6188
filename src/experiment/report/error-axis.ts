import * as Plot from "@observablehq/plot";
import { powerOfTen } from "../../report/format-number.js";

/** A horizontal axis of errors: powers of ten above and below, and a dashed line at what cannot be undercut. */
interface ErrorAxis {
  /** where a power of ten is written */
  readonly ticks: readonly number[];
  /** where a line runs through the figure */
  readonly lines: readonly number[];
  readonly floor: number;
  /** stands beside the dashed line */
  readonly label: string;
}

export function errorAxisMarks({ ticks, lines, floor, label }: ErrorAxis): Plot.Markish[] {
  return [
    ...(["top", "bottom"] as const).map((anchor) =>
      Plot.axisX(ticks, {
        anchor,
        label: null,
        tickSize: 4,
        tickFormat: (tick: number) => powerOfTen(Math.round(Math.log10(tick))),
        fill: "var(--muted)",
      }),
    ),
    Plot.gridX(lines, { stroke: "var(--rule)", strokeOpacity: 0.7 }),
    Plot.ruleX([floor], { stroke: "var(--muted)", strokeDasharray: "3 4" }),
    Plot.text([floor], {
      x: (value: number) => value,
      text: () => label,
      frameAnchor: "top",
      textAnchor: "start",
      dx: 5,
      dy: 3,
      fill: "var(--muted)",
      fontStyle: "italic",
      stroke: "var(--surface)",
      strokeWidth: 4,
    }),
  ];
}
