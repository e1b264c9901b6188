import { Footnotes } from "../experiment/footnotes.js";
import { positionText } from "../experiment/interval.js";
import type { ExperimentResult, Finding, RowName, SpeedRow } from "../experiment/result.js";
import { columnsOf, wrapped } from "./fit.js";
import { type FittedTable, fitNote, ruledTable } from "./ruled-table.js";

/**
 * What `spectral-norm experiment` prints on a terminal, in lines of at most `width` columns: where, how accurate, how
 * fast, what is missing.
 */
export function experimentTables(result: ExperimentResult, width = columnsOf()): string {
  const { truth, timing, environment } = result;
  const fastest = Math.min(...result.speed.map(({ medianMs }) => medianMs));
  const tables: FittedTable[] = [];
  const section: Section = (title, heads, rows, cells) => {
    const table = sectionTable(heads, rows, cells, width);
    tables.push(table);
    return [wrapped(title, width), ...table.lines].join("\n");
  };
  const prose = (text: string) => wrapped(text, width);
  const sections = [
    prose(
      `Node ${environment.node}, ${environment.platform}, ${environment.cpu}, ${environment.cores} cores; kernels: ${environment.kernels}`,
    ),
    section(
      `Accuracy on a ${truth.rows}×${truth.cols} matrix of known decomposition (seed ${truth.seed}, σ₁ = ${truth.sigma[0].toPrecision(6)})`,
      ["forward", "backward", "gradient", "proven interval"],
      result.accuracy,
      ({ forwardError, backwardError, gradientError, outsideInterval }) => [
        ...[forwardError, backwardError, gradientError].map(error),
        positionText(outsideInterval),
      ],
    ),
    prose(intervals(result)),
    prose(
      "forward |σ₁ − σ̂| · backward: RMS of the entries of u₁v₁ᵀ − Ĝ · gradient ‖u₁v₁ᵀ − Ĝ‖_F\n" +
        `Truth is that of X in float64; rounding X to float32 alone costs ${error(truth.float32Floor.forwardError)} and, in the gradient, ${error(truth.float32Floor.gradientError)}.`,
    ),
    ...secondDerivative(result, section, prose),
    section(
      `Speed, forward and backward on normal ${truth.rows}×${truth.cols} matrices`,
      ["median ms", "min", "max", "samples", "× fastest"],
      result.speed,
      (row) => [...times(row), `${row.samples} × ${row.loops}`, relative(row.medianMs / fastest)],
    ),
    prose(
      `samples: how many × the evaluations that each is the mean of, ${timing.runs} × ${timing.loops} taken in turn; fewer where a method's would take over ${timing.budgetMs / 1000} s.`,
    ),
    ...(result.missing.length > 0
      ? [prose(result.missing.map((line) => `Not here: ${line}`).join("\n"))]
      : []),
    ...fitNote(tables, "A wider terminal and --json have all.").map(prose),
  ];
  return `${sections.join("\n\n")}\n\n`;
}

type Section = <R extends RowName>(
  title: string,
  heads: readonly string[],
  rows: readonly R[],
  cells: (row: R) => string[],
) => string;

/** The intervals that the accuracy table speaks of. */
function intervals({ certificate }: ExperimentResult): string {
  const rows = (["float64", "float32"] as const).map((dtype) => {
    const { lower, upper, gradientErrorBound, proven } = certificate[dtype];
    const cheaper = proven ? "" : "; by cheaper bounds, X being large";
    const width = error((upper - lower) / upper);
    return `${dtype}  [${lower}, ${upper}], relative width ${width}; gradient within ${error(gradientErrorBound)}${cheaper}`;
  });
  return ["Proven by certify, of X as each dtype has it, ‖X‖₂ in", ...rows].join("\n");
}

function secondDerivative(
  { secondDerivative, secondDerivativeReference }: ExperimentResult,
  section: Section,
  prose: (text: string) => string,
): string[] {
  const notes = new Footnotes(secondDerivative);
  const mark = (number: number | undefined) => (number === undefined ? "" : ` [${number}]`);
  const { error: own, tiedError } = secondDerivativeReference;
  return [
    section(
      "Second derivative: its relative error in a random direction E, against finite differences in float64",
      ["same matrix", "diag(3, 1, 1)"],
      secondDerivative.map((row) => ({ ...row, name: row.name + mark(notes.ofRow(row)) })),
      (row) => [row, row.tied].map((finding) => assessed(finding) + mark(notes.ofFinding(finding, row))),
    ),
    prose(
      "‖Ĥ[E] − H[E]‖_F / ‖H[E]‖_F · silently wrong: above 0.1, without a word · diag(3, 1, 1): lower singular values tie, σ₁ does not\n" +
        `The differences' own error is about ${error(own)} and ${error(tiedError)}: smaller ones are not told apart.${notes.texts
          .map((text, i) => `\n[${i + 1}] ${text}`)
          .join("")}`,
    ),
  ];
}

/** A number by itself is right. */
function assessed({ error: value, verdict }: Finding): string {
  if (value === null) return verdict;
  return verdict === "right" ? error(value) : `${verdict} ${Number(value.toPrecision(2))}`;
}

function sectionTable<R extends RowName>(
  heads: readonly string[],
  rows: readonly R[],
  cells: (row: R) => string[],
  width: number,
): FittedTable {
  const lines: string[][] = [];
  let before: RowName | undefined;
  for (const row of rows) {
    const sameGroup = before?.engine === row.engine && before.dtype === row.dtype;
    if (before && !sameGroup) lines.push([]);
    lines.push([row.name, row.engine, row.dtype, ...cells(row)]);
    before = row;
  }
  // Engine and dtype tell rows of the same name apart; the least and the largest of the samples may go.
  const order: Readonly<Record<string, number>> = {
    ...{ max: 1, min: 2, samples: 3, backward: 4 },
    "proven interval": 5,
  };
  const columns = [
    { head: "method", align: "left", shorten: 0.25 },
    { head: "engine", align: "left" },
    { head: "dtype", align: "left" },
    ...heads.map((head) => ({
      head,
      align: "right" as const,
      ...(Object.hasOwn(order, head) && { drop: order[head] }),
    })),
  ] as const;
  return ruledTable(columns, lines, width);
}

function error(value: number): string {
  return value === 0 ? "0" : value.toExponential(2);
}

function times({ medianMs, minMs, maxMs }: SpeedRow): string[] {
  return [medianMs, minMs, maxMs].map((ms) => ms.toFixed(3));
}

function relative(factor: number): string {
  return factor < 9.95 ? factor.toFixed(1) : Math.round(factor).toLocaleString("en-US");
}
