/**
 * Following σ₁, u and v of a matrix that training moves, at two reads of it a step.
 *
 * One vector cannot: where another direction overtakes the one it has converged to, it has next to no
 * part in it and needs tens of steps to turn (seen: norms 30% too small under Adam with a rate of
 * 0.01). So a few are kept, by subspace iteration with Rayleigh–Ritz (Golub & Van Loan, Matrix
 * Computations, 4th ed., §8.2.4), which swaps them at once: four where reading a few vectors back is
 * cheap, two on a GPU.
 */
import { getBackend, type Tensor } from "@tensorflow/tfjs-core";
import { followOnDevice } from "./subspace-iteration-device.js";
import { followHere } from "./subspace-iteration-host.js";
import type { Near, Tracked } from "./tracked.js";

/** Backends that keep their numbers where JavaScript can have them without waiting. */
const AT_HAND = new Set(["cpu", "wasm", "tensorflow"]);

/** How many further vectors to keep for an m×n matrix on the backend as it is. */
export function othersFor(m: number, n: number): number {
  return Math.max(1, Math.min(AT_HAND.has(getBackend()) ? 3 : 1, m - 1, n - 1));
}

/**
 * One step of subspace iteration for w (m×n): right vectors V are orthonormalized from (u, others)·w,
 * and w·Vᵀ is turned to its principal axes, of which the first is (σ, u, v) and the rest are `others`.
 * A vector that would be zero stays what it was.
 *
 * Cost: two reads of w.
 */
export function follow(w: Tensor, near: Near): Tracked {
  return AT_HAND.has(getBackend()) ? followHere(w, near) : followOnDevice(w, near);
}
