import { convergence } from "../../src/experiment/convergence.js";
import { assembled, type GroundTruth, groundTruth } from "../../src/experiment/ground-truth.js";
import type { Convergence } from "../../src/experiment/result.js";
import type { Task } from "./task.js";

export interface GapInput {
  readonly rows: number;
  readonly cols: number;
  readonly seed: number;
  /** 1 − σ₂/σ₁ */
  readonly gap: number;
}

export interface Gap {
  readonly sigma: readonly number[];
  readonly convergence: Convergence;
}

/** Kept, because the vectors cost more than the rest and are the same for every gap. */
let last: GroundTruth | undefined;

/** How power and Lanczos iteration converge on a matrix of chosen gap; its other properties do not change. */
export const gap: Task<GapInput, Gap> = ({ rows, cols, seed, gap }) => {
  if (last?.rows !== rows || last.cols !== cols || last.seed !== seed) last = groundTruth(rows, cols, seed);
  const { left, right, sigma } = last;
  const below = (1 - gap) / sigma[1];
  const moved = sigma.map((value, i) => (i === 0 ? 1 : value * below));
  const truth = { seed, ...assembled(left, right, moved) };
  return { sigma: [...moved], convergence: convergence(truth) };
};
