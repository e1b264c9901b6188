import * as Plot from "@observablehq/plot";
import type { Figure } from "../../experiment/report/figure.js";
import type { Markup } from "../../experiment/report/markup.js";
import { decades, powerOfTen, scientific, spreadOut } from "../../experiment/report/numbers.js";

/** A number for each matrix, in the model's order. */
export interface LayerValues {
  readonly id: string;
  readonly title: string;
  /** of the axis */
  readonly label: string;
  readonly caption: Markup;
  readonly names: readonly string[];
  readonly values: readonly number[];
  /** what the stems stand on: the scale's end, or 1 for ratios */
  readonly base?: 1;
}

/** The largest are named; more would run into each other. */
const NAMED = 3;

/** A stem for each matrix on a logarithmic scale; what is 0 stands at its lower end. */
export function layerFigure({ id, title, label, caption, names, values, base }: LayerValues): Figure {
  const positive = values.filter((value) => value > 0 && value < Number.POSITIVE_INFINITY);
  const { ticks, domain, clamp } = decades(base ? [...positive, base] : positive);
  const narrowed = tight(positive, base) ?? domain;
  const points = values.map((value, i) => ({
    layer: i + 1,
    value: Math.min(Math.max(clamp(value), narrowed[0]), narrowed[1]),
    text: `${names[i]}: ${scientific(value)}`,
    name: short(names[i]),
  }));
  const extreme = [...points]
    .sort((a, b) => away(b.value, base) - away(a.value, base))
    .slice(0, Math.min(NAMED, points.length));
  const largest = values.indexOf(Math.max(...values));
  return {
    id,
    title,
    description: `${values.length} values; the largest is ${scientific(values[largest])}, of ${names[largest]}.`,
    caption,
    draw: ({ narrow }) => ({
      height: narrow ? 260 : 320,
      marginLeft: narrow ? 46 : 60,
      marginRight: 16,
      marginTop: 30,
      marginBottom: 42,
      x: { domain: [0.2, values.length + 0.8] },
      y: { type: "log", domain: [...narrowed] },
      marks: [
        Plot.gridY({ ticks: 5, stroke: "var(--rule)", strokeOpacity: 0.9 }),
        narrowed === domain
          ? Plot.axisY(spreadOut(ticks, 7), {
              tickSize: 0,
              label,
              labelArrow: "none",
              tickFormat: (tick: number) => powerOfTen(Math.round(Math.log10(tick))),
              fill: "var(--muted)",
            })
          : Plot.axisY({
              ticks: 5,
              tickSize: 0,
              label,
              labelArrow: "none",
              tickFormat: "~g",
              fill: "var(--muted)",
            }),
        Plot.axisX({
          ticks: narrow ? 5 : 10,
          tickFormat: (tick: number) => (Number.isInteger(tick) ? String(tick) : ""),
          label: "matrix, in the model’s order",
          labelAnchor: "center",
          labelArrow: "none",
          fill: "var(--muted)",
        }),
        Plot.ruleY([base ?? narrowed[0]], { stroke: "var(--muted)" }),
        Plot.ruleX(points, {
          x: "layer",
          y1: base ?? narrowed[0],
          y2: "value",
          stroke: "var(--core)",
          strokeOpacity: 0.35,
          strokeWidth: Math.max(1, (narrow ? 120 : 320) / Math.max(80, points.length)),
        }),
        Plot.dot(points, {
          x: "layer",
          y: "value",
          r: narrow ? 2.5 : 3.5,
          fill: "var(--core)",
          title: "text",
        }),
        ...(["start", "end"] as const).map((textAnchor) =>
          Plot.text(
            extreme.filter(({ layer }) => layer > values.length / 2 === (textAnchor === "end")),
            {
              x: "layer",
              y: "value",
              text: "name",
              textAnchor,
              dy: -9,
              fill: "var(--ink)",
              fontWeight: 600,
              stroke: "var(--surface)",
              strokeWidth: 4,
            },
          ),
        ),
      ],
    }),
  };
}

/** Where all lies within little more than a decade, no whole decades but what there is. */
function tight(values: readonly number[], base: number | undefined): [number, number] | undefined {
  const all = base ? [...values, base] : [...values];
  if (all.length === 0) return undefined;
  const [least, most] = [Math.min(...all), Math.max(...all)];
  if (most / least > 30) return undefined;
  return base ? [least / 1.1, most * 1.1] : [least / 1.3, most * 1.2];
}

function away(value: number, base: number | undefined): number {
  return base ? Math.abs(Math.log(value / base)) : value;
}

const LONGEST = 28;

/** The end of a name says more than its beginning. */
function short(name: string): string {
  return name.length > LONGEST ? `…${name.slice(1 - LONGEST)}` : name;
}
