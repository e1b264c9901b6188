import { expect, it } from "vitest";
import { pageAt } from "../package/pages.js";
import { exported } from "../package/public.js";

interface Documented {
  readonly place: string;
  /** lines without the stars */
  readonly comment: readonly string[];
  /** from `function` to the first bracket that closes the parameters */
  readonly signature: string;
}

/** The public functions with their doc comments, which stand before the first overload. */
const functions: Documented[] = exported().flatMap(({ file, name }) => {
  const { text } = pageAt(file);
  const at = new RegExp(
    `^export (?:async )?function ${name === "*" ? "\\w+" : name}\\b[^]*?\\)[:;, ]`,
    "m",
  ).exec(text);
  if (!at) return [];
  const before = text.slice(0, at.index);
  const comment = before.endsWith("*/\n") ? before.slice(before.lastIndexOf("/**")) : "";
  return [
    {
      place: `${file} ${name}`,
      comment: linesOf(comment),
      signature: at[0],
    },
  ];
});

function linesOf(comment: string): string[] {
  return comment
    .replace(/^\/\*\*|\*\/$/gm, "")
    .trim()
    .split("\n")
    .map((line) => line.replace(/^ ?\* ?/, ""));
}

it("finds the public functions", () => {
  expect(functions.length).toBeGreaterThan(60);
});

it.each(functions)("$place has a doc comment that TypeDoc renders rightly", ({ comment, signature }) => {
  expect(comment.join("").trim(), "a comment").not.toBe("");
  expect(comment[0], "a summary first").not.toMatch(/^@/);
  for (const line of comment.filter((line) => line.startsWith("@param")))
    expect(line, "one parameter a line, with a hyphen").toMatch(/^@param [A-Za-z]\w* - \S/);
  for (const [, name] of comment.join("\n").matchAll(/^@param (\w+)/gm))
    expect(signature, `a parameter named ${name}`).toMatch(new RegExp(`\\b${name}\\b\\??:`));
  // TypeDoc takes the comment of a parameter for that of a type parameter of the same name, unless that has its own.
  for (const [, type] of comment.join("\n").matchAll(/^@param (\w+)/gm))
    if (new RegExp(`<(?:const )?${type}\\b`).test(signature))
      expect(comment.join("\n"), "the type parameter of the same name").toMatch(
        new RegExp(`^@typeParam ${type} - `, "m"),
      );
  expect(comment.filter((line) => /^(Cost|Not guaranteed|Source|Assumes|Memory)\b.*:/.test(line))).toEqual(
    [],
  );

  // What costs, sources and limits there are is in @remarks, the last block but for examples.
  const remarks = comment.indexOf("@remarks");
  for (const [i, line] of comment.entries()) {
    if (/^\*\*(Cost|Not guaranteed|Source|Assumes)/.test(line)) expect(remarks, line).toBeLessThan(i);
    if (/^\*\*(Cost|Not guaranteed|Source|Assumes)/.test(line)) expect(remarks, line).toBeGreaterThan(0);
  }
  if (remarks >= 0)
    for (const line of comment.slice(remarks + 1)) expect(line).not.toMatch(/^@(param|returns|throws)/);
});

// The functions of threads/async-api.ts are those of the core, and say so; a GPU is not there wherever examples run.
it.each(functions.filter(({ place }) => !/webgpu|threads\/async-api/.test(place)))(
  "$place has an example that is run",
  ({ comment }) => {
    const example = comment.indexOf("@example");
    expect(example).toBeGreaterThan(0);
    expect(comment[example + 1]).toBe("```ts");
  },
);
