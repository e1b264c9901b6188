import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Kernels } from "../../src/kernels/contract.js";
import { eigenWork, LANES } from "../../src/kernels/contract.js";
import { divided } from "../../src/kernels/parallel.js";
import { wasmKernels } from "../../src/kernels/wasm/instance.js";
import { padTo } from "../../src/numerics/padding.js";
import { createRandom } from "../../src/numerics/random.js";
import { KERNEL_SETS, skipMissingKernels, WASM_SETS } from "./sets.js";

const EPS = { single: 2 ** -23, double: 2 ** -52 };

/** A padded rows×cols matrix of normal numbers in the kernels' memory. */
function matrixIn(kernels: Kernels, rows: number, cols: number, single: boolean, seed: number) {
  const { arena } = kernels;
  const random = createRandom(seed);
  const paddedRows = padTo(rows, 4);
  const paddedCols = padTo(cols, LANES);
  const bytes = single ? 4 : 8;
  const pointer = arena.take(paddedRows * paddedCols * bytes);
  const view = (single ? arena.f32 : arena.f64)(pointer, paddedRows * paddedCols);
  view.fill(0);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) view[i * paddedCols + j] = random.normal();
  return { pointer, paddedRows, paddedCols, lda: paddedCols * bytes };
}

function vectorIn(kernels: Kernels, length: number, single: boolean, seed: number, used = length): number {
  const { arena } = kernels;
  const random = createRandom(seed);
  const pointer = arena.take(length * (single ? 4 : 8));
  const view = (single ? arena.f32 : arena.f64)(pointer, length);
  view.fill(0);
  for (let i = 0; i < used; i++) view[i] = random.normal();
  return pointer;
}

/** Runs the same on both sets and returns what each wrote. */
function both<T>(make: () => Kernels, run: (kernels: Kernels) => T): [T, T] {
  return [run(make()), run(KERNEL_SETS[0].make())];
}

function expectClose(a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): void {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) {
    if (!(Math.abs(a[i] - b[i]) <= tolerance))
      expect.fail(`element ${i}: ${a[i]} against ${b[i]}, beyond ${tolerance}`);
  }
}

