import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { repository } from "./install.js";

/** A text in Markdown. */
export interface Page {
  /** from the repository, with slashes */
  readonly path: string;
  readonly text: string;
}

/** Folders in `docs` whose pages are generated, or are none of ours. */
const GENERATED = /^docs\/(api|public|node_modules|\.vitepress)\//;

/** The pages of the site, without those that are generated from doc comments. */
export function sitePages(): Page[] {
  const docs = join(repository, "docs");
  return readdirSync(docs, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(docs, name))
    .map((file) => relative(repository, file).replaceAll("\\", "/"))
    .filter((path) => !GENERATED.test(path))
    .sort()
    .map(pageAt);
}

export function pageAt(path: string): Page {
  return { path, text: readFileSync(join(repository, path), "utf8") };
}

export function rootPages(): Page[] {
  return readdirSync(repository)
    .filter((name) => name.endsWith(".md") && existsSync(join(repository, name)))
    .map(pageAt);
}

/** A program in a page; each is a module of its own. */
export interface Example {
  /** of a file, without extension: the page and the number of the program in it */
  readonly name: string;
  readonly code: string;
}

/** The programs in fences marked `ts`. Other languages are not run. */
export function examplesIn({ path, text }: Page): Example[] {
  const name = path.replace(/\.\w+$/, "").replace(/[^\w]+/g, "-");
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code], i) => ({
    name: `${name}-${i + 1}`,
    code,
  }));
}

/** The programs in the `@example` blocks of the doc comments in a source file. */
export function examplesInComments(path: string): Example[] {
  const { text } = pageAt(path);
  const comments = [...text.matchAll(/^\/\*\*\n(.*?)\*\//gms)].map(([, lines]) =>
    lines.replace(/^ \* ?/gm, ""),
  );
  return examplesIn({ path, text: comments.join("\n") });
}

/** The page without what is code, where brackets are no links and `#` begins no heading. */
export function prose(text: string): string {
  return text.replace(/^(`{3,}|~{3,}).*?^\1/gms, "").replace(/`[^`\n]*`/g, (code) => "x".repeat(code.length));
}
