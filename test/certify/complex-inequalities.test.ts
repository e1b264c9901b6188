import { describe, expect, it } from "vitest";
import type { BlockedEntries } from "../../src/certify/blocked-entries.js";
import { examine } from "../../src/certify/examine-pair.js";
import { magnitudeBound } from "../../src/certify/magnitudes.js";
import { gamma, UNIT, up } from "../../src/certify/rounding.js";
import { complexGradientBound, roundingOfComplexProduct } from "../../src/complex/complex-certify.js";
import { blockedComplex } from "../../src/complex/complex-entries.js";
import { complexOverlap } from "../../src/complex/complex-probable.js";
import { type ComplexView, complexInputOf } from "../../src/complex/complex-view.js";
import {
  factorErrorOf,
  gramHeight,
  hermitianGramTest,
  otherHeight,
  ownHeight,
} from "../../src/complex/hermitian-gram-test.js";
import type { HermitianKernels } from "../../src/kernels/hermitian-contract.js";
import { blockFor } from "../../src/kernels/proof-contract.js";
import { referenceHermitian } from "../../src/kernels/reference/hermitian.js";
import { wasmHermitian } from "../../src/kernels/wasm/hermitian.js";
import { createRandom } from "../../src/numerics/random.js";
import {
  absolute,
  complexGradientErrorExactly,
  complexOuterExactly,
  complexValuesAbove,
  dotExactly,
  type Gaussian,
  gaussianRows,
  gaussians,
  hermitianDot,
  near,
  negativeHermitianEigenvalues,
  residualExactly,
  root,
  scaleFor,
  whole,
} from "./exact.js";

const SETS = [
  { name: "reference", make: referenceHermitian },
  { name: "wasm", make: wasmHermitian },
] as const;

/** Interleaved numbers. */
interface Complex {
  data: Float64Array;
  shape: [number, number];
  dtype: "complex128";
}

function dense(m: number, n: number, entry: (i: number, j: number) => readonly [number, number]): Complex {
  const data = new Float64Array(2 * m * n);
  for (let k = 0; k < m * n; k++) data.set(entry(Math.floor(k / n), k % n), 2 * k);
  return { data, shape: [m, n], dtype: "complex128" };
}

function loaded(kernels: HermitianKernels, A: Complex) {
  const P = blockedComplex(kernels, complexInputOf(A) as ComplexView);
  if (!P?.blocked) throw new Error("zero");
  return { ...P, blocked: P.blocked };
}

function normalMatrix(m: number, n: number, seed: number): Complex {
  const random = createRandom(seed);
  return dense(m, n, () => [random.normal(), random.normal()]);
}

/** Number k of row i among interleaved rows in groups of four. */
function place(i: number, k: number, columns: number): number {
  return 4 * ((i >> 2) * columns + k) + (i & 3);
}

/** P·Pᴴ of blocked rows, as the kernels compute it. */
function gramOf({ arena, routines }: HermitianKernels, P: BlockedEntries) {
  const columns = 8 * P.groups;
  const block = blockFor(P.long);
  const g = arena.take(32 * P.groups * columns);
  const scratch = arena.take(256 * Math.min(block, P.long));
  const G = arena.f64(g, 4 * P.groups * columns);
  G.fill(0);
  routines.hermitianGramOf(P.pointer, P.groups, P.long, block, g, scratch);
  return { G, columns };
}

/** A Hermitian matrix in the kernels' memory; room for the scratch. */
function placed(
  kernels: HermitianKernels,
  n: number,
  entry: (i: number, j: number) => readonly [number, number],
) {
  const groups = Math.ceil(n / 4);
  const columns = 8 * groups;
  const pointer = kernels.arena.take(32 * groups * columns);
  const scratch = kernels.arena.take(256 * groups);
  const all = kernels.arena.f64(pointer, 4 * groups * columns);
  for (let i = 0; i < 4 * groups; i++)
    for (let j = 0; j < 4 * groups; j++) {
      const [re, im] = i < n && j < n ? entry(i, j) : [i === j ? 1 : 0, 0];
      all[place(i, 2 * j, columns)] = re;
      all[place(i, 2 * j + 1, columns)] = im;
    }
  const factor = (block: number) => kernels.routines.hermitianCholeskyOf(pointer, groups, block, scratch);
  return { groups, columns, all, factor };
}

