import * as Plot from "@observablehq/plot";
import { type Figure, legendMarkup } from "../../report/figure.js";
import { decades, scientific, spreadOut } from "../../report/format-number.js";
import type { Markup } from "../../report/markup.js";
import type { Finding, SecondDerivativeReference, SecondDerivativeRow } from "../result.js";
import { wrongAbove } from "../verdict.js";
import { errorAxisMarks } from "./error-axis.js";
import { methodAxis, methodAxisMarks, methodFrame } from "./method-axis.js";

const kinds = [
  {
    label: "X",
    color: "var(--series-1)",
    // So that one shows behind the other where they coincide.
    radius: 6.5,
    symbol: "circle",
    path: "M0,-5A5,5,0,1,1,0,5A5,5,0,1,1,0,-5Z",
    finding: (row: SecondDerivativeRow): Finding => row,
  },
  {
    label: "diag(3, 1, 1), lower singular values tied",
    color: "var(--series-3)",
    radius: 4,
    symbol: "diamond",
    path: "M0,-6.5L4.4,0L0,6.5L-4.4,0Z",
    finding: (row: SecondDerivativeRow): Finding => row.tied,
  },
] as const;

/** Error of the second derivative against method, two marks a row; in words where there is no number. */
export function secondDerivativeFigure(
  rows: readonly SecondDerivativeRow[],
  reference: SecondDerivativeReference,
  caption: Markup,
): Figure {
  const errors = rows.flatMap((row) => kinds.map(({ finding }) => finding(row).error ?? 0));
  const { ticks, domain, clamp } = decades([1e-16, 10, ...errors]);
  const floor = clamp(reference.error);

  return {
    id: "figure-second-derivative",
    title: "Error of the second derivative, by method",
    description: `Logarithmic scale from ${domain[0]} to ${domain[1]}. Methods without a second derivative have no mark. The same is in the table below.`,
    caption,
    legend: legendMarkup(kinds.map(({ label, color, path }) => ({ label, color, symbol: path }))),
    draw: (layout) => {
      const axis = methodAxis(rows, layout, layout.narrow ? 138 : 166);
      const points = axis.rows.flatMap((row) =>
        kinds.flatMap(({ color, radius, symbol, label, finding }) => {
          const { error } = finding(row);
          if (error === null) return [];
          const title = `${row.name}, ${label}: ${scientific(error)}`;
          return { id: row.id, value: clamp(error), color, radius, symbol, title };
        }),
      );
      return {
        ...methodFrame(axis, domain),
        marginRight: layout.narrow ? 62 : 132,
        symbol: { type: "identity" },
        r: { type: "identity" },
        marks: [
          Plot.rect([0], {
            x1: () => Math.max(wrongAbove, domain[0]),
            x2: () => domain[1],
            fill: "var(--wrong)",
            fillOpacity: 0.1,
          }),
          ...errorAxisMarks({
            ticks: spreadOut(ticks, layout.narrow ? 4 : 9),
            lines: ticks,
            floor,
            label: layout.narrow ? "differences" : "the differences’ own error",
          }),
          ...methodAxisMarks(axis),
          ...([true, false] as const).map((absent) =>
            Plot.text(axis.rows, {
              filter: ({ verdict }: SecondDerivativeRow) => (verdict === "none") === absent,
              y: "id",
              text: (row: SecondDerivativeRow) => inWords(row, layout.narrow),
              frameAnchor: "right",
              textAnchor: "start",
              dx: 10,
              fill: absent ? "var(--muted)" : "var(--wrong)",
              fontWeight: absent ? 400 : 600,
            }),
          ),
          Plot.dot(points, {
            x: "value",
            y: "id",
            fill: "color",
            symbol: "symbol",
            r: (point: { radius: number }) => point.radius - (layout.narrow ? 0.5 : 0),
            stroke: "var(--surface)",
            strokeWidth: 1,
            title: "title",
          }),
        ],
      };
    },
  };
}

/** What the marks cannot say, beside the scale. */
function inWords({ verdict, tied }: SecondDerivativeRow, narrow: boolean): string {
  const brief = (word: string) => (narrow && word === "silently wrong" ? "wrong" : word);
  if (verdict !== "right") return brief(verdict);
  if (tied.verdict === "right") return "";
  return narrow ? `◆ ${brief(tied.verdict)}` : `◆ ${tied.verdict}`;
}
