import { createHash } from "node:crypto";
import { type MeasureOptions, withTensor } from "./measure.js";
import type { Weight } from "./weight.js";

/** Chosen: numbers read at a time. */
const STEP = 2 ** 18;

/**
 * A fingerprint of a weight: SHA-256 of its numbers and of its shape, layout and other properties. It does not depend on
 * the path or the date of the file.
 *
 * @param withoutSpectrum  why its whole spectrum is not taken: an answer without it is none where it is
 * @throws FileError if the tensor cannot be read
 *
 * Cost: one read of the tensor.
 */
export function weightFingerprint(weight: Weight, options: MeasureOptions, withoutSpectrum?: string): string {
  const { rows, cols } = weight;
  return withTensor(weight, options, (opened) => {
    const hash = createHash("sha256");
    // Functions are left out of JSON, and so are the numbers.
    hash.update(JSON.stringify(weight));
    if (withoutSpectrum !== undefined) hash.update(withoutSpectrum);
    const count = rows * cols;
    for (let first = 0; first < count; first += STEP) {
      const { buffer, byteOffset, byteLength } = opened.numbers(first, Math.min(STEP, count - first));
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return hash.digest("hex");
  });
}
