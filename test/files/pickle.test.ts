import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPickle } from "../../src/files/pickle.js";
import {
  PickleGlobal,
  PickleObject,
  type PickleReader,
  type PickleValue,
} from "../../src/files/pickle-values.js";
import { memorySource } from "../../src/files/source.js";
import { checkError, largestAllocation } from "./hostile.js";
import { pickled } from "./torch-writer.js";
import { encode, join, latin1 } from "./writers.js";

const READER: PickleReader = {
  call: (name, parameters) => (name === "my.pair" ? [...parameters] : undefined),
  persistent: (id) => [id],
};

function unpickled(...opcodes: readonly (Uint8Array | string)[]): PickleValue {
  const parts = opcodes.map((part) => (typeof part === "string" ? latin1(part) : part));
  const bytes = join(Uint8Array.of(0x80, 2), ...parts, latin1("."));
  const { value, end } = readPickle(memorySource(bytes), 0, READER);
  expect(end).toBe(bytes.length);
  return value;
}

function refused(...opcodes: readonly (Uint8Array | string)[]): string {
  try {
    unpickled(...opcodes);
  } catch (error) {
    return checkError(error).message;
  }
  throw new Error("it was read");
}

const length = (code: string, count: number, of: "<u4" | "<u8" | "<u1") =>
  join(latin1(code), encode(of, [count]));
const one = (count: number) => Uint8Array.of(count);

describe("a pickle's value", () => {
  it.each<[string, PickleValue, (Uint8Array | string)[]]>([
    ["None", null, ["N"]],
    ["True", true, ["\x88"]],
    ["False", false, ["\x89"]],
    ["a byte", 255, ["K\xff"]],
    ["two bytes", 0x1234, ["M\x34\x12"]],
    ["four bytes", -2, ["J\xfe\xff\xff\xff"]],
    ["a long integer", -129, ["\x8a\x02\x7f\xff"]],
    ["a longer one", 2 ** 40, [pickled.long(2n ** 40n)]],
    ["one beyond 2^53", 2n ** 62n, [pickled.long(2n ** 62n)]],
    ["an integer of no bytes", 0, ["\x8a\x00"]],
    ["an integer with a long length", 5, ["\x8b\x01\x00\x00\x00\x05"]],
    ["a real number", -0.1, [pickled.real(-0.1)]],
    ["a text", "añ😀", [pickled.string("añ😀")]],
    ["a short text", "ab", ["\x8c\x02ab"]],
    ["a text with a long length", "ab", [join(one(0x8d), encode("<u8", [2n])), "ab"]],
    ["a text of Python 2", "ab", ["U\x02ab"]],
    ["a longer one", "ab", [length("T", 2, "<u4"), "ab"]],
    ["bytes", Uint8Array.of(1, 2), ["C\x02\x01\x02"]],
    ["more bytes", Uint8Array.of(1, 2), [length("B", 2, "<u4"), "\x01\x02"]],
    ["a byte array", Uint8Array.of(7), [join(one(0x96), encode("<u8", [1n])), "\x07"]],
    ["tuples", [[], [1], [1, 2], [1, 2, 3], [4]], ["()K\x01\x85K\x01K\x02\x86K\x01K\x02K\x03\x87(K\x04tt"]],
    ["lists", [1, 2, 3], ["]K\x01a(K\x02K\x03e"]],
    ["a list of what is on the stack", [1], ["(K\x01l"]],
    ["sets", [[1], [2]], ["\x8f(K\x01\x90(K\x02\x91\x86"]],
    ["a dictionary", new Map([["a", 1]]), ["}U\x01aK\x01s"]],
    ["a dictionary of what is on the stack", new Map([["a", 1]]), ["(U\x01aK\x01d"]],
    ["a key twice", new Map([["a", 2]]), ["}(U\x01aK\x01U\x01aK\x02u"]],
    ["what was dropped", 1, ["K\x01K\x020"]],
    ["what was dropped with a mark", 1, ["K\x01(K\x02K\x031"]],
    ["a mark that was dropped", 1, ["K\x01(0"]],
    ["what was doubled", [1, 1], ["K\x012\x86"]],
    ["what was memorized", ["a", "a"], ["U\x01aq\x05h\x05\x86"]],
    ["memorized with a long index", ["a", "a"], ["U\x01ar\x05\x01\x00\x00j\x05\x01\x00\x00\x86"]],
    ["memorized in turn", ["a", "a"], ["U\x01a\x94h\x00\x86"]],
    [
      "memorized out of turn",
      ["b", "a", "b"],
      ["U\x01aq\x030U\x01b\x94h\x01h\x03h\x01\x870\x94h\x01h\x03h\x01\x87"],
    ],
    ["nothing, memorized", null, ["Nq\x000h\x00"]],
    ["in a frame", 1, [join(one(0x95), encode("<u8", [2n])), "K\x01"]],
    ["stored elsewhere", [1], ["K\x01Q"]],
    ["a class", new PickleGlobal("a.b.c"), ["ca.b\nc\n"]],
    ["a class by its names", new PickleGlobal("a.b.c"), ["U\x03a.bU\x01c\x93"]],
    ["made by a function that is known", [1], ["cmy\npair\nK\x01\x85R"]],
    ["an object", new PickleObject("a.b"), ["ca\nb\n)\x81"]],
    ["an object with keywords", new PickleObject("a.b"), ["ca\nb\n)}\x92"]],
    ["an object of an object", new PickleObject("a.b"), ["ca\nb\n)R)R"]],
    ["an object like a dictionary", new PickleObject("a.b"), ["ca\nb\n)\x81K\x01K\x02s"]],
    ["an object like a list", new PickleObject("a.b"), ["ca\nb\n)\x81K\x01a"]],
    ["an ordered dictionary", new Map([["a", 1]]), ["ccollections\nOrderedDict\n]](U\x01aK\x01ea\x85R"]],
    ["one with attributes", new Map(), ["ccollections\nOrderedDict\n)R}b"]],
    ["one with a default", new Map(), ["ccollections\ndefaultdict\nN\x85R"]],
    ["a set of Python 2", [1], ["c__builtin__\nset\n]K\x01a\x85R"]],
  ])("is %s", (_, value, opcodes) => {
    expect(unpickled(...opcodes)).toEqual(value);
  });

  it("is an object with its attributes", () => {
    const object = unpickled("ca\nb\n)\x81}U\x01xK\x01sb");
    expect(object).toBeInstanceOf(PickleObject);
    expect((object as PickleObject).state).toEqual(new Map([["x", 1]]));
  });

  it("may be longer than what is read at a time", () => {
    const long = "x".repeat(200_000);
    const items = Array.from({ length: 30_000 }, (_, k) => pickled.integer(k));
    expect(unpickled(pickled.list(pickled.string(long), ...items, pickled.string(long)))).toEqual([
      ...[long, ...items.keys(), long],
    ]);
  });

  it("ends where the next pickle begins", () => {
    const source = memorySource(join(latin1("xx"), pickled.whole(pickled.small(7)), latin1("K\x08.")));
    const first = readPickle(source, 2, READER);
    expect(first.value).toBe(7);
    expect(readPickle(source, first.end, READER)).toEqual({ value: 8, end: source.size });
  });
});

