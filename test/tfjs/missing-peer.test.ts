// tfjs-layers is not imported here, and the adapter must not have imported it.
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import {
  maxSpectralNorm,
  SpectralNormalization,
  SpectralNormalizationLayer,
  spectralNorm,
  spectralNormRegularizer,
} from "../../src/tfjs/index.js";
import { complaint } from "./setup.js";

test.each([
  ["SpectralNormalization", () => SpectralNormalization({ layer: {} as never })],
  ["SpectralNormalization", () => new SpectralNormalizationLayer({ layer: {} as never })],
  ["maxSpectralNorm", () => maxSpectralNorm({ maxValue: 1 })],
  ["spectralNormRegularizer", () => spectralNormRegularizer({ l: 1 })],
])("%s without its peer names the peer at the call", (name, call) => {
  const error = complaint(call);
  expect(error.code).toBe("ERR_UNSUPPORTED");
  expect(error.message).toMatch(new RegExp(`^${name} needs the peer package @tensorflow/tfjs-layers`));
});

test("the rest works, and the classes are registered already", async () => {
  await tf.setBackend("cpu");
  expect(spectralNorm(tf.tensor2d([3, 0, 0, 4], [2, 2])).dataSync()[0]).toBeCloseTo(4, 6);
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  for (const name of ["SpectralNormalization", "MaxSpectralNorm", "SpectralNormRegularizer"]) {
    expect(classNameMap).toHaveProperty(name);
  }
});

test("once the peer is imported, everything is there", async () => {
  const { layers } = await import("@tensorflow/tfjs-layers");
  const layer = SpectralNormalization({ layer: layers.dense({ units: 2 }) });
  expect(layer).toBeInstanceOf(SpectralNormalizationLayer);
  expect(layer).toBeInstanceOf(layers.Layer);
  expect(maxSpectralNorm().getConfig()).toEqual({ maxValue: 1 });
});
