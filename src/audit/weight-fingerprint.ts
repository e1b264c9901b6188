import { createHash } from "node:crypto";
import type { PanelData } from "../index.js";
import type { MeasureOptions } from "./measure.js";
import type { Weight } from "./weight.js";
import { withTensor } from "./weight-numbers.js";

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
  const hash = createHash("sha256");
  // Functions are left out of JSON, and so are the numbers.
  hash.update(JSON.stringify(weight));
  if (withoutSpectrum !== undefined) hash.update(withoutSpectrum);
  const add = ({ buffer, byteOffset, byteLength }: PanelData) =>
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  const { factors } = weight.tensor;
  if (factors && factors.base === undefined) {
    const { left, right } = factors.open();
    add(left);
    add(right);
    return hash.digest("hex");
  }
  return withTensor(weight, options, (opened) => {
    const count = rows * cols;
    for (let first = 0; first < count; first += STEP)
      add(opened.numbers(first, Math.min(STEP, count - first)));
    return hash.digest("hex");
  });
}
