import * as Plot from "@observablehq/plot";
import { oneLine } from "../../files/text.js";
import { countAxis } from "../../report/count-axis.js";
import { type Figure, legendMarkup } from "../../report/figure.js";
import { decades, powerOfTen, spreadOut } from "../../report/format-number.js";
import { html } from "../../report/markup.js";
import { digitsAbove } from "../rounded-digits.js";
import { type BoundedModel, nodeText, opText } from "./bounded-model.js";
import { heaviestPath, type PathStep, shownValue } from "./heaviest-path.js";

/** Chosen: labels of the axis, and characters of a name in the figure. */
const MOST_TICKS = 7;
const LONGEST = 30;

/** Chosen: the largest range that is drawn in decades; what lies beyond is drawn at its end. */
const SMALLEST = 1e-30;

/** Chosen: outputs whose paths are drawn. */
const MOST_PATHS = 8;

/** The figures of the heaviest paths to the outputs, the largest bound first; a path of one map has none. */
export function pathFigures(id: string, { maps, outputs }: BoundedModel): Figure[] {
  const values = [...outputs]
    .sort((one, other) => (other.bound ?? -1) - (one.bound ?? -1))
    .flatMap((answer) => shownValue(maps, answer) ?? []);
  const paths = [...new Set(values)]
    .slice(0, MOST_PATHS)
    .map((value) => ({ value, steps: heaviestPath(maps, value) }))
    .filter(({ steps }) => steps.length > 1);
  return paths.map(({ value, steps }, k) => pathFigure(`${id}-${k}`, value, steps));
}

/** The factors of the maps on a path, from 1 on, and the bound so far as a line, both on a logarithmic scale. */
function pathFigure(id: string, value: string, steps: readonly PathStep[]): Figure {
  const points = steps.map(({ map, factor, bound }, k) => ({
    place: k + 1,
    factor: Math.max(factor, SMALLEST),
    bound: Math.max(bound, SMALLEST),
    name: short(nodeText(map)),
    text: `${nodeText(map)} (${opText(map)})\nfactor ${digitsAbove(factor)}\nbound so far ${digitsAbove(bound)}`,
  }));
  const start = { place: 0, bound: 1 };
  const largest = points.reduce((a, b) => (b.factor > a.factor ? b : a));
  const { ticks, domain, label } = scaleOf([1, ...points.flatMap(({ factor, bound }) => [factor, bound])]);
  const last = steps[steps.length - 1];
  const kinds = [
    {
      label: "factor above 1",
      color: "var(--core)",
      symbol: "M-4,-6H4V6H-4Z",
      of: (factor: number) => factor > 1,
    },
    {
      label: "factor below 1",
      color: "var(--tfjs)",
      symbol: "M-4,-6H4V6H-4Z",
      of: (factor: number) => factor < 1,
    },
  ];
  const name = oneLine(value);
  return {
    id,
    title: `Which maps contribute most to the bound of ${short(name)}`,
    description:
      `${steps.length} maps in a row; the largest factor is ${digitsAbove(largest.factor)}, of ${largest.name}; ` +
      `the bound at the end is ${digitsAbove(last.bound)}.`,
    caption: html`The maps on the path whose bounds are largest, from an input to ${name}. Their factors multiply to its bound. The scale is logarithmic.`,
    legend: legendMarkup([
      ...kinds.filter((kind) => points.some(({ factor }) => kind.of(factor))),
      { label: "bound so far", color: "var(--series-3)", symbol: "M-8,-1.5H8V1.5H-8Z" },
    ]),
    draw: ({ narrow }) => ({
      height: narrow ? 280 : 340,
      marginLeft: narrow ? 46 : 60,
      marginRight: 16,
      marginTop: 30,
      marginBottom: 42,
      x: { domain: [-0.2, steps.length + 0.8] },
      y: { type: "log", domain: [...domain] },
      marks: [
        Plot.gridY(ticks, { stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY(ticks, {
          tickSize: 0,
          label: "factor",
          labelArrow: "none",
          text: label,
          fill: "var(--muted)",
        }),
        countAxis("map, along the path", { narrow }),
        Plot.ruleY([1], { stroke: "var(--muted)" }),
        ...kinds.map(({ color, of }) =>
          Plot.ruleX(
            points.filter(({ factor }) => of(factor)),
            {
              x: "place",
              y1: 1,
              y2: "factor",
              stroke: color,
              title: "text",
              strokeWidth: Math.min(14, Math.max(1.5, (narrow ? 180 : 440) / points.length)),
            },
          ),
        ),
        Plot.line([start, ...points, { ...points[points.length - 1], place: points.length + 0.6 }], {
          x: "place",
          y: "bound",
          curve: "step-after",
          stroke: "var(--series-3)",
          strokeWidth: 2,
        }),
        Plot.text([largest], {
          x: "place",
          y: "factor",
          text: "name",
          textAnchor: largest.place > steps.length / 2 ? "end" : "start",
          dy: -8,
          fill: "var(--ink)",
          fontWeight: 600,
          stroke: "var(--surface)",
          strokeWidth: 4,
        }),
      ],
    }),
  };
}

/** The end of a name says more than its beginning. */
function short(name: string): string {
  return name.length > LONGEST ? `…${name.slice(1 - LONGEST)}` : name;
}

/** Chosen: a smaller ratio of the largest to the smallest value has ticks between the powers of ten. */
const SHORT = 100;

interface Scale {
  readonly ticks: readonly number[];
  readonly domain: readonly [number, number];
  label(tick: number): string;
}

/** A logarithmic scale for values, with room for a name above the largest. */
function scaleOf(values: readonly number[]): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const domain = [least / 1.2, most * (most / least < SHORT ? 1.4 : 4)] as const;
  const { ticks } = decades(values);
  if (most / least < SHORT) {
    const between = ticks.flatMap((tick) => [tick, 2 * tick, 5 * tick]);
    const inside = between.filter((tick) => tick >= domain[0] && tick <= domain[1]);
    return { ticks: inside, domain, label: (tick) => String(Number(tick.toPrecision(1))) };
  }
  const inside = ticks.filter((tick) => tick >= domain[0] && tick <= domain[1]);
  const label = (tick: number) => powerOfTen(Math.round(Math.log10(tick)));
  return { ticks: spreadOut(inside, MOST_TICKS), domain, label };
}
