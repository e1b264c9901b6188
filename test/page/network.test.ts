import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readNetwork } from "../../src/files/network-file.js";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";
import type { BoundedModel } from "../../src/lipschitz/report/bounded-model.js";
import { digitsAbove } from "../../src/lipschitz/rounded-digits.js";
import { createRandom } from "../../src/numerics/random.js";
import { type Files, folderOfFiles } from "../files/models.js";
import {
  attribute,
  field,
  graph,
  inputs,
  node,
  onnx,
  outputs,
  raw,
  tensor,
  value,
} from "../files/onnx-models.js";
import { encode } from "../files/writers.js";
import { layersModel } from "../lipschitz/report/layers-model.js";
import { type Opened, press, type Site, settled, startSite } from "./site.js";

/** Kept by whoever runs the tests, to be looked at. */
const pictures = fileURLToPath(new URL("../../test-output/page", import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let site: Site;
let opened: Opened;
let page: Page;
beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  site = await startSite();
  opened = await site.open();
  page = opened.page;
});
afterAll(async () => {
  await site?.close();
});

const actions = (of: Page) => of.locator("#network .actions");

async function drop(of: Page, files: Files): Promise<string> {
  const sent = Object.entries(files).map(([name, bytes]) => ({ name, bytes: [...bytes] }));
  const transfer = await of.evaluateHandle((all) => {
    const made = new DataTransfer();
    for (const { name, bytes } of all) made.items.add(new File([new Uint8Array(bytes)], name));
    return made;
  }, sent);
  await of.dispatchEvent("#network .drop", "drop", { dataTransfer: transfer });
  return settled(of, actions(of));
}

/** The bounds as Node has them. */
function bounded(files: Files, main: string): BoundedModel {
  const folder = folderOfFiles(files);
  return { file: main, ...networkBounds(readNetwork(() => folder.open(main), main, folder)) };
}

const rows = () =>
  page
    .locator("#network tbody tr")
    .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));

const residual = layersModel(
  [6, 8],
  [
    { name: "first", units: 8, activation: "relu" },
    { name: "second", units: 8, activation: "tanh", skip: true },
    { name: "last", units: 3 },
  ],
);

const normal = createRandom(11);
const weights = (name: string, ...shape: number[]) => {
  const count = shape.reduce((so, length) => so * length, 1);
  const numbers = Array.from({ length: count }, () => normal.normal());
  return tensor(name, "FLOAT", shape, raw(encode("<f4", numbers)));
};

/** A convolution, a block with a skip connection, and a pooled output; height and width of the image are open. */
const convolutional = onnx(
  graph(
    [
      node("Conv", ["image", "w1"], ["a"], field(3, "stem"), attribute.integers("pads", [1, 1, 1, 1])),
      node("Relu", ["a"], ["b"], field(3, "act")),
      node("Conv", ["b", "w2"], ["c"], field(3, "block"), attribute.integers("pads", [1, 1, 1, 1])),
      node("Add", ["b", "c"], ["d"], field(3, "skip")),
      node("Relu", ["d"], ["e"], field(3, "act2")),
      node("Softmax", ["e"], ["f"], field(3, "weights"), attribute.integer("axis", 1)),
      node("Mul", ["e", "f"], ["g"], field(3, "gate <b>")),
    ],
    [weights("w1", 4, 3, 3, 3), weights("w2", 4, 4, 3, 3)],
    inputs(value("image", "FLOAT", ["batch", 3, "height", "width"])),
    outputs(value("e", "FLOAT", ["batch", 4, "height", "width"]), value("g", "FLOAT")),
  ),
);

