import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Figure } from "../../src/report/figure.js";
import { html, Markup } from "../../src/report/markup.js";
import { accuracyFigure } from "./accuracy-figure.js";
import { attackFigure } from "./attack-figure.js";
import { convolutionFigure } from "./convolution-figure.js";
import { digitsFigure } from "./digits-figure.js";
import type { Result } from "./experiment.js";
import { steepnessFigure } from "./steepness-figure.js";

export function figures(result: Result): Figure[] {
  return [...denseFigures(result), convolutionFigure(result)];
}

/** Those of the networks without convolutions. */
export function denseFigures(result: Result): Figure[] {
  return [accuracyFigure(result), steepnessFigure(result), attackFigure(result), digitsFigure(result)];
}

/** The colours of the report, for a picture that stands alone. */
const style = `
:root { --surface: #fffefb; --ink: #1f1d18; --muted: #656056; --rule: #dedacf;
  --series-1: #0a5f95; --series-2: #b04a08; --series-3: #a3195b; }
@media (prefers-color-scheme: dark) {
  :root { --surface: #1a1d22; --ink: #ebe7de; --muted: #a8a397; --rule: #363a42;
    --series-1: #6fb9ec; --series-2: #f2a45c; --series-3: #f58bb8; }
}
text { white-space: pre; }
`;

const PADDING = 18;

/** The figure as an SVG file, on a ground of its own so that it reads on any page. */
export function standaloneFigure({ title, description, draw }: Figure): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const layout = { width: 820, fontSize: 13, narrow: false };
  const svg = Plot.plot({
    document,
    width: layout.width,
    style: { fontSize: `${layout.fontSize}px`, background: "none" },
    ...draw(layout),
  });
  // Its rules are for an SVG inside a page, but for one.
  svg.querySelector("style")?.remove();
  const [width, height] = ["width", "height"].map((name) => Math.ceil(Number(svg.getAttribute(name))));
  const size = [width + 2 * PADDING, height + 2 * PADDING];
  return html`<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${size[0]}" height="${size[1]}" viewBox="0 0 ${size.join(" ")}" font-family="system-ui, sans-serif" font-size="${layout.fontSize}" color="var(--ink)">
<title>${title}</title>
<desc>${description}</desc>
<style>${new Markup(style)}</style>
<rect width="${size[0]}" height="${size[1]}" rx="12" fill="var(--surface)"/>
<g transform="translate(${PADDING},${PADDING})" fill="currentColor" text-anchor="middle">${new Markup(svg.innerHTML)}</g>
</svg>
`.text;
}
