import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Matrix, SVD } from "ml-matrix";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditLine } from "../../src/audit/line.js";
import { frobenius } from "../../src/numerics/sums.js";
import { svdvals } from "../../src/solve/norms.js";
import { floats, safetensors, text } from "../files/models.js";
import { answers, auditOf, decoded, inColumns, manifests } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "audit-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Decoded = Awaited<ReturnType<typeof decoded>>;

/** What is said of biases, which every one of these models has, and of one's numbers of classes and the like. */
const VECTORS = /^(spectral-norm: .*: \d+ tensors? left out: (a vector|a scalar|dtype .*)\n)+$/;

/** The one model that is written in other formats. */
const LANDMARKS = manifests.find((name) => name.includes("face_landmark_68_model")) as string;
let landmarks: Decoded;
beforeAll(async () => {
  landmarks = await decoded(LANDMARKS);
});

/**
 * How far σ₁ may be from that of a dense SVD in float64: u and v are rounded to float32, which leaves a residual r, and
 * σ = uᵀAv is then off by r²/(σ₁−σ₂) at most (to second order; twice that here); and both sums round.
 */
function tolerance({ residual, rows, cols, sigma }: AuditLine, values: Float64Array): number {
  const gap = sigma - (values[1] ?? 0);
  return (2 * residual ** 2) / gap + 16 * Math.sqrt(Math.min(rows, cols)) * 2 ** -52 * sigma;
}

it("has seven models at hand", () => {
  expect(manifests.length).toBe(7);
});

describe.each(manifests.map((path) => [basename(path), path]))("%s", (_, manifest) => {
  it("is audited as a dense SVD of what TensorFlow.js decodes has it", async () => {
    const { status, stderr, lines } = await answers([manifest]);
    expect([status, stderr.replace(VECTORS, "")]).toEqual([0, ""]);
    const weights = await decoded(manifest);
    const matrices = [...weights].filter(([, { shape }]) => shape.length >= 2);
    expect(lines.map(({ tensor }) => tensor)).toEqual(matrices.map(([name]) => name));
    for (const line of lines) {
      const { shape, data } = weights.get(line.tensor) as { shape: number[]; data: Float32Array };
      const cols = shape[shape.length - 1];
      expect(line).toMatchObject({
        file: manifest,
        shape,
        rows: data.length / cols,
        cols,
        dtype: "float32",
        converged: true,
      });
      const double = Float64Array.from(data);
      const values = svdvals({ data: double, shape: [line.rows, cols] });
      const norm = frobenius(double);
      expect(Math.abs(line.frobenius - norm)).toBeLessThanOrEqual(1e-13 * norm);
      // Two of the weights of one model are zero.
      if (norm === 0) {
        expect(line).toMatchObject({ sigma: 0, stableRank: 0, tied: true });
        continue;
      }
      expect(Math.abs(line.sigma - values[0])).toBeLessThanOrEqual(tolerance(line, values));
      expect(line.stableRank).toBeCloseTo((norm / values[0]) ** 2, 9);
      if (Math.min(line.rows, cols) > 32) continue;
      // An SVD that is not ours.
      const other = new SVD(Matrix.from1DArray(line.rows, cols, double), { autoTranspose: true });
      // Its running sums are as long as the matrix.
      const sums = Math.max(line.rows, cols) * 2 ** -53 * line.sigma;
      expect(Math.abs(line.sigma - other.diagonal[0])).toBeLessThanOrEqual(tolerance(line, values) + sums);
    }
  });
});

it("proves an interval that holds a dense SVD's value", async () => {
  const manifest = manifests.find((name) => name.includes("tiny_face_detector")) as string;
  const { status, lines } = await answers([manifest], { certify: true });
  expect(status).toBe(0);
  const weights = await decoded(manifest);
  for (const { tensor, rows, cols, lower, upper, proven, sigma2Upper, gradientErrorBound } of lines) {
    const data = Float64Array.from((weights.get(tensor) as { data: Float32Array }).data);
    const values = svdvals({ data, shape: [rows, cols] });
    // The SVD itself errs by some ε.
    const slack = 1e-13 * values[0];
    expect(proven).toBe(true);
    expect(lower as number).toBeLessThanOrEqual(values[0] + slack);
    expect(upper as number).toBeGreaterThanOrEqual(values[0] - slack);
    expect(((upper as number) - (lower as number)) / values[0]).toBeLessThan(1e-9);
    expect(sigma2Upper as number).toBeGreaterThanOrEqual((values[1] ?? 0) - slack);
    expect(gradientErrorBound as number).toBeLessThan(1e-4);
  }
});

