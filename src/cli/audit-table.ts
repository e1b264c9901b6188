import { isSure } from "../audit/audit.js";
import type { Comparison } from "../audit/compare.js";
import type { AuditLine, LeftOutLine } from "../audit/line.js";
import { oneLine } from "../files/text.js";
import { columnsOf, shortened, wrapped } from "./fit.js";
import { byReason } from "./left-out.js";
import { type Column, type FittedTable, fitNote, ruledTable } from "./ruled-table.js";
import { SPECTRA_EXPLANATION, spectraSummaryText } from "./spectra-notes.js";

/**
 * What `spectral-norm audit` prints on a terminal: a table for each model, in lines of at most `width` columns.
 *
 * @param leftOut  listed by name below the table of their model
 */
export function auditTables(
  lines: readonly AuditLine[],
  leftOut: readonly LeftOutLine[],
  width = columnsOf(),
): string {
  const files = [...new Set([...lines, ...leftOut].map(({ file }) => file))];
  const tables: FittedTable[] = [];
  const sections = files.flatMap((file) => {
    const own = lines.filter((line) => line.file === file);
    const out = leftOut.filter((line) => line.file === file);
    return [
      ...(own.length > 0 ? [section(file, own, width, tables)] : []),
      ...(out.length > 0
        ? [[wrapped(`Left out of ${oneLine(file)}:`, width), ...leftOutOf(out)].join("\n")]
        : []),
    ];
  });
  if (lines.length > 0)
    sections.push(
      wrapped(
        [...fitNote(tables, "A wider terminal, --json and --csv have all."), explanation(lines)].join("\n"),
        width,
      ),
    );
  return sections.length === 0 ? "" : `${sections.join("\n\n")}\n\n`;
}

/** Chosen to fit the width: singular values after the first in a row. */
const LEADING = 4;

function section(file: string, lines: readonly AuditLine[], width: number, tables: FittedTable[]): string {
  const count = `: ${lines.length} ${lines.length === 1 ? "matrix" : "matrices"}`;
  const table = tableOf(lines, width);
  tables.push(table);
  const summary = spectraSummaryText(lines).map((text) => wrapped(text, width));
  return [shortened(oneLine(file), width - count.length) + count, ...table.lines, ...summary].join("\n");
}

function tableOf(lines: readonly AuditLine[], width: number): FittedTable {
  const certified = lines.some(({ lower }) => lower !== undefined);
  const sigma = aligned(lines.map((line) => digits(line.sigma)));
  const frobenius = aligned(lines.map((line) => digits(line.frobenius)));
  const rank = aligned(lines.map(({ stableRank }) => digits(stableRank, 4)));
  const leading = lines.some(({ singularValues }) => singularValues);
  const spectra = lines.some(({ alpha }) => alpha !== undefined) ? spectrumColumns(lines) : [];
  const applied = lines.some(({ input }) => input);
  const columns: Column[] = [
    { head: "tensor", align: "left", shorten: 0.45, after: lines.map(notes) },
    { head: "shape", align: "right", drop: 2 },
    { head: "matrix", align: "right", drop: 7 },
    ...(applied ? ([{ head: "input", align: "right", drop: 8 }] as const) : []),
    { head: "dtype", align: "left", drop: 1 },
    { head: "σ₁", align: "right" },
    { head: "residual", align: "right", drop: 3 },
    { head: "‖·‖_F", align: "right", drop: 4 },
    { head: "stable rank", align: "right", drop: 5 },
    ...(certified
      ? ([
          { head: "proven from", align: "right" },
          { head: "to", align: "right" },
        ] as const)
      : []),
    ...spectra.map(({ column }) => column),
    ...(leading ? ([{ head: "σ₂, σ₃ …", align: "left", drop: 6 }] as const) : []),
  ];
  const rows = lines.map((line, i) => [
    oneLine(line.tensor),
    shapeText(line.shape),
    `${line.rows}×${line.cols}`,
    ...(applied ? [inputText(line)] : []),
    line.dtype,
    sigma[i],
    small(line.residual),
    frobenius[i],
    rank[i],
    ...(certified ? interval(line) : []),
    ...spectra.map(({ cells }) => cells[i]),
    ...(leading ? [leadingText(line)] : []),
  ]);
  return ruledTable(columns, rows, width);
}

/** What `--spectra` adds; an undefined number is a dash. */
function spectrumColumns(lines: readonly AuditLine[]): { column: Column; cells: string[] }[] {
  const cells = (value: (line: AuditLine) => number | null | undefined, text: (value: number) => string) =>
    lines.map((line) => {
      const found = value(line);
      return typeof found === "number" ? text(found) : "–";
    });
  const right = (head: string, texts: string[], drop?: number) => ({
    column: { head, align: "right", ...(drop !== undefined && { drop }) } as const,
    cells: texts,
  });
  return [
    right(
      "α",
      cells(({ alpha }) => alpha, exponent),
    ),
    right(
      "D",
      cells(
        ({ ksDistance }) => ksDistance,
        (d) => d.toFixed(3),
      ),
      9,
    ),
    right(
      "α-hat",
      cells(
        ({ alphaHat }) => alphaHat,
        (x) => x.toFixed(2),
      ),
      8,
    ),
    right(
      "log-norm",
      cells(
        ({ logNorm }) => logNorm,
        (x) => x.toFixed(2),
      ),
      4.2,
    ),
    right(
      "edge",
      cells(
        ({ bulkEdge }) => bulkEdge,
        (x) => digits(x, 4),
      ),
      4.1,
    ),
    right(
      "spikes",
      cells(({ spikes }) => spikes, String),
      10,
    ),
  ];
}

