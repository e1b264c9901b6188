import * as Plot from "@observablehq/plot";
import type { Figure } from "../../src/report/figure.js";
import { html } from "../../src/report/markup.js";
import { percent, type Result } from "./experiment.js";
import { apart, colorOf } from "./series.js";

/** Accuracy on the test set after every epoch. */
export function accuracyFigure({ networks, testCount, settings }: Result): Figure {
  const points = networks.flatMap((network) =>
    network.epochs.map(({ epoch, accuracy }) => ({
      epoch,
      accuracy,
      name: network.name,
      color: colorOf(networks, network),
    })),
  );
  const bottom = Math.floor(20 * Math.min(...points.map(({ accuracy }) => accuracy))) / 20;
  return {
    id: "accuracy",
    title: "Test accuracy while training",
    description: networks.map(({ name, accuracy }) => `${name}: ${percent(accuracy)} at the end`).join("; "),
    caption: html`Right answers among ${testCount} digits that no network has seen, after each of ${settings.epochs} passes
through the others. The axis does not begin at 0.`,
    draw: ({ narrow }) => {
      const height = narrow ? 260 : 320;
      const [marginTop, marginBottom] = [22, 38];
      const labelled = networks.map((network) => ({
        name: network.name,
        color: colorOf(networks, network),
        accuracy: network.accuracy,
      }));
      const gap = ((narrow ? 30 : 19) * (1 - bottom)) / (height - marginTop - marginBottom);
      const places = apart(
        labelled.map(({ accuracy }) => accuracy),
        gap,
      );
      return {
        height,
        marginTop,
        marginBottom,
        marginLeft: 46,
        marginRight: narrow ? 92 : 204,
        x: { domain: [1, Math.max(settings.epochs, 2)], label: null },
        y: { domain: [bottom, 1], label: null },
        marks: [
          Plot.gridY({ ticks: 5, stroke: "var(--rule)", strokeOpacity: 0.8 }),
          Plot.axisY({
            ticks: 5,
            tickSize: 0,
            tickFormat: (y: number) => `${Math.round(100 * y)}%`,
            fill: "var(--muted)",
          }),
          Plot.axisX(
            Array.from({ length: settings.epochs }, (_, i) => i + 1),
            {
              tickSize: 0,
              tickFormat: String,
              label: "epoch",
              labelAnchor: "center",
              labelArrow: "none",
              fill: "var(--muted)",
            },
          ),
          Plot.line(points, { x: "epoch", y: "accuracy", z: "name", stroke: "color", strokeWidth: 2.25 }),
          Plot.dot(points, {
            x: "epoch",
            y: "accuracy",
            fill: "color",
            r: 3.5,
            stroke: "var(--surface)",
            strokeWidth: 1,
            title: ({ name, epoch, accuracy }: (typeof points)[number]) =>
              `${name}, epoch ${epoch}: ${percent(accuracy)}`,
          }),
          Plot.text(labelled, {
            x: settings.epochs,
            y: (_, i) => places[i],
            text: ({ name, accuracy }: (typeof labelled)[number]) =>
              narrow ? `${name.replace(", ", "\n")}` : `${name} · ${percent(accuracy)}`,
            textAnchor: "start",
            dx: 10,
            fill: "color",
            fontWeight: 600,
          }),
        ],
      };
    },
  };
}
