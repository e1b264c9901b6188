/** The smallest multiple that is not below `count`. */
export function padTo(count: number, multiple: number): number {
  return Math.ceil(count / multiple) * multiple;
}

/** Rows whose addresses agree in their low twelve bits push each other out of the nearest cache. */
const CONFLICT = 4096;
const CACHE_LINE = 64;

/** A row length, in numbers of so many bytes, at which the addresses of the rows do not agree. */
export function awayFromPages(numbers: number, bytes: number): number {
  return (numbers * bytes) % CONFLICT === 0 ? numbers + CACHE_LINE / bytes : numbers;
}
