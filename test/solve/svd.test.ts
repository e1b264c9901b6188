import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/numerics/random.js";
import { type Decomposition, singularValues, svd } from "../../src/solve/golub-reinsch.js";
import { skipMissingKernels, svdSets } from "../kernels/sets.js";

const EPS = 2 ** -52;
const sets = svdSets();
const random = createRandom(20);

type Grid = { data: Float64Array; m: number; n: number };

function grid(m: number, n: number, entry: (i: number, j: number) => number): Grid {
  return { data: Float64Array.from({ length: m * n }, (_, p) => entry(Math.floor(p / n), p % n)), m, n };
}

const normal = (m: number, n: number) => grid(m, n, () => random.normal());
const diagonal = (m: number, n: number, d: (i: number) => number) =>
  grid(m, n, (i, j) => (i === j ? d(i) : 0));

function transposed({ data, m, n }: Grid): Grid {
  return grid(n, m, (i, j) => data[j * n + i]);
}

function times(A: Grid, B: Grid): Grid {
  return grid(A.m, B.n, (i, j) => {
    let sum = 0;
    for (let p = 0; p < A.n; p++) sum += A.data[i * A.n + p] * B.data[p * B.n + j];
    return sum;
  });
}

/** m×k with orthonormal columns, to about ε: Gram–Schmidt, twice. */
function orthonormal(m: number, k: number): Grid {
  const Q = normal(k, m);
  const row = (p: number) => Q.data.subarray(p * m, p * m + m);
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  for (let p = 0; p < k; p++) {
    for (let round = 0; round < 2; round++)
      for (let q = 0; q < p; q++) {
        const c = dot(row(p), row(q));
        for (let i = 0; i < m; i++) row(p)[i] -= c * row(q)[i];
      }
    const norm = Math.sqrt(dot(row(p), row(p)));
    for (let i = 0; i < m; i++) row(p)[i] /= norm;
  }
  return transposed(Q);
}

/** U·diag(σ)·Vᵀ with random U and V: its singular values are σ to a few ε·σ₁. */
function withValues(m: number, n: number, sigma: (i: number) => number): Grid {
  const k = Math.min(m, n);
  const U = orthonormal(m, k);
  return times(
    grid(m, k, (i, p) => U.data[i * k + p] * sigma(p)),
    transposed(orthonormal(n, k)),
  );
}

/** The error that n² rotations and n reflections may leave: observed below 2·√k, at worst 12·√k. */
const allowed = (k: number) => (10 + 16 * Math.sqrt(k)) * EPS;

/** Orthonormal, descending, and U·S·Vᵀ = A, all to `allowed`. `unit`: a power of two near the scale of A. */
function expectDecomposes({ data, m, n }: Grid, { U, S, V }: Decomposition, unit = 1): void {
  const k = Math.min(m, n);
  const s = S.map((x) => x / unit);
  expect([U.length, S.length, V.length]).toEqual([m * k, k, n * k]);
  for (let i = 0; i < k; i++) {
    expect(s[i]).toBeGreaterThanOrEqual(0);
    if (i > 0) expect(s[i]).toBeLessThanOrEqual(s[i - 1]);
  }
  const off = (Q: Float64Array, rows: number) => {
    const gram = times(transposed({ data: Q, m: rows, n: k }), { data: Q, m: rows, n: k });
    return worst(gram.data, diagonal(k, k, () => 1).data);
  };
  expect(off(U, m)).toBeLessThanOrEqual(allowed(k));
  expect(off(V, n)).toBeLessThanOrEqual(allowed(k));
  const back = times(
    grid(m, k, (i, p) => U[i * k + p] * s[p]),
    transposed({ data: V, m: n, n: k }),
  );
  const goal = data.map((x) => x / unit);
  expect(worst(back.data, goal)).toBeLessThanOrEqual(allowed(k) * s[0]);
}

function worst(x: Float64Array, y: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    const gap = Math.abs(x[i] - y[i]);
    if (!(gap <= most)) most = gap;
  }
  return most;
}

function expectValues(found: Float64Array, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  expect(worst(found, wanted)).toBeLessThanOrEqual(allowed(found.length) * wanted[0]);
}

const oracle = ({ data, m, n }: Grid) =>
  new SVD(Matrix.from1DArray(m, n, data), { autoTranspose: true }).diagonal;

const list = (length: number, term: (i: number) => number) =>
  Array.from({ length }, (_, i) => term(i)).sort((a, b) => b - a);

/** d on the diagonal, e on the superdiagonal. */
interface Bidiagonal {
  d: number[];
  e: number[];
}

