import type { Adversary } from "./adversary.js";
import { gaps, ties } from "./cases/gaps.js";
import { scales } from "./cases/scales.js";
import { refused, shapes } from "./cases/shapes.js";
import { starts } from "./cases/starts.js";
import { structures } from "./cases/structures.js";

export interface Family {
  readonly title: string;
  /** who is fooled, and how */
  readonly fools: string;
  readonly cases: readonly Adversary[];
}

/** Every matrix of the suite. */
export const families: readonly Family[] = [
  {
    title: "Starts orthogonal to v₁",
    fools:
      "An iteration that starts from ones, a row or a unit vector stays orthogonal to v₁. The residual does not show it, because it is zero at every singular vector.",
    cases: starts,
  },
  {
    title: "Gaps",
    fools:
      "If σ₂ is close to σ₁, a step of power iteration changes the vector very little, and a rule that measures the change stops too early.",
    cases: gaps,
  },
  {
    title: "Ties",
    fools:
      "If σ₁ = σ₂, the derivative is a set of subgradients. One of them is wanted, and formulas that divide by σ₁ − σ₂ fail.",
    cases: ties,
  },
  {
    title: "Scales",
    fools:
      "Squares overflow above 1e154 and underflow to zero below 1e-162. An absolute tolerance means something else at each scale.",
    cases: scales,
  },
  {
    title: "Structures",
    fools:
      "Small columns are lost to rounding in a Gram matrix. Clustered or badly conditioned values slow iterations down.",
    cases: structures,
  },
  {
    title: "Shapes and zero matrices",
    fools:
      "A sum of a million terms, added one by one, loses digits. A full decomposition of a long matrix needs the square of its length in memory. The zero matrix leads to a division by zero.",
    cases: shapes,
  },
  {
    title: "Entries that are not finite",
    fools: "The right answer is an error, or at least NaN. A finite number is wrong.",
    cases: refused,
  },
];

export const adversaries: readonly Adversary[] = families.flatMap(({ cases }) => cases);
