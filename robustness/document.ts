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
  return `# Robustness

${count} matrices on which naive methods fail, and what each library makes of them. Their norms and singular vectors are
known exactly or computed in integers of 700 bits. \`npm run robustness\` runs everything and writes this page. The
matrices are in \`robustness/cases/\`; \`npm test\` runs this package on them with every method, dtype and set of kernels.

**How to read it.** A cell has a mark for the value and, if the method has a gradient, one for the gradient.

| mark | meaning |
|---|---|
| ✓ | right: a value to ${text(1e-10)} (float32: ${text(1e-5)}), a gradient to ${text(1e-8)} (${text(1e-4)}) in the Frobenius norm, or as far as the gap allows; at a tie, a subgradient |
| ${text(1e-4)} | inaccurate: the order of magnitude of the error, relative to σ₁, up to 0.01; for a gradient up to 0.1 |
| ✗ | silently wrong: a larger error, and no warning |
| † | a warning: \`converged: false\`, or one that the library prints |
| NaN | NaN or infinity where there is a finite answer |
| E | an exception |
| T | no answer within ${limitSeconds} s of processor time |
| K | the process crashed |
| – | not run: the entries do not fit the type |

If entries are NaN or infinite, an exception or NaN is right. If the norm is larger than the largest double, so are an
exception and infinity. An exception is not a wrong answer: several of these functions do not support some shapes, and
say so.

${table(
  ["column", "call", "version"],
  columns.map(({ head, calls, library, version }) => [head, calls, `${library} ${version}`]),
)}

${runtimes}${missing.map((line) => ` ${line}`).join("")}

## Totals

First for the value, then for the gradient.

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
  { head: "silently wrong", grades: ["silently wrong"] },
  {
    head: "wrong or inaccurate, with a warning",
    grades: ["inaccurate, with a warning", "wrong, with a warning"],
  },
  { head: "NaN", grades: ["NaN"] },
  { head: "error", grades: ["error"] },
  { head: "no answer in time, or crashed", grades: ["hangs", "dies"] },
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
    case "inaccurate, with a warning":
      return `${text(error ?? 1)}†`;
    case "silently wrong":
      return "✗";
    case "wrong, with a warning":
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
