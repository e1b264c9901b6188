import { element } from "./element.js";

/** Remarks below a table; hidden if there are none. */
export function noteList(): { readonly node: HTMLElement; show(lines: readonly string[]): void } {
  const node = element("ul", { class: "remarks", hidden: true });
  return {
    node,
    show(lines) {
      node.hidden = lines.length === 0;
      node.replaceChildren(...lines.map((line) => element("li", {}, line)));
    },
  };
}
