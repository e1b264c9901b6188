import { html, type Markup } from "../../report/markup.js";
import { table } from "../../report/scrolling-table.js";
import type { AuditLine, LeftOutLine } from "../line.js";

/** Every matrix of a model. */
export function auditTable(lines: readonly AuditLine[]): Markup {
  const proven = lines.some(({ lower }) => lower !== undefined);
  const spectra = lines.some(({ alpha }) => alpha !== undefined);
  const head = [
    "shape",
    "matrix",
    "dtype",
    "σ₁",
    "residual",
    "‖·‖F",
    "stable rank",
    ...(proven ? ["proven from", "to"] : []),
    ...(spectra ? ["α", "D", "α-hat", "log-norm", "edge", "spikes"] : []),
  ];
  return table(
    "All matrices",
    ["tensor", ...head],
    lines.map((line) => [
      html`${line.tensor}${notes(line)}`,
      html`${line.shape.join("×")}`,
      html`${`${line.rows}×${line.cols}`}`,
      html`${line.dtype}`,
      html`${digits(line.sigma)}`,
      html`${line.residual === 0 ? "0" : line.residual.toExponential(1)}`,
      html`${digits(line.frobenius)}`,
      html`${digits(line.stableRank, 4)}`,
      ...(proven ? [html`${String(line.lower)}`, html`${String(line.upper ?? "∞")}`] : []),
      ...(spectra ? spectrumCells(line) : []),
    ]),
  );
}

function spectrumCells(line: AuditLine): Markup[] {
  const { alpha, ksDistance, alphaHat, logNorm, bulkEdge, spikes } = line;
  return [
    ...[alpha, ksDistance, alphaHat, logNorm].map((value) => signed(value)),
    html`${typeof bulkEdge === "number" ? digits(bulkEdge, 4) : "–"}`,
    html`${spikes ?? "–"}`,
  ];
}

function signed(value: number | null | undefined): Markup {
  return html`${typeof value === "number" ? String(Number(value.toPrecision(4))) : "–"}`;
}

/** What is not in the table, and why. */
export function leftOutList(lines: readonly LeftOutLine[]): Markup {
  if (lines.length === 0) return html``;
  return html`<details><summary>${lines.length} tensors are left out</summary>
<ul>${lines.map(({ tensor, shape, leftOut }) => html`<li><code>${tensor}</code>${shape ? ` [${shape.join(", ")}]` : ""} ${leftOut}</li>`)}</ul>
</details>`;
}

export function digits(value: number, count = 6): string {
  if (value === 0) return "0";
  return value >= 1e-4 && value < 1e6 ? value.toPrecision(count) : value.toExponential(count - 1);
}

function notes({ converged, tied, proven }: AuditLine): Markup {
  const said = [
    ...(converged ? [] : ["not converged"]),
    ...(tied ? ["tied"] : []),
    ...(proven === false ? ["not proven"] : []),
  ];
  return said.length > 0 ? html` <em>(${said.join(", ")})</em>` : html``;
}
