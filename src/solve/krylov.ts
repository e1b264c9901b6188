import type { Kernels, Products } from "../kernels/contract.js";
import { padTo } from "../numerics/padding.js";
import { createRandom, fingerprintOf, type Random } from "../numerics/random.js";
import type { NormalOperator } from "./action.js";
import type { KrylovBasis } from "./krylov-basis.js";
import { type Ritz, ritzOf } from "./ritz.js";

/** Vectors the space grows to before it is restarted. */
const CAPACITY = 64;
/**
 * The same for float32 vectors of between `least` and `most` numbers, where more vectors cost less than the restart that
 * they avoid. Measured: a twelfth of the time at 512², nothing from 1024² on.
 */
const WIDER = { capacity: 80, least: 320, most: 896 };
/** Bytes of scratch of `rotateBasis` for a vector that is kept. */
const STRIP = 256;
/** Bytes of scratch of `orthogonalize`, beside its coefficients. */
const TILES = 2048;
/**
 * Vectors a block has: two, so that a second copy of a tied σ₁ is seen. A value needs no second copy, but of two
 * singular values as close as its tolerance a space grown from one vector may show the lower one.
 */
const BLOCK = 2;

/** Numbers that `normalizeBlock` reads and writes: R, and the size that rounding is measured against. */
const RESULTS = BLOCK * BLOCK + 1;

/**
 * Vectors of length `short` that a space for one triplet grows to; with the next block, two more are kept in memory.
 *
 * @param single  whether they are float32
 */
export function capacityFor(short: number, single: boolean): number {
  const wider = single && short >= WIDER.least && short <= WIDER.most;
  return Math.min(wider ? WIDER.capacity : CAPACITY, short);
}

/** Start vectors have a stream of their own: a matrix drawn with the same seed must not begin with one. */
const STREAM = 2 ** 44;

/**
 * The random numbers for the start of an iteration, and for where it leaves an invariant space.
 *
 * @param fingerprint  of what A makes of a first vector, so that the others depend on A
 */
export function startStream(seed: number, fingerprint = 0): Random {
  return createRandom(STREAM + seed, fingerprint);
}

/** The kernels' routines for one precision of the basis. */
interface Routines {
  orthogonalize: Products["orthogonalize64"];
  normalizeBlock: Products["normalizeBlock64"];
  rotateBasis: Products["rotateBasis64"];
  /** Σ yᵢ·qᵢ in float64 */
  combine: Products["multiplyTransposed64"];
}

/**
 * A block Krylov space of G = PᵀP with full reorthogonalization and thick restart.
 *
 * After k vectors, G·Q = Q·T + Q₊·B·Eᵀ: T = QᵀGQ is k×k, Q₊ is the next block and E picks the last
 * block's columns. A restart keeps Ritz vectors and the next block, and T becomes diag(θ) with a coupling to
 * that block (Wu & Simon, SIAM J. Matrix Anal. Appl. 22:602, 2000; blocks: Golub & Underwood, 1977).
 * Orthogonality is by classical Gram–Schmidt: against the vectors that the recurrence ties a block to, then
 * against all (Giraud et al., Numer. Math. 101:87, 2005, on why the second time is enough).
 */
export class KrylovSpace implements KrylovBasis {
  /** vectors that G has been applied to */
  size = 0;
  /** block steps taken so far */
  steps = 0;
  /** the first so many vectors are settled: what comes is orthogonal to them, and T is that of what comes */
  locked = 0;

  readonly #kernels: Kernels;
  readonly #G: NormalOperator;
  readonly #routines: Routines;
  readonly #seed: number;
  #random: Random;
  readonly #capacity: number;
  readonly #basis: number;
  readonly #bytes: number;
  readonly #product: number;
  readonly #coefficients: number;
  readonly #scratch: number;
  readonly #work: number;
  readonly #R: number;
  readonly #strip: number;
  /** T in float64, `ldt` numbers from row to row */
  readonly #projected: number;
  readonly #ldt: number;
  /** vectors in the next block; B, which ties the last block to it, is what `normalizeBlock` has left in R */
  #width = 0;
  #lastWidth = 0;
  /** the largest entry of T so far, or overlap with what is locked: what "zero" is measured against */
  #scale = 0;

