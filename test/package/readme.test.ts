import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Installed, remove, repository, run, write } from "./install.js";
import { complaintsOf, installWithPeers, promised, rounded } from "./samples.js";

/** The pages whose samples are compiled and run. */
const pages = [
  "README.md",
  ...readdirSync(join(repository, "docs"), { recursive: true, encoding: "utf8" })
    .map((path) => `docs/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".md") && !/\/(node_modules|public|api|\.vitepress)\//.test(path))
    .sort(),
];

interface Example {
  /** page and line */
  readonly where: string;
  readonly text: string;
}

/** The pages' programs; each is a module of its own. JavaScript counts where it prints something. */
const examples = pages.flatMap((page): Example[] => {
  const text = readFileSync(join(repository, page), "utf8");
  return [...text.matchAll(/^```(ts|js)\n(.*?)^```/gms)]
    .filter(([, language, program]) => language === "ts" || program.includes("console.log("))
    .map(({ index, 2: program }) => ({
      where: `${page}:${text.slice(0, index).split("\n").length}`,
      text: program,
    }));
});

// Compilers and processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let installed: Installed;
let folder: string;

beforeAll(() => {
  installed = installWithPeers();
  const files = examples.map(({ text }, i) => [`example-${i + 1}.ts`, text]);
  folder = write(installed, "readme", Object.fromEntries(files));
});
afterAll(() => remove(installed));

it("type-checks", () => {
  expect(complaintsOf(installed, folder)).toEqual([]);
});

it.each(examples.map(({ where, text }, i) => [where, i + 1, text] as const))(
  "prints what it says, %s",
  (_where, i, example) => {
    const printed = run(folder, join("out", `example-${i}.js`))
      .split("\n")
      .slice(0, -1);
    expect(printed.map(rounded)).toEqual(promised(example).map(rounded));
    expect(promised(example).length).toBe(example.split("console.log").length - 1);
  },
);

it("has a README of at most 200 lines", () => {
  const lines = readFileSync(join(repository, "README.md"), "utf8").trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(200);
});

it("has the two commands of a fresh clone in the README", () => {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  expect(readme).toMatch(/^npm ci && npm start\b/m);
  expect(readme).toMatch(/^npm ci && npm test\b/m);
});

it("has links between pages that lead to files and headings that exist", () => {
  const broken = pages.flatMap((page) => {
    const text = readFileSync(join(repository, page), "utf8").replace(/^```.*?^```/gms, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target)
      .filter((target) => !/^[a-z]+:/i.test(target) && !target.startsWith("/"))
      .filter((target) => !leads(page, target))
      .map((target) => `${page}: ${target}`);
  });
  expect(broken).toEqual([]);
});

function leads(page: string, target: string): boolean {
  const [path, heading] = target.split("#");
  const file = path === "" ? join(repository, page) : join(repository, dirname(page), path);
  if (!existsSync(file)) return false;
  if (heading === undefined) return true;
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].some(([, title]) => slug(title) === heading);
}

/** The anchor that GitHub and VitePress give a heading, for the headings that are linked to. */
function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}
