import * as Plot from "@observablehq/plot";
import { countAxis } from "../../src/report/count-axis.js";
import { type Figure, legendMarkup } from "../../src/report/figure.js";
import { powerOfTen } from "../../src/report/format-number.js";
import { html } from "../../src/report/markup.js";
import type { Interval } from "../work/interval.js";

/** The exponent of the smallest relative distance that is drawn. */
const nearest = -16;

const looks = {
  upper: {
    label: "proven from above",
    color: "var(--series-1)",
    symbol: "square",
    path: "M-4.5,-4.5H4.5V4.5H-4.5Z",
  },
  lower: {
    label: "proven from below",
    color: "var(--series-2)",
    symbol: "circle",
    path: "M0,-5A5,5,0,1,1,0,5A5,5,0,1,1,0,-5Z",
  },
  failed: {
    label: "a test that failed: no proof",
    color: "var(--muted)",
    symbol: "times",
    path: "M-5,-6L0,-1L5,-6L6,-5L1,0L6,5L5,6L0,1L-5,6L-6,5L-1,0L-6,-5Z",
  },
} as const;

/**
 * Bounds against tests. The vertical scale runs in powers of ten of the distance from ‖A‖₂, upwards above and downwards
 * below it; what lies at it is the middle of the interval that `certify` proves.
 *
 * @param count  of tests to show
 */
export function intervalFigure({ first, steps, certificate }: Interval, count: number): Figure {
  const middle = certificate.lower + (certificate.upper - certificate.lower) / 2;
  const height = (value: number) => {
    const distance = Math.abs(value - middle) / middle;
    return Math.sign(value - middle) * Math.max(0, Math.log10(distance) - nearest);
  };
  const known = [first, ...steps.slice(0, count)].map(({ lower, upper }, test) => ({
    test,
    lower: height(lower),
    upper: height(upper),
  }));
  const failed = steps
    .slice(0, count)
    .flatMap(({ passed, alpha }, i) => (passed ? [] : [{ test: i + 1, alpha: height(alpha) }]));
  const most = Math.ceil(height(first.upper));
  const ticks = [-16, -12, -8, -4, 0, 4, 8, 12, 16].filter((tick) => Math.abs(tick) <= most + 1);
  return {
    id: "figure-interval",
    title: "The interval around ‖A‖₂, test by test",
    description: `Distances from the norm on logarithmic scales above and below it. After ${count} tests the interval is ${(known[count].upper - known[count].lower).toFixed(0)} of these decades wide.`,
    caption: html`The distance from ‖A‖₂, relative to it, in powers of ten: above the middle line what is larger, below it what is
smaller. Each test asks of the number half way between the last that failed and the last that passed whether no vector is
lengthened by more.`,
    legend: legendMarkup(
      Object.values(looks).map(({ label, color, path }) => ({ label, color, symbol: path })),
    ),
    draw: ({ narrow }) => ({
      height: narrow ? 320 : 400,
      marginLeft: narrow ? 52 : 64,
      marginRight: 16,
      marginTop: 14,
      marginBottom: 42,
      x: { domain: [0, Math.max(1, steps.length)] },
      y: { domain: [-most - 0.5, most + 0.5] },
      marks: [
        Plot.gridY(ticks, { stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY(ticks, {
          tickSize: 0,
          label: null,
          tickFormat: (tick: number) =>
            tick === 0 ? "‖A‖₂" : `${tick > 0 ? "+" : "−"}${powerOfTen(Math.abs(tick) + nearest)}`,
          fill: "var(--muted)",
        }),
        countAxis("tests", { narrow }),
        Plot.ruleY([0], { stroke: "var(--ink)", strokeOpacity: 0.6 }),
        Plot.areaY(known, {
          x: "test",
          y1: "lower",
          y2: "upper",
          fill: "var(--core)",
          fillOpacity: 0.12,
          curve: "step-after",
        }),
        ...(["upper", "lower"] as const).flatMap((side) => [
          Plot.line(known, {
            x: "test",
            y: side,
            stroke: looks[side].color,
            strokeWidth: 2,
            curve: "step-after",
          }),
          Plot.dot(known, {
            x: "test",
            y: side,
            fill: looks[side].color,
            symbol: looks[side].symbol,
            r: narrow ? 2.5 : 3.5,
          }),
        ]),
        Plot.dot(failed, {
          x: "test",
          y: "alpha",
          stroke: looks.failed.color,
          symbol: looks.failed.symbol,
          strokeWidth: 1.5,
          r: narrow ? 2.5 : 3.5,
        }),
      ],
    }),
  };
}
