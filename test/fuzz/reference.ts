import type { Adversary } from "../../robustness/adversary.js";
import { exactTruth } from "../../robustness/exact-truth.js";
import { type Decomposition, jacobi } from "../../robustness/jacobi.js";
import type { Input } from "./inputs.js";

const cache = new WeakMap<Input, Decomposition>();

/** The singular values and first vectors of an input by plain Jacobi rotations, each computed once. */
export function referenceOf(input: Input): Decomposition {
  const known = cache.get(input) ?? decompositionOf(input);
  cache.set(input, known);
  return known;
}

function decompositionOf(input: Input): Decomposition {
  const { entries, m, n, complex } = input;
  if (!complex) return jacobi(entries, m, n);
  // Each value is there twice, and a real vector of the real form is a complex one, interleaved.
  const { values, u, v } = jacobi(realFormOf(input), 2 * m, 2 * n);
  return { values: values.filter((_, k) => k % 2 === 0), u, v };
}

/** Entry a + ib as the block [a −b; b a]. */
function realFormOf({ entries, m, n }: Input): Float64Array {
  const data = new Float64Array(4 * m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [a, b] = entries.subarray(2 * (i * n + j), 2 * (i * n + j) + 2);
      const at = 4 * i * n + 2 * j;
      data.set([a, -b], at);
      data.set([b, a], at + 2 * n);
    }
  return data;
}

/** σ₁ by integers, where that takes no time to speak of. */
export function exactSigma(input: Input): Pick<Adversary["truth"], "sigma" | "multiplicity"> | undefined {
  const { entries, complex } = input;
  const [m, n] = complex ? [2 * input.m, 2 * input.n] : [input.m, input.n];
  if (Math.min(m, n) > 4 || m * n > 40 || entries.every((x) => x === 0)) return undefined;
  if (!complex) return exactTruth(entries, m, n, 0);
  const { sigma, multiplicity } = exactTruth(realFormOf(input), m, n, 0);
  return { sigma, multiplicity: multiplicity / 2 };
}
