import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { footOf, type Item, nav, sidebar } from "../../docs/.vitepress/sections.js";
import { problemsOf } from "../../docs/site-check.mjs";
import { sitePages } from "../package/pages.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function site(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "site-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function linksOf(items: readonly Item[]): string[] {
  return items.flatMap(({ link, items: inner }) => [...(link ? [link] : []), ...linksOf(inner ?? [])]);
}

it("lists every page of docs once, and none that does not exist", () => {
  const pages = sitePages()
    .map(({ path }) => path.replace(/^docs/, "").replace(/\.md$/, ""))
    .filter((path) => path !== "/index");
  const listed = linksOf(sidebar()).filter((link) => !link.startsWith("/api/"));
  expect(listed.toSorted()).toEqual([...pages, "/live/index.html"].toSorted());
  expect(linksOf(nav())).toContain("/live/index.html");
});

it("passes over the live page at the foot of its neighbours", () => {
  const listed = linksOf(sidebar());
  const before = listed[listed.indexOf("/live/index.html") - 1];
  expect(footOf(before.slice(1))).toHaveProperty("next");
  expect(footOf(before.slice(1)).next).not.toMatchObject({ link: "/live/index.html" });
  expect(footOf("guide/start")).toEqual({});
});

it("finds nothing wrong with a site that is complete in itself", () => {
  const dist = site({
    "index.html":
      '<link href="/base/a.css"><a href="/base/guide/page.html#there">x</a><a href="https://example.org">y</a><img src="/base/p.png">',
    "guide/page.html": '<h2 id="there">x</h2><a href="../index.html">x</a><a href="#there">y</a>',
    "a.css": 'a { background: url("/base/p.png") url(data:image/png;base64,AA==) }',
    "p.png": "",
  });
  expect(problemsOf(dist, "/base/")).toEqual([]);
});

it.each([
  ["a script from elsewhere", { "index.html": '<script src="https://cdn.example/x.js"></script>' }],
  ["a font from elsewhere", { "index.html": '<link rel="preload" href="//fonts.example/x.woff2">' }],
  ["a style that loads one", { "a.css": "@font-face { src: url(https://fonts.example/x.woff2) }" }],
  ["a style that imports one", { "a.css": '@import "https://fonts.example/x.css";' }],
  ["a missing page", { "index.html": '<a href="/guide/page.html">x</a>' }],
  ["a missing file", { "index.html": '<a href="./audit.sbatch">x</a>' }],
  ["a missing anchor", { "index.html": '<a href="#there">x</a>' }],
  ["a missing anchor of another page", { "index.html": '<a href="/b.html#there">x</a>', "b.html": "<p>" }],
])("notices %s", (_, files) => {
  expect(problemsOf(site(files), "/")).toHaveLength(1);
});