/** |x| of a number with integer parts, as a double. */
function modulusOf({ re, im }: Gaussian, scale: number): number {
  return near(root((re * re + im * im) << 200n), scale + 100);
}

const minus = (x: Gaussian, y: Gaussian): Gaussian => ({ re: x.re - y.re, im: x.im - y.im });

/** The unit vector of a complex vector. */
function unit(x: Float64Array): Float64Array {
  const length = Math.hypot(...x);
  return x.map((value) => value / length);
}

/** Just too small to count beside 1. */
const LOST = 2 ** -53 * (1 - 2 ** -50);

describe.each(SETS)("$name kernels", ({ make }) => {
  it("sum products within √2·Σ γ of each column's height", () => {
    for (const [m, n] of [
      [6, 40],
      [3, 3],
      [5, 90],
    ] as const) {
      const A = normalMatrix(m, n, m + n);
      const block = blockFor(2 * n);
      const kernels = make();
      const { blocked } = loaded(kernels, A);
      const { G, columns } = gramOf(kernels, blocked);
      const scale = scaleFor(A.data) + 8;
      const rows = gaussianRows(
        A.data.map((x) => x / 2 ** blocked.exponent),
        m,
        n,
        scale,
      );
      for (let i = 0; i < m; i++)
        for (let j = 0; j < i; j++) {
          const computed: Gaussian = {
            re: whole(G[place(i, 2 * j, columns)], 2 * scale),
            im: whole(G[place(i, 2 * j + 1, columns)], 2 * scale),
          };
          const error = modulusOf(minus(computed, hermitianDot(rows[i], rows[j])), 2 * scale);
          let bound = 0;
          for (let k = 0; k < n; k++)
            bound +=
              Math.SQRT2 *
              gamma(gramHeight(2 * k, 2 * n, block)) *
              modulusOf(rows[i][k], scale) *
              modulusOf(rows[j][k], scale);
          expect(error).toBeLessThanOrEqual(bound);
        }
    }
  });

  it("lose in a part of a sum almost what the heights allow", () => {
    for (const [n, at] of [
      [16, 0],
      [200, 0],
      [200, 3],
      [800, 41],
    ]) {
      const block = blockFor(2 * n);
      const q = Math.floor((2 * at) / block);
      // The product of one column is 1 + 1; those after it in its block, and the sums of later blocks, fall a hair short
      // of counting.
      const A = dense(2, n, (i, j) => {
        if (i === 0) return [1, 1];
        if (j <= at) return j === at ? [1, 1] : [0, 0];
        const size = Math.floor((2 * j) / block) === q ? 2 * LOST : (2 * j) % block === 0 ? LOST : 0;
        return [size, size];
      });
      const kernels = make();
      const { blocked } = loaded(kernels, A);
      const { G, columns } = gramOf(kernels, blocked);
      const scale = 120;
      const rows = gaussianRows(A.data, 2, n, scale);
      const exact = hermitianDot(rows[1], rows[0]).re;
      const error = near(absolute(whole(G[place(1, 0, columns)], 2 * scale) - exact), 2 * scale);
      let bound = 0;
      for (let k = 0; k < n; k++) bound += gamma(gramHeight(2 * k, 2 * n, block)) * 2 * A.data[2 * (n + k)];
      expect(error).toBeLessThanOrEqual(bound);
      expect(error / bound).toBeGreaterThan(0.85);
    }
  });

  it("factor within the heights of each column, and come near that", () => {
    let nearest = 0;
    for (const [n, kind] of [
      [33, "worst"],
      [5, "random"],
      [22, "random"],
      [37, "random"],
    ] as const) {
      const random = createRandom(n);
      const kernels = make();
      const Q = Array.from({ length: n }, () => Float64Array.from({ length: 2 * n }, () => random.normal()));
      const entry = (i: number, j: number): [number, number] => {
        if (kind === "worst") {
          // An arrow, whose last row is 1 and then ε·(1 + i): each ε² is lost beside the first square.
          if (i === j) return [i === n - 1 ? 1 + 2 ** -30 : 1, 0];
          if (Math.max(i, j) < n - 1) return [0, 0];
          const size = Math.min(i, j) === 0 ? 1 : Math.sqrt(2 ** -53) * (1 - 2 ** -52);
          return Math.min(i, j) === 0 ? [size, 0] : [size, i > j ? size : -size];
        }
        let [re, im] = [0, 0];
        for (let k = 0; k < 2 * n; k += 2) {
          re += Q[i][k] * Q[j][k] + Q[i][k + 1] * Q[j][k + 1];
          im += Q[i][k + 1] * Q[j][k] - Q[i][k] * Q[j][k + 1];
        }
        return [re, i === j ? 0 : im];
      };
      const B = Array.from({ length: n }, (_, i) => Array.from({ length: i + 1 }, (_, j) => entry(i, j)));
      const block = blockFor(2 * n);
      const { columns, all, factor } = placed(kernels, n, (i, j) => (j > i ? [Number.NaN, 0] : B[i][j]));
      expect(factor(block)).toBe(1);
      const parts = (i: number) =>
        Float64Array.from({ length: 2 * (i + 1) }, (_, k) => all[place(i, k, columns)]);
      const L = Array.from({ length: n }, (_, i) => parts(i));
      const scale = scaleFor(...L, B.flat(2));
      const W = L.map((row) => gaussians(row, scale));
      for (let i = 0; i < n; i++) {
        expect(L[i][2 * i + 1]).toBe(0);
        for (let j = 0; j <= i; j++) {
          const [re, im] = B[i][j].map((x) => whole(x, 2 * scale));
          const product = hermitianDot(W[i].slice(0, j + 1), W[j]);
          const error = modulusOf(minus(product, { re, im }), 2 * scale);
          let bound = 0;
          for (let k = 0; k <= j; k++) {
            const height = j >> 1 === k >> 1 ? ownHeight(k, block) : otherHeight(k, n, block);
            const weight = modulusOf(W[i][k], scale) * modulusOf(W[j][k], scale);
            // A diagonal entry has one part.
            bound += (k === j || i === j ? 1 : Math.SQRT2) * gamma(height) * weight;
          }
          expect(error).toBeLessThanOrEqual(bound);
          if (bound > 0) nearest = Math.max(nearest, error / bound);
        }
      }
    }
    expect(nearest).toBeGreaterThan(0.7);
  });

  it("factor nothing whose least eigenvalue is below the bound of the error, on the brink", () => {
    let factored = 0;
    let indefinite = 0;
    for (let seed = 0; seed < 500; seed++) {
      const random = createRandom(seed);
      const n = 2 + (seed % 6);
      const kernels = make();
      // Rank n − 1, shifted by a few units of rounding either way.
      const Q = Array.from({ length: n }, () =>
        Float64Array.from({ length: 2 * n - 2 }, () => random.normal()),
      );
      const shift = (random.uniform() - 0.7) * 30 * UNIT;
      const B = Q.map((x, i) =>
        Q.slice(0, i + 1).map((y, j): [number, number] => {
          let [re, im] = [0, 0];
          for (let k = 0; k < x.length; k += 2) {
            re += x[k] * y[k] + x[k + 1] * y[k + 1];
            im += x[k + 1] * y[k] - x[k] * y[k + 1];
          }
          return i === j ? [re + shift, 0] : [re, im];
        }),
      );
      const { groups, all, factor } = placed(kernels, n, (i, j) => (j > i ? [0, 0] : B[i][j]));
      const block = blockFor(2 * n);
      if (factor(block) === 0) continue;
      factored++;
      const least = factorErrorOf(all, n, 4 * groups, block);
      const scale = scaleFor(B.flat(2), [least]);
      const exact = (add: number) =>
        B.map((_, i) =>
          B.map((_, j): Gaussian => {
            const [re, im] = B[Math.max(i, j)][Math.min(i, j)].map((x) => whole(x, scale));
            return { re: re + (i === j ? whole(add, scale) : 0n), im: j > i ? -im : im };
          }),
        );
      expect(negativeHermitianEigenvalues(exact(least))).toBe(0);
      try {
        if (negativeHermitianEigenvalues(exact(0)) > 0) indefinite++;
      } catch {
        // A minor that is zero is on neither side.
      }
    }
    expect(factored).toBeGreaterThan(100);
    // Without the term, the conclusion would have been wrong here.
    expect(indefinite).toBeGreaterThan(3);
  });

  it("bound λ₁(M) and λ₂(M) for whatever z is taken out", () => {
    let passed = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = createRandom(seed);
      const m = 2 + (seed % 4);
      const n = m + (seed % 3);
      const A = normalMatrix(m, n, seed);
      const kernels = make();
      const { real, blocked } = loaded(kernels, A);
      const scaled = A.data.map((x) => x / 2 ** blocked.exponent);
      const test = hermitianGramTest(kernels, blocked);
      const normal = () => Float64Array.from({ length: 2 * m }, () => random.normal() / 3);
      // Of any size and direction, now and then about that of u₁.
      const start = examine(real, normal(), new Float64Array(2 * n));
      const z = seed % 2 ? start.deflation : normal();
      for (const s of [0.1, 0.5, 1, 2, 4, 8].map((x) => x * random.uniform() * start.sigma ** 2)) {
        const first = test.bound(s);
        const second = test.bound(s, z);
        if (first !== undefined) {
          passed++;
          expect(complexValuesAbove(scaled, m, n, up(Math.sqrt(first)))).toBe(0);
        }
        if (second !== undefined) {
          passed++;
          expect(complexValuesAbove(scaled, m, n, up(Math.sqrt(second)))).toBeLessThan(2);
        }
      }
    }
    expect(passed).toBeGreaterThan(400);
  });

  it("form s·I − G + z·zᴴ so well that a margin of their own error bound always holds it", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed);
      // Exact Gram matrices of small complex integers of rank one, so that forming is all that rounds.
      const x = Float64Array.from({ length: 6 }, () => 1 + Math.floor(7 * random.uniform()));
      const A = dense(3, 3, (i, j) => [
        x[2 * i] * x[2 * j] + x[2 * i + 1] * x[2 * j + 1],
        x[2 * i + 1] * x[2 * j] - x[2 * i] * x[2 * j + 1],
      ]);
      const kernels = make();
      const { real, blocked } = loaded(kernels, A);
      const test = hermitianGramTest(kernels, blocked);
      const { sigma } = examine(
        real,
        x.map((value) => value / 16),
        new Float64Array(6),
      );
      const s = sigma ** 2 * 2 ** -30;
      const z = unit(x).map((value) => sigma * value);
      const bound = test.bound(s, z);
      expect(bound).toBeGreaterThan(s);
      expect(bound).toBeLessThan(s + 200 * UNIT * sigma ** 2);
    }
  });
});

