import { describe, expect, it } from "vitest";
import { blockedEntries } from "../../src/certify/blocked-entries.js";
import { examine } from "../../src/certify/examine-pair.js";
import { gradientBound, roundingOfProduct } from "../../src/certify/gradient-bound.js";
import { gramTest } from "../../src/certify/gram-test.js";
import { magnitudeBound } from "../../src/certify/magnitudes.js";
import { lengthOf } from "../../src/certify/rounded-sums.js";
import {
  down,
  excess,
  gamma,
  scaledDown,
  scaledUp,
  UNDERFLOW,
  UNIT,
  up,
} from "../../src/certify/rounding.js";
import { blockFor, choleskyHeight, type ProofKernels, sumHeight } from "../../src/kernels/proof-contract.js";
import { referenceProof } from "../../src/kernels/reference/proof.js";
import { wasmProof } from "../../src/kernels/wasm/proof.js";
import { viewOf } from "../../src/matrix/view.js";
import { createRandom } from "../../src/numerics/random.js";
import {
  absolute,
  dotExactly,
  gradientErrorExactly,
  lengthExactly,
  near,
  negativeEigenvalues,
  outerExactly,
  residualExactly,
  scaleFor,
  singularValuesAbove,
  whole,
} from "./exact.js";

const SETS = [
  { name: "reference", make: referenceProof },
  { name: "wasm", make: wasmProof },
] as const;

type Dense = { data: Float64Array; shape: [number, number] };

function dense(m: number, n: number, entry: (i: number, j: number) => number): Dense {
  return {
    data: Float64Array.from({ length: m * n }, (_, k) => entry(Math.floor(k / n), k % n)),
    shape: [m, n],
  };
}

function panels(kernels: ProofKernels, A: Dense) {
  const view = viewOf(A);
  if (view.kind !== "dense") throw new Error("not dense");
  const P = blockedEntries(kernels, view);
  if (!P) throw new Error("zero");
  return P;
}

/** A symmetric matrix in the kernels' memory, in groups of four rows. */
function placed(kernels: ProofKernels, n: number, entry: (i: number, j: number) => number) {
  const groups = Math.ceil(n / 4);
  const pointer = kernels.arena.take(8 * (4 * groups) ** 2);
  const all = kernels.arena.f64(pointer, (4 * groups) ** 2);
  const at = (i: number, j: number) => 4 * ((i >> 2) * 4 * groups + j) + (i & 3);
  for (let i = 0; i < 4 * groups; i++)
    for (let j = 0; j < 4 * groups; j++) all[at(i, j)] = i < n && j < n ? entry(i, j) : i === j ? 1 : 0;
  return { pointer, groups, read: (i: number, j: number) => all[at(i, j)] };
}

// From below, the largest double whose square is lost beside 1.
const LOST = Math.sqrt(2 ** -53) * (1 - 2 ** -52);

