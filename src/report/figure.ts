import type * as Plot from "@observablehq/plot";
import { html, type Markup } from "./markup.js";

/** What a figure is drawn for. */
export interface FigureLayout {
  readonly width: number;
  readonly fontSize: number;
  readonly narrow: boolean;
}

/** A drawing at one width, and what it shows for those who do not see it. */
export type Drawing = (layout: FigureLayout) => Plot.PlotOptions;

export interface Figure {
  readonly id: string;
  readonly title: string;
  /** what one sees, in a sentence; read out instead of the picture */
  readonly description: string;
  readonly caption: Markup;
  readonly legend?: Markup;
  readonly draw: Drawing;
}

/** What a figure is plotted from at one layout, wherever that is done. */
export function plotOptions({ title, description, draw }: Figure, layout: FigureLayout): Plot.PlotOptions {
  return {
    className: "plot",
    width: layout.width,
    style: { fontSize: `${layout.fontSize}px`, fontFamily: "inherit", background: "none" },
    ...draw(layout),
    ariaLabel: title,
    ariaDescription: description,
  };
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
