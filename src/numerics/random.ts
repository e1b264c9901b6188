import { exponentOf, largestMagnitude } from "./powers.js";

/** A seeded stream of random numbers. */
export interface Random {
  /** uniform on (0, 1) */
  uniform(): number;
  /** standard normal */
  normal(): number;
  /** Fills x with standard normal numbers, in two thirds of the time. If their number is odd, one more is drawn. */
  normals(x: Float32Array | Float64Array): void;
}

/**
 * ln x for a normal number x > 0, to three units in the last place. `Math.log` is another function in every engine; this
 * one gives the same bits everywhere.
 *
 * x = 2ᵏ·m with √½ < m ≤ √2; ln m = 2·artanh s with s = (m − 1)/(m + 1), |s| < 0.172, by its power series, whose next
 * term, s²²/23, is below 2⁻⁵⁶. Cost: |k| steps, of which the polar method takes one or two.
 */
export function log(x: number): number {
  // Neither loop would end.
  if (x === 0 || x === Number.POSITIVE_INFINITY) return Math.log(x);
  let m = x;
  let k = 0;
  for (; m <= Math.SQRT1_2; m *= 2) k--;
  for (; m > Math.SQRT2; m /= 2) k++;
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum = (1 / 21) * z + 1 / 19;
  sum = sum * z + 1 / 17;
  sum = sum * z + 1 / 15;
  sum = sum * z + 1 / 13;
  sum = sum * z + 1 / 11;
  sum = sum * z + 1 / 9;
  sum = sum * z + 1 / 7;
  sum = sum * z + 1 / 5;
  sum = sum * z + 1 / 3;
  sum = sum * z + 1;
  return k * Math.LN2 + 2 * s * sum;
}

/**
 * xoshiro128** (Blackman & Vigna, ACM Trans. Math. Softw. 47:36, 2021), its state filled from the seed
 * by splitmix32; normals by Marsaglia's polar method. The same seed gives the same numbers everywhere.
 *
 * @param seed  any finite number; its low 53 bits count
 * @param fingerprint  an integer of 32 bits that selects another stream of the same seed; 0 is the plain stream
 */
export function createRandom(seed: number, fingerprint = 0): Random {
  let mix = (Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9) ^ seed ^ fingerprint) >>> 0;
  const next = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = next();
  let b = next();
  let c = next();
  let d = next();
  const words = new Uint32Array(4);
  const draw = (count: number) => {
    // Engines keep these in registers, but not variables of the closure.
    let p = a;
    let q = b;
    let r = c;
    let s = d;
    for (let i = 0; i < count; i++) {
      const product = Math.imul(q, 5);
      words[i] = Math.imul((product << 7) | (product >>> 25), 9);
      const t = q << 9;
      r ^= p;
      s ^= q;
      q ^= r;
      p ^= s;
      r ^= t;
      s = (s << 11) | (s >>> 21);
    }
    a = p;
    b = q;
    c = r;
    d = s;
  };
  const fraction = (i: number) => (words[i] + (words[i + 1] >>> 11) * 2 ** 32 + 0.5) / 2 ** 53;
  const normals = (x: Float32Array | Float64Array) => {
    for (let i = 0; i < x.length; ) {
      draw(4);
      const y = 2 * fraction(0) - 1;
      const z = 2 * fraction(2) - 1;
      const square = y * y + z * z;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * log(square)) / square);
      x[i++] = y * factor;
      if (i < x.length) x[i++] = z * factor;
    }
  };
  const pair = new Float64Array(2);
  let at = 2;
  return {
    uniform() {
      draw(2);
      return fraction(0);
    },
    normal() {
      if (at === 2) {
        normals(pair);
        at = 0;
      }
      return pair[at++];
    },
    normals,
  };
}

/** Bits of each number, relative to the largest, that a fingerprint depends on; 30 fit into a signed 32-bit integer. */
const FINGERPRINT_BITS = 30;

/**
 * A hash of 32 bits of a vector. It does not change where the vector is scaled by a power of two, and it ignores what
 * is below 2⁻³¹ of the largest number, so that underflow at one end of the range does not change it either.
 *
 * Source: the mixing steps of MurmurHash3 (A. Appleby, public domain).
 */
export function fingerprintOf(x: Float64Array): number {
  const largest = largestMagnitude(x);
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return 0;
  const exponent = FINGERPRINT_BITS - exponentOf(largest);
  // Two factors, neither of which over- or underflows.
  const first = 2 ** Math.trunc(exponent / 2);
  const second = 2 ** (exponent - Math.trunc(exponent / 2));
  let hash = x.length | 0;
  for (let i = 0; i < x.length; i++) {
    let part = Math.imul(Math.round(x[i] * first * second), 0xcc9e2d51);
    part = Math.imul((part << 15) | (part >>> 17), 0x1b873593);
    hash ^= part;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