const shape = fc.record({
  rows: fc.integer({ min: 1, max: 70 }),
  cols: fc.integer({ min: 1, max: 300 }),
  width: fc.constantFrom(1, 2),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

// A sum of n products of normal numbers is off by at most about n·ε of the sum of their sizes; the kernels block
// theirs, so n is a block's length, and sizes stay below 5.
const dotTolerance = (n: number, eps: number) => 25 * Math.min(n, 256) * Math.max(1, n / 256) * eps;

skipMissingKernels();
describe.each(WASM_SETS)("$name against the plain loops", ({ make }) => {
  for (const single of [true, false]) {
    const type = single ? "32" : "64";
    const eps = single ? EPS.single : EPS.double;

    it(`multiply${single ? "Wide" : type}`, () => {
      fc.assert(
        fc.property(shape, ({ rows, cols, width, seed }) => {
          const [a, b] = both(make, (kernels) => {
            const A = matrixIn(kernels, rows, cols, single, seed);
            const x = vectorIn(kernels, 2 * A.paddedCols, false, seed + 1);
            const y = kernels.arena.take(8 * width * A.paddedRows);
            const multiply = single ? kernels.routines.multiplyWide : kernels.routines.multiply64;
            multiply(A.pointer, A.lda, A.paddedRows, A.paddedCols, x, 8 * A.paddedCols, width, y);
            return kernels.arena.f64(y, width * A.paddedRows).slice();
          });
          expectClose(a, b, dotTolerance(cols, EPS.double));
        }),
        { numRuns: 60 },
      );
    });

    it(`multiplyTransposed${type}, and scratch is zero again`, () => {
      fc.assert(
        fc.property(shape, ({ rows, cols, width, seed }) => {
          const [a, b] = both(make, (kernels) => {
            const A = matrixIn(kernels, rows, cols, single, seed);
            const y = vectorIn(kernels, width * A.paddedRows, false, seed + 1);
            const scratch = vectorIn(kernels, width * A.paddedCols, false, 0, 0);
            const z = vectorIn(kernels, width * A.paddedCols, false, seed + 2);
            const back = single
              ? kernels.routines.multiplyTransposedWide
              : kernels.routines.multiplyTransposed64;
            back(A.pointer, A.lda, A.paddedRows, A.paddedCols, y, width, scratch, z);
            const left = kernels.arena.f64(scratch, width * A.paddedCols);
            expect(left.every((value) => value === 0)).toBe(true);
            return kernels.arena.f64(z, width * A.paddedCols).slice();
          });
          expectClose(a, b, dotTolerance(rows, eps) + 10 * eps);
        }),
        { numRuns: 60 },
      );
    });

    it(`normalMatvec${type} is multiplyTransposed of multiply`, () => {
      fc.assert(
        fc.property(shape, fc.integer({ min: 1, max: 4 }), ({ rows, cols, seed }, width) => {
          const [a, b] = both(make, (kernels) => {
            const { arena, routines } = kernels;
            const A = matrixIn(kernels, rows, cols, single, seed);
            const x = vectorIn(kernels, width * A.paddedCols, single, seed + 1);
            const t = arena.take(64);
            const scratch = vectorIn(kernels, width * A.paddedCols, single, 0, 0);
            const z = vectorIn(kernels, width * A.paddedCols, false, 0, 0);
            const gram = single ? routines.normalMatvec32 : routines.normalMatvec64;
            gram(A.pointer, A.lda, A.paddedRows, A.paddedCols, x, A.lda, width, t, scratch, z);
            return arena.f64(z, width * A.paddedCols).slice();
          });
          // A second sum, of rows terms as large as a dot product.
          expectClose(
            a,
            b,
            5 * Math.sqrt(cols) * dotTolerance(rows, eps) + 5 * Math.sqrt(rows) * dotTolerance(cols, eps),
          );
        }),
        { numRuns: 60 },
      );
    });

    it(`syrk${type}`, () => {
      fc.assert(
        fc.property(shape, ({ rows, cols, seed }) => {
          const [a, b] = both(make, (kernels) => {
            const A = matrixIn(kernels, rows, cols, single, seed);
            const n = A.paddedRows;
            const c = vectorIn(kernels, n * n, false, 0, 0);
            const syrk = single ? kernels.routines.syrk32 : kernels.routines.syrk64;
            syrk(A.pointer, A.lda, n, A.paddedCols, kernels.arena.take(64), c, n);
            const C = kernels.arena.f64(c, n * n);
            const lower: number[] = [];
            for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) lower.push(C[i * n + j]);
            return lower;
          });
          expectClose(a, b, dotTolerance(cols, eps));
        }),
        { numRuns: 40 },
      );
    });

    it(`rotateBasis${type}, scale${type}, ger${type}`, () => {
      fc.assert(
        fc.property(shape, fc.integer({ min: 1, max: 24 }), ({ rows, cols, seed }, keep) => {
          const k = padTo(Math.max(rows, keep), 4);
          const [a, b] = both(make, (kernels) => {
            const { arena, routines } = kernels;
            const Q = matrixIn(kernels, k, cols, single, seed);
            const y = vectorIn(kernels, k * keep, false, seed + 1);
            const strip = arena.take(256 * keep);
            (single ? routines.rotateBasis32 : routines.rotateBasis64)(
              Q.pointer,
              Q.lda,
              k,
              Q.paddedCols,
              y,
              keep,
              strip,
            );
            (single ? routines.scale32 : routines.scale64)(Q.pointer, Q.paddedCols, 0.25);
            const g = arena.take(keep * cols * (single ? 4 : 8));
            (single ? routines.ger32 : routines.ger64)(Q.pointer, Math.min(keep, cols), Q.pointer, cols, g);
            const view = single ? arena.f32 : arena.f64;
            return [
              ...view(Q.pointer, keep * Q.paddedCols),
              ...view(g, Math.min(keep, cols) * cols).map((value) => value / 100),
            ];
          });
          expectClose(a, b, dotTolerance(k, eps));
        }),
        { numRuns: 30 },
      );
    });

    it(`transpose${type} is exact, into a wider matrix too`, () => {
      fc.assert(
        fc.property(shape, ({ rows, cols, seed }) => {
          const [m, n] = [padTo(rows, 4), padTo(cols, 4)];
          const kernels = make();
          const bytes = single ? 4 : 8;
          const a = vectorIn(kernels, m * n, single, seed);
          const ldb = (m + 4) * bytes;
          const b = vectorIn(kernels, n * (m + 4), single, 0, 0);
          (single ? kernels.routines.transpose32 : kernels.routines.transpose64)(a, m, n, b, ldb);
          const view = single ? kernels.arena.f32 : kernels.arena.f64;
          const [A, B] = [view(a, m * n), view(b, n * (m + 4))];
          for (let i = 0; i < m; i++)
            for (let j = 0; j < n; j++)
              if (B[j * (m + 4) + i] !== A[i * n + j]) expect.fail(`element ${i}, ${j}`);
          for (let j = 0; j < n; j++) for (let i = m; i < m + 4; i++) expect(B[j * (m + 4) + i]).toBe(0);
        }),
        { numRuns: 40 },
      );
    });

    it(`spreadRows copies rows of float${type} and fills the rest with zeros`, () => {
      fc.assert(
        fc.property(shape, fc.integer({ min: 0, max: 20 }), ({ rows, cols, seed }, more) => {
          const kernels = make();
          const bytes = single ? 4 : 8;
          const ldb = cols + more;
          const a = vectorIn(kernels, rows * cols, single, seed);
          const b = vectorIn(kernels, rows * ldb, single, seed + 1);
          kernels.routines.spreadRows(a, rows, cols * bytes, b, ldb * bytes);
          const view = single ? kernels.arena.f32 : kernels.arena.f64;
          const A = view(a, rows * cols);
          view(b, rows * ldb).forEach((value, k) => {
            const [i, j] = [Math.floor(k / ldb), k % ldb];
            if (value !== (j < cols ? A[i * cols + j] : 0)) expect.fail(`element ${i}, ${j}`);
          });
        }),
        { numRuns: 40 },
      );
    });

    it(`largest${type} finds the largest, and any NaN or infinity`, () => {
      fc.assert(
        fc.property(
          fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1000, max: 5000 })),
          fc.nat(),
          fc.constantFrom(undefined, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
          (groups, where, spoilt) => {
            const kernels = make();
            const length = groups * LANES;
            const x = vectorIn(kernels, length, single, where);
            const view = (single ? kernels.arena.f32 : kernels.arena.f64)(x, length);
            if (spoilt !== undefined) view[where % length] = spoilt;
            const sum = kernels.arena.take(8);
            const largest = (single ? kernels.routines.largest32 : kernels.routines.largest64)(
              x,
              length,
              sum,
            );
            if (spoilt === undefined) {
              expect(largest).toBe(Math.max(...Array.from(view, Math.abs)));
              let squares = 0;
              for (const value of view) squares += value * value;
              expect(Math.abs(kernels.arena.f64(sum, 1)[0] / squares - 1)).toBeLessThan(2 ** -14);
            } else expect(largest).toBeNaN();
          },
        ),
      );
    });
  }

  it("the Wide products compute in float64", () => {
    const [a, b] = both(make, (kernels) => {
      const { arena, routines } = kernels;
      const A = matrixIn(kernels, 37, 123, true, 5);
      const x = vectorIn(kernels, A.paddedCols, false, 6, 123);
      const y = vectorIn(kernels, A.paddedRows, false, 7, 37);
      const scratch = vectorIn(kernels, A.paddedCols, false, 0, 0);
      const z = vectorIn(kernels, A.paddedCols, false, 0, 0);
      const out = arena.take(8 * A.paddedRows);
      routines.multiplyWide(A.pointer, A.lda, A.paddedRows, A.paddedCols, x, 0, 1, out);
      routines.multiplyTransposedWide(A.pointer, A.lda, A.paddedRows, A.paddedCols, y, 1, scratch, z);
      return [...arena.f64(out, 37), ...arena.f64(z, 123)];
    });
    expectClose(a, b, dotTolerance(123, EPS.double));
  });
});

