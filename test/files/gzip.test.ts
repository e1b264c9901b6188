import fc from "fast-check";
import { deflateSync } from "fflate";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/files/crc32.js";
import { withoutGzip } from "../../src/files/gzip.js";
import { memorySource } from "../../src/files/source.js";
import { checkError, mutations } from "./hostile.js";
import { encode, join, latin1 } from "./writers.js";

interface MemberOptions {
  readonly flags?: number;
  readonly fields?: Uint8Array;
  /** bits of the checksum that are changed */
  readonly crc?: number;
}

/** A member as RFC 1952 has it; `flags` and `fields` are its optional fields. */
function member(content: string | Uint8Array, options: MemberOptions = {}) {
  const { flags = 0, fields = new Uint8Array(0), crc = 0 } = options;
  const bytes = typeof content === "string" ? latin1(content) : content;
  return join(
    Uint8Array.of(0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255),
    fields,
    deflateSync(bytes),
    encode("<u4", [crc32(bytes) ^ crc, bytes.length]),
  );
}

function unpack(bytes: Uint8Array, memory?: number): string {
  const { source } = withoutGzip(memorySource(bytes), "x.gz", memory);
  return String.fromCharCode(...source.read(0, source.size));
}

const refusal = (bytes: Uint8Array, memory?: number): string => {
  try {
    return `read as ${unpack(bytes, memory)}`;
  } catch (error) {
    return checkError(error).message;
  }
};

describe("gzip", () => {
  it("is unpacked, whatever fields its header has, and all of its members", () => {
    expect(unpack(member("abc"))).toBe("abc");
    expect(unpack(member(""))).toBe("");
    const named = { flags: 4 + 8 + 16, fields: join(Uint8Array.of(2, 0, 1, 2), latin1("name\0remark\0")) };
    expect(unpack(member("abc", named))).toBe("abc");
    expect(unpack(join(member("abc"), member(""), member("de", named)))).toBe("abcde");
    expect(unpack(join(member("abc"), member("de"), new Uint8Array(700)))).toBe("abcde");
  });

  it("leaves other files alone, and takes .gz off the name", () => {
    const plain = memorySource(latin1("1,2"));
    expect(withoutGzip(plain, "a.csv.GZ", undefined)).toEqual({
      source: plain,
      name: "a.csv",
      packed: false,
    });
    expect(withoutGzip(memorySource(member("1,2")), "a.mtx.gz", undefined)).toMatchObject({
      name: "a.mtx",
      packed: true,
    });
    expect(withoutGzip(memorySource(new Uint8Array(0)), "a", undefined).packed).toBe(false);
  });

  it("says what is wrong with a damaged file", () => {
    const good = member("abcabcabc");
    const changed = (at: number, byte: number) => good.map((old, k) => (k === good.length + at ? byte : old));
    expect(refusal(member("abc", { crc: 1 }))).toMatch(/CRC-32 .* does not fit/);
    expect(refusal(changed(-1, 9))).toMatch(/length .* does not fit/);
    expect(refusal(join(good, member("abc", { crc: 1 })))).toMatch(/CRC-32/);
    for (let length = 3; length < good.length; length++)
      expect(refusal(good.slice(0, length))).toMatch(/cut short/);
    expect(refusal(join(good, good.slice(0, -3)))).toMatch(/cut short/);
    expect(refusal(join(good, latin1("more, and no member")))).toMatch(/what follows a gzip member is none/);
    expect(refusal(join(good, new Uint8Array(8), good))).toMatch(/zeros stand between/);
    expect(refusal(join(good.slice(0, 10), new Uint8Array(30).fill(0xff)))).toMatch(
      /damaged: .*invalid block type/,
    );
    expect(refusal(good.map((old, k) => (k === 2 ? 7 : old)))).toMatch(/unknown compression method/);
    const tar = new Uint8Array(512);
    tar.set(latin1("ustar"), 257);
    expect(refusal(member(tar))).toMatch(/tar archive/);
  });

  it("unpacks to 64 MiB or 16 times its size, or the memory that is allowed", () => {
    const bomb = member(new Uint8Array(2 ** 26 + 1));
    expect(refusal(bomb)).toMatch(/more than 67108864 bytes.*--memory/);
    expect(withoutGzip(memorySource(bomb), "x", 2 ** 26 + 1).source.size).toBe(2 ** 26 + 1);
    expect(refusal(member("abcd"), 3)).toMatch(/more than 3 bytes/);
    const bombs = join(...Array.from({ length: 3 }, () => member(new Uint8Array(2 ** 25))));
    expect(refusal(bombs)).toMatch(/more than 67108864 bytes/);
  });

  it("gives what was put in, or an error, whatever becomes of the file", () => {
    const content = "%%MatrixMarket matrix array real general\n1 2\n3\n4\n";
    const original = join(member(content.slice(0, 20)), member(content.slice(20)));
    fc.assert(
      fc.property(mutations(original), (bytes) => {
        const result = refusal(bytes);
        // Whole members may be cut away, or stand twice; what is within them may not change.
        if (result.startsWith("read as ") && bytes[0] === 0x1f && bytes[1] === 0x8b)
          expect(result.slice(8).replaceAll(content.slice(0, 20), "").replaceAll(content.slice(20), "")).toBe(
            "",
          );
      }),
    );
  });
});