function exponent(alpha: number): string {
  return alpha < 1000 ? alpha.toFixed(2) : alpha.toExponential(1);
}

/** Of a convolution; a star where the option gives it. */
function inputText({ input, inputFrom }: AuditLine): string {
  return input ? `${input.join("×")}${inputFrom === "option" ? "*" : ""}` : "";
}

function leadingText({ singularValues = [] }: AuditLine): string {
  return singularValues
    .slice(1, 1 + LEADING)
    .map((x) => digits(x, 5))
    .join(" ");
}

/** Which norms moved from one model to the other, in lines of at most `width` columns. */
export function comparisonTable(
  { against, pairs, onlyHere, onlyThere }: Comparison,
  width = columnsOf(),
): string {
  const here = aligned(pairs.map(({ line }) => digits(line.sigma)));
  const there = aligned(pairs.map(({ other }) => digits(other.sigma)));
  const ratios = aligned(pairs.map(({ ratio }) => (Number.isFinite(ratio) ? digits(ratio, 5) : "")));
  const rows = pairs.map(({ line, other }, i) => [
    oneLine(line.tensor),
    shapeText(line.shape) === shapeText(other.shape)
      ? shapeText(line.shape)
      : `${shapeText(line.shape)} (there ${shapeText(other.shape)})`,
    here[i],
    there[i],
    ratios[i],
  ]);
  const columns: Column[] = [
    { head: "tensor", align: "left", shorten: 0.45 },
    { head: "shape", align: "right", drop: 1 },
    { head: "σ₁ here", align: "right" },
    { head: "σ₁ there", align: "right" },
    { head: "ratio", align: "right" },
  ];
  const table = ruledTable(columns, rows, width);
  const only = (title: string, lines: readonly AuditLine[]) =>
    lines.length === 0
      ? []
      : [
          wrapped(
            `${title} (${lines.length}): ${lines.map(({ tensor, sigma }) => `${oneLine(tensor)} ${digits(sigma)}`).join(", ")}`,
            width,
            "  ",
          ),
        ];
  const sections = [
    wrapped(`Against ${oneLine(against)}, sorted by change`, width),
    ...(rows.length > 0 ? table.lines : ["no tensor of the same name"]),
    ...fitNote([table], "A wider terminal, --json and --csv have all.").map((line) => wrapped(line, width)),
    ...only("Only here", onlyHere),
    ...only("Only there", onlyThere),
  ];
  return `${sections.join("\n")}\n\n`;
}

function notes({ converged, tied, proven }: AuditLine): string {
  const said = [
    ...(converged ? [] : ["not converged"]),
    ...(tied ? ["tied"] : []),
    ...(proven === false ? ["not proven"] : []),
  ];
  return said.length > 0 ? ` (${said.join(", ")})` : "";
}

function interval({ lower, upper }: AuditLine): string[] {
  return [lower === undefined ? "" : String(lower), upper === undefined ? "" : String(upper ?? "∞")];
}

function explanation(lines: readonly AuditLine[]): string {
  const unsure = lines.filter((line) => !isSure(line)).length;
  return [
    "residual: √(‖Av−σu‖² + ‖Aᵀu−σv‖²), which bounds the distance of σ₁ to a singular value · stable rank: ‖A‖_F²/σ₁²",
    ...(lines.some(({ alpha }) => alpha !== undefined) ? [SPECTRA_EXPLANATION] : []),
    ...(lines.some(({ input }) => input)
      ? ["input: the size that a convolution is applied to, its graph's own or, with *, that of --input"]
      : []),
    ...(unsure > 0 ? [`${unsure} of ${lines.length} did not converge or could not be proven.`] : []),
  ].join("\n");
}

/** The names by reason, the most frequent reason first. */
function leftOutOf(lines: readonly LeftOutLine[]): string[] {
  return byReason(lines.map((line) => ({ ...line, reason: line.leftOut }))).flatMap(({ reason, those }) => [
    `  ${reason} (${those.length}):`,
    ...those.map(({ tensor, shape }) => `    ${oneLine(tensor)}${shape ? ` [${shapeText(shape)}]` : ""}`),
  ]);
}

/** Axes of a shape that are shown. */
const AXES = 9;

function shapeText(shape: readonly number[]): string {
  return `${shape.slice(0, AXES).join("×")}${shape.length > AXES ? "×…" : ""}`;
}

/** `count` significant digits; an exponent only for very small and very large numbers. */
function digits(value: number, count = 7): string {
  if (value === 0) return "0";
  return value >= 1e-4 && value < 1e7 ? value.toPrecision(count) : value.toExponential(count - 1);
}

function small(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}

/** Pads numbers on the right so that their decimal points align. */
function aligned(numbers: readonly string[]): string[] {
  const behind = numbers.map((text) => (text.includes(".") ? text.length - text.indexOf(".") : 0));
  const most = Math.max(0, ...behind);
  return numbers.map((text, i) => text + " ".repeat(most - behind[i]));
}
