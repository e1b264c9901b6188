import { duration, scientific, times } from "../../report/format-number.js";
import { html, type Markup } from "../../report/markup.js";
import type { AccuracyRow, ConvergencePoint, ExperimentResult, RowName, SpeedRow } from "../result.js";
import { engineTitle } from "./method-axis.js";
import { secondDerivativeProse } from "./second-derivative-prose.js";

/**
 * The sentences of the report. They are made from the numbers, so each says only what holds in this
 * run: a comparison is drawn where there is a difference to speak of, and left out otherwise.
 */
interface Prose {
  readonly spectrum: Markup;
  readonly errors: Markup;
  readonly interval: Markup;
  readonly convergence: Markup;
  readonly secondDerivative: Markup;
  readonly times: Markup;
  readonly findings: readonly { readonly figure: string; readonly text: string }[];
}

export function prose(result: ExperimentResult): Prose {
  return {
    spectrum: spectrum(result),
    errors: errors(result),
    interval: interval(result),
    convergence: convergence(result),
    secondDerivative: secondDerivativeProse(result),
    times: speeds(result),
    findings: findings(result),
  };
}

function pick<R extends RowName>(
  rows: readonly R[],
  engine: string,
  name: string,
  dtype: string,
): R | undefined {
  return rows.find((row) => row.engine.startsWith(engine) && row.name === name && row.dtype === dtype);
}

export function spectrum({ truth: { sigma } }: Pick<ExperimentResult, "truth">): Markup {
  if (sigma.length < 2) return html`X has a single singular value, which is its norm.`;
  const ratio = sigma[1] / sigma[0];
  return html`The σ are one draw from a Dirichlet(1, …, 1) distribution, sorted; they add up to 1. σ₂ lies
${percent(1 - ratio)} below σ₁. That gap decides how hard the task is: the gradient is a matter of telling
u₁ and v₁ from u₂ and v₂, and power iteration comes nearer by the factor (σ₂/σ₁)² = ${scientific(ratio ** 2)} a step.`;
}

export function errors({ accuracy, truth }: Pick<ExperimentResult, "accuracy" | "truth">): Markup {
  const lanczos = pick(accuracy, "core", "lanczos", "float64");
  const power = pick(accuracy, "core", "power", "float64");
  const { gradientError: floor } = truth.float32Floor;
  const sides = Math.sqrt(truth.rows * truth.cols);
  const comparison =
    lanczos && power && power.gradientError > 10 * lanczos.gradientError
      ? html`In float64, block Lanczos finds the gradient to ${scientific(lanczos.gradientError)}; power iteration with the
notebook’s stopping rule leaves ${scientific(power.gradientError)}, ${times(power.gradientError / lanczos.gradientError)} as much,
although its σ is right to ${scientific(power.forwardError)}. An error of the vectors enters σ squared, so σ looks finished
long before the gradient is. `
      : html``;
  return html`${comparison}The RMS of the entries, the notebook’s measure, is the Frobenius error divided by
√(${truth.rows}·${truth.cols}) = ${scientific(sides)}, which flatters every method alike. The truth is the float64 one for
every row; a float32 method is handed X rounded to float32, and rounding alone moves the gradient by ${scientific(floor)}
(dashed line), so no float32 gradient can be expected to lie to the left of it.${exactNote(accuracy)}`;
}

function exactNote(rows: readonly AccuracyRow[]): string {
  const exact = rows.some(({ forwardError, gradientError }) => forwardError === 0 || gradientError === 0);
  return exact ? " An error that is exactly 0 stands at the left end of the scale." : "";
}

function interval({ accuracy, certificate }: ExperimentResult): Markup {
  const { float64, float32 } = certificate;
  const inside = accuracy.filter(({ outsideInterval }) => outsideInterval === 0);
  const exact = accuracy.filter(({ dtype }) => dtype === "float64");
  const below = exact.filter(({ outsideInterval }) => outsideInterval < 0);
  const worst = below.reduce<AccuracyRow | undefined>(
    (most, row) => (most && most.outsideInterval <= row.outsideInterval ? most : row),
    undefined,
  );
  const cheaper = [float64, float32].some(({ proven }) => !proven)
    ? html` X is too large for the proof at its default cost; the bounds shown hold as well, but are what less work can show.`
    : html``;
  return html`${String(inside.length)} of ${String(accuracy.length)} values lie inside. ${
    worst
      ? html`Furthest below in float64 is ${engineTitle(worst.engine)} ${worst.name}, by ${scientific(-worst.outsideInterval)}: an iteration that
stops early stops below, since no vector is stretched by more than σ₁. `
      : ""
  }A value that a method returns as a float32 number is itself rounded by up to 2⁻²⁴·σ₁ (dashed line), which is more than
the interval is wide. The core’s float32 rows compute σ̂ in float64, of vectors that are rounded to float32, which costs it
the square of their error.${cheaper}`;
}

