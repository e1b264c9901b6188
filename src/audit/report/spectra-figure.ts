import * as Plot from "@observablehq/plot";
import { countAxis } from "../../report/count-axis.js";
import type { Figure } from "../../report/figure.js";
import { scientific } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";

export interface Spectrum {
  readonly name: string;
  /** descending */
  readonly values: readonly number[];
}

/** The leading singular values of a chosen matrix, relative to its first, before those of the others. */
export function spectraFigure(
  id: string,
  chosen: Spectrum,
  others: readonly Spectrum[],
  caption: Markup,
): Figure {
  const points = (spectrum: Spectrum) =>
    spectrum.values.map((value, i) => ({
      index: i + 1,
      value: value / (spectrum.values[0] || 1),
      name: spectrum.name,
      text: `${spectrum.name}: σ${i + 1} = ${scientific(value)}`,
    }));
  const [own, rest] = [points(chosen), others.flatMap(points)];
  const most = Math.max(own.length, ...others.map(({ values }) => values.length));
  const last = chosen.values[chosen.values.length - 1];
  return {
    id,
    title: `The leading singular values of ${chosen.name}`,
    description: `${own.length} values that fall from ${scientific(chosen.values[0])} to ${scientific(last)}.`,
    caption,
    draw: ({ narrow }) => ({
      height: narrow ? 240 : 300,
      marginLeft: narrow ? 40 : 52,
      marginRight: 16,
      marginTop: 26,
      marginBottom: 42,
      x: { domain: [0.2, Math.max(2, most) + 0.8] },
      y: { domain: [0, 1.08] },
      marks: [
        Plot.gridY({ ticks: 5, stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY({ ticks: 5, tickSize: 0, label: "σᵢ/σ₁", labelArrow: "none", fill: "var(--muted)" }),
        countAxis("index i", { narrow }),
        Plot.ruleY([0], { stroke: "var(--muted)" }),
        Plot.line(rest, { x: "index", y: "value", z: "name", stroke: "var(--muted)", strokeOpacity: 0.3 }),
        Plot.line(own, { x: "index", y: "value", stroke: "var(--core)", strokeWidth: 2 }),
        Plot.dot(own, { x: "index", y: "value", r: narrow ? 2.5 : 3.5, fill: "var(--core)", title: "text" }),
      ],
    }),
  };
}
