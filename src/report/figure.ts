import type * as Plot from "@observablehq/plot";
import { html, type Markup } from "./markup.js";

/** The layout of a figure. */
export interface FigureLayout {
  readonly width: number;
  readonly fontSize: number;
  readonly narrow: boolean;
}

/** The drawing of a figure for one layout. */
export type Drawing = (layout: FigureLayout) => Plot.PlotOptions;

export interface Figure {
  readonly id: string;
  readonly title: string;
  /** a sentence for screen readers */
  readonly description: string;
  readonly caption: Markup;
  readonly legend?: Markup;
  readonly draw: Drawing;
}

/** The options of Observable Plot for a figure in one layout. */
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
