import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import type { AuditLine } from "../../src/audit/line.js";
import { measuresOf } from "../../src/audit/spectrum-fit.js";
import type { AuditFlags } from "../../src/cli/audit-options.js";
import { widthOf } from "../../src/cli/fit.js";
import { floats, type SafetensorsPart, safetensors } from "../files/models.js";
import { encode } from "../files/writers.js";
import { normalMatrix, withSpectrum } from "../matrices.js";
import { answers, auditOf, inColumns } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "spectra-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function model(parts: readonly SafetensorsPart[]): string {
  const path = join(folder, `${count++}.safetensors`);
  writeFileSync(path, safetensors(parts));
  return path;
}
const part = (
  name: string,
  shape: readonly number[],
  data: Float64Array,
  dtype: "F64" | "F32" | "F16" | "BF16" = "F64",
): SafetensorsPart => ({ name, dtype, shape, data: floats(dtype, data) });

const FIELDS = [
  "alpha",
  "alphaHat",
  "xmin",
  "ksDistance",
  "tail",
  "logNorm",
  "bulkEdge",
  "spikeEdge",
  "spikes",
];

/** A matrix whose eigenvalues λ are the quantiles of a power law of this exponent. */
const heavy = (alpha: number, m: number, n: number) =>
  withSpectrum(m, n, (i) => Math.sqrt(((i + 0.5) / Math.min(m, n)) ** (-1 / (alpha - 1))), 5).data;

/** Another way to the eigenvalues: those of the smaller Gram matrix, summed in plain loops. */
function gramEigenvalues(data: Float64Array, m: number, n: number): number[] {
  const gram = Matrix.zeros(n, n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < m; k++) sum += data[k * n + i] * data[k * n + j];
      gram.set(i, j, sum);
    }
  return new EigenvalueDecomposition(gram, { assumeSymmetric: true }).realEigenvalues.sort((a, b) => b - a);
}

const one = async (parts: readonly SafetensorsPart[], flags: AuditFlags = {}): Promise<AuditLine> => {
  const { lines } = await answers([model(parts)], { spectra: true, ...flags });
  expect(lines).toHaveLength(parts.length);
  return lines[0];
};

