import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { widthOf } from "../../src/cli/fit.js";
import { digits } from "../../src/cli/lipschitz-table.js";
import { NO_PROGRESS } from "../../src/cli/progress.js";
import { type LipschitzFlags, runLipschitz } from "../../src/cli/run-lipschitz.js";
import { OptionError } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { field, node } from "../files/onnx-models.js";
import { modelOf } from "../files/onnx-network-models.js";
import { distance, predicted, randomize, savedTfjs } from "../files/tfjs-models.js";
import { normal } from "../tfjs/setup.js";
import { runCommand } from "./run-command.js";

const folder = mkdtempSync(join(tmpdir(), "lipschitz-"));
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Saves a model as `NAME.json` and its weights beside it. */
async function save(name: string, model: tfl.LayersModel): Promise<string> {
  const { json, files } = await savedTfjs(model);
  const [weights] = Object.values(files);
  put(`${name}.bin`, weights as Uint8Array);
  const manifest = json["weightsManifest"] as { paths: string[] }[];
  manifest[0].paths = [`${name}.bin`];
  return put(`${name}.json`, JSON.stringify(json));
}

/** Convolution, batch normalization, ReLU, pooling, and a dense layer behind a skip connection. */
function classifier(height: number | null): tfl.LayersModel {
  const input = tfl.input({ shape: [height, height, 3], name: "image" });
  const conv = tfl.layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", useBias: true, name: "conv" });
  const norm = tfl.layers.batchNormalization({ name: "norm" });
  const relu = tfl.layers.reLU({ name: "relu" });
  const second = tfl.layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", name: "second" });
  const first = relu.apply(norm.apply(conv.apply(input))) as tfl.SymbolicTensor;
  const sum = tfl.layers.add({ name: "sum" }).apply([first, second.apply(first) as tfl.SymbolicTensor]);
  const mean = tfl.layers.globalAveragePooling2d({ dataFormat: "channelsLast", name: "mean" }).apply(sum);
  const output = tfl.layers.dense({ units: 2, name: "logits" }).apply(mean) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: output });
}

let [sized, open, product]: string[] = [];
let model: tfl.LayersModel;

beforeAll(async () => {
  await tf.setBackend("cpu");
  model = classifier(6);
  randomize(model, 3);
  sized = await save("sized", model);
  const other = classifier(null);
  other.setWeights(model.getWeights());
  open = await save("open", other);
  const input = tfl.input({ shape: [3], name: "x" });
  const hidden = tfl.layers.dense({ units: 3, activation: "tanh", name: "hidden" }).apply(input);
  const gate = tfl.layers.dense({ units: 3, name: "gate" }).apply(input);
  const gated = tfl.layers.multiply({ name: "gated" }).apply([hidden, gate] as tfl.SymbolicTensor[]);
  const result = tfl.layers.dense({ units: 2, name: "result" }).apply(gated) as tfl.SymbolicTensor;
  product = await save("product", tfl.model({ inputs: input, outputs: result }));
}, 60_000);

interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the command answers, in this process. */
async function answer(models: readonly string[], flags: LipschitzFlags): Promise<Answer> {
  const [out, err]: string[][] = [[], []];
  const streams = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    progress: NO_PROGRESS,
  };
  try {
    const status = await runLipschitz(models, flags, streams);
    return { status, stdout: out.join(""), stderr: err.join("") };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return { status: 2, stdout: out.join(""), stderr: `spectral-norm: ${error.message}\n` };
  }
}

const sizes = (text: string, name?: string): LipschitzFlags => ({
  input: [{ name, shape: text.split("x").map(Number) }],
});