it("the two sets of kernels agree to the bit", () => {
  for (const [m, n, seed] of [
    [1, 5, 1],
    [4, 4, 2],
    [13, 77, 3],
    [38, 38, 4],
    [65, 150, 5],
  ] as const) {
    const A = normalMatrix(m, n, seed);
    const results = SETS.map(({ make }) => {
      const kernels = make();
      const { blocked } = loaded(kernels, A);
      const { groups } = blocked;
      const columns = 8 * groups;
      const g = kernels.arena.take(32 * groups * columns);
      const scratch = kernels.arena.take(Math.max(256 * groups, 256 * blockFor(2 * n)));
      const G = kernels.arena.f64(g, 4 * groups * columns);
      G.fill(0);
      kernels.routines.hermitianGramOf(blocked.pointer, groups, 2 * n, blockFor(2 * n), g, scratch);
      // The imaginary part of the diagonal is not defined.
      const lower = () =>
        Array.from({ length: m }, (_, i) =>
          Array.from({ length: 2 * i + 1 }, (_, k) => G[place(i, k, columns)]),
        ).flat();
      const gram = lower();
      for (let i = 0; i < 4 * groups; i++) G[place(i, 2 * i, columns)] += i < m ? 0.5 * n : 1;
      const good = kernels.routines.hermitianCholeskyOf(g, groups, blockFor(2 * m), scratch);
      return { gram, good, factor: lower() };
    });
    expect(results[0].good).toBe(1);
    expect(results[1]).toEqual(results[0]);
  }
});

