import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "vite";
import { describe, expect, it } from "vitest";

const source = fileURLToPath(new URL("../../src", import.meta.url));

/**
 * The folders in the order in which data flows; those of one step do not see each other. A file imports
 * from its own folder and from steps before. `index.ts` is the step of the public names.
 */
const steps: readonly (readonly string[])[] = [
  ["numerics"],
  ["matrix"],
  ["kernels"],
  ["operators"],
  ["solve"],
  ["derivative"],
  ["certify"],
  ["complex"],
  ["convolutions"],
  ["index.ts"],
  ["tfjs", "jax", "files", "threads", "webgpu"],
  ["report"],
  ["experiment", "engines"],
  ["lipschitz", "audit"],
  ["cli"],
];

/** Folders on top of an engine that the user has installed; loaded only where one is asked for. */
const adapters = ["tfjs", "jax"];

/** What a folder may import that is not ours; beyond this it runs anywhere. */
const foreign: Readonly<Record<string, RegExp>> = {
  tfjs: /^@tensorflow\/tfjs-(core|layers)$/,
  jax: /^@jax-js\/jax$/,
  // Bundled into the command, which runs in Node.
  files: /./,
  engines: /./,
  report: /./,
  experiment: /./,
  lipschitz: /^@observablehq\/plot$/,
  audit: /./,
  cli: /./,
};

interface Import {
  /** the importing file, from src, with forward slashes */
  readonly from: string;
  /** the imported file, likewise; or a package's name */
  readonly to: string;
  readonly ours: boolean;
  /** `import()` when the program runs; not a type */
  readonly dynamic: boolean;
}

/** The nodes of a syntax tree that name another module. */
const importing = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);

/** Of AssemblyScript, which looks like TypeScript and is not; nothing else may touch it. */
const assembly = "kernels/wasm/assembly/";

const all = readdirSync(source, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"));
const files = all.filter((file) => !file.startsWith(assembly));
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(source, file), "utf8")));
const between = imports.filter(({ ours }) => ours);

function importsOf(file: string, text: string): Import[] {
  const { program, errors } = parseSync(file, text, { lang: "ts" });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const found: Import[] = [];
  visit(program, (node) => {
    const named = node["source"];
    if (!isNode(named)) return;
    const value = named["value"];
    const dynamic = node["type"] === "ImportExpression";
    if (typeof value !== "string") throw new Error(`${file}: imports what cannot be known before it runs`);
    const ours = value.startsWith(".");
    const to = ours ? posix.join(dirname(file), value).replace(/\.js$/, ".ts") : value;
    found.push({ from: file, to, ours, dynamic });
  });
  return found;
}

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null;
}

function visit(node: unknown, onImport: (node: Node) => void): void {
  if (Array.isArray(node)) for (const one of node) visit(one, onImport);
  else if (isNode(node)) {
    if (importing.has(String(node["type"]))) onImport(node);
    for (const child of Object.values(node)) visit(child, onImport);
  }
}

const folderOf = (file: string) => file.split("/")[0];
const stepOf = (file: string) => steps.findIndex((step) => step.includes(folderOf(file)));
const shown = ({ from, to }: Import) => `${from} → ${to}`;

it("sees the imports", () => {
  const text = `import type { A } from "./a.js"; import "./b.js"; export * from "./c.js"; export { d } from "./d.js";
    const e = await import("./e.js"); let f: import("./f.js").F; export const g = "./g.js"; import h from "h";`;
  expect(importsOf("folder/file.ts", text).map(({ to }) => to)).toEqual([
    ...["a", "b", "c", "d", "e", "f"].map((name) => `folder/${name}.ts`),
    "h",
  ]);
  expect(between.length).toBeGreaterThan(100);
});

describe("direction", () => {
  it("gives every folder a step", () => {
    expect(files.filter((file) => stepOf(file) < 0)).toEqual([]);
  });

  it("imports files that are there", () => {
    expect(between.filter(({ to }) => !files.includes(to)).map(shown)).toEqual([]);
  });

  it("runs one way", () => {
    const against = between.filter(
      ({ from, to }) => folderOf(from) !== folderOf(to) && stepOf(to) >= stepOf(from),
    );
    expect(against.map(shown)).toEqual([]);
  });

  it("reaches an adapter only from above, and only when it is asked for", () => {
    const wrong = between.filter(
      ({ from, to, dynamic }) =>
        adapters.includes(folderOf(to)) &&
        folderOf(from) !== folderOf(to) &&
        !(dynamic && ["experiment", "cli"].includes(folderOf(from))),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it("keeps the two sets of kernels apart, and the AssemblyScript to itself", () => {
    const set = (file: string) => /^kernels\/(reference|wasm)\//.exec(file)?.[1];
    const wrong = between.filter(({ from, to }) => set(from) && set(to) && set(from) !== set(to));
    expect(wrong.map(shown)).toEqual([]);
    expect(between.filter(({ to }) => to.startsWith(assembly)).map(shown)).toEqual([]);
    const inside = all.filter((file) => file.startsWith(assembly));
    // Its decorators are where TypeScript has none, so no parser for that reads it.
    const outward = inside.flatMap((file) =>
      [...readFileSync(join(source, file), "utf8").matchAll(/\bfrom "([^"]+)"/g)]
        .map(([, name]) => `${file} → ${name}`)
        .filter((line) => !/ → \.\/[^/]+$/.test(line)),
    );
    expect(inside.length).toBeGreaterThan(0);
    expect(outward).toEqual([]);
  });
});

it("imports nothing foreign where the package has to run anywhere", () => {
  const wrong = imports.filter(({ from, to, ours }) => !ours && !foreign[folderOf(from)]?.test(to));
  expect(wrong.map(shown)).toEqual([]);
});

it("asks for Node's own modules by their full name", () => {
  expect(imports.filter(({ to }) => builtinModules.includes(to)).map(shown)).toEqual([]);
});

it("has public names in index.ts and nothing else", () => {
  const { program } = parseSync("index.ts", readFileSync(join(source, "index.ts"), "utf8"), { lang: "ts" });
  const other = program.body.filter(
    (statement) =>
      !(
        statement.type === "ExportAllDeclaration" ||
        (statement.type === "ExportNamedDeclaration" && statement.source)
      ),
  );
  expect(other.map(({ type }) => type)).toEqual([]);
});

it("has no cycles among files", () => {
  const next = new Map(files.map((file) => [file, new Set<string>()]));
  for (const { from, to } of between) next.get(from)?.add(to);
  expect(cycleIn(next)).toEqual([]);
});

/** The files of one cycle, in order; empty where there is none. */
function cycleIn(next: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const search = (file: string): string[] => {
    if (done.has(file)) return [];
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    path.push(file);
    for (const one of next.get(file) ?? []) {
      const cycle = search(one);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of next.keys()) {
    const cycle = search(file);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

it("finds a cycle where there is one", () => {
  const graph = { a: ["b"], b: ["c", "d"], c: ["d"], d: ["b"], e: ["a"] };
  const next = new Map(Object.entries(graph).map(([file, to]) => [file, new Set(to)]));
  expect(cycleIn(next)).toEqual(["b", "c", "d", "b"]);
});