type Line = Readonly<Record<string, unknown>>;
const linesOf = (text: string): Line[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe("lipschitz --json", () => {
  it("has a line for each map, one for the output, and the promised fields", async () => {
    const { status, stdout, stderr } = await answer([sized], { json: true });
    // As it is published.
    expect(runCommand("lipschitz", sized, "--json")).toEqual({ status, stdout, stderr });
    expect([status, stderr]).toEqual([0, ""]);
    const lines = linesOf(stdout);
    const maps = lines.slice(0, -1);
    const [last] = lines.slice(-1);
    for (const line of maps) {
      expect(Object.keys(line).slice(0, 6)).toEqual(["file", "node", "op", "constant", "proven", "how"]);
      expect(line).toMatchObject({ file: sized, proven: true });
      expect(line["constant"]).toBeTypeOf("number");
    }
    expect(maps.find(({ node }) => node === "conv + norm")).toMatchObject({ nodes: ["conv", "norm"] });
    expect(Object.keys(last)).toEqual(["file", "input", "output", "lipschitz", "proven"]);
    expect(last).toMatchObject({ file: sized, input: "image", proven: true });
    expect(maps.at(-1)!["bound"]).toBe(last["lipschitz"]);
  });

  it("bounds the slopes of what TensorFlow.js computes", async () => {
    const [last] = linesOf((await answer([sized], { json: true })).stdout).slice(-1);
    const random = createRandom(4);
    for (let k = 0; k < 20; k++) {
      const x = normal(108, 100 + k);
      const y = x.map((value) => value + 0.3 * random.normal());
      const slope =
        distance(predicted(model, x, [1, 6, 6, 3]), predicted(model, y, [1, 6, 6, 3])) / distance(x, y);
      expect(slope).toBeLessThanOrEqual(last["lipschitz"] as number);
    }
  });

  it("holds for every size where the file fixes none, and takes sizes", async () => {
    const bound = async (path: string, flags: LipschitzFlags) =>
      linesOf((await answer([path], { ...flags, json: true })).stdout).at(-1)!["lipschitz"];
    const given = (await bound(open, sizes("1x6x6x3"))) as number;
    expect(given).toBe(await bound(sized, {}));
    expect(await bound(open, sizes("1x6x6x3", "image"))).toBe(given);
    expect(await bound(open, {})).toBeGreaterThanOrEqual(given);
    const argv = [open, "--input", "image=1x6x6x3", "--output", "sum", "--output", "logits", "--json"];
    const lines = linesOf(runCommand("lipschitz", ...argv).stdout);
    expect(lines.slice(-2).map(({ output }) => output)).toEqual(["sum", "logits"]);
    expect(lines.at(-1)!["lipschitz"]).toBe(given);
  });

  it("names the node where there is no bound, and what can be asked for", async () => {
    const { status, stdout, stderr } = await answer([product], { json: true });
    expect(runCommand("lipschitz", product, "--json")).toEqual({ status, stdout, stderr });
    expect([status, stderr]).toEqual([1, ""]);
    const lines = linesOf(stdout);
    const last = lines.at(-1)!;
    expect(last).toMatchObject({ lipschitz: null, proven: false, node: "gated" });
    expect(last["reason"]).toMatch(/gated: /);
    expect(last["instead"]).toContain("gate");
    const line = lines.find(({ node }) => node === "gated")!;
    expect(line).toMatchObject({ constant: null, proven: false });
    expect(line["reason"]).toBeTypeOf("string");
    for (const name of last["instead"] as string[]) {
      const part = await answer([product], { json: true, output: [name] });
      expect(part.status).toBe(0);
      expect(linesOf(part.stdout).at(-1)).toMatchObject({ output: name, proven: true });
    }
  });
});

describe("ONNX", () => {
  const nodes = [
    node("MatMul", ["x", "A"], ["h"], field(3, "first")),
    node("Relu", ["h"], ["r"], field(3, "relu")),
    node("MatMul", ["r", "B"], ["s"], field(3, "second")),
    node("MatMul", ["s", "C"], ["y"], field(3, "third")),
    node("Mul", ["s", "s"], ["q"], field(3, "square")),
  ];
  const matrices = {
    A: { shape: [2, 2], data: [3, 0, 0, 4] },
    B: { shape: [2, 2], data: [2, 0, 0, 0.5] },
    C: { shape: [2, 2], data: [0.5, 0, 0, 8] },
  };

  it("multiplies norms, of maps in a row as one", async () => {
    const path = put("chain.onnx", modelOf(nodes.slice(0, 4), { x: ["batch", 2] }, matrices));
    const { status, stdout } = await answer([path], { json: true });
    expect(status).toBe(0);
    const lines = linesOf(stdout);
    expect(lines.map(({ node }) => node)).toEqual(["first", "relu", "second + third", undefined]);
    // 4 · 1 · ‖B·C‖ = 4 · 4.
    const last = lines.at(-1)!;
    expect(last).toMatchObject({ input: "x", output: "y" });
    expect(last["lipschitz"]).toBeGreaterThanOrEqual(16);
    expect(last["lipschitz"]).toBeLessThan(16 * (1 + 1e-12));
    const part = await answer([path], { json: true, output: ["second"] });
    expect(linesOf(part.stdout).at(-1)!["lipschitz"]).toBeCloseTo(8, 10);
    expect(linesOf(part.stdout).at(-1)!["output"]).toBe("s");
  });

  it("has a bound for one output and not for the other", async () => {
    const path = put("square.onnx", modelOf(nodes, { x: ["batch", 2] }, matrices, "y", "q"));
    const { status, stdout } = await answer([path], { json: true });
    expect(status).toBe(1);
    const [y, q] = linesOf(stdout).slice(-2);
    expect(y).toMatchObject({ output: "y", proven: true });
    expect(q).toMatchObject({ output: "q", lipschitz: null, proven: false, node: "square", instead: ["s"] });
    expect((await answer([path], { output: ["y"] })).status).toBe(0);
  });

  it("names the damaged tensor", async () => {
    const A = { shape: [2, 2], data: [3, Number.NaN, 0, 4] };
    const path = put("nan.onnx", modelOf(nodes.slice(0, 4), { x: ["batch", 2] }, { ...matrices, A }));
    const { status, stdout, stderr } = await answer([path], { json: true });
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^spectral-norm: .*nan\.onnx: [^\n]*("A"|"first")[^\n]*\n$/);
  });
});

