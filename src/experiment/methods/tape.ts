import { matrix, singularTriplet } from "../../index.js";
import type { DenseEntries } from "../method.js";

/** Bytes that the WebAssembly backend of TensorFlow.js has for tensors; beyond them the program ends. */
const memory = 2 ** 31;
/**
 * Tensors of the size of X that the tape holds for each step of the unrolled iteration. Measured by `tf.memory()` around
 * one and two derivatives, rounded up; test/experiment/tape.test.ts checks them.
 */
const forOneDerivative = 4.5;
const forTwo = 19;
/** The default `maxIterations` of the unrolled iteration. */
const mostSteps = 1000;

/** Whether the tape of the unrolled iteration fits into memory for any number of steps. */
export function tapeFits(rows: number, cols: number): boolean {
  return bytes(rows, cols, forOneDerivative) * mostSteps <= memory;
}

/**
 * @throws Error if the tape for two derivatives of the unrolled iteration does not fit into memory. The number of steps is
 * estimated, to within a factor of two, by the core's power iteration, which has the same stopping rule.
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
