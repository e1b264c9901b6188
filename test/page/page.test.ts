import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accuracy } from "../../page/work/accuracy.js";
import { type ComplexExample, complex } from "../../page/work/complex.js";
import { gap } from "../../page/work/gap.js";
import { type Printed, runCode } from "../../page/work/run-code.js";
import type { Report } from "../../page/work/task.js";
import { measure } from "../../src/audit/measure.js";
import { weightOf, weightsAmong } from "../../src/audit/weight.js";
import { normalEntries } from "../../src/experiment/ground-truth.js";
import { folderOf, openFile } from "../../src/files/disk.js";
import { withUpdates } from "../../src/files/lora.js";
import { readMatrixMarket } from "../../src/files/matrixmarket.js";
import { readModel } from "../../src/files/model.js";
import { readMatrices } from "../../src/files/open.js";
import { memorySource } from "../../src/files/source.js";
import { certify, matrix, SpectralNormError, spectralNorm } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { folderOfFiles, safetensors } from "../files/models.js";
import { smallTorchFile } from "../files/torch-writer.js";
import { encode, npy } from "../files/writers.js";
import { ORIGINALS, type Original } from "../fuzz/originals.js";
import { type Opened, press, readThrough, type Site, settled, startSite } from "./site.js";

const epsilon = 2 ** -53;
const quiet: Report<never> = { progress() {}, update() {} };
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const cellText = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../page/cells/${name}.js`, import.meta.url)), "utf8");

let site: Site;
let opened: Opened;
let page: Page;

beforeAll(async () => {
  // With WebGPU on SwiftShader, which the browser brings.
  site = await startSite("--enable-unsafe-webgpu");
  opened = await site.open();
  page = opened.page;
});
afterAll(async () => {
  await site?.close();
});

/** What a page shows once it has got there. */
const eventually = <T>(get: () => Promise<T>) => expect.poll(get);

const actionsOf = (section: string): Locator => page.locator(`${section} .actions`).first();
const run = async (section: string, button: string) => {
  await actionsOf(section).getByRole("button", { name: button }).click();
  return settled(page, actionsOf(section));
};

describe("every section", () => {
  it("runs to its result as the page is read", async () => {
    await readThrough(page);
    const states = await page
      .locator(".actions")
      .evaluateAll((all) => all.map((node) => (node as HTMLElement).dataset["state"]));
    // Times, files and networks wait for the reader.
    expect(states.filter((state) => state === "done")).toHaveLength(8);
    expect(states.filter((state) => state !== "done")).toEqual([undefined, undefined, undefined]);
    expect(await page.locator("figure svg[role=img]").count()).toBe(8);
    expect(await page.locator(".editor .cm-editor").count()).toBe(4);
    await page.waitForFunction(() => document.querySelectorAll("#machine dd").length === 3);
  });

  it("has the errors that Node has", async () => {
    const { truth, accuracy: rows } = await accuracy(
      { rows: 64, cols: 128, seed: 0, engines: [] },
      quiet as never,
    );
    const table = await page
      .locator("#accuracy tbody tr:has(td)")
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));
    expect(table.map(([name]) => name)).toEqual(rows.map(({ name }) => name));
    const relativeGap = 1 - truth.sigma[1] / truth.sigma[0];
    for (const [i, { name, dtype, gradientError }] of rows.entries()) {
      const shown = Number(table[i][3]);
      // Where the iteration was stopped early, that decides; elsewhere rounding does, divided by the gap.
      if (name === "power") expect(Math.abs(shown / gradientError - 1)).toBeLessThan(0.01);
      else expect(shown).toBeLessThan((64 * (dtype === "float64" ? epsilon : 2 ** -24)) / relativeGap);
    }
  });

  it.each(["gradient", "power", "tie", "certify"])("prints in the cell %s what Node prints", async (name) => {
    const expected: string[] = [];
    const update = (item: Printed) => item.kind === "text" && expected.push(item.text);
    await runCode({ code: cellText(name) }, { ...quiet, update });
    const shown = await page.locator(`[data-cell=${name}] .output pre`).allTextContents();
    expect(shown.map(words)).toEqual(expected.map(words));
    // The vectors of ‖A‖₂ = O(1) agree to rounding over the gap, here no smaller than a hundredth.
    const [found, wanted] = [shown, expected].map((lines) => lines.flatMap(numbers));
    for (const [i, value] of wanted.entries()) expect(Math.abs(found[i] - value)).toBeLessThan(1e-11);
  });

  it("proves an interval that shares a number with Node's", async () => {
    const { lower, upper } = certify(matrix(normalEntries(createRandom(1), 64, 128), [64, 128]));
    const [first, second] = numbers(await page.locator(".certificate dd").nth(1).innerText());
    expect(Math.max(lower, first)).toBeLessThanOrEqual(Math.min(upper, second));
    expect((second - first) / second).toBeLessThan(1e-12);
    // And so do those of the figure, wherever its slider stands.
    const slider = page.getByLabel("Tests so far");
    for (const step of ["3", "20", "40"]) {
      await slider.fill(step);
      const bounds = (await page.locator(".bounds .digits").allInnerTexts()).map(Number);
      expect(Math.max(lower, bounds[0])).toBeLessThanOrEqual(Math.min(upper, bounds[1]));
    }
  });

  it("says of a tie that nothing is known", async () => {
    await page.locator("#interval select").selectOption({ label: "a tie, σ₁ = σ₂" });
    await settled(page, actionsOf("#interval"));
    await expect
      .poll(() => page.locator(".certificate dd").nth(3).innerText())
      .toContain("a tie cannot be excluded");
  });
});

describe("the complex matrix", () => {
  const figure = () => page.locator("#figure-complex");
  const fills = async (first: number, last: number) =>
    (
      await figure()
        .locator("rect")
        .evaluateAll((all) => all.map((node) => getComputedStyle(node).fill))
    ).slice(first, last);
  const values = () => page.locator("#complex dd").allInnerTexts();

  it("has the singular values that Node has, and its real form each of them twice", async () => {
    const found = complex({ kind: "normal" }, quiet) as ComplexExample;
    const [own, doubled, , tie] = await values();
    const shown = own.match(/\d+\.\d+/g)?.map(Number) ?? [];
    expect(shown).toHaveLength(4);
    // As shown, to six digits after the point.
    for (const [i, value] of shown.entries()) expect(Math.abs(value - found.sigma[i])).toBeLessThan(6e-7);
    expect(doubled.match(/\d+\.\d+/g)?.map(Number)).toEqual([shown[0], shown[0], shown[1], shown[1]]);
    expect(tie).toContain("a tie");
  });

  it("keeps its gradient when u and v are turned, by the keyboard too", async () => {
    const [A, vectors] = [6 * 8, 6 + 8];
    const [matrixBefore, before, gradientBefore] = [
      await fills(0, A),
      await fills(A, A + vectors),
      await fills(A + vectors, 2 * A + vectors),
    ];
    expect(gradientBefore).toHaveLength(A);
    const slider = page.getByLabel("Common phase φ");
    await slider.focus();
    for (let step = 0; step < 18; step++) await slider.press("ArrowRight");
    await eventually(() => page.locator("#complex output").innerText()).toContain("φ = 90°");
    expect(await fills(0, A)).toEqual(matrixBefore);
    expect(await fills(A, A + vectors)).not.toEqual(before);
    expect(await fills(A + vectors, 2 * A + vectors)).toEqual(gradientBefore);
  });

  it.each(["a corner of the Fourier matrix", "a chirp along the diagonal"])("can be %s", async (label) => {
    await page.locator("#complex select").selectOption({ label });
    expect(await settled(page, actionsOf("#complex"))).toContain("‖A‖₂ = ");
    const [first, second] = (await values())[1].match(/\d+\.\d+/g) ?? [];
    expect(second).toBe(first);
  });
});

describe("the slider of the gap", () => {
  it("has convergence follow it", async () => {
    const slider = page.getByLabel("Relative gap");
    await slider.focus();
    const before = await page.locator("#gap figcaption").innerText();
    // As a hand does that drags it.
    for (let step = 0; step < 30; step++) await slider.press("ArrowLeft");
    await eventually(() => page.locator("#gap output").innerText()).toContain("a digit takes 11,513 steps");
    await eventually(() => page.locator("#gap .actions").getAttribute("data-state")).toBe("done");
    expect(await page.locator("#gap figcaption").innerText()).not.toBe(before);
    const { convergence } = await gap({ rows: 64, cols: 128, seed: 0, gap: 1e-4 }, quiet);
    const [power, lanczos] = [convergence.power.at(-1)!, convergence.lanczos.at(-1)!];
    // A thousand passes have hardly begun to tell v₁ from v₂; Lanczos ends where rounding divided by the gap does.
    const said = /^Power iteration: (.*) after (\d+) passes; Lanczos: (.*) after (\d+) /.exec(
      await page.locator("#gap .status").innerText(),
    )!;
    expect(asNumber(said[1])).toBeGreaterThan(0.1);
    expect(Math.abs(asNumber(said[1]) / power.gradientError - 1)).toBeLessThan(0.05);
    expect(Number(said[2])).toBe(power.passes);
    for (const error of [asNumber(said[3]), lanczos.gradientError])
      expect(error).toBeLessThan((64 * epsilon) / 1e-4);
  });
});

describe("a cell", () => {
  const cell = () => page.locator("[data-cell=certify]");
  const actions = () => cell().locator(".actions");
  const write = async (code: string) => {
    await cell().locator(".cm-content").click();
    await page.keyboard.press("Control+A");
    await page.keyboard.insertText(code);
  };

  it("runs what is written, by the keyboard, and prints the last value", async () => {
    await write(
      'import { svdvals as all } from "spectral-norm";\nprint("σ", all([[3, 0], [0, 4]]));\nspectralNorm([[3, 4]])',
    );
    await page.keyboard.press("Control+Enter");
    expect(await settled(page, actions())).toContain("Done");
    expect(await cell().locator(".output pre").allTextContents()).toEqual(["σ Float64Array(2) [4, 3]", "5"]);
    // Nobody is caught in the editor.
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Run");
  });

  it("says what went wrong, and where", async () => {
    await write("const x = 1;\nspectralNorm([[x, NaN]]);");
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => document.querySelector("[data-cell=certify] [data-state=failed]"));
    expect(await settled(page, actions())).toMatch(/NaN.*\(line 2\)/);
    await write("print(1);\n\nconst = 2;\nprint(3);");
    await page.keyboard.press("Control+Enter");
    await eventually(() => actions().getByRole("status").innerText()).toMatch(/\(line 3\)/);
  });

  it("is stopped, while the page goes on, and can run again", async () => {
    await write("print('begun');\nwhile (true) {}");
    await page.keyboard.press("Control+Enter");
    await cell().locator(".output").getByText("begun").waitFor();
    // Blocked, it would have none.
    await page.evaluate(async () => {
      for (let frame = 0; frame < 10; frame++) await new Promise(requestAnimationFrame);
    });
    await actions().getByRole("button", { name: "Stop" }).click();
    expect(await settled(page, actions())).toBe("Stopped.");
    await actions().getByRole("button", { name: "Reset" }).click();
    await cell().locator(".output").getByText("power iteration:").waitFor();
    expect(await cell().locator(".cm-content").innerText()).toContain("almost along the second");
  });
});

/** The class and the cells of each row of the table of files. */
const fileRows = () =>
  page
    .locator("#files tbody tr")
    .evaluateAll((all) =>
      all.map((row) => [row.className, ...[...row.children].map((node) => node.textContent ?? "")]),
    );

async function dropFiles(files: readonly { name: string; bytes: Uint8Array }[]): Promise<string> {
  const sent = files.map(({ name, bytes }) => ({ name, bytes: [...bytes] }));
  const transfer = await page.evaluateHandle((all) => {
    const made = new DataTransfer();
    for (const { name, bytes } of all) made.items.add(new File([new Uint8Array(bytes)], name));
    return made;
  }, sent);
  await page.dispatchEvent("#files .drop", "drop", { dataTransfer: transfer });
  return settled(page, actionsOf("#files"));
}

describe("files", () => {
  it("are read where they are dropped", async () => {
    const bytes = npy({ descr: "<f8", shape: [2, 3], data: encode("<f8", [3, 0, 0, 0, 4, 0]) });
    const mtx = readFileSync(fixture("well1033.mtx"));
    const said = await dropFiles([
      { name: "a.npy", bytes },
      { name: "well1033.mtx", bytes: mtx },
    ]);
    expect(said).toContain("2 matrices; nothing was uploaded");
    const [first, second] = await fileRows();
    expect([first[0], first[1], first[2], first[4]]).toEqual(["", "a.npy", "4", "2×3 float64"]);
    const expected = spectralNorm(readMatrixMarket(memorySource(mtx)).matrix);
    expect(Math.abs(Number(second[2]) / expected - 1)).toBeLessThan(16 * epsilon);
    // 1033 by 320: within reach of a proof.
    expect(second[3]).toMatch(/^\d.*10⁻¹\S$/);
  });

  it("may be complex", async () => {
    const data = encode("<f8", [3, 0, 0, 4]);
    await dropFiles([{ name: "complex.npy", bytes: npy({ descr: "<c16", shape: [1, 2], data }) }]);
    const [[kind, name, sigma, proven, shape]] = await fileRows();
    expect([kind, name, sigma, shape]).toEqual(["", "complex.npy", "5", "1×2 complex128"]);
    expect(proven).toMatch(/^\d.*10⁻¹\S$/);
  });

  it("that are bad say so in their place, and the others are still done", async () => {
    const whole = npy({ descr: "<f8", shape: [2, 2], data: encode("<f8", [1, 2, 3, 4]) });
    await dropFiles([
      { name: "short.npy", bytes: whole.subarray(0, whole.length - 9) },
      { name: "nan.csv", bytes: new TextEncoder().encode("1,2\n3,nan\n") },
      { name: "picture.npz", bytes: new Uint8Array(100) },
      { name: "whole.npy", bytes: whole },
    ]);
    const found = await fileRows();
    expect(found.map(([kind]) => kind)).toEqual(["failed", "failed", "failed", ""]);
    expect(found[0][2]).toMatch(/short\.npy|ends early|bytes/);
    expect(found[1][2]).toMatch(/row 1.*column 1|nan/i);
    expect(Math.abs(Number(found[3][2]) / 5.464985704219043 - 1)).toBeLessThan(4 * epsilon);
  });

  it("of a model are put together, and every weight has its norm", async () => {
    const folder = fileURLToPath(new URL("../../node_modules/@vladmandic/face-api/model/", import.meta.url));
    const names = ["face_landmark_68_tiny_model-weights_manifest.json", "face_landmark_68_tiny_model.bin"];
    const files = names.map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))) }));
    await dropFiles([...files, { name: "alone.bin", bytes: new Uint8Array(8) }]);
    const expected = readModel(
      () => openFile(join(folder, names[0])),
      names[0],
      folderOf(join(folder, names[0])),
    )
      .map((entry) => weightOf(entry, {}))
      .flatMap((weight) => (weight.kind === "weight" ? [weight] : []));
    expect(expected.length).toBeGreaterThan(5);
    const found = await fileRows();
    expect(found[0].slice(0, 2)).toEqual(["group", names[0]]);
    for (const weight of expected) {
      const row = found.find(([, name]) => name === weight.tensor.name)!;
      expect(row[4]).toBe(`${weight.rows}×${weight.cols} float32`);
      // As shown, to nine digits.
      const { sigma } = measure(weight, {}).triplet;
      expect(Math.abs(Number.parseFloat(row[2]) - sigma)).toBeLessThanOrEqual(1e-8 * sigma);
    }
    expect(found.at(-1)?.[2]).toContain("is part of a model");
    expect(await page.locator("#files .remarks").innerText()).toMatch(
      /^Left out: dense0.conv0.bias is a vector, /,
    );
    await dropFiles(files.slice(0, 1));
    for (const row of (await fileRows()).filter(([kind]) => kind === "failed"))
      expect(row[2]).toContain("was not among the files");
  });

  it("can be chosen by the keyboard's way too", async () => {
    await page.setInputFiles("#file-input", fixture("west0479.mtx"));
    await eventually(async () => (await fileRows())[0]?.[1]).toBe("west0479.mtx");
    await settled(page, actionsOf("#files"));
    const [row] = await fileRows();
    expect(Math.abs(Number(row[2]) / 318951.75980514265 - 1)).toBeLessThan(16 * epsilon);
  });
});

it("refuses a size that it does not take, in place", async () => {
  await page.getByLabel("Rows", { exact: true }).fill("1");
  expect(await run("#accuracy", "Run")).toBe("Rows: expected an integer from 2 to 400.");
  expect(await page.getByLabel("Rows", { exact: true }).getAttribute("aria-invalid")).toBe("true");
  await page.getByLabel("Rows", { exact: true }).fill("12");
  await page.getByLabel("Rows", { exact: true }).press("Enter");
  await eventually(() => page.locator("#figure-spectrum").innerText()).toContain("The singular values");
  expect(await settled(page, actionsOf("#accuracy"))).toContain("Block Lanczos");
});

describe("times", () => {
  it("are taken in this browser, with threads and on the GPU", async () => {
    expect(await run("#speed", "Time it")).toContain("Fastest");
    const table = await page
      .locator("#speed tbody tr:has(td)")
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    expect(table.map(([name]) => name)).toContain(`${cores} threads`);
    for (const [, median, min, max] of table) {
      expect(Number(min)).toBeGreaterThan(0);
      expect(Number(median)).toBeGreaterThanOrEqual(Number(min));
      expect(Number(max)).toBeGreaterThanOrEqual(Number(median));
    }
    expect(await page.locator("#speed th[scope=rowgroup]").allInnerTexts()).toEqual([
      "Core · float64",
      "Core · float32",
      "WebGPU · float32",
    ]);
    expect(await page.locator("#machine").innerText()).toContain("WebGPU is there");
  });
});

it("has loaded less than 500 KB with gzip when all of that is done", () => {
  const files = opened.loaded();
  const total = [...files.values()].reduce((sum, size) => sum + size, 0);
  console.log(`${files.size} files, ${(total / 1000).toFixed(0)} KB with gzip`);
  expect(total).toBeLessThan(500_000);
  expect([...files.keys()].filter((name) => /tfjs|ml-matrix/.test(name))).toEqual([]);
  expect([...files.keys()].filter((name) => /\.woff2$/.test(name)).length).toBeGreaterThan(0);
});

describe("every format", () => {
  const kinds = new Map<string, (original: Original) => readonly { name: string; sigma: number }[]>();
  for (const end of ["npy", "npz", "mtx", "csv", "mat", "petsc"]) kinds.set(end, matricesIn);
  for (const end of ["safetensors", "onnx", "gguf", "pt", "ckpt", "h5", "keras", "json"])
    kinds.set(end, weightsIn);
  const originals = ORIGINALS.filter(({ main }) => kinds.has(main.split(".").at(-1) ?? ""));

  it.each(originals.map((original) => [original.main, original] as const))(
    "is read as Node reads it: %s",
    async (main, original) => {
      const expected = orNone(() => kinds.get(main.split(".").at(-1) ?? "")!(original));
      // The base of an adapter would be a model of its own.
      const files = Object.entries(original.files).filter(([name]) => name !== "base.safetensors");
      await dropFiles(files.map(([name, bytes]) => ({ name, bytes })));
      const found = (await fileRows()).filter(([kind, , sigma]) => kind === "" && sigma !== undefined);
      expect(found.map(([, name]) => name)).toEqual(expected.map(({ name }) => name || main));
      // Single precision is shown to nine digits.
      for (const [k, { sigma }] of expected.entries())
        expect(Math.abs(Number.parseFloat(found[k][2]) - sigma)).toBeLessThanOrEqual(1e-8 * sigma);
    },
  );

  it("may be compressed with gzip", async () => {
    const bytes = gzipSync(readFileSync(fixture("well1033.mtx")));
    await dropFiles([{ name: "well1033.mtx.gz", bytes }]);
    const [[, name, sigma]] = await fileRows();
    expect(name).toBe("well1033.mtx.gz");
    expect(Math.abs(Number(sigma) / 1.8065110200065646 - 1)).toBeLessThan(1e-13);
    await dropFiles([{ name: "cut.mtx.gz", bytes: bytes.subarray(0, 5000) }]);
    expect((await fileRows())[0].join(" ")).toMatch(/^failed cut\.mtx\.gz is damaged/);
  });

  it("is found in the folder of a model, and what else is there is named", async () => {
    const folder = mkdtempSync(join(tmpdir(), "page-model-"));
    try {
      const data = new Uint8Array(Float32Array.of(3, 0, 0, 4).buffer);
      const weights = safetensors([{ name: "w.weight", dtype: "F32", shape: [2, 2], data }]);
      writeFileSync(join(folder, "model.safetensors"), weights);
      writeFileSync(join(folder, "config.json"), "{}");
      writeFileSync(join(folder, "pytorch_model.bin"), smallTorchFile([1, 2, 3, 4]));
      await page.setInputFiles("#folder-input", folder);
      await eventually(async () => (await fileRows())[1]?.[1]).toBe("w.weight");
      await settled(page, actionsOf("#files"));
      expect((await fileRows()).map(([, name]) => name)).toEqual([
        expect.stringMatching(/\/model\.safetensors$/),
        "w.weight",
      ]);
      expect(await page.locator("#files .remarks").innerText()).toContain("not read: pytorch_model.bin");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** What cannot be read has no norm, and a row of its own. */
function orNone<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof SpectralNormError) return [];
    throw error;
  }
}

/** The matrices of a file, as Node computes their norms. */
function matricesIn({ files, main }: Original): { name: string; sigma: number }[] {
  return [...readMatrices(memorySource(files[main]), main)].flatMap((entry) =>
    entry.kind === "matrix" ? [{ name: entry.key ?? "", sigma: spectralNorm(entry.matrix) }] : [],
  );
}

function weightsIn({ files, main }: Original): { name: string; sigma: number }[] {
  const folder = folderOfFiles(files);
  const entries = withUpdates(
    readModel(() => folder.open(main), main, folder),
    folder,
    undefined,
  );
  return weightsAmong(entries, {}).flatMap((weight) => {
    if (weight.kind !== "weight") return [];
    return orNone(() => [{ name: weight.tensor.name, sigma: measure(weight, {}).triplet.sigma }]);
  });
}

it("has nothing in the page to compute with: all of that is in the worker", async () => {
  const script = await page.evaluate(async () => {
    const { src } = document.querySelector<HTMLScriptElement>("script[type=module][src]")!;
    return (await fetch(src)).text();
  });
  expect(script.length).toBeGreaterThan(100_000);
  expect(script).not.toMatch(/WebAssembly\.|new Function/);
});

it("loads other libraries when they are asked for, and not before", async () => {
  await page.locator("#accuracy").getByRole("button", { name: "Add ml-matrix" }).click();
  await settled(page, actionsOf("#accuracy"));
  await page.locator("#accuracy").getByRole("button", { name: "Add TensorFlow.js" }).click();
  await settled(page, actionsOf("#accuracy"));
  const groups = await page.locator("#accuracy th[scope=rowgroup]").allInnerTexts();
  expect(groups).toEqual([
    "Core · float64",
    "Core · float32",
    "ml-matrix · float64",
    "TensorFlow.js, wasm · float32",
  ]);
  const methods = await page.locator("#accuracy tbody th[scope=row]").allInnerTexts();
  expect(methods).toEqual(expect.arrayContaining(["spectralNorm", "unrolled", "SVD"]));
});

it("keeps the reader's choice of day and night", async () => {
  const theme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  await page.getByRole("button", { name: "Dark" }).click();
  expect(await theme()).toBe("dark");
  await page.reload();
  expect(await theme()).toBe("dark");
  await page.getByRole("button", { name: "Dark" }).click();
  expect(await theme()).toBe("light");
});

it("has had nothing to complain of, and has asked for nothing elsewhere", () => {
  expect(opened.amiss).toEqual([]);
});

it("works in any folder and without isolation, and says what it lacks", async () => {
  const plain = await site.open({ plain: true });
  await eventually(() => plain.page.locator("#machine").innerText()).toContain("cross-origin isolated");
  const speed = plain.page.locator("#speed .actions");
  await press(speed.getByRole("button", { name: "Time it" }));
  expect(await settled(plain.page, speed)).toContain("Fastest");
  expect(await plain.page.locator("#speed .remarks").innerText()).toContain("threads: not available");
  expect(plain.amiss).toEqual([]);
  await plain.close();
});

/** A line without its numbers. */
function words(line: string): string {
  return line.replace(/-?\d+(\.\d+)?(e[+-]\d+)?/g, "#").replace(/ +/g, " ");
}

function numbers(line: string): number[] {
  return [...line.matchAll(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g)].map(([text]) => Number(text));
}

/** 3.1 × 10⁻¹⁵ */
function asNumber(typeset: string): number {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const [mantissa, power = ""] = typeset.split("×").map((part) => part.trim());
  const exponent = power.replace(/^10/, "").replace("⁻", "-");
  return (
    Number(mantissa) *
    10 ** Number(exponent.replace(/[⁰-⁹¹²³]/g, (digit) => String(digits.indexOf(digit))) || 0)
  );
}
