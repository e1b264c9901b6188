import type { AuditLine, LeftOutLine } from "../audit/line.js";

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

export interface CsvOptions {
  readonly certify?: boolean;
  readonly top?: number;
  readonly against?: string;
  readonly leftOut?: boolean;
}

/** The names of the columns. */
export function csvHead(options: CsvOptions): string {
  return row(columns(options));
}

/** A line as comma-separated values (RFC 4180); what is infinite or not there is an empty field. */
export function csvRow(line: AuditLine | LeftOutLine, options: CsvOptions): string {
  const fields = line as unknown as Readonly<Record<string, unknown>>;
  return row(
    columns(options).map((name) => {
      const value = fields[name] ?? "";
      if (Array.isArray(value)) return value.join(name === "shape" ? "x" : " ");
      return String(value);
    }),
  );
}

function columns({ certify, top, against, leftOut }: CsvOptions): string[] {
  return [
    ...COLUMNS,
    ...(certify ? BOUNDS : []),
    ...(top ? ["singularValues"] : []),
    ...(against === undefined ? [] : ["sigmaAgainst", "ratio"]),
    ...(leftOut ? ["leftOut"] : []),
  ];
}

function row(fields: readonly string[]): string {
  return fields
    .map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(",");
}
