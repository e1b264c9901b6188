import * as Plot from "@observablehq/plot";
import type { Figure } from "../../src/report/figure.js";
import { scientific } from "../../src/report/format-number.js";
import { html } from "../../src/report/markup.js";
import type { NetworkResult, Result } from "./experiment.js";
import { colorOf } from "./series.js";

const measures = [
  { key: "slopes", label: "between two digits", short: "pairs" },
  { key: "jacobianNorms", label: "at a digit, Jacobian", short: "Jacobian" },
  { key: "differences", label: "at a digit, difference", short: "difference" },
] as const;

interface Row {
  readonly id: string;
  readonly label: string;
  readonly color: string;
  /** smallest, quarter, median, three quarters, largest */
  readonly five: readonly number[];
}

/** The measured steepness of each network below the product of its layers' norms. */
export function steepnessFigure({ networks, settings }: Result): Figure {
  const values = networks.flatMap(({ steepness, bound }) => [
    bound,
    ...measures.flatMap(({ key }) => fiveNumbers(steepness[key])),
  ]);
  const domain = [Math.min(...values) / 1.15, Math.max(...values) * 1.6];
  const pairs = (settings.measured * (settings.measured - 1)) / 2;
  return {
    id: "steepness",
    title: "How steep the networks are, and how steep they can be at most",
    description: networks
      .map(
        ({ name, bound, steepness }) =>
          `${name}: at most ${scientific(bound)}, measured up to ${scientific(fiveNumbers(steepness.jacobianNorms)[4])}`,
      )
      .join("; "),
    caption: html`Change of the logits over change of the input. The diamond is the product of the layers’ norms, which nothing can
exceed. The bars are measured: between ${pairs.toLocaleString("en-US")} pairs of digits; at ${settings.measured} digits as the norm
of the Jacobian; and there again as a finite difference of ${settings.differenceStep} along its first singular vector. A thin bar
runs from the smallest to the largest, the thick one holds the middle half, the dot is the median.`,
    draw: ({ narrow }) => {
      const rows = networks.flatMap((network) => rowsOf(networks, network, narrow));
      const bounds = networks.map((network) => ({
        id: `${network.name}|bound`,
        bound: network.bound,
        color: colorOf(networks, network),
      }));
      const order = networks.flatMap(({ name }) => [
        name,
        ...measures.map(({ key }) => `${name}|${key}`),
        `${name}|bound`,
      ]);
      const label = new Map([
        ...rows.map((row) => [row.id, row.label] as const),
        ...bounds.map(({ id }) => [id, "bound"] as const),
      ]);
      const marginLeft = narrow ? 84 : 164;
      return {
        height: order.length * 22 + 62,
        marginTop: 6,
        marginBottom: 42,
        marginLeft,
        marginRight: 14,
        x: { type: "log", domain, label: null },
        y: { type: "band", domain: order, padding: 0, label: null },
        symbol: { type: "identity" },
        marks: [
          Plot.gridX(ticksIn(domain), { stroke: "var(--rule)", strokeOpacity: 0.8 }),
          Plot.axisX(ticksIn(domain), {
            tickSize: 0,
            // Not tickFormat: on a logarithmic scale that leaves labels out.
            text: String,
            label: "‖f(x) − f(x′)‖ / ‖x − x′‖",
            labelAnchor: "center",
            labelArrow: "none",
            fill: "var(--muted)",
          }),
          Plot.axisY({
            ticks: order.filter((id) => label.has(id)),
            tickFormat: (id: string) => label.get(id) ?? "",
            tickSize: 0,
            fill: "var(--ink)",
          }),
          Plot.text(networks, {
            y: "name",
            text: "name",
            frameAnchor: "left",
            dx: -marginLeft + 2,
            dy: 2,
            fill: (network: NetworkResult) => colorOf(networks, network),
            fontWeight: 650,
          }),
          Plot.ruleX(bounds, {
            x: "bound",
            y1: ({ id }: { id: string }) => id.replace("bound", measures[0].key),
            y2: "id",
            stroke: "color",
            strokeDasharray: "2 3",
          }),
          Plot.ruleY(rows, {
            y: "id",
            x1: (row: Row) => row.five[0],
            x2: (row: Row) => row.five[4],
            stroke: "color",
            strokeWidth: 2,
          }),
          Plot.ruleY(rows, {
            y: "id",
            x1: (row: Row) => row.five[1],
            x2: (row: Row) => row.five[3],
            stroke: "color",
            strokeWidth: 8,
            strokeOpacity: 0.45,
          }),
          Plot.dot(rows, {
            y: "id",
            x: (row: Row) => row.five[2],
            r: 3.5,
            fill: "color",
            stroke: "var(--surface)",
            title: ({ label, five }: Row) =>
              `${label}: ${scientific(five[0])} to ${scientific(five[4])}, median ${scientific(five[2])}`,
          }),
          Plot.dot(bounds, { y: "id", x: "bound", symbol: "diamond", r: 6, fill: "color" }),
          Plot.text(bounds, {
            y: "id",
            x: "bound",
            text: ({ bound }: { bound: number }) => bound.toPrecision(3),
            textAnchor: "end",
            dx: -11,
            fill: "color",
            fontWeight: 600,
          }),
        ],
      };
    },
  };
}

function rowsOf(networks: readonly NetworkResult[], network: NetworkResult, narrow: boolean): Row[] {
  return measures.map(({ key, label, short }) => ({
    id: `${network.name}|${key}`,
    label: narrow ? short : label,
    color: colorOf(networks, network),
    five: fiveNumbers(network.steepness[key]),
  }));
}

function fiveNumbers(values: Float64Array): number[] {
  const sorted = values.slice().sort();
  return [0, 0.25, 0.5, 0.75, 1].map((part) => sorted[Math.round(part * (sorted.length - 1))]);
}

export function ticksIn([least, most]: readonly number[]): number[] {
  return [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    .flatMap((decade) => [1, 2, 5].map((digit) => Number((digit * decade).toPrecision(1))))
    .filter((tick) => tick >= least && tick <= most);
}
