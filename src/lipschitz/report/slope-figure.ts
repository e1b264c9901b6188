import * as Plot from "@observablehq/plot";
import { oneLine } from "../../files/text.js";
import { type Figure, legendMarkup } from "../../report/figure.js";
import { decades, powerOfTen, scientific, spreadOut } from "../../report/format-number.js";
import { html } from "../../report/markup.js";
import { digitsAbove, digitsBelow } from "../rounded-digits.js";
import type { OutputAnswer } from "./bounded-model.js";

/** Chosen: outputs in the figure, and characters of their names. */
const MOST_OUTPUTS = 20;
const LONGEST = { wide: 24, narrow: 12 };

const SMALLEST = 1e-30;
const CIRCLE = "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0Z";
const BAR = "M-2,-7H2V7H-2Z";

/** The proven bound of each output beside the largest slope that was found; undefined if none was found. */
export function slopeFigure(id: string, answers: readonly OutputAnswer[]): Figure | undefined {
  const found = answers
    .flatMap(({ output, bound, lower, lowerHow }) =>
      bound !== undefined && lower !== undefined && lower >= 0
        ? [{ name: oneLine(output), bound, lower, how: lowerHow }]
        : [],
    )
    .slice(0, MOST_OUTPUTS);
  if (found.length === 0) return undefined;
  const rows = found.map(({ name, bound, lower }, k) => ({
    // Two names may be the same once they are shortened.
    row: k,
    name,
    bound: Math.max(bound, SMALLEST),
    lower: Math.max(lower, SMALLEST),
    ratio: lower > 0 ? `${scientific(bound / lower)} times` : "",
    text: `${name}: slope at least ${digitsBelow(lower)}, at most ${digitsAbove(bound)}`,
  }));
  const { ticks, domain } = decades(rows.flatMap(({ bound, lower }) => [bound, lower]));
  const hows = [...new Set(found.flatMap(({ how }) => (how === undefined ? [] : [oneLine(how)])))];
  return {
    id,
    title: "The bound and the largest slope that was found",
    description: rows.map(({ text }) => text).join("; "),
    caption: html`${hows.length > 0 ? `Slopes: ${hows.join("; ")}. ` : ""}The Lipschitz constant is at most the bound; the slope is below it, up to rounding. The scale is logarithmic.`,
    legend: legendMarkup([
      { label: "largest slope found", color: "var(--series-2)", symbol: CIRCLE },
      { label: "proven bound", color: "var(--core)", symbol: BAR },
    ]),
    draw: ({ narrow }) => ({
      height: 70 + 34 * rows.length,
      marginLeft: narrow ? 96 : 180,
      marginRight: 24,
      marginTop: 12,
      marginBottom: 42,
      x: { type: "log", domain: [...domain] },
      y: { type: "band", domain: rows.map(({ row }) => row) },
      marks: [
        Plot.gridX(spreadOut(ticks, narrow ? 4 : 7), { stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisX(spreadOut(ticks, narrow ? 4 : 7), {
          label: "slope",
          labelAnchor: "center",
          labelArrow: "none",
          text: (tick: number) => powerOfTen(Math.round(Math.log10(tick))),
          fill: "var(--muted)",
        }),
        Plot.axisY({
          tickSize: 0,
          label: null,
          tickFormat: (row: number) => short(rows[row].name, narrow ? LONGEST.narrow : LONGEST.wide),
          fill: "var(--ink)",
        }),
        Plot.link(rows, { x1: "lower", x2: "bound", y: "row", stroke: "var(--muted)", strokeWidth: 1.5 }),
        Plot.text(rows, {
          x: (row: { bound: number; lower: number }) => Math.sqrt(row.bound) * Math.sqrt(row.lower),
          y: "row",
          text: "ratio",
          dy: -14,
          fill: "var(--muted)",
          stroke: "var(--surface)",
          strokeWidth: 4,
        }),
        Plot.dot(rows, { x: "lower", y: "row", r: 5, fill: "var(--series-2)", title: "text" }),
        Plot.tickX(rows, {
          x: "bound",
          y: "row",
          stroke: "var(--core)",
          strokeWidth: 4,
          inset: 6,
          title: "text",
        }),
      ],
    }),
  };
}

function short(name: string, most: number): string {
  return name.length > most ? `…${name.slice(1 - most)}` : name;
}
