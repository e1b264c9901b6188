const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** An integer power of ten, typeset: 10⁻³. */
export function powerOfTen(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => superscripts[Number(digit)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** Two or three digits, typeset: 0.42, 17.3, 3.1 × 10⁻¹⁵. */
export function scientific(value: number): string {
  if (value === 0) return "0";
  if (value >= 0.01 && value < 1000) return String(Number(value.toPrecision(3)));
  const [mantissa, exponent] = value.toExponential(1).split("e");
  return `${mantissa}\u202f×\u202f${powerOfTen(Number(exponent))}`;
}

/** A time with three digits and its unit. */
export function duration(ms: number): string {
  if (ms < 1) return `${Number((ms * 1000).toPrecision(3))}\u202fµs`;
  if (ms < 1000) return `${Number(ms.toPrecision(3))}\u202fms`;
  return `${Number((ms / 1000).toPrecision(3))}\u202fs`;
}

/** "4.3 times", "310 times": a ratio above 1. */
export function times(ratio: number): string {
  if (ratio >= 1e6) return `${powerOfTen(Math.round(Math.log10(ratio)))} times`;
  return `${ratio < 10 ? ratio.toFixed(1) : Number(ratio.toPrecision(2)).toLocaleString("en-US")} times`;
}

/** A logarithmic scale that spans whole decades. */
export interface Decades {
  /** every power of ten from end to end */
  readonly ticks: readonly number[];
  readonly domain: readonly [number, number];
  /** the value, or the scale's lower end for what lies below it, 0 included */
  clamp(value: number): number;
}

/** The decades that hold all of the values that are above 0, at least one. */
export function decades(values: readonly number[]): Decades {
  const logarithms = values.filter((value) => value > 0).map(Math.log10);
  const first = Math.floor(Math.min(...logarithms, 300));
  const last = Math.max(Math.ceil(Math.max(...logarithms, -300)), first + 1);
  // Parsed from decimals, since powers computed by multiplication may be inexact.
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(`1e${first + i}`));
  return { ticks, domain: [ticks[0], ticks[ticks.length - 1]], clamp: (value) => Math.max(value, ticks[0]) };
}

/** As many of the decades as fit `most` labels, evenly spread and ending with the last. */
export function spreadOut(ticks: readonly number[], most: number): number[] {
  const step = Math.ceil(ticks.length / most);
  return ticks.filter((_, i) => (ticks.length - 1 - i) % step === 0);
}
