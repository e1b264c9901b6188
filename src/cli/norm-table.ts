import type { Bounds } from "../audit/bounds.js";
import { oneLine } from "../files/text.js";
import { columnsOf, wrapped } from "./fit.js";
import { type Column, fitNote, ruledTable } from "./ruled-table.js";

/** The table cells of one matrix. */
export interface NormRow {
  readonly file: string;
  readonly key: string | undefined;
  readonly shape: readonly [number, number];
  readonly dtype: string;
  readonly method: string;
  readonly sigma: number;
  readonly gradientError: number;
  readonly converged: boolean;
  readonly tied: boolean;
  readonly certificate: Bounds | undefined;
}

/** How the bound was proven; empty for the sharpest method. */
const WAYS: Readonly<Record<string, string>> = {
  cholesky: "",
  magnitudes: "by the norm of |A|",
  frobenius: "by the Frobenius norm",
};

/** The types whose σ has all digits of a double. */
const DOUBLES: readonly string[] = ["float64", "complex128"];

/** What `spectral-norm norm` prints on a terminal, in lines of at most `width` columns. */
export function normTables(rows: readonly NormRow[], width = columnsOf()): string {
  if (rows.length === 0) return "";
  const names = rows.map(({ file, key }) => oneLine(key === undefined ? file : `${file} ${key}`));
  const columns: Column[] = [
    { head: "file", align: "left", shorten: 0.35, after: rows.map(notes) },
    { head: "‖A‖₂", align: "right" },
    { head: "size", align: "right", drop: 4 },
    { head: "dtype", align: "left", drop: 2 },
    { head: "method", align: "left", drop: 1 },
    { head: "error of u·vᵀ", align: "right", drop: 3 },
  ];
  const table = ruledTable(
    columns,
    rows.map(({ sigma, dtype, gradientError, shape, method }, i) => [
      names[i],
      String(DOUBLES.includes(dtype) ? sigma : Number(sigma.toPrecision(9))),
      shape.join("×"),
      dtype,
      method,
      Number.isFinite(gradientError) ? gradientError.toExponential(1) : "unknown",
    ]),
    width,
  );
  const sections = [table.lines.join("\n")];
  const tables = [table];
  if (rows.some(({ certificate }) => certificate)) {
    const bounds = boundsTable(rows, names, width);
    tables.push(bounds);
    sections.push(["Proven bounds", ...bounds.lines].join("\n"));
  }
  const remarks = [
    ...fitNote(tables, "A wider terminal and --json have all."),
    ...(rows.some(({ tied }) => tied) ? ["tied: σ₁ = σ₂, so the gradient is one of many subgradients."] : []),
    ...(rows.some(({ certificate }) => certificate && !("method" in certificate))
      ? ["not proven: a matrix larger than --memory."]
      : []),
  ];
  if (remarks.length > 0) sections.push(wrapped(remarks.join("\n"), width));
  return `${sections.join("\n\n")}\n`;
}

function boundsTable(rows: readonly NormRow[], names: readonly string[], width: number) {
  const columns: Column[] = [
    { head: "file", align: "left", shorten: 0.15 },
    { head: "‖A‖₂ from", align: "right" },
    { head: "to", align: "right" },
    { head: "σ₂ to", align: "right", drop: 2 },
    { head: "error of u·vᵀ", align: "right", drop: 3 },
    { head: "how", align: "left", drop: 1 },
  ];
  return ruledTable(
    columns,
    rows.map(({ certificate }, i) => {
      if (!certificate || !("method" in certificate)) return [names[i], "", "", "", "", "not proven"];
      const { lower, upper, sigma2Upper, gradientErrorBound, proven, method } = certificate;
      const how = [...(proven ? [] : ["not close"]), ...(WAYS[method] ? [WAYS[method]] : [])];
      const error = Number.isFinite(gradientErrorBound) ? gradientErrorBound.toExponential(1) : "∞";
      return [names[i], String(lower), finite(upper), finite(roundedUp(sigma2Upper)), error, how.join(", ")];
    }),
    width,
  );
}

/** Rounded up to seven digits. */
function roundedUp(value: number): number {
  const short = Number(value.toPrecision(7));
  if (!(short < value)) return short;
  return Number((short + 10 ** (Math.floor(Math.log10(value)) - 6)).toPrecision(7));
}

function finite(value: number): string {
  return Number.isFinite(value) ? String(value) : "∞";
}

function notes({ converged, tied }: NormRow): string {
  const said = [...(converged ? [] : ["not converged"]), ...(tied ? ["tied"] : [])];
  return said.length > 0 ? ` (${said.join(", ")})` : "";
}