describe("a network that is dropped", () => {
  it("may be an ONNX file, whose sizes may be given", async () => {
    const files = { "small.onnx": convolutional };
    const expected = bounded(files, "small.onnx");
    expect(expected.outputs.map(({ bound }) => bound === undefined)).toEqual([false, true]);
    expect(await drop(page, files)).toMatch(/^small\.onnx: 7 maps, 1 of 2 outputs without a bound/);
    const shown = await page.locator("#network .answers li").allInnerTexts();
    const asNumber = (text: string) => Number(text.match(/≤ ([\d.]+)/)?.[1]);
    expect(Math.abs(asNumber(shown[0]) / expected.outputs[0].bound! - 1)).toBeLessThan(1e-3);
    expect(shown[1]).toMatch(/^no bound[\s\S]*because of "gate <b>"/);
    expect(await page.locator("#network .network g.map.none").count()).toBe(1);
    const sizes = page.getByLabel("Input sizes");
    await sizes.fill("image=1x3x6x6");
    expect(await drop(page, files)).toContain("1 of 2 outputs");
    const sized = asNumber((await page.locator("#network .answers li").allInnerTexts())[0]);
    // The norm for inputs of one size is not above that for all.
    expect(sized).toBeLessThanOrEqual(asNumber(shown[0]));
    expect(sized).toBeGreaterThan(0.3 * asNumber(shown[0]));
    await sizes.fill("");
  });

  it("has the bounds that Node has", async () => {
    const expected = bounded(residual, "model.json");
    expect(await drop(page, residual)).toContain("model.json: ");
    const found = await rows();
    expect(found.map(([node]) => node)).toEqual(expected.maps.map(({ nodes }) => nodes.join(" + ")));
    // Proofs may differ by the rounding of the kernels that this browser has.
    for (const [k, { bound }] of expected.maps.entries())
      expect(Math.abs(Number(found[k].at(-2)) / bound! - 1)).toBeLessThan(2e-3);
    const { bound } = expected.outputs[0];
    expect(await page.locator("#network .answers strong").first().innerText()).toBe(
      `≤ ${digitsAbove(bound!, 5)}`,
    );
    expect(await page.locator("#network .network svg g.map").count()).toBeGreaterThan(2);
    expect(await page.locator("#network figure svg.plot").count()).toBe(1);
  });

  it("is escaped", async () => {
    const name = `<img src=x onerror="document.title='run'">`;
    await drop(
      page,
      layersModel(
        [4],
        [
          { name, units: 3 },
          { name: "<script>alert(1)</script>", units: 2 },
        ],
      ),
    );
    expect(await page.locator("#network img, #network script").count()).toBe(0);
    expect(await page.title()).not.toBe("run");
    expect((await rows())[0][0]).toContain(name);
  });

  it("that cannot be read says why", async () => {
    expect(await drop(page, { "model.onnx": new Uint8Array(0) })).toMatch(/^model\.onnx: is empty/);
    expect(await drop(page, { "model.json": residual["model.json"] })).toContain("was not among the files");
    expect(await drop(page, { "a.safetensors": new Uint8Array(64) })).toMatch(
      /^a\.safetensors: .*spectral-norm audit/,
    );
    expect(await drop(page, { "a.txt": new Uint8Array(8), "b.txt": new Uint8Array(8) })).toMatch(
      /^There is no \.onnx/,
    );
    expect(await page.locator("#network .found").innerHTML()).toBe("");
  });

  it("takes sizes of inputs, and says which do not fit", async () => {
    const sizes = page.getByLabel("Input sizes");
    await sizes.fill("2x");
    expect(await drop(page, residual)).toMatch(/^Input sizes: expected the lengths/);
    await sizes.fill("nothing=2x6x8");
    expect(await drop(page, residual)).toMatch(/^Input sizes: there is no input "nothing"/);
    await sizes.fill("1x6x8");
    await sizes.press("Enter");
    expect(await settled(page, actions(page))).toContain("bounded");
    await sizes.fill("");
  });

  it("may be in a folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "page-network-"));
    try {
      for (const [name, bytes] of Object.entries(residual)) writeFileSync(join(folder, name), bytes);
      await page.setInputFiles("#network-folder-input", folder);
      await expect.poll(async () => (await rows())[0]?.[0]).toBe("first");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

it.each([375, 768, 1280])("fits %i pixels and is accessible, by day and by night", async (width) => {
  const {
    page: view,
    amiss,
    close,
  } = await site.open({
    viewport: { width, height: 900 },
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  await press(view.getByRole("button", { name: "try a small network" }));
  expect(await settled(view, actions(view))).toContain("nothing was uploaded");
  expect(await view.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await view.addScriptTag({ content: axe });
  const section = view.locator("#network");
  for (const colorScheme of ["light", "dark"] as const) {
    await view.emulateMedia({ colorScheme });
    await section.screenshot({ path: `${pictures}/network-${width}-${colorScheme}.png` });
    const { violations } = await view.evaluate<Found>("axe.run('#network', { resultTypes: ['violations'] })");
    const shown = violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}\n${failureSummary}`),
    );
    expect(shown).toEqual([]);
  }
  expect(amiss).toEqual([]);
  await close();
});

it("has had nothing to complain of", () => {
  expect(opened.amiss).toEqual([]);
});
