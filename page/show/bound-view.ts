import { answerList, answersStyle, mapTable, outputTable } from "../../src/lipschitz/report/answers.js";
import type { BoundedModel } from "../../src/lipschitz/report/bounded-model.js";
import { drawingStyle, networkDrawing } from "../../src/lipschitz/report/network-drawing.js";
import { pathFigures } from "../../src/lipschitz/report/path-figures.js";
import { element } from "./element.js";
import { FigureView } from "./figure.js";

let styled = false;

/** The answers, the drawing, the figure of the path and the table. */
export function boundView(model: BoundedModel): Node[] {
  if (!styled) document.head.append(element("style", {}, answersStyle + drawingStyle));
  styled = true;
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
