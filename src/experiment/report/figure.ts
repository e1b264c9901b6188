import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { html, Markup } from "./markup.js";

/** The two renderings of every figure; the page shows the one that fits. */
export interface Layout {
  readonly width: number;
  readonly fontSize: number;
  readonly narrow: boolean;
}

const layouts: readonly (Layout & { readonly className: string })[] = [
  { width: 820, fontSize: 13, narrow: false, className: "wide" },
  { width: 350, fontSize: 12, narrow: true, className: "narrow" },
];

/** A drawing at one width, and what it shows for those who do not see it. */
export type Drawing = (layout: Layout) => Plot.PlotOptions;

export interface Figure {
  readonly id: string;
  readonly title: string;
  /** what one sees, in a sentence; read out instead of the picture */
  readonly description: string;
  readonly caption: Markup;
  readonly legend?: Markup;
  readonly draw: Drawing;
}

/** The figure with its caption, drawn once for wide and once for narrow screens. */
export function figureMarkup({ id, title, description, caption, legend, draw }: Figure): Markup {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawings = layouts.map((layout) => {
    const svg = Plot.plot({
      document,
      className: "plot",
      width: layout.width,
      style: { fontSize: `${layout.fontSize}px`, fontFamily: "inherit", background: "none" },
      ...draw(layout),
      ariaLabel: title,
      ariaDescription: description,
    });
    svg.setAttribute("role", "img");
    return html`<div class="${layout.className}">${new Markup(svg.outerHTML)}</div>`;
  });
  return html`<figure id="${id}">
<p class="figure-title">${title}</p>
${legend ?? new Markup("")}
${drawings}
<figcaption>${caption}</figcaption>
</figure>`;
}

/** One entry of a legend; the mark is the symbol that the figure uses. */
export function legendMarkup(
  entries: readonly { readonly label: string; readonly color: string; readonly symbol: string }[],
): Markup {
  return html`<ul class="legend">${entries.map(
    ({ label, color, symbol }) =>
      html`<li><svg viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true"><path d="${symbol}" style="fill: ${color}"/></svg>${label}</li>`,
  )}</ul>`;
}