describe("rounding", () => {
  const random = createRandom(3);
  const sizes = [0, Number.MIN_VALUE, 2 ** -1022, 1e-310, 1, 1 + 2 ** -52, 2 - 2 ** -52, 1e300];
  for (let k = 0; k < 200; k++)
    sizes.push(random.uniform() * 2 ** Math.floor(2000 * (random.uniform() - 0.5)));

  it("up and down pass the neighbouring double, and hardly more", () => {
    for (const x of sizes) {
      expect(up(x)).toBeGreaterThan(x);
      expect(up(x)).toBeLessThanOrEqual(x * (1 + 2 ** -51) + 2 * Number.MIN_VALUE);
      if (x > 0) expect(down(x)).toBeLessThan(x);
      expect(down(x)).toBeGreaterThanOrEqual(0);
    }
  });

  it("γ and what is made of it are not below their formulas", () => {
    for (const h of [1, 2, 3, 7, 64, 1000, 12345, 2 ** 30]) {
      // γ = h/(2^53 − h) and γ/(1 − γ) = h/(2^53 − 2h), times 2^200.
      const exact = (d: number) => (BigInt(h) << 200n) / (2n ** 53n - BigInt(d)) + 1n;
      expect(whole(gamma(h), 200)).toBeGreaterThanOrEqual(exact(h));
      expect(whole(excess(h), 200)).toBeGreaterThanOrEqual(exact(2 * h));
      expect(gamma(h)).toBeLessThan(h * UNIT * (1 + 2 ** -20));
    }
    expect(gamma(2 ** 53)).toBe(Number.POSITIVE_INFINITY);
    expect(excess(2 ** 52)).toBe(Number.POSITIVE_INFINITY);
  });

  it("scales outward, at both ends of the range", () => {
    for (let k = 0; k < 300; k++) {
      const x = 1 + random.uniform();
      for (const e of [-1080, -1074, -1060, -1023, 3, 1022, 1023, 1024]) {
        const exact = whole(x, 60) << BigInt(1200 + e);
        const low = scaledDown(x, e);
        const high = scaledUp(x, e);
        expect(whole(low, 1260)).toBeLessThanOrEqual(exact);
        if (high < Number.POSITIVE_INFINITY) expect(whole(high, 1260)).toBeGreaterThanOrEqual(exact);
        else expect(e).toBeGreaterThan(1022);
        expect(high - low).toBeLessThanOrEqual(high === Number.POSITIVE_INFINITY ? high : Number.MIN_VALUE);
      }
    }
  });

  it("covers every underflow of the largest matrix that fits", () => {
    // 2^32 numbers, twice over for the Gram matrix, weighted by at most the largest root of a pivot, 2^31.
    expect(2 ** 33 * 2 ** 32 * 2 ** -1074).toBeLessThan(UNDERFLOW);
  });
});

describe("a length", () => {
  it("lies between its bounds, where almost every square is lost", () => {
    for (const count of [1, 2, 31, 32, 33, 100, 5000]) {
      const block = blockFor(count);
      // The first of each block swallows the others.
      const x = Float64Array.from({ length: count }, (_, i) => (i % block === 0 ? 1 : LOST));
      const { square, scale } = lengthExactly(x);
      const { lower, upper } = lengthOf(x);
      expect(whole(lower, 600) ** 2n).toBeLessThanOrEqual(square << BigInt(1200 - scale));
      expect(whole(upper, 600) ** 2n).toBeGreaterThanOrEqual(square << BigInt(1200 - scale));
      if (count === block) {
        const sum = x.reduce((a, b) => a + b * b, 0);
        const error = near(square - whole(sum, scale), scale);
        expect(error / (gamma(sumHeight(count, block)) * near(square, scale))).toBeGreaterThan(0.9);
      }
    }
  });
});