export function convergence({
  convergence: { power, lanczos, notebookStop },
  truth,
}: Pick<ExperimentResult, "convergence" | "truth">): Markup {
  const lambda = truth.sigma[0] ** 2;
  const [lastPower, lastLanczos] = [power.at(-1), lanczos.at(-1)];
  if (!lastPower || !lastLanczos) return html``;
  const reached = settled(lanczos);
  const meanwhile = power.findLast(({ passes }) => passes <= reached.passes);
  return html`Each point is a run of its own, stopped after that many passes and compared with the truth. Block Lanczos
settles at ${scientific(reached.gradientError)} after ${passes(reached)}${
    meanwhile ? html`, where power iteration is still at ${scientific(meanwhile.gradientError)}` : ""
  }; power iteration ends this figure at ${scientific(lastPower.gradientError)} after ${passes(lastPower)}.${
    notebookStop
      ? html` The notebook’s rule, ‖XᵀXx − λx‖ ≤ 10⁻⁶·λ + 10⁻⁶, stops it after ${passes(notebookStop)}, at
${scientific(notebookStop.gradientError)}${
  lambda < 1 ? html`: λ = σ² is ${scientific(lambda)} here, so that its absolute part decides` : ""
}. A residual alone cannot tell how far off the vectors are; divided by the gap to σ₂, it can.`
      : ""
  }`;
}

/** Where a curve has come within a factor of three of the best that it reaches. */
function settled(curve: readonly ConvergencePoint[]): ConvergencePoint {
  const best = Math.min(...curve.map(({ gradientError }) => gradientError));
  return curve.find(({ gradientError }) => gradientError <= 3 * best) ?? curve[curve.length - 1];
}

export function speeds({
  accuracy,
  speed,
  timing,
}: Pick<ExperimentResult, "accuracy" | "speed" | "timing">): Markup {
  const ours = fastestAccurate(accuracy, speed);
  const slowest = speed.reduce((a, b) => (b.medianMs > a.medianMs ? b : a));
  const fastest = speed.reduce((a, b) => (b.medianMs < a.medianMs ? b : a));
  const peers = [
    pick(speed, "ml-matrix", "SVD", "float64"),
    pick(speed, "pytorch", "matrix_norm", "float32"),
    pick(speed, "tfjs", "unrolled", "float32"),
  ].flatMap((row) => row ?? []);
  const cut = speed.some(({ samples, loops }) => samples < timing.runs || loops < timing.loops);
  return html`The dot is the median, the bar runs from the fastest to the slowest sample, and each tick is a sample, the mean
of several evaluations. Fastest is ${label(fastest)} with ${duration(fastest.medianMs)}, slowest ${label(slowest)} with
${duration(slowest.medianMs)}. ${
    ours
      ? html`On the core, ${ours.name} in ${ours.dtype} takes ${duration(ours.medianMs)}${peers.map(
          (peer) => html`; ${label(peer)} takes ${comparedTo(ours.medianMs, peer.medianMs)}`,
        )}. `
      : ""
  }The errors above belong beside these times: methods that stop at unlike errors have not done the same work.${
    cut
      ? ` Where all samples would have taken more than ${timing.budgetMs / 1000} s, fewer were taken; the table has their number.`
      : ""
  }`;
}

function findings({ accuracy, speed, truth }: ExperimentResult): { figure: string; text: string }[] {
  const lanczos = pick(accuracy, "core", "lanczos", "float64");
  const power = pick(accuracy, "core", "power", "float64");
  const best = fastestAccurate(accuracy, speed);
  const peer = pick(speed, "ml-matrix", "SVD", "float64");
  return [
    lanczos && {
      figure: scientific(lanczos.gradientError),
      text: "gradient error of block Lanczos in float64, Frobenius norm",
    },
    power && {
      figure: scientific(power.gradientError),
      text: "the same for power iteration with the notebook’s stopping rule",
    },
    best && {
      figure: duration(best.medianMs),
      text: `σ and gradient of a ${truth.rows}×${truth.cols} matrix on the core (${best.name}, ${best.dtype}), median`,
    },
    best &&
      peer &&
      peer.medianMs > 1.5 * best.medianMs && {
        figure: times(peer.medianMs / best.medianMs).replace(" times", "×"),
        text: `as fast as ml-matrix’s SVD, which takes ${duration(peer.medianMs)}`,
      },
  ].flatMap((finding) => finding || []);
}

/** The fastest row of the core whose gradient is right to 10⁻⁵. */
function fastestAccurate(accuracy: readonly AccuracyRow[], speed: readonly SpeedRow[]): SpeedRow | undefined {
  return speed
    .filter(({ engine, name, dtype }) => engine === "core" && accurate(pick(accuracy, "core", name, dtype)))
    .sort((a, b) => a.medianMs - b.medianMs)[0];
}

function accurate(row: AccuracyRow | undefined): boolean {
  return row !== undefined && row.gradientError < 1e-5;
}

function label({ name, engine, dtype }: RowName): string {
  return engine === name ? name : `${engineTitle(engine)} ${name} (${dtype})`;
}

function comparedTo(ours: number, theirs: number): string {
  if (Math.max(theirs, ours) < 1.15 * Math.min(theirs, ours)) return "about as long";
  if (theirs >= ours) return `${times(theirs / ours)} as long`;
  return `${duration(theirs)}, ${times(ours / theirs)} less`;
}

function passes({ passes }: ConvergencePoint): string {
  return passes === 1 ? "one pass" : `${passes.toLocaleString("en-US")} passes`;
}

function percent(fraction: number): string {
  return `${Number((100 * fraction).toPrecision(2))} %`;
}
