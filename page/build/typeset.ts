import katex from "katex";
import type { Plugin } from "vite";

const macros = {
  "\\T": "^{\\mathrm T}",
  "\\H": "^{\\mathrm H}",
  "\\norm": "\\lVert #1 \\rVert",
};

/**
 * Typesets mathematics when the page is built, so that the browser has no work with it: `\(…\)` within a line, `\[…\]` as a
 * display. Screen readers get the MathML that comes with it.
 */
export function typeset(): Plugin {
  return {
    name: "typeset",
    transformIndexHtml: { order: "pre", handler: typesetHtml },
    // Every browser that runs the page reads WOFF 2; the other formats of the fonts are not needed.
    transform: {
      filter: { id: /katex(\.min)?\.css$/ },
      order: "pre",
      handler: (code) => code.replace(/,\s*url\([^)]*\.(woff|ttf)\)\s*format\("[^"]*"\)/g, ""),
    },
  };
}

export function typesetHtml(html: string): string {
  return html
    .replace(/\\\[([\s\S]+?)\\\]/g, (_, formula: string) => render(formula, true))
    .replace(/\\\(([\s\S]+?)\\\)/g, (_, formula: string) => render(formula, false));
}

function render(formula: string, displayMode: boolean): string {
  const text = formula.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  return katex.renderToString(text.trim(), { displayMode, throwOnError: true, strict: "error", macros });
}
