import type { Adversary } from "../../robustness/adversary.js";
import { exactTruth } from "../../robustness/exact-truth.js";
import { type Decomposition, jacobi } from "../../robustness/jacobi.js";
import type { Input } from "./inputs.js";

const cache = new WeakMap<Input, Decomposition>();

/** The singular values and first vectors of an input by plain Jacobi rotations, each computed once. */
export function referenceOf(input: Input): Decomposition {
  const known = cache.get(input) ?? jacobi(input.entries, input.m, input.n);
  cache.set(input, known);
  return known;
}

/** σ₁ by integers, where that takes no time to speak of. */
export function exactSigma({
  entries,
  m,
  n,
}: Input): Pick<Adversary["truth"], "sigma" | "multiplicity"> | undefined {
  if (Math.min(m, n) > 4 || m * n > 40 || entries.every((x) => x === 0)) return undefined;
  return exactTruth(entries, m, n, 0);
}
