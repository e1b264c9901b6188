import { figureMarkup } from "../../report/figure-markup.js";
import { scientific } from "../../report/format-number.js";
import { html, type Markup } from "../../report/markup.js";
import type { AuditLine } from "../line.js";
import { CAVEATS, OVER_TRAINED, RELIABLE_TAIL, spectraSummary, UNDER_TRAINED } from "../spectra-summary.js";
import { eigenvalueFigure, type WholeSpectrum } from "./eigenvalue-figure.js";
import { layerFigure } from "./layer-figure.js";

/**
 * What the whole spectra of a model tell: the exponents by layer, a summary, and the histograms of some matrices.
 *
 * @param k  the model's number in the report
 * @param spectra  the first is shown, the others can be opened
 */
export function spectraSection(
  k: number,
  lines: readonly AuditLine[],
  spectra: readonly WholeSpectrum[],
): Markup {
  const fitted = lines.flatMap(({ tensor, alpha }) => (typeof alpha === "number" ? [{ tensor, alpha }] : []));
  const figures = spectra.map((spectrum, i) => ({
    name: spectrum.name,
    figure: figureMarkup(
      eigenvalueFigure(
        `figure-eigenvalues-${k}-${i}`,
        spectrum,
        captionOf(lines.find(({ tensor }) => tensor === spectrum.name)),
      ),
    ),
  }));
  return html`${summaryOf(lines)}
${
  fitted.length === 0
    ? ""
    : figureMarkup(
        layerFigure({
          id: `figure-alpha-${k}`,
          title: "α by layer",
          label: "α",
          caption: html`The exponent of the power law p(λ) ∝ λ<sup>−α</sup> of the largest eigenvalues λ = σ². Dashed: ${OVER_TRAINED} and ${UNDER_TRAINED}.`,
          names: fitted.map(({ tensor }) => tensor),
          values: fitted.map(({ alpha }) => alpha),
          levels: [OVER_TRAINED, UNDER_TRAINED],
        }),
      )
}
${figures.map(({ name, figure }, i) =>
  i === 0 ? figure : html`<details><summary>The eigenvalues of ${name}</summary>${figure}</details>`,
)}`;
}

function summaryOf(lines: readonly AuditLine[]): Markup | "" {
  const found = spectraSummary(lines);
  if (!found) return "";
  const { matrices, fitted, alpha, alphaHat, logNorm, overTrained, underTrained, fewValues } = found;
  return html`<p>Power laws fit the largest eigenvalues of ${fitted} of ${matrices} matrices: mean α ${alpha.toFixed(2)}, mean α-hat
${alphaHat.toFixed(2)}; mean log-norm ${logNorm.toFixed(2)}. Over-trained (α &lt; ${OVER_TRAINED}): ${overTrained}; under-trained
(α &gt; ${UNDER_TRAINED}): ${underTrained}.${fewValues > 0 ? ` Fewer than ${RELIABLE_TAIL} values in the tail: ${fewValues}.` : ""}</p>
<p>${CAVEATS}</p>`;
}

function captionOf(line: AuditLine | undefined): Markup {
  if (!line) return html``;
  const { alpha, xmin, ksDistance, tail, bulkEdge, spikes } = line;
  const law =
    typeof alpha === "number" && typeof xmin === "number" && typeof ksDistance === "number"
      ? `α = ${alpha.toFixed(2)} for the ${tail} eigenvalues from xmin = ${scientific(xmin)} on, D = ${ksDistance.toFixed(3)}. `
      : "";
  const bulk =
    typeof bulkEdge === "number"
      ? `The bulk of a random matrix ends at ${scientific(bulkEdge)}; ${spikes === 0 ? "no eigenvalue lies" : spikes === 1 ? "1 eigenvalue lies" : `${spikes} eigenvalues lie`} clearly beyond it.`
      : "";
  return html`${law}${bulk}`;
}
