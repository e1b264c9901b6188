import { answerList, mapTable, outputTable, PROVEN_OF } from "../../src/lipschitz/report/answers.js";
import type { BoundedModel } from "../../src/lipschitz/report/bounded-model.js";
import { networkDrawing } from "../../src/lipschitz/report/network-drawing.js";
import { pathFigures } from "../../src/lipschitz/report/path-figures.js";
import type { FoundBounds } from "../work/lipschitz.js";
import type { PathFile } from "../work/path-file.js";
import { chosenFiles, droppedFiles } from "./dropped-files.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { exampleNetwork } from "./example-network.js";
import { fields } from "./fields.js";
import { FigureView } from "./figure.js";
import { Live } from "./live.js";
import { noteList } from "./notes.js";

/** The section for the reader's own network. */
export function lipschitzSection(host: HTMLElement): void {
  const input = element("input", {
    type: "file",
    multiple: true,
    accept: ".onnx,.keras,.h5,.json,.bin",
    id: "network-input",
  });
  const folder = element("input", { type: "file", webkitdirectory: true, id: "network-folder-input" });
  const example = element("button", { type: "button" }, "try a small network");
  const zone = element(
    "div",
    { class: "drop" },
    element("p", {}, "Drop a model here, with the files that it names, or"),
    element(
      "div",
      { class: "choices" },
      input,
      element("label", { class: "button", for: "network-input" }, "choose files"),
      folder,
      element("label", { class: "button", for: "network-folder-input" }, "choose a folder"),
      example,
    ),
    element(
      "p",
      { class: "formats" },
      ".onnx (ONNX) · .keras, .h5 (Keras) · model.json (TensorFlow.js layers, with its weights)",
    ),
  );
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

  const live = new Live<FoundBounds>({
    run: "Once more",
    start: (listener) => {
      if (files.length === 0) throw new Error("There is no file yet.");
      found.replaceChildren();
      remarks.show([]);
      return compute("lipschitz", { files, shapes: shapes.value }, listener);
    },
    show({ model, others }) {
      found.replaceChildren(...parts(model));
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
  example.addEventListener("click", () => take(exampleNetwork()));
  for (const field of [input, folder])
    field.addEventListener("change", () => {
      take(chosenFiles(field));
      // Otherwise the same file could not be chosen again after a change.
      field.value = "";
    });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.dataset["over"] = "";
  });
  zone.addEventListener("dragleave", () => delete zone.dataset["over"]);
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    delete zone.dataset["over"];
    if (event.dataTransfer)
      droppedFiles(event.dataTransfer).then(take, (error: unknown) => remarks.show([String(error)]));
  });
  const again = () => {
    if (files.length > 0) void live.run();
  };
  host.append(zone, fields(again, sizes, live.node), found, remarks.node);
}

/** The answers, the drawing, the figure of the path and the table. */
function parts(model: BoundedModel): Node[] {
  const [path] = pathFigures("figure-path", model);
  const figure = path ? new FigureView() : undefined;
  if (path) figure?.show(path);
  return [
    ...nodesOf(answerList(model).text),
    ...nodesOf(networkDrawing("figure-network", model).text),
    ...(figure ? [figure.node] : []),
    ...nodesOf(outputTable(model).text + mapTable(model).text),
  ];
}

/** @param markup  in which everything that comes from a file is escaped */
function nodesOf(markup: string): Node[] {
  const template = element("template");
  template.innerHTML = markup;
  return [...template.content.childNodes];
}
