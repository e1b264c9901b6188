import { scientific } from "../../src/report/format-number.js";
import type { ComplexCase, ComplexExample } from "../work/complex.js";
import { complexFigure } from "./complex-figure.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { choiceField, fields } from "./fields.js";
import { FigureView } from "./figure.js";
import { Live } from "./live.js";

const cases: readonly { readonly label: string; readonly value: ComplexCase }[] = [
  { label: "normal parts", value: "normal" },
  { label: "a corner of the Fourier matrix", value: "fourier" },
  { label: "a chirp along the diagonal", value: "chirp" },
];

/** A complex matrix, its singular vectors, which the reader may turn, and the values of its real form. */
export function complexSection(host: HTMLElement): void {
  const kind = choiceField("Complex matrix", cases, () => void live.run());
  const figure = new FigureView();
  const slider = element("input", { type: "range", min: "0", max: "360", step: "5", id: "phase-slider" });
  slider.value = "0";
  const said = element("output", { for: "phase-slider" });
  const table = element("dl", { class: "values" });
  let shown: ComplexExample | undefined;

  const draw = () => {
    if (!shown) return;
    const turn = slider.valueAsNumber;
    figure.show(complexFigure(shown, turn));
    said.textContent = `u and v are multiplied by eⁱᵠ, φ = ${turn}°. They are still singular vectors, and u·vᴴ is the same.`;
    slider.setAttribute("aria-valuetext", `${turn} degrees`);
  };
  slider.addEventListener("input", draw);

  const live = new Live<ComplexExample>({
    run: "Run",
    auto: true,
    start: (listener) => compute("complex", { kind: kind.value() }, listener),
    show(found) {
      shown = found;
      draw();
      table.replaceChildren(...valueEntries(found));
      return `‖A‖₂ = ${found.sigma[0]}`;
    },
  });
  host.append(
    fields(() => void live.run(), kind.node, live.node),
    figure.node,
    element(
      "div",
      { class: "slider" },
      element("label", { for: "phase-slider" }, "Common phase φ"),
      element("div", { class: "range" }, mark("0°"), slider, mark("360°")),
      said,
    ),
    table,
  );
}

function mark(text: string): HTMLElement {
  return element("span", { "aria-hidden": "true" }, text);
}

function valueEntries({ sigma, gradientError, realForm }: ComplexExample): HTMLElement[] {
  const first = (values: Float64Array) =>
    `${Array.from(values.subarray(0, 4), (x) => x.toFixed(6)).join(", ")}, …`;
  const entries: readonly (readonly [string, string])[] = [
    ["Singular values of A", first(sigma)],
    ["of the real form", first(realForm.sigma)],
    ["Gradient’s error, of A", scientific(gradientError)],
    ["of the real form", `${scientific(realForm.gradientError)}: a tie, so it is one of many subgradients`],
  ];
  return entries.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]);
}