describe.each(SETS)("$name", ({ make }) => {
  it("sums products within γ_h·|P|·|P|ᵀ, and comes near that", () => {
    let nearest = 0;
    for (const [m, n, worst] of [
      [4, 32, true],
      [4, 100, true],
      [7, 130, false],
      [3, 3, false],
    ] as const) {
      const random = createRandom(m + n);
      const block = blockFor(n);
      // Row 0 is ones: with row 1, all terms but a block's first fall a hair short of counting.
      const A = dense(m, n, (i, j) =>
        !worst ? random.normal() : i === 0 ? 1 : j % block === 0 ? 1 : 2 ** -53 * (1 - 2 ** -50),
      );
      const kernels = make();
      const P = panels(kernels, A);
      const size = 4 * P.groups;
      const g = kernels.arena.take(8 * size * size);
      kernels.arena.f64(g, size * size).fill(0);
      kernels.routines.gramOf(P.pointer, P.groups, n, block, g);
      const G = kernels.arena.f64(g, size * size);
      const scale = scaleFor(A.data, [2 ** P.exponent]);
      const rows = Array.from({ length: m }, (_, i) =>
        Array.from(A.data.subarray(i * n, i * n + n), (x) => whole(x / 2 ** P.exponent, scale + 8)),
      );
      const bound = gamma(sumHeight(n, block));
      for (let i = 0; i < m; i++)
        for (let j = 0; j <= i; j++) {
          const s = 2 * (scale + 8);
          const computed = whole(G[4 * ((i >> 2) * size + j) + (i & 3)], s);
          const error = near(absolute(computed - dotExactly(rows[i], rows[j])), s);
          const weight = near(dotExactly(rows[i].map(absolute), rows[j].map(absolute)), s);
          expect(error).toBeLessThanOrEqual(bound * weight);
          nearest = Math.max(nearest, error / (bound * weight));
        }
    }
    expect(nearest).toBeGreaterThan(0.9);
  });

  it("factors within γ_h·|L|·|L|ᵀ, and comes near that", () => {
    let nearest = 0;
    for (const [n, kind] of [
      [33, "worst"],
      [5, "random"],
      [40, "random"],
      [70, "random"],
    ] as const) {
      const random = createRandom(n);
      const kernels = make();
      // "worst": an arrow whose last row is (1, ε, …, ε): each ε² is lost beside the first square.
      const Q = Array.from({ length: n }, () => Array.from({ length: n }, () => random.normal()));
      const entry = (i: number, j: number): number => {
        if (kind === "random") return Q[i].reduce((sum, x, k) => sum + x * Q[j][k], 0);
        if (i === j) return i === n - 1 ? 1 + 2 ** -30 : 1;
        return Math.max(i, j) === n - 1 ? (Math.min(i, j) === 0 ? 1 : LOST) : 0;
      };
      const B = Array.from({ length: n }, (_, i) => Array.from({ length: i + 1 }, (_, j) => entry(i, j)));
      const { pointer, groups, read } = placed(kernels, n, (i, j) => B[Math.max(i, j)][Math.min(i, j)]);
      const block = blockFor(n);
      expect(kernels.routines.choleskyOf(pointer, groups, block)).toBe(1);
      const L = Array.from({ length: n }, (_, i) => Array.from({ length: i + 1 }, (_, j) => read(i, j)));
      const scale = scaleFor(L.flat(), B.flat());
      const W = L.map((row) => row.map((x) => whole(x, scale)));
      const bound = gamma(choleskyHeight(n, block));
      for (let i = 0; i < n; i++)
        for (let j = 0; j <= i; j++) {
          const [x, y] = [W[i].slice(0, j + 1), W[j].slice(0, j + 1)];
          const error = near(absolute(dotExactly(x, y) - whole(B[i][j], 2 * scale)), 2 * scale);
          const weight = near(dotExactly(x.map(absolute), y.map(absolute)), 2 * scale);
          expect(error).toBeLessThanOrEqual(bound * weight);
          if (weight > 0) nearest = Math.max(nearest, error / (bound * weight));
        }
    }
    expect(nearest).toBeGreaterThan(0.75);
  });

  it("factors nothing whose least eigenvalue is below −γ/(1−γ) times its trace, on the brink", () => {
    let factored = 0;
    let indefinite = 0;
    for (let seed = 0; seed < 600; seed++) {
      const random = createRandom(seed);
      const n = 2 + (seed % 7);
      const kernels = make();
      // Rank n − 1, shifted by a few units of rounding either way.
      const Q = Array.from({ length: n }, () => Array.from({ length: n - 1 }, () => random.normal()));
      const shift = (random.uniform() - 0.7) * 20 * UNIT;
      const B = Q.map((x, i) =>
        Q.map((y, j) => x.reduce((sum, value, k) => sum + value * y[k], 0) + (i === j ? shift : 0)),
      );
      const { pointer, groups } = placed(kernels, n, (i, j) => B[Math.max(i, j)][Math.min(i, j)]);
      if (kernels.routines.choleskyOf(pointer, groups, blockFor(n)) === 0) continue;
      factored++;
      const trace = B.reduce((sum, row, i) => sum + row[i], 0);
      const least = up(excess(choleskyHeight(n, blockFor(n))) * up(trace * (1 + n * UNIT)));
      const scale = scaleFor(B.flat(), [least]);
      const exact = (add: number) =>
        B.map((_, i) =>
          B.map(
            (_, j) => whole(B[Math.max(i, j)][Math.min(i, j)], scale) + (i === j ? whole(add, scale) : 0n),
          ),
        );
      expect(negativeEigenvalues(exact(least))).toBe(0);
      try {
        if (negativeEigenvalues(exact(0)) > 0) indefinite++;
      } catch {
        // A minor that is zero is on neither side.
      }
    }
    expect(factored).toBeGreaterThan(100);
    // Without the term, the conclusion would have been wrong here.
    expect(indefinite).toBeGreaterThan(3);
  });

  it("bounds λ₁(M) and λ₂(M) for whatever z is taken out", () => {
    let passed = 0;
    for (let seed = 0; seed < 400; seed++) {
      const random = createRandom(seed);
      const m = 2 + (seed % 4);
      const n = m + (seed % 3);
      const A = dense(m, n, () => random.normal());
      const kernels = make();
      const P = panels(kernels, A);
      const scaled = A.data.map((x) => x / 2 ** P.exponent);
      const test = gramTest(kernels, P);
      // Of any size and direction, now and then about that of u₁.
      const start = examine(
        P,
        Float64Array.from({ length: m }, () => random.normal() / 3),
        new Float64Array(n),
      );
      const z = seed % 2 ? start.deflation : Float64Array.from({ length: m }, () => random.normal());
      for (const s of [0.1, 0.5, 1, 2, 4, 8].map((x) => x * random.uniform() * start.sigma ** 2)) {
        const first = test.bound(s);
        const second = test.bound(s, z);
        if (first !== undefined) {
          passed++;
          expect(singularValuesAbove(scaled, m, n, up(Math.sqrt(first)))).toBe(0);
        }
        if (second !== undefined) {
          passed++;
          expect(singularValuesAbove(scaled, m, n, up(Math.sqrt(second)))).toBeLessThan(2);
        }
      }
    }
    expect(passed).toBeGreaterThan(500);
  });

  it("forms s·I − G + z·zᵀ so well that a margin of its own error bound always holds it", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed);
      const [m, n] = [3, 3];
      // Exact Gram matrices of tiny integers, so that forming is all that rounds; eigenvalues 0, 0 and large.
      const x = Array.from({ length: 3 }, () => 1 + Math.floor(7 * random.uniform()));
      const A = dense(m, n, (i, j) => x[i] * x[j]);
      const kernels = make();
      const P = panels(kernels, A);
      const test = gramTest(kernels, P);
      const sigma = examine(
        P,
        Float64Array.from(x, (value) => value / 16),
        new Float64Array(3),
      ).sigma;
      const s = sigma ** 2 * 2 ** -30;
      const z = Float64Array.from(
        x,
        (value) => (sigma * value) / Math.sqrt(x.reduce((a, b) => a + b * b, 0)),
      );
      const bound = test.bound(s, z);
      expect(bound).toBeGreaterThan(s);
      expect(bound).toBeLessThan(s + 200 * UNIT * sigma ** 2);
    }
  });
});

