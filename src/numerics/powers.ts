/** ⌊log₂ x⌋, exact, subnormals included. */
export function exponentOf(x: number): number {
  if (x < 2 ** -1000) return exponentOf(x * 2 ** 100) - 100;
  let e = Math.floor(Math.log2(x));
  if (2 ** e > x) e--;
  else if (e < 1023 && 2 ** (e + 1) <= x) e++;
  return e;
}

/** c as factor·2^exponent, the factor being from 1 to 2 in magnitude, or zero. */
export function normalized(c: number): { factor: number; exponent: number } {
  if (c === 0) return { factor: c, exponent: 0 };
  const exponent = exponentOf(Math.abs(c));
  return { factor: scaleByPower(c, -exponent), exponent };
}

/** The largest exponent whose negative is the exponent of a normal number too. */
const STEP = 1022;
/** 2^±2100 times any double is zero or infinite, since exponents range from −1074 to 1023. */
const MOST = 2100;

/** x·2^e without an intermediate overflow or underflow: no product but the last one rounds. */
export function scaleByPower(x: number, e: number): number {
  const power = Math.max(-MOST, Math.min(MOST, e));
  let product = x * 2 ** (power % STEP);
  const step = 2 ** (Math.sign(power) * STEP);
  for (let steps = Math.trunc(Math.abs(power) / STEP); steps > 0; steps--) product *= step;
  return product;
}

/** x ← x·2^e, element by element, likewise. */
export function scaleVector(x: Float64Array, e: number): void {
  if (e !== 0) for (let i = 0; i < x.length; i++) x[i] = scaleByPower(x[i], e);
}

/** The largest magnitude; Infinity where an element is NaN. */
export function largestMagnitude(x: Float64Array): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    const size = Math.abs(x[i]);
    if (!(size <= most)) {
      if (!(size < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
      most = size;
    }
  }
  return most;
}
