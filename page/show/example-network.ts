import type { PathFile } from "../work/path-file.js";

const width = 24;
const classes = 10;

/** A small layers model of TensorFlow.js with a skip connection, as its two files. */
export function exampleNetwork(): PathFile[] {
  const dense = (name: string, units: number, activation: string, from: string) => ({
    class_name: "Dense",
    name,
    config: { name, units, activation, use_bias: false },
    inbound_nodes: [[[from, 0, 0, {}]]],
  });
  const layers = [
    {
      class_name: "InputLayer",
      name: "image",
      config: { name: "image", batch_input_shape: [null, 64], dtype: "float32" },
      inbound_nodes: [],
    },
    dense("first", width, "relu", "image"),
    dense("second", width, "tanh", "first"),
    {
      class_name: "Add",
      name: "skip",
      config: { name: "skip" },
      inbound_nodes: [
        [
          ["first", 0, 0, {}],
          ["second", 0, 0, {}],
        ],
      ],
    },
    dense("scores", classes, "softmax", "skip"),
  ];
  const weights = [
    ["first", 64, width],
    ["second", width, width],
    ["scores", width, classes],
  ] as const;
  const topology = {
    keras_version: "tfjs-layers 4.22.0",
    backend: "tensor_flow.js",
    model_config: {
      class_name: "Model",
      config: { name: "example", layers, input_layers: [["image", 0, 0]], output_layers: [["scores", 0, 0]] },
    },
  };
  const model = {
    format: "layers-model",
    modelTopology: topology,
    weightsManifest: [
      {
        paths: ["weights.bin"],
        weights: weights.map(([name, ...shape]) => ({ name: `${name}/kernel`, shape, dtype: "float32" })),
      },
    ],
  };
  const numbers = weights.flatMap(([, rows, cols]) =>
    Array.from({ length: rows * cols }, (_, k) => (2 * Math.sin(k * k + rows)) / Math.sqrt(rows)),
  );
  const files = [
    new File([JSON.stringify(model)], "model.json"),
    new File([Float32Array.from(numbers)], "weights.bin"),
  ];
  return files.map((file) => ({ path: file.name, file }));
}
