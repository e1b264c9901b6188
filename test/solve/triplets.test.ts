import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  coo,
  csr,
  kyFanNorm,
  type LinearOperator,
  linearOperator,
  matrixNorm,
  rowPanels,
  type SingularTriplets,
  schattenNorm,
  singularTriplet,
  singularTriplets,
  svdvals,
} from "../../src/index.js";
import { withKernelBudget } from "../../src/kernels/budget.js";
import { basisFor } from "../../src/solve/leading.js";
import { leastMemory } from "../../src/solve/panel-action.js";
import { skipMissingKernels, WAYS } from "../kernels/sets.js";
import { gradientDistance, type Known, normalMatrix, withSpectrum } from "../matrices.js";
import { singularValuesOf } from "../operators/adjoint.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";

type Entries = { data: ArrayLike<number>; shape: [number, number] };

const EPSILON = { float32: 2 ** -23, float64: 2 ** -52 };

/** What `converged` stands for: residuals this many ε·σ₁ are all that a type has. */
function floor(dtype: keyof typeof EPSILON, length: number): number {
  return dtype === "float32" ? 16 * EPSILON.float32 : (32 + 4 * Math.sqrt(length)) * EPSILON.float64;
}

/** The i-th residual, measured. */
function residualOf({ data, shape: [m, n] }: Entries, t: SingularTriplets, p: number): number {
  let square = 0;
  for (let i = 0; i < m; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += data[i * n + j] * t.v.data[p * n + j];
    square += (sum - t.sigma[p] * t.u.data[p * m + i]) ** 2;
  }
  for (let j = 0; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < m; i++) sum += data[i * n + j] * t.u.data[p * m + i];
    square += (sum - t.sigma[p] * t.v.data[p * n + j]) ** 2;
  }
  return Math.sqrt(square);
}

/** How far rows are from orthonormal, at most. */
function skew({ data, shape: [k, n] }: { data: ArrayLike<number>; shape: number[] }): number {
  let most = 0;
  for (let a = 0; a < k; a++)
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += data[a * n + j] * data[b * n + j];
      most = Math.max(most, Math.abs(sum - (a === b ? 1 : 0)));
    }
  return most;
}

/** All that is promised of triplets that have converged, at the default tolerance. */
function expectTriplets(
  t: SingularTriplets,
  A: Entries,
  values: ArrayLike<number>,
  k: number,
  name = "",
): void {
  const [m, n] = A.shape;
  const dtype = A.data instanceof Float32Array ? "float32" : "float64";
  const epsilon = EPSILON[dtype];
  const scale = values[0];
  expect([t.converged, t.sigma.length], name).toEqual([true, k]);
  expect([t.u.shape, t.v.shape], name).toEqual([
    [k, m],
    [k, n],
  ]);
  const kind = dtype === "float32" ? Float32Array : Float64Array;
  expect([t.u.data.constructor, t.v.data.constructor], name).toEqual([kind, kind]);
  // Rounding each of n numbers by ε/2 turns two unit vectors by no more than ε; float64 adds the rounding of an SVD.
  const orthonormal = dtype === "float32" ? 2 * epsilon : (32 + 4 * Math.sqrt(m + n)) * epsilon;
  expect(skew(t.u), `${name} u`).toBeLessThan(orthonormal);
  expect(skew(t.v), `${name} v`).toBeLessThan(orthonormal);
  for (let i = 0; i < k; i++) {
    if (i > 0) expect(t.sigma[i], name).toBeLessThanOrEqual(t.sigma[i - 1]);
    // A residual bounds the distance to a singular value; the values given are good to float64.
    const limit = floor(dtype, m + n) * scale;
    expect(Math.abs(t.sigma[i] - values[i]), `${name} σ${i}`).toBeLessThanOrEqual(limit);
    expect(t.residual[i], `${name} residual ${i}`).toBeLessThanOrEqual(limit);
    // Measured in float64, in another order.
    const measured = residualOf(A, t, i);
    expect(Math.abs(measured - t.residual[i]), `${name} residual ${i}`).toBeLessThanOrEqual(
      (8 + Math.sqrt(m + n)) * 2 ** -52 * scale,
    );
  }
}

