import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { between } from "../../bench/report/markers.js";
import { resultsIn } from "../../bench/report/results.js";
import { benchmarksText, headlineText } from "../../bench/report/tables.js";
import type { CaseResult, Row } from "../../bench/result.js";
import { repository } from "../package/install.js";

const results = resultsIn(join(repository, "bench", "results"));

const page = (...path: string[]) => readFileSync(join(repository, ...path), "utf8");

it("README.md has the headline of the results; if not: npm run bench:readme", () => {
  expect(results.length).toBeGreaterThan(0);
  expect(between(page("README.md"), headlineText(results))).toBe(page("README.md"));
});

it("docs/benchmarks.md has the tables of the results; if not: npm run bench:readme", () => {
  const text = page("docs", "benchmarks.md");
  const figures = [...text.matchAll(/^!\[(.*)\]\((.*)\)$/gm)].map(([, name, file]) => [name, file] as const);
  expect(figures.length).toBe(4);
  expect(between(text, benchmarksText(results, figures))).toBe(text);
});

it("a page without markers stays as it is", () => {
  expect(between("<!-- bench:end --> <!-- bench:start -->", "text")).toBeUndefined();
  expect(between("nothing", "text")).toBeUndefined();
});

function row(name: string, ms: number, residual: number, more: Partial<Row> = {}): Row {
  return {
    name,
    engine: name.split(" ")[0],
    ours: name.startsWith("spectral-norm"),
    tasks: ["gradient"],
    threads: 1,
    dtype: "float32",
    ms: { median: ms, min: ms, max: ms, spread: 0, loops: 1, samples: [ms] },
    sigmaError: 0,
    residual,
    wrong: false,
    ...more,
  };
}

it("the headline has a library that is faster, one that is more accurate, and wrong answers", () => {
  const of = (n: number, theirs: Row): CaseResult => ({
    ...results[0].cases[0],
    ...{ id: `${n}`, rows: n, cols: n, batch: 1, dtype: "float32", stored: "float32", spectrum: "gaussian" },
    results: [row("spectral-norm valueAndGrad, 1 thread", 4, 1e-7), theirs],
  });
  const textOf = (...rivals: Row[]) =>
    headlineText([{ ...results[0], cases: rivals.map((rival, i) => of(8 << i, rival)) }]);
  const name = "PyTorch matrix_norm(2)";
  // Twice as fast, then twice as slow.
  expect(textOf(row(name, 2, 1e-6), row(name, 8, 2e-6))).toContain(
    "| 0.500× | 1.25× | 2.00× | 2.0e-6 | 1.0e-7 |",
  );
  expect(textOf(row(name, 8, 1e-15, { dtype: "float64" }))).toContain("| 2.00×\\* | 2.00×\\* |");
  expect(textOf(row(name, 8, 1e-6), row(name, 1, 1, { wrong: true }))).toContain(
    "| 2.00× | 2.00× | 2.00× | 1.0e-6, wrong at 1 of 2 sizes |",
  );
});

it("the tables name the kernels, and have the roof where the run measured it", () => {
  const text = benchmarksText(
    [
      {
        ...results[0],
        kernels: "wasm-relaxed",
        cases: [],
        roof: {
          kernels: "wasm-relaxed",
          multiplyAdds: [{ dtype: "float32", separate: 4.5e9, fused: 6.75e9 }],
          passes: [
            { n: 256, dtype: "float32", width: 2, pass: 21e9, read: 80e9, arithmetic: 27e9, share: 0.777 },
            { n: 256, dtype: "float32", width: 1, pass: 30e9, read: 80e9, arithmetic: 54e9, share: 0.555 },
          ],
        },
        profiles: [
          {
            n: 512,
            dtype: "float64",
            ms: 4,
            passes: 0.81,
            outside: 0.1,
            parts: [
              { name: "normalMatvec32", share: 0.81 },
              { name: "eigenLargest", share: 0.05 },
            ],
          },
        ],
      },
    ],
    [],
  );
  expect(text).toContain("`wasm-relaxed` kernels: fused multiply-add");
  expect(text).toContain("float32 6.75·10⁹ fused and 4.50·10⁹ separate");
  expect(text).toContain("| 256² float32 | 80.0 | **21.0** | 27.0 | 78% | **30.0** | 54.0 | 56% |");
  expect(text).toContain("| 512² float64 | 4 ms | **81%** | 10% | `eigenLargest` 5% |");
});
