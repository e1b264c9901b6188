import { PROVEN_OF } from "../../src/lipschitz/report/proven-of.js";
import type { FoundBounds } from "../work/lipschitz.js";
import type { PathFile } from "../work/path-file.js";
import { dropZone } from "./drop-zone.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { fields } from "./fields.js";
import { Live } from "./live.js";
import { noteList } from "./notes.js";

/** The section for the reader's own network. */
export function lipschitzSection(host: HTMLElement): void {
  const example = element("button", { type: "button" }, "try a small network");
  const shapes = element("input", {
    type: "text",
    id: "network-shapes",
    placeholder: "1x3x32x32, or NAME=1x3x32x32",
    autocomplete: "off",
    spellcheck: "false",
  });
  const sizes = element(
    "label",
    { class: "field sizes" },
    element("span", {}, "Input sizes, where the file leaves them open"),
    shapes,
  );
  const remarks = noteList();
  const found = element("div", { class: "found" });
  let files: readonly PathFile[] = [];

  const live = new Live<readonly [FoundBounds, typeof import("./bound-view.js")]>({
    run: "Once more",
    start: (listener) => {
      if (files.length === 0) throw new Error("There is no file yet.");
      found.replaceChildren();
      remarks.show([]);
      const job = compute("lipschitz", { files, shapes: shapes.value }, listener);
      // What draws is loaded when there is something to draw.
      const result = Promise.all([job.result, import("./bound-view.js")]);
      return { result, stop: job.stop };
    },
    show([{ model, others }, { boundView }]) {
      found.replaceChildren(...boundView(model));
      remarks.show([
        `Proven of ${PROVEN_OF}. Several inputs count as one vector.`,
        ...(model.maps.some(({ wider }) => wider)
          ? [
              "wider: a sharper proof would take too long here; the command has --max-cost. The bound holds as it is.",
            ]
          : []),
        ...(others.length > 0 ? [`Not read: ${others.join(", ")}`] : []),
      ]);
      const { length } = model.maps;
      const open = model.outputs.filter(({ bound }) => bound === undefined).length;
      const said = open > 0 ? `${open} of ${model.outputs.length} outputs without a bound` : "bounded";
      return `${model.file}: ${length === 1 ? "one map" : `${length} maps`}, ${said}; nothing was uploaded`;
    },
  });
  const take = (chosen: readonly PathFile[]) => {
    files = chosen;
    if (files.length > 0) void live.run();
  };
  example.addEventListener("click", () => {
    void import("./example-network.js").then(({ exampleNetwork }) => take(exampleNetwork()));
  });
  const zone = dropZone({
    id: "network-",
    invitation: "Drop a model here, with the files that it names, or",
    formats: ".onnx (ONNX) · .keras, .h5 (Keras) · model.json (TensorFlow.js layers, with its weights)",
    accept: ".onnx,.keras,.h5,.json,.bin",
    example,
    take,
    failed: (reason) => remarks.show([reason]),
  });
  const again = () => {
    if (files.length > 0) void live.run();
  };
  host.append(zone, fields(again, sizes, live.node), found, remarks.node);
}
