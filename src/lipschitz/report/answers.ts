import { oneLine, quote } from "../../files/text.js";
import { html, type Markup } from "../../report/markup.js";
import { table } from "../../report/scrolling-table.js";
import type { MapBound } from "../network-bounds.js";
import { digitsAbove, digitsBelow } from "../rounded-digits.js";
import { type BoundedModel, boundsOf, nodeText, type OutputAnswer, opText } from "./bounded-model.js";
import { factorOf } from "./heaviest-path.js";

/** Style of the answers and of the table, beside that of the page. */
export const answersStyle = `
.answers, section > ul.answers { display: flex; flex-wrap: wrap; max-width: none; margin-inline: 0; padding: 0; }
.answers li { flex: 1 1 12.5rem; }
.answers li.none strong { color: var(--wrong); }
.answers span, .maps th, .maps td { overflow-wrap: anywhere; }
.maps tbody th { min-width: 8rem; white-space: normal; }
.maps .words { display: block; min-width: 9rem; text-align: left; white-space: normal; }
`;

/** Chosen: answers that are shown large; the others are in the table of outputs. */
const MOST_ANSWERS = 6;

/** The answer for each output, and the map that raises the bound most. */
export function answerList({ maps, outputs }: BoundedModel): Markup {
  const boundOf = boundsOf(maps);
  const largest = maps.reduce<{ map: MapBound; factor: number } | undefined>((best, map) => {
    const factor = factorOf(map, boundOf);
    return factor !== undefined && factor > (best?.factor ?? 1) ? { map, factor } : best;
  }, undefined);
  const rest = outputs.length - MOST_ANSWERS;
  return html`<ul class="findings answers">${outputs.slice(0, MOST_ANSWERS).map(answerItem)}${
    rest > 0 ? html`<li><strong>${rest} more</strong><span>outputs, in the table below</span></li>` : ""
  }${
    largest
      ? html`<li><strong>×${digitsAbove(largest.factor)}</strong><span>the largest factor, of ${nodeText(largest.map)}</span></li>`
      : ""
  }</ul>`;
}

function answerItem(answer: OutputAnswer): Markup {
  const { bound, missing, lower } = answer;
  if (bound === undefined)
    return html`<li class="none"><strong>no bound</strong><span>for ${functionText(answer)}${
      missing ? `, because of ${quote(missing.node)}: ${oneLine(missing.reason)}` : ""
    }</span></li>`;
  const most = digitsAbove(bound, 5);
  return html`<li><strong>≤ ${most}</strong><span>‖f(x) − f(y)‖₂ ≤ ${most} · ‖x − y‖₂ for all x and y, where f is ${functionText(answer)}${
    lower === undefined ? "" : `; slopes up to ${digitsBelow(lower)} were found`
  }</span></li>`;
}

function functionText({ output, inputs }: OutputAnswer): string {
  return inputs.length === 0
    ? quote(output)
    : `${quote(output)} as a function of ${inputs.map(quote).join(", ")}`;
}

/** All outputs; for networks with so many that `answerList` does not show them all. */
export function outputTable({ outputs }: BoundedModel): Markup {
  if (outputs.length <= MOST_ANSWERS) return html``;
  const slopes = outputs.some(({ lower }) => lower !== undefined);
  return html`<div class="maps">${table(
    "All outputs",
    ["output", "bound", ...(slopes ? ["slope found"] : []), words("inputs"), words("why there is none")],
    outputs.map(({ output, bound, lower, inputs, missing }) => [
      html`${oneLine(output)}`,
      html`${bound === undefined ? "–" : digitsAbove(bound, 6)}`,
      ...(slopes ? [html`${lower === undefined ? "–" : digitsBelow(lower)}`] : []),
      words(inputs.map(oneLine).join(", ")),
      words(missing ? `no bound: ${oneLine(missing.node)}: ${oneLine(missing.reason)}` : ""),
    ]),
  )}</div>`;
}

/** All maps, in the order in which they are applied. */
export function mapTable({ maps }: Pick<BoundedModel, "maps">): Markup {
  const slopes = maps.some(({ lower }) => lower !== undefined);
  return html`<div class="maps">${table(
    "All maps",
    [
      "node",
      words("operator"),
      "constant",
      ...(slopes ? ["at least"] : []),
      "bound so far",
      words("how it was proven"),
    ],
    maps.map((map) => {
      const { how, lower, bound } = map;
      return [
        html`${nodeText(map)}`,
        words(opText(map)),
        html`${constantCell(map)}`,
        ...(slopes ? [html`${lower === undefined ? "–" : digitsBelow(lower)}`] : []),
        html`${bound === undefined ? "–" : digitsAbove(bound)}`,
        map.constants
          ? words(oneLine(how))
          : html`<span class="words"><em>no bound</em> ${oneLine(how)}</span>`,
      ];
    }),
  )}</div>`;
}

function constantCell({ constants, combine }: MapBound): string {
  if (!constants) return "–";
  if (constants.length < 2) return digitsAbove(Math.max(0, ...constants));
  const largest = Math.max(...constants);
  const each = constants.every((constant) => constant === largest)
    ? `${constants.length} × ${digitsAbove(largest)}`
    : `up to ${digitsAbove(largest)}`;
  return `${each}, ${combine === "sum" ? "sum" : "√Σ²"}`;
}

function words(text: string): Markup {
  return html`<span class="words">${text}</span>`;
}
