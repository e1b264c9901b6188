import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hermitianLargest } from "../../src/complex/hermitian-eigen.js";
import { hermitianKernels } from "../../src/kernels/hermitian-kernels.js";
import { kernels, setKernels } from "../../src/kernels/select.js";
import { padTo } from "../../src/numerics/padding.js";
import { createRandom } from "../../src/numerics/random.js";
import { hermitianInner, offOrthonormal } from "../complex/build.js";
import { KERNEL_SETS, skipMissingKernels } from "./sets.js";

const EPS = 2 ** -52;

/** Entry (i, j) of a Hermitian matrix, for j ≤ i. */
type Entry = (i: number, j: number) => readonly [re: number, im: number];

const random = createRandom(5);
const normals = Float64Array.from({ length: 2 * 80 * 80 }, () => random.normal());
const normal = (i: number, j: number) => [normals[2 * (80 * i + j)], normals[2 * (80 * i + j) + 1]] as const;

const FAMILIES: [string, (n: number) => Entry][] = [
  ["random", () => (i, j) => normal(i, j)],
  ["real", () => (i, j) => [normal(i, j)[0], 0]],
  ["imaginary beside the diagonal", () => (i, j) => [0, normal(i, j)[1]]],
  ["diagonal, with ties", () => (i, j) => [i === j ? Math.floor(i / 3) : 0, 0]],
  ["zero", () => () => [0, 0]],
  ["tridiagonal", () => (i, j) => (i - j <= 1 ? normal(i, j) : [0, 0])],
  [
    "rank one",
    () => (i, j) => {
      const [[a, b], [c, d]] = [normal(i, 0), normal(j, 0)];
      return [a * c + b * d, b * c - a * d];
    },
  ],
  ["two blocks", (n) => (i, j) => (i < n / 2 === j < n / 2 ? normal(i, j) : [0, 0])],
  ["large", () => (i, j) => scaled(normal(i, j), 1e60)],
  ["small", () => (i, j) => scaled(normal(i, j), 1e-60)],
  ["with rows whose squares underflow", () => (i, j) => scaled(normal(i, j), i === j ? 1 : 1e-170)],
  ["of very different rows", () => (i, j) => scaled(normal(i, j), 10 ** -(i + j))],
];

function scaled([re, im]: readonly [number, number], factor: number): readonly [number, number] {
  return [re * factor, im * factor];
}

/** H·x, interleaved. */
function times(entry: Entry, x: Float64Array): Float64Array {
  const n = x.length / 2;
  const y = new Float64Array(2 * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const [a, b] = j <= i ? entry(i, j) : entry(j, i);
      const im = j < i ? b : j > i ? -b : 0;
      y[2 * i] += a * x[2 * j] - im * x[2 * j + 1];
      y[2 * i + 1] += a * x[2 * j + 1] + im * x[2 * j];
    }
  return y;
}

function frobenius(entry: Entry, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const [a, b] = entry(i, j);
      sum += i === j ? a * a : 2 * (a * a + b * b);
    }
  return Math.sqrt(sum);
}

/** Writes the lower triangle; everything else is NaN, which nobody may read. */
function write(entry: Entry, n: number, re: Float64Array, im: Float64Array, lda: number): void {
  re.fill(Number.NaN);
  im.fill(Number.NaN);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const [a, b] = entry(i, j);
      re[i * lda + j] = a;
      if (j < i) im[i * lda + j] = b;
    }
}

/** Q as interleaved columns, and T. */
function tridiagonalForm(entry: Entry, n: number) {
  const { arena, routines } = hermitianKernels();
  const lda = padTo(n, 2);
  const plane = (n + 3) * lda;
  const mark = arena.mark();
  const h = arena.take(16 * plane);
  const d = arena.take(40 * n);
  const [re, im] = [arena.f64(h, plane), arena.f64(h + 8 * plane, plane)];
  write(entry, n, re, im, lda);
  routines.hermitianTridiagonalOf(h, lda, n, d);
  const Q = Array.from({ length: n }, (_, k) => {
    for (let i = 0; i < n; i++) {
      re[n * lda + i] = i === k ? 1 : 0;
      im[n * lda + i] = Number.NaN;
    }
    routines.hermitianVectorOf(h, lda, n, d);
    return Float64Array.from({ length: 2 * n }, (_, j) => (j % 2 === 0 ? re : im)[n * lda + (j >> 1)]);
  });
  const form = arena.f64(d, 2 * n).slice();
  arena.release(mark);
  return { Q, diagonal: form.subarray(0, n), off: form.subarray(n) };
}

