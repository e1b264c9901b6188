import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuditLine } from "../../src/audit/line.js";
import { auditTables, comparisonTable } from "../../src/cli/audit-table.js";
import { experimentTables } from "../../src/cli/experiment-tables.js";
import { columnsOf, shortened, shortenedApart, widthOf, wrapped } from "../../src/cli/fit.js";
import { normTables } from "../../src/cli/norm-table.js";
import { type Column, ruledTable } from "../../src/cli/ruled-table.js";
import { sampleResult } from "../experiment/sample-result.js";

const widest = (text: string) => Math.max(...text.split("\n").map(widthOf));
const names = fc.stringMatching(/^[a-z0-9._/漢é]{1,90}$/);

describe("shortening", () => {
  it("keeps both ends of a text, and never goes beyond the width", () => {
    expect(shortened("model.layers.10.weight", 11)).toBe("model…eight");
    expect(shortened("short", 5)).toBe("short");
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 60 }), (name, width) => {
        const text = shortened(name, width);
        expect(widthOf(text)).toBeLessThanOrEqual(width);
        const [head, tail] = text.split("…");
        if (tail === undefined) expect(text).toBe(name);
        else expect(name.startsWith(head) && name.endsWith(tail)).toBe(true);
        // No more is left out than a wide character's second column.
        if (tail !== undefined) expect(widthOf(text)).toBeGreaterThanOrEqual(width - 2);
      }),
    );
  });

  it("cuts names where they stay different", () => {
    const layers = [0, 10, 11].flatMap((k) =>
      ["q", "k"].map((p) => `model.layers.${k}.self_attn.${p}_proj.weight`),
    );
    const short = shortenedApart(layers, 28);
    expect(new Set(short).size).toBe(layers.length);
    for (const name of short) expect(widthOf(name)).toBeLessThanOrEqual(28);
    expect(shortenedApart(["abcdefgh", "x"], 5, [" (!)", ""])).toEqual(["… (!)", "x"]);
    expect(shortenedApart([], 5)).toEqual([]);
  });

  it("leaves every word of a wrapped text", () => {
    expect(wrapped("a bb ccc\nd", 4)).toBe("a bb\nccc\nd");
    expect(wrapped("longer than", 3)).toBe("longer\nthan");
  });
});

describe("the width", () => {
  it("is the terminal's, else what the environment says, else 80", () => {
    const before = process.env["COLUMNS"];
    try {
      process.env["COLUMNS"] = "55";
      expect([columnsOf({ columns: 132 }), columnsOf({}), columnsOf({ columns: 0 })]).toEqual([132, 55, 55]);
      for (const nonsense of ["", "0", "-3", "wide", "1e3"]) {
        process.env["COLUMNS"] = nonsense;
        expect(columnsOf({})).toBe(80);
      }
    } finally {
      if (before === undefined) delete process.env["COLUMNS"];
      else process.env["COLUMNS"] = before;
    }
  });
});

describe("a table", () => {
  const columns: readonly Column[] = [
    { head: "name", align: "left", shorten: 0.3 },
    { head: "a", align: "right", drop: 2 },
    { head: "b", align: "right" },
    { head: "c", align: "right", drop: 1 },
  ];
  const rows = [
    ["model.layers.0.weight", "1111111111", "2.5", "3333333333"],
    ["bias", "1", "12345.5", "3"],
  ];

  it("shortens its names first, then drops columns in order, and says both", () => {
    const wide = ruledTable(columns, rows, 100);
    expect([wide.dropped, wide.shortened]).toEqual([[], false]);
    expect(wide.lines[3]).toBe("model.layers.0.weight  1111111111      2.5  3333333333");
    const narrower = ruledTable(columns, rows, 50);
    expect([narrower.dropped, narrower.shortened]).toEqual([[], true]);
    expect(ruledTable(columns, rows, 40).dropped).toEqual(["c"]);
    const narrow = ruledTable(columns, rows, 26);
    expect(narrow.dropped).toEqual(["a", "c"]);
    for (const line of narrow.lines) expect(widthOf(line)).toBeLessThanOrEqual(26);
    expect(narrow.lines[3]).toBe("model.la…0.weight      2.5");
  });

  it("has a line for each cell where not even that fits", () => {
    const { lines, dropped } = ruledTable(
      columns.map(({ head, align }) => ({ head, align })),
      rows,
      30,
    );
    expect(dropped).toEqual([]);
    expect(lines).toContain("a: 1111111111");
  });
});