describe("--spectra", () => {
  it.each([1.6, 2, 2.5, 4])("finds the exponent %d of a matrix that is made of it", async (alpha) => {
    const [m, n] = [150, 120];
    const line = await one([part("w", [m, n], heavy(alpha, m, n))]);
    const largest = (0.5 / n) ** (-1 / (alpha - 1));
    const error = (alpha - 1) / Math.sqrt(line.tail ?? 0);
    expect(line.tail).toBeGreaterThan(60);
    expect(Math.abs((line.alpha ?? 0) - alpha)).toBeLessThan(0.5 * error);
    expect(line.alphaHat).toBeCloseTo((line.alpha ?? 0) * Math.log10(largest), 9);
    expect(line.ksDistance).toBeLessThan(0.02);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += ((i + 0.5) / n) ** (-1 / (alpha - 1));
    expect(line.logNorm).toBeCloseTo(Math.log10(sum), 10);
  });

  it("has xmin, tail and spikes as the eigenvalues of the Gram matrix have them", async () => {
    const [m, n] = [90, 60];
    const { data } = normalMatrix(m, n, 4);
    for (let k = 0; k < data.length; k++) data[k] += 0.6 * Math.sin(Math.floor(k / n)) * Math.cos(k % n);
    const line = await one([part("w", [m, n], data)]);
    const eigenvalues = gramEigenvalues(data, m, n);
    const near = eigenvalues.filter((value) => Math.abs(value / (line.xmin ?? 0) - 1) < 1e-9);
    expect(near).toHaveLength(1);
    expect(eigenvalues.filter((value) => value >= near[0])).toHaveLength(line.tail ?? 0);
    const beyond = eigenvalues.filter((value) => value > (line.spikeEdge ?? 0));
    expect([beyond.length, line.spikes]).toEqual([1, 1]);
    let excess = 0;
    for (const value of eigenvalues) if (value >= near[0]) excess += Math.log(value / near[0]);
    expect(line.alpha).toBeCloseTo(1 + (line.tail ?? 0) / excess, 9);
    expect(line.bulkEdge).toBeLessThan(line.spikeEdge ?? 0);
  });

  it("takes half precision and complex numbers", async () => {
    const [m, n] = [40, 30];
    const data = heavy(2.5, m, n);
    const exact = await one([part("w", [m, n], data)]);
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const line = await one([part("w", [m, n], data, dtype)]);
      expect(Math.abs((line.alpha ?? 0) - (exact.alpha ?? 0))).toBeLessThan(dtype === "BF16" ? 0.05 : 0.01);
    }
    // i·A has the singular values of A.
    const turned = Array.from(data).flatMap((x) => [0, x]);
    const line = await one([{ name: "w", dtype: "C64", shape: [m, n], data: encode("<f4", turned) }]);
    expect(line.dtype).toBe("complex64");
    expect(Math.abs((line.alpha ?? 0) - (exact.alpha ?? 0))).toBeLessThan(1e-4);
    // The bulk is at the same place; complex matrices fluctuate less.
    expect(Math.abs((line.bulkEdge ?? 0) / (exact.bulkEdge ?? 1) - 1)).toBeLessThan(0.3);
  });

  it("does not depend on the order of rows and columns, nor on the unit but for its place", async () => {
    const [m, n] = [50, 30];
    const data = normalMatrix(m, n, 8).data.map((x) => x ** 3);
    const moved = data.map((_, k) => data[((7 * Math.floor(k / n) + 3) % m) * n + ((11 * (k % n)) % n)]);
    const transposed = Float64Array.from(data, (_, k) => data[(k % m) * n + Math.floor(k / m)]);
    const line = await one([part("w", [m, n], data)]);
    for (const other of [await one([part("w", [m, n], moved)]), await one([part("w", [n, m], transposed)])])
      for (const field of FIELDS as (keyof AuditLine)[])
        expect(other[field], field).toBeCloseTo(line[field] as number, 8);
    const unit = 2 ** -100;
    const scaled = await one([
      part(
        "w",
        [m, n],
        data.map((x) => unit * x),
      ),
    ]);
    expect([scaled.alpha, scaled.ksDistance, scaled.tail, scaled.spikes]).toEqual([
      line.alpha,
      line.ksDistance,
      line.tail,
      line.spikes,
    ]);
    expect(scaled.xmin).toBe((line.xmin ?? 0) * unit ** 2);
    expect(scaled.bulkEdge).toBe((line.bulkEdge ?? 0) * unit ** 2);
    expect(scaled.logNorm).toBeCloseTo((line.logNorm ?? 0) - 200 * Math.log10(2), 9);
  });

  it("changes nothing of the other fields", async () => {
    const path = model([
      part("w", [40, 30], normalMatrix(40, 30, 2).data),
      part("row", [1, 3], Float64Array.of(1, 2, 2)),
    ]);
    const plain = await answers([path]);
    const { lines } = await answers([path], { spectra: true });
    lines.forEach((line, k) => {
      expect(line).toMatchObject(plain.lines[k]);
      expect(
        Object.keys(line)
          .filter((key) => !(key in plain.lines[k]))
          .filter((key) => key !== "spectrumReason"),
      ).toEqual(FIELDS);
    });
    expect(plain.stderr).toBe("");
  });
});

