import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import {
  addPeers,
  compile,
  type Installed,
  install,
  isForeign,
  remove,
  repository,
  run,
  write,
} from "./install.js";

/** The README's programs, in the order in which they stand there; each is a module of its own. */
const examples = [
  ...readFileSync(join(repository, "README.md"), "utf8").matchAll(/^```ts\n(.*?)^```/gms),
].map(([, text]) => text);

// Compilers and processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let installed: Installed;
let folder: string;

beforeAll(() => {
  installed = install();
  addPeers(installed, ...["core", "backend-cpu", "layers"].map((name) => `@tensorflow/tfjs-${name}`));
  addPeers(installed, "@jax-js/jax");
  const files = examples.map((text, i) => [`example-${i + 1}.ts`, text]);
  folder = write(installed, "readme", Object.fromEntries(files));
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

it.each(examples.map((example, i) => [i + 1, example] as const))(
  "prints what it says, example %i",
  (i, example) => {
    const printed = run(folder, join("out", `example-${i}.js`))
      .trimEnd()
      .split("\n");
    expect(printed.map(rounded)).toEqual(promised(example).map(rounded));
    expect(promised(example).length).toBe(example.split("console.log").length - 1);
  },
);
