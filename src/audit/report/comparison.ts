import { figureMarkup } from "../../report/figure-markup.js";
import { html, type Markup } from "../../report/markup.js";
import { table } from "../../report/scrolling-table.js";
import type { Comparison } from "../compare.js";
import type { AuditLine } from "../line.js";
import { digits } from "./audit-tables.js";
import { layerFigure } from "./layer-figure.js";

/** Which norms moved from one model to the other. */
export function comparisonSection({ against, pairs, onlyHere, onlyThere }: Comparison): Markup {
  const known = pairs.filter(({ ratio }) => ratio > 0 && ratio < Number.POSITIVE_INFINITY);
  return html`<section>
<h2>Against ${against}</h2>
<p>Tensors of the same name, and the ratio of their σ₁: above 1 where the norm is larger here than there.</p>
${
  known.length > 0
    ? figureMarkup(
        layerFigure({
          id: "figure-ratio",
          title: "Ratio of σ₁, the one that moved most first",
          label: "σ₁ here / σ₁ there",
          caption: html`Both models have ${pairs.length} of these tensors.`,
          names: known.map(({ line }) => line.tensor),
          values: known.map(({ ratio }) => ratio),
          base: 1,
        }),
      )
    : ""
}
${
  pairs.length > 0
    ? table(
        "The same tensors in both",
        ["tensor", "shape here", "shape there", "σ₁ here", "σ₁ there", "ratio"],
        pairs.map(({ line, other, ratio }) => [
          html`${line.tensor}`,
          html`${line.shape.join("×")}`,
          html`${other.shape.join("×")}`,
          html`${digits(line.sigma)}`,
          html`${digits(other.sigma)}`,
          html`${Number.isNaN(ratio) ? "" : Number.isFinite(ratio) ? digits(ratio, 5) : "∞"}`,
        ]),
      )
    : ""
}
${only("Only here", onlyHere)}
${only(`Only in ${against}`, onlyThere)}
</section>`;
}

function only(title: string, lines: readonly AuditLine[]): Markup {
  if (lines.length === 0) return html``;
  return html`<p>${title}:</p>
<ul>${lines.map(({ tensor, shape, sigma }) => html`<li><code>${tensor}</code> ${shape.join("×")}, σ₁ = ${digits(sigma)}</li>`)}</ul>`;
}
