import * as Plot from "@observablehq/plot";
import type { Figure } from "../../src/report/figure.js";
import { html } from "../../src/report/markup.js";
import { standingAt } from "./attack.js";
import { percent, type Result } from "./experiment.js";
import { colorOf } from "./series.js";

/** Accuracy under attack, and what is certain to be left of it, by the length of the perturbation. */
export function attackFigure({ networks, settings }: Result): Figure {
  const most = Math.max(...settings.lengths);
  const tried = [0, ...settings.lengths];
  const fine = Array.from({ length: 151 }, (_, i) => (i / 150) * most);
  const attacked = networks.flatMap((network) =>
    standingAt(network.broken, tried).map((accuracy, i) => ({
      length: tried[i],
      accuracy,
      name: network.name,
      color: colorOf(networks, network),
    })),
  );
  const certified = networks.flatMap((network) =>
    standingAt(network.certified, fine).map((accuracy, i) => ({
      length: fine[i],
      accuracy,
      name: network.name,
      color: colorOf(networks, network),
    })),
  );
  return {
    id: "attack",
    title: "Accuracy under attack",
    description: networks
      .map(
        ({ name, broken }) =>
          `${name}: ${percent(standingAt(broken, [1])[0])} right at a perturbation of length 1`,
      )
      .join("; "),
    caption: html`Solid: the part of ${networks[0].broken.length} test digits that a network still gets right after the worst change of
Euclidean length up to ε that the attack found. Dashed: the part that no change of that length can turn, because the margin of
the right class is above √2 · bound · ε. The truth lies between the two.`,
    draw: ({ narrow }) => {
      const from = most * (narrow ? 0.4 : 0.6);
      const legend = [
        ...networks.map((network) => ({
          text: network.name,
          color: colorOf(networks, network),
          dash: false,
        })),
        { text: "certified", color: "var(--muted)", dash: true },
      ].map((entry, i) => ({ ...entry, y: 0.96 - i * (narrow ? 0.085 : 0.068) }));
      const swatches = (dash: boolean) =>
        Plot.link(
          legend.filter((entry) => entry.dash === dash),
          {
            x1: from,
            x2: from + most * (narrow ? 0.09 : 0.05),
            y1: "y",
            y2: "y",
            stroke: "color",
            strokeWidth: 2.25,
            ...(dash ? { strokeDasharray: "5 4" } : {}),
          },
        );
      return {
        height: narrow ? 290 : 370,
        marginTop: 14,
        marginBottom: 40,
        marginLeft: 46,
        marginRight: 14,
        x: { domain: [0, most], label: null },
        y: { domain: [0, 1], label: null },
        marks: [
          Plot.gridY({ ticks: 5, stroke: "var(--rule)", strokeOpacity: 0.8 }),
          Plot.axisY({
            ticks: 5,
            tickSize: 0,
            tickFormat: (y: number) => `${Math.round(100 * y)}%`,
            fill: "var(--muted)",
          }),
          Plot.axisX({
            ticks: 6,
            tickSize: 0,
            label: "length ε of the perturbation",
            labelAnchor: "center",
            labelArrow: "none",
            fill: "var(--muted)",
          }),
          Plot.line(certified, {
            x: "length",
            y: "accuracy",
            z: "name",
            stroke: "color",
            strokeWidth: 1.75,
            strokeDasharray: "5 4",
          }),
          Plot.line(attacked, { x: "length", y: "accuracy", z: "name", stroke: "color", strokeWidth: 2.25 }),
          Plot.dot(attacked, {
            x: "length",
            y: "accuracy",
            fill: "color",
            r: 3.5,
            stroke: "var(--surface)",
            strokeWidth: 1,
            title: ({ name, length, accuracy }: (typeof attacked)[number]) =>
              `${name}, ε = ${length}: ${percent(accuracy)}`,
          }),
          swatches(false),
          swatches(true),
          Plot.text(legend, {
            x: from + most * (narrow ? 0.11 : 0.06),
            y: "y",
            text: "text",
            textAnchor: "start",
            fill: "color",
            fontWeight: 600,
          }),
        ],
      };
    },
  };
}
