import { createHash } from "node:crypto";
import { type MeasureOptions, withTensor } from "./measure.js";
import type { Weight } from "./weight.js";

/** Numbers that are read at a time. */
const STEP = 2 ** 18;

/**
 * What tells a weight from every other one that could stand under its name: SHA-256 of its numbers as they are computed
 * with, and of all else that is known of it, such as shape and layout. It does not depend on where the file is, or when
 * it was written.
 *
 * @throws FileError if the tensor cannot be read
 *
 * Cost: one read of the tensor.
 */
export function weightFingerprint(weight: Weight, options: MeasureOptions): string {
  const { rows, cols } = weight;
  return withTensor(weight, options, (opened) => {
    const hash = createHash("sha256");
    // Functions are left out of JSON, and so are the numbers.
    hash.update(JSON.stringify(weight));
    const count = rows * cols;
    for (let first = 0; first < count; first += STEP) {
      const { buffer, byteOffset, byteLength } = opened.numbers(first, Math.min(STEP, count - first));
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return hash.digest("hex");
  });
}
