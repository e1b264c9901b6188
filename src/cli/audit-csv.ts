import type { AuditLine, LeftOutLine } from "../audit/line.js";
import type { SpectrumMeasures } from "../audit/spectrum-fit.js";
import { oneLine } from "../files/text.js";

const COLUMNS = [
  "file",
  "tensor",
  "shape",
  "rows",
  "cols",
  "dtype",
  "sigma",
  "frobenius",
  "stableRank",
  "converged",
  "residual",
  "gradientError",
  "tied",
  "passes",
] as const;
const BOUNDS = ["lower", "upper", "sigma2Upper", "gradientErrorBound", "proven"] as const;
const SPECTRUM = [
  "alpha",
  "alphaHat",
  "xmin",
  "ksDistance",
  "tail",
  "logNorm",
  "bulkEdge",
  "spikeEdge",
  "spikes",
  "spectrumReason",
] as const satisfies readonly (keyof SpectrumMeasures)[];

interface CsvReportOptions {
  readonly certify?: boolean;
  readonly top?: number;
  readonly spectra?: boolean;
  readonly against?: string;
  readonly leftOut?: boolean;
}

/** The names of the columns. */
export function csvHead(options: CsvReportOptions): string {
  return row(columns(options));
}

/**
 * A line as comma-separated values (RFC 4180); what is infinite or not there is an empty field. Text, such as names out
 * of a model, is on one line with invisible characters escaped, and begins with an apostrophe where a spreadsheet would
 * take it for a formula.
 */
export function csvRow(line: AuditLine | LeftOutLine, options: CsvReportOptions): string {
  const fields = line as unknown as Readonly<Record<string, unknown>>;
  return row(
    columns(options).map((name) => {
      const value = fields[name] ?? "";
      if (Array.isArray(value)) return value.join(name === "shape" ? "x" : " ");
      return typeof value === "string" ? inert(value) : String(value);
    }),
  );
}

/** Text that no spreadsheet evaluates: https://owasp.org/www-community/attacks/CSV_Injection */
function inert(text: string): string {
  const line = oneLine(text);
  // Some programs also accept the full-width forms of these signs, and spaces before them.
  return /^\s*[=+\-@]/.test(line.normalize("NFKC")) || /^[\t\r\n]/.test(text) ? `'${line}` : line;
}

function columns({ certify, top, spectra, against, leftOut }: CsvReportOptions): string[] {
  return [
    ...COLUMNS,
    ...(certify ? BOUNDS : []),
    ...(top ? ["singularValues"] : []),
    ...(spectra ? SPECTRUM : []),
    ...(against === undefined ? [] : ["sigmaAgainst", "ratio"]),
    ...(leftOut ? ["leftOut"] : []),
  ];
}

function row(fields: readonly string[]): string {
  return fields
    .map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(",");
}
