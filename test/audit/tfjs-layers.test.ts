import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { afterAll, describe, expect, it } from "vitest";
import { svdvals } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { answers } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "tfjs-layers-"));
afterAll(() => rmSync(folder, { recursive: true }));
const random = createRandom(23);

type Layer = Parameters<layers.Sequential["add"]>[0];
const make = layers.layers;
const none = { useBias: false } as const;
const [image, line] = [
  [5, 4, 2],
  [9, 2],
] as const;

const cases: Readonly<Record<string, () => Layer>> = {
  conv: () => make.conv2d({ ...none, filters: 3, kernelSize: [3, 2], inputShape: [...image] }),
  "conv-same": () =>
    make.conv2d({ ...none, filters: 3, kernelSize: 3, strides: 2, padding: "same", inputShape: [...image] }),
  "conv-dilated": () =>
    make.conv2d({
      ...none,
      filters: 2,
      kernelSize: 2,
      dilationRate: 2,
      padding: "same",
      inputShape: [...image],
    }),
  line: () =>
    make.conv1d({ ...none, filters: 3, kernelSize: 3, strides: 2, padding: "same", inputShape: [...line] }),
  "line-dilated": () =>
    make.conv1d({ ...none, filters: 3, kernelSize: 3, dilationRate: 2, inputShape: [...line] }),
  depthwise: () =>
    make.depthwiseConv2d({
      ...none,
      ...{ depthMultiplier: 2, kernelSize: 3, strides: 2, padding: "same", inputShape: [...image] },
    }),
  up: () => make.conv2dTranspose({ ...none, filters: 3, kernelSize: 3, strides: 2, inputShape: [...image] }),
  "up-same": () =>
    make.conv2dTranspose({
      ...none,
      ...{ filters: 3, kernelSize: [3, 4], strides: 2, padding: "same", inputShape: [...image] },
    }),
  "up-small": () =>
    make.conv2dTranspose({ ...none, filters: 3, kernelSize: 1, strides: 2, inputShape: [...image] }),
};

/** Saves a model as TensorFlow.js does. */
async function save(model: layers.Sequential, name: string): Promise<string> {
  const path = join(folder, `${name}.json`);
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      const weightsManifest = [{ paths: [`${name}.bin`], weights: weightSpecs }];
      writeFileSync(path, JSON.stringify({ format: "layers-model", modelTopology, weightsManifest }));
      writeFileSync(join(folder, `${name}.bin`), new Uint8Array(weightData as ArrayBuffer));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  return path;
}

describe("--conv operator has the norms of what TensorFlow.js computes:", () => {
  for (const [name, create] of Object.entries(cases))
    it(name, async () => {
      const layer = create();
      const model = layers.sequential({ layers: [layer] });
      const [kernel] = layer.getWeights();
      layer.setWeights([tf.tensor(Float32Array.from({ length: kernel.size }, random.normal), kernel.shape)]);
      const shape = model.inputs[0].shape.slice(1) as number[];
      const cols = shape.reduce((a, b) => a * b, 1);
      const result = model.predict(tf.reshape(tf.eye(cols), [cols, ...shape])) as tf.Tensor;
      const rows = result.size / cols;
      const [truth] = svdvals({ data: Float64Array.from(result.dataSync()), shape: [cols, rows] });
      const [h, w] = shape.length === 2 ? [1, shape[0]] : shape;
      const { status, lines } = await answers([await save(model, name)], { conv: "operator", input: [h, w] });
      expect(status).toBe(0);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatchObject({ rows, cols, operator: layer.getClassName() });
      expect(Math.abs(lines[0].sigma / truth - 1)).toBeLessThan(1e-6);
    });
});
