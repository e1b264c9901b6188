/**
 * Tracks σ₁, u and v of a matrix that changes in training, with two products per step.
 *
 * A single vector is not enough: if another singular value becomes the largest, the vector has almost no part in its
 * direction and needs tens of steps to reach it (observed: norms 30% too small under Adam with a learning rate of
 * 0.01). So a few vectors are kept, by subspace iteration with Rayleigh–Ritz (Golub & Van Loan, Matrix Computations,
 * 4th ed., §8.2.4), which exchanges them at once. Chosen: four where reading a few vectors back is cheap, two on a GPU.
 */
import { getBackend } from "@tensorflow/tfjs-core";
import type { Products } from "./layer-map.js";
import { followOnDevice } from "./subspace-iteration-device.js";
import { followOnHost } from "./subspace-iteration-host.js";
import type { Near, Tracked } from "./tracked.js";

/** Backends whose tensors can be read synchronously at little cost. */
const SYNC_BACKENDS = new Set(["cpu", "wasm", "tensorflow"]);

/** Number of vectors to keep beside u, for an m×n matrix on the current backend. */
export function subspaceSize(m: number, n: number): number {
  return Math.max(1, Math.min(SYNC_BACKENDS.has(getBackend()) ? 3 : 1, m - 1, n - 1));
}

/**
 * One step of subspace iteration for A (m×n): right vectors V are orthonormalized from (u, subspace)·A, and A·Vᵀ is
 * rotated to its principal axes, of which the first gives (σ, u, v) and the rest `subspace`. A vector that would become
 * zero stays unchanged.
 *
 * Cost: the two products, with all vectors at once: two reads of a matrix.
 */
export function follow(A: Products, near: Near): Tracked {
  return SYNC_BACKENDS.has(getBackend()) ? followOnHost(A, near) : followOnDevice(A, near);
}
