import { LOG } from "./shaders/basis.js";

/** The entry that a step, or a repair of its block, has written to the log. */
export type StepEntry = Float32Array;

/** r₀₀, r₀₁ and r₁₁ of a pass that normalizes. */
export function factorsOf(entry: StepEntry, pass: number): Float32Array {
  return entry.subarray(LOG.factors + 3 * pass, LOG.factors + 3 * pass + 3);
}

/** Applies W = Q·C + U·R of one pass to the coefficients `column` of G·Q (a row per basis vector) and to B. */
export function accumulate(
  entry: StepEntry,
  pass: number,
  next: number,
  column: Float64Array,
  B: Float64Array,
): void {
  for (let i = 0; i < next; i++) {
    const [c0, c1] = entry.subarray(pass * LOG.pass + 2 * i, pass * LOG.pass + 2 * i + 2);
    column[2 * i] += c0 * B[0] + c1 * B[2];
    column[2 * i + 1] += c0 * B[1] + c1 * B[3];
  }
  if (pass === 0) return;
  const [r00, r01, r11] = factorsOf(entry, pass);
  const [b00, b01, b10, b11] = B;
  B.set([r00 * b00 + r01 * b10, r00 * b01 + r01 * b11, r11 * b10, r11 * b11]);
}