describe("the same weights in a safetensors file", () => {
  const unit = { F64: 2 ** -53, F32: 2 ** -24, F16: 2 ** -11, BF16: 2 ** -8 };

  /** As PyTorch has them: [h, w, in, out] as [out, in, h, w]. */
  const turned = ({ shape, data }: { shape: number[]; data: Float32Array }) => {
    if (shape.length !== 4) return { shape, data };
    const [h, w, i, o] = shape;
    const to = new Float32Array(data.length);
    for (let y = 0, k = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        for (let c = 0; c < i; c++) for (let f = 0; f < o; f++) to[((f * i + c) * h + y) * w + x] = data[k++];
    return { shape: [o, i, h, w], data: to };
  };
  const parts = (dtype: keyof typeof unit) =>
    [...landmarks].map(([name, weight]) => {
      const { shape, data } = turned(weight);
      return { name, dtype, shape, data: floats(dtype, data) };
    });

  it.each(["F32", "F16", "BF16"] as const)(
    "as %s has the same norms, as far as it has digits",
    async (dtype) => {
      const path = join(folder, `${dtype}.safetensors`);
      writeFileSync(path, safetensors(parts(dtype)));
      const { status, stderr, lines } = await answers([path]);
      expect([status, stderr.replace(VECTORS, "")]).toEqual([0, ""]);
      const { lines: exact } = await answers([LANDMARKS]);
      expect(lines.length).toBe(exact.length);
      const found = new Map(lines.map((line) => [line.tensor, line]));
      for (const line of exact) {
        const { sigma, rows, cols, converged } = found.get(line.tensor) as AuditLine;
        expect(converged).toBe(true);
        expect(rows * cols).toBe(line.rows * line.cols);
        if (line.shape.length === 4) expect([rows, cols]).toEqual([line.cols, line.rows]);
        // ‖δA‖₂ ≤ ‖δA‖_F ≤ u·‖A‖_F, and what is subnormal in float16 is off by 2⁻²⁵ at most.
        const lost = dtype === "F16" ? 2 ** -25 * Math.sqrt(rows * cols) : 0;
        expect(Math.abs(sigma - line.sigma)).toBeLessThanOrEqual(
          unit[dtype] * line.frobenius + lost + 1e-9 * line.sigma,
        );
      }
    },
  );

  it("in several files with an index has the lines of the one file, but for the file's name", async () => {
    const all = parts("BF16");
    const files = [all.slice(0, 20), all.slice(20, 21), all.slice(21)];
    const map: Record<string, string> = {};
    files.forEach((some, k) => {
      const name = `model-0000${k + 1}-of-00003.safetensors`;
      writeFileSync(join(folder, name), safetensors(some));
      for (const { name: tensor } of some) map[tensor] = name;
    });
    const index = join(folder, "model.safetensors.index.json");
    writeFileSync(index, text({ metadata: { total_size: 1 }, weight_map: map }));
    const one = join(folder, "one.safetensors");
    writeFileSync(one, safetensors(all));
    const [sharded, whole] = [await answers([index]), await answers([one])];
    expect([sharded.status, sharded.stderr.replace(VECTORS, "")]).toEqual([0, ""]);
    expect(sharded.lines).toEqual(whole.lines.map((line) => ({ ...line, file: index })));
  });
});

it("prints a table that a reader can check against the lines", async () => {
  const manifest = manifests.find((name) => name.includes("tiny_face_detector")) as string;
  const { stdout, stderr } = await inColumns(120, () =>
    auditOf([manifest], { sort: "sigma", leftOut: true }),
  );
  const { lines } = await answers([manifest], { sort: "sigma" });
  const rows = stdout.split("\n").filter((line) => / float32 /.test(line));
  expect(rows.length).toBe(lines.length);
  rows.forEach((row, i) => {
    const { tensor, shape, rows, cols, sigma } = lines[i];
    expect(row.trim().split(/\s+/).slice(0, 5)).toEqual([
      tensor,
      shape.join("×"),
      `${rows}×${cols}`,
      "float32",
      sigma.toPrecision(7),
    ]);
  });
  // Decimal points below each other.
  expect(new Set(rows.map((row) => row.indexOf(".", row.indexOf("float32")))).size).toBe(1);
  expect(stdout).toMatch(/Left out of\s\S+manifest\.json:\n {2}a vector \(7\):\n {4}conv0\/bias \[16\]\n/);
  expect(stderr).toBe(`spectral-norm: ${manifest}: 7 tensors left out: a vector\n`);
});
