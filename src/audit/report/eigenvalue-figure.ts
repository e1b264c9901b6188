import * as Plot from "@observablehq/plot";
import type { NumberType } from "../../files/complex-numbers.js";
import { type Figure, legendMarkup } from "../../report/figure.js";
import { decades, scientific, spreadOut } from "../../report/format-number.js";
import { html, type Markup } from "../../report/markup.js";
import { bulkShare } from "../marchenko-pastur.js";
import { fitSpectrum } from "../spectrum-fit.js";

/** A whole spectrum, and what it is of. */
export interface WholeSpectrum {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly dtype: NumberType;
  /** all singular values, descending */
  readonly sigma: Float64Array;
}

/** Chosen: the fewest and the most bins of the histogram, and points of a curve in each. */
const BINS = [8, 48] as const;
const STEPS = 4;

/** Chosen: the share of small eigenvalues that is not drawn; the smallest ones lie decades below the others. */
const NOT_DRAWN = 0.01;

/** Chosen: a half of the smallest count, where bars on a logarithmic scale stand. */
const FOOT = 0.5;

/** Pale, so that the curves stand out. */
const BARS = "color-mix(in srgb, var(--core) 55%, var(--surface))";

/** A curve through the counts that a fit expects in a bin about each place, log₁₀ λ. */
type Curve = readonly { readonly at: number; readonly count: number }[];

interface Histogram {
  readonly bars: readonly { from: number; to: number; count: number; text: string }[];
  /** eigenvalues that are 0 or left of the first bar */
  readonly below: number;
  readonly law: Curve;
  readonly bulk: Curve;
  /** log₁₀ of xmin and of the bulk's edge */
  readonly xmin: number | undefined;
  readonly edge: number | undefined;
}

/** How many of a matrix's eigenvalues λ = σ² are of which size, with the power law and the random bulk fitted to them. */
export function eigenvalueFigure(id: string, spectrum: WholeSpectrum, caption: Markup): Figure {
  const { bars, below, law, bulk, xmin, edge } = histogramOf(spectrum);
  const most = Math.max(...[...bars, ...bulk, ...law].map(({ count }) => count));
  const round = most < 30 ? [1, 2, 5, 10, 20] : decades([1, most]).ticks;
  const ticks = round.filter((tick) => tick <= most);
  const lines = [
    ...(xmin === undefined ? [] : [{ at: xmin, color: "var(--series-2)" }]),
    ...(edge === undefined ? [] : [{ at: edge, color: "var(--series-3)" }]),
  ];
  const visible = (curve: Curve) => curve.filter(({ count }) => count >= FOOT);
  return {
    id,
    title: `The eigenvalues of ${spectrum.name}`,
    description: descriptionOf(spectrum, xmin, edge),
    caption: html`${caption}${below > 0 ? ` Not drawn: the smallest ${below}.` : ""}`,
    legend: legendMarkup([
      { label: "eigenvalues", color: BARS, symbol: "M-6,-6H6V6H-6Z" },
      ...(law.length > 0
        ? [{ label: "power law from xmin on", color: "var(--series-2)", symbol: LINE }]
        : []),
      ...(bulk.length > 0
        ? [{ label: "random bulk and its edge", color: "var(--series-3)", symbol: LINE }]
        : []),
    ]),
    draw: ({ narrow }) => ({
      height: narrow ? 260 : 320,
      marginLeft: narrow ? 40 : 52,
      marginRight: 16,
      marginTop: 26,
      marginBottom: 42,
      x: { domain: [bars[0].from, bars[bars.length - 1].to] },
      y: { type: "log", domain: [FOOT, 1.5 * most] },
      marks: [
        Plot.gridY(ticks, { stroke: "var(--rule)", strokeOpacity: 0.9 }),
        Plot.axisY(ticks, {
          tickSize: 0,
          label: "eigenvalues in a bin, logarithmic",
          labelArrow: "none",
          text: roundText,
          fill: "var(--muted)",
        }),
        Plot.axisX(placesFor(bars[0].from, bars[bars.length - 1].to, narrow ? 4 : 9), {
          text: (tick: number) => roundText(Number((10 ** tick).toPrecision(1))),
          label: "λ, logarithmic",
          labelAnchor: "center",
          labelArrow: "none",
          fill: "var(--muted)",
        }),
        Plot.rectY(
          bars.filter(({ count }) => count > 0),
          {
            ...{ x1: "from", x2: "to", y1: FOOT, y2: "count", inset: 0.5, title: "text" },
            fill: BARS,
          },
        ),
        Plot.ruleX(lines, { x: "at", stroke: "color", strokeDasharray: "3,3", strokeWidth: 1.5 }),
        Plot.line(visible(bulk), { x: "at", y: "count", stroke: "var(--series-3)", strokeWidth: 2.5 }),
        Plot.line(visible(law), { x: "at", y: "count", stroke: "var(--series-2)", strokeWidth: 2.5 }),
        Plot.ruleY([FOOT], { stroke: "var(--muted)" }),
      ],
    }),
  };
}

