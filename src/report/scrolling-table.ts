import { html, type Markup } from "./markup.js";

/** A table that may be wider than the page; the first cell of a row is its name. */
export function table(
  caption: string,
  heads: readonly (string | Markup)[],
  rows: readonly (readonly Markup[])[],
): Markup {
  return html`<div class="scroll" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([name, ...cells]) =>
      html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`,
  )}</tbody>
</table></div>`;
}
