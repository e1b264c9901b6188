import type { PathFile } from "../work/path-file.js";
import { chosenFiles, droppedFiles } from "./dropped-files.js";
import { element } from "./element.js";

export interface DropOptions {
  /** ids of the fields begin with it, or are "file-input" and "folder-input" without it */
  readonly id?: string;
  readonly invitation: string;
  readonly formats: string;
  readonly accept: string;
  /** the button for those who have no file */
  readonly example: HTMLButtonElement;
  take(files: readonly PathFile[]): void;
  failed(reason: string): void;
}

/** Where files or a folder can be dropped or chosen. */
export function dropZone({
  id = "",
  invitation,
  formats,
  accept,
  example,
  take,
  failed,
}: DropOptions): HTMLElement {
  const choices: HTMLElement[] = [];
  for (const [name, label, attributes] of [
    [`${id}file-input`, "choose files", { multiple: true, accept }],
    [`${id}folder-input`, "choose a folder", { webkitdirectory: true }],
  ] as const) {
    const field = element("input", { type: "file", id: name, ...attributes });
    field.addEventListener("change", () => {
      take(chosenFiles(field));
      // Otherwise the same file could not be chosen again after a change.
      field.value = "";
    });
    choices.push(field, element("label", { class: "button", for: name }, label));
  }
  const zone = element(
    "div",
    { class: "drop" },
    element("p", {}, invitation),
    element("div", { class: "choices" }, ...choices, example),
    element("p", { class: "formats" }, formats),
  );
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.dataset["over"] = "";
  });
  zone.addEventListener("dragleave", () => delete zone.dataset["over"]);
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    delete zone.dataset["over"];
    if (event.dataTransfer)
      droppedFiles(event.dataTransfer).then(take, (error: unknown) => failed(String(error)));
  });
  return zone;
}
