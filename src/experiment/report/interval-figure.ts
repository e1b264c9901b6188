import * as Plot from "@observablehq/plot";
import { type Figure, legendMarkup } from "../../report/figure.js";
import { decades, spreadOut } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";
import { positionText } from "../interval.js";
import type { AccuracyRow, ExperimentResult } from "../result.js";
import { errorAxisMarks } from "./error-axis.js";
import { methodAxis, methodAxisMarks, methodFrame, methodPoints } from "./method-axis.js";

/** Plot's triangle turned upside down. */
const pointingDown = {
  draw(context: CanvasPath, size: number) {
    const y = Math.sqrt(size / (Math.sqrt(3) * 3));
    context.moveTo(0, y * 2);
    context.lineTo(-Math.sqrt(3) * y, -y);
    context.lineTo(Math.sqrt(3) * y, -y);
    context.closePath();
  },
};

const places = {
  inside: {
    label: "inside",
    color: "var(--series-1)",
    symbol: "circle",
    path: "M0,-5A5,5,0,1,1,0,5A5,5,0,1,1,0,-5Z",
  },
  below: { label: "below it", color: "var(--series-2)", symbol: pointingDown, path: "M0,6L5.2,-4L-5.2,-4Z" },
  above: { label: "above it", color: "var(--series-3)", symbol: "triangle", path: "M0,-6L5.2,4L-5.2,4Z" },
} as const;

/** Where each method's value lies: inside the proven interval, in a column of its own, or how far outside. */
export function intervalFigure(
  rows: readonly AccuracyRow[],
  certificate: ExperimentResult["certificate"],
  caption: Markup,
): Figure {
  const rounding = 2 ** -24 * certificate.float32.upper;
  const { ticks, domain, clamp } = decades([
    1e-13,
    1e-4,
    rounding,
    ...rows.map(({ outsideInterval }) => Math.abs(outsideInterval)),
  ]);
  // Two decades to the left of the scale, which stand for a distance of zero.
  const end = domain[0] / 100;
  const middle = domain[0] / 10;

  return {
    id: "figure-interval",
    title: "How far outside the proven interval, by method",
    description: `Logarithmic scale from ${domain[0]} to ${domain[1]}; values inside the interval stand in a column to the left of it. The same is in the table above.`,
    caption,
    legend: legendMarkup(
      Object.values(places).map(({ label, color, path }) => ({ label, color, symbol: path })),
    ),
    draw: (layout) => {
      const axis = methodAxis(rows, layout);
      const points = axis.rows.map(({ id, name, outsideInterval }) => ({
        id,
        value: outsideInterval === 0 ? middle : clamp(Math.abs(outsideInterval)),
        ...places[outsideInterval === 0 ? "inside" : outsideInterval < 0 ? "below" : "above"],
        title: `${name}: ${positionText(outsideInterval)}`,
      }));
      return {
        ...methodFrame(axis, [end, domain[1]]),
        symbol: { type: "identity" },
        marks: [
          Plot.rect([0], { x1: () => end, x2: () => domain[0], fill: "var(--series-1)", fillOpacity: 0.1 }),
          ...errorAxisMarks({
            ticks: spreadOut(ticks, layout.narrow ? 4 : 9).filter((tick) => tick > domain[0]),
            lines: ticks,
            floor: rounding,
            label: layout.narrow ? "float32" : "rounding σ̂ to float32",
          }),
          ...(["top", "bottom"] as const).map((anchor) =>
            Plot.axisX([middle], {
              anchor,
              label: null,
              tickSize: 4,
              tickFormat: () => "inside",
              fill: "var(--ink)",
            }),
          ),
          ...methodAxisMarks(axis),
          Plot.ruleY(
            points.filter(({ label }) => label !== "inside"),
            {
              y: "id",
              x1: () => domain[0],
              x2: "value",
              stroke: "color",
              strokeWidth: 2,
              strokeOpacity: 0.35,
            },
          ),
          methodPoints(points, layout),
        ],
      };
    },
  };
}
