import assert from "node:assert/strict";
import fc from "fast-check";
import type { FileEntry } from "../../src/files/entry.js";
import { readMatrices } from "../../src/files/open.js";
import { memorySource } from "../../src/files/source.js";
import { SpectralNormError } from "../../src/matrix/errors.js";

const KINDS = new Set(["ERR_FILE", "ERR_SHAPE", "ERR_NON_FINITE", "ERR_UNSUPPORTED"]);

/** Reads all of it; what is thrown must be one of the errors that say what is wrong with a file. */
export function readOrRefuse(bytes: Uint8Array, name: string): FileEntry[] | SpectralNormError {
  try {
    const entries = [...readMatrices(memorySource(bytes), name)];
    for (const entry of entries) if (entry.kind === "failed") checkError(entry.error);
    return entries;
  } catch (error) {
    return checkError(error);
  }
}

/** Throws what is none of the errors that say what is wrong with a file; returns what is. */
export function checkError(error: unknown): SpectralNormError {
  if (!(error instanceof SpectralNormError)) throw error;
  assert.ok(KINDS.has(error.code), error.code);
  assert.doesNotMatch(error.message, /[\n\r]|undefined|\[object/);
  assert.ok(error.message.length < 1000);
  return error;
}

/** The error that reading ends with; fails if it ends well. */
export function refusal(bytes: Uint8Array, name: string): SpectralNormError {
  const result = readOrRefuse(bytes, name);
  if (Array.isArray(result)) {
    const failed = result.find((entry) => entry.kind === "failed");
    if (failed === undefined) throw new Error(`${name} was read`);
    return failed.error;
  }
  return result;
}

/** Bytes changed, cut out, doubled or put in at a few places. */
export function mutations(original: Uint8Array): fc.Arbitrary<Uint8Array> {
  const place = fc.nat({ max: original.length - 1 });
  const edit = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), at: place, byte: fc.nat({ max: 255 }) }),
    fc.record({ kind: fc.constant("digit" as const), at: place, byte: fc.integer({ min: 0x2c, max: 0x39 }) }),
    fc.record({ kind: fc.constant("flip" as const), at: place, byte: fc.nat({ max: 7 }) }),
    fc.record({ kind: fc.constant("cut" as const), at: place, byte: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ kind: fc.constant("double" as const), at: place, byte: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ kind: fc.constant("ones" as const), at: place, byte: fc.integer({ min: 1, max: 8 }) }),
  );
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    let bytes = [...original];
    for (const { kind, at, byte } of edits) {
      if (at >= bytes.length) continue;
      if (kind === "set" || kind === "digit") bytes[at] = byte;
      else if (kind === "flip") bytes[at] ^= 1 << byte;
      else if (kind === "cut") bytes = [...bytes.slice(0, at), ...bytes.slice(at + byte)];
      else if (kind === "double") bytes = [...bytes.slice(0, at + byte), ...bytes.slice(at)];
      else bytes.fill(0xff, at, at + byte);
    }
    return Uint8Array.from(bytes);
  });
}

/** The largest typed array that was allocated, in bytes, while `work` ran. */
export function largestAllocation(work: () => void): number {
  return allocations(work).largest;
}

/** The largest typed array that was allocated while `work` ran, and all of them together, in bytes. */
export function allocations(work: () => void): { largest: number; total: number } {
  const names = [
    "Uint8Array",
    "Uint16Array",
    "Uint32Array",
    "Int32Array",
    "Float32Array",
    "Float64Array",
  ] as const;
  const arrays = names.map((name) => [name, globalThis[name]] as const);
  let largest = 0;
  let total = 0;
  for (const [name, original] of arrays) {
    const spied: typeof original = new Proxy(original, {
      construct(target, parameters: unknown[], newTarget): object {
        const [first] = parameters;
        if (typeof first === "number") {
          largest = Math.max(largest, first * target.BYTES_PER_ELEMENT);
          total += first * target.BYTES_PER_ELEMENT;
          // What would take the machine down is refused here instead.
          if (first * target.BYTES_PER_ELEMENT > 2 ** 28) throw new Error(`${name}(${first})`);
        }
        return Reflect.construct(target, parameters, newTarget === spied ? target : newTarget);
      },
    });
    Object.assign(globalThis, { [name]: spied });
  }
  try {
    work();
  } finally {
    for (const [name, original] of arrays) Object.assign(globalThis, { [name]: original });
  }
  return { largest, total };
}
