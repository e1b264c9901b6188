import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const source = join(root, "src");

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".generated.ts"));

/** The text of the comments, without strings that only look like comments because they contain `//`. */
function commentsOf(text: string): string {
  return [...text.matchAll(/^\s*\/\*\*?[\s\S]*?\*\/|(?:^|\s)\/\/ .*$/gm)]
    .map(([comment]) => comment)
    .join("\n");
}

/** The `.ts` and `.mjs` files that a comment names. */
function namedFiles(comments: string): string[] {
  return [...comments.matchAll(/(?<![\w.@:/-])[\w./-]*\w\.(?:ts|mjs)\b(?!\.\w)/g)].map(([name]) => name);
}

/** Paths in comments are relative to the file, to `src` or to the repository; a bare name may be anywhere in `src`. */
function exists(name: string, file: string): boolean {
  const folders = [dirname(join(source, file)), source, root];
  return (
    folders.some((folder) => existsSync(resolve(folder, name))) ||
    files.some((other) => other.endsWith(`/${name.replace(/^(?:\.\.?\/)+/, "")}`))
  );
}

describe("comments in src", () => {
  it("are found, with the files that they name", () => {
    const text =
      '// See a/b.ts.\nconst url = "https://c.ts";\n/**\n * As `d.mjs` and ../e.ts; not Node.js.\n */\nf(); // g.ts\n';
    expect(namedFiles(commentsOf(text))).toEqual(["a/b.ts", "d.mjs", "../e.ts", "g.ts"]);
    expect(exists("numerics/sums.ts", "index.ts")).toBe(true);
    expect(exists("missing.ts", "index.ts")).toBe(false);
  });

  it("name files that exist", () => {
    const named = files.flatMap((file) =>
      namedFiles(commentsOf(readFileSync(join(source, file), "utf8"))).map((name) => ({ file, name })),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ file, name }) => !exists(name, file))).toEqual([]);
  });
});
