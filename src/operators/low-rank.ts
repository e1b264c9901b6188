import { OptionError, ShapeError } from "../matrix/errors.js";
import { inputOf } from "../matrix/panels.js";
import type { Matrix, MatrixOrOperator } from "../matrix/types.js";
import { describe, room } from "../matrix/view.js";
import { checkScale, vector } from "./algebra.js";
import { checked, linearOperator, type ParametricOperator } from "./operator.js";

/** What `lowRank` takes, with the letters of LoRA. */
export interface LowRankParts {
  /** W, m×n, in any form; default: zero */
  base?: MatrixOrOperator;
  /** m×r */
  B: MatrixOrOperator;
  /** r×n */
  A: MatrixOrOperator;
  /** s, default 1; α/r in LoRA */
  scale?: number;
}

/** Derivatives with respect to the factors of a low-rank update. */
export interface LowRankGrad {
  /** m×r, in B's dtype */
  B: Matrix;
  /** r×n, in A's dtype */
  A: Matrix;
  scale: number;
}

/**
 * W + s·B·A, a matrix with a low-rank update (LoRA: Hu et al., arXiv:2106.09685), without forming it.
 *
 * @param parts  referred to, not copied (see `linearOperator`): where the factors are trained, so is the operator
 * @returns an operator; its `parameterGrad(u, v)` is s·u·(A·v)ᵀ for B, s·(Bᵀ·u)·vᵀ for A and uᵀ·B·A·v for the scale
 * @throws ShapeError naming the shapes that do not fit; OptionError for a scale that is not finite, or another name;
 *   as `linearOperator`
 *
 * Cost: a product with W and 2·r·(m + n) flops.
 */
export function lowRank(parts: LowRankParts): ParametricOperator<LowRankGrad> {
  if (typeof parts !== "object" || parts === null)
    throw new ShapeError(`lowRank: expected { base, B, A, scale }, got ${describe(parts)}`);
  for (const name of Object.keys(parts))
    if (!["base", "B", "A", "scale"].includes(name))
      throw new OptionError(`${name}: no such part of lowRank; there are base, B, A, scale`);
  const { scale = 1 } = parts;
  checkScale("lowRank", scale);
  const B = linearOperator(parts.B);
  const A = linearOperator(parts.A);
  const base = parts.base === undefined ? undefined : linearOperator(parts.base);
  const [m, r] = B.shape;
  const [rows, n] = A.shape;
  if (rows !== r)
    throw new ShapeError(`lowRank: B is ${m}×${r} and A ${rows}×${n}; B needs as many columns as A rows`);
  if (base && (base.shape[0] !== m || base.shape[1] !== n))
    throw new ShapeError(`lowRank: base is ${base.shape.join("×")}, B·A is ${m}×${n}`);
  const inner = vector(r);
  const add =
    (
      start: typeof A.matvec | undefined,
      first: typeof A.matvec,
      second: typeof A.matvec,
      update: Float64Array,
    ) =>
    (x: Float64Array, out: Float64Array) => {
      if (start) start(x, out);
      else out.fill(0);
      first(x, inner);
      second(inner, update);
      for (let i = 0; i < out.length; i++) out[i] += scale * update[i];
    };
  return checked(
    [m, n],
    {
      matvec: add(base?.matvec, A.matvec, B.matvec, vector(m)),
      rmatvec: add(base?.rmatvec, B.rmatvec, A.rmatvec, vector(n)),
    },
    {
      parameterGrad(u: ArrayLike<number>, v: ArrayLike<number>): LowRankGrad {
        const [Av, Bu] = [vector(r), vector(r)];
        A.matvec(Float64Array.from(v), Av);
        B.rmatvec(Float64Array.from(u), Bu);
        let along = 0;
        for (let i = 0; i < r; i++) along += Bu[i] * Av[i];
        return {
          B: outer(scale, u, Av, inputOf(parts.B).dtype),
          A: outer(scale, Bu, v, inputOf(parts.A).dtype),
          scale: along,
        };
      },
    },
  );
}

/** s·x·yᵀ */
function outer(s: number, x: ArrayLike<number>, y: ArrayLike<number>, dtype: "float32" | "float64"): Matrix {
  const [m, n] = [x.length, y.length];
  const data = room(dtype, m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j] = s * x[i] * y[j];
  return { data, shape: [m, n] };
}
