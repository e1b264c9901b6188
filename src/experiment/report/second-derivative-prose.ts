import { scientific } from "../../report/format-number.js";
import { html, type Markup } from "../../report/markup.js";
import type { ExperimentResult, SecondDerivativeRow } from "../result.js";
import { engineTitle } from "./method-axis.js";

/** A description of the figure of second derivatives in this run. */
export function secondDerivativeProse({
  secondDerivative: rows,
  secondDerivativeReference: reference,
}: ExperimentResult): Markup {
  const core = rows.find(({ engine, dtype }) => engine === "core" && dtype === "float64");
  const wrong = rows.filter((row) => either(row, "silently wrong"));
  const undefinedWhereTied = rows.filter(({ verdict, tied }) => verdict !== "NaN" && tied.verdict === "NaN");
  const nowhere = rows.filter(({ verdict }) => verdict === "NaN");
  const none = rows.filter(({ verdict }) => verdict === "none");
  const worst = worstRight(rows);
  return html`${
    typeof core?.error === "number"
      ? html`The core’s second derivative in float64 agrees with the differences to ${scientific(core.error)} on X${
          core.tied.error === null ? "" : html` and to ${scientific(core.tied.error)} on diag(3, 1, 1)`
        }; `
      : ""
  }the differences’ own error is about ${scientific(reference.error)} on X (dashed line) and
${scientific(reference.tiedError)} on the other, so that smaller errors are not told apart.${
    worst
      ? html` Of those that are right, ${methodNames([worst])} is the furthest off, with ${scientific(worst.error ?? 0)}.`
      : ""
  }${
    wrong.length > 0
      ? html` Silently wrong, off by more than a tenth (shaded) and without a word of it: ${methodNames(wrong)}.`
      : " None of them is silently wrong."
  }${
    undefinedWhereTied.length > 0
      ? html` Not a number on diag(3, 1, 1), where the answer is finite: ${methodNames(undefinedWhereTied)}.`
      : ""
  }${nowhere.length > 0 ? html` Not a number on X: ${methodNames(nowhere)}.` : ""}${
    none.length > 0 ? html` No second derivative is to be had from ${methodNames(none)}.` : ""
  }`;
}

function either({ verdict, tied }: SecondDerivativeRow, wanted: SecondDerivativeRow["verdict"]): boolean {
  return verdict === wanted || tied.verdict === wanted;
}

/** The correct row with the largest error on X, if that is above 1e-5. */
function worstRight(rows: readonly SecondDerivativeRow[]): SecondDerivativeRow | undefined {
  const [worst] = rows
    .filter(({ verdict }) => verdict === "right")
    .sort((a, b) => (b.error ?? 0) - (a.error ?? 0));
  return worst && (worst.error ?? 0) > 1e-5 ? worst : undefined;
}

/** Engine by engine, each name once, whatever its dtypes. */
function methodNames(rows: readonly SecondDerivativeRow[]): string {
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  return engines
    .map((engine) => {
      const names = rows.filter((row) => row.engine === engine).map(({ name }) => name);
      return `${owner(engine)} ${enumerated([...new Set(names)])}`;
    })
    .join("; ");
}

function enumerated(names: readonly string[]): string {
  const last = names[names.length - 1];
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

function owner(engine: string): string {
  if (engine.startsWith("tfjs-")) return "TensorFlow.js";
  if (engine.startsWith("jax-")) return "jax-js";
  return engine === "core" ? "the core’s" : engineTitle(engine);
}
