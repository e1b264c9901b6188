import type { Kernels, Products } from "../kernels/contract.js";
import { EPSILON } from "../numerics/epsilon.js";
import { padTo } from "../numerics/padding.js";
import { fingerprintOf, type Random } from "../numerics/random.js";
import type { NormalOperator } from "../solve/action.js";
import { startStream } from "../solve/krylov.js";
import type { KrylovBasis } from "../solve/krylov-basis.js";
import type { Ritz } from "../solve/ritz.js";
import { hermitianLargest } from "./hermitian-eigen.js";

/** As for the real space: vectors it grows to, and vectors of a block. */
const CAPACITY = 64;
const BLOCK = 2;
/** Bytes of scratch of `orthogonalize`, beside its coefficients. */
const TILES = 2048;

/** The kernels' routines for one precision of the basis. */
interface Routines {
  orthogonalize: Products["orthogonalize64"];
  /** Σ yᵢ·qᵢ in float64, for one or two sets of coefficients */
  combine: Products["multiplyTransposed64"];
}

/**
 * A block Krylov space of a Hermitian G = PᴴP over the complex numbers, with full reorthogonalization and thick restart:
 * what `KrylovSpace` is over the real ones.
 *
 * A vector is interleaved: n elements are 2n numbers. For real kernels it is a real vector of twice the length, and
 * multiplication by i is a rotation J of it, (a, b) ↦ (−b, a). Re(qᴴw) is the real inner product of q and w, and
 * −Im(qᴴw) that of q and J·w. So w is made orthogonal to q by making first w and then J·w orthogonal to the real vector.
 */
export class ComplexKrylovSpace implements KrylovBasis {
  size = 0;
  steps = 0;
  locked = 0;

  readonly #kernels: Kernels;
  readonly #G: NormalOperator;
  readonly #routines: Routines;
  readonly #seed: number;
  #random: Random;
  readonly #capacity: number;
  /** complex dimension of the whole space */
  readonly dimension: number;
  readonly #basis: number;
  readonly #bytes: number;
  readonly #product: number;
  readonly #coefficients: number;
  readonly #scratch: number;
  readonly #work: number;
  /** the lower triangle of T, Hermitian: the real and the imaginary parts, `#capacity` numbers from row to row */
  readonly #projected: { readonly re: Float64Array; readonly im: Float64Array };
  /** coefficients of a block, interleaved */
  readonly #found: Float64Array;
  #width = 0;
  /** B, which ties the last block to the next: `BLOCK` interleaved numbers from row to row */
  readonly #coupling = new Float64Array(2 * BLOCK * BLOCK);
  #lastWidth = 0;
  #scale = 0;