const decade = (span: number) => 10 ** (-span * random.uniform());
const some = (n: number, d: (i: number) => number, e: (i: number) => number): Bidiagonal => ({
  d: Array.from({ length: n }, (_, i) => d(i)),
  e: Array.from({ length: n - 1 }, (_, i) => e(i)),
});
const BIDIAGONAL: Record<string, (n: number) => Bidiagonal> = {
  "of a random matrix": (n) =>
    some(
      n,
      (i) => Math.sqrt(n - i) + 0.7 * random.normal(),
      (i) => Math.sqrt(n - i - 1) + 0.7 * random.normal(),
    ),
  uniform: (n) => some(n, random.uniform, random.uniform),
  constant: (n) =>
    some(
      n,
      () => 1,
      () => 1,
    ),
  "close to the identity": (n) =>
    some(
      n,
      () => 1,
      () => 1e-9 * random.normal(),
    ),
  "with rounding errors beside the diagonal": (n) =>
    some(
      n,
      () => (random.uniform() < 0.5 ? -1 : 1),
      () => 3e-16 * random.normal(),
    ),
  "graded down": (n) =>
    some(
      n,
      (i) => 10 ** ((-18 * i) / n),
      (i) => 10 ** ((-18 * i) / n),
    ),
  "graded up": (n) =>
    some(
      n,
      (i) => 10 ** ((18 * i) / n),
      (i) => 10 ** ((18 * i) / n),
    ),
  "small on the diagonal": (n) =>
    some(
      n,
      () => 1e-3 * random.uniform(),
      () => 1 + random.uniform(),
    ),
  "of all magnitudes": (n) =>
    some(
      n,
      () => decade(40),
      () => decade(40),
    ),
  "with zeros": (n) =>
    some(
      n,
      () => (random.uniform() < 0.2 ? 0 : random.normal()),
      () => (random.uniform() < 0.2 ? 0 : random.normal()),
    ),
  "of low rank": (n) =>
    some(
      n,
      (i) => (3 * i < n ? 1 : 1e-16) * random.normal(),
      (i) => (3 * i < n ? 1 : 1e-16) * random.normal(),
    ),
  "equal blocks, nearly separate": (n) =>
    some(
      n,
      (i) => 1 + (i % 10),
      (i) => (i % 10 === 9 ? 1e-8 : 1),
    ),
};

/** How many singular values lie below x > 0: negative pivots of [xI B; Bᵀ xI], whose leading minors alternate. */
function countBelow({ d, e }: Bidiagonal, x: number): number {
  // The Golub–Kahan form with zero diagonal and d₀, e₀, d₁, … beside it has σ and −σ as eigenvalues.
  let count = 0;
  let pivot = -x;
  for (let i = 0; i < 2 * d.length; i++) {
    if (pivot < 0) count++;
    const beside = i % 2 === 0 ? d[i / 2] : e[(i - 1) / 2];
    if (beside === undefined) break;
    pivot = -x - (beside * beside) / (pivot === 0 ? Number.MIN_VALUE : pivot);
  }
  return count - d.length;
}