  /**
   * @param seed  of the random vectors
   * @param most  vectors it may grow to, where some of them get locked; default: `capacityFor`, and none
   */
  constructor(kernels: Kernels, G: NormalOperator, seed: number, most?: number) {
    const { arena } = kernels;
    this.#kernels = kernels;
    this.#G = G;
    const { routines } = kernels;
    this.#routines = {
      orthogonalize: G.single ? routines.orthogonalize32 : routines.orthogonalize64,
      normalizeBlock: G.single ? routines.normalizeBlock32 : routines.normalizeBlock64,
      rotateBasis: G.single ? routines.rotateBasis32 : routines.rotateBasis64,
      combine: G.single ? routines.multiplyTransposedWide : routines.multiplyTransposed64,
    };
    this.#seed = seed;
    this.#random = startStream(seed);
    this.#capacity = most === undefined ? capacityFor(G.short, G.single) : Math.min(most, G.short);
    this.#ldt = padTo(this.#capacity, 2);
    this.#projected = arena.take(8 * this.#capacity * this.#ldt);
    const n = G.padded;
    this.#bytes = n * (G.single ? 4 : 8);
    // Rows come in fours, from the first that is not locked on.
    const slots = padTo(this.#capacity + BLOCK, 4) + (most === undefined ? 0 : 4);
    const zeros = (slots + BLOCK) * this.#bytes;
    this.#basis = arena.take(zeros);
    arena.fill(this.#basis, zeros);
    this.#scratch = this.#slot(slots);
    this.#product = arena.take(BLOCK * n * 8);
    this.#coefficients = arena.take(BLOCK * slots * 8);
    this.#work = arena.take(TILES + BLOCK * slots * 8);
    arena.fill(this.#work, TILES);
    this.#R = arena.take(RESULTS * 8);
    this.#strip = arena.take(STRIP * this.#capacity);
  }

  /** A new view of T: memory that grows detaches the earlier ones. */
  #T(): Float64Array {
    return this.#kernels.arena.f64(this.#projected, this.#capacity * this.#ldt);
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

  /**
   * Turns the vectors at slots k … k+width−1, already orthogonal to the first k, into an orthonormal block, and stores
   * how they were made of it. A vector that vanishes is replaced by a random one, and its row of R is zero: that is how
   * an invariant space is left (identity, rank one).
   */
  #normalizeBlock(k: number, width: number): void {
    const { arena } = this.#kernels;
    const room = Math.min(width, this.#G.short - k);
    const R = this.#R / 8;
    const numbers = arena.float64();
    numbers.fill(0, R, R + BLOCK * BLOCK);
    numbers[R + BLOCK * BLOCK] = this.#scale;
    for (let first = 0; room > 0; first++) {
      first = this.#normalize(k, first, room, width, this.#R);
      if (first === width) break;
      this.#replace(k + first);
    }
    this.#width = room;
  }

  #normalize(k: number, first: number, room: number, width: number, R: number): number {
    const n = this.#G.padded;
    return this.#routines.normalizeBlock(this.#basis, this.#bytes, k, n, first, room, width, R, this.#work);
  }

  /** A fresh random vector, orthonormal to all before it. */
  #replace(slot: number): void {
    const { arena } = this.#kernels;
    const R = this.#coefficients;
    // It vanishes only by chance.
    for (let attempt = 0, made = 0; attempt < 8 && made === 0; attempt++) {
      this.#randomize(slot);
      this.#orthogonalize(0, slot, 1);
      arena.f64(R, RESULTS).fill(Math.sqrt(this.#G.short));
      made = this.#normalize(slot, 0, 1, 1, R);
    }
  }

  /** Makes `width` vectors orthogonal to the `count` before them; their coefficients are in coefficient memory. */
  #orthogonalize(near: number, count: number, width: number): void {
    const n = this.#G.padded;
    this.#routines.orthogonalize(
      this.#basis,
      this.#bytes,
      near,
      count,
      n,
      width,
      this.#coefficients,
      this.#work,
    );
  }

  /**
   * Begins with one vector: the given one (any length but 0) or a random one. The first step adds a second one, which
   * depends on what G has made of the first: no matrix can be built so that its first singular vector is orthogonal to
   * both.
   */
  start(first?: Float64Array): void {
    if (first) this.#vector(0).set(first);
    else this.#randomize(0);
    this.#normalizeBlock(0, 1);
  }

