import { figureMarkup } from "../../report/figure-markup.js";
import { pageStart } from "../../report/mark.js";
import { html, Markup } from "../../report/markup.js";
import { style } from "../../report/style.js";
import type { ExperimentResult } from "../result.js";
import {
  accuracyTable,
  intervalTable,
  methodsList,
  secondDerivativeTable,
  speedTable,
} from "./accuracy-tables.js";
import { convergenceFigure } from "./convergence-figure.js";
import { errorFigure } from "./error-figure.js";
import { intervalFigure } from "./interval-figure.js";
import { prose } from "./prose.js";
import { secondDerivativeFigure } from "./second-derivative-figure.js";
import { spectrumFigure } from "./spectrum-figure.js";
import { timeFigure } from "./time-figure.js";

/**
 * The experiment as one HTML page that needs nothing else: styles and SVG figures are in it, and it
 * runs no script.
 */
export function reportPage(result: ExperimentResult): string {
  const { environment, truth, certificate, accuracy, speed, secondDerivative, timing } = result;
  const size = `${truth.rows}×${truth.cols}`;
  const text = prose(result);
  const page = html`${new Markup(pageStart("experiment"))}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The spectral norm and its gradient, ${size}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">spectral-norm experiment</p>
<h1>The spectral norm and its gradient</h1>
<p class="lead">A ${size} matrix X built from a known singular value decomposition, and ${numberOf(accuracy.length)} ways to
compute its norm ‖X‖₂ = σ₁ together with the derivative u₁v₁ᵀ: how wrong each is, and how long each takes.</p>
</header>
<ul class="findings">${text.findings.map(
    ({ figure, text }) => html`<li><strong>${figure}</strong><span>${text}</span></li>`,
  )}</ul>

<section>
<h2>The matrix</h2>
<p>X = U diag(σ) Vᵀ in float64. U and V are Haar-random: the orthogonal factors of normal matrices, with the signs fixed so
that no direction is preferred. Hence σ₁, u₁ and v₁ are known, and with them the derivative of the norm, ∂‖X‖₂/∂X = u₁v₁ᵀ.</p>
${figureMarkup(spectrumFigure(truth, text.spectrum))}
</section>

<section>
<h2>How accurate</h2>
<p>Three errors of each method: the forward error |σ₁ − σ̂|; the backward error, the root mean square of the entries of
u₁v₁ᵀ − Ĝ, where Ĝ is the gradient that the method returns; and the gradient error ‖u₁v₁ᵀ − Ĝ‖<sub>F</sub>, the length of the same
difference.</p>
${figureMarkup(errorFigure(accuracy, truth, text.errors))}
${accuracyTable(accuracy)}
</section>

<section>
<h2>What is certain</h2>
<p>The errors above are known because X was built from its decomposition. <code>certify(X)</code> needs no such luck: from the
entries alone it proves, with every rounding accounted for, an interval that holds ‖X‖₂, a bound on σ₂, and how far the
gradient can be off. A method whose value lies outside is wrong, and this holds without knowing the answer.</p>
${intervalTable(certificate)}
${figureMarkup(intervalFigure(accuracy, certificate, text.interval))}
</section>

<section>
<h2>How it converges</h2>
<p>Power iteration keeps only the last vector that it made; Lanczos keeps them all and picks the best of everything they
span. The work is counted in passes, each of which reads X from end to end: a step of power iteration takes two, for Xx and
then for Xᵀ(Xx), as the notebook has it; a step of block Lanczos takes one, which does both products of two vectors.</p>
${figureMarkup(convergenceFigure(result.convergence, text.convergence))}
</section>

<section>
<h2>The second derivative</h2>
<p>Where a loss contains the gradient of a norm, as a gradient penalty does, or where curvature is asked for, u₁v₁ᵀ is
differentiated once more: H[E] is its derivative as X moves in the direction E, here a random one. Each method finds it by its
own means, mostly a gradient of the gradient. It is compared with central differences of the float64 gradient, extrapolated to
a step of zero, which owe nothing to a formula for second derivatives; errors are relative, ‖Ĥ[E]&nbsp;−&nbsp;H[E]‖<sub>F</sub> over
‖H[E]‖<sub>F</sub>.</p>
<p>The second matrix, diag(3, 1, 1), has two equal singular values below the first. That is no obstacle, since ‖·‖₂ is smooth
wherever σ₁ is alone; but formulas that divide by differences of all singular values break there.</p>
${figureMarkup(secondDerivativeFigure(secondDerivative, result.secondDerivativeReference, text.secondDerivative))}
${secondDerivativeTable(secondDerivative)}
</section>

<section>
<h2>How fast</h2>
<p>Value and gradient of ${size} matrices of independent standard normals, new ones for each sample. A sample is the mean of
${timing.loops} evaluations, ${timing.runs} samples are taken, and the methods take turns. Making the matrices and bringing
them into each engine’s own form is not in the time.</p>
${figureMarkup(timeFigure(speed, text.times))}
${speedTable(speed)}
</section>

<section>
<h2>What was run, and where</h2>
<dl>
<dt>command</dt><dd><code>${commandLine(result)}</code></dd>
<dt>processor</dt><dd>${environment.cpu}, ${environment.cores} cores</dd>
<dt>platform</dt><dd>${environment.platform}, Node ${environment.node}</dd>
<dt>kernels</dt><dd>${environment.kernels}</dd>
<dt>versions</dt><dd>${Object.entries(environment.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}</dd>
<dt>begun</dt><dd><time datetime="${environment.date}">${environment.date.slice(0, 16).replace("T", " ")} UTC</time></dd>
</dl>
<p>What each row of the tables runs:</p>
${methodsList(accuracy)}
<p>And for the second derivative:</p>
${methodsList(secondDerivative)}
${result.missing.length > 0 ? html`<p>Not in this run:</p><ul>${result.missing.map((line) => html`<li>${line}</li>`)}</ul>` : ""}
</section>
<footer>Written by spectral-norm ${environment.versions["spectral-norm"]}. All numbers are from the run named above; the
errors repeat with the same seed, the times do not.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

function commandLine({ truth, timing, environment }: ExperimentResult): string {
  const python = environment.versions["torch"] === undefined ? "" : " --python PATH";
  return `spectral-norm experiment --rows ${truth.rows} --cols ${truth.cols} --runs ${timing.runs} --loops ${timing.loops} --seed ${truth.seed}${python}`;
}

const words = [
  "no",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
];

function numberOf(count: number): string {
  return words[count] ?? String(count);
}