skipMissingKernels();
describe.each(KERNEL_SETS)("Hermitian matrices with $name kernels", ({ name }) => {
  beforeAll(() => setKernels(name));
  afterAll(() => setKernels("auto"));

  describe.each(FAMILIES)("%s", (_, family) => {
    it.each([1, 2, 3, 4, 5, 8, 13, 31, 64])("of order %i have a tridiagonal form Q·T·Qᴴ", (n) => {
      const entry = family(n);
      const { Q, diagonal, off } = tridiagonalForm(entry, n);
      // Each of n reflections moves the matrix by a few ε of its norm (Higham, Accuracy and Stability, §19.3).
      const tolerance = 10 * n * EPS;
      expect(offOrthonormal(Q)).toBeLessThan(tolerance);
      const most = tolerance * frobenius(entry, n);
      const images = Q.map((q) => times(entry, q));
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          const [re, im] = hermitianInner(Q[i], images[j]);
          const expected = i === j ? diagonal[i] : Math.abs(i - j) === 1 ? off[Math.max(i, j)] : 0;
          expect(Math.hypot(re - expected, im), `${i}, ${j}`).toBeLessThanOrEqual(most);
        }
    });

    it.each([1, 2, 7, 30])("of order %i have their largest eigenpairs", (n) => {
      const entry = family(n);
      const full = Math.min(n, 3);
      const { values, vectors } = hermitianLargest(kernels(), n, n, full, (re, im, lda) =>
        write(entry, n, re, im, lda),
      );
      const most = 20 * n * EPS * frobenius(entry, n);
      expect(vectors.length).toBe(full);
      expect(offOrthonormal(vectors)).toBeLessThan(20 * n * EPS);
      vectors.forEach((z, p) => {
        const residual = times(entry, z).map((y, j) => y - values[p] * z[j]);
        expect(Math.hypot(...residual), `pair ${p}`).toBeLessThanOrEqual(most);
        if (p > 0) expect(values[p]).toBeLessThanOrEqual(values[p - 1]);
      });
      // No vector has a larger quotient than the first value says.
      for (let k = 0; k < 20; k++) {
        const x = Float64Array.from({ length: 2 * n }, () => random.normal());
        const [quotient] = hermitianInner(x, times(entry, x));
        const square = hermitianInner(x, x)[0];
        expect(quotient).toBeLessThanOrEqual((values[0] + most) * square);
      }
    });
  });

  it.each([
    ["float32", Float32Array],
    ["float64", Float64Array],
  ] as const)("complexOuter is Re(u)·pᵀ + Im(u)·qᵀ in float64, rounded to %s", (type, Type) => {
    const { arena, routines } = hermitianKernels();
    const single = type === "float32";
    for (const m of [1, 2, 5])
      for (const n of [2, 4, 6, 66]) {
        const mark = arena.mark();
        const block = (count: number) => {
          const pointer = arena.take(8 * count + 16);
          // What lies behind the numbers must not matter.
          arena.f64(pointer, count + 2).fill(Number.NaN);
          for (let k = 0; k < count; k++) arena.f64(pointer, count)[k] = random.normal();
          return { pointer, values: arena.f64(pointer, count).slice() };
        };
        const [p, q] = [block(n), block(n)];
        const view = single ? arena.f32 : arena.f64;
        const u = arena.take(16 * m);
        const U = view(u, 2 * m);
        for (let i = 0; i < 2 * m; i++) U[i] = random.normal();
        const g = arena.take(m * n * Type.BYTES_PER_ELEMENT + 16);
        routines.complexOuter(u, m, p.pointer, q.pointer, n, single ? 1 : 0, g);
        const expected = new Type(m * n);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++)
            expected[i * n + j] = U[2 * i] * p.values[j] + U[2 * i + 1] * q.values[j];
        expect(view(g, m * n), `${m}×${n}`).toEqual(expected);
        arena.release(mark);
      }
  });

  it("has the eigenvalues of a circulant matrix, Σ c_d·e^(2πidk/n)", () => {
    const n = 12;
    // c_{−d} is the conjugate of c_d.
    const c = [3, [1, 2], [-1, 0.5], [0, 1]] as const;
    const symbol = (d: number): readonly [number, number] => {
      if (d === 0) return [c[0], 0];
      const [sign, part] = d < n / 2 ? [1, c[d as 1]] : [-1, c[(n - d) as 1]];
      return part ? [part[0], sign * part[1]] : [0, 0];
    };
    const { values } = hermitianLargest(kernels(), n, n, n, (re, im, lda) =>
      write((i, j) => symbol(i - j), n, re, im, lda),
    );
    const expected = Array.from({ length: n }, (_, k) =>
      [1, 2, 3].reduce((sum, d) => {
        const [a, b] = symbol(d);
        const angle = (2 * Math.PI * d * k) / n;
        return sum + 2 * (a * Math.cos(angle) - b * Math.sin(angle));
      }, c[0] as number),
    ).sort((a, b) => b - a);
    values.forEach((value, p) => {
      expect(Math.abs(value - expected[p])).toBeLessThan(100 * EPS * expected[0]);
    });
  });
});
