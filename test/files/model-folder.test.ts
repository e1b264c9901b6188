import { expect, it } from "vitest";
import { type FolderModels, modelsIn } from "../../src/files/model-folder.js";
import { FileError } from "../../src/matrix/errors.js";

/** What is chosen of files by their paths. */
function chosen(...paths: readonly string[]): FolderModels {
  return modelsIn((path) => {
    const inside =
      path === ""
        ? paths
        : paths.filter((one) => one.startsWith(`${path}/`)).map((one) => one.slice(path.length + 1));
    return {
      files: inside.filter((one) => !one.includes("/")),
      folders: [...new Set(inside.filter((one) => one.includes("/")).map((one) => one.split("/")[0]))],
    };
  });
}

it.each<[string, string[], string[], string[]]>([
  [
    "safetensors before all other formats",
    [
      "config.json",
      "flax_model.msgpack",
      "model.safetensors",
      "onnx/model.onnx",
      "pytorch_model.bin",
      "tf_model.h5",
      "tokenizer.json",
    ],
    ["model.safetensors"],
    ["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx"],
  ],
  [
    "the index of several files",
    [
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
      "pytorch_model-00001-of-00001.bin",
      "pytorch_model.bin.index.json",
    ],
    ["model.safetensors.index.json"],
    ["pytorch_model.bin.index.json"],
  ],
  [
    "parts without an index",
    ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"],
    ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"],
    [],
  ],
  [
    "PyTorch's index",
    ["pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"],
    ["pytorch_model.bin.index.json"],
    [],
  ],
  [
    "no files of a training run",
    ["model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt", "training_args.bin"],
    ["model.safetensors"],
    ["optimizer.pt", "rng_state.pth", "scheduler.pt"],
  ],
  [
    "one precision",
    ["diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors"],
    ["diffusion_pytorch_model.safetensors"],
    ["diffusion_pytorch_model.fp16.safetensors"],
  ],
  [
    "the only precision",
    ["diffusion_pytorch_model.fp16.safetensors"],
    ["diffusion_pytorch_model.fp16.safetensors"],
    [],
  ],
  [
    "one precision of an index",
    [
      "m.fp16-00001-of-00001.safetensors",
      "m.safetensors.index.fp16.json",
      "m.safetensors.index.json",
      "m-00001-of-00001.safetensors",
    ],
    ["m.safetensors.index.json"],
    ["m.safetensors.index.fp16.json"],
  ],
  [
    "no copy of whoever trained it",
    ["consolidated.safetensors", "model.safetensors", "original/consolidated.00.pth"],
    ["model.safetensors"],
    ["consolidated.safetensors", "original/consolidated.00.pth"],
  ],
  [
    "a copy if there is nothing else",
    ["consolidated.00.pth", "consolidated.01.pth"],
    ["consolidated.00.pth", "consolidated.01.pth"],
    [],
  ],
  [
    "an adapter beside its model",
    ["adapter_model.bin", "adapter_model.safetensors", "pytorch_model.bin"],
    ["pytorch_model.bin", "adapter_model.safetensors"],
    ["adapter_model.bin"],
  ],
  [
    "the first parts of GGUF models",
    ["a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "b.gguf"],
    ["a-00001-of-00002.gguf", "b.gguf"],
    [],
  ],
  [
    "models in ONNX without their quantized copies",
    [
      "config.json",
      "onnx/decoder_model.onnx",
      "onnx/decoder_model_merged.onnx",
      "onnx/encoder_model.onnx",
      "onnx/encoder_model_quantized.onnx",
    ],
    ["onnx/decoder_model.onnx", "onnx/encoder_model.onnx"],
    ["onnx/decoder_model_merged.onnx", "onnx/encoder_model_quantized.onnx"],
  ],
  [
    "the parts of a diffusion pipeline",
    [
      "model_index.json",
      "scheduler/scheduler_config.json",
      "text_encoder/model.safetensors",
      "unet/diffusion_pytorch_model.bin",
      "unet/diffusion_pytorch_model.safetensors",
      "v1-5-pruned.ckpt",
      "vae/diffusion_pytorch_model.bin",
    ],
    [
      "text_encoder/model.safetensors",
      "unet/diffusion_pytorch_model.safetensors",
      "vae/diffusion_pytorch_model.bin",
    ],
    ["v1-5-pruned.ckpt", "unet/diffusion_pytorch_model.bin"],
  ],
  [
    "the modules of sentence-transformers",
    [
      "1_Pooling/config.json",
      "2_Dense/pytorch_model.bin",
      "model.safetensors",
      "openvino/openvino_model.bin",
    ],
    ["model.safetensors", "2_Dense/pytorch_model.bin"],
    ["openvino/openvino_model.bin"],
  ],
  ["Keras models", ["a.keras", "a.weights.h5"], ["a.keras"], ["a.weights.h5"]],
  [
    "TensorFlow.js models",
    ["a-weights_manifest.json", "a-shard1", "model.json", "group1-shard1of1.bin"],
    ["a-weights_manifest.json", "model.json"],
    [],
  ],
  [
    "the only snapshot in a cache",
    ["blobs/1234", "refs/main", "snapshots/abc/model.safetensors", "snapshots/abc/pytorch_model.bin"],
    ["snapshots/abc/model.safetensors"],
    ["snapshots/abc/pytorch_model.bin"],
  ],
])("takes %s", (_, paths, models, others) => {
  expect(chosen(...paths)).toEqual({ models, others });
});

it("says what it does not find", () => {
  expect(() => chosen("config.json", "weights.bin", "deep/deeper/model.safetensors")).toThrow(
    new FileError("is a folder without a model file; name one that is elsewhere"),
  );
  expect(() => chosen("blobs/1", "snapshots/a/model.safetensors", "snapshots/b/model.safetensors")).toThrow(
    new FileError('is a cache with 2 snapshots; name one of the folders in "snapshots"'),
  );
  const locked = (path: string) => {
    if (path === "") return { files: [], folders: ["locked"] };
    throw new FileError("permission denied");
  };
  expect(() => modelsIn(locked)).toThrow(new FileError('its folder "locked": permission denied'));
});
