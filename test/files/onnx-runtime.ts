import { env, InferenceSession, Tensor } from "onnxruntime-web";

// ONNX Runtime, compiled to WebAssembly, as a second opinion on what a graph computes.
env.wasm.numThreads = 1;
env.logLevel = "error";

interface RuntimeOutput {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** The outputs of a model, whose inputs are numbers. */
export async function outputsOf(
  model: Uint8Array,
  inputs: Readonly<Record<string, { readonly data: Float32Array; readonly dims: readonly number[] }>> = {},
): Promise<Readonly<Record<string, RuntimeOutput>>> {
  const session = await InferenceSession.create(model, { graphOptimizationLevel: "disabled" });
  try {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { data, dims }]) => [name, new Tensor("float32", data, dims)]),
    );
    const found = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(found).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
    );
  } finally {
    await session.release();
  }
}

/** A model that is run several times, and closed then. */
export async function sessionOf(model: Uint8Array) {
  const session = await InferenceSession.create(model, { graphOptimizationLevel: "disabled" });
  return {
    async run(
      inputs: Readonly<Record<string, { readonly data: Float32Array; readonly dims: readonly number[] }>>,
    ): Promise<Readonly<Record<string, RuntimeOutput>>> {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, { data, dims }]) => [name, new Tensor("float32", data, dims)]),
      );
      const found = await session.run(feeds);
      return Object.fromEntries(
        Object.entries(found).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
      );
    },
    close: () => session.release(),
  };
}
