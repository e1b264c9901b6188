import * as Plot from "@observablehq/plot";
import { countAxis } from "../../report/count-axis.js";
import type { Figure } from "../../report/figure.js";
import { decades, powerOfTen, scientific, spreadOut } from "../../report/format-number.js";
import { html, type Markup } from "../../report/markup.js";

/** A number for each matrix, in the model's order. */
interface LayerValues {
  readonly id: string;
  readonly title: string;
  /** of the axis */
  readonly label: string;
  readonly caption: Markup;
  readonly names: readonly string[];
  readonly values: readonly number[];
  /** what the stems stand on: the scale's end, or 1 for ratios */
  readonly base?: 1;
  /** lines across, to compare with */
  readonly levels?: readonly number[];
}

/** Beyond this ratio of the largest to the smallest, the scale is logarithmic. */
const LINEAR_UP_TO = 30;

/** A stem for each matrix: on a scale from 0 or, where values are of very different sizes, a logarithmic one. */
export function layerFigure({
  id,
  title,
  label,
  caption,
  names,
  values,
  base,
  levels = [],
}: LayerValues): Figure {
  const positive = values.filter((value) => value > 0 && value < Number.POSITIVE_INFINITY);
  const scale = scaleOf([...positive, ...levels], base);
  const [bottom, top] = scale.domain;
  const foot = base ?? bottom;
  const points = values.map((value, i) => ({
    layer: i + 1,
    value: Math.min(Math.max(value, bottom), top),
    text: `${names[i]}: ${scientific(value)}`,
    name: short(names[i]),
  }));
  // One name: more would run into each other.
  const furthest = points.reduce((a, b) => (away(b.value, base) > away(a.value, base) ? b : a));
  const largest = values.indexOf(Math.max(...values));
  return {
    id,
    title,
    description: `${values.length} values; the largest is ${scientific(values[largest])}, of ${names[largest]}.`,
    caption: html`${caption}${scale.type === "log" ? " The scale is logarithmic." : ""}`,
    draw: ({ narrow }) => ({
      height: narrow ? 260 : 320,
      marginLeft: narrow ? 46 : 60,
      marginRight: 16,
      marginTop: 30,
      marginBottom: 42,
      x: { domain: [0.2, values.length + 0.8] },
      y: { type: scale.type, domain: [bottom, top] },
      marks: [
        Plot.gridY(scale.ticks, { stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY(scale.ticks, {
          tickSize: 0,
          label,
          labelArrow: "none",
          // Not tickFormat: on a logarithmic scale that leaves out whatever is near a larger label.
          text: scale.text,
          fill: "var(--muted)",
        }),
        countAxis("matrix, in the model’s order", { narrow }),
        Plot.ruleY([foot], { stroke: "var(--muted)" }),
        Plot.ruleY(levels, { stroke: "var(--series-2)", strokeDasharray: "4,4", strokeWidth: 1.5 }),
        Plot.ruleX(points, {
          x: "layer",
          y1: foot,
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
        Plot.text([furthest], {
          x: "layer",
          y: "value",
          text: "name",
          textAnchor: furthest.layer > values.length / 2 ? "end" : "start",
          dy: -9,
          fill: "var(--ink)",
          fontWeight: 600,
          stroke: "var(--surface)",
          strokeWidth: 4,
        }),
      ],
    }),
  };
}

interface Scale {
  readonly type: "linear" | "log";
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  text(tick: number): string;
}

const MOST_TICKS = 7;

function scaleOf(values: readonly number[], base: number | undefined): Scale {
  const all = base ? [...values, base] : [...values];
  const [least, most] = all.length > 0 ? [Math.min(...all), Math.max(...all)] : [0, 1];
  const text = (tick: number) => String(Number(tick.toPrecision(3)));
  if (!base && most <= LINEAR_UP_TO * least) {
    const step = niceStep(most / 5);
    const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
    return { type: "linear", domain: [0, most * 1.1], ticks, text };
  }
  if (most <= LINEAR_UP_TO * least) {
    const domain = [least / 1.15, most * 1.15] as const;
    const ticks = [-2, -1, 0, 1, 2]
      .flatMap((e) => [1, 1.5, 2, 3, 5].map((digit) => Number(`${digit}e${e}`)))
      .filter((tick) => tick >= domain[0] && tick <= domain[1]);
    return { type: "log", domain, ticks, text };
  }
  const { ticks, domain } = decades(all);
  return {
    type: "log",
    domain,
    ticks: spreadOut(ticks, MOST_TICKS),
    text: (tick) => powerOfTen(Math.round(Math.log10(tick))),
  };
}

/** 1, 2 or 5 times a power of ten, no less than this. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((digit) => digit * power >= least) ?? 10);
}

function away(value: number, base: number | undefined): number {
  return base ? Math.abs(Math.log(value / base)) : value;
}

const LONGEST = 28;

/** The end of a name says more than its beginning. */
function short(name: string): string {
  return name.length > LONGEST ? `…${name.slice(1 - LONGEST)}` : name;
}