  constructor(kernels: Kernels, G: NormalOperator, seed: number, most?: number) {
    const { arena, routines } = kernels;
    this.#kernels = kernels;
    this.#G = G;
    this.#routines = {
      orthogonalize: G.single ? routines.orthogonalize32 : routines.orthogonalize64,
      combine: G.single ? routines.multiplyTransposedWide : routines.multiplyTransposed64,
    };
    this.#seed = seed;
    this.#random = startStream(seed);
    this.dimension = G.short / 2;
    this.#capacity = Math.min(most ?? CAPACITY, this.dimension);
    const entries = this.#capacity ** 2;
    this.#projected = { re: new Float64Array(entries), im: new Float64Array(entries) };
    const n = G.padded;
    const number = G.single ? 4 : 8;
    this.#bytes = n * number;
    const slots = padTo(this.#capacity + BLOCK, 4) + 4;
    this.#basis = arena.take(slots * this.#bytes);
    arena.fill(this.#basis, slots * this.#bytes);
    this.#product = arena.take(2 * BLOCK * n * 8);
    this.#scratch = arena.take(BLOCK * n * number);
    arena.fill(this.#scratch, BLOCK * n * number);
    this.#coefficients = arena.take(BLOCK * slots * 8);
    this.#found = new Float64Array(2 * BLOCK * slots);
    this.#work = arena.take(TILES + BLOCK * slots * 8);
    arena.fill(this.#work, TILES);
  }

  /** Room for the coefficients of a block along `count` vectors, all zero. */
  #coefficientsFor(count: number, width: number): Float64Array {
    return this.#found.fill(0, 0, 2 * count * width);
  }

  #slot(i: number): number {
    return this.#basis + i * this.#bytes;
  }

  #vector(i: number): Float32Array | Float64Array {
    const { arena } = this.#kernels;
    return this.#G.single
      ? arena.f32(this.#slot(i), this.#G.padded)
      : arena.f64(this.#slot(i), this.#G.padded);
  }

  #randomize(i: number): void {
    this.#random.normals(this.#vector(i).subarray(0, this.#G.short));
  }

  /** Multiplies `width` vectors in a row by i (turn 1) or by −i (turn −1). */
  #rotate(slot: number, width: number, turn: 1 | -1): void {
    const { arena } = this.#kernels;
    const length = width * this.#G.padded;
    const numbers = this.#G.single
      ? arena.f32(this.#slot(slot), length)
      : arena.f64(this.#slot(slot), length);
    for (let j = 0; j < length; j += 2) {
      const re = numbers[j];
      numbers[j] = -turn * numbers[j + 1];
      numbers[j + 1] = turn * re;
    }
  }

  /**
   * Takes out of the `width` vectors behind the first `count` what they have along those from `first` on.
   *
   * @param out - coefficients, interleaved, row i for basis vector i; the new ones are added
   */
  #takeOut(first: number, count: number, width: number, out: Float64Array): void {
    const rows = count - first;
    if (rows === 0) return;
    const { arena } = this.#kernels;
    // The real part of a coefficient is that of w, the imaginary part that of i·w.
    for (let part = 0; part < 2; part++) {
      this.#routines.orthogonalize(
        this.#slot(first),
        this.#bytes,
        rows,
        rows,
        this.#G.padded,
        width,
        this.#coefficients,
        this.#work,
      );
      const found = arena.f64(this.#coefficients, rows * width);
      const sign = part === 0 ? 1 : -1;
      for (let i = 0; i < rows * width; i++) out[2 * (first * width + i) + part] += sign * found[i];
      this.#rotate(count, width, sign);
    }
  }

  /** ‖w‖ of the vector in a slot. */
  #normOf(slot: number): number {
    const vector = this.#vector(slot);
    let sum = 0;
    for (let j = 0; j < vector.length; j++) sum += vector[j] * vector[j];
    return Math.sqrt(sum);
  }

