import { isSure } from "../audit/audit.js";
import type { Comparison } from "../audit/compare.js";
import type { AuditLine, LeftOutLine } from "../audit/line.js";
import { oneLine } from "../files/text.js";
import { ruledTable } from "./ruled-table.js";

/** What `spectral-norm audit` prints on a terminal: a table for each model, and below it what was left out of it. */
export function auditTables(lines: readonly AuditLine[], leftOut: readonly LeftOutLine[]): string {
  const files = [...new Set([...lines, ...leftOut].map(({ file }) => file))];
  const sections = files.flatMap((file) => {
    const own = lines.filter((line) => line.file === file);
    const out = leftOut.filter((line) => line.file === file);
    return [
      ...(own.length > 0 ? [table(file, own)] : []),
      ...(out.length > 0 ? [[`Left out of ${oneLine(file)}:`, ...leftOutOf(out)].join("\n")] : []),
    ];
  });
  if (lines.length > 0) sections.push(explanation(lines));
  return sections.length === 0 ? "" : `${sections.join("\n\n")}\n\n`;
}

/** Further singular values that a table has room for. */
const LEADING = 4;

function table(file: string, lines: readonly AuditLine[]): string {
  const certified = lines.some(({ lower }) => lower !== undefined);
  const sigma = aligned(lines.map((line) => digits(line.sigma)));
  const frobenius = aligned(lines.map((line) => digits(line.frobenius)));
  const rank = aligned(lines.map(({ stableRank }) => digits(stableRank, 4)));
  const heads = ["tensor", "shape", "matrix", "dtype", "σ₁", "residual", "‖·‖_F", "stable rank"];
  const leading = lines.some(({ singularValues }) => singularValues) ? ["σ₂, σ₃ …"] : [];
  const bounds = certified ? ["proven from", "to"] : [];
  const rows = lines.map((line, i) => [
    oneLine(line.tensor) + notes(line),
    shapeText(line.shape),
    `${line.rows}×${line.cols}`,
    line.dtype,
    sigma[i],
    small(line.residual),
    frobenius[i],
    rank[i],
    ...(certified ? interval(line) : []),
    ...leading.map(() =>
      (line.singularValues ?? [])
        .slice(1, 1 + LEADING)
        .map((x) => digits(x, 5))
        .join(" "),
    ),
  ]);
  const aligns = [...heads, ...bounds, ...leading].map((head, i) =>
    i === 0 || head === "dtype" || head === leading[0] ? "left" : "right",
  );
  const count = `${lines.length} ${lines.length === 1 ? "matrix" : "matrices"}`;
  return [`${oneLine(file)}: ${count}`, ...ruledTable([...heads, ...bounds, ...leading], aligns, rows)].join(
    "\n",
  );
}

/** Which norms moved from one model to the other. */
export function comparisonTable({ against, pairs, onlyHere, onlyThere }: Comparison): string {
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
  const heads = ["tensor", "shape", "σ₁ here", "σ₁ there", "ratio"];
  const only = (title: string, lines: readonly AuditLine[]) =>
    lines.length === 0
      ? []
      : [
          `${title} (${lines.length}): ${lines.map(({ tensor, sigma }) => `${oneLine(tensor)} ${digits(sigma)}`).join(", ")}`,
        ];
  const sections = [
    `Against ${oneLine(against)}, that which moved most first`,
    ...(rows.length > 0
      ? ruledTable(heads, ["left", "right", "right", "right", "right"], rows)
      : ["no tensor of the same name"]),
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
    "residual: √(‖Av−σu‖² + ‖Aᵀu−σv‖²); a singular value is no further from σ₁, and σ₁ itself as a rule much closer · stable rank: ‖A‖_F²/σ₁²",
    ...(unsure > 0 ? [`${unsure} of ${lines.length} did not converge or could not be proven.`] : []),
  ].join("\n");
}

/** By reason, the most frequent first. */
function leftOutOf(lines: readonly LeftOutLine[]): string[] {
  const reasons = new Map<string, LeftOutLine[]>();
  for (const line of lines) reasons.set(line.leftOut, [...(reasons.get(line.leftOut) ?? []), line]);
  return [...reasons]
    .sort((a, b) => b[1].length - a[1].length)
    .map(([reason, those]) => {
      const names = those.map(
        ({ tensor, shape }) => oneLine(tensor) + (shape ? ` [${shape.join(", ")}]` : ""),
      );
      return `  ${oneLine(reason)} (${those.length}): ${names.join(", ")}`;
    });
}

function shapeText(shape: readonly number[]): string {
  return shape.join("×");
}

/** So many digits, of which none is lost to an exponent unless the number is very small or large. */
function digits(value: number, count = 7): string {
  if (value === 0) return "0";
  return value >= 1e-4 && value < 1e7 ? value.toPrecision(count) : value.toExponential(count - 1);
}

function small(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}

/** Numbers with their decimal points below each other. */
function aligned(numbers: readonly string[]): string[] {
  const behind = numbers.map((text) => (text.includes(".") ? text.length - text.indexOf(".") : 0));
  const most = Math.max(0, ...behind);
  return numbers.map((text, i) => text + " ".repeat(most - behind[i]));
}