/** Random matrices of the test of double values. */
const TRIALS = 2000;

describe.each(KERNEL_SETS)("eigenLargest of $name", ({ make }) => {
  /** Residual ‖Ax − λx‖ and the loss of orthogonality, over all wanted pairs. */
  function check(n: number, entry: (i: number, j: number) => number, wanted: number, kernels = make()) {
    const { arena, routines } = kernels;
    const mark = arena.mark();
    const lda = n + (n & 1);
    const a = arena.take(8 * n * lda);
    const values = arena.take(8 * wanted);
    const vectors = arena.take(8 * wanted * lda);
    const work = arena.take(8 * eigenWork(n));
    const A = arena.f64(a, n * lda);
    A.fill(Number.NaN); // the upper triangle must not be read
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) A[i * lda + j] = entry(i, j);
    routines.eigenLargest(a, lda, n, wanted, wanted, values, vectors, lda, work);
    const found = arena.f64(values, wanted).slice();
    const X = Array.from({ length: wanted }, (_, p) => arena.f64(vectors + 8 * p * lda, n).slice());
    arena.release(mark);
    let residual = 0;
    let overlap = 0;
    X.forEach((x, p) => {
      let square = 0;
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += (j <= i ? entry(i, j) : entry(j, i)) * x[j];
        square += (sum - found[p] * x[i]) ** 2;
      }
      residual = Math.max(residual, Math.sqrt(square));
      X.forEach((y, q) => {
        let dot = 0;
        for (let i = 0; i < n; i++) dot += x[i] * y[i];
        overlap = Math.max(overlap, Math.abs(dot - (p === q ? 1 : 0)));
      });
    });
    return { values: found, residual, overlap };
  }
  // Householder's reduction and the rest are backward stable: c·n·ε‖A‖, with c of a few.
  const tolerance = (n: number, norm: number) => 8 * n * EPS.double * norm;

  it.each([1, 2, 3, 4, 5, 7, 8, 13, 24, 33, 64, 66])("tridiagonal (−1, 2, −1) of order %i", (n) => {
    const wanted = Math.min(n, 5);
    const { values, residual, overlap } = check(n, (i, j) => (i === j ? 2 : i === j + 1 ? -1 : 0), wanted);
    for (let p = 0; p < wanted; p++)
      expect(Math.abs(values[p] - (2 + 2 * Math.cos(((p + 1) * Math.PI) / (n + 1))))).toBeLessThan(
        tolerance(n, 4),
      );
    expect(residual).toBeLessThan(tolerance(n, 4));
    expect(overlap).toBeLessThan(tolerance(n, 4));
  });

  it("finds values where a count meets a pivot of zero", () => {
    // At 2, an eigenvalue of the leading 2×2 block, the count of larger eigenvalues was once one too low.
    const entries = [
      [0, -2, 0],
      [-2, 0, -1],
      [0, -1, -1],
    ];
    const { arena, routines } = make();
    const a = arena.take(8 * 3 * 4);
    const values = arena.take(8 * 3);
    const work = arena.take(8 * eigenWork(3));
    for (const full of [0, 3]) {
      const A = arena.f64(a, 12);
      for (let i = 0; i < 3; i++) for (let j = 0; j <= i; j++) A[4 * i + j] = entries[i][j];
      const vectors = arena.take(8 * 12);
      routines.eigenLargest(a, 4, 3, 3, full, values, vectors, 4, work);
      const [first] = arena.f64(values, 3);
      // The largest root of λ³ + λ² − 5λ − 4, whose slope there is 13.4.
      expect(Math.abs(((first + 1) * first - 5) * first - 4)).toBeLessThan(13 * tolerance(3, 3));
      expect(first).toBeGreaterThan(2.1);
    }
  });

  it("finds two vectors of each double value, however the rounding falls", () => {
    const kernels = make();
    const random = createRandom(11);
    // A vector of a double value was lost once in several hundred of these matrices.
    for (let trial = 0; trial < TRIALS; trial++) {
      const n = 8 + Math.floor(33 * random.uniform());
      const A = Array.from({ length: n }, (_, i) =>
        Float64Array.from({ length: n }, (_, j) => (i === j && i < 6 ? 3 - Math.floor(i / 2) : 0)),
      );
      for (let k = 0; k < 3; k++) {
        // A ← H·A·H with a reflection H = I − 2ww/‖w‖².
        const w = Float64Array.from({ length: n }, () => random.normal());
        const c = 2 / w.reduce((sum, x) => sum + x * x, 0);
        const p = A.map((row) => c * row.reduce((sum, x, j) => sum + x * w[j], 0));
        const along = (c / 2) * p.reduce((sum, x, j) => sum + x * w[j], 0);
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) A[i][j] -= w[i] * (p[j] - along * w[j]) + (p[i] - along * w[i]) * w[j];
      }
      const { residual, overlap, values } = check(n, (i, j) => A[i][j], 6, kernels);
      values.forEach((value, p) => {
        expect(Math.abs(value - (3 - Math.floor(p / 2)))).toBeLessThan(tolerance(n, 3));
      });
      const which = `trial ${trial}, order ${n}`;
      expect(overlap, which).toBeLessThan(tolerance(n, 1));
      // A vector of a double value may lose half of its digits when the other one is taken out.
      expect(residual, which).toBeLessThan(Math.sqrt(EPS.double));
    }
  });

  it.each([1, 2, 5, 16, 31, 64])("random symmetric of order %i, all pairs", (n) => {
    const random = createRandom(n);
    const entries = Float64Array.from({ length: n * n }, () => random.normal());
    const { residual, overlap, values } = check(n, (i, j) => entries[i * n + j], n);
    expect(residual).toBeLessThan(tolerance(n, 2 * Math.sqrt(n) + 3));
    expect(overlap).toBeLessThan(tolerance(n, 10));
    expect([...values]).toEqual([...values].sort((a, b) => b - a));
  });

  it("tridiagonal but for small entries, which count", () => {
    for (const small of [1e-6, 1e-8, 1e-9, 1e-11, 1e-15])
      for (const n of [3, 6, 20, 40]) {
        const random = createRandom(n);
        const band = (i: number, j: number) => (i === j ? 2 + random.uniform() : i === j + 1 ? 1 : 0);
        const entries = Float64Array.from(
          { length: n * n },
          (_, k) => band(Math.floor(k / n), k % n) + small * random.normal(),
        );
        const { residual, overlap } = check(n, (i, j) => entries[i * n + j], n);
        expect(residual, `${small}, order ${n}`).toBeLessThan(tolerance(n, 5));
        expect(overlap).toBeLessThan(tolerance(n, 10));
      }
  });

  it("ties of every multiplicity, the zero matrix and rank one", () => {
    for (const n of [2, 3, 9, 32])
      for (const multiplicity of [1, 2, n - 1, n]) {
        const { values, residual, overlap } = check(
          n,
          (i, j) => (i === j ? (i < multiplicity ? 3 : 1) : 0),
          n,
        );
        for (let p = 0; p < n; p++)
          expect(Math.abs(values[p] - (p < multiplicity ? 3 : 1))).toBeLessThan(tolerance(n, 3));
        expect(residual).toBeLessThan(tolerance(n, 3));
        expect(overlap).toBeLessThan(tolerance(n, 3));
      }
    const zero = check(6, () => 0, 2);
    expect(Math.max(...zero.values.map(Math.abs))).toBeLessThan(1e-290);
    expect(zero.overlap).toBeLessThan(1e-13);
    const one = check(20, () => 1, 2);
    expect(Math.abs(one.values[0] - 20)).toBeLessThan(tolerance(20, 20));
  });
});

