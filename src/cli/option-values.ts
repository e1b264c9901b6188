import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** A number of bytes: "512MB", "1.5GiB", "1000000". */
export function byteSize(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = parts && UNITS[parts[2].toUpperCase()];
  if (parts && unit) return Number(parts[1]) * unit;
  throw new InvalidArgumentError("It takes a number of bytes, such as 512MB or 2GiB.");
}

/** A parser for options that take an integer in a range. */
export function integerIn(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It takes an integer from ${from} to ${to}.`);
  };
}

/** A relative error. */
export function tolerance(text: string): number {
  const value = numberIn(text);
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new InvalidArgumentError("It takes a positive number, such as 1e-6.");
}

/** A number of floating-point operations. */
export function flops(text: string): number {
  const value = numberIn(text);
  if (value >= 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new InvalidArgumentError("It takes a number of flops, such as 1e12.");
}

/** Timers of Node.js end at 2³¹ ms, which is 2.1e6 s. */
const MOST_SECONDS = 2e6;

/** A duration in seconds. */
export function seconds(text: string): number {
  const value = numberIn(text);
  if (value > 0 && value <= MOST_SECONDS) return value;
  throw new InvalidArgumentError("It takes a number of seconds, at most 2e6.");
}

/** `Number` makes 0 of blank text; here it is NaN. */
function numberIn(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}
