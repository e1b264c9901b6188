/** What `suite.mjs` reports. */
export interface Report {
  /** names of the kernels that the runtime has, fastest first */
  readonly kernels: readonly string[];
  readonly chosen: string;
  readonly threads: number;
  readonly noThreads?: string;
  /** a digest of results of the "wasm" kernels */
  readonly bits: string;
  readonly outcomes: readonly Outcome[];
}

export interface Outcome {
  readonly name: string;
  readonly failure?: string;
}

/** A runtime that was there, and what it came to. */
export interface Examined {
  readonly title: string;
  readonly version: string;
  readonly report: Report;
  /** whether the command was run in it too */
  readonly command: boolean;
}

/** A runtime that was not there. */
export interface Absent {
  readonly title: string;
  readonly absent: string;
}

export const failuresOf = ({ report }: Examined): Outcome[] =>
  report.outcomes.filter(({ failure }) => failure !== undefined);

/** The Markdown table of `docs/runtimes.md`. */
export function tableOf(rows: readonly (Examined | Absent)[]): string {
  const cells = rows.map((row) => {
    if ("absent" in row) return [row.title, `absent: ${row.absent}`, "", "", "", "", ""];
    const { report } = row;
    const failed = failuresOf(row).length;
    return [
      row.title,
      row.version,
      report.kernels.join(", "),
      report.threads > 1 ? "yes" : `no: ${report.noThreads ?? "it has not run"}`,
      row.command ? "yes" : "",
      String(report.outcomes.length - failed),
      String(failed),
    ];
  });
  const head = ["runtime", "version", "kernels, fastest first", "threads", "command", "passed", "failed"];
  const line = (row: readonly string[]) =>
    `| ${row.map((cell) => cell.replaceAll("|", "\\|").replace(/\s+/g, " ")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...cells.map(line)].join("\n");
}

const [BEGIN, END] = ["<!-- generated: runtimes -->", "<!-- /generated -->"];

/** The document with the table in the place of the one between the markers. */
export function withTable(document: string, table: string): string {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the document has no ${BEGIN} … ${END}`);
  return `${document.slice(0, from)}${BEGIN}\n${table}\n${document.slice(to)}`;
}
