import { instantiate } from "../kernels/wasm/instantiate.js";
import { Board, type Routines } from "./jobs.js";

/** What a thread is given to begin with. */
export interface Orders {
  readonly memory: WebAssembly.Memory;
  /** of each set of kernels */
  readonly modules: readonly (readonly WebAssembly.Module[])[];
  readonly board: SharedArrayBuffer;
  readonly names: readonly string[];
  readonly thread: number;
  readonly threads: number;
}

/** A member of a crew: says that it is there, and serves until it is told to stop. */
export function serve({ memory, modules, board, names, thread, threads }: Orders, ready: () => void): void {
  const sets = modules.map((set) => instantiate(set, memory) as Routines);
  const shared = new Board(board, names, sets, thread, threads);
  ready();
  shared.serve();
}
