import { describe, expect, it } from "vitest";
import { UNIT } from "../../src/certify/rounding.js";
import { convolutionEntries, countedConvolution } from "../../src/convolutions/convolution-entries.js";
import { frequenciesOf, frequencyCount } from "../../src/convolutions/frequencies.js";
import { gramPolynomial } from "../../src/convolutions/gram-polynomial.js";
import { largestSymbol } from "../../src/convolutions/largest-symbol.js";
import { formNegative, lineOf, lineStore } from "../../src/convolutions/line-polynomial.js";
import { mostCopies } from "../../src/convolutions/padding-copies.js";
import { symbolsOf } from "../../src/convolutions/polyphase.js";
import { reshapedBound } from "../../src/convolutions/reshaped-bound.js";
import { ROOT_ERROR, rootOfUnity } from "../../src/convolutions/roots-of-unity.js";
import { gridFactor } from "../../src/convolutions/symbol-bound.js";
import { createRandom } from "../../src/numerics/random.js";
import type { Stencil } from "../../src/operators/convolution-form.js";
import { absolute, near, whole } from "../certify/exact.js";
import { axisOf, between, filter, matrixOf, randomStencil, singularValues, symbolNorm } from "./forms.js";

const BITS = 200n;
const ONE = 1n << BITS;

/** π·2²⁰⁰ by Machin's formula. */
const PI = (() => {
  const arctan = (x: bigint) => {
    let [sum, term, k] = [0n, ONE / x, 0n];
    while (term !== 0n) {
      sum += (k % 2n === 0n ? term : -term) / (2n * k + 1n);
      term /= x * x;
      k++;
    }
    return sum;
  };
  return 4n * (4n * arctan(5n) - arctan(239n));
})();

/** cos and sin of 2π·index/order, times 2²⁰⁰, to some 190 bits. */
function exactRoot(index: number, order: number): [bigint, bigint] {
  const angle = (2n * PI * BigInt(index)) / BigInt(order);
  const square = (angle * angle) >> BITS;
  let [c, s] = [0n, 0n];
  let term = ONE;
  for (let k = 0n; term !== 0n && k < 400n; k += 2n) {
    c += term;
    const odd = (term * angle) >> BITS;
    s += odd / (k + 1n);
    term = -((term * square) >> BITS) / ((k + 1n) * (k + 2n));
  }
  return [c, s];
}

it("computes roots of unity within the error that is counted", () => {
  let worst = 0;
  for (const order of [1, 2, 3, 4, 5, 7, 8, 12, 24, 37, 100, 101, 1000, 4096, 99991])
    for (let trial = 0; trial < Math.min(order, 60); trial++) {
      const index = order <= 60 ? trial : Math.floor((trial * order) / 60) + (trial % 3);
      const found = rootOfUnity(index, order);
      exactRoot(index % order, order).forEach((part, k) => {
        expect(Math.abs(found[k])).toBeLessThanOrEqual(1);
        const error = near(absolute(whole(found[k], 200) - part), 200);
        worst = Math.max(worst, error);
        expect(error).toBeLessThanOrEqual(ROOT_ERROR);
      });
      expect(rootOfUnity(index - 3 * order, order)).toEqual(found);
    }
  // Half a unit in the last place at the least; what is counted is not many times what there is.
  expect(worst).toBeGreaterThan(UNIT / 4);
});

it("has the exact values at multiples of a quarter", () => {
  for (const order of [4, 8, 12, 100])
    expect([0, 1, 2, 3].map((k) => rootOfUnity((k * order) / 4, order).map((x) => x + 0))).toEqual([
      [1, 0],
      [0, 1],
      [-1, 0],
      [0, -1],
    ]);
});

