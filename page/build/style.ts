import type { Plugin } from "vite";
import { answersStyle } from "../../src/lipschitz/report/answers.js";
import { drawingStyle } from "../../src/lipschitz/report/network-drawing.js";
import { dark, light, style } from "../../src/report/style.js";

/**
 * Puts the style of the experiment's report into the page's head, and its colours again for readers who have chosen a
 * light or dark theme.
 */
export function styled(): Plugin {
  const chosen = `
:root[data-theme="light"] { color-scheme: light; ${light} }
:root[data-theme="dark"] { color-scheme: dark; ${dark} }`;
  return {
    name: "styled",
    transformIndexHtml: {
      order: "pre",
      handler: () => [
        { tag: "style", children: style + answersStyle + drawingStyle + chosen, injectTo: "head-prepend" },
      ],
    },
  };
}