const single = (A: Known) => ({ data: Float32Array.from(A.data), shape: A.shape });

const SHAPES: [number, number][] = [
  [1, 1],
  [1, 9],
  [9, 1],
  [40, 50],
  [130, 97],
  [97, 130],
  [200, 66],
];

describe("against an SVD", () => {
  it.each(SHAPES)("normal %i×%i, for every k from 1 to all", (m, n) => {
    const A = normalMatrix(m, n, m + n);
    const values = singularValuesOf(A);
    const short = Math.min(m, n);
    for (const k of new Set([1, 2, 3, 10, short >> 1, short - 1, short]))
      for (const method of ["auto", "lanczos", "dense"] as const)
        if (k >= 1 && k <= short) {
          expectTriplets(singularTriplets(A, { k, method }), A, values, k, `${method} ${k}`);
          const B = { data: Float32Array.from(A.data), shape: A.shape };
          const rounded = svdvals(B);
          if (k <= 10)
            expectTriplets(singularTriplets(B, { k, method }), B, rounded, k, `${method} f32 ${k}`);
        }
  });

  it("says which way it went", () => {
    expect(singularTriplets(normalMatrix(64, 90, 1), { k: 3 })).toMatchObject({
      method: "dense",
      iterations: 0,
    });
    expect(singularTriplets(normalMatrix(90, 70, 1), { k: 3 }).method).toBe("lanczos");
    expect(singularTriplets(normalMatrix(90, 70, 1), { k: 30 }).method).toBe("dense");
  });

  it("k = 1 is singularTriplet", () => {
    for (const [m, n] of [
      [150, 110],
      [80, 200],
      [30, 20],
    ]) {
      const A = withSpectrum(m, n, (i) => 0.9 ** i, 4);
      const [one, several] = [singularTriplet(A), singularTriplets(A, { k: 1 })];
      expect(Math.abs(several.sigma[0] / one.sigma - 1)).toBeLessThan(1e-14);
      // Both are off by a residual of some ε over a gap of 0.1.
      const distance = gradientDistance({ u: several.u.data, v: several.v.data }, one);
      expect(distance).toBeLessThan(20 * floor("float64", m + n));
    }
  });

  it("its sum is the approximation of rank k, off by σ of k+1", () => {
    const A = withSpectrum(90, 80, (i) => 0.7 ** i, 5);
    const k = 6;
    const { sigma, u, v } = singularTriplets(A, { k });
    const rest = A.data.slice();
    for (let p = 0; p < k; p++)
      for (let i = 0; i < 90; i++)
        for (let j = 0; j < 80; j++) rest[i * 80 + j] -= sigma[p] * u.data[p * 90 + i] * v.data[p * 80 + j];
    expect(svdvals({ data: rest, shape: [90, 80] })[0]).toBeCloseTo(0.7 ** 6, 12);
  });
});

