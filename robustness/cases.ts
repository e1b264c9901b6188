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
    title: "Starts that see nothing of v₁",
    fools:
      "An iteration from ones, a row or a unit vector stays orthogonal to v₁, and a residual is zero at every singular vector.",
    cases: starts,
  },
  {
    title: "Gaps",
    fools:
      "With σ₂ close to σ₁ power iteration turns by next to nothing in a step, and a rule that watches the change stops.",
    cases: gaps,
  },
  {
    title: "Ties",
    fools:
      "At σ₁ = σ₂ the derivative is a set: of it one member is wanted, and formulas that divide by σ₁ − σ₂ break.",
    cases: ties,
  },
  {
    title: "Scales",
    fools:
      "Squares overflow from 1e154 on and vanish below 1e-162; absolute tolerances mean something else at every scale.",
    cases: scales,
  },
  {
    title: "Structures",
    fools:
      "Gram matrices lose small columns to rounding; clustered or badly conditioned values slow iterations down.",
    cases: structures,
  },
  {
    title: "Shapes, and nothing in them",
    fools:
      "A million terms added one by one lose digits, a full decomposition of a long matrix takes its square in memory, and zero is divided by.",
    cases: shapes,
  },
  {
    title: "Entries that are no numbers",
    fools: "What is asked for here is a refusal: an error, or at least a NaN. A finite number is wrong.",
    cases: refused,
  },
];

export const adversaries: readonly Adversary[] = families.flatMap(({ cases }) => cases);
