import { figureMarkup } from "../../report/figure-markup.js";
import { scientific } from "../../report/format-number.js";
import { pageStart } from "../../report/mark.js";
import { html, Markup } from "../../report/markup.js";
import { style } from "../../report/style.js";
import type { Comparison } from "../compare.js";
import type { AuditLine, LeftOutLine } from "../line.js";
import { auditTable, leftOutList } from "./audit-tables.js";
import { comparisonSection } from "./comparison.js";
import type { WholeSpectrum } from "./eigenvalue-figure.js";
import { histogramFigure } from "./histogram-figure.js";
import { layerFigure } from "./layer-figure.js";
import { type Spectrum, spectraFigure } from "./spectra-figure.js";
import { spectraSection } from "./spectra-section.js";

/** All that a report says. */
interface AuditReport {
  readonly lines: readonly AuditLine[];
  readonly leftOut: readonly LeftOutLine[];
  /** what could not be read, a sentence each */
  readonly faults: readonly string[];
  /** of the chosen matrix of a model, by the model's name */
  readonly spectra: ReadonlyMap<string, Spectrum>;
  /** whole ones of some matrices, likewise */
  readonly eigenvalues: ReadonlyMap<string, readonly WholeSpectrum[]>;
  readonly comparison: Comparison | undefined;
  /** as it was typed */
  readonly command: string;
  readonly version: string;
}

/** Names of tensors have no spaces to break at. */
const more = `.findings span, h2, .figure-title, li, summary { overflow-wrap: anywhere; }
/* A table of many columns may stand out on both sides of the text before it scrolls. */
@media screen and (min-width: 64rem) {
  .scroll { position: relative; left: 50%; translate: -50%; width: max-content; min-width: 100%; max-width: min(94vw, 92rem); }
}`;

/** An audit as one HTML page that needs nothing else: styles and SVG figures are in it, and it runs no script. */
export function auditPage({
  lines,
  leftOut,
  faults,
  spectra,
  eigenvalues,
  comparison,
  command,
  version,
}: AuditReport): string {
  const files = [...new Set([...lines, ...leftOut].map(({ file }) => file))];
  const largest = largestOf(lines, ({ sigma }) => sigma);
  const flattest = largestOf(lines, ({ stableRank }) => stableRank);
  const unsure = lines.filter(({ converged, proven }) => !converged || proven === false).length;
  const findings = [
    {
      figure: String(lines.length),
      text: `weight matrices in ${files.length === 1 ? "one model" : `${files.length} models`}`,
    },
    ...(largest ? [{ figure: scientific(largest.sigma), text: `the largest σ₁, of ${largest.tensor}` }] : []),
    ...(flattest
      ? [{ figure: scientific(flattest.stableRank), text: `the largest stable rank, of ${flattest.tensor}` }]
      : []),
    ...(unsure > 0 ? [{ figure: String(unsure), text: "did not converge or could not be proven" }] : []),
  ];
  const page = html`${new Markup(pageStart("audit"))}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The spectral norms of ${files.join(", ")}</title>
<style>${new Markup(style + more)}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">spectral-norm audit</p>
<h1>The spectral norms of a model’s weights</h1>
<p class="lead">σ₁ = ‖A‖₂ is how much a layer can stretch its input. The stable rank ‖A‖<sub>F</sub>²/σ₁² says among how many
directions its strength is divided: 1 where a single one has it all.</p>
</header>
<ul class="findings">${findings.map(
    ({ figure, text }) => html`<li><strong>${figure}</strong><span>${text}</span></li>`,
  )}</ul>
${files.map((file, k) => modelSection(file, k, lines, leftOut, spectra.get(file), eigenvalues.get(file)))}
${comparison ? comparisonSection(comparison) : ""}
<section>
<h2>How it was found</h2>
<dl><dt>command</dt><dd><code>${command}</code></dd></dl>
<p>σ₁ and its vectors by block Lanczos iteration. Residual: √(‖Av−σu‖² + ‖Aᵀu−σv‖²) of the vectors as they are in the
weights’ own precision; a singular value is no further from σ₁ than that.</p>
${lines.some(({ alpha }) => alpha !== undefined) ? howSpectra : ""}
${faults.length > 0 ? html`<p>What could not be read:</p><ul>${faults.map((line) => html`<li>${line}</li>`)}</ul>` : ""}
</section>
<footer>Written by spectral-norm ${version}.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

const howSpectra = html`<p>α by maximum likelihood, with the xmin of the smallest Kolmogorov–Smirnov distance D (Clauset, Shalizi
&amp; Newman 2009); α-hat: α·log<sub>10</sub> λ₁; log-norm: log<sub>10</sub> of the sum of all λ. The bulk is the distribution of
Marchenko and Pastur for independent entries; their variance is the one for which its median is that of the eigenvalues
without spikes (Gavish &amp; Donoho 2014). Spikes are beyond its edge by more than random matrices are, but for one in a
hundred (Johnstone 2001).</p>`;

function modelSection(
  file: string,
  k: number,
  all: readonly AuditLine[],
  allLeftOut: readonly LeftOutLine[],
  chosen: Spectrum | undefined,
  whole: readonly WholeSpectrum[] = [],
): Markup {
  const lines = all.filter((line) => line.file === file);
  const leftOut = allLeftOut.filter((line) => line.file === file);
  const others = lines.flatMap(({ tensor, singularValues }): Spectrum[] =>
    singularValues && tensor !== chosen?.name ? [{ name: tensor, values: singularValues }] : [],
  );
  const names = lines.map(({ tensor }) => tensor);
  return html`<section>
<h2>${file}</h2>
${
  lines.length === 0
    ? ""
    : html`${figureMarkup(
        layerFigure({
          id: `figure-sigma-${k}`,
          title: "σ₁ by layer",
          label: "σ₁",
          caption: html`${zeros(lines)}`,
          names,
          values: lines.map(({ sigma }) => sigma),
        }),
      )}
${figureMarkup(
  layerFigure({
    id: `figure-rank-${k}`,
    title: "Stable rank by layer",
    label: "‖A‖_F²/σ₁²",
    caption: html`A matrix of one row or column has stable rank 1; one with equal singular values has its full rank.`,
    names,
    values: lines.map(({ stableRank }) => stableRank),
  }),
)}
${figureMarkup(
  histogramFigure(
    `figure-histogram-${k}`,
    lines.map(({ sigma }) => sigma),
    html`Bins of equal ratio.`,
  ),
)}
${
  chosen
    ? figureMarkup(
        spectraFigure(
          `figure-spectrum-${k}`,
          chosen,
          others,
          others.length > 0
            ? html`In grey, those of the other matrices.`
            : html`σ₁ is ${scientific(chosen.values[0])}; each value is relative to it.`,
        ),
      )
    : ""
}
${spectraSection(k, lines, whole)}
${auditTable(lines)}`
}
${leftOutList(leftOut)}
</section>`;
}

function zeros(lines: readonly AuditLine[]): string {
  const count = lines.filter(({ sigma }) => sigma === 0).length;
  return count === 0 ? "" : `${count === 1 ? "One matrix is" : `${count} matrices are`} zero.`;
}

function largestOf(lines: readonly AuditLine[], value: (line: AuditLine) => number): AuditLine | undefined {
  return lines.reduce<AuditLine | undefined>(
    (best, line) => (best === undefined || value(line) > value(best) ? line : best),
    undefined,
  );
}
