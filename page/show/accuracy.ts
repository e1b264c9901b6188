import { accuracyTable } from "../../src/experiment/report/accuracy-tables.js";
import { errorFigure } from "../../src/experiment/report/error-figure.js";
import { errors, spectrum } from "../../src/experiment/report/prose.js";
import { spectrumFigure } from "../../src/experiment/report/spectrum-figure.js";
import { scientific } from "../../src/report/format-number.js";
import type { Accuracy } from "../work/accuracy.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { engineButtons } from "./engines.js";
import { fields, numberField } from "./fields.js";
import { FigureView } from "./figure.js";
import { Live } from "./live.js";
import { noteList } from "./notes.js";

/** Every method's errors on a matrix whose decomposition is known. */
export function accuracySection(host: HTMLElement): void {
  const rows = numberField("Rows", 2, 400, 64);
  const cols = numberField("Columns", 2, 400, 128);
  const seed = numberField("Seed", 0, 2 ** 32 - 1, 0);
  const engines = engineButtons(() => void live.run());
  const [ofSpectrum, ofErrors] = [new FigureView(), new FigureView()];
  const table = element("div", { class: "table" });
  const missing = noteList();

  const show = (found: Accuracy) => {
    ofSpectrum.show(spectrumFigure(found.truth, spectrum(found)));
    ofErrors.show(errorFigure(found.accuracy, found.truth, errors(found)));
    table.innerHTML = accuracyTable(found.accuracy).text;
    missing.show(found.missing);
  };
  const live = new Live<Accuracy>({
    run: "Run",
    auto: true,
    start: (listener) =>
      compute(
        "accuracy",
        { rows: rows.value(), cols: cols.value(), seed: seed.value(), engines: engines.chosen() },
        { ...listener, update: show },
      ),
    show(found) {
      show(found);
      const best = found.accuracy.find(({ name, dtype }) => name === "lanczos" && dtype === "float64");
      return `Block Lanczos in float64 leaves a gradient error of ${scientific(best?.gradientError ?? Number.NaN)}`;
    },
  });
  host.append(
    fields(() => void live.run(), rows.node, cols.node, seed.node, live.node, engines.node),
    ofSpectrum.node,
    ofErrors.node,
    table,
    missing.node,
  );
}