const auditLine = (tensor: string, k: number): AuditLine => ({
  ...{ file: `/a/long/folder/of/models/${tensor}.safetensors`, tensor, shape: [1024, 512, 3, 3] },
  ...{ rows: 1024, cols: 4608, dtype: "bfloat16", sigma: 12.345678 * 10 ** k, frobenius: 10 ** k * 100 },
  ...{ stableRank: 42.42, converged: k !== 3, residual: 1e-7, gradientError: null, tied: k === 2, passes: 9 },
  ...(k % 2 === 0 ? { lower: 1 / 3, upper: 2 / 3, proven: false } : {}),
  ...(k > 2 ? { singularValues: [9, 8, 7, 6, 5] } : {}),
  ...(k % 3 === 0
    ? {
        ...{ alpha: k === 6 ? null : 2.5 + k / 7, alphaHat: -1e3 * k, xmin: 10 ** k, ksDistance: 0.1234 },
        ...{ tail: 40, logNorm: 2 * k, bulkEdge: 10 ** k / 3, spikeEdge: 10 ** k / 2, spikes: 1000 + k },
      }
    : {}),
});

describe("no line of the command's tables is wider than the terminal", () => {
  const widths = fc.integer({ min: 40, max: 140 });

  it("of audit's", () => {
    const lists = fc.array(fc.tuple(names, fc.integer({ min: -9, max: 9 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(lists, widths, (list, width) => {
        const lines = list.map(([name, k]) => auditLine(name, k));
        const text = auditTables(lines, [], width);
        expect(widest(text)).toBeLessThanOrEqual(width);
        const pairs = lines.map((line) => ({ line, other: line, ratio: 1 }));
        const compared = comparisonTable({ against: "b", pairs, onlyHere: [], onlyThere: [] }, width);
        expect(widest(compared)).toBeLessThanOrEqual(width);
      }),
      { numRuns: 150 },
    );
  });

  it("of norm's", () => {
    fc.assert(
      fc.property(
        fc.array(names, { minLength: 1, maxLength: 4 }),
        widths,
        fc.boolean(),
        (list, width, prove) => {
          const rows = list.map((file, k) => ({
            ...{ file, key: k % 2 ? "key" : undefined, shape: [1e6, 1e5] as const, dtype: "float64" },
            ...{ method: "lanczos", sigma: 1 / 3e10, gradientError: 1e-13, converged: k > 0, tied: k > 1 },
            certificate: prove
              ? {
                  ...{ lower: 1 / 3e10, upper: 2 / 3e10, sigma2Upper: 1 / 3, gradientErrorBound: 1e-9 },
                  ...{ proven: k > 0, method: "magnitudes" as const },
                }
              : undefined,
          }));
          expect(widest(normTables(rows as never, width))).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("of experiment's", () => {
    for (let width = 40; width <= 130; width++)
      expect(widest(experimentTables(sampleResult, width)), String(width)).toBeLessThanOrEqual(width);
  });

  it("says what it left out", () => {
    const text = auditTables([auditLine("layer".repeat(20), 1)], [], 80);
    expect(text).toMatch(/To fit the width: names shortened; without shape.*--json/s);
    expect(auditTables([auditLine("w", 1)], [], 140)).not.toMatch(/To fit/);
  });
});
