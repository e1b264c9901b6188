import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository } from "../package/install.js";

const read = (name: string) => readFileSync(join(repository, name), "utf8");
const manifest = JSON.parse(read("package.json"));

/** How one calls a script of package.json. */
const call = (script: string) => (["start", "test"].includes(script) ? `npm ${script}` : `npm run ${script}`);

/** The scripts that a text calls. */
function scriptsIn(text: string): string[] {
  return [...text.matchAll(/\bnpm (?:run ([a-z][\w:-]*)|(start|test)\b)/g)].map(
    ([, run, short]) => run ?? short,
  );
}

/** Paths in code font that begin in the repository's root. */
function pathsIn(text: string): string[] {
  return [...text.matchAll(/`([\w.-]+(?:\/[\w.-]*)*)`/g)]
    .map(([, path]) => path)
    .filter((path) =>
      /^(src|test|page|docs|bench|robustness|build|examples)\/|^[\w.-]+\.(md|json|cff|config\.ts)$/.test(
        path,
      ),
    );
}

describe("CONTRIBUTING.md", () => {
  const contributing = read("CONTRIBUTING.md");
  // A row of the table, whose second cell says something.
  const described = Object.keys(manifest.scripts).filter((script) =>
    contributing.split("\n").some((line) => line.startsWith(`| \`${call(script)}\` | `) && line.length > 40),
  );

  it("describes every npm script in a row of its table", () => {
    expect(Object.keys(manifest.scripts).filter((script) => !described.includes(script))).toEqual([]);
  });

  it("states the floor of the coverage as it is set", () => {
    const floor = /const floor = \{ statements: (\d+), branches: (\d+), functions: (\d+), lines: (\d+) \}/;
    const [, statements, branches, functions, lines] = floor.exec(read("vitest.coverage.config.ts")) ?? [];
    expect(contributing.replace(/\s+/g, " ")).toContain(
      `${statements}% of statements, ${branches}% of branches, ${functions}% of functions and ${lines}% of lines`,
    );
  });
});

describe.each([
  "README.md",
  "CONTRIBUTING.md",
  "ARCHITECTURE.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "bench/README.md",
])("%s", (name) => {
  it("calls only npm scripts that exist", () => {
    expect(scriptsIn(read(name)).filter((script) => !Object.hasOwn(manifest.scripts, script))).toEqual([]);
  });
});

describe.each(["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])("%s", (name) => {
  it("names only files and folders that exist", () => {
    // What a build or a test leaves is not there yet.
    const generated = /^(page\/dist|test-output|dist)\b/;
    const paths = pathsIn(read(name)).filter((path) => !generated.test(path));
    expect(paths.filter((path) => !existsSync(join(repository, path)))).toEqual([]);
  });
});

describe("ARCHITECTURE.md", () => {
  const architecture = read("ARCHITECTURE.md");

  it("is short", () => {
    expect(architecture.split("\n").length).toBeLessThanOrEqual(150);
    expect(pathsIn(architecture).length).toBeGreaterThan(25);
  });

  it("names functions that are in the files beside them", () => {
    const named = [...architecture.matchAll(/`(\w+)` in `(src\/[\w/.-]+\.ts)`/g)];
    expect(named.length).toBeGreaterThan(0);
    const missing = named.filter(
      ([, what, file]) => !new RegExp(`\\bfunction\\*? ${what}\\b`).test(read(file)),
    );
    expect(missing.map(([text]) => text)).toEqual([]);
  });

  it("has every folder of src in its diagram", () => {
    const diagram = architecture.split("```")[1];
    const folders = readdirSync(join(repository, "src"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${name}/`);
    expect(folders.filter((folder) => !diagram.includes(folder))).toEqual([]);
  });
});

describe("docs/certificate.md", () => {
  const folders = ["src/certify", "test/certify", "src/convolutions", "test/convolutions"];

  it("names only source files that exist", () => {
    const names = [...read("docs/certificate.md").matchAll(/`([\w/.-]+\.ts)`/g)].map(([, name]) => name);
    const places = (name: string) => [name, ...folders.map((folder) => join(folder, name))];
    expect(names.length).toBeGreaterThan(10);
    expect(
      names.filter((name) => !places(name).some((place) => existsSync(join(repository, place)))),
    ).toEqual([]);
  });
});

describe("the version", () => {
  const { version } = manifest;

  it("is the same in the lock file, the changelog, the citation and the README", () => {
    const lock = JSON.parse(read("package-lock.json"));
    expect([lock.version, lock.packages[""].version]).toEqual([version, version]);
    expect(/^## \[(.+?)\]/m.exec(read("CHANGELOG.md"))?.[1]).toBe(version);
    expect(/^version: (.+)$/m.exec(read("CITATION.cff"))?.[1]).toBe(version);
    const tarballs = ["README.md", "docs/guide/start.md"].flatMap((page) =>
      [...read(page).matchAll(/spectral-norm-(\d[\w.-]*)\.tgz/g)].map(([, one]) => one),
    );
    expect(tarballs).toEqual([version, version]);
    const measured = [...read("docs/robustness.md").matchAll(/\| spectral-norm (\S+) \|/g)].map(
      ([, one]) => one,
    );
    expect(new Set(measured)).toEqual(new Set([version]));
  });
});

describe("CHANGELOG.md", () => {
  const changelog = read("CHANGELOG.md");

  it("has headings as Keep a Changelog has them, newest first", () => {
    const headings = changelog.split("\n").filter((line) => /^##/.test(line));
    const versions = headings.filter((line) => line.startsWith("## "));
    const kinds = headings.filter((line) => !line.startsWith("## "));
    expect(
      versions.filter((line) => !/^## \[\d+\.\d+\.\d+\] - (Unreleased|\d{4}-\d\d-\d\d)$/.test(line)),
    ).toEqual([]);
    expect(
      kinds.filter((line) => !/^### (Added|Changed|Deprecated|Removed|Fixed|Security)$/.test(line)),
    ).toEqual([]);
    const numbers = versions.map((line) => line.match(/\d+/g)?.slice(0, 3).map(Number) ?? []);
    const order = (a: number[], b: number[]) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2];
    expect([...numbers].sort(order)).toEqual(numbers);
    expect(versions.slice(1).filter((line) => line.endsWith("Unreleased"))).toEqual([]);
  });
});

describe("CITATION.cff", () => {
  it("has what version 1.2.0 of the format requires, and no address", () => {
    const citation = read("CITATION.cff");
    for (const key of ["cff-version: 1.2.0", "message: ", "title: ", "authors:"])
      expect(citation).toMatch(new RegExp(`^${key}`, "m"));
    expect(citation).not.toMatch(/https?:|@/);
  });
});