describe("hard spectra", () => {
  const spectra: [string, (i: number) => number][] = [
    ["graded by 2", (i) => 0.5 ** i],
    ["graded by 10", (i) => 10 ** -i],
    ["graded by 1000", (i) => 1000 ** -i],
    ["harmonic", (i) => 1 / (i + 1)],
    ["close together", (i) => 1 - 1e-3 * i],
    ["a pair", (i) => [1, 1][i] ?? 0.5 / i],
    ["three, one, five", (i) => [5, 5, 5, 4, 3, 3, 3, 3, 3][i] ?? 1 / i],
    ["ten equal", (i) => (i < 10 ? 1 : 0.5)],
    ["all equal", () => 1],
    ["a cluster of five within 1e-9", (i) => (i < 5 ? 1 - i * 1e-9 : 0.3 / i)],
    ["a cluster of seven within 1e-14, then less", (i) => (i < 7 ? 1 - i * 2e-15 : 0.9 ** i)],
    ["rank three", (i) => Math.max(3 - i, 0)],
    ["rank one and a tie of zeros", (i) => (i === 0 ? 1 : 0)],
  ];
  for (const [m, n] of [
    [150, 120],
    [100, 230],
  ])
    it.each(spectra)(`${m}×${n}: %s`, (_, spectrum) => {
      const A = withSpectrum(m, n, spectrum, 3);
      const values = Float64Array.from({ length: n }, (_, i) => spectrum(i))
        .sort()
        .reverse();
      for (const k of [2, 4, 8, 12]) {
        expectTriplets(singularTriplets(A, { k }), A, values, k, `float64 ${k}`);
        // Rounding to float32 moves every value by up to ‖A‖_F·ε/2, which is below the floor of 16ε.
        expectTriplets(singularTriplets(single(A), { k }), single(A), values, k, `float32 ${k}`);
      }
    });

  it("small singular values keep the digits that A's rounding leaves them, in spite of AᵀA", () => {
    const A = withSpectrum(140, 110, (i) => [1, 1e-5, 1e-9, 1e-12][i] ?? 1e-14, 6);
    const { sigma } = singularTriplets(A, { k: 4, method: "lanczos" });
    [1, 1e-5, 1e-9, 1e-12].forEach((value, i) => {
      expect(Math.abs(sigma[i] - value)).toBeLessThan(2e-15);
    });
  });

  it("more copies of a value than a block holds are all found, wherever they stand", () => {
    for (const [copies, first] of [
      [3, 0],
      [6, 2],
      [9, 1],
    ])
      for (let seed = 0; seed < 5; seed++) {
        const A = withSpectrum(
          120,
          100,
          (i) => (i < first ? 4 - i : i < first + copies ? 1 : 0.8 / (i + 1)),
          seed,
        );
        const { sigma } = singularTriplets(A, { k: first + copies + 1, seed });
        for (let i = 0; i < copies; i++) expect(Math.abs(sigma[first + i] - 1)).toBeLessThan(1e-13);
        expect(sigma[first + copies]).toBeLessThan(0.8);
      }
  });

  it("zero", () => {
    for (const [m, n] of [
      [3, 5],
      [90, 80],
    ])
      for (const data of [new Float64Array(m * n), new Float32Array(m * n)]) {
        const t = singularTriplets({ data, shape: [m, n] }, { k: 3 });
        expect([Array.from(t.sigma), Array.from(t.residual), t.converged]).toEqual([
          [0, 0, 0],
          [0, 0, 0],
          true,
        ]);
        expect(Math.max(skew(t.u), skew(t.v))).toBeLessThan(2 * EPSILON.float32);
      }
  });
});

skipMissingKernels();
describe.each(WAYS)("on $name", ({ begin }) => {
  let end: () => Promise<void>;
  beforeAll(async () => {
    end = await begin();
  });
  afterAll(() => end());

  it.each([
    [90, 77],
    [71, 130],
  ])("%i×%i", (m, n) => {
    for (const spectrum of [
      (i: number) => 0.8 ** i,
      (i: number) => [5, 5, 5, 4, 3, 3, 3][i] ?? 1 / i,
      (i: number) => [1, 0.5, 1e-3, 1e-7][i] ?? 0,
    ]) {
      const A = withSpectrum(m, n, spectrum, 3);
      const values = Array.from({ length: Math.min(m, n) }, (_, i) => spectrum(i));
      for (const B of [A, single(A)]) expectTriplets(singularTriplets(B, { k: 7 }), B, values, 7);
    }
  });

  it("beyond kernel memory, in panels", () => {
    const [m, n, k] = [70, 200, 40];
    const A = withSpectrum(m, n, (i) => 0.9 ** i, 5);
    const values = Array.from({ length: m }, (_, i) => 0.9 ** i);
    for (const B of [A, single(A)]) {
      const dtype = B.data instanceof Float32Array ? "float32" : "float64";
      const budget = leastMemory(m, n, dtype, false, basisFor(k));
      const t = withKernelBudget(budget, () => singularTriplets(B, { k, method: "lanczos" }));
      expectTriplets(t, B, values, k);
    }
  });
});