/** What IEEE 754 and the upper half of a float32 say that 16 bits mean. */
const MEANING = {
  float16(bits: number): number {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
  },
  bfloat16(bits: number): number {
    return new Float32Array(Uint32Array.of(bits * 65536).buffer)[0];
  },
};
const HALVES = ["float16", "bfloat16"] as const;
type Half = (typeof HALVES)[number];

/** A matrix of 16-bit numbers of up to 4 in magnitude as the products take it, and the same in float32. */
function halvesIn(kernels: Kernels, type: Half, rows: number, cols: number, seed: number) {
  const { arena, routines } = kernels;
  const random = createRandom(seed);
  const [m, n] = [padTo(rows, 4), padTo(cols, LANES)];
  const pointer = arena.take(2 * m * n);
  const wide = arena.take(4 * m * n);
  const bits = arena.u16(pointer, m * n);
  bits.fill(0);
  const most = type === "float16" ? 0x4400 : 0x4080;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++)
      bits[i * n + j] = Math.floor(random.uniform() * most) | (random.uniform() < 0.5 ? 0x8000 : 0);
  arena.f32(wide, m * n).set(Array.from(bits, MEANING[type]));
  if (type === "float16") routines.prescale16(pointer, m * n);
  return { pointer, wide, m, n, kind: type === "bfloat16" ? 1 : 0 };
}

