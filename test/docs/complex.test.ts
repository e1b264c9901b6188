import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository } from "../package/install.js";
import { exported } from "../package/public.js";

const read = (path: string) => readFileSync(join(repository, path), "utf8");

/** The cells of the reference's tables that have a column for complex matrices, with the functions of their row. */
const rows = read("docs/reference.md")
  .split("\n## ")
  .filter((section) => /^\| function .*\| complex \|$/m.test(section))
  .flatMap((section) => section.split("\n").filter((line) => line.startsWith("| `")))
  .map((line) => {
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    return { names: [...cells[0].matchAll(/`(\w+)/g)].map(([, name]) => name), said: cells[2]?.trim() ?? "" };
  });

/** The public functions of the core, with their doc comments. */
const functions = exported()
  .filter(({ file }) => /^src\/(matrix|operators|solve|derivative|certify|complex)\//.test(file))
  .flatMap(({ file, name }) => {
    const text = read(file);
    const at = text.search(new RegExp(`^export function ${name.replace("*", "\\*")}\\b`, "m"));
    return at < 0 ? [] : [{ name, comment: text.slice(text.lastIndexOf("/**", at), at) }];
  });

it("there are functions and rows", () => {
  expect(functions.length).toBeGreaterThan(25);
  expect(rows.length).toBeGreaterThan(20);
});

describe.each(functions)("$name", ({ name, comment }) => {
  it("says in the reference what it does with a complex matrix", () => {
    const row = rows.find(({ names }) => names.includes(name));
    expect(row, "a row").toBeDefined();
    expect(row?.said).not.toBe("");
  });

  it("says in its doc comment what it does with a complex matrix", () => {
    expect(comment).toMatch(name === "complexMatrix" ? /complex/ : /^ \* \*\*Complex\.\*\* \S/m);
  });
});
