import katex from "katex";
import type { Plugin } from "vite";

const macros = {
  "\\T": "^{\\mathsf T}",
  "\\H": "^{\\mathsf H}",
  "\\norm": "\\lVert #1 \\rVert",
};

/**
 * Typesets the page's mathematics while it is built, so that a reader's browser has nothing to do for it: `\(…\)` within a
 * line, `\[…\]` on a line of its own. Screen readers get the MathML that comes with it.
 */
export function typeset(): Plugin {
  return {
    name: "typeset",
    transformIndexHtml: { order: "pre", handler: typesetHtml },
    // Every browser that runs the page reads WOFF 2; the other forms of the fonts would only lie about in the folder.
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
