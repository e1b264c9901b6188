import * as Plot from "@observablehq/plot";
import type { FigureLayout } from "../../report/figure.js";
import type { RowName } from "../result.js";

/** The rows of a table along the vertical axis, in groups of engine and dtype with a heading each. */
interface MethodAxis<R extends RowName> {
  readonly domain: readonly string[];
  readonly rows: readonly (R & { readonly id: string })[];
  readonly headings: readonly { readonly id: string; readonly text: string; readonly color: string }[];
  readonly height: number;
  readonly marginLeft: number;
}

/** The engine's colour; it also has a heading of its own, so that colour never carries it alone. */
export function engineColor(engine: string): string {
  if (engine === "core" || engine === "webgpu") return "var(--core)";
  if (engine.startsWith("tfjs")) return "var(--tfjs)";
  if (engine.startsWith("jax")) return "var(--jax)";
  return engine === "pytorch" ? "var(--pytorch)" : "var(--peer)";
}

/** "this package's core", "TensorFlow.js (wasm)", … */
export function engineTitle(engine: string): string {
  if (engine === "core") return "Core";
  if (engine === "webgpu") return "WebGPU";
  if (engine.startsWith("tfjs-")) return `TensorFlow.js, ${engine.slice("tfjs-".length)}`;
  if (engine.startsWith("jax-")) return `jax-js, ${engine.slice("jax-".length)}`;
  return engine === "pytorch" ? "PyTorch" : engine;
}

/** The consecutive groups of rows with one engine and dtype. */
export function grouped<R extends RowName>(
  rows: readonly R[],
): { readonly title: string; readonly engine: string; readonly rows: R[] }[] {
  const groups: { title: string; engine: string; rows: R[] }[] = [];
  for (const row of rows) {
    const title = `${engineTitle(row.engine)} · ${row.dtype}`;
    if (groups.at(-1)?.title !== title) groups.push({ title, engine: row.engine, rows: [] });
    groups.at(-1)?.rows.push(row);
  }
  return groups;
}

/** @param marginLeft  room for the longest name */
export function methodAxis<R extends RowName>(
  rows: readonly R[],
  { narrow }: FigureLayout,
  marginLeft: number = narrow ? 96 : 130,
): MethodAxis<R> {
  const groups = grouped(rows);
  const placed = groups.flatMap(({ title, rows }) =>
    rows.map((row) => ({ ...row, id: `${title}|${row.name}` })),
  );
  const domain = groups.flatMap(({ title, rows }) => [title, ...rows.map(({ name }) => `${title}|${name}`)]);
  return {
    domain,
    rows: placed,
    headings: groups.map(({ title, engine }) => ({ id: title, text: title, color: engineColor(engine) })),
    height: domain.length * (narrow ? 24 : 23) + 64,
    marginLeft,
  };
}

/** Size, margins and scales of a figure with such an axis; `domain` is that of its logarithmic one across. */
export function methodFrame<R extends RowName>(axis: MethodAxis<R>, domain: readonly number[]) {
  return {
    height: axis.height,
    marginLeft: axis.marginLeft,
    marginRight: 16,
    marginTop: 34,
    marginBottom: 30,
    x: { type: "log" as const, domain: [...domain] },
    y: { type: "band" as const, domain: [...axis.domain], padding: 0 },
  };
}

/** A value of a method, drawn by its kind's colour and symbol. */
interface MethodPoint {
  /** of its row */
  readonly id: string;
  readonly value: number;
  readonly color: string;
  readonly symbol: unknown;
  readonly title: string;
}

/** Those, with `symbol: { type: "identity" }` in the figure. */
export function methodPoints(points: readonly MethodPoint[], { narrow }: FigureLayout): Plot.Markish {
  return Plot.dot(points, {
    x: "value",
    y: "id",
    fill: "color",
    symbol: "symbol",
    r: narrow ? 4.5 : 5,
    stroke: "var(--surface)",
    strokeWidth: 1,
    title: "title",
  });
}

/** Grid lines, names and group headings; the marks of the data go on top. */
export function methodAxisMarks<R extends RowName>(axis: MethodAxis<R>): Plot.Markish[] {
  return [
    Plot.ruleY(axis.rows, { y: "id", stroke: "var(--rule)", strokeWidth: 1 }),
    Plot.axisY({
      ticks: axis.rows.map(({ id }) => id),
      tickFormat: (id: string) => id.split("|")[1],
      tickSize: 0,
      label: null,
      fill: "var(--ink)",
    }),
    Plot.text(axis.headings, {
      y: "id",
      text: "text",
      frameAnchor: "left",
      dx: -axis.marginLeft + 2,
      dy: 3,
      fill: "color",
      fontWeight: 650,
    }),
  ];
}
