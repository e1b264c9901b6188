import { instantiate } from "../kernels/wasm/instantiate.js";

export type Routines = Readonly<Record<string, (...args: number[]) => unknown>>;

/** The routines that a job may call: those of the kernels over a shared memory. */
export function routinesOver(module: WebAssembly.Module, memory: WebAssembly.Memory): Routines {
  return instantiate(module, memory) as unknown as Routines;
}
