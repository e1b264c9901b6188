import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { addPeers, compile, type Installed, install, isForeign, remove, run, write } from "./install.js";
import { examplesInComments } from "./pages.js";
import { publicFiles } from "./public.js";

const examples = publicFiles().flatMap(examplesInComments);

// Compilers and processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let installed: Installed;
let folder: string;

beforeAll(() => {
  installed = install();
  addPeers(installed, ...["core", "backend-cpu", "layers"].map((name) => `@tensorflow/tfjs-${name}`));
  addPeers(installed, "@jax-js/jax");
  const files = examples.map(({ name, code }) => [`${name}.ts`, code]);
  folder = write(installed, "comments", Object.fromEntries(files));
});
afterAll(() => remove(installed));

/** What stands in the comment behind each `console.log`. */
function promised(example: string): string[] {
  return [...example.matchAll(/^\s*console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
}

/** Numbers to nine digits: the last ones depend on the kernels that the engine has. */
function rounded(line: string): string {
  return line.replace(/-?\d+(\.\d+)?(e[-+]?\d+)?/g, (number) =>
    String(Number(Number(number).toPrecision(9))),
  );
}

it("type-checks", () => {
  const complaints = compile(installed, folder, "nodenext", ["es2022", "dom", "esnext.disposable"], {
    noUncheckedIndexedAccess: false,
  });
  expect(complaints.filter((complaint) => !isForeign(complaint))).toEqual([]);
});

it.each(examples)("prints what it says, $name", ({ name, code }) => {
  const printed = run(folder, join("out", `${name}.js`))
    .trimEnd()
    .split("\n");
  expect(printed.map(rounded)).toEqual(promised(code).map(rounded));
  expect(promised(code).length).toBe(code.split("console.log").length - 1);
});
