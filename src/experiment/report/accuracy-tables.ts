import { html, type Markup } from "../../report/markup.js";
import { Footnotes } from "../footnotes.js";
import { positionText } from "../interval.js";
import type {
  AccuracyRow,
  ExperimentResult,
  Finding,
  RowName,
  SecondDerivativeRow,
  SpeedRow,
} from "../result.js";
import { grouped } from "./method-axis.js";

/** The three errors of every method. */
export function accuracyTable(rows: readonly AccuracyRow[]): Markup {
  return table(
    "Errors on the ground truth",
    ["forward", "backward", "gradient", "proven interval"],
    rows,
    ({ forwardError, backwardError, gradientError, outsideInterval }) => [
      ...[forwardError, backwardError, gradientError].map(error),
      positionText(outsideInterval),
    ],
  );
}

/** What `certify` proves of X, in each dtype. */
export function intervalTable(certificate: ExperimentResult["certificate"]): Markup {
  const caption = "What is proven of X";
  const heads = ["lower", "upper", "width, relative", "σ₂ at most", "gradient within"];
  const rows = (["float64", "float32"] as const).map((dtype) => ({ dtype, ...certificate[dtype] }));
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr><th scope="col">X in</th>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows.map(
    ({ dtype, lower, upper, sigma2Upper, gradientErrorBound }) =>
      html`<tr><th scope="row">${dtype}</th>${[
        ...[lower, upper].map(String),
        error((upper - lower) / upper),
        sigma2Upper.toPrecision(7),
        error(gradientErrorBound),
      ].map((cell) => html`<td>${cell}</td>`)}</tr>
`,
  )}</tbody></table></div>`;
}

/** Median, range and number of samples of every method, in milliseconds. */
export function speedTable(rows: readonly SpeedRow[]): Markup {
  return table(
    "Forward and backward, milliseconds",
    ["median", "min", "max", "samples"],
    rows,
    ({ medianMs, minMs, maxMs, samples, loops }) => [
      ...[medianMs, minMs, maxMs].map((ms) => ms.toFixed(3)),
      `${samples} × ${loops}`,
    ],
  );
}

/** The error of every second derivative or the word for it, and the notes. */
export function secondDerivativeTable(rows: readonly SecondDerivativeRow[]): Markup {
  const notes = new Footnotes(rows);
  const mark = (number: number | undefined) => (number === undefined ? html`` : html`<sup>${number}</sup>`);
  const main = table(
    "Relative error of the second derivative",
    ["X", "diag(3, 1, 1)"],
    rows,
    (row) =>
      [row, row.tied].map((finding) => html`${assessed(finding)}${mark(notes.ofFinding(finding, row))}`),
    (row) => mark(notes.ofRow(row)),
  );
  if (notes.texts.length === 0) return main;
  return html`${main}
<ol class="notes">${notes.texts.map((text) => html`<li>${text}</li>`)}</ol>`;
}

/** A number by itself is right. */
function assessed({ error: value, verdict }: Finding): Markup {
  if (value === null) return html`${verdict}`;
  return verdict === "right"
    ? html`${error(value)}`
    : html`<em>${verdict}</em> ${Number(value.toPrecision(2))}`;
}

/** What each row of a table runs. */
export function methodsList(rows: readonly (RowName & { readonly runs: string })[]): Markup {
  // The same method in another dtype runs the same.
  const distinct = rows.filter(
    (row, i) => i === rows.findIndex(({ name, engine }) => name === row.name && engine === row.engine),
  );
  return html`<dl>${distinct.map(
    ({ name, engine, runs }) => html`<dt>${engine} ${name}</dt><dd>${runs}</dd>`,
  )}</dl>`;
}

function table<R extends RowName>(
  caption: string,
  heads: readonly string[],
  rows: readonly R[],
  cells: (row: R) => readonly (string | Markup)[],
  mark: (row: R) => Markup | "" = () => "",
): Markup {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr><th scope="col">method</th>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
${grouped(rows).map(
  (group) => html`<tbody>
<tr><th scope="rowgroup" colspan="${heads.length + 1}">${group.title}</th></tr>
${group.rows.map(
  (
    row,
  ) => html`<tr><th scope="row">${row.name}${mark(row)}</th>${cells(row).map((cell) => html`<td>${cell}</td>`)}</tr>
`,
)}</tbody>
`,
)}</table></div>`;
}

function error(value: number): string {
  return value === 0 ? "0" : value.toExponential(2);
}