function roundText(value: number): string {
  return value >= 1e-3 && value < 1e5 ? String(value) : scientific(value);
}

/** log₁₀ of up to `most` round numbers from one place to another. */
function placesFor(from: number, to: number, most: number): number[] {
  const within = (digits: readonly number[]) =>
    decades([10 ** from, 10 ** to])
      .ticks.flatMap((power) => digits.map((digit) => Math.log10(digit * power)))
      .filter((place) => place >= from && place <= to);
  const all = [
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 5],
    [1, 3],
  ]
    .map(within)
    .find(({ length }) => length <= most);
  return all ?? spreadOut(within([1]), most);
}

/** A short line, for the legend. */
const LINE = "M-8,-1.25H8V1.25H-8Z";

function descriptionOf({ sigma }: WholeSpectrum, xmin: number | undefined, edge: number | undefined): string {
  const parts = [
    `A histogram of ${sigma.length} eigenvalues, the largest ${scientific(sigma[0] ** 2)}`,
    ...(xmin === undefined ? [] : [`a power law from ${scientific(10 ** xmin)} on`]),
    ...(edge === undefined ? [] : [`a random bulk up to ${scientific(10 ** edge)}`]),
  ];
  return `${parts.join("; ")}.`;
}

function histogramOf(spectrum: WholeSpectrum): Histogram {
  const fit = fitSpectrum(spectrum.sigma, spectrum);
  const { largest, ratios, powerLaw, bulk } = fit;
  const unit = 2 * Math.log10(largest);
  const places = Array.from(
    ratios.filter((ratio) => ratio > 0),
    (ratio) => unit + Math.log10(ratio),
  );
  const drawn = places.slice(0, Math.max(1, Math.ceil(places.length * (1 - NOT_DRAWN))));
  const from = drawn[drawn.length - 1];
  const xmin = powerLaw && unit + Math.log10(ratios[powerLaw.tail - 1]);
  const edge = bulk && unit + Math.log10(bulk.edge);
  const bins = Math.min(BINS[1], Math.max(BINS[0], Math.ceil(2 * Math.sqrt(drawn.length))));
  const width = Math.max((Math.max(unit, edge ?? unit) - from) / bins, 1e-6);
  const counts = new Int32Array(bins);
  for (const place of drawn) counts[Math.min(bins - 1, Math.floor((place - from) / width))]++;
  const start = (bin: number) => from + bin * width;
  const bars = Array.from(counts, (count, bin) => ({
    ...{ from: start(bin), to: start(bin + 1), count },
    text: `${scientific(10 ** start(bin))} to ${scientific(10 ** start(bin + 1))}: ${count}`,
  }));
  const below = spectrum.sigma.length - drawn.length;
  return { bars, below, ...curvesOf(fit, { from, unit, width, xmin, edge }), xmin, edge };
}

/** What the fits expect, in bins of some width about each place; places are log₁₀ λ, and `unit` is that of λ₁. */
function curvesOf(
  { powerLaw, bulk }: ReturnType<typeof fitSpectrum>,
  at: { from: number; unit: number; width: number; xmin: number | undefined; edge: number | undefined },
): { law: Curve; bulk: Curve } {
  const { from, unit, width, xmin, edge } = at;
  /** @param upTo  how many values lie below a place, but for a constant */
  const curve = (first: number, last: number, upTo: (place: number) => number): Curve => {
    const steps = Math.max(1, Math.ceil(((last - first) / width) * STEPS));
    return Array.from({ length: steps + 1 }, (_, i) => {
      const place = first + ((last - first) * i) / steps;
      return { at: place, count: upTo(place + width / 2) - upTo(place - width / 2) };
    });
  };
  return {
    law:
      powerLaw && xmin !== undefined
        ? curve(
            Math.max(from, xmin),
            unit,
            (place) => -powerLaw.tail * 10 ** ((1 - powerLaw.alpha) * (place - xmin)),
          )
        : [],
    bulk:
      bulk && edge !== undefined
        ? curve(
            from,
            edge,
            (place) => bulk.M * bulkShare(10 ** (place - unit) / (bulk.variance * bulk.N), bulk.M / bulk.N),
          )
        : [],
  };
}