describe("lipschitz as tables", () => {
  it.each([80, 40, 120])("fits %i columns", async (columns) => {
    vi.stubEnv("COLUMNS", String(columns));
    for (const path of [sized, product]) {
      const { stdout } = await answer([path], {});
      expect(stdout).toContain("─");
      expect(stdout.split("\n").filter((line) => widthOf(line) > columns)).toEqual([]);
    }
    vi.unstubAllEnvs();
  });

  it("says what is proven, and of what", async () => {
    const { status, stdout } = await answer([sized], {});
    expect(status).toBe(0);
    expect(stdout).toMatch(/node +operator +constant +how it was proven +bound so far/);
    expect(stdout).toMatch(/‖f\(x\) − f\(y\)‖₂ ≤ [\d.]+ · ‖x − y‖₂/);
    expect(stdout.replace(/\s+/g, " ")).toMatch(/in exact real arithmetic on the weights as stored/);
  });

  it("says where there is no bound, and why", async () => {
    const { status, stdout } = await answer([product], {});
    expect(status).toBe(1);
    expect(stdout).toMatch(/no bound as a function of "x", because of gated: /);
    expect(stdout).toMatch(/--output/);
  });

  it("names a function of several nodes without them, which --json lists", async () => {
    const nodes = [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])];
    const path = put("swish.onnx", modelOf(nodes, { x: [2, 3] }));
    const table = (await answer([path], {})).stdout;
    expect(table).toMatch(/ SiLU +1\.1 /);
    expect(table).not.toMatch(/SiLU \(/);
    const [line] = (await answer([path], { json: true })).stdout.split("\n");
    expect(JSON.parse(line)).toMatchObject({ op: "SiLU (Sigmoid, Mul)" });
  });

  it("rounds numbers up", () => {
    const random = createRandom(7);
    for (let k = 0; k < 1000; k++) {
      const value = Math.exp(20 * random.normal());
      for (const count of [4, 6]) {
        const shown = Number(digits(value, count));
        expect(shown).toBeGreaterThanOrEqual(value);
        expect(shown).toBeLessThanOrEqual(value * (1 + 10 ** (1 - count)));
      }
    }
    expect([0, 1, 2, 0.25, 1.0999].map((value) => digits(value))).toEqual(["0", "1", "2", "0.25", "1.1"]);
  });
});

describe("what cannot be done costs a line and status 2", () => {
  it.each<[string, () => [string, LipschitzFlags?], RegExp]>([
    [
      "an unknown output",
      () => [sized, { output: ["nothing"] }],
      /--output: there is no .*"nothing".*"conv"/,
    ],
    [
      "an unknown input",
      () => [sized, sizes("1x6x6x3", "picture")],
      /--input: there is no input "picture".*"image"/,
    ],
    ["a size of another rank", () => [sized, sizes("1x6x6")], /1×6×6 does not fit "image"/],
    ["a size that the file fixes", () => [sized, sizes("1x7x7x3")], /1×7×7×3 does not fit "image"/],
    [
      "an input twice",
      () => [sized, { input: [0, 1].map(() => ({ name: "image", shape: [1, 6, 6, 3] })) }],
      /"image" twice/,
    ],
    ["a file that is not there", () => [join(folder, "none.json")], /none\.json: no such file/],
    [
      "weights without a graph",
      () => [put("w.safetensors", new Uint8Array(16))],
      /weights without a graph.*ONNX.*audit/,
    ],
    ["gguf", () => [put("w.gguf", new Uint8Array(16))], /weights without a graph/],
    ["a JSON text of something else", () => [put("else.json", "{}")], /not the model\.json/],
    ["bytes of something else", () => [put("else.dat", Uint8Array.of(1, 2, 3, 4))], /is none of/],
    ["an empty file", () => [put("empty.onnx", new Uint8Array(0))], /is empty/],
  ])("%s", async (_, given, message) => {
    const [path, flags = {}] = given();
    const { status, stdout, stderr } = await answer([path], flags);
    expect(stderr).toMatch(/^spectral-norm: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  it.each([
    [["--input", "1x0x6x3"], /--input/],
    [["--input", "image"], /--input/],
    [["--output", "nothing"], /--output: there is no/],
  ])("%j", (options, message) => {
    const { status, stdout, stderr } = runCommand("lipschitz", sized, ...options);
    expect(stderr).toMatch(/^spectral-norm: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect([stdout, status]).toEqual(["", 2]);
  });

  it("and the other models are still bounded", async () => {
    const { status, stdout, stderr } = await answer([join(folder, "none.json"), sized], { json: true });
    expect(status).toBe(2);
    expect(stderr).toMatch(/no such file/);
    expect(linesOf(stdout).at(-1)).toMatchObject({ file: sized, proven: true });
  });

  it("--help fits 80 columns and explains the options", () => {
    const { stdout } = runCommand("lipschitz", "--help");
    expect(stdout.split("\n").filter((line) => [...line].length > 80)).toEqual([]);
    for (const option of ["--input", "--output", "--json", "--max-cost"]) expect(stdout).toContain(option);
  });
});
