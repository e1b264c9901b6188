import { oneLine } from "../../files/text.js";
import { figureMarkup } from "../../report/figure-markup.js";
import { pageStart } from "../../report/mark.js";
import { html, Markup } from "../../report/markup.js";
import { style } from "../../report/style.js";
import { answerList, answersStyle, mapTable, outputTable } from "./answers.js";
import type { BoundedModel } from "./bounded-model.js";
import { drawingStyle, networkDrawing } from "./network-drawing.js";
import { pathFigures } from "./path-figures.js";
import { PROVEN_OF } from "./proven-of.js";
import { slopeFigure } from "./slope-figure.js";

/** All that a report says. */
export interface LipschitzReport {
  readonly models: readonly BoundedModel[];
  /** what could not be read, a sentence each */
  readonly faults: readonly string[];
  /** as it was typed */
  readonly command: string;
  readonly version: string;
}

const more = `h1, h2, .figure-title, figcaption, li, summary { overflow-wrap: anywhere; }
summary { font: 0.9375rem/1.5 var(--sans); cursor: pointer; }
`;

/** Bounds of networks as one HTML page that needs nothing else: styles and SVG figures are in it, and it runs no script. */
export function lipschitzPage({ models, faults, command, version }: LipschitzReport): string {
  const files = models.map(({ file }) => oneLine(file)).join(", ");
  const page = html`${new Markup(pageStart("lipschitz"))}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${files === "" ? "Lipschitz bounds" : `Lipschitz bounds of ${files}`}</title>
<style>${new Markup(style + more + answersStyle + drawingStyle)}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">spectral-norm lipschitz</p>
<h1>How much a network can amplify a change of its input</h1>
<p class="lead">The Lipschitz constant of a network f is the smallest L with ‖f(x) − f(y)‖₂ ≤ L · ‖x − y‖₂ for all inputs x and y. Here are
proven upper bounds on it, and the maps that they come from.</p>
</header>
${models.map(modelSection)}
<section>
<h2>What is proven</h2>
<p>Each bound is proven of ${PROVEN_OF}. Every rounding of the computation of the bound is counted. The rounding of the
network’s own computation is not part of it. Several inputs count as one vector.</p>
<p>Constants of maps in a row are multiplied. Where values are added, their bounds are added; where they are joined, the bound is the
root of the sum of the squares. A bound of a deep network can be far above its Lipschitz constant, because not all maps can
amplify the same change as much as each can amplify its own.</p>
${
  models.some(({ maps }) => maps.some(({ wider }) => wider))
    ? html`<p>“wider”: the sharper proof takes more than --max-cost flops; the bound holds as it is.</p>`
    : ""
}
<dl><dt>command</dt><dd><code>${command}</code></dd></dl>
${faults.length > 0 ? html`<p>What could not be read or measured:</p><ul>${faults.map((line) => html`<li>${line}</li>`)}</ul>` : ""}
</section>
<footer>Written by spectral-norm ${version}.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

function modelSection(model: BoundedModel, k: number): Markup {
  const slopes = slopeFigure(`figure-slopes-${k}`, model.outputs);
  const [first, ...others] = pathFigures(`figure-path-${k}`, model);
  return html`<section>
<h2>${oneLine(model.file)}</h2>
${answerList(model)}
${networkDrawing(`figure-network-${k}`, model)}
${first ? figureMarkup(first) : ""}
${others.map((figure) => html`<details><summary>${figure.title}</summary>${figureMarkup(figure)}</details>`)}
${slopes ? figureMarkup(slopes) : ""}
${outputTable(model)}
${mapTable(model)}
</section>`;
}
