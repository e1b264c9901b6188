import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Installed, remove, run, write } from "./install.js";
import { examplesInComments } from "./pages.js";
import { publicFiles } from "./public.js";
import { complaintsOf, installWithPeers, promised, rounded } from "./samples.js";

const examples = publicFiles().flatMap(examplesInComments);

// Compilers and processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let installed: Installed;
let folder: string;

beforeAll(() => {
  installed = installWithPeers();
  const files = examples.map(({ name, code }) => [`${name}.ts`, code]);
  folder = write(installed, "comments", Object.fromEntries(files));
});
afterAll(() => remove(installed));

it("type-checks", () => {
  expect(complaintsOf(installed, folder)).toEqual([]);
});

it.each(examples)("prints what it says, $name", ({ name, code }) => {
  const printed = run(folder, join("out", `${name}.js`))
    .trimEnd()
    .split("\n");
  expect(printed.map(rounded)).toEqual(promised(code).map(rounded));
  expect(promised(code).length).toBe(code.split("console.log").length - 1);
});