describe("at every scale", () => {
  it.each([1e-300, 1e-150, 1e150, 1e300])("%d·A", (scale) => {
    for (const [m, n] of [
      [20, 30],
      [100, 80],
    ]) {
      const A = withSpectrum(m, n, (i) => [1, 0.5, 0.5, 0.25, 1e-3][i] ?? 1e-3 / i, 2);
      const plain = singularTriplets(A, { k: 5 });
      const t = singularTriplets({ data: A.data.map((x) => scale * x), shape: A.shape }, { k: 5 });
      expect(t.converged).toBe(true);
      t.sigma.forEach((sigma, i) => {
        expect(Math.abs(sigma / scale - plain.sigma[i])).toBeLessThan(floor("float64", m + n));
        expect(t.residual[i] / scale).toBeLessThan(floor("float64", m + n));
      });
    }
  });

  it("takes the same steps where the scale is a power of two, to the same vectors", () => {
    const A = withSpectrum(100, 80, (i) => 0.9 ** i, 2);
    const plain = singularTriplets(A, { k: 5 });
    const t = singularTriplets({ data: A.data.map((x) => 2 ** 600 * x), shape: A.shape }, { k: 5 });
    expect(t).toEqual({
      ...plain,
      sigma: plain.sigma.map((x) => 2 ** 600 * x),
      residual: plain.residual.map((x) => 2 ** 600 * x),
    });
  });

  it("a norm beyond the largest double is an error", () => {
    const data = new Float64Array(100).fill(1.7e308);
    expectRefusal(() => singularTriplets({ data, shape: [10, 10] }, { k: 2 }), "ERR_OVERFLOW", "beyond");
  });
});

