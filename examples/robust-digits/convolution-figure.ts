import * as Plot from "@observablehq/plot";
import type { Figure } from "../../src/report/figure.js";
import { scientific } from "../../src/report/format-number.js";
import { html } from "../../src/report/markup.js";
import { largest, type Result } from "./experiment.js";
import { ticksIn } from "./steepness-figure.js";
import { reshapedProduct } from "./tables.js";

const measures = [
  { key: "jacobianNorms", label: "at a digit, Jacobian", short: "Jacobian" },
  { key: "attackSlopes", label: "digit to attacked digit", short: "attack" },
] as const;

const colors = ["var(--series-2)", "var(--series-3)", "var(--series-1)"];

/** What networks with convolutions are proven not to exceed, and what was found below. */
export function convolutionFigure({ convolutional: networks, settings }: Result): Figure {
  const values = networks.flatMap((network) => [
    network.bound,
    reshapedProduct(network),
    ...measures.flatMap(({ key }) => [...network.steepness[key]]),
  ]);
  const domain = [Math.min(...values) / 1.15, Math.max(...values) * 1.15];
  return {
    id: "convolution",
    title: "Networks with convolutions: proven bounds, and slopes that were found",
    description: networks
      .map(
        ({ name, bound, steepness }) =>
          `${name}: at most ${scientific(bound)}; Jacobian norms up to ${scientific(largest(steepness.jacobianNorms))}, attacks up to ${scientific(largest(steepness.attackSlopes))}`,
      )
      .join("; "),
    caption: html`Change of the logits over change of the input. The filled diamond and the dotted line are the proven bound: nothing
lies to the right of it. Each stroke is a measurement: the norm of the Jacobian at one of ${settings.convolutional.measured} test
digits, or the slope between a digit and what an attack made of it. The hollow diamond is the product of the norms of the kernels
reshaped to matrices. It is no bound.`,
    draw: ({ narrow }) => {
      const rows = networks.flatMap((network, k) => {
        const { name } = network;
        const color = colors[k % colors.length];
        const row = (key: string, label: string, short: string) => ({
          ...{ id: `${name}|${key}`, label: narrow ? short : label, color, network, key },
        });
        return [
          row("name", "", ""),
          ...measures.map(({ key, label, short }) => row(key, label, short)),
          row("reshaped", "reshaped kernels", "reshaped"),
          row("bound", "proven bound", "bound"),
        ];
      });
      const keyed = (wanted: string) => rows.filter(({ key }) => key === wanted);
      const found = measures.flatMap(({ key }) =>
        keyed(key).flatMap(({ id, color, network }) =>
          Array.from(network.steepness[key], (slope) => ({ id, color, slope })),
        ),
      );
      const diamonds = [
        ...keyed("bound").map((row) => ({ ...row, value: row.network.bound, filled: true })),
        ...keyed("reshaped").map((row) => ({ ...row, value: reshapedProduct(row.network), filled: false })),
      ];
      const marginLeft = narrow ? 74 : 164;
      // On the side where there is more room.
      const middle = Math.sqrt(domain[0] * domain[1]);
      const numbersAt = (right: boolean) =>
        Plot.text(
          diamonds.filter(({ value }) => value < middle === right),
          {
            y: "id",
            x: "value",
            text: ({ value }: (typeof diamonds)[number]) => value.toPrecision(3),
            textAnchor: right ? "start" : "end",
            dx: right ? 11 : -11,
            fill: "color",
            // Keeps lines from crossing the numbers.
            stroke: "var(--surface)",
            strokeWidth: 4,
            fontWeight: 600,
          },
        );
      return {
        height: rows.length * 22 + 50,
        marginTop: 6,
        marginBottom: 42,
        marginLeft,
        marginRight: 14,
        x: { type: "log", domain, label: null },
        y: { type: "band", domain: rows.map(({ id }) => id), padding: 0.25, label: null },
        symbol: { type: "identity" },
        marks: [
          Plot.gridX(ticksIn(domain), { stroke: "var(--rule)", strokeOpacity: 0.8 }),
          Plot.axisX(ticksIn(domain), {
            tickSize: 0,
            text: String,
            label: "‖f(x) − f(x′)‖ / ‖x − x′‖",
            labelAnchor: "center",
            labelArrow: "none",
            fill: "var(--muted)",
          }),
          Plot.axisY({
            ticks: rows.filter(({ label }) => label !== "").map(({ id }) => id),
            tickFormat: (id: string) => rows.find((row) => row.id === id)?.label ?? "",
            tickSize: 0,
            fill: "var(--ink)",
          }),
          Plot.text(keyed("name"), {
            y: "id",
            text: ({ network }: (typeof rows)[number]) => network.name,
            frameAnchor: "left",
            dx: -marginLeft + 2,
            dy: 2,
            fill: "color",
            fontWeight: 650,
          }),
          Plot.ruleX(keyed("bound"), {
            x: ({ network }: (typeof rows)[number]) => network.bound,
            y1: ({ network }: (typeof rows)[number]) => `${network.name}|${measures[0].key}`,
            y2: "id",
            stroke: "color",
            strokeWidth: 1.5,
            strokeDasharray: "2 3",
          }),
          Plot.tickX(found, {
            y: "id",
            x: "slope",
            stroke: "color",
            strokeWidth: 1.5,
            strokeOpacity: 0.5,
            title: ({ slope }: (typeof found)[number]) => scientific(slope),
          }),
          Plot.dot(diamonds, {
            y: "id",
            x: "value",
            symbol: "diamond",
            r: 6,
            stroke: "color",
            strokeWidth: 1.5,
            fill: ({ filled, color }: (typeof diamonds)[number]) => (filled ? color : "var(--surface)"),
          }),
          numbersAt(true),
          numbersAt(false),
        ],
      };
    },
  };
}