describe("a pair of complex vectors", () => {
  it("has products with P and Pᴴ within γ_h·|P|·|x|, which come near that", () => {
    let nearest = 0;
    for (const [m, n, worst] of [
      [1, 40, true],
      [9, 7, false],
      [6, 70, false],
      [150, 160, false],
    ] as const) {
      const random = createRandom(m * n);
      const A = dense(m, n, (_, j) => {
        if (!worst) return [random.normal(), random.normal()];
        return [j === 0 ? 1 : LOST, 0];
      });
      const { real } = loaded(referenceHermitian(), A);
      const rows = real.short / 2;
      const scaled = A.data.map((x) => x / 2 ** real.exponent);
      const y = Float64Array.from({ length: real.long }, (_, k) =>
        worst ? 1 - (k % 2) : Math.fround(random.normal()),
      );
      const x = Float64Array.from({ length: real.short }, () => Math.fround(random.normal()));
      const scale = scaleFor(scaled, x, y);
      const P = gaussianRows(scaled, m, n, scale);
      const conjugate = ({ re, im }: Gaussian): Gaussian => ({ re, im: -im });
      // P is Aᴴ if m > n.
      const down = m <= n ? P : Array.from({ length: n }, (_, j) => P.map((row) => conjugate(row[j])));
      const across = Array.from({ length: real.long / 2 }, (_, j) => down.map((row) => conjugate(row[j])));
      const parts = (row: Gaussian[], part: 0 | 1) =>
        row.flatMap(({ re, im }) => (part === 0 ? [re, -im] : [im, re]));
      const check = (of: Gaussian[][], by: Float64Array, computed: Float64Array, height: number) => {
        const w = Array.from(by, (value) => whole(value, scale));
        for (let i = 0; i < of.length; i++)
          for (const part of [0, 1] as const) {
            const row = parts(of[i], part);
            const found = whole(computed[2 * i + part], 2 * scale + 60) - (dotExactly(row, w) << 60n);
            const weight = near(dotExactly(row.map(absolute), w.map(absolute)), 2 * scale);
            const error = near(absolute(found), 2 * scale + 60);
            expect(error).toBeLessThanOrEqual(gamma(height) * weight);
            if (weight > 0) nearest = Math.max(nearest, error / (gamma(height) * weight));
          }
      };
      expect(rows).toBe(down.length);
      check(down, y, real.matvec(y), real.shortHeight);
      check(across, x, real.rmatvec(x), real.longHeight);
    }
    expect(nearest).toBeGreaterThan(0.8);
  });

  it("has a lower bound and a residual bound that hold for any pair, and are close for a good one", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed);
      const m = 1 + (seed % 4);
      const n = m + (seed % 3);
      const A = normalMatrix(m, n, seed);
      const { real } = loaded(referenceHermitian(), A);
      const scaled = A.data.map((x) => x / 2 ** real.exponent);
      let u = unit(Float64Array.from({ length: 2 * m }, () => random.normal()));
      let v = unit(Float64Array.from({ length: 2 * n }, () => random.normal()));
      // Every other one is a good pair, by power iteration.
      if (seed % 2)
        for (let k = 0; k < 300; k++) {
          u = unit(real.matvec(v).slice());
          v = unit(real.rmatvec(u));
        }
      const pair = examine(real, u, v);
      expect(complexValuesAbove(scaled, m, n, pair.lower, true)).toBeGreaterThan(0);
      const form = new Float64Array(4 * m * n);
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          const [re, im] = [scaled[2 * (i * n + j)], scaled[2 * (i * n + j) + 1]];
          form.set([re, -im], 4 * i * n + 2 * j);
          form.set([im, re], (4 * i + 2) * n + 2 * j);
        }
      const residual = residualExactly(form, 2 * m, 2 * n, u, v, pair.sigma);
      expect(pair.residual).toBeGreaterThanOrEqual(residual);
      expect(pair.residual).toBeLessThan(residual * (1 + 60 * UNIT) + 60 * UNIT * real.frobenius);
      if (seed % 2)
        expect(pair.lower).toBeGreaterThan(pair.sigma * (1 - 60 * UNIT) - 60 * UNIT * real.frobenius);
    }
  });
});