  /** Widens the next block by random vectors, as far as there are dimensions left. */
  #widen(): void {
    const width = Math.min(BLOCK, this.#G.short - this.size);
    for (; this.#width < width; this.#width++) this.#replace(this.size + this.#width);
  }

  /** Whether no further step is possible before a restart, and whether none is at all. */
  get full(): boolean {
    return this.size + this.#width > this.#capacity || this.#width === 0;
  }
  get exhausted(): boolean {
    return this.#width === 0;
  }

  get dimension(): number {
    return this.#G.short;
  }

  /** The sum of all Ritz values, but of what is locked. */
  get trace(): number {
    let sum = 0;
    const T = this.#T();
    for (let i = 0; i < this.size - this.locked; i++) sum += T[i * this.#ldt + i];
    return sum;
  }

  /** One block step: applies G to the next block and orthogonalizes the result. */
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

    // What is large first: the last two blocks, or all after a restart, which ties the next block to every vector kept.
    // Then all, down to rounding.
    this.#orthogonalize(this.#lastWidth > 0 && this.locked === 0 ? k - this.#lastWidth : 0, next, width);
    const { locked } = this;
    const numbers = arena.float64();
    const T = this.#projected / 8;
    for (let c = 0; c < width; c++) {
      const row = T + (k + c - locked) * this.#ldt - locked;
      for (let i = 0, p = this.#coefficients / 8 + c; i <= k + c; i++, p += width) {
        const value = numbers[p];
        if (i >= locked) numbers[row + i] = value;
        this.#scale = Math.max(this.#scale, Math.abs(value));
      }
    }
    this.size = next;
    this.#lastWidth = width;
    this.steps++;
    this.#normalizeBlock(next, width);
    if (first) this.#widen();
  }

  /** The `wanted` largest Ritz pairs. Cost: O(size³), and nothing in the length of the vectors. */
  ritz(wanted: number): Ritz {
    return ritzOf(
      this.#kernels,
      {
        T: () => this.#T(),
        ldt: this.#ldt,
        size: this.size - this.locked,
        // Copied, because memory may grow meanwhile.
        B: this.#kernels.arena.f64(this.#R, BLOCK * BLOCK).slice(),
        ldb: BLOCK,
        width: this.#width,
        lastWidth: this.#lastWidth,
      },
      wanted,
    );
  }

  /** Keeps the given Ritz vectors and the next block; the rest of the space is dropped. */
  restart({ values, coefficients }: Ritz): void {
    const { arena } = this.#kernels;
    const { locked } = this;
    const k = this.size - locked;
    const keep = coefficients.length;
    const rows = padTo(k, 4);
    const mark = arena.mark();
    const y = arena.take(8 * keep * rows);
    const Y = arena.f64(y, keep * rows);
    Y.fill(0);
    coefficients.forEach((vector, p) => {
      Y.set(vector, p * rows);
    });
    this.#routines.rotateBasis(this.#slot(locked), this.#bytes, rows, this.#G.padded, y, keep, this.#strip);
    arena.release(mark);
    for (let c = 0; c < this.#width; c++) this.#vector(locked + keep + c).set(this.#vector(this.size + c));
    const T = this.#T().fill(0);
    for (let p = 0; p < keep; p++) T[p * this.#ldt + p] = values[p];
    this.size = locked + keep;
    this.#lastWidth = 0;
  }

  /**
   * Locks the given Ritz vectors, drops the rest of the space and begins again with a random block. What G does to
   * that is small where the locked vectors belong to what is large in G, and is now known to its own digits.
   */
  lock(ritz: Ritz): void {
    this.restart(ritz);
    this.#T().fill(0);
    this.#scale = 0;
    this.locked = this.size;
    this.#width = 0;
    this.#widen();
  }

  /** The locked vectors in float64, made up to `count` by random ones, orthonormal to them. */
  lockedVectors(count: number): Float64Array[] {
    while (this.locked < count) this.#replace(this.locked++);
    return Array.from(
      { length: this.locked },
      (_, i) => new Float64Array(this.#vector(i).subarray(0, this.#G.short)),
    );
  }

  /** y (float64, padded with zeros) ← y + Σ fᵢ·qᵢ(qᵢᵀy) for float32 vectors: what y has along qᵢ, times 1 + fᵢ. */
  scaleAlong(factors: Float64Array, y: number): void {
    const { arena, routines } = this.#kernels;
    const rows = padTo(factors.length, 4);
    const n = this.#G.padded;
    routines.multiplyWide(this.#basis, this.#bytes, rows, n, y, 0, 1, this.#coefficients);
    const c = arena.f64(this.#coefficients, rows);
    for (let i = 0; i < rows; i++) c[i] *= factors[i] ?? 0;
    // The product of the last step is no longer needed.
    arena.fill(this.#product, 8 * n);
    routines.multiplyTransposedWide(
      this.#basis,
      this.#bytes,
      rows,
      n,
      this.#coefficients,
      1,
      this.#product,
      y,
    );
  }

  /** The vector with these coefficients in the basis, in float64. */
  combine(y: Float64Array): Float64Array {
    const { arena } = this.#kernels;
    const rows = padTo(this.size, 4);
    const n = this.#G.padded;
    const weights = arena.f64(this.#coefficients, rows);
    weights.fill(0);
    weights.set(y);
    const out = this.#product;
    const partial = out + 8 * n;
    arena.fill(out, 16 * n);
    this.#routines.combine(this.#basis, this.#bytes, rows, n, this.#coefficients, 1, partial, out);
    return arena.f64(out, this.#G.short).slice();
  }
}
