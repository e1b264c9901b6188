import type { Engine } from "../work/engines.js";
import { element } from "./element.js";

const names: readonly { readonly engine: Engine; readonly label: string; readonly size: string }[] = [
  { engine: "tfjs", label: "TensorFlow.js", size: "0.5 MB" },
  { engine: "ml-matrix", label: "ml-matrix", size: "20 KB" },
];

/** Buttons that add libraries to a comparison. */
export interface EngineButtons {
  readonly node: HTMLElement;
  /** those that were added */
  chosen(): Engine[];
}

/** @param onAdd  called when another one was added */
export function engineButtons(onAdd: () => void): EngineButtons {
  const chosen: Engine[] = [];
  const buttons = names.map(({ engine, label, size }) => {
    const button = element("button", { type: "button" }, `Add ${label}`);
    button.title = `loads ${size} from where this page comes from`;
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
