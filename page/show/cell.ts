import type { Printed } from "../work/run-code.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { FigureView } from "./figure.js";
import { lineFigure } from "./line-figure.js";
import { Live, whenSeen } from "./live.js";

/** Code that can be changed and run, and below it what it prints. */
export function cell(host: HTMLElement, title: string, code: string): void {
  const initial = code.trimEnd();
  const area = element("textarea", {
    "aria-label": `Code: ${title}`,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    rows: String(initial.split("\n").length + 1),
  });
  area.value = initial;
  const editor = element("div", { class: "editor" }, area);
  const output = element("div", { class: "output", role: "region", "aria-label": `Output: ${title}` });
  /** Gets and sets the code: of the text area, and of the editor once it is loaded. */
  let text: Text = { get: () => area.value, set: (next: string) => Object.assign(area, { value: next }) };

  const live = new Live<undefined>({
    run: "Run",
    auto: true,
    start: (listener) => {
      output.replaceChildren();
      output.dataset["state"] = "busy";
      return compute(
        "runCode",
        { code: text.runnable?.() ?? text.get() },
        { ...listener, update: (item) => output.append(printed(item)) },
      );
    },
    show: () => {
      delete output.dataset["state"];
      return "Done";
    },
    explain: ({ name, message }) => {
      const line = name === "SyntaxError" ? text.brokenLine?.() : undefined;
      return line === undefined ? message : `${message} (line ${line})`;
    },
    ended: () => delete output.dataset["state"],
  });
  const run = () => void live.run();
  const reset = element("button", { type: "button" }, "Reset");
  reset.addEventListener("click", () => {
    text.set(initial);
    run();
  });
  live.node.append(reset, element("kbd", {}, "Ctrl + Enter runs"));
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    run();
  });
  host.classList.add("cell");
  host.append(editor, live.node, output);

  // The editor is the largest part of the page. It is loaded when a cell comes into view.
  whenSeen(host, async () => {
    const { openEditor } = await import("./editor.js");
    text = openEditor(editor, area, `Code: ${title}`, run);
  });
}

export interface Text {
  get(): string;
  set(next: string): unknown;
  /** with its last value printed, as a notebook does */
  runnable?(): string;
  /** the line of a syntax error, which engines do not report */
  brokenLine?(): number | undefined;
}

function printed(item: Printed): HTMLElement {
  if (item.kind === "text") return element("pre", {}, item.text);
  const view = new FigureView();
  view.show(lineFigure(item.plot));
  return view.node;
}