describe("the factor of a grid", () => {
  /** e^(−iπ/N), 0, e^(iπ/N), halved, as a rotation: |S| = |cos(θ ∓ π/N)|, at its peak midway between two frequencies. */
  const cosine = (count: number): Stencil => {
    const [c, s] = [Math.cos(Math.PI / count) / 2, Math.sin(Math.PI / count) / 2];
    return {
      weights: Float64Array.of(c, 0, c, s, 0, -s, -s, 0, s, c, 0, c),
      outputs: 2,
      depth: 2,
      groups: 1,
      axes: [{ taps: 3, stride: 1, dilation: 1 }],
    };
  };

  it("is reached by a cosine between two frequencies, of an even degree", () => {
    for (const count of [4, 6, 10, 16, 50]) {
      const stencil = cosine(count);
      const symbols = symbolsOf(stencil, stencil.weights);
      const { upper } = largestSymbol(symbols, frequenciesOf([count]), 2 ** -34);
      const bound = upper * gridFactor(symbols.degrees, [count]);
      expect(bound).toBeGreaterThanOrEqual(1 - 1e-15);
      expect(bound).toBeLessThan(1 + 1e-9);
    }
  });

  it("is reached by a cosine of degree one, half an integer to each side", () => {
    // Taps 1, ω with ω = e^(−2πi/2N): |S| = 2·|cos((θ − π/N)/2)|.
    for (const count of [2, 3, 5, 8, 21]) {
      const [c, s] = [Math.cos(Math.PI / count), -Math.sin(Math.PI / count)];
      const stencil: Stencil = {
        weights: Float64Array.of(1, c, 0, -s, 0, s, 1, c),
        outputs: 2,
        depth: 2,
        groups: 1,
        axes: [{ taps: 2, stride: 1, dilation: 1 }],
      };
      const symbols = symbolsOf(stencil, stencil.weights);
      expect(symbols.degrees).toEqual([1]);
      const { upper } = largestSymbol(symbols, frequenciesOf([count]), 2 ** -34);
      const bound = upper * gridFactor([1], [count]);
      expect(bound).toBeGreaterThanOrEqual(2 * (1 - 1e-15));
      expect(bound).toBeLessThan(2 * (1 + 1e-9));
    }
  });

  it("is reached in two axes at once", () => {
    const count = 6;
    const [one] = [cosine(count)];
    // The Kronecker product of two rotations: 4×4 matrices at 3×3 taps.
    const weights = new Float64Array(4 * 4 * 9);
    for (let o = 0; o < 4; o++)
      for (let i = 0; i < 4; i++)
        for (let a = 0; a < 3; a++)
          for (let b = 0; b < 3; b++) {
            const first = one.weights[((o >> 1) * 2 + (i >> 1)) * 3 + a];
            const second = one.weights[((o & 1) * 2 + (i & 1)) * 3 + b];
            weights[(o * 4 + i) * 9 + a * 3 + b] = first * second;
          }
    const axis = { taps: 3, stride: 1, dilation: 1 };
    const stencil = { weights, outputs: 4, depth: 4, groups: 1, axes: [axis, axis] };
    const symbols = symbolsOf(stencil, weights);
    const { upper } = largestSymbol(symbols, frequenciesOf([count, count]), 2 ** -34);
    const bound = upper * gridFactor(symbols.degrees, [count, count]);
    expect(bound).toBeGreaterThanOrEqual(1 - 1e-14);
    expect(bound).toBeLessThan(1 + 1e-9);
  });

  it("holds for trigonometric polynomials of every degree: T(t) ≥ cos(n·t) beside a maximum of 1", () => {
    for (let seed = 0; seed < 100; seed++) {
      const random = createRandom(seed);
      const taps = between(random, 2, 8);
      const stencil = filter(...Array.from({ length: taps }, () => random.normal()));
      const symbols = symbolsOf(stencil, stencil.weights);
      let most = 0;
      for (let k = 0; k <= 2000; k++) {
        let [re, im] = [0, 0];
        stencil.weights.forEach((weight, a) => {
          re += weight * Math.cos((Math.PI * k * a) / 2000);
          im += weight * Math.sin((Math.PI * k * a) / 2000);
        });
        most = Math.max(most, Math.hypot(re, im));
      }
      for (const count of [taps, taps + 1, 2 * taps]) {
        const { upper } = largestSymbol(symbols, frequenciesOf([count]), 2 ** -34);
        expect(upper * gridFactor(symbols.degrees, [count])).toBeGreaterThanOrEqual(most * (1 - 1e-12));
      }
    }
  });
});