describe("every form of a matrix", () => {
  const [m, n] = [130, 90];
  const A = withSpectrum(m, n, (i) => 0.85 ** i, 7);
  const values = Array.from({ length: n }, (_, i) => 0.85 ** i);
  const k = 9;

  it("strided, sparse, operators, panels", () => {
    const columns = Float64Array.from({ length: m * n }, (_, p) => A.data[(p % m) * n + Math.floor(p / m)]);
    const bare: LinearOperator = {
      shape: [m, n],
      matvec(x, out) {
        for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i] += A.data[i * n + j] * x[j];
      },
      rmatvec(y, out) {
        for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j] += A.data[i * n + j] * y[i];
      },
    };
    const forms = {
      strided: { data: columns, shape: [m, n] as const, stride: [1, m] },
      sparse: csr({
        data: A.data,
        indices: A.data.map((_, p) => p % n),
        indptr: Float64Array.from({ length: m + 1 }, (_, i) => i * n),
        shape: [m, n],
      }),
      bare,
      panels: rowPanels({
        shape: [m, n],
        dtype: "float64",
        panelRows: 11,
        rows: (first, count) => A.data.subarray(first * n, (first + count) * n),
      }),
    };
    for (const [name, form] of Object.entries(forms))
      for (const method of ["auto", "dense"] as const)
        expectTriplets(singularTriplets(form, { k, method }), A, values, k, `${name} ${method}`);
  });

  it("sparse with few rows and columns in use", () => {
    const size = 4_000_000;
    const [rows, columns] = [
      [5, 70, 1000, 3_999_999],
      [0, 3, 9, 2_000_000],
    ];
    const diagonal = [3, 1, 4, 2];
    const sparse = coo({ data: diagonal, row: rows, col: columns, shape: [size, size] });
    const t = singularTriplets(sparse, { k: 3 });
    expect([t.u.shape, t.v.shape, t.converged]).toEqual([[3, size], [3, size], true]);
    [2, 0, 3].forEach((entry, p) => {
      const [u, v] = [t.u.data[p * size + rows[entry]], t.v.data[p * size + columns[entry]]];
      for (const [found, expected] of [
        [t.sigma[p], diagonal[entry]],
        [Math.abs(u), 1],
        [u * v, 1],
      ])
        expect(Math.abs(found - expected)).toBeLessThan(40 * 2 ** -52 * 4);
    });
    // More than there are rows in use: null vectors have to come from elsewhere.
    const small = coo({ data: diagonal, row: [1, 7, 8, 99], col: [0, 3, 9, 50], shape: [100, 90] });
    const dense = new Float64Array(9000);
    [1, 7, 8, 99].forEach((i, k) => {
      dense[i * 90 + [0, 3, 9, 50][k]] = diagonal[k];
    });
    const expected = Array.from({ length: 90 }, (_, i) => [4, 3, 2, 1][i] ?? 0);
    expectTriplets(singularTriplets(small, { k: 6 }), { data: dense, shape: [100, 90] }, expected, 6);
  });

  it("sparse, with more vectors than there are rows or columns in use", () => {
    const shapes: [number, number][] = [
      [1, 1],
      [2, 9],
      [9, 2],
      [1, 30],
      [30, 3],
    ];
    for (const [rows, columns] of shapes)
      for (const [height, width] of [
        [80, 90],
        [90, 80],
        [31, 31],
      ]) {
        const entries = Float64Array.from({ length: rows * columns }, (_, p) => Math.sin(1 + p * p));
        const dense = new Float64Array(height * width);
        const places = Array.from(entries, (_, p) => [
          (Math.floor(p / columns) * 7 + 5) % height,
          ((p % columns) * 7 + 2) % width,
        ]);
        places.forEach(([i, j], p) => {
          dense[i * width + j] = entries[p];
        });
        const sparse = coo({
          data: entries,
          row: places.map(([i]) => i),
          col: places.map(([, j]) => j),
          shape: [height, width],
        });
        const expected = svdvals({ data: dense, shape: [height, width] });
        for (const k of [3, 12, 31, Math.min(height, width)])
          for (const method of ["auto", "lanczos", "dense"] as const) {
            const t = singularTriplets(sparse, { k, method });
            expect(t.sigma.length).toBe(k);
            expectTriplets(
              t,
              { data: dense, shape: [height, width] },
              expected,
              k,
              `${rows}×${columns} ${k}`,
            );
          }
      }
    // All of a matrix with one entry: the vectors are what it takes, 2·k·n numbers.
    const single = coo({ data: new Float32Array([3]), row: [2], col: [1], shape: [2000, 2000] });
    const { sigma, u, v, passes } = singularTriplets(single, { k: 2000 });
    expect([sigma[0], sigma[1], sigma.length, u.shape]).toEqual([3, 0, 2000, [2000, 2000]]);
    expect(u.data).toBeInstanceOf(Float32Array);
    expect(v.data.filter((x) => x !== 0).length).toBe(2000);
    expect(passes).toBeLessThan(5);
  });

  it("panels of a wide matrix, whose space is that of its columns", () => {
    const W = withSpectrum(30, 200, (i) => 0.8 ** i, 7);
    const panels = rowPanels({
      shape: [30, 200],
      dtype: "float64",
      rows: (first, count) => W.data.subarray(first * 200, (first + count) * 200),
    });
    const expected = Array.from({ length: 30 }, (_, i) => 0.8 ** i);
    for (const method of ["auto", "lanczos"] as const)
      expectTriplets(singularTriplets(panels, { k, method }), W, expected, k, method);
  });

  it("panels are read once for all vectors", () => {
    let reads = 0;
    const panels = rowPanels({
      shape: [m, n],
      dtype: "float64",
      panelRows: m,
      rows() {
        reads++;
        return A.data;
      },
    });
    const { passes, iterations } = singularTriplets(panels, { k });
    expect([passes, reads]).toEqual([iterations + 2, iterations + 2]);
  });

  it("half precision is float32", () => {
    const bits = new Uint32Array(Float32Array.from(A.data).buffer);
    const data = Uint16Array.from(bits, (x) => x >>> 16);
    const widened = new Float32Array(new Uint32Array(Uint32Array.from(data, (x) => x << 16)).buffer);
    const t = singularTriplets({ data, dtype: "bfloat16", shape: [m, n] }, { k });
    const B = { data: widened, shape: [m, n] as [number, number] };
    expectTriplets(t, B, svdvals(B), k);
  });
});

