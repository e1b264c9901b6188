import { blockedDot } from "./sums.js";

/** y ← y + c·x; y may be longer. */
export function axpy(c: number, x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) y[i] += c * x[i];
}

/** x ← x − ⟨w, x⟩·w for each of some orthonormal w */
export function removeAlong(all: readonly Float64Array[], x: Float64Array): void {
  for (const w of all) axpy(-blockedDot(w, x), w, x);
}
