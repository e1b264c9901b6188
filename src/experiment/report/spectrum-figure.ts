import * as Plot from "@observablehq/plot";
import { countAxis } from "../../report/count-axis.js";
import type { Figure } from "../../report/figure.js";
import { scientific } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";
import type { Truth } from "../result.js";

/** Chosen: more stems than this would run together, so a line is drawn instead. */
const mostStems = 160;

/** The singular values in order, with the gap between the first two marked. */
export function spectrumFigure({ sigma }: Truth, caption: Markup): Figure {
  const points = sigma.map((value, i) => ({ index: i + 1, value }));
  const named = points.slice(0, 2).map(({ index, value }) => ({
    index,
    value,
    text: `${index === 1 ? "σ₁" : "σ₂"} = ${scientific(value)}`,
  }));
  return {
    id: "figure-spectrum",
    title: "The singular values of X",
    description: `${sigma.length} values that fall from ${scientific(sigma[0])} to ${scientific(sigma[sigma.length - 1])}.`,
    caption,
    draw: ({ narrow }) => ({
      height: narrow ? 240 : 280,
      marginLeft: narrow ? 44 : 56,
      marginRight: 12,
      marginTop: 26,
      marginBottom: 42,
      x: { domain: [0.2, Math.max(2, sigma.length) + 0.8] },
      y: { domain: [0, sigma[0] * 1.08] },
      marks: [
        Plot.gridY({ ticks: 5, stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY({ ticks: 5, tickSize: 0, label: "σᵢ", labelArrow: "none", fill: "var(--muted)" }),
        countAxis("index i", { narrow }),
        Plot.ruleY([0], { stroke: "var(--muted)" }),
        ...(points.length > mostStems
          ? [Plot.lineY(points, { x: "index", y: "value", stroke: "var(--core)", strokeWidth: 2 })]
          : [
              Plot.ruleX(points, {
                x: "index",
                y: "value",
                stroke: "var(--core)",
                strokeOpacity: 0.35,
                strokeWidth: Math.max(1, (narrow ? 160 : 320) / Math.max(80, points.length)),
              }),
            ]),
        Plot.dot(points.length > mostStems ? points.slice(0, 2) : points, {
          x: "index",
          y: "value",
          r: narrow ? 2.5 : 4,
          fill: ({ index }: { index: number }) => (index <= 2 ? "var(--series-3)" : "var(--core)"),
          title: ({ index, value }: { index: number; value: number }) => `σ${index} = ${scientific(value)}`,
        }),
        Plot.text(named, {
          x: "index",
          y: "value",
          text: "text",
          textAnchor: "start",
          dx: 10,
          fill: "var(--ink)",
          fontWeight: 600,
          stroke: "var(--surface)",
          strokeWidth: 4,
        }),
      ],
    }),
  };
}