describe("the error of a complex gradient", () => {
  const pairOf = (A: Complex, u: Float64Array, v: Float64Array) => {
    const { real } = loaded(referenceHermitian(), A);
    return { pair: examine(real, u, v), exponent: real.exponent };
  };
  const diagonal = (second: number) => dense(2, 2, (i, j) => [i !== j ? 0 : i === 0 ? 1 : second, 0]);
  /** cos a·e₁ + e^{iφ}·sin a·e₂, times e^{iψ} */
  const turned = (a: number, phi: number, psi: number) =>
    Float64Array.of(
      Math.cos(a) * Math.cos(psi),
      Math.cos(a) * Math.sin(psi),
      Math.sin(a) * Math.cos(phi + psi),
      Math.sin(a) * Math.sin(phi + psi),
    );

  it("is bounded by |ν−1| + √ν·η + η², and reaches η", () => {
    let nearest = 0;
    let nearestPhase = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = createRandom(seed);
      const second = seed % 3 === 2 ? 0 : random.uniform();
      const A = diagonal(second);
      const a = 10 ** (-6 * random.uniform() - 1) * (1 - second);
      const [phi, psi] = [6.3 * random.uniform(), 6.3 * random.uniform()];
      // Turned the same way, or the opposite way, by a phase of its own, or only the phases of u and v differ.
      const b = seed % 2 ? a : -a;
      const only = seed % 3 === 2;
      const u = only ? turned(0, 0, psi + a) : turned(a, phi, psi);
      const v = only ? turned(0, 0, psi - a) : turned(b, seed % 3 ? phi : 6.3 * random.uniform(), psi);
      const { pair, exponent } = pairOf(A, u, v);
      const bound = complexGradientBound(pair, second / 2 ** exponent);
      const error = complexGradientErrorExactly(A.data, 2, 2, complexOuterExactly(u, v));
      expect(bound).toBeGreaterThanOrEqual(error);
      if (only) nearestPhase = Math.max(nearestPhase, error / bound);
      else nearest = Math.max(nearest, error / bound);
    }
    expect(nearest).toBeGreaterThan(0.95);
    // Phases that differ by 2a: the error is 2a, the residual √2·2a, and the bound is within √2 of it.
    expect(nearestPhase).toBeGreaterThan(0.65);
  });

  it("is at most √(‖û‖²‖v̂‖² + 1 + ρ²/(2σ₁s)) for every pair, and reaches √2", () => {
    let nearest = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = createRandom(seed);
      const second = 1 - 10 ** (-3 * random.uniform());
      const A = diagonal(second);
      const angle = () => (seed % 2 ? 6.3 * random.uniform() : Math.PI / 2 + 1e-4 * random.normal());
      const vector = () => turned(angle(), 6.3 * random.uniform(), 6.3 * random.uniform());
      const [u, v] = [vector(), vector()];
      const { pair } = pairOf(A, u, v);
      // σ₂ not told from σ₁.
      const bound = complexGradientBound(pair, 1);
      const error = complexGradientErrorExactly(A.data, 2, 2, complexOuterExactly(u, v));
      expect(bound).toBeGreaterThanOrEqual(error);
      expect(bound).toBeGreaterThanOrEqual(Math.SQRT2);
      nearest = Math.max(nearest, error / bound);
    }
    expect(nearest).toBeGreaterThan(0.99);
  });

  it("takes σ₂ as unknown where the lower bound is below half of the estimate", () => {
    const { pair } = pairOf(diagonal(0.5), Float64Array.of(1, 0, 0, 0), Float64Array.of(1, 0, 0, 0));
    expect(complexGradientBound(pair, 0.5)).toBeLessThan(1e-14);
    expect(complexGradientBound({ ...pair, lower: 0.49 }, 0.3)).toBeGreaterThanOrEqual(Math.SQRT2);
  });

  it("grows by at most the rounding of a complex product as a matrix of complex64 or complex128", () => {
    for (const [single, least] of [
      [true, 0.6],
      [false, 0.6],
    ] as const) {
      let nearest = 0;
      const random = createRandom(7);
      for (let k = 0; k < 4000; k++) {
        // Products just above a power of two, in both parts.
        const near1 = () => (1 + (single ? 2 ** -12 : 2 ** -26) * 4 * random.uniform()) * Math.SQRT1_2;
        const draw = () => {
          const x = k % 2 ? near1() : random.normal() / 3;
          return single ? Math.fround(x) : x;
        };
        const [u, v] = [Float64Array.of(draw(), draw()), Float64Array.of(draw(), draw())];
        const { pair } = pairOf(
          dense(1, 1, () => [1, 0]),
          u,
          v,
        );
        const rounded = [u[0] * v[0] + u[1] * v[1], u[1] * v[0] - u[0] * v[1]].map((x) =>
          single ? Math.fround(x) : x,
        );
        const scale = scaleFor(u, v);
        const exact = hermitianDot(gaussians(u, scale), gaussians(v, scale));
        const [re, im] = rounded.map((x) => whole(x, 2 * scale));
        const error = modulusOf(minus({ re, im }, exact), 2 * scale);
        const bound = roundingOfComplexProduct(pair, single, 1);
        expect(error).toBeLessThanOrEqual(bound);
        nearest = Math.max(nearest, error / bound);
      }
      // In float64 the bound is √2·γ₂, and no product is off by more than √5 units (Brent, Percival & Zimmermann).
      expect(nearest).toBeGreaterThan(least);
    }
  });
});

