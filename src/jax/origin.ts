/**
 * σ₁, u and v of a value as constants: the point around which `expansion.ts` expands.
 */
import { type Array as JaxArray, jit, lax, numpy as np } from "@jax-js/jax";
import { gradientOf } from "../derivative/gradient.js";
import { TiedError, UnsupportedError } from "../matrix/errors.js";
import { requireConverged } from "../solve/require-converged.js";
import { singularTriplet } from "../solve/triplet.js";
import type { ArrayShape } from "./array-input.js";
import type { CheckedArrayOptions } from "./array-options.js";
import { type ArrayReading, readMatrices, representable, withBatchIndex } from "./numbers.js";
import { inverseByCholesky, inverseBySquaring } from "./short-inverse.js";
import { tripletBySquaring } from "./squaring.js";
import type { Layers } from "./tracers.js";

/** First singular triplets of x, as constants of differentiation. It owns its arrays: see `disposeOrigin`. */
export interface Origin {
  /** x itself […, m, n] */
  readonly x: JaxArray;
  /** σ₁ […] */
  readonly sigma: JaxArray;
  /** u·vᵀ […, m, n]; 0 for σ₁ = 0 */
  readonly gradient: JaxArray;
  /** […, m, 1] */
  readonly u: JaxArray;
  /** […, n, 1] */
  readonly v: JaxArray;
  /** inverse of I − AᵀA/σ² on v⟂, or the same for Aᵀ if that is smaller, […, k, k]; if derivatives need it */
  readonly inverse: JaxArray | undefined;
  /** highest order of derivative that is computed */
  readonly order: number;
  /** whether higher derivatives may be requested undetected, as when a traced function is differentiated later */
  readonly open: boolean;
}

/** A relative gap below this many ε is too small for a second derivative. Chosen: a few roundings. */
const RESOLVED = 8;

/**
 * The constants from which the value and the derivatives at x are computed. x stays the caller's.
 *
 * @param vectors  whether u and v need derivatives, not only σ₁
 * @throws if x is read: ConvergenceError, TiedError and what the core throws
 */
export function originOf(
  layers: Layers,
  shape: ArrayShape,
  caller: string,
  options: CheckedArrayOptions,
  vectors: boolean,
): Origin {
  const reading = readMatrices(layers, shape, caller, options.readBack);
  const x = lax.stopGradient(layers.constant.ref);
  try {
    const found = reading
      ? fromCore(reading, layers.derivatives, shape, caller, options, vectors)
      : bySquaring(x, layers.derivatives, caller, options, vectors);
    return { x, ...found };
  } catch (error) {
    x.dispose();
    throw error;
  }
}

function fromCore(
  reading: ArrayReading,
  order: number,
  { m, n }: ArrayShape,
  caller: string,
  options: CheckedArrayOptions,
  vectors: boolean,
): Omit<Origin, "x"> {
  const { count, Type, matrix, value } = reading;
  const sigma = new Type(count);
  const gradient = new Type(count * m * n);
  const u = new Type(count * m);
  const v = new Type(count * n);
  const solves = vectors ? order > 0 : order > 1;
  const k = solves ? Math.min(m, n) : 0;
  const inverse = new Type(count * k * k);
  const limit = RESOLVED * (Type === Float32Array ? 2 ** -23 : 2 ** -52);
  for (let i = 0; i < count; i++) {
    const t = withBatchIndex(i, reading, () => {
      const found = singularTriplet(matrix(i), options.core);
      // Before the test for a tie, because the gap of a triplet that did not converge is not reliable.
      requireConverged(found, caller);
      if (solves && (found.tied || found.gap <= limit * found.sigma))
        throw new TiedError(
          `${caller}: σ₁ is tied (σ₁ − σ₂ = ${found.gap} of σ₁ = ${found.sigma}); ${
            vectors
              ? "u and v have no derivative there, spectralNorm has one"
              : "it has no second derivative there"
          }`,
        );
      sigma[i] = representable(found.sigma, Type, caller);
      return found;
    });
    gradientOf(t, gradient, i * m * n);
    u.set(t.u, i * m);
    v.set(t.v, i * n);
    if (solves)
      inverse.set(
        withBatchIndex(i, reading, () => inverseByCholesky(matrix(i), t, caller)),
        i * k * k,
      );
  }
  return {
    sigma: value(sigma, []),
    gradient: value(gradient, [m, n]),
    u: value(u, [m, 1]),
    v: value(v, [n, 1]),
    inverse: solves ? value(inverse, [k, k]) : undefined,
    order,
    open: false,
  };
}

type Found = { sigma: JaxArray; u: JaxArray; v: JaxArray; gradient: JaxArray; inverse?: JaxArray };

let compiled: ((x: JaxArray, squarings: number, inverts: boolean) => Found) | undefined;

function bySquaring(
  x: JaxArray,
  derivatives: number,
  caller: string,
  { order, squarings = x.dtype === np.float64 ? 48 : 24 }: CheckedArrayOptions,
  vectors: boolean,
): Omit<Origin, "x"> {
  if (derivatives > order)
    throw new UnsupportedError(
      `${caller}: under jit (and where x is not read) derivatives are computed up to order ${order}, and this one has order ${derivatives}; ${order < 3 ? "raise the option order, or " : ""}differentiate outside of jit`,
    );
  // Compiled, because the single operations take ten times as long. Within another jit it becomes part of that one.
  compiled ??= jit(
    function spectralNorm(x: JaxArray, squarings: number, inverts: boolean): Found {
      const { sigma, u, v } = tripletBySquaring(x.ref, squarings);
      const some = np.expandDims(sigma.ref.notEqual(0), [-2, -1]).astype(x.dtype);
      const gradient = u.ref.mul(np.matrixTranspose(v.ref)).mul(some);
      if (inverts) return { sigma, u, v, gradient, inverse: inverseBySquaring(x, { sigma, u, v }) };
      x.dispose();
      return { sigma, u, v, gradient };
    },
    { staticArgnums: [1, 2] },
  );
  const found = compiled(x.ref, squarings, vectors || order > 1);
  return { inverse: undefined, ...found, order, open: true };
}

export function disposeOrigin({ x, sigma, gradient, u, v, inverse }: Origin): void {
  for (const part of [x, sigma, gradient, u, v, inverse]) part?.dispose();
}
