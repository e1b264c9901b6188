import { scientific } from "../../src/report/format-number.js";
import type { Interval, IntervalCase } from "../work/interval.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { choiceField, fields } from "./fields.js";
import { FigureView } from "./figure.js";
import { intervalFigure } from "./interval-figure.js";
import { Live } from "./live.js";

const cases: readonly { readonly label: string; readonly value: IntervalCase }[] = [
  { label: "normal entries, 64×128", value: "normal" },
  { label: "normal entries, 300×300", value: "large" },
  { label: "σ₂ a millionth below σ₁", value: "close" },
  { label: "a tie, σ₁ = σ₂", value: "tie" },
];

/** An interval around ‖A‖₂ that is halved until rounding ends it. */
export function intervalSection(host: HTMLElement): void {
  const kind = choiceField("Matrix", cases, () => void live.run());
  const figure = new FigureView();
  const slider = element("input", { type: "range", min: "0", max: "0", step: "1", id: "interval-slider" });
  const said = element("output", { for: "interval-slider", class: "bounds" });
  const table = element("dl", { class: "certificate" });
  const scrub = element(
    "div",
    { class: "slider", hidden: true },
    element("label", { for: "interval-slider" }, "Tests so far"),
    slider,
    said,
  );
  let shown: Interval | undefined;

  const draw = () => {
    if (!shown) return;
    const count = slider.valueAsNumber;
    figure.show(intervalFigure(shown, count));
    const { lower, upper } = count === 0 ? shown.first : shown.steps[count - 1];
    said.replaceChildren(...boundLines(lower, upper));
    slider.setAttribute("aria-valuetext", `${count} tests: from ${lower} to ${upper}`);
  };
  slider.addEventListener("input", draw);

  const live = new Live<Interval>({
    run: "Run",
    auto: true,
    start: (listener) => compute("interval", { kind: kind.value() }, listener),
    show(found) {
      shown = found;
      const count = found.steps.length;
      slider.max = String(count);
      slider.value = String(count);
      scrub.hidden = false;
      draw();
      table.replaceChildren(...certificateEntries(found));
      const { lower, upper } = found.steps.at(-1) ?? found.first;
      return `${count} tests leave an interval ${scientific((upper - lower) / upper)} wide, relative to the norm`;
    },
  });
  host.append(
    fields(() => void live.run(), kind.node, live.node),
    figure.node,
    scrub,
    table,
  );
}

/** Both bounds, with the digits that agree emphasized. */
function boundLines(lower: number, upper: number): HTMLElement[] {
  const [below, above] = [lower.toPrecision(17), upper.toPrecision(17)];
  let same = 0;
  while (same < below.length && below[same] === above[same]) same++;
  return [
    ["at least", below],
    ["at most", above],
  ].map(([label, digits]) =>
    element(
      "span",
      { class: "bound" },
      element("span", {}, label),
      element("span", { class: "digits" }, element("b", {}, digits.slice(0, same)), digits.slice(same)),
    ),
  );
}

function certificateEntries({ certificate }: Interval): HTMLElement[] {
  const { lower, upper, sigma2Upper, gradientErrorBound, proven } = certificate;
  const entries: readonly (readonly [string, string])[] = [
    ["certify(A)", proven ? `proves, with a few better placed tests,` : "does not get as far as a proof,"],
    ["‖A‖₂", `${lower} … ${upper}`],
    ["σ₂", `at most ${sigma2Upper}`],
    ["u·vᵀ", errorText(gradientErrorBound)],
  ];
  return entries.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]);
}

function errorText(bound: number): string {
  return bound >= Math.SQRT2
    ? `${scientific(bound)}: a tie cannot be excluded`
    : `off by at most ${scientific(bound)}, in the Frobenius norm`;
}