for (const set of sets) {
  describe(`svd on the ${set.name} kernels`, () => {
    skipMissingKernels();
    const decompose = (A: Grid) => svd(A.data, A.m, A.n, set);
    const values = (A: Grid) => singularValues(A.data, A.m, A.n, set);

    it("decomposes every shape up to 20×20, and agrees with the oracle", () => {
      for (let m = 1; m <= 20; m++) {
        for (let n = 1; n <= 20; n++) {
          const A = normal(m, n);
          const found = decompose(A);
          expectDecomposes(A, found);
          expectValues(found.S, oracle(A));
          expect(values(A)).toEqual(found.S);
        }
      }
    });

    it.each([
      [31, 33],
      [64, 128],
      [127, 63],
      [129, 64],
      [200, 7],
      [131, 65],
      [137, 199],
      [1, 200],
      [321, 2],
    ])("decomposes %i×%i", (m, n) => {
      const A = normal(m, n);
      const found = decompose(A);
      expectDecomposes(A, found);
      expectValues(found.S, oracle(A));
      expect(values(A)).toEqual(found.S);
    });

    it("leaves its input and the memory as they were", () => {
      const A = normal(9, 30);
      const copy = A.data.slice();
      const mark = set.arena.mark();
      decompose(A);
      expect(A.data).toEqual(copy);
      expect(set.arena.mark()).toBe(mark);
    });

    it("gives the same bits again, whatever the memory held", () => {
      const A = normal(50, 23);
      const first = decompose(A);
      decompose(normal(61, 61));
      expect(decompose(A)).toEqual(first);
    });

    it.each([1, 2, 3, 10, 64, 101])("finds closed forms at n = %i", (n) => {
      const band = grid(n, n, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0));
      const steps = grid(n, n + 1, (i, j) => (j === i ? -1 : j === i + 1 ? 1 : 0));
      const lower = grid(n, n, (i, j) => (j <= i ? 1 : 0));
      expectValues(
        values(band),
        list(n, (k) => 2 + 2 * Math.cos(((k + 1) * Math.PI) / (n + 1))),
      );
      expectValues(
        values(steps),
        list(n, (k) => 2 * Math.cos(((k + 1) * Math.PI) / (2 * n + 2))),
      );
      expectValues(
        values(lower),
        list(n, (k) => 0.5 / Math.sin(((2 * k + 1) * Math.PI) / (4 * n + 2))),
      );
      const ones = values(grid(n, 2 * n, () => 1));
      expectValues(
        ones,
        list(n, (k) => (k === 0 ? Math.SQRT2 * n : 0)),
      );
    });

    it("finds the norms of Hilbert's and Kahan's matrices", () => {
      const hilbert = grid(10, 10, (i, j) => 1 / (i + j + 1));
      const kahan = grid(10, 10, (i, j) => (j < i ? 0 : Math.sin(1.2) ** i * (j === i ? 1 : -Math.cos(1.2))));
      expect(Math.abs(values(hilbert)[0] - 1.7519196702651776)).toBeLessThanOrEqual(20 * EPS);
      expect(Math.abs(values(kahan)[0] - 1.805114909165647)).toBeLessThanOrEqual(20 * EPS);
    });

    it.each<[string, (i: number, k: number) => number]>([
      ["all equal", () => 1],
      ["two groups", (i, k) => (i < k / 2 ? 1 : 0.25)],
      ["groups of five", (i) => 9 - Math.floor(i / 5)],
      ["the first two equal", (i) => (i < 2 ? 1 : 0.5 ** i)],
      ["a cluster of gap 1e-6", (i) => 1 - 1e-6 * i],
      ["a cluster of gap 1e-13", (i) => 1 - 1e-13 * i],
      ["graded by 0.9", (i) => 0.9 ** i],
      ["graded by 0.1", (i) => 0.1 ** i],
      ["rank one", (i) => (i === 0 ? 1 : 0)],
      ["rank half", (i, k) => (i < k / 2 ? 1 + i : 0)],
      ["noise beside a tie", (i, k) => (i < k / 2 ? 1 : 1e-15)],
    ])("keeps its accuracy with %s", (_, sigma) => {
      for (const [m, n] of [
        [12, 12],
        [45, 40],
        [20, 90],
      ]) {
        const k = Math.min(m, n);
        const A = withValues(m, n, (i) => sigma(i, k));
        const found = decompose(A);
        expectDecomposes(A, found);
        expectValues(
          found.S,
          list(k, (i) => sigma(i, k)),
        );
      }
    });

    it("takes Hadamard's, identity and permuted identity matrices", () => {
      const bits = (x: number): number => (x === 0 ? 0 : (x & 1) ^ bits(x >> 1));
      for (const n of [2, 16, 64]) {
        const A = grid(n, n, (i, j) => (bits(i & j) ? -1 : 1));
        expectDecomposes(A, decompose(A));
        expectValues(
          values(A),
          list(n, () => Math.sqrt(n)),
        );
        const P = grid(n, n, (i, j) => (j === (i * 3 + 1) % n ? -1 : 0));
        expectDecomposes(P, decompose(P));
      }
      expect(values(diagonal(7, 30, () => 1))).toEqual(new Float64Array(7).fill(1));
    });

    it("gives orthonormal vectors for zero matrices", () => {
      for (const [m, n] of [
        [1, 1],
        [5, 5],
        [3, 40],
        [150, 4],
      ]) {
        const A = grid(m, n, () => 0);
        const found = decompose(A);
        expect(found.S.every((x) => x === 0)).toBe(true);
        expectDecomposes(A, found);
      }
    });

    it("keeps diagonal matrices exact, in any order and sign", () => {
      const d = [0, -3, 1e-20, 7, 7, -1e-150, 0, 2];
      expect([...values(diagonal(8, 8, (i) => d[i]))]).toEqual([7, 7, 3, 2, 1e-20, 1e-150, 0, 0]);
      expect([...values(diagonal(20, 8, (i) => d[i]))]).toEqual([7, 7, 3, 2, 1e-20, 1e-150, 0, 0]);
    });

    it("takes bidiagonal matrices with zeros on the diagonal", () => {
      for (let n = 2; n < 40; n += 3) {
        for (const at of [0, n >> 1, n - 1]) {
          const A = grid(n, n, (i, j) => (j === i ? (i === at ? 0 : 1 + (i % 3)) : j === i + 1 ? 1 : 0));
          expectDecomposes(A, decompose(A));
          expect(values(A)[n - 1]).toBeLessThanOrEqual(allowed(n) * values(A)[0]);
        }
      }
    });

    for (const [name, make] of Object.entries(BIDIAGONAL))
      it(`finds the singular values of bidiagonal matrices, ${name}`, () => {
        for (const n of [...Array.from({ length: 60 }, (_, i) => 1 + (i % 12)), 17, 33, 64, 65, 200, 301]) {
          const B = make(n);
          const S = values(grid(n, n, (i, j) => (j === i ? B.d[i] : j === i + 1 ? B.e[i] : 0)));
          // Counts are those of entries that are wrong by up to ε of themselves, which moves values by up to 2ε·σ₁:
          // here, in the kernels, and 2ε·σ₁ for the interval at which they stop.
          // The reference knows nothing of bidiagonal matrices.
          const off = (set.name === "reference" ? allowed(n) : 6.5 * EPS) * S[0];
          for (let k = 0; k < n; k++) {
            if (S[k] > off) expect(countBelow(B, S[k] - off), `${n}: ${k}`).toBeLessThanOrEqual(n - 1 - k);
            if (S[0] > 0) expect(countBelow(B, S[k] + off), `${n}: ${k}`).toBeGreaterThanOrEqual(n - k);
          }
        }
      });

    it("takes rows and columns of very different size", () => {
      for (const span of [20, 150, 300]) {
        const A = grid(24, 17, (i) => random.normal() * 10 ** ((-span * i) / 23));
        expectDecomposes(A, decompose(A));
        const B = transposed(grid(90, 12, (i) => random.normal() * 10 ** ((-span * ((i * 7) % 90)) / 89)));
        expectDecomposes(B, decompose(B));
        const C = grid(12, 12, (i) => random.normal() * (i % 2 === 0 ? 1e150 : 1e-150));
        expectDecomposes(C, decompose(C), 2 ** 499);
      }
    });

    it("scales exactly by powers of two, from subnormal numbers to the largest", () => {
      const A = normal(30, 11);
      const base = decompose(A);
      for (const power of [-996, -600, -1, 1, 449, 700, 1018]) {
        const unit = 2 ** power;
        const scaled = decompose({ ...A, data: A.data.map((x) => x * unit) });
        expect(scaled.S).toEqual(base.S.map((x) => x * unit));
        expect(scaled.U).toEqual(base.U);
        expect(scaled.V).toEqual(base.V);
      }
      const tiny = grid(9, 9, (i, j) => Math.round(50 * Math.sin(i * 9 + j)) * 2 ** -1074);
      const lifted = tiny.data.map((x) => x * 2 ** 900);
      expectDecomposes(
        { ...tiny, data: lifted },
        { ...decompose(tiny), S: values({ ...tiny, data: lifted }) },
        2 ** -174,
      );
      expect(values(diagonal(3, 3, () => 2 ** -1074))).toEqual(new Float64Array(3).fill(2 ** -1074));
    });

    it("says Infinity for a value beyond the largest double", () => {
      const found = values(grid(4, 4, (i, j) => (i < 2 && j < 2 ? 1.7e308 : i === j ? 1 : 0)));
      expect(found[0]).toBe(Number.POSITIVE_INFINITY);
      expect(Number.isFinite(found[1])).toBe(true);
    });

    it("has values that transposing and orthogonal factors leave alone", () => {
      const A = normal(40, 26);
      expectValues(values(transposed(A)), values(A));
      expectValues(values(times(orthonormal(40, 40), A)), values(A));
      expectValues(values(times(A, orthonormal(26, 26))), values(A));
    });
  });
}

it("both kernels agree, to what rounding allows", () => {
  for (const [m, n] of [
    [17, 17],
    [90, 45],
    [45, 91],
    [33, 60],
  ]) {
    const A = normal(m, n);
    const [one, other] = sets.map((set) => svd(A.data, m, n, set));
    expectValues(other.S, one.S);
  }
});

it("keeps its sums short on a very tall matrix", () => {
  const m = 40000;
  const A = grid(m, 2, (_, j) => (j === 0 ? 0.1 : 0.3));
  for (const set of sets)
    expectValues(singularValues(A.data, m, 2, set), [Math.sqrt(m * (0.1 * 0.1 + 0.3 * 0.3)), 0]);
});
