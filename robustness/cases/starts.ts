import { createRandom } from "../../src/numerics/random.js";
import { type Adversary, adversary, axis, filled, unit } from "../adversary.js";
import { below, rotated, sign } from "../hadamard.js";

/** Column 1 has σ₁; column 0, whose entries are all equal, has σ₂. */
const alternating = (i: number) => (i === 1 ? 1 : i === 0 ? 0.5 : below(i) / 4);

/** Rows 0…2 hold a block of their own, whose rows are the longest; σ₁ is in the rest, with alternating vectors. */
function behindABlock(): Adversary {
  const inner = 32;
  const size = 3 + inner;
  const vector = Float64Array.from({ length: size }, (_, i) =>
    i < 3 ? 0 : sign(i - 3, 1) / Math.sqrt(inner),
  );
  return adversary({
    name: "v₁ ⟂ ones, every row sum, the first and the longest row",
    rows: size,
    cols: size,
    entries: () =>
      filled(size, size, (i, j) => {
        if (i < 3 || j < 3) return i === j ? 0.75 : 0;
        let sum = 0;
        for (let r = 0; r < inner; r++) sum += alternating(r) * sign((i - 3) ^ (j - 3), r);
        return sum / inner;
      }),
    truth: () => ({ sigma: 1, gap: 0.25, multiplicity: 1, u: vector, v: vector }),
  });
}

/**
 * v₁v₁ᵀ + 0.9·wwᵀ and a little of everything else, with v₁ orthogonal to the first two vectors that this package draws
 * at seed 0. An iteration that starts from these alone is done with w, which they do see, before the rounding errors
 * that point to v₁ have grown.
 */
function againstOurStart(): Adversary {
  const n = 128;
  // As solve/krylov.ts draws them.
  const random = createRandom(2 ** 44);
  const starts = [0, 1].map(() => Float64Array.from({ length: n }, () => random.normal()));
  const v = orthogonal(
    Float64Array.from({ length: n }, (_, i) => sign(i, 77)),
    starts,
  );
  const w = orthogonal(
    Float64Array.from({ length: n }, (_, i) => sign(i, 5)),
    [v],
  );
  const rest = (i: number) => 0.05 * (1 - i / n);
  // The diagonal of `rest` between projections along v and w.
  const [dv, dw] = [v, w].map((x) => x.map((value, i) => rest(i) * value));
  const [vv, ww, vw] = [dot(v, dv), dot(w, dw), dot(v, dw)];
  return adversary({
    name: "v₁ ⟂ the random vectors of this package at seed 0",
    rows: n,
    cols: n,
    entries: () =>
      filled(n, n, (i, j) => {
        const crossed = v[i] * dv[j] + dv[i] * v[j] + w[i] * dw[j] + dw[i] * w[j];
        const twice = vv * v[i] * v[j] + ww * w[i] * w[j] + vw * (v[i] * w[j] + w[i] * v[j]);
        return v[i] * v[j] + 0.9 * w[i] * w[j] + (i === j ? rest(i) : 0) - crossed + twice;
      }),
    truth: () => ({ sigma: 1, gap: 0.1, multiplicity: 1, u: v, v }),
  });
}

/** A unit vector near x that is orthogonal to others. */
function orthogonal(x: Float64Array, others: readonly Float64Array[]): Float64Array {
  const basis: Float64Array[] = [];
  for (const other of others) {
    const q = other.slice();
    for (const p of basis) subtract(q, p);
    basis.push(unit(q));
  }
  const result = x.slice();
  for (let pass = 0; pass < 3; pass++) for (const q of basis) subtract(result, q);
  return unit(result);
}

function dot(x: Float64Array, y: Float64Array): number {
  return x.reduce((sum, value, i) => sum + value * y[i], 0);
}

function subtract(x: Float64Array, q: Float64Array): void {
  const along = dot(x, q);
  for (let i = 0; i < x.length; i++) x[i] -= along * q[i];
}

/** Starts that have nothing of v₁ in them. */
export const starts: readonly Adversary[] = [
  ...[16, 128].map((n) =>
    rotated({
      name: `v₁ ⟂ ones, ${n}×${n}`,
      rows: n,
      cols: n,
      values: alternating,
      shuffled: false,
    }),
  ),
  adversary({
    name: "v₁ ⟂ first row and first column",
    rows: 3,
    cols: 3,
    entries: () => Float64Array.of(0.5, 0, 0, 0, 0.625, 0.625, 0, 0.625, 0.625),
    truth: () => ({
      ...{ sigma: 1.25, gap: 0.6, multiplicity: 1 },
      u: unit([0, 1, 1]),
      v: unit([0, 1, 1]),
    }),
  }),
  adversary({
    name: "v₁ ⟂ every unit vector but the last, 90×90",
    rows: 90,
    cols: 90,
    entries: () => filled(90, 90, (i, j) => (i !== j ? 0 : i === 89 ? 1 : 0.5)),
    truth: () => ({ sigma: 1, gap: 0.5, multiplicity: 1, u: axis(90, 89), v: axis(90, 89) }),
  }),
  behindABlock(),
  againstOurStart(),
  // The residual of a singular vector is zero, whichever it is.
  ...[16, 128].map((n) =>
    rotated({
      name: `started at the second singular vector, ${n}×${n}`,
      rows: n,
      cols: n,
      values: (i) => (i === 3 ? 1 : i === 0 ? 0.9375 : below(i)),
      start: (_, second) => second,
    }),
  ),
  rotated({
    name: "started at (1e-5, 1) of σ = (1, 0.99…), 16×16",
    rows: 16,
    cols: 16,
    values: (i) => (i === 3 ? 1 : i === 0 ? 1 - 2 ** -7 : below(i)),
    start: (v, second) => second.map((x, i) => x + 1e-5 * v[i]),
  }),
];
