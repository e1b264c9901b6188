import type { Family } from "./cases.js";
import type { Grade, Verdict } from "./judge.js";
import type { Described } from "./rival.js";

/** What one rival made of one case; undefined where it was not asked, since its type cannot hold the entries. */
export interface Cell {
  readonly value: Verdict;
  /** absent where there is no gradient to judge */
  readonly gradient?: Verdict;
}

export interface Column extends Described {
  readonly library: string;
  readonly version: string;
  /** by the name of the case */
  readonly cells: ReadonlyMap<string, Cell | undefined>;
}

export interface Document {
  readonly families: readonly Family[];
  readonly columns: readonly Column[];
  /** what was not there, a sentence each */
  readonly missing: readonly string[];
  readonly limitSeconds: number;
  readonly runtimes: string;
}

/** docs/robustness.md: no times and nothing of the machine, so that it changes only when an answer does. */
export function markdown({ families, columns, missing, limitSeconds, runtimes }: Document): string {
  const count = families.reduce((sum, { cases }) => sum + cases.length, 0);
  return `# Who survives

${count} matrices on which naive methods fail, with norms and singular vectors known exactly or computed with integers of 700
bits, and what each library makes of them. \`npm run robustness\` runs it all and writes this page; the matrices are in
\`robustness/cases/\`, and \`npm test\` holds this package to them with every method, dtype and set of kernels.

**How to read it.** A cell has the value’s grade and, where the method has a gradient, the gradient’s after it.

| | |
|---|---|
| ✓ | right: a value to ${text(1e-10)} (float32: ${text(1e-5)}), a gradient to ${text(1e-8)} (${text(1e-4)}) in the Frobenius norm, or as far as the gap lets it be known; at a tie, a subgradient |
| ${text(1e-4)} | inaccurate: the order of the error, relative to σ₁, up to 0.01; of a gradient up to 0.1 |
| ✗ | wrong in silence: further off, and nothing says so |
| † | it says so itself: \`converged: false\`, or a warning |
| NaN | NaN or infinity where there is a finite answer |
| E · T · K | an exception · no answer within ${limitSeconds} s of processor time · the process dies |
| – | not asked: the entries are beyond its type |

Where entries are NaN or infinite, an exception or a NaN is right; where the norm is beyond the largest double, so are an
exception and infinity. An exception is not wrong: several of these functions do not take the shape, and say it.

${table(
  ["column", "what is called", "version"],
  columns.map(({ head, calls, library, version }) => [head, calls, `${library} ${version}`]),
)}

${runtimes}${missing.map((line) => ` ${line}`).join("")}

## Totals

Of the value, then of the gradient.

${totals(columns, "value")}

${totals(
  columns.filter(({ cells }) => [...cells.values()].some((cell) => cell?.gradient)),
  "gradient",
)}
${families.map((family) => section(family, columns)).join("")}`;
}

function section({ title, fools, cases }: Family, columns: readonly Column[]): string {
  return `
## ${title}

${fools}

${table(
  ["case", ...columns.map(({ head }) => head)],
  cases.map(({ name }) => [name, ...columns.map(({ cells }) => formatCell(cells.get(name)))]),
)}
`;
}

const kinds: readonly { readonly head: string; readonly grades: readonly Grade[] }[] = [
  { head: "right", grades: ["right"] },
  { head: "inaccurate", grades: ["inaccurate"] },
  { head: "wrong in silence", grades: ["wrong in silence"] },
  { head: "off, and says so", grades: ["inaccurate, and says so", "wrong, and says so"] },
  { head: "NaN", grades: ["NaN"] },
  { head: "error", grades: ["error"] },
  { head: "no answer in time, or dies", grades: ["hangs", "dies"] },
];

function totals(columns: readonly Column[], of: "value" | "gradient"): string {
  return table(
    [of, ...kinds.map(({ head }) => head)],
    columns.map(({ head, cells }) => {
      const grades = [...cells.values()].flatMap((cell) => cell?.[of]?.grade ?? []);
      return [
        head,
        ...kinds.map((kind) => String(grades.filter((grade) => kind.grades.includes(grade)).length)),
      ];
    }),
  );
}

function formatCell(cell: Cell | undefined): string {
  if (!cell) return "–";
  return cell.gradient ? `${mark(cell.value)} ${mark(cell.gradient)}` : mark(cell.value);
}

function mark({ grade, error }: Verdict): string {
  switch (grade) {
    case "right":
      return "✓";
    case "inaccurate":
      return text(error ?? 1);
    case "inaccurate, and says so":
      return `${text(error ?? 1)}†`;
    case "wrong in silence":
      return "✗";
    case "wrong, and says so":
      return "✗†";
    case "NaN":
      return "NaN";
    case "error":
      return "E";
    case "hangs":
      return "T";
    case "dies":
      return "K";
  }
}

/** An order of magnitude. */
function text(error: number): string {
  return `1e${Math.round(Math.log10(error))}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** The names of the cases in a document, in order. */
export function casesIn(document: string): string[] {
  return document
    .split("\n## ")
    .flatMap(
      (part) =>
        part
          .match(/^\| case \|[\s\S]*/m)?.[0]
          .split("\n")
          .slice(2) ?? [],
    )
    .flatMap((line) => line.match(/^\| (.+?) \|/)?.[1] ?? []);
}
