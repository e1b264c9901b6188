/** The proven Lipschitz bound of a network: what `spectral-norm lipschitz model.json` prints for the saved model. */
import * as tf from "@tensorflow/tfjs-core";
import type { Sequential } from "@tensorflow/tfjs-layers";
import { readTfjsNetwork } from "../../src/files/keras-network.js";
import { memorySource } from "../../src/files/source.js";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";

export interface ProvenBound {
  /** ‖f(x) − f(x′)‖ ≤ bound · ‖x − x′‖ for all x and x′, in exact arithmetic on the weights as they are stored. */
  readonly bound: number;
  /** The constants that are multiplied, those that are not 1: a layer's norm each. */
  readonly factors: readonly number[];
}

/**
 * Saves the network, in memory, and reads it as the command does.
 *
 * @throws if it has no bound
 */
export async function provenBound(network: Sequential): Promise<ProvenBound> {
  let saved: tf.io.ModelArtifacts | undefined;
  await network.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
    }),
  );
  if (!saved) throw new Error("the network was not saved");
  const { modelTopology, weightSpecs, weightData } = saved;
  const weightsManifest = [{ paths: ["weights.bin"], weights: weightSpecs }];
  const model = JSON.stringify({ format: "layers-model", modelTopology, weightsManifest });
  const weights = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
  const { maps, outputs } = networkBounds(
    readTfjsNetwork(JSON.parse(model), { open: () => memorySource(weights) }),
  );
  const [{ bound, missing }] = outputs;
  if (bound === undefined) throw new Error(`no bound: ${missing?.node}: ${missing?.reason}`);
  const linear = maps.filter(({ ops }) => ops.some((op) => /^(Conv2D|Dense)$/.test(op)));
  return { bound, factors: linear.map(({ constants }) => constants?.[0] ?? Number.NaN) };
}