describe("options", () => {
  const A = withSpectrum(120, 100, (i) => 0.95 ** i, 8);

  it("k has to be there, from 1 to min(m, n)", () => {
    for (const k of [undefined, 0, -1, 1.5, 101, "3", Number.NaN])
      expectRefusal(() => singularTriplets(A, { k } as never), "ERR_OPTION", "k: ", "100");
    expectRefusal(() => singularTriplets(A, undefined as never), "ERR_OPTION", "k: ");
    expectRefusal(
      () => singularTriplets(A, { k: 2, method: "power" } as never),
      "ERR_OPTION",
      "power",
      "lanczos",
    );
    expectRefusal(() => singularTriplets(A, { k: 2, tol: 1 } as never), "ERR_OPTION", "tol", "rtol");
    expectNonFinite(
      () =>
        singularTriplets(
          [
            [1, 2],
            [Number.NaN, 1],
          ],
          { k: 1 },
        ),
      1,
      0,
      "NaN",
    );
    expectRefusal(() => singularTriplets(A, { k: 2, start: [1, 2] }), "ERR_SHAPE", "start", "100");
  });

  it("a larger rtol takes fewer passes, and holds", () => {
    let before = Number.POSITIVE_INFINITY;
    for (const rtol of [1e-10, 1e-4, 1e-2]) {
      const t = singularTriplets(A, { k: 6, rtol });
      expect(t.converged).toBe(true);
      expect(Math.max(...t.residual)).toBeLessThanOrEqual(rtol);
      t.sigma.forEach((sigma, i) => {
        expect(Math.abs(sigma - 0.95 ** i)).toBeLessThanOrEqual(rtol);
      });
      expect(t.passes).toBeLessThan(before);
      before = t.passes;
    }
    const absolute = singularTriplets(A, { k: 6, atol: 1e-2 });
    expect(absolute.passes).toBeLessThanOrEqual(before);
  });

  it("too few steps are said, with the best so far", () => {
    for (const maxIterations of [1, 2, 3, 5, 8]) {
      const t = singularTriplets(A, { k: 6, maxIterations });
      expect([t.converged, t.iterations]).toEqual([false, maxIterations]);
      expect(Math.max(skew(t.u), skew(t.v))).toBeLessThan(1e-13);
      t.sigma.forEach((sigma, i) => {
        // Rayleigh–Ritz values are never above.
        expect(sigma).toBeLessThanOrEqual(0.95 ** i * (1 + 1e-14));
        expect(Math.abs(residualOf(A, t, i) - t.residual[i])).toBeLessThan(1e-14);
      });
    }
  });

  it("a start is not trusted, and a good one helps", () => {
    const all = singularTriplets(A, { k: 100 });
    const right = (i: number) => all.v.data.slice(i * 100, i * 100 + 100);
    const values = Array.from({ length: 100 }, (_, i) => 0.95 ** i);
    for (const start of [right(0), right(50), right(99), new Float64Array(100)])
      expectTriplets(singularTriplets(A, { k: 4, start }), A, values, 4);
    // Beside a start only one random vector is there to find the second copy of a value.
    const double = withSpectrum(120, 100, (i) => [3, 2, 2][i] ?? 1 / i, 9);
    const vectors = singularTriplets(double, { k: 100 }).v.data;
    const t = singularTriplets(double, { k: 4, start: vectors.slice(0, 100) });
    expectTriplets(t, double, [3, 2, 2, 1 / 3], 4);
  });

  it("the same input, options and kernels give the same bits; another seed other roundings", () => {
    expect(singularTriplets(A, { k: 5 })).toEqual(singularTriplets(A, { k: 5 }));
    const other = singularTriplets(A, { k: 5, seed: 1 });
    expect(other.sigma[4]).toBeCloseTo(0.95 ** 4, 13);
  });
});

