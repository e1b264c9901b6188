import { matrix, singularTriplet } from "../../index.js";
import type { DenseEntries } from "../method.js";

/** What TensorFlow.js' WebAssembly has for its tensors; beyond it the program ends. */
const memory = 2 ** 31;
/** Tensors of X's size that it holds for a step of the unrolled iteration, measured, rounded up. */
const forOneDerivative = 4.5;
const forTwo = 19;
const mostSteps = 1000;

/** Whether the unrolled iteration can be differentiated however many steps it takes. */
export function tapeFits(rows: number, cols: number): boolean {
  return bytes(rows, cols, forOneDerivative) * mostSteps <= memory;
}

/**
 * Throws where the unrolled iteration cannot be differentiated twice. How many steps it takes on this
 * matrix, the core's power iteration tells to within a factor of two: its stopping rule is the same.
 */
export function checkTapeTwice({ data, rows, cols }: DenseEntries): void {
  const { iterations } = singularTriplet(matrix(Float32Array.from(data), [rows, cols]), { method: "power" });
  const needed = bytes(rows, cols, forTwo) * iterations;
  if (2 * needed > memory)
    throw new Error(`differentiated twice, its ${iterations} steps take ${(needed / 1e9).toFixed(1)} GB`);
}

function bytes(rows: number, cols: number, tensors: number): number {
  return rows * cols * tensors * Float32Array.BYTES_PER_ELEMENT;
}