it("the two sets agree to the bit", () => {
  for (const [m, n, seed] of [
    [1, 5, 1],
    [4, 4, 2],
    [13, 77, 3],
    [70, 70, 4],
    [65, 300, 5],
  ] as const) {
    const random = createRandom(seed);
    const A = dense(m, n, () => random.normal());
    const results = SETS.map(({ make }) => {
      const kernels = make();
      const P = panels(kernels, A);
      const size = 4 * P.groups;
      const g = kernels.arena.take(8 * size * size);
      const G = kernels.arena.f64(g, size * size);
      G.fill(0);
      kernels.routines.gramOf(P.pointer, P.groups, n, blockFor(n), g);
      const at = (i: number, j: number) => 4 * ((i >> 2) * size + j) + (i & 3);
      const lower = () =>
        Array.from({ length: m }, (_, i) => Array.from({ length: i + 1 }, (_, j) => G[at(i, j)])).flat();
      const gram = lower();
      for (let i = 0; i < size; i++) G[at(i, i)] += i < m ? 0.5 * n : 1;
      const good = kernels.routines.choleskyOf(g, P.groups, blockFor(m));
      return { gram, good, factor: lower() };
    });
    expect(results[0].good).toBe(1);
    expect(results[1]).toEqual(results[0]);
  }
});