describe("what is not defined is null, with the reason", () => {
  const nulls = (line: AuditLine) => FIELDS.filter((field) => line[field as keyof AuditLine] === null);
  const all = FIELDS.filter((field) => field !== "logNorm");
  const law = ["alpha", "alphaHat", "xmin", "ksDistance", "tail"];
  const bulk = ["bulkEdge", "spikeEdge", "spikes"];

  it.each<[string, () => Float64Array, [number, number], string[], RegExp]>([
    ["a zero matrix", () => new Float64Array(400), [20, 20], FIELDS, /^is zero$/],
    ["a row", () => Float64Array.of(3, 4), [1, 2], all, /^has fewer than 10 eigenvalues$/],
    ["nine columns", () => normalMatrix(30, 9, 1).data, [30, 9], all, /^has fewer than 10 eigenvalues$/],
    [
      "an orthogonal matrix",
      () => withSpectrum(30, 30, () => 3, 1).data,
      [30, 30],
      law,
      /^its eigenvalues are equal up to rounding$/,
    ],
    [
      "a matrix of rank 3",
      () => withSpectrum(30, 20, (i) => (i < 3 ? 3 - i : 0), 1).data,
      [30, 20],
      all,
      /^has fewer than 10 eigenvalues above 0; has no bulk/,
    ],
    [
      "a matrix with half of its eigenvalues zero",
      () => withSpectrum(40, 40, (i) => (i < 18 ? 1 / (i + 1) : 0), 1).data,
      [40, 40],
      bulk,
      /^has no bulk: too many of its eigenvalues are 0$/,
    ],
  ])("%s", async (_, data, shape, missing, why) => {
    const line = await one([part("w", shape, data())]);
    expect(nulls(line)).toEqual(missing);
    expect(line.spectrumReason).toMatch(why);
  });

  it("an orthogonal matrix in single and half precision", async () => {
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const line = await one([part("w", [64, 64], withSpectrum(64, 64, () => 1, 1).data, dtype)]);
      expect([dtype, line.alpha, line.spectrumReason]).toEqual([
        dtype,
        null,
        "its eigenvalues are equal up to rounding",
      ]);
    }
  });

  it("squares beyond the range of a double", () => {
    const of = { rows: 20, cols: 20, dtype: "float64" } as const;
    const sigma = Float64Array.from({ length: 20 }, (_, i) => 20 - i);
    const line = measuresOf(sigma, 1, of);
    for (const unit of [1e200, 1e-200]) {
      const far = measuresOf(
        sigma.map((x) => unit * x),
        unit,
        of,
      );
      expect([far.xmin, far.bulkEdge, far.spikeEdge]).toEqual([null, null, null]);
      expect(far.spectrumReason).toMatch(/beyond the range of a double/);
      expect([far.tail, far.spikes]).toEqual([line.tail, line.spikes]);
      expect(far.alpha).toBeCloseTo(line.alpha ?? 0, 10);
      expect(far.alphaHat).toBeCloseTo((line.alpha ?? 0) * 2 * Math.log10(20 * unit), 6);
      expect(far.logNorm).toBeCloseTo(2 * Math.log10(unit), 9);
    }
  });

  it("what is larger than --memory, and convolutions", async () => {
    const { data } = normalMatrix(40, 30, 1);
    const streamed = await one([part("w", [40, 30], data)], { memory: 5000 });
    expect(nulls(streamed)).toEqual(all);
    expect(streamed.spectrumReason).toMatch(/takes more than --memory$/);
    expect(streamed.logNorm).toBeCloseTo(2 * Math.log10(streamed.frobenius), 12);
    const convolution = await one([part("w", [30, 40, 1, 1], data)], { conv: "operator", input: [8, 8] });
    expect(nulls(convolution)).toEqual(all);
    expect(convolution.spectrumReason).toMatch(/convolution/);
  });
});

