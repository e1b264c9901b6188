import { kernels } from "../kernels/select.js";
import type { Random } from "../numerics/random.js";
import type { Projected } from "../solve/krylov-basis.js";
import { type Ritz, ritzOf } from "../solve/ritz.js";
import { type DeviceProducts, requireFinite } from "./device-products.js";
import type { Program } from "./programs.js";
import type { Dispatch, Session } from "./session.js";
import { CAPACITY, LOG, PASSES } from "./shaders/basis.js";
import { GROUP } from "./shaders/common.js";
import { accumulate, factorsOf, type StepEntry } from "./step-log.js";

/**
 * Steps recorded at a time. Chosen: more would save few waits, and steps are wasted if a vector has vanished. The first
 * entry of the log holds the scale before these steps.
 */
const RECORDED = 12;
/**
 * Most numbers that the steps recorded at a time read, because a device that is busy for too long counts as hung.
 * Chosen: 16 GiB, below a second at 20 GB/s.
 */
const READ_AT_ONCE = 2 ** 32;
/** Offset of the weights of a rotation in the log. */
const WEIGHTS = 16 * LOG.stride;
/**
 * A unit vector of which the last pass leaves more than this is orthogonal. Chosen: 1 means unchanged, and half is the
 * usual criterion of reorthogonalization.
 */
const UNCHANGED = 0.5;
/** Most attempts to repair a block. Chosen: one or two suffice, except for vectors that vanish again. */
const REPAIRS = 8;
/** The slot for a combined vector, after the basis and the next block. */
const COMBINED = CAPACITY + 2;

interface Routines {
  project: readonly Program[];
  subtract: readonly Program[];
  rotate: Program;
}

/**
 * A block Krylov space of PᵀP with its vectors on a device; `KrylovSpace` of solve/krylov.ts is one in kernel memory.
 * Several steps are recorded without reading anything back. Then the coefficients are read, which give T and B. If a
 * vector has vanished (as for the identity, or rank one), the later steps are useless: they are discarded, a random
 * vector replaces it, and the iteration continues from there.
 *
 * Every block is orthogonalized three times against the basis, the second and third time also within itself. The second
 * time may shorten a vector so much that its part in the basis is no longer small beside it; the third removes that part.
 */
export class DeviceKrylovSpace implements Projected {
  size = 0;
  steps = 0;

  readonly #session: Session;
  readonly #products: DeviceProducts;
  readonly #random: Random;
  readonly #capacity: number;
  readonly #recorded: number;
  /** steps to record next time: one after steps were discarded, because often more vectors vanish */
  #ahead: number;
  readonly #routines: Routines;
  readonly #projected = new Float64Array(CAPACITY * CAPACITY);
  /** B, 2×2 by rows */
  #coupling = new Float64Array(4);
  #width = 0;
  #lastWidth = 0;
  #scale = 0;

  private constructor(session: Session, products: DeviceProducts, random: Random, routines: Routines) {
    this.#session = session;
    this.#products = products;
    this.#random = random;
    this.#routines = routines;
    this.#capacity = Math.min(CAPACITY, products.short);
    const step = 2 * products.short * products.long;
    this.#recorded = Math.max(1, Math.min(RECORDED, Math.floor(READ_AT_ONCE / step)));
    this.#ahead = this.#recorded;
  }

  static async of(session: Session, products: DeviceProducts, random: Random): Promise<DeviceKrylovSpace> {
    const { programs } = session;
    const passes = Array.from({ length: PASSES }, (_, pass) => pass);
    const [project, subtract, rotate] = await session.wait(
      Promise.all([
        Promise.all(passes.map((pass) => programs.get({ name: "project", pass }))),
        Promise.all(passes.map((pass) => programs.get({ name: "subtract", pass }))),
        programs.get({ name: "rotate" }),
      ]),
    );
    return new DeviceKrylovSpace(session, products, random, { project, subtract, rotate });
  }

  get full(): boolean {
    return this.size + this.#width > this.#capacity || this.#width === 0;
  }
  get exhausted(): boolean {
    return this.#width === 0;
  }

