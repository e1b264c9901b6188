/**
 * A value for `structuredClone`, with each typed array in a buffer of its own. A clone of a view would take the whole
 * buffer with it, and shared memory would not be copied.
 */
export function compact(value: unknown): unknown {
  if (ArrayBuffer.isView(value) && "length" in value) return (value as unknown as Sliceable).slice();
  if (Array.isArray(value)) return value.map(compact);
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Maps, dates and the like are left to `structuredClone`.
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, compact(part)]));
}

interface Sliceable {
  slice(): unknown;
}
