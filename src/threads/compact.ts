/**
 * A value to be cloned, each typed array in memory of its own: a clone of a view has all of the memory that it is a view
 * of, and shared memory is not copied at all.
 */
export function compact(value: unknown): unknown {
  if (ArrayBuffer.isView(value) && "length" in value) return (value as unknown as Sliceable).slice();
  if (Array.isArray(value)) return value.map(compact);
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Maps, dates and the like are cloned as what they are.
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, compact(part)]));
}

/** What all typed arrays have. */
interface Sliceable {
  slice(): unknown;
}
