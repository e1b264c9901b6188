/** A seeded stream of random numbers. */
export interface Random {
  /** uniform on (0, 1) */
  uniform(): number;
  /** standard normal */
  normal(): number;
}

/**
 * xoshiro128** (Blackman & Vigna, ACM Trans. Math. Softw. 47:36, 2021), its state filled from the seed
 * by splitmix32; normals by Marsaglia's polar method. The same seed gives the same numbers everywhere.
 *
 * @param seed  any finite number; its low 53 bits count
 */
export function createRandom(seed: number): Random {
  let mix = (Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9) ^ seed) >>> 0;
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
  const bits = () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  const uniform = () => (bits() + (bits() >>> 11) * 2 ** 32 + 0.5) / 2 ** 53;
  let spare = Number.NaN;
  return {
    uniform,
    normal() {
      if (!Number.isNaN(spare)) {
        const value = spare;
        spare = Number.NaN;
        return value;
      }
      for (;;) {
        const x = 2 * uniform() - 1;
        const y = 2 * uniform() - 1;
        const square = x * x + y * y;
        if (square >= 1 || square === 0) continue;
        const factor = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * factor;
        return x * factor;
      }
    },
  };
}
