import type { MethodGroup } from "../../src/experiment/method.js";

/** Libraries to compare with, which are loaded when they are asked for. */
export type Engine = "tfjs" | "ml-matrix";

/** Their methods for matrices of a size, or the sentence that says why there are none. */
export async function methodsOf(engine: Engine, rows: number, cols: number): Promise<MethodGroup> {
  if (engine === "ml-matrix")
    return (await import("../../src/experiment/methods/ml-matrix.js")).mlMatrixMethods(rows, cols);
  const [backend, wasm, { env }, { tfjsMethods }] = await Promise.all([
    import("@tensorflow/tfjs-backend-wasm"),
    import("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url"),
    import("@tensorflow/tfjs-core"),
    import("../../src/experiment/methods/tfjs.js"),
  ]);
  // One file of its three, and one thread, as ours beside it.
  backend.setWasmPaths({ "tfjs-backend-wasm-simd.wasm": wasm.default });
  env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  return tfjsMethods(rows, cols);
}
