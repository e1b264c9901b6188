import { expect } from "vitest";

/** The bytes of every number in a result, typed arrays and plain ones, in order: equal only where all bits are. */
function bytesOf(value: unknown): unknown {
  if (typeof value === "number") return Buffer.from(Float64Array.of(value).buffer).toString("hex");
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name} ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")}`;
  if (Array.isArray(value)) return value.map(bytesOf);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, bytesOf(part)]));
  return value;
}

/** Compares to the bit, signs of zeros and all. */
export function expectSameBits(actual: unknown, expected: unknown, where: string): void {
  expect(bytesOf(actual), where).toEqual(bytesOf(expected));
}
