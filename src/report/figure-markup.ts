import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type Figure, type FigureLayout, plotOptions } from "./figure.js";
import { html, Markup } from "./markup.js";

/** The two renderings of every figure; the page shows the one that fits. */
const layouts: readonly (FigureLayout & { readonly className: string })[] = [
  { width: 820, fontSize: 13, narrow: false, className: "wide" },
  { width: 350, fontSize: 12, narrow: true, className: "narrow" },
];

/** The figure with its caption, drawn once for wide and once for narrow screens. */
export function figureMarkup(figure: Figure): Markup {
  const { id, title, caption, legend } = figure;
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawings = layouts.map((layout) => {
    const svg = Plot.plot({ document, ...plotOptions(figure, layout) });
    svg.setAttribute("role", "img");
    return html`<div class="${layout.className}">${new Markup(escapedAttributes(svg.outerHTML))}</div>`;
  });
  return html`<figure id="${id}">
<p class="figure-title">${title}</p>
${legend ?? new Markup("")}
${drawings}
<figcaption>${caption}</figcaption>
</figure>`;
}

/** A tag, with its attributes in double quotes. */
const TAG = /<[A-Za-z][^\s<>/]*(?:\s+[^\s="<>/]+(?:="[^"]*")?)*\s*\/?>/g;

/** HTML in which "<" begins tags only: in attributes, such as those with names from a file, it is written as an entity. */
function escapedAttributes(markup: string): string {
  return markup.replace(TAG, (tag) => `<${tag.slice(1).replaceAll("<", "&lt;")}`);
}
