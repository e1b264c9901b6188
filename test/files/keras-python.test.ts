import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { entriesOf, numbersOf, tensorIn } from "./models.js";

const python = ["/usr/bin/python3", "python3"].find(
  (path) => spawnSync(path, ["-c", "import h5py"], { stdio: "ignore" }).status === 0,
);
const lacking =
  python === undefined ? " (skipped: no python3 here has h5py; keras.test.ts writes such files itself)" : "";

const folder = mkdtempSync(join(tmpdir(), "keras-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(python === undefined)(`Keras' layouts as h5py writes them${lacking}`, () => {
  it("have the same names and numbers", { timeout: 120_000 }, () => {
    const script = join(import.meta.dirname, "keras-files.py");
    execFileSync(python ?? "", [script, folder], { timeout: 60_000 });
    const files: Record<string, Record<string, { shape: number[]; values: number[] }>> = JSON.parse(
      readFileSync(join(folder, "expected.json"), "utf8"),
    );
    expect(Object.keys(files)).toHaveLength(5);
    for (const [file, weights] of Object.entries(files)) {
      const entries = entriesOf({ [file]: readFileSync(join(folder, file)) }, file);
      expect(entries.filter(({ kind }) => kind === "failed")).toEqual([]);
      const tensors = entries.filter(({ kind }) => kind === "tensor").map(({ name }) => name);
      expect(tensors.toSorted()).toEqual(Object.keys(weights).toSorted());
      for (const [name, { shape, values }] of Object.entries(weights)) {
        const tensor = tensorIn(entries, name);
        expect(tensor.shape, `${file} ${name}`).toEqual(shape);
        expect(numbersOf(tensor), `${file} ${name}`).toEqual(values);
      }
    }
  });
});