describe("the frequencies", () => {
  it("are one of each pair", () => {
    for (const sizes of [[1], [2], [7], [4, 6], [5, 3], [3, 4, 5], [2, 2, 2]]) {
      const { lines } = frequenciesOf(sizes);
      const all = lines.flatMap(({ others, last }) => Array.from(last, (j) => [...others, j]));
      expect(all.length).toBe(frequencyCount(sizes));
      const seen = new Set<string>();
      for (const j of all) {
        seen.add(j.join());
        seen.add(j.map((value, k) => (sizes[k] - value) % sizes[k]).join());
      }
      expect(seen.size).toBe(sizes.reduce((a, b) => a * b, 1));
    }
  });
});

describe("S·Sᴴ", () => {
  it("is computed within the error that is counted", () => {
    let worst = 0;
    for (let seed = 0; seed < 40; seed++) {
      const random = createRandom(seed);
      const axes = between(random, 1, 3);
      const stencil = { ...randomStencil(random, axes), groups: 1 };
      const symbols = symbolsOf(stencil, stencil.weights);
      const [symbol] = symbols.groups;
      if (symbol.rows === 1 || symbol.terms.length === 0) continue;
      const sizes = stencil.axes.map(() => between(random, 3, 9));
      const frequencies = frequenciesOf(sizes);
      const polynomial = gramPolynomial(symbol);
      const store = lineStore(polynomial);
      const padded = 4 * Math.ceil(symbol.rows / 4);
      const B = new Float64Array(2 * padded * padded);
      for (const { others, last } of frequencies.lines.slice(0, 3)) {
        lineOf(polynomial, store, (k) => frequencies.rootOfLine(k, others));
        for (const j of last.slice(0, 2)) {
          const roots = store.map(({ exponent }) => frequencies.rootOfLast(exponent, j));
          formNegative(store, roots, symbol.rows, B, 2 * padded);
          // The symbol with 150 bits.
          const order = sizes.reduce((a, b) => a * b, 1);
          const place = [...others, j];
          const parts = symbol.terms.map(({ place: q, matrix }) => {
            const turns = q.reduce((sum, k, axis) => sum + k * place[axis] * (order / sizes[axis]), 0);
            const [c, s] = exactRoot(turns % order, order);
            return { c, s, matrix };
          });
          const S = (i: number, column: number) =>
            parts.reduce(
              ([re, im], { c, s, matrix }) => {
                const weight = whole(matrix[i * symbol.columns + column], 120);
                return [re + weight * c, im + weight * s];
              },
              [0n, 0n],
            );
          let square = 0;
          for (let i = 0; i < symbol.rows; i++)
            for (let k = 0; k <= i; k++) {
              let [re, im] = [0n, 0n];
              for (let column = 0; column < symbol.columns; column++) {
                const [a, b] = S(i, column);
                const [c, d] = S(k, column);
                re += a * c + b * d;
                im += b * c - a * d;
              }
              const at = 4 * (i >> 2) * 2 * padded + 8 * k + (i & 3);
              const errors = [re + whole(B[at], 640), im + whole(B[at + 4], 640)].map((x) => near(x, 640));
              square += (i === k ? 1 : 2) * (errors[0] ** 2 + (i === k ? 0 : errors[1] ** 2));
            }
          worst = Math.max(worst, Math.sqrt(square) / polynomial.error);
          expect(Math.sqrt(square)).toBeLessThanOrEqual(polynomial.error);
        }
      }
    }
    // Errors of random signs stay well below the worst case, and are there.
    expect(worst).toBeGreaterThan(1e-3);
  });
});

describe("the norms of matrices that hold the weights", () => {
  it("are reached by equal matrices, and by magnitudes", () => {
    for (const taps of [2, 3, 9]) {
      const stencil = filter(...new Array(taps).fill(1));
      const [symbol] = symbolsOf(stencil, stencil.weights).groups;
      const bound = reshapedBound(symbol, 1e9);
      // At θ = 0 the taps add up: √T·‖(1, …, 1)‖ = T.
      expect(bound).toBeGreaterThanOrEqual(taps);
      expect(bound).toBeLessThan(taps * (1 + 1e-12));
    }
    for (let seed = 0; seed < 40; seed++) {
      const random = createRandom(seed);
      const stencil = { ...randomStencil(random), groups: 1 };
      const [symbol] = symbolsOf(stencil, stencil.weights).groups;
      for (const maxCost of [0, 1e6])
        expect(reshapedBound(symbol, maxCost)).toBeGreaterThanOrEqual(
          symbolNorm(
            stencil,
            stencil.axes.map(() => random.uniform()),
          ) *
            (1 - 1e-12),
        );
    }
  });
});

