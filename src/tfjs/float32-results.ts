/** Results for the matrices of a batch, computed in float64 and returned as float32 numbers. */
import { addMatrixIndex } from "../derivative/gradient-batch.js";
import { OverflowError } from "../matrix/errors.js";
import type { MatrixShape } from "./tensor-input.js";

/**
 * The results of `of` for each matrix, concatenated.
 *
 * @param of  computes the finite numbers of one matrix, as many for each
 * @param caller  the public function's name, for the message
 * @throws what `of` throws, and OverflowError if a number is beyond the largest float32; for a batch with the index of the
 *   matrix
 */
export function float32Results(
  { batch, leading }: MatrixShape,
  caller: string,
  of: (i: number) => ArrayLike<number>,
): Float32Array {
  let all = new Float32Array(0);
  for (let i = 0; i < batch; i++) {
    try {
      const part = of(i);
      if (i === 0) all = new Float32Array(batch * part.length);
      all.set(part, i * part.length);
      const at = all.subarray(i * part.length, (i + 1) * part.length).findIndex((x) => !Number.isFinite(x));
      if (at >= 0)
        throw new OverflowError(`${caller}: ${part[at]} is beyond the largest float32; scale x first`);
    } catch (error) {
      throw leading.length === 0 ? error : addMatrixIndex(i, error);
    }
  }
  return all;
}
