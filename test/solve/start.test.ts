import { describe, expect, it } from "vitest";
import { type LinearOperator, singularTriplet, spectralNorm } from "../../src/index.js";
import { createRandom, fingerprintOf } from "../../src/numerics/random.js";
import { normalMatrix } from "../matrices.js";

const n = 120;

/** A symmetric matrix with σ₁ = 1 along v, σ₂ = 0.9 along a vector that random starts see, and little else. */
function hiding(v: Float64Array): Float64Array {
  const w = orthogonal(
    Float64Array.from({ length: n }, (_, i) => Math.cos(i)),
    [v],
  );
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) data[i * n + j] = v[i] * v[j] + 0.9 * w[i] * w[j];
  return data;
}

/** A unit vector near x that is orthogonal to others. */
function orthogonal(x: Float64Array, others: readonly Float64Array[]): Float64Array {
  const basis: Float64Array[] = [];
  const reduced = (y: Float64Array) => {
    const z = y.slice();
    for (let round = 0; round < 3; round++)
      for (const q of basis) {
        const along = z.reduce((sum, value, i) => sum + value * q[i], 0);
        for (let i = 0; i < n; i++) z[i] -= along * q[i];
      }
    const length = Math.hypot(...z);
    return z.map((value) => value / length);
  };
  for (const other of others) basis.push(reduced(other));
  return reduced(x);
}

describe("the start", () => {
  const seedVector = Float64Array.from({ length: n }, (_, i) => Math.sin(i * i));

  it("is not fooled by a matrix whose v₁ is orthogonal to all that the seed alone determines", () => {
    for (const seed of [0, 1, 7]) {
      const random = createRandom(2 ** 44 + seed);
      const drawn = Array.from({ length: 4 }, () => Float64Array.from({ length: n }, () => random.normal()));
      const A = { data: hiding(orthogonal(seedVector, drawn)), shape: [n, n] };
      expect(Math.abs(spectralNorm(A, { seed }) - 1)).toBeLessThan(1e-13);
      const t = singularTriplet(A, { seed });
      expect(Math.abs(t.sigma - 1)).toBeLessThan(1e-13);
      expect(Math.abs(t.gap - 0.1)).toBeLessThan(1e-3);
    }
  });

  it("is not fooled by an adversary that watches and answers", () => {
    const seen: Float64Array[] = [];
    const observed = (data: Float64Array): LinearOperator => {
      const product = (x: Float64Array, out: Float64Array) => {
        if (seen.length < 100) seen.push(x.slice());
        for (let i = 0; i < n; i++) {
          let sum = 0;
          for (let j = 0; j < n; j++) sum += data[i * n + j] * x[j];
          out[i] = sum;
        }
      };
      return { shape: [n, n], matvec: product, rmatvec: product };
    };
    let data = hiding(orthogonal(seedVector, []));
    for (let round = 0; round < 6; round++) {
      seen.length = 0;
      expect(Math.abs(spectralNorm(observed(data)) - 1), `round ${round}`).toBeLessThan(1e-13);
      // The next v₁ is orthogonal to the first vectors that this run was seen to use.
      data = hiding(orthogonal(seedVector, seen.slice(0, 8)));
    }
  });

  it("is the same for c·A, c a power of two, and for other layouts: the same bits come out", () => {
    for (const Type of [Float64Array, Float32Array]) {
      const A = { data: Type.from(normalMatrix(100, 90, 1).data), shape: [100, 90] };
      const t = singularTriplet(A);
      for (const e of Type === Float64Array ? [-900, -200, -3, 1, 40, 900] : [-90, -12, -1, 5, 12, 90]) {
        const scaled = singularTriplet({ ...A, data: A.data.map((x) => x * 2 ** e) });
        expect([scaled.sigma / 2 ** e, scaled.passes]).toEqual([t.sigma, t.passes]);
        expect(scaled.v).toEqual(t.v);
      }
      const columns = new Type(9000);
      for (let i = 0; i < 100; i++) for (let j = 0; j < 90; j++) columns[j * 100 + i] = A.data[i * 90 + j];
      expect(singularTriplet({ data: columns, shape: [100, 90], stride: [1, 100] })).toEqual(t);
    }
  });
});

describe("a fingerprint", () => {
  const x = normalMatrix(1, 50, 3).data;
  it("ignores powers of two and what is too small, and sees everything else", () => {
    const hash = fingerprintOf(x);
    for (const e of [-1000, -30, 1, 500]) expect(fingerprintOf(x.map((value) => value * 2 ** e))).toBe(hash);
    expect(fingerprintOf(x.map((value) => value * (1 + 2 ** -50)))).toBe(hash);
    const swapped = x.slice();
    [swapped[3], swapped[4]] = [swapped[4], swapped[3]];
    const changed = x.slice();
    changed[7] += 1e-6;
    const others = [swapped, changed, x.subarray(1), x.map((value) => -value)].map(fingerprintOf);
    expect(new Set([hash, ...others]).size).toBe(5);
  });
  it("of zeros and of what is not finite is 0", () => {
    expect(
      [new Float64Array(3), Float64Array.of(1, Number.NaN), Float64Array.of(Number.POSITIVE_INFINITY)].map(
        fingerprintOf,
      ),
    ).toEqual([0, 0, 0]);
  });
});
