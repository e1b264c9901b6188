import { convergenceFigure } from "../../src/experiment/report/convergence-figure.js";
import { convergence } from "../../src/experiment/report/prose.js";
import { powerOfTen, scientific } from "../../src/report/format-number.js";
import type { Gap } from "../work/gap.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { FigureView } from "./figure.js";
import { Live } from "./live.js";

const [rows, cols, seed] = [64, 128, 0];
/** The scales do not change while the slider moves. */
const frame = { passes: 1000, errors: [1e-16, 10] };

/** Compares power iteration with Lanczos iteration for a gap that the reader chooses. */
export function gapSection(host: HTMLElement): void {
  const slider = element("input", { type: "range", min: "-8", max: "-0.3", step: "0.1", id: "gap-slider" });
  slider.value = "-1";
  const said = element("output", { for: "gap-slider" });
  const figure = new FigureView();
  const gapNow = () => 10 ** slider.valueAsNumber;
  const say = () => {
    const gap = gapNow();
    said.textContent = `(σ₁ − σ₂)/σ₁ = ${scientific(gap)}. A step of power iteration leaves ${left(gap)} of the error: ${stepsForDigit(gap)}.`;
    slider.setAttribute("aria-valuetext", `relative gap ${scientific(gap)}`);
  };

  const live = new Live<Gap>({
    run: "Run",
    auto: true,
    start: (listener) => compute("gap", { rows, cols, seed, gap: gapNow() }, listener),
    show({ sigma, convergence: curves }) {
      const truth = {
        rows,
        cols,
        seed,
        sigma,
        float32Floor: { forwardError: 0, backwardError: 0, gradientError: 0 },
      };
      const text = convergence({ convergence: curves, truth });
      figure.show(convergenceFigure(curves, text, frame));
      const [ofPower, ofLanczos] = [curves.power.at(-1), curves.lanczos.at(-1)];
      return ofPower && ofLanczos
        ? `Power iteration: ${scientific(ofPower.gradientError)} after ${ofPower.passes} passes; Lanczos: ${scientific(ofLanczos.gradientError)} after ${ofLanczos.passes}`
        : "Done";
    },
  });

  // The slider may move while a gap is computed. Only its latest position is computed next.
  let running = false;
  let moved = false;
  const follow = async () => {
    say();
    moved = true;
    if (running) return;
    running = true;
    while (moved) {
      moved = false;
      await live.run();
    }
    running = false;
  };
  slider.addEventListener("input", () => void follow());
  say();
  host.append(
    element(
      "div",
      { class: "slider" },
      element("label", { for: "gap-slider" }, "Relative gap"),
      element("div", { class: "range" }, scale(-8), slider, scale(-0.3)),
      said,
    ),
    live.node,
    figure.node,
  );
}

function scale(exponent: number): HTMLElement {
  const text = Number.isInteger(exponent) ? powerOfTen(exponent) : "½";
  return element("span", { "aria-hidden": "true" }, text);
}

function left(gap: number): string {
  const factor = (1 - gap) ** 2;
  return factor > 0.999 ? `1 − ${scientific(1 - factor)}` : String(Number(factor.toPrecision(3)));
}

function stepsForDigit(gap: number): string {
  const steps = Math.ceil(Math.LN10 / (-2 * Math.log1p(-gap)));
  return steps === 1 ? "a digit a step" : `a digit takes ${steps.toLocaleString("en-US")} steps`;
}
