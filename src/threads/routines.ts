import type { Dense, Products } from "../kernels/contract.js";
import { instantiate } from "../kernels/wasm/instantiate.js";
import { smallRoutines } from "../solve/small.js";

export type Routines = Readonly<Record<string, (...args: number[]) => unknown>>;

/** The routines that a job may call: those of the kernels over a shared memory, and those composed of them. */
export function routinesOver(modules: readonly WebAssembly.Module[], memory: WebAssembly.Memory): Routines {
  const routines = instantiate(modules, memory) as unknown as Products & Dense;
  // Read each time, because the buffer is replaced when the memory grows.
  const buffer = () => memory.buffer as ArrayBuffer;
  const small = smallRoutines(routines, {
    f32: (pointer, length) => new Float32Array(buffer(), pointer, length),
    f64: (pointer, length) => new Float64Array(buffer(), pointer, length),
  });
  return { ...routines, ...small } as unknown as Routines;
}