  /**
   * Turns the vectors at slots k … k+width−1, already orthogonal to the first k, into an orthonormal block, and stores in B
   * their coefficients in it. A vector that vanishes is replaced by a random one, and its row of B is zero.
   */
  #normalizeBlock(k: number, width: number): void {
    const room = Math.min(width, this.dimension - k);
    this.#coupling.fill(0);
    for (let i = 0; i < width; i++) {
      const norm = this.#orthogonalizeWithin(k, i, room);
      if (i >= room) continue;
      if (norm > 0) {
        this.#scaleVector(k + i, 1 / norm);
        this.#couple(i, i, norm, 0);
      } else this.#replace(k + i);
    }
    this.#width = room;
  }

  /**
   * Makes vector i of a block orthogonal to those before it in the block; where that leaves little, to all of the basis.
   *
   * @returns its norm; 0 if nothing but rounding is left
   */
  #orthogonalizeWithin(k: number, i: number, room: number): number {
    const slot = k + i;
    const epsilon = EPSILON[this.#G.single ? "float32" : "float64"] * this.#scale * Math.sqrt(2);
    let norm = this.#normOf(slot);
    const faint = norm < 1e3 * epsilon;
    for (let round = 0; (i > 0 || faint) && round < 4; round++) {
      const before = norm;
      const found = this.#coefficientsFor(slot, 1);
      this.#takeOut(round === 0 && !faint ? k : i >= room ? k : 0, slot, 1, found);
      if (i > 0 && k < slot) this.#couple(0, i, found[2 * k], found[2 * k + 1]);
      if (i >= room) return 0;
      norm = this.#normOf(slot);
      if (norm > 0.5 * before) break;
    }
    return norm > epsilon ? norm : 0;
  }

  #scaleVector(slot: number, factor: number): void {
    const vector = this.#vector(slot);
    for (let j = 0; j < vector.length; j++) vector[j] *= factor;
  }

  /** Adds re + i·im to entry (i, j) of B. */
  #couple(i: number, j: number, re: number, im: number): void {
    const at = 2 * (i * BLOCK + j);
    this.#coupling[at] += re;
    this.#coupling[at + 1] += im;
  }

  /** A fresh random vector, orthonormal to all before it. */
  #replace(slot: number): void {
    // It vanishes only by chance.
    for (let attempt = 0; attempt < 8; attempt++) {
      this.#randomize(slot);
      this.#scaleVector(slot, 1 / this.#normOf(slot));
      let norm = 1;
      for (let round = 0; round < 4; round++) {
        const before = norm;
        this.#takeOut(0, slot, 1, this.#coefficientsFor(slot, 1));
        norm = this.#normOf(slot);
        if (norm > 0.5 * before) break;
      }
      if (!(norm > 1e3 * EPSILON[this.#G.single ? "float32" : "float64"])) continue;
      this.#scaleVector(slot, 1 / norm);
      return;
    }
  }

  /** Begins with one vector; the first step adds a random one, which depends on what G has made of the first. */
  start(first?: Float64Array): void {
    if (first) this.#vector(0).set(first);
    else this.#randomize(0);
    this.#normalizeBlock(0, 1);
  }

  #widen(): void {
    const width = Math.min(BLOCK, this.dimension - this.size);
    for (; this.#width < width; this.#width++) this.#replace(this.size + this.#width);
  }

  get full(): boolean {
    return this.size + this.#width > this.#capacity || this.#width === 0;
  }
  get exhausted(): boolean {
    return this.#width === 0;
  }

  get trace(): number {
    let sum = 0;
    for (let i = 0; i < this.size - this.locked; i++) sum += this.#projected.re[i * (this.#capacity + 1)];
    return sum;
  }

  extend(): void {
    const { routines, arena } = this.#kernels;
    const k = this.size;
    const width = this.#width;
    const n = this.#G.padded;
    this.#G.normalMatvec(this.#slot(k), this.#bytes, width, this.#product, this.#scratch);
    const first = this.steps === 0;
    if (first) this.#random = startStream(this.#seed, fingerprintOf(arena.f64(this.#product, this.#G.short)));
    const next = k + width;
    if (this.#G.single) routines.demote32(this.#product, this.#slot(next), width * n);
    else arena.f64(this.#slot(next), width * n).set(arena.f64(this.#product, width * n));

    // As in the real space: what is large first, then all.
    const found = this.#coefficientsFor(next, width);
    this.#takeOut(this.#lastWidth > 0 && this.locked === 0 ? k - this.#lastWidth : 0, next, width, found);
    this.#takeOut(0, next, width, found);
    const { locked } = this;
    const T = this.#projected;
    for (let c = 0; c < width; c++)
      for (let i = 0; i <= k + c; i++) {
        const re = found[2 * (i * width + c)];
        const im = i === k + c ? 0 : found[2 * (i * width + c) + 1];
        if (i >= locked) {
          // Entry (i, k + c) of T; its lower triangle has the conjugate.
          const at = (k + c - locked) * this.#capacity + i - locked;
          T.re[at] = re;
          T.im[at] = -im;
        }
        this.#scale = Math.max(this.#scale, Math.abs(re), Math.abs(im));
      }
    this.size = next;
    this.#lastWidth = width;
    this.steps++;
    this.#normalizeBlock(next, width);
    if (first) this.#widen();
  }

  /** The `wanted` largest Ritz pairs, coefficients interleaved. Cost: O(size³), four times that of a real space. */
  ritz(wanted: number): Ritz {
    const size = this.size - this.locked;
    const count = Math.min(wanted, size);
    const { re, im } = this.#projected;
    const { values, vectors } = hermitianLargest(this.#kernels, size, count, count, (toRe, toIm, lda) => {
      for (let i = 0; i < size; i++) {
        const from = i * this.#capacity;
        toRe.set(re.subarray(from, from + i + 1), i * lda);
        toIm.set(im.subarray(from, from + i + 1), i * lda);
      }
    });
    return {
      values,
      coefficients: vectors,
      residuals: Float64Array.from(vectors, (y) => this.#residual(y.subarray(2 * (size - this.#lastWidth)))),
    };
  }

  /** ‖B·y‖ for the coefficients of a Ritz vector along the last block. */
  #residual(y: Float64Array): number {
    let square = 0;
    for (let row = 0; row < this.#width; row++) {
      let [re, im] = [0, 0];
      for (let c = 0; c < 2 * this.#lastWidth; c += 2) {
        const at = 2 * row * BLOCK + c;
        const [a, b] = [this.#coupling[at], this.#coupling[at + 1]];
        re += a * y[c] - b * y[c + 1];
        im += a * y[c + 1] + b * y[c];
      }
      square += re * re + im * im;
    }
    return Math.sqrt(square);
  }

  restart({ values, coefficients }: Ritz): void {
    const { locked } = this;
    const keep = coefficients.length;
    const kept = coefficients.map((y) => this.#combined(y, locked, this.size - locked));
    for (let p = 0; p < keep; p++) this.#vector(locked + p).set(kept[p]);
    for (let c = 0; c < this.#width; c++) this.#vector(locked + keep + c).set(this.#vector(this.size + c));
    this.#clearProjected();
    for (let p = 0; p < keep; p++) this.#projected.re[p * (this.#capacity + 1)] = values[p];
    this.size = locked + keep;
    this.#lastWidth = 0;
  }

  #clearProjected(): void {
    this.#projected.re.fill(0);
    this.#projected.im.fill(0);
  }

  lock(ritz: Ritz): void {
    this.restart(ritz);
    this.#clearProjected();
    this.#scale = 0;
    this.locked = this.size;
    this.#width = 0;
    this.#widen();
  }

  lockedVectors(count: number): Float64Array[] {
    while (this.locked < count) this.#replace(this.locked++);
    return Array.from({ length: this.locked }, (_, i) => this.vectorOf(i));
  }

  vectorOf(i: number): Float64Array {
    return new Float64Array(this.#vector(i).subarray(0, this.#G.short));
  }

  /** For float32 vectors; over the real numbers, qᵢ and i·qᵢ are two directions. */
  scaleAlong(factors: Float64Array, y: number): void {
    const { arena, routines } = this.#kernels;
    const rows = padTo(factors.length, 4);
    const n = this.#G.padded;
    // Re(qᴴy) and −Im(qᴴy) are the products of q with y and i·y.
    const two = this.#product;
    const from = arena.f64(y, n);
    const pair = arena.f64(two, 2 * n);
    for (let j = 0; j < n; j += 2) {
      pair[j] = from[j];
      pair[j + 1] = from[j + 1];
      pair[n + j] = -from[j + 1];
      pair[n + j + 1] = from[j];
    }
    routines.multiplyWide(this.#basis, this.#bytes, rows, n, two, 8 * n, 2, this.#coefficients);
    const c = arena.f64(this.#coefficients, 2 * rows);
    for (let i = 0; i < rows; i++) {
      c[2 * i] *= factors[i] ?? 0;
      c[2 * i + 1] *= -(factors[i] ?? 0);
    }
    arena.fill(two, 32 * n);
    routines.multiplyTransposedWide(
      this.#basis,
      this.#bytes,
      rows,
      n,
      this.#coefficients,
      2,
      two + 16 * n,
      two,
    );
    const [byRe, byIm, out] = [arena.f64(two, n), arena.f64(two + 8 * n, n), arena.f64(y, n)];
    for (let j = 0; j < n; j += 2) {
      out[j] += byRe[j] - byIm[j + 1];
      out[j + 1] += byRe[j + 1] + byIm[j];
    }
  }

  combine(y: Float64Array): Float64Array {
    return this.#combined(y, 0, this.size).slice(0, this.#G.short);
  }

  /** Σ yᵢ·qᵢ of the `count` basis vectors from `first` on, padded. */
  #combined(y: Float64Array, first: number, count: number): Float64Array {
    const { arena } = this.#kernels;
    const rows = padTo(count, 4);
    const n = this.#G.padded;
    // Real and imaginary parts of the coefficients are two sets.
    const weights = arena.f64(this.#coefficients, 2 * rows);
    weights.fill(0);
    weights.set(y.subarray(0, 2 * count));
    const mark = arena.mark();
    const out = arena.take(32 * n);
    arena.fill(out, 32 * n);
    this.#routines.combine(this.#slot(first), this.#bytes, rows, n, this.#coefficients, 2, out + 16 * n, out);
    const byRe = arena.f64(out, n);
    const byIm = arena.f64(out + 8 * n, n);
    const sum = new Float64Array(n);
    for (let j = 0; j < n; j += 2) {
      sum[j] = byRe[j] - byIm[j + 1];
      sum[j + 1] = byRe[j + 1] + byIm[j];
    }
    arena.release(mark);
    return sum;
  }
}