describe("Schatten norms", () => {
  it("run from the nuclear norm over the Frobenius norm to the spectral norm", () => {
    const A = normalMatrix(40, 35, 1);
    const close = (found: number, expected: number) =>
      expect(Math.abs(found / expected - 1)).toBeLessThan(1e-14);
    close(schattenNorm(A, 1), matrixNorm(A, "nuc"));
    close(schattenNorm(A, 2), matrixNorm(A, "fro"));
    close(schattenNorm(A, Number.POSITIVE_INFINITY), matrixNorm(A, 2));
    close(schattenNorm(A, 1e4), matrixNorm(A, 2));
    const values = singularValuesOf(A);
    close(schattenNorm(A, 3.5), values.reduce((sum, x) => sum + x ** 3.5, 0) ** (1 / 3.5));
    for (const scale of [1e-300, 1e300])
      close(
        schattenNorm({ data: A.data.map((x) => x * scale), shape: A.shape }, 4) / scale,
        schattenNorm(A, 4),
      );
    expect(schattenNorm([[0, 0]], 3)).toBe(0);
  });

  it("refuse other orders, and what has no entries", () => {
    for (const p of [0.5, 0, -1, Number.NaN, "2"])
      expectRefusal(() => schattenNorm([[1]], p as never), "ERR_OPTION", "p: ");
    expectRefusal(() => schattenNorm([[1.7e308, 1.7e308]], 3), "ERR_OVERFLOW", "schattenNorm");
    expectRefusal(() => schattenNorm(linearOperator([[1]]) as never, 3), "ERR_UNSUPPORTED", "kyFanNorm");
  });
});

describe("Ky Fan norms", () => {
  it("run from the spectral to the nuclear norm", () => {
    const A = normalMatrix(80, 75, 1);
    const values = singularValuesOf(A);
    const close = (found: number, expected: number) =>
      expect(Math.abs(found / expected - 1)).toBeLessThan(1e-13);
    for (const k of [1, 3, 20, 75])
      close(
        kyFanNorm(A, k),
        values.slice(0, k).reduce((a, b) => a + b),
      );
    close(kyFanNorm(A, 1), matrixNorm(A, 2));
    close(kyFanNorm(A, 75), matrixNorm(A, "nuc"));
    for (const options of [-1, "dense", null])
      expectRefusal(() => kyFanNorm(A, 1, options as never), "ERR_OPTION", "options");
  });

  it("refuse what singularTriplets refuses", () => {
    expectRefusal(() => kyFanNorm([[1, 2]], 2), "ERR_OPTION", "k: ", "= 1");
    expectRefusal(() => kyFanNorm([[1, 2]], 1, { k: 2 } as never), "ERR_OPTION", "k: ");
    const large = [
      [1.7e308, 0],
      [0, 1.7e308],
    ];
    expect(kyFanNorm(large, 1)).toBeCloseTo(1.7e308, -300);
    expectRefusal(() => kyFanNorm(large, 2), "ERR_OVERFLOW", "kyFanNorm");
  });
});