describe.each(KERNEL_SETS)("half precision of $name", ({ make }) => {
  describe.each(HALVES)("%s", (type) => {
    it("widens every one of the 65536 patterns exactly, in place too", () => {
      const { arena, routines } = make();
      const a = arena.take(4 * 65536);
      for (const target of [a, arena.take(4 * 65536)]) {
        const bits = arena.u16(a, 65536);
        for (let i = 0; i < 65536; i++) bits[i] = i;
        routines.promote16(a, 65536, target, type === "bfloat16" ? 1 : 0);
        const numbers = arena.f32(target, 65536);
        for (let i = 0; i < 65536; i++) {
          const value = MEANING[type](i);
          // What is not finite is refused before.
          if (Number.isFinite(value) && !Object.is(numbers[i], value))
            expect.fail(`${i.toString(16)}: ${numbers[i]} for ${value}`);
        }
      }
    });

    it("decodes in the products, exactly, every pattern that they are given", () => {
      const { arena, routines } = make();
      const [m, n] = [4, 16384];
      const a = arena.take(2 * m * n);
      const bits = arena.u16(a, m * n);
      const limit = type === "float16" ? 64 : Number.POSITIVE_INFINITY;
      for (let i = 0; i < m * n; i++) bits[i] = Math.abs(MEANING[type](i)) < limit ? i : 0;
      const meant = Array.from(bits, MEANING[type]);
      if (type === "float16") routines.prescale16(a, m * n);
      const kind = type === "bfloat16" ? 1 : 0;
      const y = arena.take(8 * m);
      const scratch = vectorIn({ arena } as Kernels, n, false, 0, 0);
      const z = arena.take(8 * n);
      const w = arena.take(16 * n + 64);
      for (let i = 0; i < m; i++) {
        // Each row of Aᵀ·I, which is what `widenRows` made of it.
        arena.f64(y, m).fill(0)[i] = 1;
        arena.fill(z, 8 * n);
        routines.multiplyTransposedWideHalf(a, 2 * n, m, n, y, 1, scratch, z, w, kind);
        const row = arena.f64(z, n);
        for (let j = 0; j < n; j++)
          if (row[j] !== meant[i * n + j]) expect.fail(`${i * n + j}: ${row[j]} for ${meant[i * n + j]}`);
      }
    });

    it("products are those of float32, to the last bit", () => {
      fc.assert(
        fc.property(shape, ({ rows, cols, width, seed }) => {
          const kernels = make();
          const { arena, routines } = kernels;
          const { pointer, wide, m, n, kind } = halvesIn(kernels, type, rows, cols, seed);
          const w = arena.take(64 + 16 * n);
          const same = (size: number, run: (out: number, half: boolean) => void) => {
            const outs = [true, false].map((half) => {
              const out = vectorIn(kernels, size, false, 0, 0);
              run(out, half);
              return arena.f64(out, size).slice();
            });
            expect(outs[0]).toEqual(outs[1]);
          };
          const x = vectorIn(kernels, 4 * n, true, seed + 1);
          const x64 = vectorIn(kernels, 2 * n, false, seed + 2);
          const y = vectorIn(kernels, 2 * m, false, seed + 3);
          const scratch = vectorIn(kernels, 4 * n, false, 0, 0);
          for (const vectors of [width, width + 2])
            same(vectors * n, (z, half) => {
              if (half)
                routines.normalMatvecHalf(pointer, 2 * n, m, n, x, 4 * n, vectors, w, scratch, z, kind);
              else routines.normalMatvec32(wide, 4 * n, m, n, x, 4 * n, vectors, w, scratch, z);
            });
          same(width * m, (z, half) => {
            if (half) routines.multiplyWideHalf(pointer, 2 * n, m, n, x64, 8 * n, width, z, w, kind);
            else routines.multiplyWide(wide, 4 * n, m, n, x64, 8 * n, width, z);
          });
          same(width * n, (z, half) => {
            if (half)
              routines.multiplyTransposedWideHalf(pointer, 2 * n, m, n, y, width, scratch, z, w, kind);
            else routines.multiplyTransposedWide(wide, 4 * n, m, n, y, width, scratch, z);
          });
        }),
        { numRuns: 40 },
      );
    });
  });

  it("prescale16 raises every float16 below 64 by ten exponents", () => {
    const { arena, routines } = make();
    const x = arena.take(2 * 65536);
    const bits = arena.u16(x, 65536);
    for (let i = 0; i < 65536; i++) bits[i] = Math.abs(MEANING.float16(i)) < 64 ? i : 0;
    const before = bits.slice();
    routines.prescale16(x, 65536);
    for (let i = 0; i < 65536; i++)
      if (!Object.is(MEANING.float16(bits[i]), 1024 * MEANING.float16(before[i])))
        expect.fail(`${before[i].toString(16)} became ${bits[i].toString(16)}`);
  });

  it("largest16 and transpose16", () => {
    fc.assert(
      fc.property(shape, ({ rows, cols, seed }) => {
        const { arena, routines } = make();
        const [m, n] = [padTo(rows, 4), padTo(cols, 4)];
        const random = createRandom(seed);
        const a = arena.take(2 * m * n);
        const ldb = 2 * (m + 4);
        const b = arena.take(ldb * n);
        arena.fill(b, ldb * n);
        const A = arena.u16(a, m * n);
        for (let i = 0; i < m * n; i++) A[i] = Math.floor(65536 * random.uniform());
        routines.transpose16(a, m, n, b, ldb);
        const B = arena.u16(b, (m + 4) * n);
        for (let i = 0; i < m + 4; i++)
          for (let j = 0; j < n; j++)
            if (B[j * (m + 4) + i] !== (i < m ? A[i * n + j] : 0)) expect.fail(`element ${i}, ${j}`);
        expect(routines.largest16(a, m * n)).toBe(Math.max(...Array.from(A, (bits) => bits & 0x7fff)));
      }),
      { numRuns: 30 },
    );
  });
});

