// The sections of the site. A page that does not exist is not listed.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const docs = fileURLToPath(new URL("..", import.meta.url));

/** The order of the pages in a folder; others follow in alphabetical order. */
const GUIDE = [
  "start",
  "accuracy",
  "proofs",
  "operators",
  "complex",
  "large-matrices",
  "threads",
  "gpu",
  "tfjs",
  "jax",
];
const COMING_FROM = ["pytorch", "numpy", "scipy", "keras", "ml-matrix"];

/** What TypeDoc calls the groups, in the order in which a reader looks for them. */
const KINDS = ["functions", "interfaces", "type-aliases", "classes", "variables"];
const KIND_NAMES = {
  functions: "Functions",
  interfaces: "Interfaces",
  "type-aliases": "Types",
  classes: "Classes",
  variables: "Constants",
};

/**
 * The first heading of a page, as plain text.
 *
 * @param {string} path a page, relative to `docs`, without `.md`
 */
function titleOf(path) {
  const heading = /^# (.+)$/m.exec(readFileSync(join(docs, `${path}.md`), "utf8"))?.[1] ?? basename(path);
  return heading.replace(/[`*\\]/g, "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
}

/** @param {string} path */
const exists = (path) => existsSync(join(docs, `${path}.md`));

/** @param {string} path */
const item = (path) => ({ text: titleOf(path), link: `/${path}` });

/** @param {readonly string[]} paths */
const items = (...paths) => paths.filter(exists).map(item);

/**
 * All pages of a folder.
 *
 * @param {string} folder relative to `docs`
 * @param {readonly string[]} first names that come first
 * @param {readonly string[]} without names that are left out
 */
function itemsIn(folder, first, without = []) {
  if (!existsSync(join(docs, folder))) return [];
  const names = readdirSync(join(docs, folder))
    .filter((name) => name.endsWith(".md") && name !== "index.md")
    .map((name) => basename(name, ".md"))
    .filter((name) => !without.includes(name));
  const place = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
  names.sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  return names.map((name) => item(folder ? `${folder}/${name}` : name));
}

/** The pages that TypeDoc has written, a group for each entry point. */
function api() {
  const root = join(docs, "api");
  if (!existsSync(root)) return [];
  const modules = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => basename(path) === "index.md" && path !== "index.md")
    .map((path) => dirname(path).replaceAll("\\", "/"))
    .sort((a, b) => a.length - b.length || a.localeCompare(b));
  return modules.map((module) => ({
    text: titleOf(`api/${module}/index`),
    link: `/api/${module}/`,
    collapsed: true,
    items: KINDS.filter((kind) => isFolder(join(root, module, kind))).map((kind) => ({
      text: KIND_NAMES[kind],
      link: `/api/${module}/#${kind}`,
      collapsed: kind !== "functions",
      items: readdirSync(join(root, module, kind))
        .sort((a, b) => a.localeCompare(b))
        .map((name) => ({
          text: basename(name, ".md"),
          link: `/api/${module}/${kind}/${basename(name, ".md")}`,
        })),
    })),
  }));
}

/** @param {string} path */
const isFolder = (path) => existsSync(path) && statSync(path).isDirectory();

const COMMANDS = ["commands", "spectra", "scale-out", "scale-out-slepc"];
const EVIDENCE = ["benchmarks", "robustness", "certificate", "runtimes"];

/** A page of its own, beside those that VitePress makes. */
const LIVE = { text: "Live page", link: "/live/index.html", target: "_self" };

/** The groups of the sidebar; an empty one is left out. */
export function sidebar() {
  const listed = [...COMMANDS, ...EVIDENCE];
  return [
    { text: "Guide", items: itemsIn("guide", GUIDE) },
    { text: "Commands", items: items(...COMMANDS) },
    { text: "Evidence", items: items(...EVIDENCE) },
    { text: "Coming from", items: itemsIn("coming-from", COMING_FROM) },
    { text: "More", items: [...itemsIn("", ["reference", "glossary"], listed), LIVE] },
    { text: "API", items: api() },
  ].filter(({ items }) => items.length > 0);
}

/**
 * What the links at the foot of a page have to be where the sidebar has the live page beside it: VitePress would open
 * that as one of its own pages, which it is not.
 *
 * @param {string} path a page, relative to `docs`, without `.md`
 */
export function footOf(path) {
  const flat = (items) => items.flatMap((item) => [item, ...flat(item.items ?? [])]);
  const links = flat(sidebar()).filter(({ link }) => link && !link.includes("#"));
  const at = links.findIndex(({ link }) => link === `/${path.replace(/(^|\/)index$/, "$1")}`);
  const live = links.indexOf(LIVE);
  if (at >= 0 && at === live - 1) return { next: links[live + 1] ?? false };
  return at >= 0 && at === live + 1 ? { prev: links[live - 1] ?? false } : {};
}

/** The links at the top of every page. */
export function nav() {
  const first = (folder) => sidebar().find(({ text }) => text === folder)?.items[0]?.link;
  return [
    { text: "Guide", link: first("Guide"), activeMatch: "^/guide/" },
    { text: "API", link: exists("api/index") ? "/api/" : undefined, activeMatch: "^/api/" },
    { text: "Benchmarks", link: exists("benchmarks") ? "/benchmarks" : undefined },
    { ...LIVE, noIcon: true },
  ].filter(({ link }) => link !== undefined);
}