describe("a pair of vectors", () => {
  it("has a lower bound and a residual bound that hold for any pair, and are close for a good one", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = createRandom(seed);
      const m = 1 + (seed % 4);
      const n = m + (seed % 3);
      const A = dense(m, n, () => random.normal());
      const kernels = referenceProof();
      const P = panels(kernels, A);
      const scaled = A.data.map((x) => x / 2 ** P.exponent);
      const unit = (length: number) => {
        const x = Float64Array.from({ length }, () => random.normal());
        return x.map((value) => value / Math.hypot(...x));
      };
      let [u, v] = [unit(m), unit(n)];
      // Every other one is a good pair, by power iteration in plain doubles.
      if (seed % 2)
        for (let k = 0; k < 300; k++) {
          u = Float64Array.from({ length: m }, (_, i) =>
            v.reduce((sum, x, j) => sum + scaled[i * n + j] * x, 0),
          );
          u = u.map((x) => x / Math.hypot(...u));
          v = Float64Array.from({ length: n }, (_, j) =>
            u.reduce((sum, x, i) => sum + scaled[i * n + j] * x, 0),
          );
          v = v.map((x) => x / Math.hypot(...v));
        }
      const pair = examine(P, u, v);
      expect(singularValuesAbove(scaled, m, n, pair.lower, true)).toBeGreaterThan(0);
      const residual = residualExactly(scaled, m, n, u, v, pair.sigma);
      expect(pair.residual).toBeGreaterThanOrEqual(residual);
      expect(pair.residual).toBeLessThan(residual * (1 + 60 * UNIT) + 60 * UNIT * P.frobenius);
      if (seed % 2)
        expect(pair.lower).toBeGreaterThan(pair.sigma * (1 - 60 * UNIT) - 60 * UNIT * P.frobenius);
    }
  });

  it("proves nothing where there is nothing", () => {
    const kernels = referenceProof();
    const P = panels(
      kernels,
      dense(2, 2, (i, j) => (i === j && i === 0 ? 1 : 0)),
    );
    const { lower, sigma } = examine(P, Float64Array.of(0, 1), Float64Array.of(0, 1));
    expect([lower, sigma]).toEqual([0, 0]);
  });
});