  /** Starts with a random block, whose first vector is `first` if given. */
  async start(first?: Float64Array): Promise<void> {
    const { short, bound, ld } = this.#products;
    for (let c = 0; c < 2; c++) this.#randomize(c);
    if (first) {
      const most = first.reduce((size, x) => Math.max(size, Math.abs(x)), 0);
      if (most > 0)
        this.#session.write(
          bound.basis,
          0,
          Float32Array.from(first, (x) => x / most),
        );
    }
    this.#width = Math.min(2, short);
    if (short === 1) this.#session.write(bound.basis, ld, new Float32Array(1));
    await this.#repair(Float64Array.of(1, 0, 0, 1), new Float64Array(0));
    this.#coupling.fill(0);
  }

  #randomize(slot: number): void {
    const { short, bound, ld } = this.#products;
    const numbers = Float32Array.from({ length: short }, () => this.#random.normal());
    this.#session.write(bound.basis, slot * ld, numbers);
  }

  /** Takes up to `count` block steps, as many as fit. */
  async extend(count: number, mostSteps: number): Promise<void> {
    let left = count;
    while (left > 0 && !this.full && this.steps < mostSteps) {
      const planned: { size: number; width: number }[] = [];
      let { size } = this;
      let width = this.#width;
      const most = Math.min(left, this.#ahead, mostSteps - this.steps);
      while (planned.length < most && width > 0 && size + width <= this.#capacity) {
        planned.push({ size, width });
        size += width;
        width = Math.min(width, this.#products.short - size);
      }
      this.#session.write(this.#products.bound.log, LOG.scale, Float32Array.of(this.#scale));
      this.#session.run(
        planned.flatMap(({ size, width }, s) => [
          ...this.#products.matvec(size),
          ...this.#products.rmatvec(size + width),
          ...this.#orthonormalize(size + width, s + 1, 0),
        ]),
      );
      const log = await this.#session.read(this.#products.bound.log, LOG.stride, planned.length * LOG.stride);
      this.#ahead = Math.min(2 * this.#ahead, this.#recorded);
      for (const [s, { width }] of planned.entries()) {
        left--;
        if (await this.#take(log.subarray(s * LOG.stride, (s + 1) * LOG.stride), width)) continue;
        this.#ahead = 1;
        break;
      }
    }
  }

  /** The passes from number `first` on, for the block at slots next and next+1. */
  #orthonormalize(next: number, slot: number, first: number): Dispatch[] {
    const { ld, bindings } = this.#products;
    const length4 = ld / 4;
    // Tells the shader whether pass 0 has written coefficients, which give the scale.
    const keep = first === 0 ? 1 : 0;
    const params = { length4, ld4: length4, next, slot, keep };
    const dispatches: Dispatch[] = [];
    for (let pass = first; pass < PASSES; pass++)
      dispatches.push(
        { program: this.#routines.project[pass], bindings, params: { ...params, groups: next + 2 } },
        {
          program: this.#routines.subtract[pass],
          bindings,
          params: { ...params, groups: Math.ceil(length4 / GROUP) },
        },
      );
    return dispatches;
  }

  /**
   * Accepts a step, given its log entry.
   *
   * @returns whether the steps recorded after it are valid
   */
  async #take(entry: StepEntry, width: number): Promise<boolean> {
    const k = this.size;
    const next = k + width;
    const column = new Float64Array(2 * next);
    const B = Float64Array.of(1, 0, 0, 1);
    for (let pass = 0; pass < PASSES; pass++) accumulate(entry, pass, next, column, B);
    requireFinite(column, B);
    this.#scale = Math.max(this.#scale, entry[LOG.scale]);
    this.size = next;
    this.steps++;
    this.#lastWidth = width;
    this.#width = Math.min(width, this.#products.short - next);
    const sound = this.#isSound(entry, B);
    if (!sound) await this.#repair(B, column);
    const T = this.#projected;
    for (let c = 0; c < width; c++)
      for (let i = 0; i <= k + c; i++) T[(k + c) * CAPACITY + i] = column[2 * i + c];
    this.#coupling = B;
    // Vectors beyond the dimension do not exist.
    for (let c = this.#width; c < 2; c++) B.fill(0, 2 * c, 2 * c + 2);
    return sound;
  }

  /** Whether the block is orthonormal: no vector has vanished, and the last pass has hardly changed them. */
  #isSound(entry: StepEntry, B: Float64Array): boolean {
    for (let c = 0; c < this.#width; c++) {
      if (this.#hasVanished(B, c)) return false;
      if (!(factorsOf(entry, PASSES - 1)[2 * c] > UNCHANGED)) return false;
    }
    return true;
  }

  /**
   * Orthonormalizes the next block again, with random vectors in place of those that have vanished.
   *
   * @param B  the coupling of the last block with the next one; updated
   * @param column  the coefficients of G·Q with respect to the earlier vectors; updated
   */
  async #repair(B: Float64Array, column: Float64Array): Promise<void> {
    const next = this.size;
    const { log } = this.#products.bound;
    const replace = (c: number) => {
      B.fill(0, 2 * c, 2 * c + 2);
      this.#randomize(next + c);
    };
    const there = [0, 1].filter((c) => c < this.#width);
    for (const c of there) if (this.#hasVanished(B, c)) replace(c);
    for (let round = 0; round < REPAIRS; round++) {
      this.#session.write(log, LOG.scale, Float32Array.of(0));
      this.#session.run(this.#orthonormalize(next, 1, 1));
      const entry = await this.#session.read(log, LOG.stride, LOG.stride);
      for (let pass = 1; pass < PASSES; pass++) accumulate(entry, pass, next, column, B);
      const weak = there.filter((c) => !(factorsOf(entry, PASSES - 1)[2 * c] > UNCHANGED));
      if (weak.length === 0) return;
      // A vector that is still not orthogonal after three normalizations is rounding error.
      if (round >= 2) for (const c of weak) replace(c);
    }
  }

  /**
   * Whether the device has set the vector to zero. Only such a vector may be replaced: otherwise the other vector's part
   * in its direction, which may be large, would be lost.
   */
  #hasVanished(B: Float64Array, c: number): boolean {
    return B[3 * c] === 0;
  }

  ritz(wanted: number): Ritz {
    return ritzOf(
      kernels(),
      {
        T: () => this.#projected,
        ldt: CAPACITY,
        size: this.size,
        B: this.#coupling,
        ldb: 2,
        width: this.#width,
        lastWidth: this.#lastWidth,
      },
      wanted,
    );
  }

  #rotate(coefficients: readonly Float64Array[], to: number, moved: number): void {
    const { bound, ld, bindings } = this.#products;
    const weights = new Float32Array(coefficients.length * this.size);
    coefficients.forEach((vector, p) => {
      weights.set(vector, p * this.size);
    });
    this.#session.write(bound.log, WEIGHTS, weights);
    const length4 = ld / 4;
    this.#session.run([
      {
        program: this.#routines.rotate,
        bindings,
        params: {
          groups: Math.ceil(length4 / GROUP),
          length4,
          ld4: length4,
          next: this.size,
          keep: coefficients.length,
          weights: WEIGHTS,
          to,
          moved,
        },
      },
    ]);
  }

  /** Restarts from the given Ritz vectors and the next block. */
  restart({ values, coefficients }: Ritz): void {
    const keep = coefficients.length;
    this.#rotate(coefficients, 0, 2);
    this.#projected.fill(0);
    for (let p = 0; p < keep; p++) this.#projected[p * CAPACITY + p] = values[p];
    this.size = keep;
    this.#lastWidth = 0;
  }

  /** The vector with these coefficients in the basis. */
  async combine(y: Float64Array): Promise<Float64Array> {
    const { bound, ld, short } = this.#products;
    this.#rotate([y], COMBINED, 0);
    return new Float64Array(await this.#session.read(bound.basis, COMBINED * ld, short));
  }
}
