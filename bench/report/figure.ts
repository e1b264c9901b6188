import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { BenchResult, CaseResult } from "../result.js";
import { fastest } from "./tables.js";

interface Series {
  readonly label: string;
  readonly rows: RegExp;
  readonly color: string;
  readonly symbol: string;
  readonly ours?: boolean;
}

/** Colours that stay apart for colour-blind eyes; symbols and the label at the line's end say it too. */
const series: readonly Series[] = [
  {
    label: "spectral-norm",
    rows: /^spectral-norm valueAndGrad$/,
    color: "var(--ours)",
    symbol: "circle",
    ours: true,
  },
  { label: "SciPy ARPACK", rows: /^SciPy svds\(k=1\),/, color: "var(--blue)", symbol: "square" },
  { label: "PyTorch", rows: /^PyTorch/, color: "var(--orange)", symbol: "triangle" },
  { label: "NumPy, value alone", rows: /^NumPy/, color: "var(--green)", symbol: "diamond" },
  { label: "numpy-ts, value alone", rows: /^numpy-ts/, color: "var(--purple)", symbol: "star" },
  { label: "ml-matrix", rows: /^ml-matrix SVD with/, color: "var(--red)", symbol: "cross" },
  { label: "svd-js", rows: /^svd-js/, color: "var(--brown)", symbol: "wye" },
  {
    label: "TensorFlow.js unrolled",
    rows: /^TensorFlow\.js grad\(spectralNormUnrolled/,
    color: "var(--teal)",
    symbol: "hexagon",
  },
];

interface Point {
  readonly x: number;
  readonly ms: number;
  readonly min: number;
  readonly max: number;
  readonly of: Series;
  readonly title: string;
}

const WIDTH = 860;
const HEIGHT = 520;
const MARGIN = { top: 28, right: 170, bottom: 46, left: 62 };
/** Pixels between two labels, at least. */
const LINE = 15;

/** Time of σ₁ with its gradient against size, both logarithmic; an SVG that fits light and dark pages. */
export function timeFigure({ cases, machine, node, date }: BenchResult): string {
  const chosen = cases.filter(
    ({ spectrum, dtype, batch }) => spectrum === "gaussian" && dtype === "float32" && batch === 1,
  );
  const points = chosen.flatMap((result) => series.flatMap((of) => pointOf(result, of)));
  const limit = chosen.flatMap((result) => {
    const triplet = result.results.find(({ name }) => name === "spectral-norm singularTriplet");
    // Below that the matrix stays in the processor, and what it costs to read is no limit.
    if (triplet?.passes === undefined || result.bytes < 2 ** 21) return [];
    return [{ x: sizeOf(result), ms: triplet.passes * result.readMs }];
  });

  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const xDomain: [number, number] = [xs[0] / 1.15, xs[xs.length - 1] * 1.15];
  const low = Math.floor(Math.log10(Math.min(...points.map(({ min }) => min), ...limit.map(({ ms }) => ms))));
  const high = Math.ceil(Math.log10(Math.max(...points.map(({ max }) => max))));
  const decades = Array.from({ length: high - low + 1 }, (_, i) => Number(`1e${low + i}`));
  const labels = spread(lastPoints(points), low, high);
  const names = new Map(chosen.map((result) => [sizeOf(result), `${result.rows}×${result.cols}`]));

  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    style: { background: "none", fontSize: "13px", fontFamily: "system-ui, sans-serif", overflow: "visible" },
    x: { type: "log", domain: xDomain },
    y: { type: "log", domain: [10 ** low, 10 ** high] },
    symbol: { type: "identity" },
    marks: [
      Plot.gridY(decades, { stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.axisY(decades, { label: null, tickSize: 0, text: timeText, fill: "var(--muted)" }),
      Plot.axisX(xs, {
        label: null,
        tickSize: 4,
        text: (x: number) => names.get(x) ?? "",
        stroke: "var(--muted)",
        fill: "var(--muted)",
      }),
      Plot.line(limit, { x: "x", y: "ms", stroke: "var(--muted)", strokeDasharray: "5 4" }),
      Plot.text(limit.slice(-1), {
        x: "x",
        y: "ms",
        text: () => "spectral-norm’s passes × one read of A",
        textAnchor: "end",
        lineAnchor: "top",
        dy: 10,
        dx: 4,
        fill: "var(--muted)",
        fontStyle: "italic",
      }),
      Plot.ruleX(points, {
        x: "x",
        y1: "min",
        y2: "max",
        stroke: ({ of }: Point) => of.color,
        strokeOpacity: 0.5,
        strokeWidth: 3,
      }),
      Plot.line(points, {
        x: "x",
        y: "ms",
        z: ({ of }: Point) => of.label,
        stroke: ({ of }: Point) => of.color,
        strokeWidth: 1.6,
      }),
      Plot.line(
        points.filter(({ of }) => of.ours),
        { x: "x", y: "ms", stroke: "var(--ours)", strokeWidth: 3.5 },
      ),
      Plot.dot(points, {
        x: "x",
        y: "ms",
        fill: ({ of }: Point) => of.color,
        symbol: ({ of }: Point) => of.symbol,
        r: 4.5,
        stroke: "var(--surface)",
        strokeWidth: 1,
        title: "title",
      }),
      Plot.text(labels, {
        x: "x",
        y: "at",
        text: ({ of }: Label) => of.label,
        textAnchor: "start",
        dx: 11,
        fill: ({ of }: Label) => of.color,
        fontWeight: 600,
        stroke: "var(--surface)",
        strokeWidth: 4,
      }),
      Plot.text(["Time of σ₁ with its gradient or its vectors; float32, Gaussian entries"], {
        frameAnchor: "top-left",
        dy: -20,
        dx: -MARGIN.left + 4,
        fill: "var(--ink)",
        fontWeight: 600,
      }),
      Plot.text(
        [
          `${machine.cpu}, ${machine.cores} cores, Node ${node.slice(1)}, ${date.slice(0, 10)}; bars from fastest to slowest sample`,
        ],
        {
          frameAnchor: "bottom-left",
          dy: 40,
          dx: -MARGIN.left + 4,
          fill: "var(--muted)",
        },
      ),
    ],
    ariaLabel: "Time against size for each library",
  });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  const own = document.createElement("style");
  own.textContent = palette;
  svg.prepend(own);
  return `${svg.outerHTML}\n`;
}

const palette = `svg { --surface: #fff; --ink: #1b1f24; --muted: #6a7280; --rule: #e3e6ea; --ours: #111827; --blue: #0072b2; --orange: #c25a00; --green: #007a5a; --purple: #9a4f80; --red: #c0303a; --brown: #7a5a3a; --teal: #2a8aa8; background: var(--surface); }
@media (prefers-color-scheme: dark) { svg { --surface: #0d1117; --ink: #e6edf3; --muted: #8d96a0; --rule: #262c36; --ours: #f0f6fc; --blue: #56b4e9; --orange: #f0883e; --green: #2ec4a0; --purple: #d79ac0; --red: #ff7b82; --brown: #c8a27c; --teal: #6fd0ea; } }`;

function pointOf(result: CaseResult, of: Series): Point[] {
  const row = fastest(result, of.rows);
  if (!row || row.wrong) return [];
  const { median, min, max } = row.ms;
  const title = `${row.name}, ${result.rows}×${result.cols}: ${timeText(median)} (${timeText(min)} to ${timeText(max)})`;
  return [{ x: sizeOf(result), ms: median, min, max, of, title }];
}

/** The side of a square with as many entries. */
function sizeOf({ rows, cols }: CaseResult): number {
  return Math.sqrt(rows * cols);
}

function timeText(ms: number): string {
  const [value, unit] = ms < 1 ? [ms * 1000, "µs"] : ms < 1000 ? [ms, "ms"] : [ms / 1000, "s"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

interface Label extends Point {
  /** where its text stands, as a time */
  readonly at: number;
}

function lastPoints(points: readonly Point[]): Point[] {
  const last = new Map<Series, Point>();
  for (const point of points) if (point.x >= (last.get(point.of)?.x ?? 0)) last.set(point.of, point);
  return [...last.values()];
}

/** Labels of lines that end at the same size, moved apart until none covers another. */
function spread(points: readonly Point[], low: number, high: number): Label[] {
  const perDecade = (HEIGHT - MARGIN.top - MARGIN.bottom) / (high - low);
  const step = LINE / perDecade;
  return [...new Set(points.map(({ x }) => x))].flatMap((x) => {
    const group = points.filter((point) => point.x === x).sort((a, b) => a.ms - b.ms);
    const places = group.map(({ ms }) => Math.log10(ms));
    for (let sweep = 0; sweep < 100; sweep++)
      for (let i = 1; i < places.length; i++) {
        const overlap = step - (places[i] - places[i - 1]);
        if (overlap <= 0) continue;
        places[i] += overlap / 2;
        places[i - 1] -= overlap / 2;
      }
    return group.map((point, i) => ({ ...point, at: 10 ** places[i] }));
  });
}