describe("the whole command", () => {
  const parts = [
    ...Array.from({ length: 8 }, (_, k) => part(`layers.${k}.small`, [20, 12], normalMatrix(20, 12, k).data)),
    ...Array.from({ length: 4 }, (_, k) => part(`layers.${k}.large`, [40, 30], heavy(1.7 + k, 40, 30))),
    part("head", [2, 40], normalMatrix(2, 40, 1).data),
  ];
  const path = model(parts);

  it("says the cost beforehand, and what has no spectrum", async () => {
    const { stderr } = await answers([path], { spectra: true });
    // 4mn² − 4n³/3 for each of twelve.
    const flops = 8 * (4 * 20 * 144 - (4 * 12 ** 3) / 3) + 4 * (4 * 40 * 900 - (4 * 30 ** 3) / 3);
    const [cost, without, summary] = stderr.split("\n");
    expect(cost).toBe(
      `spectral-norm: ${path}: the whole spectra of 12 of 13 matrices take ${flops.toExponential(1).replace("+", "")} flops, ` +
        "less than half a minute at 5e9 flops a second",
    );
    expect(without).toBe(`spectral-norm: ${path}: 1 without a spectrum: has fewer than 10 eigenvalues`);
    expect(summary).toMatch(
      /: Mean α \d+\.\d\d, mean α-hat -?\d+\.\d\d \(12 of 13 matrices\); mean log-norm/,
    );
  });

  it("takes a sample of all sizes and depths, the same each time, and says which", async () => {
    const { stderr, lines } = await answers([path], { spectra: true, sample: 3 });
    const chosen = lines.filter(({ alpha }) => typeof alpha === "number").map(({ tensor }) => tensor);
    expect(chosen).toEqual(["layers.2.small", "layers.6.small", "layers.2.large"]);
    expect(stderr).toContain(`flops a second: ${chosen.join(", ")}\n`);
    expect(stderr).toContain("9 without a spectrum: not in the sample of 3\n");
    const left = lines.find(({ tensor }) => tensor === "layers.0.small");
    expect(left).toMatchObject({ alpha: null, spikes: null, spectrumReason: "is not in the sample of 3" });
    expect(left?.logNorm).toBeCloseTo(2 * Math.log10(left?.frobenius ?? 0), 12);
    // A sample that holds all is none.
    const whole = await answers([path], { spectra: true, sample: 12 });
    expect(whole.lines).toEqual((await answers([path], { spectra: true })).lines);
    await expect(auditOf([path], { sample: 3 })).rejects.toThrow(/--sample: is for --spectra/);
    await expect(auditOf([path], { sort: "alpha" })).rejects.toThrow(/--sort alpha: is for --spectra/);
  });

  it("gives the same lines in shards", async () => {
    for (const sample of [undefined, 5]) {
      const flags = { spectra: true, ...(sample !== undefined && { sample }) };
      const whole = await answers([path], flags);
      const shards = await Promise.all(
        [1, 2, 3].map((index) => answers([path], { ...flags, shard: { index, count: 3 } })),
      );
      const byName = (lines: readonly AuditLine[]) =>
        [...lines].sort((a, b) => (a.tensor < b.tensor ? -1 : 1));
      expect(byName(shards.flatMap(({ lines }) => lines))).toEqual(byName(whole.lines));
    }
  });

  it("continues a journal, which belongs to its options", async () => {
    const journal = join(folder, "journal.jsonl");
    const flags = { spectra: true, resume: journal, json: true };
    const first = await auditOf([path], flags);
    const bytes = readFileSync(journal, "utf8");
    writeFileSync(journal, bytes.split("\n").slice(0, 5).join("\n"));
    const again = await auditOf([path], flags);
    expect(again.stdout).toBe(first.stdout);
    expect(readFileSync(journal, "utf8")).toBe(bytes);
    // Four whole lines were there.
    expect(again.stderr).toMatch(/the whole spectra of 8 of 13 matrices/);
    const page = join(folder, "resumed.html");
    expect((await auditOf([path], { ...flags, report: page })).stdout).toBe(first.stdout);
    expect(readFileSync(page, "utf8")).toMatch(/figure-eigenvalues-0-0/);
    for (const other of [{}, { spectra: true, sample: 3 }, { spectra: true, memory: 1e4 }])
      await expect(auditOf([path], { ...other, resume: journal })).rejects.toThrow(
        /was written with(out)? --(spectra|sample 3|memory 10000)[;,]/,
      );
  });

  it("has columns in tables, within their width, and in comma-separated values", async () => {
    const { stdout } = await inColumns(80, () => auditOf([path], { spectra: true }));
    for (const line of stdout.split("\n").filter((text) => !text.startsWith("Report")))
      expect(widthOf(line)).toBeLessThanOrEqual(80);
    const [, , head] = stdout.split("\n");
    expect(head).toMatch(/^tensor .* σ₁ .*α +D +α-hat +.*spikes$/);
    expect(stdout).toMatch(/\nhead .* – +– +– .*–\n/);
    expect(stdout).toMatch(/Over-trained \(α < 2\): \d+\. Under-trained \(α > 6\): \d+\./);
    expect(stdout.replace(/\s+/g, " ")).toContain(
      "heuristics (Martin, Peng & Mahoney 2021) to compare models of one family",
    );
    const { stdout: csv } = await auditOf([path], { spectra: true, csv: true });
    const [names, row] = csv.split("\r\n").map((text) => text.split(","));
    expect(names.slice(-10)).toEqual([...FIELDS, "spectrumReason"]);
    const { lines } = await answers([path], { spectra: true });
    expect(row.slice(-10)).toEqual([
      ...FIELDS.map((field) => String(lines[0][field as keyof AuditLine])),
      "",
    ]);
  });

  it("sorts by α, and counts what is over- and under-trained", async () => {
    const { lines, stderr } = await answers([path], { spectra: true, sort: "alpha" });
    const alphas = lines.map(({ alpha }) => alpha ?? 0);
    expect(alphas).toEqual([...alphas].sort((a, b) => b - a));
    const [over, under] = [alphas.filter((x) => x > 0 && x < 2).length, alphas.filter((x) => x > 6).length];
    expect(over).toBeGreaterThan(0);
    expect(stderr).toContain(`Over-trained (α < 2): ${over}. Under-trained (α > 6): ${under}.`);
  });

  it("compares with another model without taking its spectra", async () => {
    const other = model([
      part("layers.0.small", [20, 12], normalMatrix(20, 12, 3).data),
      part("more", [20, 12], normalMatrix(20, 12, 2).data),
    ]);
    const { lines } = await answers([path], { spectra: true, against: other });
    expect(lines.find(({ tensor }) => tensor === "layers.0.small")).toHaveProperty("ratio");
    expect(lines.find(({ tensor }) => tensor === "more")).not.toHaveProperty("alpha");
  });

  it("draws the chosen matrix and those with the smallest and the largest α", async () => {
    const page = join(folder, "page.html");
    const { lines } = await answers([path], { spectra: true, report: page, spectrum: "layers.3.small" });
    const html = readFileSync(page, "utf8");
    expect(html).not.toMatch(/<script|<link|<img|src=|url\(|@import|NaN|undefined|Infinity/);
    const { document } = parseHTML(html);
    const titles = [...document.querySelectorAll("figure[id^=figure-eigenvalues-0] .figure-title")].map(
      (title) => title.textContent?.replace("The eigenvalues of ", ""),
    );
    const fitted = lines.filter(({ alpha }) => typeof alpha === "number");
    fitted.sort((a, b) => (a.alpha ?? 0) - (b.alpha ?? 0));
    expect(titles).toEqual(["layers.3.small", fitted[0].tensor, fitted[fitted.length - 1].tensor]);
    expect(document.querySelectorAll("section > details figure").length).toBe(2);
    expect(document.querySelector("#figure-alpha-0")).not.toBeNull();
    for (const figure of document.querySelectorAll("figure"))
      expect(figure.querySelectorAll("svg[role=img][aria-label][aria-description]").length).toBe(2);
    // Every eigenvalue is in a bar or in the sentence on those that are not drawn.
    const figure = document.querySelector("#figure-eigenvalues-0-0");
    const bars = [...(figure?.querySelectorAll(".wide rect title") ?? [])];
    const drawn = bars.reduce((sum, bar) => sum + Number(bar.textContent?.split(": ")[1]), 0);
    expect(drawn).toBe(12);
  });

  it("draws spectra of one value, of zeros and of any size", async () => {
    const odd = model([
      part("equal", [12, 12], withSpectrum(12, 12, () => 1, 1).data),
      part("deficient", [30, 20], withSpectrum(30, 20, (i) => (i < 12 ? 2 ** -i : 0), 1).data),
      part(
        "large",
        [12, 12],
        normalMatrix(12, 12, 1).data.map((x) => 1e160 * x),
      ),
      part(
        "small",
        [12, 12],
        normalMatrix(12, 12, 1).data.map((x) => 1e-150 * x),
      ),
      part("zero", [12, 12], new Float64Array(144)),
    ]);
    for (const spectrum of ["equal", "deficient", "large", "small", "zero"]) {
      const page = join(folder, "odd.html");
      expect((await auditOf([odd], { spectra: true, report: page, spectrum })).status).toBe(0);
      expect(readFileSync(page, "utf8")).not.toMatch(/NaN|undefined|Infinity/);
    }
  });
});
