import type { Arena } from "./contract.js";

/** The routine of convolutions, in float64, on the flat memory of a set of kernels. */
export interface StencilRoutines {
  /**
   * out[h][i][j] += Σₖ weights[k][h]·from[i][offset[k] + j] for h < height, i < rows, j < cols.
   *
   * The sum of an entry begins with what is there and adds the terms one after another, in the order of k, with a fused
   * multiply-add in the set that has it.
   *
   * @param out  `rowsOut` bytes from row to row, `channelsOut` bytes from h to h. This and all other pointers are
   *   multiples of 8
   * @param from  `rowsFrom` bytes from row to row. The routine reads `cols` numbers at each offset
   * @param cols  a multiple of `STENCIL_LANES`
   * @param offsets  `count` int32, in bytes
   * @param weights  count×height
   * @param height  1 or 4
   */
  stencil(
    out: number,
    rowsOut: number,
    channelsOut: number,
    from: number,
    rowsFrom: number,
    rows: number,
    cols: number,
    offsets: number,
    weights: number,
    count: number,
    height: 1 | 4,
  ): void;
}

/** What convolutions compute on: a memory of their own. */
export interface StencilKernels {
  readonly name: "reference" | "wasm" | "wasm-relaxed";
  readonly routines: StencilRoutines;
  readonly arena: Arena;
}

/** Rows of outputs are padded to a multiple of this many numbers. */
export const STENCIL_LANES = 4;
