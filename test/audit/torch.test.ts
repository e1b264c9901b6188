import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Matrix, SVD } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import { floats, safetensors, text } from "../files/models.js";
import { pickled, torchFile, torchTensor } from "../files/torch-writer.js";
import { answers, auditOf } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "torch-"));
afterAll(() => rmSync(folder, { recursive: true }));

function put(path: string, content: Uint8Array): string {
  const whole = join(folder, path);
  mkdirSync(join(whole, ".."), { recursive: true });
  writeFileSync(whole, content);
  return whole;
}

const values = Array.from({ length: 6 * 5 * 4 }, (_, k) => Math.fround(Math.sin(k * k + 1)));
const view = { storage: "0", type: "Float", count: values.length, shape: [6, 20] };
const storages = { "0": floats("F32", values) };
const state = pickled.ordered({
  plain: torchTensor(view),
  transposed: torchTensor({ ...view, shape: [20, 6], strides: [1, 20] }),
  columns: torchTensor({ ...view, shape: [6, 3], strides: [20, 7], offset: 2 }),
  conv: torchTensor({ ...view, shape: [5, 2, 3, 4], strides: [1, 5, 10, 30] }),
  "norm.weight": torchTensor({ ...view, shape: [6] }),
});

/** The largest singular value by a dense SVD of the matrix that plain loops make of a view. */
function sigmaOf(rows: number, cols: number, at: (row: number, col: number) => number): number {
  const entries = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: cols }, (_, j) => values[at(i, j)]),
  );
  return new SVD(new Matrix(entries), { autoTranspose: true }).diagonal[0];
}

const EXPECTED: Readonly<Record<string, number>> = {
  plain: sigmaOf(6, 20, (i, j) => 20 * i + j),
  transposed: sigmaOf(20, 6, (i, j) => i + 20 * j),
  columns: sigmaOf(6, 3, (i, j) => 2 + 20 * i + 7 * j),
  conv: sigmaOf(5, 24, (i, j) => i + 5 * Math.floor(j / 12) + 10 * (Math.floor(j / 4) % 3) + 30 * (j % 4)),
};

describe("an audit of a PyTorch file", () => {
  const model = put("model.pt", torchFile({ root: state, storages }));

  it("has the norms that a dense SVD has", async () => {
    const { status, lines, stderr } = await answers([model], { certify: true });
    expect(status).toBe(0);
    expect(stderr).toBe(`spectral-norm: ${model}: 1 tensor left out: a vector\n`);
    expect(lines.map(({ tensor }) => tensor)).toEqual(Object.keys(EXPECTED));
    for (const { tensor, sigma, proven, lower, upper } of lines) {
      expect(Math.abs(sigma / EXPECTED[tensor] - 1)).toBeLessThan(1e-6);
      expect(proven).toBe(true);
      expect(lower).toBeLessThanOrEqual(EXPECTED[tensor] * (1 + 1e-12));
      expect(upper).toBeGreaterThanOrEqual(EXPECTED[tensor] * (1 - 1e-12));
    }
  });

  it("reads large tensors a few rows at a time, unless they are in another order", async () => {
    const { status, lines, stderr } = await answers([model], { memory: 100 });
    expect(status).toBe(2);
    expect(lines.map(({ tensor }) => tensor)).toEqual(["plain", "transposed", "columns"]);
    for (const { tensor, sigma } of lines) expect(Math.abs(sigma / EXPECTED[tensor] - 1)).toBeLessThan(1e-6);
    expect(stderr).toContain('"conv": is compressed or in another order, and its 480 bytes are more than');
  });

  it("names row and column of what is not finite, also of a transposed matrix", async () => {
    const wrong = values.slice();
    wrong[47] = Number.NaN;
    const path = put("nan.pt", torchFile({ root: state, storages: { "0": floats("F32", wrong) } }));
    const { status, stderr } = await auditOf([path], { json: true });
    expect(status).toBe(2);
    expect(stderr).toContain('"plain": row 2, column 7 of 6×20 is NaN');
    expect(stderr).toContain('"transposed": row 7, column 2 of 20×6 is NaN');
  });

  it("says what a whole module is", async () => {
    const module = pickled.object("my.code", "Net", pickled.dict({ _modules: pickled.dict({}) }));
    const path = put("net.pt", torchFile({ root: module }));
    const { status, stderr } = await auditOf([path]);
    expect([status, stderr]).toEqual([
      2,
      `spectral-norm: ${path}: is a whole module of class "my.code.Net", and nothing of a pickle is run; save its state_dict() instead\n`,
    ]);
  });
});

describe("an audit of a folder", () => {
  const weight = safetensors([{ name: "w", dtype: "F64", shape: [2, 2], data: floats("F64", [3, 0, 0, 4]) }]);
  put("hub/blobs/1111", weight);
  put("hub/blobs/2222", torchFile({ root: state, storages }));
  put("hub/blobs/3333", text({ architectures: [] }));
  const snapshot = join(folder, "hub/snapshots/abcd");
  mkdirSync(snapshot, { recursive: true });
  for (const [name, blob] of [
    ["model.safetensors", "1111"],
    ["pytorch_model.bin", "2222"],
    ["config.json", "3333"],
  ])
    symlinkSync(`../../blobs/${blob}`, join(snapshot, name));

  it("reads one of the formats, through the links of a cache, and says which it does not", async () => {
    for (const path of [snapshot, join(folder, "hub"), `${snapshot}/`]) {
      const { status, lines, stderr } = await answers([path]);
      expect(status).toBe(0);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatchObject({ tensor: "w", sigma: 4 });
      expect(lines[0].file).toMatch(/snapshots\/abcd\/model\.safetensors$/);
      expect(stderr).toMatch(
        /^spectral-norm: .*hub.*: reads .*model\.safetensors, and not .*pytorch_model\.bin; name a file to read it\n$/,
      );
    }
  });

  it("reads the model that it is compared with from one, too", async () => {
    const { status, lines } = await answers([snapshot], { against: snapshot });
    expect(status).toBe(0);
    expect(lines[0]).toMatchObject({ sigmaAgainst: 4, ratio: 1 });
  });

  it("reads each part of a pipeline", async () => {
    put("pipe/model_index.json", text({}));
    put("pipe/unet/diffusion_pytorch_model.safetensors", weight);
    put("pipe/vae/diffusion_pytorch_model.bin", torchFile({ root: state, storages }));
    const { status, lines } = await answers([join(folder, "pipe")]);
    expect(status).toBe(0);
    expect(lines.map(({ file, tensor }) => `${file.slice(folder.length)} ${tensor}`)).toEqual([
      "/pipe/unet/diffusion_pytorch_model.safetensors w",
      ...Object.keys(EXPECTED).map((name) => `/pipe/vae/diffusion_pytorch_model.bin ${name}`),
    ]);
  });

  it("costs one line if there is no model in it", async () => {
    put("nothing/readme.txt", text("x"));
    const path = join(folder, "nothing");
    const { status, stderr } = await auditOf([path]);
    expect([status, stderr]).toEqual([
      2,
      `spectral-norm: ${path}: is a folder without a model file; name one that is elsewhere\n`,
    ]);
  });
});