it.each(HALVES)("products with %s, divided among threads, give the same bits", (type) => {
  const kernels = wasmKernels(false);
  const { arena, routines, slots } = kernels;
  const called: string[] = [];
  const many = divided(arena, routines, slots, {
    threads: 3,
    available: () => true,
    wake() {},
    run({ routine, args, chunks, output, scratch }, use) {
      called.push(routine);
      // The last chunk first.
      for (let k = chunks - 1; k >= 0; k--)
        (routines as unknown as Record<string, (...args: number[]) => void>)[routine](
          ...args.map((given) => {
            if (typeof given === "number") return given;
            const { origin, base = 0, chunk = 0, upTo = Number.POSITIVE_INFINITY } = given;
            const origins = { output: output.pointer + output.bytes * k, scratch: scratch?.pointer ?? 0 };
            return Math.min((origin ? origins[origin] : 0) + base + chunk * k, upTo);
          }),
        );
      for (let k = 0; k < chunks; k++) use(output.pointer + output.bytes * k, k);
    },
  });
  const { pointer, m, n, kind } = halvesIn(kernels, type, 1023, 301, 4);
  const w = arena.take(64 + 16 * n);
  const x = vectorIn(kernels, 2 * n, true, 1);
  const x64 = vectorIn(kernels, n, false, 2);
  const y = vectorIn(kernels, m, false, 3);
  const scratch = vectorIn(kernels, 2 * n, false, 0, 0);
  const results = [routines, many].map((set) => {
    const z = vectorIn(kernels, 4 * n + m, false, 0, 0);
    set.normalMatvecHalf(pointer, 2 * n, m, n, x, 4 * n, 2, w, scratch, z, kind);
    set.normalMatvecHalf(pointer, 2 * n, m, n, x, 4 * n, 1, w, scratch, z + 16 * n, kind);
    set.multiplyTransposedWideHalf(pointer, 2 * n, m, n, y, 1, scratch, z + 24 * n, w, kind);
    set.multiplyWideHalf(pointer, 2 * n, m, n, x64, 0, 1, z + 32 * n, w, kind);
    return arena.f64(z, 4 * n + m).slice();
  });
  expect(results[1]).toEqual(results[0]);
  expect(called).toEqual(
    expect.arrayContaining(["normalMatvecSlotsHalf", "multiplyTransposedSlotsWideHalf", "multiplyWideHalf"]),
  );
});