describe("a damaged pickle", () => {
  it.each<[string, RegExp, (Uint8Array | string)[]]>([
    ["an unknown opcode", /byte 2 is 0xff$/, ["\xff"]],
    ["an opcode of protocol 0", /byte 2 is "I"$/, ["I1\n"]],
    ["an opcode of the extension registry", /byte 2 is 0x82$/, ["\x82\x01"]],
    ["nothing", /nothing on its stack/, [""]],
    ["a tuple of too little", /nothing on its stack/, ["K\x01\x86"]],
    ["a tuple beyond a mark", /nothing on its stack/, ["K\x01(K\x02\x86"]],
    ["no mark", /no mark on its stack/, ["K\x01t"]],
    ["nothing memorized", /nothing memorized as 3/, ["h\x03"]],
    ["a newer protocol", /protocol 6 of pickle, newer than 5/, ["\x80\x06"]],
    ["a text that is cut short", /is cut short/, ["U\x09ab"]],
    ["a length beyond all files", /is cut short/, [join(one(0x8d), encode("<u8", [2n ** 63n])), "ab"]],
    ["an integer that is too long", /an integer of 1000 bytes/, ["\x8b\xe8\x03\x00\x00", "x".repeat(1000)]],
    ["a name without an end", /a name without an end/, ["c", "x".repeat(2000)]],
    ["a name that is no text", /a class without a name/, ["K\x01K\x02\x93"]],
    ["a key without a value", /a key without a value/, ["}(K\x01u"]],
    ["a key for a list", /a key for what is no dictionary/, ["]K\x01K\x02s"]],
    ["an item for a number", /an item for what is no list/, ["K\x01K\x02a"]],
    ["a call of a number", /a call of what is no function/, ["K\x01)R"]],
    ["a call with a number", /a call without arguments/, ["ca\nb\nK\x01R"]],
  ])("is one with %s", (_, message, opcodes) => {
    expect(refused(...opcodes)).toMatch(message);
  });

  it("has limits of its size", () => {
    const many = (code: string, count: number) => new Uint8Array(count).fill(code.charCodeAt(0));
    expect(refused(many("}", 2 ** 21 + 1))).toMatch(/more than 131072 lists, dictionaries and objects/);
    expect(refused(many("}", 2 ** 22))).toMatch(/more than 262144 lists, dictionaries and objects/);
    expect(refused(many("N", 2 ** 23))).toMatch(/more than 8388608 opcodes/);
    const bytes = join(Uint8Array.of(0x80, 2), many("N", 70_000), latin1("."));
    expect(() => readPickle(memorySource(bytes), 0, READER, 100)).toThrow(/more than 65536 opcodes/);
  });

  it("cannot make one list into many dictionaries", () => {
    const item = latin1("]K\x01aK\x02a");
    const items = join(latin1("]q\x01("), ...new Array(2000).fill(item), latin1("e0"));
    const again = latin1("ccollections\nOrderedDict\nh\x01\x85R0");
    expect(refused(items, ...new Array(2000).fill(again), "N")).toMatch(/more than 131072 lists/);
  });

  it("is refused or read, whatever its bytes are", () => {
    const codes = [..."(012NKMJGXTUBC])}lteaudsqrhjcRbQ."].map((letter) => letter.charCodeAt(0));
    const byte = fc.oneof(
      fc.constantFrom(...codes, 0x80, 0x81, 0x85, 0x86, 0x8a, 0x8c, 0x92, 0x93, 0x94),
      fc.nat({ max: 255 }),
      fc.nat({ max: 9 }),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
        const largest = largestAllocation(() => {
          try {
            readPickle(memorySource(Uint8Array.from(bytes)), 0, READER);
          } catch (error) {
            checkError(error);
          }
        });
        expect(largest).toBeLessThan(1000);
      }),
      { numRuns: 2000 },
    );
  });
});
