import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { BenchResult } from "../result.js";

/** One named line of a chart. */
export interface Line {
  readonly label: string;
  /** of the palette, as a CSS variable */
  readonly color: string;
  /** drawn at each point; absent, the line has none */
  readonly symbol?: string;
  readonly strong?: boolean;
  readonly dashed?: boolean;
  /** points alone, for what a line is fitted to */
  readonly unlinked?: boolean;
  readonly points: readonly Point[];
}

interface Point {
  readonly x: number;
  readonly y: number;
  /** ends of a bar */
  readonly min?: number;
  readonly max?: number;
  /** text of its tooltip */
  readonly title?: string;
}

export interface Tick {
  readonly at: number;
  readonly text: string;
}

interface Chart {
  readonly title: string;
  readonly note: string;
  readonly lines: readonly Line[];
  readonly xTicks: readonly Tick[];
  readonly xLabel: string;
  /** from large to small */
  readonly xReversed?: boolean;
  readonly yTicks: readonly Tick[];
  readonly yScale: "log" | "linear";
  readonly height: number;
}

const WIDTH = 900;
const MARGIN = { top: 34, right: 285, bottom: 68, left: 62 };
/** Pixels between two labels, at least. */
const LINE = 16;
/** Of the labels from the frame's right edge. */
const LABEL_OFFSET = 26;

/** An SVG that fits light and dark pages; the name of each line stands to the right, at the height of its end. */
export function drawChart(chart: Chart): string {
  const { title, note, lines, xTicks, xLabel, xReversed, yTicks, yScale, height } = chart;
  const xs = lines.flatMap(({ points }) => points.map(({ x }) => x));
  const [least, most] = [Math.min(...xs) / 1.15, Math.max(...xs) * 1.15];
  const xDomain = xReversed ? [most, least] : [least, most];
  const yDomain = [yTicks[0].at, yTicks[yTicks.length - 1].at];
  const dots = lines.flatMap((of) => of.points.map((point) => ({ ...point, of })));
  const stroke = ({ of }: { readonly of: Line }) => of.color;

  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({
    document,
    width: WIDTH,
    height,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    style: { background: "none", fontSize: "13px", fontFamily: "system-ui, sans-serif", overflow: "visible" },
    x: { type: "log", domain: xDomain },
    y: { type: yScale, domain: yDomain },
    symbol: { type: "identity" },
    marks: [
      Plot.gridY(
        yTicks.map(({ at }) => at),
        { stroke: "var(--rule)", strokeOpacity: 1 },
      ),
      Plot.axisY(
        yTicks.map(({ at }) => at),
        {
          label: null,
          tickSize: 0,
          text: (at: number) => textAt(yTicks, at),
          fill: "var(--muted)",
        },
      ),
      Plot.axisX(
        xTicks.map(({ at }) => at),
        {
          label: null,
          tickSize: 4,
          text: (at: number) => textAt(xTicks, at),
          stroke: "var(--muted)",
          fill: "var(--muted)",
        },
      ),
      Plot.ruleX(
        dots.filter(({ min, max }) => min !== undefined && max !== undefined),
        { x: "x", y1: "min", y2: "max", stroke, strokeOpacity: 0.5, strokeWidth: 3 },
      ),
      ...lines
        .filter(({ unlinked }) => !unlinked)
        .map(({ points, color, strong, dashed }) =>
          Plot.line(points, {
            x: "x",
            y: "y",
            stroke: color,
            strokeWidth: strong ? 3.5 : 1.6,
            strokeDasharray: dashed ? "5 4" : undefined,
          }),
        ),
      Plot.dot(
        dots.filter(({ of }) => of.symbol !== undefined),
        {
          x: "x",
          y: "y",
          fill: stroke,
          symbol: ({ of }: { readonly of: Line }) => of.symbol,
          r: 4.5,
          stroke: "var(--surface)",
          strokeWidth: 1,
          title: "title",
        },
      ),
      Plot.text([title], {
        frameAnchor: "top-left",
        dy: -26,
        dx: -MARGIN.left + 4,
        fill: "var(--ink)",
        fontWeight: 600,
      }),
      Plot.text([xLabel], { frameAnchor: "bottom", dy: 40, fill: "var(--muted)" }),
      Plot.text([note], { frameAnchor: "bottom-left", dy: 62, dx: -MARGIN.left + 4, fill: "var(--muted)" }),
    ],
    ariaLabel: title,
  });
  const x = svg.scale("x");
  const y = svg.scale("y");
  if (!x || !y) throw new Error("the chart has no scales");
  for (const { of, from, to } of placed(chart, (at) => y.apply(at)))
    label(svg as unknown as Element, document, of, x.apply(from.x), y.apply(from.y), to);
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  const own = document.createElement("style");
  own.textContent = palette;
  svg.prepend(own);
  return `${svg.outerHTML}\n`;
}

