import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { folderOf, inputFile } from "../../src/files/disk.js";
import { readModel } from "../../src/files/model.js";
import type { WeightTensor } from "../../src/files/tensor.js";
import { halfDecoder } from "../../src/matrix/half.js";

const python = ["python3", "/usr/bin/python3"].find(
  (path) => spawnSync(path, ["-c", "import torch"], { stdio: "ignore" }).status === 0,
);
const lacking =
  python === undefined ? " (skipped: no python3 here has torch; torch.test.ts writes such files itself)" : "";

interface Expected {
  readonly shape: number[];
  /** as PyTorch reads them, of complex numbers the real and imaginary parts in turn */
  readonly values: number[];
}

const folder = mkdtempSync(join(tmpdir(), "torch-"));
afterAll(() => rmSync(folder, { recursive: true }));

const files: Record<string, Record<string, Expected>> = python === undefined
  ? {}
  : written(fileURLToPath(new URL("torch-files.py", import.meta.url)));

function written(script: string) {
  execFileSync(python as string, [script, folder], {
    stdio: ["ignore", "ignore", "ignore"],
    timeout: 120_000,
  });
  return JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
}

function decoded(tensor: WeightTensor): number[] {
  const count = tensor.shape.reduce((product, length) => product * length, 1);
  const { dtype } = tensor;
  const decode = dtype === "float16" || dtype === "bfloat16" ? halfDecoder(dtype) : (x: number) => x;
  const opened = tensor.open();
  const values = [...opened.numbers(0, count)].map(decode);
  opened.close();
  if (!tensor.reversed) return values;
  const [rows, cols] = tensor.shape;
  const parts = values.length / count;
  return Array.from({ length: count }, (_, k) => {
    const at = (k % cols) * rows + Math.floor(k / cols);
    return values.slice(parts * at, parts * (at + 1));
  }).flat();
}

describe.skipIf(python === undefined)(`files that PyTorch wrote${lacking}`, () => {
  it.each(Object.keys(files))("%s has the tensors that PyTorch finds in it", (name) => {
    const path = join(folder, name);
    const tensors = readModel(inputFile(path), path, folderOf(path)).filter(
      (entry) => entry.kind === "tensor",
    );
    expect(tensors.map((tensor) => tensor.name).sort()).toEqual(Object.keys(files[name]).sort());
    for (const tensor of tensors) {
      const { shape, values } = files[name][tensor.name];
      expect(tensor.shape).toEqual(shape);
      expect(decoded(tensor)).toEqual(values.map((x) => (name === "quantized.pt" ? Math.fround(x) : x)));
    }
  });

  it("holds whole modules, which are refused", () => {
    for (const name of ["module.pth", "module-old.pth"])
      expect(() => readModel(inputFile(join(folder, name)), name, folderOf(join(folder, name)))).toThrow(
        /^is a whole module of class "torch.nn.modules.linear.Linear".*save its state_dict\(\) instead$/,
      );
  });
});
