import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../src/files/json.js";
import { readModel } from "../../src/files/model.js";
import { readNpyHeader } from "../../src/files/npy-header.js";
import { storedTensors } from "../../src/files/safetensors.js";
import { type ByteSource, memorySource } from "../../src/files/source.js";
import { inflationLimit } from "../../src/files/zip.js";
import { repository } from "../package/install.js";

const security = readFileSync(join(repository, "SECURITY.md"), "utf8");

/** A file that begins with these bytes and claims to go on with zeros; reading much of it is an error of the reader. */
function claiming(size: number, head: ArrayLike<number>): ByteSource {
  return {
    size,
    read(offset, length) {
      if (length > 2 ** 17) throw new RangeError(`${length} bytes are read before the limit is checked`);
      return Uint8Array.from({ length }, (_, k) => head[offset + k] ?? 0);
    },
    close() {},
  };
}

const littleEndian = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, k) => Math.floor(value / 256 ** k) % 256);

const npyHead = (length: number) =>
  [0x93, ..."NUMPY"]
    .map((c) => (typeof c === "string" ? c.charCodeAt(0) : c))
    .concat([2, 0], littleEndian(length, 4));

/** A whole `.npy` header whose shape is nested so deep. */
function nestedNpy(levels: number): ByteSource {
  const text = `{'descr': '<f8', 'fortran_order': False, 'shape': ${"(".repeat(levels)}1,${"),".repeat(levels)}}`;
  return memorySource(Uint8Array.from([...npyHead(text.length), ...new TextEncoder().encode(text)]));
}

describe("the limits that SECURITY.md states", () => {
  it("JSON: 512 levels, 256 MiB, no key twice", () => {
    expect(security).toContain("at most 256 MiB, 512 levels of nesting, no key twice in an object");
    const nested = (levels: number) => new TextEncoder().encode("[".repeat(levels) + "]".repeat(levels));
    expect(() => parseJson(nested(512))).not.toThrow();
    expect(() => parseJson(nested(513))).toThrow(/512 levels/);
    expect(() => parseJson(new TextEncoder().encode('{"a":1,"\\u0061":2}'))).toThrow(/twice/);
    const folder = {
      open: (name: string): ByteSource => {
        throw new RangeError(`${name} is opened`);
      },
    };
    const model = claiming(2 ** 28 + 1, [0x7b]);
    expect(() => readModel(() => model, "model.json", folder)).toThrow(/JSON text of 268435457 bytes/);
  });

  it(".safetensors: a header of 100 MB", () => {
    expect(security).toContain("| the header of a `.safetensors` file | at most 100 MB |");
    const source = claiming(3e8, littleEndian(1e8 + 1, 8));
    expect(() => storedTensors(source, () => source)).toThrow(/header of 100000001 bytes/);
  });

  it(".npy: a header of 65,535 bytes and 16 levels", () => {
    expect(security).toContain("at most 65,535 bytes, 16 levels of nesting");
    expect(() => readNpyHeader(claiming(1e6, npyHead(65536)))).toThrow(/header of 65536 bytes/);
    // No longer than the limit, but all zeros.
    expect(() => readNpyHeader(claiming(1e6, npyHead(65535)))).toThrow(/^(?!.*header of 65535 bytes)/);
    expect(() => readNpyHeader(nestedNpy(15))).toThrow(/not made of integers/);
    expect(() => readNpyHeader(nestedNpy(20))).toThrow(/nested too deeply/);
  });

  it("a compressed member: 64 MiB, 16 times the file's size, or --memory", () => {
    expect(security).toContain("64 MiB or 16 times the size of the file");
    expect(inflationLimit(claiming(100, []), undefined)).toBe(64 * 2 ** 20);
    expect(inflationLimit(claiming(1e8, []), undefined)).toBe(16e8);
    expect(inflationLimit(claiming(1e8, []), 5)).toBe(5);
  });
});
