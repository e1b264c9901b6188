import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { footOf, nav, sidebar } from "./sections.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { description, version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url)));

/** Without these a browser gives the live page no shared memory, and so no threads. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const icon =
  "data:image/svg+xml," +
  encodeURIComponent(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' fill='#0a5f95'/>" +
      "<ellipse cx='16' cy='16' rx='12' ry='5' transform='rotate(-35 16 16)' fill='none' stroke='#fff' stroke-width='2.4'/>" +
      "<path d='M16 16 25.4 9.4' stroke='#ffc37a' stroke-width='2.8' stroke-linecap='round'/></svg>",
  );

const WIDE = ["benchmarks", "robustness"];

/**
 * The entry point that a page of the reference is about; several have functions of the same name.
 *
 * @param {string} path a page, relative to `docs`
 */
const moduleOf = (path) => /^api\/(.*)\/[a-z-]+\/\w+\.md$/.exec(path)?.[1];

export default defineConfig({
  title: "spectral-norm",
  description,
  lang: "en",
  // The folder of the server that the site is put in, with a slash at both ends.
  base: process.env.DOCS_BASE ?? "/",
  head: [["link", { rel: "icon", href: icon }]],
  ignoreDeadLinks: false,
  srcExclude: ["**/node_modules/**", "public/**"],
  markdown: {
    // The look of highlighted code, with enough contrast for small type.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config: (md) => {
      // Wide tables scroll by themselves, and can be reached with the keyboard.
      md.renderer.rules.table_open = () =>
        '<div class="table" tabindex="0" role="group" aria-label="Table"><table>\n';
      md.renderer.rules.table_close = () => "</table></div>\n";
      // Indented blocks, formulas most of them, look like fenced ones.
      md.renderer.rules.code_block = (tokens, i, options, env, self) =>
        md.renderer.rules.fence?.(tokens, i, options, env, self) ?? "";
      // The empty corner of a table is no heading.
      md.core.ruler.push("empty-headings", ({ tokens }) => {
        for (const [i, { type, content }] of tokens.entries())
          if (type === "inline" && content === "" && tokens[i - 1]?.type === "th_open")
            for (const cell of [tokens[i - 1], tokens[i + 1]]) cell.tag = "td";
      });
    },
  },
  transformPageData(page) {
    // Pages with wide tables have the room of the outline too.
    const name = page.relativePath.replace(/\.md$/, "");
    if (WIDE.includes(name)) Object.assign(page.frontmatter, { aside: false, pageClass: `wide ${name}` });
    Object.assign(page.frontmatter, footOf(name));
    const module = moduleOf(page.relativePath);
    if (module) page.title = `${page.title} · ${module}`;
  },
  themeConfig: {
    nav: nav(),
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: {
      provider: "local",
      options: {
        _render(source, env, md) {
          const module = moduleOf(env.relativePath);
          return md.render(module ? source.replace(/^# .*/, `$& · ${module}`) : source, env);
        },
      },
    },
    footer: { message: `spectral-norm ${version}, MIT licence` },
  },
  vite: {
    server: { headers, fs: { allow: [repository] } },
    preview: { headers },
  },
});
