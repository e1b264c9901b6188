import * as Plot from "@observablehq/plot";
import { integerTick } from "../../report/count-axis.js";
import type { Figure } from "../../report/figure.js";
import { scientific } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";

const BINS = 16;

/** How often σ₁ is of which size; bins of equal ratio. */
export function histogramFigure(id: string, sigmas: readonly number[], caption: Markup): Figure {
  const values = sigmas.filter((sigma) => sigma > 0).map(Math.log10);
  const [least, most] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const width = Math.max((most - least) / BINS, 1e-3);
  const counts = new Map<number, number>();
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.floor((value - least) / width));
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  const bars = [...counts].map(([bin, count]) => ({
    from: least + bin * width,
    to: least + (bin + 1) * width,
    count,
    text: `${scientific(10 ** (least + bin * width))} to ${scientific(10 ** (least + (bin + 1) * width))}: ${count}`,
  }));
  return {
    id,
    title: "How large the norms are",
    description: `${values.length} norms from ${scientific(10 ** least)} to ${scientific(10 ** most)}.`,
    caption,
    draw: ({ narrow }) => ({
      height: narrow ? 220 : 260,
      marginLeft: narrow ? 36 : 48,
      marginRight: 16,
      marginTop: 26,
      marginBottom: 42,
      x: { domain: [least - width / 2, least + BINS * width + width / 2] },
      y: { domain: [0, Math.max(1, ...counts.values()) * 1.08] },
      marks: [
        Plot.gridY({ ticks: 4, stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY({
          ticks: 4,
          tickSize: 0,
          label: "matrices",
          labelArrow: "none",
          tickFormat: integerTick,
          fill: "var(--muted)",
        }),
        Plot.axisX({
          ticks: narrow ? 4 : 8,
          tickFormat: (tick: number) => scientific(10 ** tick),
          label: "σ₁, logarithmic",
          labelAnchor: "center",
          labelArrow: "none",
          fill: "var(--muted)",
        }),
        Plot.rectY(bars, {
          x1: "from",
          x2: "to",
          y: "count",
          fill: "var(--core)",
          inset: 0.5,
          title: "text",
        }),
        Plot.ruleY([0], { stroke: "var(--muted)" }),
      ],
    }),
  };
}
