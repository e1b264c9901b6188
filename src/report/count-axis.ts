import * as Plot from "@observablehq/plot";
import type { FigureLayout } from "./figure.js";

/** Tick labels of a scale that counts: only integers. */
export function integerTick(tick: number): string {
  return Number.isInteger(tick) ? String(tick) : "";
}

/** A horizontal axis that counts from 1. */
export function countAxis(label: string, { narrow }: Pick<FigureLayout, "narrow">): Plot.Markish {
  return Plot.axisX({
    ticks: narrow ? 5 : 10,
    tickFormat: integerTick,
    label,
    labelAnchor: "center",
    labelArrow: "none",
    fill: "var(--muted)",
  });
}