describe("the gradient's error", () => {
  const pairOf = (A: Dense, u: Float64Array, v: Float64Array) => {
    const P = panels(referenceProof(), A);
    return { pair: examine(P, u, v), exponent: P.exponent };
  };

  it("is bounded by |ν−1| + √ν·η + η², and reaches η", () => {
    let nearest = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = createRandom(seed);
      const second = random.uniform();
      const A = dense(2, 2, (i, j) => (i !== j ? 0 : i === 0 ? 1 : second));
      // Turned the same way or the opposite way: of the two, one is where the residual says most.
      const a = 10 ** (-6 * random.uniform() - 1) * (1 - second);
      const b = seed % 2 ? -a : a;
      const [u, v] = [Float64Array.of(Math.cos(a), Math.sin(a)), Float64Array.of(Math.cos(b), Math.sin(b))];
      const { pair, exponent } = pairOf(A, u, v);
      const bound = gradientBound(pair, second / 2 ** exponent);
      const error = gradientErrorExactly(A.data, 2, 2, outerExactly(u, v));
      expect(bound).toBeGreaterThanOrEqual(error);
      nearest = Math.max(nearest, error / bound);
    }
    expect(nearest).toBeGreaterThan(0.95);
  });

  it("is at most √(‖û‖²‖v̂‖² + 1 + ρ²/(2σ₁s)) for every pair, and reaches √2", () => {
    let nearest = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = createRandom(seed);
      const second = 1 - 10 ** (-3 * random.uniform());
      const A = dense(2, 2, (i, j) => (i !== j ? 0 : i === 0 ? 1 : second));
      // About the second pair, or any other at all.
      const angle = () => (seed % 2 ? 2 * Math.PI * random.uniform() : Math.PI / 2 + 1e-4 * random.normal());
      const [a, b] = [angle(), angle()];
      const [u, v] = [Float64Array.of(Math.cos(a), Math.sin(a)), Float64Array.of(Math.cos(b), Math.sin(b))];
      const { pair } = pairOf(A, u, v);
      // σ₂ not told from σ₁.
      const bound = gradientBound(pair, 1);
      const error = gradientErrorExactly(A.data, 2, 2, outerExactly(u, v));
      expect(bound).toBeGreaterThanOrEqual(error);
      expect(bound).toBeGreaterThanOrEqual(Math.SQRT2);
      nearest = Math.max(nearest, error / bound);
    }
    expect(nearest).toBeGreaterThan(0.999);
  });

  it("grows by at most a unit of rounding as a matrix of float32 or float64", () => {
    let nearest = 0;
    for (const single of [true, false]) {
      const random = createRandom(7);
      for (let k = 0; k < 200; k++) {
        // 1×n: a worst case is one entry just above a power of two.
        const x = 1 + (single ? 2 ** -12 : 2 ** -26) * (1 + random.uniform());
        const [u, v] = [
          Float64Array.of(single ? Math.fround(x) : x),
          Float64Array.of(single ? Math.fround(x) : x),
        ];
        const { pair } = pairOf(
          dense(1, 1, () => 1),
          u,
          v,
        );
        const product = u[0] * v[0];
        const bound = roundingOfProduct(pair, single, 1);
        const exact = whole(u[0], 60) * whole(v[0], 60);
        const error = near(absolute(whole(single ? Math.fround(product) : product, 120) - exact), 120);
        expect(error).toBeLessThanOrEqual(bound);
        nearest = Math.max(nearest, error / bound);
      }
    }
    expect(nearest).toBeGreaterThan(0.9);
  });
});

describe("magnitudes", () => {
  it("bound the norm, and reach it where nothing is negative", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed);
      const [m, n] = [1 + (seed % 5), 2 + (seed % 4)];
      const signed = seed % 2 === 1;
      const A = dense(m, n, () => (random.uniform() < 0.3 ? 0 : signed ? random.normal() : random.uniform()));
      if (A.data.every((x) => x === 0)) continue;
      const P = panels(referenceProof(), A);
      const scaled = A.data.map((x) => x / 2 ** P.exponent);
      const bound = magnitudeBound(P);
      expect(singularValuesAbove(scaled, m, n, bound)).toBe(0);
      const sums = (of: (k: number) => number, count: number) => {
        const all = new Float64Array(count);
        scaled.forEach((x, k) => {
          all[of(k)] += Math.abs(x);
        });
        return Math.max(...all);
      };
      const rows = sums((k) => Math.floor(k / n), m);
      const columns = sums((k) => k % n, n);
      expect(bound).toBeLessThanOrEqual(Math.sqrt(rows * columns) * (1 + 1e-14));
      if (!signed && scaled.every((x) => x > 0.01))
        expect(singularValuesAbove(scaled, m, n, bound * 0.99)).toBe(1);
    }
  });
});