const palette = `svg { --surface: #fff; --ink: #1b1f24; --muted: #6a7280; --rule: #e3e6ea; --ours: #111827; --blue: #0072b2; --orange: #c25a00; --green: #007a5a; --purple: #9a4f80; --red: #c0303a; --brown: #7a5a3a; --teal: #2a8aa8; --olive: #6b6b00; background: var(--surface); }
@media (prefers-color-scheme: dark) { svg { --surface: #0d1117; --ink: #e6edf3; --muted: #8d96a0; --rule: #262c36; --ours: #f0f6fc; --blue: #56b4e9; --orange: #f0883e; --green: #2ec4a0; --purple: #d79ac0; --red: #ff7b82; --brown: #c8a27c; --teal: #6fd0ea; --olive: #c9c24a; } }`;

function textAt(ticks: readonly Tick[], at: number): string {
  return ticks.find((tick) => tick.at === at)?.text ?? "";
}

/** Where each name stands: at the height of its line's end, moved apart until none covers another. */
function placed({ lines, xReversed, height }: Chart, yOf: (at: number) => number) {
  const named = lines.filter(({ points, label }) => points.length > 0 && label !== "");
  const ends = named.map((of) => {
    const from = of.points.reduce((a, b) => ((xReversed ? b.x < a.x : b.x > a.x) ? b : a));
    return { of, from, to: yOf(from.y) };
  });
  ends.sort((a, b) => a.to - b.to);
  const places = ends.map(({ to }) => to);
  for (let sweep = 0; sweep < 300; sweep++) {
    for (let i = 1; i < places.length; i++) {
      const overlap = LINE - (places[i] - places[i - 1]);
      if (overlap <= 0) continue;
      places[i] += overlap / 2;
      places[i - 1] -= overlap / 2;
    }
    for (let i = 0; i < places.length; i++)
      places[i] = Math.min(Math.max(places[i], MARGIN.top), height - MARGIN.bottom);
  }
  return ends.map((end, i) => ({ ...end, to: places[i] }));
}

/** The name, and a thin line from the end of the line that it names. */
function label(svg: Element, document: Document, of: Line, x: number, y: number, to: number): void {
  const edge = WIDTH - MARGIN.right;
  const make = (kind: string, attributes: Readonly<Record<string, string | number>>, text?: string) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    if (text !== undefined) element.textContent = text;
    svg.appendChild(element);
  };
  make("path", {
    d: `M${x + 6},${y}H${edge}L${edge + LABEL_OFFSET - 4},${to}`,
    fill: "none",
    stroke: of.color,
    "stroke-width": 1,
    "stroke-opacity": 0.45,
    "stroke-dasharray": "1 3",
  });
  make(
    "text",
    {
      x: edge + LABEL_OFFSET,
      y: to,
      dy: "0.32em",
      fill: of.color,
      "font-weight": of.strong ? 700 : 600,
      "text-anchor": "start",
    },
    of.label,
  );
}

/** Ticks at the powers of ten around all of the values. */
export function decades(values: readonly number[], text: (value: number) => string): Tick[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return Array.from({ length: high - low + 1 }, (_, i) => {
    const at = Number(`1e${low + i}`);
    return { at, text: text(at) };
  });
}

export function timeText(ms: number): string {
  const [value, unit] = ms < 1 ? [ms * 1000, "µs"] : ms < 1000 ? [ms, "ms"] : [ms / 1000, "s"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

export function whereMeasured({ machine, node, date }: BenchResult): string {
  return `${machine.cpu}, ${machine.cores} cores, Node ${node.slice(1)}, ${date.slice(0, 10)}`;
}
