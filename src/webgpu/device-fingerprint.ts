import { SCAN } from "./shaders/scan.js";

/** The finalizer of MurmurHash3 (Appleby), as in shaders/scan.ts: a bijection of 32 bits. */
function mix(bits: number): number {
  let h = bits;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * A 32-bit hash of the entries of A and their positions. It does not depend on the layout or on the division into parts,
 * and it is the same for A and c·A if |c| is a power of two.
 *
 * @param parts  results of the scans of the parts of A
 * @param exponent  ⌊log₂⌋ of the largest magnitude
 */
export function fingerprintOf(parts: readonly Uint32Array[], exponent: number): number {
  const sum = (word: number) => parts.reduce((total, words) => (total + words[word]) >>> 0, 0);
  const places = sum(SCAN.places);
  const digits = sum(SCAN.digits) - Math.imul(exponent, places);
  const signs = sum(SCAN.signs);
  return mix(mix(mix(digits) ^ places) ^ Math.min(signs, -signs >>> 0));
}
