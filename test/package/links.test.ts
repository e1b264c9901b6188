import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, it } from "vitest";
import { repository } from "./install.js";
import { type Page, pageAt, prose, rootPages, sitePages } from "./pages.js";

/** The anchor that GitHub, npm and most viewers of Markdown give a heading. */
function anchorElsewhere(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

/** The anchor that VitePress gives it (`slugify` of @mdit-vue/shared). */
function anchorOnSite(heading: string): string {
  return (
    heading
      .normalize("NFKD")
      .replace(/[\u0300-\u036F]/g, "")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as it is there.
      .replace(/[\u0000-\u001f]/g, "")
      .replace(/[\s~`!@#$%^&*()\-_+=[\]{}|\\;:"'“”‘’<>,.?/]+/g, "-")
      .replace(/-{2,}/g, "-")
      .replace(/^-+|-+$/g, "")
      .replace(/^(\d)/, "_$1")
      .toLowerCase()
  );
}

function headings({ text }: Page): string[] {
  return [...text.replace(/^(`{3,}|~{3,}).*?^\1/gms, "").matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading]) =>
    heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, ""),
  );
}

/** The targets of links and pictures, and of the links in a page's front matter. */
function targets({ text }: Page): { target: string; picture: boolean }[] {
  const front = /^---\n(.*?)^---/ms.exec(text)?.[1] ?? "";
  const links = [...prose(text).matchAll(/(!?)\[(?:[^[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)/g)];
  const references = [...prose(text).matchAll(/^\[[^\]]+\]: +(\S+)/gm)];
  return [
    ...links.map(([, mark, target]) => ({ target, picture: mark === "!" })),
    ...references.map(([, target]) => ({ target, picture: false })),
    ...[...front.matchAll(/^\s*(?:- )?(?:link|src): *["']?([^"'\s]+)/gm)].map(([, target]) => ({
      target: target.startsWith("/") ? posix.relative("/docs", `/docs${target}`) : target,
      picture: false,
    })),
  ];
}

/** What is wrong with the links of a page, a line each. */
function broken(page: Page): string[] {
  const onSite = page.path.startsWith("docs/");
  return targets(page).flatMap(({ target, picture }) => {
    const complaint = (why: string) => [`${page.path}: ${target} ${why}`];
    if (/^(https?|mailto):/.test(target)) return [];
    const [path, anchor] = target.split("#");
    // Made by docs:build, which checks the links to them.
    if (/^(\.\.?\/)*\/?(api|live)\//.test(path)) return [];
    if (path.startsWith("/")) return complaint("begins with a slash; give it relative to the page");
    let file = path === "" ? page.path : posix.join(posix.dirname(page.path), path);
    if (onSite && !picture && !file.startsWith("docs/"))
      return complaint("leaves docs, so the site does not have it; name the file without a link");
    // Front matter has addresses of the site.
    if (!existsSync(join(repository, file)) && existsSync(join(repository, `${file}.md`))) file += ".md";
    const place = join(repository, file);
    if (!existsSync(place)) return complaint("leads to no file");
    if (anchor === undefined) return [];
    if (statSync(place).isDirectory() || !file.endsWith(".md"))
      return complaint("has an anchor in what is no page");
    const there = headings(pageAt(file));
    if (!there.some((heading) => anchorElsewhere(heading) === anchor))
      return complaint("leads to no heading");
    if (file.startsWith("docs/") && !there.some((heading) => anchorOnSite(heading) === anchor))
      return complaint("leads to a heading that has another anchor on the site");
    return [];
  });
}

it.each([...rootPages(), ...sitePages()].map((page) => [page.path, page] as const))(
  "%s links to what exists",
  (_, page) => {
    expect(broken(page)).toEqual([]);
  },
);

it("notices links that lead nowhere", () => {
  const text = [
    "# Some `heading`, and more",
    "[a](nowhere.md) [b](#nothing) [c](certificate.md#nothing) ![d](nothing.png) [e](../README.md) [f](/guide/start)",
    "`[g](code.md)` [h](https://example.org) [i](#some-heading-and-more) [`j`](certificate.md) [k](scale-out/audit.sbatch)",
  ].join("\n");
  const found = broken({ path: "docs/made-up.md", text }).map((line) => line.split(" ")[1]);
  // This page's own headings are looked up in a file, which it has not.
  expect(found).toEqual([
    "nowhere.md",
    "#nothing",
    "certificate.md#nothing",
    "nothing.png",
    "../README.md",
    "/guide/start",
    "#some-heading-and-more",
  ]);
});
