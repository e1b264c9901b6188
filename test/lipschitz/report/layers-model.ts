import { createRandom } from "../../../src/numerics/random.js";
import type { Files } from "../../files/models.js";

/** A dense layer; with `skip`, what it takes is added to what it gives. */
export interface DenseLayer {
  readonly name: string;
  readonly units: number;
  readonly activation?: string;
  readonly skip?: boolean;
}

/**
 * A layers model of TensorFlow.js as its files, `model.json` and `weights.bin`, with random weights.
 *
 * @param shape  of the input, without the axis of the batch
 */
export function layersModel(shape: readonly number[], dense: readonly DenseLayer[], seed = 1): Files {
  const random = createRandom(seed);
  const layers: object[] = [
    {
      class_name: "InputLayer",
      name: "x",
      config: { name: "x", batch_input_shape: [null, ...shape], dtype: "float32" },
      inbound_nodes: [],
    },
  ];
  const weights: { name: string; shape: number[]; dtype: string }[] = [];
  const numbers: number[] = [];
  let [at, width] = ["x", shape[shape.length - 1]];
  for (const { name, units, activation = "linear", skip = false } of dense) {
    layers.push({
      class_name: "Dense",
      name,
      config: { name, units, activation, use_bias: false },
      inbound_nodes: [[[at, 0, 0, {}]]],
    });
    weights.push({ name: `${name}/kernel`, shape: [width, units], dtype: "float32" });
    for (let k = 0; k < width * units; k++) numbers.push(random.normal());
    if (skip) {
      const sum = `${name}_sum`;
      const inbound_nodes = [
        [
          [at, 0, 0, {}],
          [name, 0, 0, {}],
        ],
      ];
      layers.push({ class_name: "Add", name: sum, config: { name: sum }, inbound_nodes });
    }
    [at, width] = [skip ? `${name}_sum` : name, units];
  }
  const config = { name: "model", layers, input_layers: [["x", 0, 0]], output_layers: [[at, 0, 0]] };
  const json = {
    format: "layers-model",
    modelTopology: {
      keras_version: "tfjs-layers 4.22.0",
      backend: "tensor_flow.js",
      model_config: { class_name: "Model", config },
    },
    weightsManifest: [{ paths: ["weights.bin"], weights }],
  };
  return {
    "model.json": new TextEncoder().encode(JSON.stringify(json)),
    "weights.bin": new Uint8Array(Float32Array.from(numbers).buffer),
  };
}
