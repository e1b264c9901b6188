/**
 * σ₁, u and v of a value as constants of differentiation: the point around which `expansion.ts` expands.
 */
import { type Array as JaxArray, jit, lax, numpy as np } from "@jax-js/jax";
import { gradientOf } from "../derivative/gradient.js";
import { TiedError, UnsupportedError } from "../matrix/errors.js";
import { requireConverged } from "../solve/require-converged.js";
import { singularTriplet } from "../solve/triplet.js";
import type { ArrayShape } from "./array-input.js";
import type { CheckedArrayOptions } from "./array-options.js";
import { type ArrayReading, read, representable, within } from "./numbers.js";
import { inverseBySquaring, inverseOf } from "./short-inverse.js";
import { tripletBySquaring } from "./squaring.js";
import type { Layers } from "./tracers.js";

/** First singular triplets of x, all without derivative. It owns its arrays: see `disposeOrigin`. */
export interface Origin {
  /** x itself […, m, n] */
  readonly x: JaxArray;
  /** σ₁ […] */
  readonly sigma: JaxArray;
  /** u·vᵀ […, m, n]; 0 where σ₁ is */
  readonly gradient: JaxArray;
  /** […, m, 1] */
  readonly u: JaxArray;
  /** […, n, 1] */
  readonly v: JaxArray;
  /** of I − AᵀA/σ² on v⟂, or of the other side if that is shorter […, k, k]; where derivatives will ask for it */
  readonly inverse: JaxArray | undefined;
  /** up to which order derivatives will be asked for */
  readonly order: number;
  /** whether more may be asked for all the same, unseen: where a traced function is differentiated later */
  readonly open: boolean;
}

/** A gap below this many units of rounding, relative to σ₁, does not carry a second derivative. */
const RESOLVED = 8;

/**
 * The constants from which the value and the derivatives at x are computed. x stays the caller's.
 *
 * @param vectors  whether u and v are wanted with derivatives, not σ₁ alone
 * @throws where x is read: ConvergenceError, TiedError and what the core throws
 */
export function originOf(
  layers: Layers,
  shape: ArrayShape,
  caller: string,
  options: CheckedArrayOptions,
  vectors: boolean,
): Origin {
  const reading = read(layers, shape, caller, options.readBack);
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
    const t = within(i, reading, () => {
      const found = singularTriplet(matrix(i), options.core);
      // Before any test for a tie: the gap of a triplet that did not converge is no evidence of one.
      requireConverged(found, caller);
      return found;
    });
    if (solves && (t.tied || t.gap <= limit * t.sigma))
      throw new TiedError(
        `${count === 1 ? "" : `batch ${i}: `}${caller}: σ₁ is tied (σ₁ − σ₂ = ${t.gap} of σ₁ = ${t.sigma}); ${
          vectors
            ? "u and v have no derivative there, spectralNorm has one"
            : "it has no second derivative there"
        }`,
      );
    sigma[i] = representable(t.sigma, Type, caller);
    gradientOf(t, gradient, i * m * n);
    u.set(t.u, i * m);
    v.set(t.v, i * n);
    if (solves)
      inverse.set(
        within(i, reading, () => inverseOf(matrix(i), t, caller)),
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
      `${caller}: under jit (and where x is not read) derivatives are right up to order ${order} here, and this is number ${derivatives}; ${order < 3 ? "raise the option order, or " : ""}differentiate outside of jit`,
    );
  // Compiled, as one by one its operations take ten times as long; within another jit it becomes part of that.
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
