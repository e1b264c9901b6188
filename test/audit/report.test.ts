import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, describe, expect, it } from "vitest";
import { svdvals } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { floats, safetensors } from "../files/models.js";
import { answers, auditOf } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "report-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = createRandom(3);
const normal = (count: number) => Float64Array.from({ length: count }, () => random.normal());
const weights = { a: normal(30 * 20), b: normal(90 * 80), '<c & "d">': normal(12) };
const shapes: Record<string, number[]> = { a: [30, 20], b: [90, 80], '<c & "d">': [3, 4] };
const put = (name: string, data: Readonly<Record<string, Float64Array>>) => {
  const path = join(folder, name);
  const parts = Object.entries(data).map(([tensor, numbers]) => ({
    name: tensor,
    dtype: "F64",
    shape: shapes[tensor] ?? [1, numbers.length],
    data: floats("F64", numbers),
  }));
  writeFileSync(
    path,
    safetensors([...parts, { name: "bias", dtype: "F64", shape: [2], data: floats("F64", [1, 2]) }]),
  );
  return path;
};
const here = put("here.safetensors", { ...weights, mine: Float64Array.of(3, 4), zero: new Float64Array(4) });
const there = put("there.safetensors", {
  a: weights.a.map((x) => 2 * x),
  b: weights.b.map((x) => x / 10),
  '<c & "d">': weights['<c & "d">'],
  yours: Float64Array.of(6, 8),
});

describe("--top", () => {
  it("gives the largest singular values, as many as there are", async () => {
    const { lines } = await answers([here], { top: 15 });
    for (const { tensor, rows, cols, singularValues, sigma } of lines.slice(0, 3)) {
      const data = weights[tensor as keyof typeof weights];
      const exact = svdvals({ data, shape: [rows, cols] }).slice(0, 15);
      expect(singularValues?.length).toBe(exact.length);
      singularValues?.forEach((value, i) => {
        expect(Math.abs(value - exact[i])).toBeLessThan(1e-12 * exact[0]);
      });
      expect(Math.abs(sigma / exact[0] - 1)).toBeLessThan(1e-13);
    }
    const { stdout } = await auditOf([here], { top: 3 });
    expect(stdout).toMatch(/σ₂, σ₃ …/);
    const { stdout: csv } = await auditOf([here], { top: 3, csv: true });
    expect(csv.split("\r\n")[1].split(",").pop()?.split(" ").length).toBe(3);
  });
});

describe("--against", () => {
  it("gives the ratio of norms of tensors of the same name, and what only one has", async () => {
    const { status, lines } = await answers([here], { against: there });
    expect(status).toBe(0);
    const ratios = Object.fromEntries(
      lines.map(({ file, tensor, ratio }) => [`${file === here ? "" : "there "}${tensor}`, ratio]),
    );
    expect(ratios["a"]).toBeCloseTo(0.5, 13);
    expect(ratios["b"]).toBeCloseTo(10, 12);
    expect(ratios['<c & "d">']).toBe(1);
    expect([ratios["mine"], ratios["zero"], ratios["there yours"]]).toEqual([null, null, null]);
    expect(Object.keys(ratios).length).toBe(6);
  });

  it("prints what moved most first", async () => {
    const { stdout } = await auditOf([here], { against: there });
    const [, below] = stdout.split(/Against .*\n/);
    const names = below
      .split("\n")
      .filter((line) => / \d+×\d+ /.test(line))
      .map((line) => line.trim().split(/ {2,}/)[0]);
    expect(names).toEqual(["b", "a", '<c & "d">']);
    expect(below).toMatch(/Only here \(2\): mine 5\.0+, zero 0\nOnly there \(1\): yours 10\.0+\n/);
  });

  it("compares whole models", async () => {
    await expect(auditOf([here], { against: there, shard: { index: 1, count: 2 } })).rejects.toThrow(
      /whole models/,
    );
    const missing = await auditOf([here], { against: join(folder, "none") });
    expect(missing.status).toBe(2);
    expect(missing.stderr).toMatch(/none: no such file/);
  });
});

describe("--report", () => {
  const page = join(folder, "page.html");
  const read = () => {
    const html = readFileSync(page, "utf8");
    return { html, document: parseHTML(html).document };
  };

  it("is one page with a figure each for norms, stable ranks, their histogram and a spectrum", async () => {
    const { status, stdout } = await auditOf([here], { report: page, top: 5 });
    expect(status).toBe(0);
    expect(stdout.endsWith(`Report: ${page}\n`)).toBe(true);
    const { html, document } = read();
    const figures = [...document.querySelectorAll("figure")].map(({ id }) => id);
    expect(figures).toEqual(["sigma", "rank", "histogram", "spectrum"].map((name) => `figure-${name}-0`));
    for (const figure of document.querySelectorAll("figure"))
      expect(figure.querySelectorAll("svg[role=img][aria-label]").length).toBe(2);
    // Nothing from elsewhere, nothing that runs, no number that is none.
    expect(html).not.toMatch(/<script|<link|<img|src=|url\(|@import|NaN|undefined|Infinity/);
    const rows = [...document.querySelectorAll("tbody tr")].map(
      (row) => row.querySelector("th")?.textContent,
    );
    expect(rows).toEqual(["a", "b", '<c & "d">', "mine", "zero (tied)"]);
    expect(document.querySelector("details")?.textContent).toMatch(/bias \[2\] is a vector/);
    expect(html).not.toContain('<c & "d">');
    // The matrix of the largest norm.
    expect(document.querySelector("#figure-spectrum-0 .figure-title")?.textContent).toMatch(/ of b$/);
  });

  it("shows the spectrum that is asked for, and the other model", async () => {
    await auditOf([here], { report: page, spectrum: "a", against: there, json: true });
    const { html, document } = read();
    expect(document.querySelector("#figure-spectrum-0 .figure-title")?.textContent).toMatch(/ of a$/);
    expect(document.querySelectorAll("#figure-spectrum-0 svg circle").length).toBe(2 * 20);
    expect(document.querySelector("#figure-ratio")).not.toBeNull();
    expect(html).toMatch(/Only here/);
    await expect(auditOf([here], { report: page, spectrum: "x" })).rejects.toThrow(/there is no matrix "x"/);
    await expect(auditOf([here], { spectrum: "a" })).rejects.toThrow(/is for --report/);
    await expect(auditOf([here], { report: join(folder, "none", "page.html") })).rejects.toThrow(
      /no such folder/,
    );
  });

  it("has a section for each model, and says what could not be read", async () => {
    const bad = join(folder, "missing.npz");
    const { status } = await auditOf([here, there, bad], { report: page });
    expect(status).toBe(2);
    const { document } = read();
    const heads = [...document.querySelectorAll("h2")].map((head) => head.textContent);
    expect(heads).toEqual([here, there, "How it was found"]);
    expect(document.querySelector("main")?.textContent).toMatch(/missing\.npz: no such file/);
  });

  it("of a model with nothing but zeros has figures, too", async () => {
    const zeros = put("zeros.safetensors", { z: new Float64Array(6) });
    expect((await auditOf([zeros], { report: page })).status).toBe(0);
    expect(read().html).not.toMatch(/NaN|undefined|Infinity/);
  });
});