/** A basis that the routines build, one vector at a time, with room for `more` vectors behind it. */
function basisIn(kernels: Kernels, count: number, cols: number, more: number, single: boolean, seed: number) {
  const { arena, routines } = kernels;
  const Q = matrixIn(kernels, count + more + 4, cols, single, seed);
  const c = arena.take(16 * (count + more + 8));
  const work = arena.take(2048 + 16 * (count + more + 8));
  arena.fill(work, 2048);
  const r = arena.take(40);
  const view = single ? arena.f32 : arena.f64;
  const basis = {
    c,
    r,
    work,
    Q,
    /** vector i, without its padding */
    vector: (i: number) => view(Q.pointer + i * Q.lda, cols),
    orthogonalize(near: number, at: number, width: number) {
      const routine = single ? routines.orthogonalize32 : routines.orthogonalize64;
      routine(Q.pointer, Q.lda, near, at, Q.paddedCols, width, c, work);
      return arena.f64(c, at * width).slice();
    },
    /** R of a block of which the vectors from `first` on are still to be made orthonormal; whether all were */
    normalize(at: number, first: number, room: number, width: number, scale: number) {
      const numbers = arena.f64(r, 5);
      if (first === 0) numbers.fill(0);
      numbers[4] = scale;
      const routine = single ? routines.normalizeBlock32 : routines.normalizeBlock64;
      const done = routine(Q.pointer, Q.lda, at, Q.paddedCols, first, room, width, r, work);
      return { done, R: arena.f64(r, 4).slice() };
    },
    workIsZero: () => arena.f64(work, 256).every((value) => value === 0),
  };
  for (let i = 0; i < count; i++) {
    basis.orthogonalize(0, i, 1);
    expect(basis.normalize(i, 0, 1, 1, 0).done).toBe(1);
  }
  return basis;
}

function inner(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let j = 0; j < x.length; j++) sum += x[j] * y[j];
  return sum;
}