describe("magnitudes of complex numbers", () => {
  it("bound the norm, and reach it where phases do not cancel", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed);
      const [m, n] = [1 + (seed % 5), 2 + (seed % 4)];
      const coherent = seed % 2 === 0;
      const phases = Float64Array.from({ length: m + n }, () => 6.3 * random.uniform());
      const A = dense(m, n, (i, j) => {
        const size = 0.1 + random.uniform();
        const phase = coherent ? phases[i] - phases[m + j] : 6.3 * random.uniform();
        return [size * Math.cos(phase), size * Math.sin(phase)];
      });
      const { own, blocked } = loaded(referenceHermitian(), A);
      const scaled = A.data.map((x) => x / 2 ** blocked.exponent);
      const bound = magnitudeBound(own);
      expect(complexValuesAbove(scaled, m, n, bound)).toBe(0);
      if (coherent) expect(complexValuesAbove(scaled, m, n, bound * 0.99)).toBe(1);
    }
  });
});

describe("a random complex start", () => {
  it("has an overlap below t with probability (n − 1)·t², nearly", () => {
    const random = createRandom(5);
    const n = 20;
    const failure = 0.02;
    const least = complexOverlap.leastOverlap(n, failure);
    let hits = 0;
    for (let k = 0; k < 20_000; k++) {
      const x = Float64Array.from({ length: 2 * n }, () => random.normal());
      if (Math.hypot(x[0], x[1]) <= least * Math.hypot(...x)) hits++;
    }
    expect(hits / 20_000).toBeLessThan(failure + 0.003);
    expect(hits / 20_000).toBeGreaterThan(0.8 * failure);
    // In one dimension every start is an eigenvector.
    expect(complexOverlap.leastOverlap(1, 1e-6)).toBe(1);
  });
});
