import { speedTable } from "../../src/experiment/report/accuracy-tables.js";
import { speeds } from "../../src/experiment/report/prose.js";
import { timeFigure } from "../../src/experiment/report/time-figure.js";
import { duration } from "../../src/report/format-number.js";
import type { Speed } from "../work/speed.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { engineButtons } from "./engines.js";
import { choiceField, fields } from "./fields.js";
import { FigureView } from "./figure.js";
import { Live } from "./live.js";
import { noteList } from "./notes.js";

const sizes = [
  [64, 128],
  [256, 256],
  [512, 512],
  [1024, 1024],
  [2048, 2048],
].map(([rows, cols]) => ({ label: `${rows}×${cols}`, value: { rows, cols } }));

/** Times in this browser. */
export function speedSection(host: HTMLElement): void {
  const size = choiceField("Size", sizes);
  const engines = engineButtons(() => {});
  const figure = new FigureView();
  const table = element("div", { class: "table" });
  const remarks = noteList();
  const empty = element(
    "p",
    { class: "empty" },
    "No times yet. Timing takes a few seconds; press the button to start.",
  );
  figure.node.hidden = true;

  const show = (found: Speed) => {
    empty.hidden = true;
    figure.node.hidden = false;
    figure.show(timeFigure(found.speed, speeds({ ...found, accuracy: [] })));
    table.innerHTML = speedTable(found.speed).text;
    remarks.show(found.remarks);
  };
  const live = new Live<Speed>({
    run: "Time it",
    start: (listener) =>
      compute("speed", { ...size.value(), engines: engines.chosen() }, { ...listener, update: show }),
    show(found) {
      show(found);
      const fastest = found.speed.reduce((a, b) => (b.medianMs < a.medianMs ? b : a));
      return `Fastest: ${fastest.name} in ${fastest.dtype}, ${duration(fastest.medianMs)}`;
    },
  });
  host.append(
    fields(() => void live.run(), size.node, live.node, engines.node),
    empty,
    figure.node,
    table,
    remarks.node,
  );
}
