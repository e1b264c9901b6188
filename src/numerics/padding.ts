/** The smallest multiple that is not below `count`. */
export function padTo(count: number, multiple: number): number {
  return Math.ceil(count / multiple) * multiple;
}

/** Rows whose addresses agree in their low twelve bits fall into the same set of a typical first-level cache. */
const CONFLICT = 4096;
/** Bytes of a cache line of x86 and most ARM processors. */
const CACHE_LINE = 64;

/** A row length, in numbers of so many bytes, at which the addresses of the rows do not agree. */
export function awayFromPages(numbers: number, bytes: number): number {
  return (numbers * bytes) % CONFLICT === 0 ? numbers + CACHE_LINE / bytes : numbers;
}
