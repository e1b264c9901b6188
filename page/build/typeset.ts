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
    transform: {
      filter: { id: /katex(\.min)?\.css$/ },
      order: "pre",
      handler: (code) =>
        code
          // Every browser that runs the page reads WOFF 2; the other formats of the fonts are not needed.
          .replace(/,\s*url\([^)]*\.(woff|ttf)\)\s*format\("[^"]*"\)/g, "")
          .replace(/@font-face\s*\{[^}]*KaTeX_(Caligraphic|Fraktur|SansSerif|Script|Typewriter)[^}]*\}/g, ""),
    },
  };
}

/** Classes of what is set in fonts whose declarations are left out of the style. */
const UNUSED_FONTS = /class="[^"]*\b(mathcal|mathfrak|mathscr|(math|text)(sf|tt|frak|scr))\b/;

export function typesetHtml(html: string): string {
  return html
    .replace(/\\\[([\s\S]+?)\\\]/g, (_, formula: string) => render(formula, true))
    .replace(/\\\(([\s\S]+?)\\\)/g, (_, formula: string) => render(formula, false));
}

function render(formula: string, displayMode: boolean): string {
  const text = formula.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  const typeset = katex.renderToString(text.trim(), {
    displayMode,
    throwOnError: true,
    strict: "error",
    macros,
  });
  if (UNUSED_FONTS.test(typeset)) throw new Error(`a font that the page leaves out is needed for ${formula}`);
  return typeset;
}
