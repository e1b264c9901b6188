import type { Plugin } from "vite";
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
      handler: () => [{ tag: "style", children: style + chosen, injectTo: "head-prepend" }],
    },
  };
}
