import type { MethodGroup } from "../../src/experiment/method.js";

/** Libraries to compare with, loaded on request. */
export type Engine = "tfjs" | "ml-matrix";

const names: Readonly<Record<Engine, string>> = { tfjs: "TensorFlow.js", "ml-matrix": "ml-matrix" };

/** Their methods for matrices of a size, or a sentence that says why there are none. */
export async function methodsOf(engine: Engine, rows: number, cols: number): Promise<MethodGroup> {
  try {
    return await { tfjs, "ml-matrix": mlMatrix }[engine](rows, cols);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { methods: [], missing: `${names[engine]}: could not be loaded (${reason})` };
  }
}

async function mlMatrix(rows: number, cols: number): Promise<MethodGroup> {
  return (await import("../../src/experiment/methods/ml-matrix.js")).mlMatrixMethods(rows, cols);
}

async function tfjs(rows: number, cols: number): Promise<MethodGroup> {
  const [backend, simd, { env }, { tfjsMethods }] = await Promise.all([
    import("@tensorflow/tfjs-backend-wasm"),
    import("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url"),
    import("@tensorflow/tfjs-core"),
    import("../../src/experiment/methods/tfjs.js"),
  ]);
  // It wants to know of three files and takes this one: every browser that runs the page has SIMD, and its threads are
  // turned off, so that it is compared with ours on one thread.
  const files = [
    "tfjs-backend-wasm.wasm",
    "tfjs-backend-wasm-simd.wasm",
    "tfjs-backend-wasm-threaded-simd.wasm",
  ];
  backend.setWasmPaths(Object.fromEntries(files.map((name) => [name, simd.default])));
  env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  return tfjsMethods(rows, cols);
}
