import { afterEach, describe, expect, it, vi } from "vitest";
import type { OpenTensor, WeightTensor } from "../../src/files/tensor.js";
import { halfDecoder } from "../../src/matrix/half.js";
import { BLOCKS, draw, gguf, TYPE } from "./gguf-writer.js";
import { folderOfFiles, type SafetensorsPart, safetensors, tensorIn } from "./models.js";
import { join } from "./writers.js";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

type Read = typeof import("../../src/files/model.js").readModel;

/** The reader with the decoding in WebAssembly, or without it. */
async function reader(webAssembly: boolean): Promise<Read> {
  vi.resetModules();
  vi.unstubAllGlobals();
  if (!webAssembly) vi.stubGlobal("WebAssembly", undefined);
  const { dequantizer } = await import("../../src/files/dequantizer.js");
  expect(dequantizer() !== undefined).toBe(webAssembly);
  const { readModel } = await import("../../src/files/model.js");
  return readModel;
}

/** A tensor's numbers, in runs that begin and end anywhere. */
async function runsOf(
  bytes: Uint8Array,
  file: string,
  name: string,
  webAssembly: boolean,
): Promise<number[][]> {
  const read = await reader(webAssembly);
  const folder = folderOfFiles({ [file]: bytes });
  const tensor: WeightTensor = tensorIn(
    read(() => folder.open(file), file, folder),
    name,
  );
  const count = tensor.shape.reduce((product, length) => product * length, 1);
  const opened: OpenTensor = tensor.open();
  const decode = tensor.dtype === "bfloat16" ? halfDecoder("bfloat16") : (x: number) => x;
  const runs: number[][] = [];
  for (const [first, length] of [
    [0, count],
    [1, 2],
    [7, count - 7],
    [33_000, 40_000],
    [count - 3, 3],
  ]) {
    if (first + length > count || first < 0) continue;
    runs.push(Array.from(opened.numbers(first, length), decode));
  }
  opened.close();
  return runs;
}

async function expectSameBits(bytes: Uint8Array, file: string, name: string) {
  const fast = await runsOf(bytes, file, name, true);
  const plain = await runsOf(bytes, file, name, false);
  expect(fast.length).toBeGreaterThan(1);
  // Zeros of different signs are different; a NaN is a NaN.
  const differences = fast.flatMap((run, k) => run.filter((x, i) => !Object.is(x, plain[k][i])));
  expect(differences).toEqual([]);
}

const any = draw(11);
const bytesOf = (count: number) => Uint8Array.from({ length: count }, () => any(256));
const scales = (count: number, of: (k: number) => number) =>
  new Uint8Array(Float64Array.from({ length: count }, (_, k) => of(k)).buffer);

describe("WebAssembly and JavaScript decode to the same bits", () => {
  const [rows, cols] = [300, 259];
  const weight = (dtype: string): SafetensorsPart => {
    const data = bytesOf(rows * cols);
    // Every code, NaN as well.
    for (let code = 0; code < 256; code++) data[code] = code;
    return { name: "w.weight", dtype, shape: [rows, cols], data };
  };

  it.each(["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"])("%s without a scale", async (dtype) => {
    await expectSameBits(safetensors([weight(dtype)]), "m.safetensors", "w.weight");
  });

  it.each(["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8"])(
    "%s with scales of float64 that float32 has, and that it has not",
    async (dtype) => {
      const values = [1, 1 / 3, Math.fround(1 / 3), 2 ** -140, 1e30, 2 ** -149, 3.1e-45];
      const scale = { name: "w.weight_scale", dtype: "F64", shape: [rows, 1] };
      const data = scales(rows, (k) => values[k % values.length]);
      await expectSameBits(safetensors([weight(dtype), { ...scale, data }]), "m.safetensors", "w.weight");
    },
  );

  it("F8_E4M3 with a scale for each block of 128×128", async () => {
    const data = scales(3 * 3, (k) => 0.01 * (k + 1));
    const scale = { name: "w.weight_scale_inv", dtype: "F64", shape: [3, 3], data };
    await expectSameBits(safetensors([weight("F8_E4M3"), scale]), "m.safetensors", "w.weight");
  });

  it("MXFP4, and F4 with rows of an odd length", async () => {
    const blocks = { name: "w_blocks", dtype: "U8", shape: [400, 6, 16], data: bytesOf(400 * 96) };
    const data = Uint8Array.from({ length: 2400 }, (_, k) => k % 255);
    const parts = [blocks, { name: "w_scales", dtype: "U8", shape: [400, 6], data }];
    await expectSameBits(safetensors(parts), "m.safetensors", "w");
    const odd = { name: "w", dtype: "F4", shape: [402, 201], data: bytesOf((402 * 201) / 2) };
    await expectSameBits(safetensors([odd]), "m.safetensors", "w");
  });

  it.each(["Q4_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"] as const)(
    "%s, also with scales that are no numbers",
    async (type) => {
      const { length, make } = BLOCKS[type];
      const halves = [0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0x7c00, 0xfc00];
      const scale = () => halves[any(20)] ?? any(0x7c00);
      const blocks = Array.from({ length: 80_000 / length }, () => make(any, scale));
      const dims = [length, blocks.length];
      const data = join(...blocks.map((block) => block.bytes));
      await expectSameBits(gguf([{ name: "w", type: TYPE[type], dims, data }]), "m.gguf", "w");
    },
  );
});
