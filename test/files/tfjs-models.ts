import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { readTfjsNetwork } from "../../src/files/keras-network.js";
import type { Network, NetworkOptions } from "../../src/files/network.js";
import { normal } from "../tfjs/setup.js";
import { type Files, folderOfFiles } from "./models.js";

/** A model's `model.json`, and its weights as a file beside it. */
export async function savedTfjs(
  model: tfl.LayersModel,
): Promise<{ json: Record<string, unknown>; files: Files }> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  if (!saved) throw new Error("nothing was saved");
  const { modelTopology, weightSpecs, weightData } = saved;
  const weightsManifest = [{ paths: ["weights.bin"], weights: weightSpecs }];
  const json = JSON.parse(JSON.stringify({ format: "layers-model", modelTopology, weightsManifest }));
  return { json, files: { "weights.bin": new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)) } };
}

/** The network of a model that was saved. */
export async function networkOf(model: tfl.LayersModel, options?: NetworkOptions): Promise<Network> {
  const { json, files } = await savedTfjs(model);
  return readTfjsNetwork(json, folderOfFiles(files), options);
}

/** Gives every weight random numbers; variances and slopes are positive. */
export function randomize(model: tfl.LayersModel, seed: number): void {
  model.weights.forEach((weight, k) => {
    const { shape, originalName: name } = weight as unknown as { shape: number[]; originalName: string };
    const numbers = normal(tf.util.sizeFromShape(shape), seed + k);
    const values = /variance/.test(name) ? numbers.map((x) => 0.1 + x * x) : numbers.map((x) => 0.7 * x);
    weight.write(tf.tensor(values, shape));
  });
}

/** What a model makes of numbers, as its first output. */
export function predicted(
  model: tfl.LayersModel,
  data: ArrayLike<number>,
  shape: readonly number[],
): Float64Array {
  const input = tf.tensor(Float32Array.from(data), [...shape]);
  const result = model.predict(input);
  const numbers = Float64Array.from((Array.isArray(result) ? result[0] : result).dataSync());
  tf.dispose([input, result]);
  return numbers;
}

export const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.hypot(...Array.from(a, (value, i) => value - b[i]));

/** The layers in a row, with random weights. */
export function sequential(input: readonly (number | null)[], ...made: tfl.layers.Layer[]): tfl.Sequential {
  const model = tfl.sequential();
  model.add(tfl.layers.inputLayer({ inputShape: [...input], name: "x" }));
  for (const layer of made) model.add(layer);
  randomize(model, 5);
  return model;
}

export const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