describe("the padding", () => {
  it("has the root of the most copies for its norm", () => {
    for (const boundary of ["reflect", "replicate", "circular"] as const) {
      const axes = [
        axisOf({ taps: 1, size: 4, before: 3, after: 2 }, boundary),
        axisOf({ taps: 1, size: 3, before: 1, after: 1 }, boundary),
      ];
      const form = {
        weights: Float64Array.of(1),
        outputs: 1,
        depth: 1,
        groups: 1,
        axes,
        boundary,
        transposed: false,
      };
      const [sigma] = singularValues(matrixOf(form));
      expect(Math.abs(sigma / Math.sqrt(mostCopies(form)) - 1)).toBeLessThan(1e-14);
    }
  });
});

describe("products with counted roundings", () => {
  it("are those of the matrix, within the bound", () => {
    let closest = 0;
    for (let seed = 0; seed < 60; seed++) {
      const random = createRandom(4000 + seed);
      const stencil = randomStencil(random, between(random, 1, 2));
      const boundary = (["zero", "circular", "replicate"] as const)[seed % 3];
      const axes = stencil.axes.map((axis) => axisOf({ ...axis, size: 4, before: 4, after: 5 }, boundary));
      const form = { ...stencil, axes, boundary, transposed: false };
      const { data, m, n } = matrixOf(form);
      const counted = countedConvolution(form, form.weights);
      const frobenius = Math.hypot(...data);
      expect(counted.frobenius).toBeGreaterThanOrEqual(frobenius * (1 - 1e-12));
      if (mostCopies(form) === 1 && frobenius > 0) closest = Math.max(closest, frobenius / counted.frobenius);
      const x = Float64Array.from({ length: n }, () => random.normal());
      const y = counted.forward(x);
      for (let i = 0; i < m; i++) {
        let [sum, size] = [0, 0];
        for (let j = 0; j < n; j++) {
          sum += data[i * n + j] * x[j];
          size += Math.abs(data[i * n + j] * x[j]);
        }
        expect(Math.abs(y[i] - sum)).toBeLessThanOrEqual(100 * n * UNIT * (size + counted.frobenius));
      }
      // The adjoint: ⟨z, A·x⟩ = ⟨Aᵀ·z, x⟩.
      const z = Float64Array.from({ length: m }, () => random.normal());
      const back = counted.backward(z);
      const left = z.reduce((sum, value, i) => sum + value * y[i], 0);
      const right = back.reduce((sum, value, j) => sum + value * x[j], 0);
      expect(Math.abs(left - right)).toBeLessThanOrEqual(
        1e-12 * counted.frobenius * Math.hypot(...x) * Math.hypot(...z),
      );
    }
    expect(closest).toBeGreaterThan(1 - 1e-12);
  });

  it("lose what their height says: small numbers added to a large one", () => {
    // 1 + ¾·2⁻⁵³·64 in one output; each addition loses its term.
    const count = 65;
    const weights = new Float64Array(count).fill(0.75 * UNIT);
    weights[0] = 1;
    const axes = [axisOf({ taps: count, size: count }, "zero")];
    const form = { ...filter(...weights), axes, boundary: "zero" as const, transposed: false };
    const P = convolutionEntries(form, { weights, exponent: 0 });
    const x = new Float64Array(count).fill(1);
    const lost = 64 * 0.75 * UNIT;
    const [y] = P.matvec(x).length === 1 ? P.matvec(x) : [Number.NaN];
    // Each ¾u rounds up to one u·2 or down to nothing, and the height allows for it.
    const error = Math.abs(y - 1 - lost);
    expect(error).toBeGreaterThan(0.2 * P.shortHeight * UNIT);
    expect(error).toBeLessThanOrEqual(P.shortHeight * UNIT * (1 + 1e-9) * (1 + lost));
  });
});
