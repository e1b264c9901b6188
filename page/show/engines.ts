import type { Engine } from "../work/engines.js";
import { element } from "./element.js";

const names: readonly { readonly engine: Engine; readonly label: string }[] = [
  { engine: "tfjs", label: "TensorFlow.js" },
  { engine: "ml-matrix", label: "ml-matrix" },
];

/** Buttons that add libraries to a comparison. */
export interface EngineButtons {
  readonly node: HTMLElement;
  /** the libraries that were added */
  chosen(): Engine[];
}

/** @param onAdd  called when another one was added */
export function engineButtons(onAdd: () => void): EngineButtons {
  const chosen: Engine[] = [];
  const buttons = names.map(({ engine, label }) => {
    const button = element("button", { type: "button" }, `Add ${label}`);
    button.addEventListener("click", () => {
      chosen.push(engine);
      button.disabled = true;
      button.textContent = `${label} added`;
      onAdd();
    });
    return button;
  });
  return { node: element("div", { class: "engines" }, ...buttons), chosen: () => [...chosen] };
}
