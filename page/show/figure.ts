import * as Plot from "@observablehq/plot";
import { type Figure, type FigureLayout, plotOptions } from "../../src/report/figure.js";
import { element } from "./element.js";

/** Below this width labels are short and symbols small. */
const narrowBelow = 560;

/** A figure on the page, redrawn when its width or its content changes. */
export class FigureView {
  readonly node: HTMLElement;
  readonly #title = element("p", { class: "figure-title" });
  readonly #legend = element("div");
  readonly #drawing = element("div", { class: "drawing" });
  readonly #caption = element("figcaption");
  #figure: Figure | undefined;
  #width = 0;

  constructor() {
    this.node = element("figure", {}, this.#title, this.#legend, this.#drawing, this.#caption);
    new ResizeObserver(([{ contentRect }]) => {
      const width = Math.floor(contentRect.width);
      if (width === this.#width || width === 0) return;
      this.#width = width;
      this.#draw();
    }).observe(this.#drawing);
  }

  show(figure: Figure): void {
    this.#figure = figure;
    if (figure.id) this.node.id = figure.id;
    this.#title.textContent = figure.title;
    this.#legend.innerHTML = figure.legend?.text ?? "";
    this.#caption.innerHTML = figure.caption.text;
    this.#draw();
  }

  #draw(): void {
    if (!this.#figure || this.#width === 0) return;
    const svg = Plot.plot(plotOptions(this.#figure, layoutOf(this.#width)));
    svg.setAttribute("role", "img");
    // Screen readers read the name of the picture; the names of its groups would be invalid.
    for (const part of svg.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
    this.#drawing.replaceChildren(svg);
  }
}

function layoutOf(width: number): FigureLayout {
  const narrow = width < narrowBelow;
  return { width, narrow, fontSize: narrow ? 12 : 13 };
}
