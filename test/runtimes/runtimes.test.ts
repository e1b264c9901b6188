import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as core from "../../src/index.js";
import * as threads from "../../src/threads/index.js";
import { repository } from "../package/install.js";
import { failuresOf, type Report, tableOf, withTable } from "./report.js";
import { RUNTIMES } from "./runtimes.js";
import { examine } from "./suite.mjs";

const row = (report: Report) => ({ title: "this", version: "0", command: false, report });

describe("the suite that runs in every runtime", () => {
  it("passes here, with every set of kernels and with threads", async () => {
    const report = await examine(core, threads, true);
    expect(failuresOf(row(report))).toEqual([]);
    expect(report.kernels).toContain("wasm");
    expect(report.threads).toBe(2);
    expect(report.outcomes.length).toBeGreaterThan(20);
  });

  // A package that is wrong by little, in one place each.
  const wrong: [string, Partial<typeof core>][] = [
    ["a norm that is off by 1e-10", { spectralNorm: (A, o) => core.spectralNorm(A, o) * (1 + 1e-10) }],
    [
      "a gradient of the other sign",
      {
        valueAndGrad: ((A: number[][]) => {
          const { grad, ...rest } = core.valueAndGrad(A);
          return { ...rest, grad: { ...grad, data: grad.data.map((x) => -x) } };
        }) as typeof core.valueAndGrad,
      },
    ],
    [
      "a vector of another triplet",
      {
        singularTriplet: ((A: number[][], options?: object) => {
          const t = core.singularTriplet(A, options);
          return { ...t, v: t.v.toReversed?.() ?? t.v.slice().reverse() };
        }) as typeof core.singularTriplet,
      },
    ],
    [
      "an interval beside the truth",
      { certify: (A, o) => ({ ...core.certify(A, o), lower: 2 * core.certify(A, o).upper }) },
    ],
    [
      "an input that is accepted",
      {
        spectralNorm: (A, o) => {
          try {
            return core.spectralNorm(A, o);
          } catch {
            return Number.NaN;
          }
        },
      },
    ],
  ];
  it.each(wrong)("fails for %s", async (_, changes) => {
    const report = await examine({ ...core, ...changes }, threads, true);
    expect(failuresOf(row(report)).length).toBeGreaterThan(0);
  });
});

describe("the table of docs/runtimes.md", () => {
  const ran: Report = {
    kernels: ["wasm", "reference"],
    chosen: "wasm",
    threads: 2,
    bits: "0",
    outcomes: [{ name: "a" }, { name: "b", failure: "no" }],
  };

  it("says what passed, what failed and what was absent", () => {
    const table = tableOf([
      { title: "A", version: "1", command: true, report: ran },
      { title: "B", version: "2", command: false, report: { ...ran, threads: 1, noThreads: "none" } },
      { title: "C", absent: "not\n installed" },
    ]);
    expect(table.split("\n").slice(2)).toEqual([
      "| A | 1 | wasm, reference | yes | yes | 1 | 1 |",
      "| B | 2 | wasm, reference | no: none |  | 1 | 1 |",
      "| C | absent: not installed |  |  |  |  |  |",
    ]);
  });

  it("replaces the one before, and nothing else", () => {
    const before = "a\n<!-- generated: runtimes -->\nold\n<!-- /generated -->\nb\n";
    const after = "a\n<!-- generated: runtimes -->\nnew\n<!-- /generated -->\nb\n";
    expect(withTable(before, "new")).toBe(after);
    expect(withTable(after, "new")).toBe(after);
    expect(() => withTable("nothing", "new")).toThrow(/has no/);
  });

  it("has every runtime, and no failure", () => {
    const document = readFileSync(join(repository, "docs", "runtimes.md"), "utf8");
    const rows = document.split("\n").filter((line) => line.startsWith("| "));
    expect(rows.slice(1).map((line) => line.split(" | ")[0].slice(2))).toEqual(
      RUNTIMES.map(({ title }) => title),
    );
    for (const line of rows.slice(1)) expect(line, line).toMatch(/\| (0|) \|$/);
  });
});
