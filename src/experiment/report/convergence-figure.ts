import * as Plot from "@observablehq/plot";
import { type Figure, legendMarkup } from "../../report/figure.js";
import { decades, powerOfTen, scientific, spreadOut } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";
import type { Convergence, ConvergencePoint } from "../result.js";

const curves = [
  {
    key: "power",
    label: "power iteration",
    color: "var(--series-2)",
    symbol: "circle",
    path: "M0,-5A5,5,0,1,1,0,5A5,5,0,1,1,0,-5Z",
  },
  {
    key: "lanczos",
    label: "block Lanczos",
    color: "var(--core)",
    symbol: "square",
    path: "M-4.5,-4.5H4.5V4.5H-4.5Z",
  },
] as const;

/** What the scales hold beside the data, so that they stay where they are when that changes. */
interface Frame {
  readonly passes: number;
  readonly errors: readonly number[];
}

/** Gradient error against passes over A, both scales logarithmic. */
export function convergenceFigure(convergence: Convergence, caption: Markup, frame?: Frame): Figure {
  const { ticks, domain, clamp } = decades([
    ...(frame?.errors ?? []),
    ...curves.flatMap(({ key }) => convergence[key].map(({ gradientError }) => gradientError)),
  ]);
  const onScale = (point: ConvergencePoint) => ({ ...point, gradientError: clamp(point.gradientError) });
  const points = curves.flatMap(({ key, ...look }) =>
    convergence[key].map((point) => ({ ...onScale(point), ...look })),
  );
  const most = Math.max(frame?.passes ?? 1, ...points.map(({ passes }) => passes));
  const stop = convergence.notebookStop && onScale(convergence.notebookStop);
  return {
    id: "figure-convergence",
    title: "Gradient error against passes over X",
    description: `Both scales are logarithmic. Power iteration ends at ${scientific(lastError(convergence.power))}, block Lanczos at ${scientific(lastError(convergence.lanczos))}.`,
    caption,
    legend: legendMarkup(curves.map(({ label, color, path }) => ({ label, color, symbol: path }))),
    draw: ({ narrow }) => ({
      height: narrow ? 320 : 400,
      marginLeft: narrow ? 44 : 56,
      marginRight: narrow ? 14 : 20,
      marginTop: 30,
      marginBottom: 42,
      x: { type: "log", domain: [1, Math.max(2, most * 1.15)] },
      y: { type: "log", domain: [...domain] },
      symbol: { type: "identity" },
      marks: [
        Plot.gridY(ticks, { stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY(spreadOut(ticks, 9), {
          tickSize: 0,
          label: "gradient error, Frobenius",
          labelArrow: "none",
          tickFormat: (tick: number) => powerOfTen(Math.round(Math.log10(tick))),
          fill: "var(--muted)",
        }),
        Plot.axisX(passTicks(most, narrow), {
          label: "passes over X",
          labelAnchor: "center",
          labelArrow: "none",
          // Not tickFormat: on a logarithmic scale that leaves out whatever is near a larger label.
          text: (tick: number) => tick.toLocaleString("en-US"),
          fill: "var(--muted)",
        }),
        Plot.ruleY([domain[0]], { stroke: "var(--muted)" }),
        Plot.line(points, { x: "passes", y: "gradientError", z: "label", stroke: "color", strokeWidth: 2 }),
        Plot.dot(points, {
          x: "passes",
          y: "gradientError",
          fill: "color",
          symbol: "symbol",
          r: narrow ? 3 : 3.5,
          title: ({ label, passes, gradientError }: ConvergencePoint & { label: string }) =>
            `${label}, ${passes} passes: ${scientific(gradientError)}`,
        }),
        ...(stop
          ? [
              Plot.dot([stop], {
                x: "passes",
                y: "gradientError",
                r: 9,
                stroke: "var(--ink)",
                strokeWidth: 1.5,
              }),
              Plot.text([stop], {
                x: "passes",
                y: "gradientError",
                text: () => (narrow ? "the notebook\nstops here" : "the notebook’s rule stops here"),
                textAnchor: "start",
                lineAnchor: "bottom",
                dx: 12,
                dy: -4,
                fill: "var(--ink)",
                fontStyle: "italic",
                stroke: "var(--surface)",
                strokeWidth: 4,
              }),
            ]
          : []),
      ],
    }),
  };
}

function lastError(curve: readonly ConvergencePoint[]): number {
  return curve.at(-1)?.gradientError ?? 0;
}

function passTicks(most: number, narrow: boolean): number[] {
  const leading = narrow && most >= 100 ? [1] : [1, 2, 5];
  return [1, 10, 100, 1000]
    .flatMap((decade) => leading.map((digit) => digit * decade))
    .filter((tick) => tick <= most * 1.15);
}