describe.each(KERNEL_SETS)("$name: a block joins an orthonormal basis", ({ make }) => {
  for (const single of [true, false]) {
    const eps = single ? EPS.single : EPS.double;
    const type = single ? "32" : "64";
    const problem = fc
      .record({
        count: fc.integer({ min: 0, max: 66 }),
        over: fc.integer({ min: 0, max: 200 }),
        width: fc.constantFrom(1, 2),
        near: fc.double({ min: 0, max: 1, noNaN: true }),
        seed: fc.integer({ min: 0, max: 1e6 }),
      })
      .map(({ near, ...rest }) => ({ ...rest, near: Math.floor(near * rest.count) }));

    it(`orthogonalize${type} and normalizeBlock${type}: W = Q·C + W₊·R with orthonormal [Q, W₊]`, () => {
      fc.assert(
        fc.property(problem, ({ count, over, width, near, seed }) => {
          const cols = count + 2 + over;
          const basis = basisIn(make(), count, cols, 2, single, seed);
          const before = Array.from({ length: width }, (_, k) => basis.vector(count + k).slice());
          const C = basis.orthogonalize(near, count, width);
          const { done, R } = basis.normalize(count, 0, width, width, 1);
          expect(done).toBe(width);
          expect(basis.workIsZero()).toBe(true);
          // Each of the roundings is of a sum of up to 68 or 264 terms, blocked; a norm is √cols.
          const tolerance = 100 * Math.sqrt(cols) * eps;
          const made = Array.from({ length: count + width }, (_, i) => basis.vector(i));
          before.forEach((w, k) => {
            const sum = new Float64Array(cols);
            for (let i = 0; i < count; i++)
              for (let j = 0; j < cols; j++) sum[j] += C[i * width + k] * made[i][j];
            for (let a = 0; a <= k; a++)
              for (let j = 0; j < cols; j++) sum[j] += R[2 * a + k] * made[count + a][j];
            expectClose(sum, w, tolerance);
            // Rounding is relative to the length of w, of which R says what is left.
            const lost = Math.sqrt(inner(w, w)) / R[3 * k];
            for (let i = 0; i <= count + k; i++)
              expect(Math.abs(inner(made[i], made[count + k]) - (i === count + k ? 1 : 0))).toBeLessThan(
                20 * eps * lost,
              );
          });
        }),
        { numRuns: 60 },
      );
    });

    it(`normalizeBlock${type} stops at a vector that vanishes`, () => {
      const count = 9;
      const cols = 40;
      const fresh = () => basisIn(make(), count, cols, 2, single, 5);
      // The first is a combination of the basis, to rounding.
      const first = fresh();
      const w = first.vector(count);
      for (let j = 0; j < cols; j++) w[j] = 3 * first.vector(1)[j] - first.vector(7)[j];
      first.orthogonalize(0, count, 2);
      expect(first.normalize(count, 0, 2, 2, 3).done).toBe(0);
      // The second is a multiple of the first.
      const second = fresh();
      second.orthogonalize(0, count, 2);
      const size = Math.sqrt(inner(second.vector(count), second.vector(count)));
      for (let j = 0; j < cols; j++) second.vector(count + 1)[j] = 2 * second.vector(count)[j];
      const { done, R } = second.normalize(count, 0, 2, 2, size);
      expect(done).toBe(1);
      expect(R[0]).toBeCloseTo(size, 4);
      expect(R[1]).toBeCloseTo(2 * size, 4);
      expect(R[3]).toBe(0);
      // Zero vanishes, whatever rounding is measured against.
      const zero = fresh();
      zero.vector(count).fill(0);
      expect(zero.normalize(count, 0, 1, 1, 0).done).toBe(0);
    });

    it(`normalizeBlock${type} goes on behind a vector that was replaced, and where no dimension is left`, () => {
      const count = 6;
      const cols = 8;
      const basis = basisIn(make(), count, cols, 2, single, 8);
      basis.orthogonalize(0, count, 2);
      expect(basis.normalize(count, 0, 1, 1, 0).done).toBe(1);
      const { done, R } = basis.normalize(count, 1, 2, 2, 0);
      expect(done).toBe(2);
      expect(R[3]).toBeGreaterThan(0);
      expect(Math.abs(inner(basis.vector(count), basis.vector(count + 1)))).toBeLessThan(20 * eps);
      // One dimension is left: the second vector lies along the first.
      const last = basisIn(make(), cols - 1, cols, 2, single, 9);
      last.orthogonalize(0, cols - 1, 2);
      const along = last.vector(cols).slice();
      const found = last.normalize(cols - 1, 0, 1, 2, 0);
      expect(found.done).toBe(2);
      expect(found.R[3]).toBe(0);
      expectClose(
        last.vector(cols - 1).map((value) => value * found.R[1]),
        along,
        50 * eps,
      );
    });
  }
});
