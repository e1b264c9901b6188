import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../src/files/json.js";
import { SpectralNormError } from "../../src/matrix/errors.js";
import { checkError, largestAllocation, mutations } from "./hostile.js";
import {
  entriesOf,
  type Files,
  fault,
  floats,
  numbersOf,
  safetensors,
  tensorIn,
  text,
  withHeader,
} from "./models.js";

const numbers = [1, -2, 0.5, 4, -0.25, 3];
const part = (name: string, dtype: "F64" | "F32" | "F16" | "BF16", shape = [2, 3]) => ({
  name,
  dtype,
  shape,
  data: floats(dtype, numbers),
});
const read = (bytes: Uint8Array) => entriesOf({ "m.safetensors": bytes }, "m.safetensors");
const refused = (bytes: Uint8Array) => {
  try {
    read(bytes);
  } catch (error) {
    if (error instanceof SpectralNormError) return error.message;
    throw error;
  }
  throw new Error("was read");
};

describe("a safetensors file", () => {
  it("gives the numbers of each float type", () => {
    const file = safetensors(
      (["F64", "F32", "F16", "BF16"] as const).map((dtype) => part(dtype, dtype)),
      { format: "pt" },
    );
    const entries = read(file);
    expect(entries.map(({ name }) => name)).toEqual(["F64", "F32", "F16", "BF16"]);
    for (const entry of entries) {
      expect(entry).toMatchObject({ kind: "tensor", shape: [2, 3], layout: "pytorch" });
      expect(numbersOf(tensorIn(entries, entry.name))).toEqual(numbers);
    }
    expect(tensorIn(entries, "BF16").dtype).toBe("bfloat16");
  });

  it("lists tensors in the order of their bytes, wherever they begin", () => {
    const bytes = withHeader(
      {
        b: { dtype: "F32", shape: [1], data_offsets: [5, 9] },
        a: { dtype: "U8", shape: [5], data_offsets: [0, 5] },
      },
      Uint8Array.of(0, 0, 0, 0, 0),
      floats("F32", [7]),
    );
    const entries = read(bytes);
    expect(entries.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(numbersOf(tensorIn(entries, "b"))).toEqual([7]);
  });

  it("leaves out what it does not know, by name", () => {
    const entries = read(
      safetensors([
        { name: "i", dtype: "I64", shape: [1], data: new Uint8Array(8) },
        { name: "f6", dtype: "F6_E2M3", shape: [2, 2], data: new Uint8Array(3) },
        { name: "new", dtype: "toString", shape: [2], data: new Uint8Array(3) },
        part("w", "F32"),
      ]),
    );
    expect(fault(entries, "i")).toMatch(/^dtype "I64" is none of F64, F32, F16, BF16, C64, F8, F4$/);
    expect(fault(entries, "f6")).toMatch(/^is F6_E2M3, and no specification says/);
    expect(fault(entries, "new")).toMatch(/toString/);
    expect(numbersOf(tensorIn(entries, "w"))).toEqual(numbers);
  });

  it.each([
    [2n ** 63n, /header of 9223372036854775808 bytes is promised, 20 are there/],
    [2n ** 64n - 1n, /header of 18446744073709551615 bytes/],
    [21n, /header of 21 bytes is promised, 20 are there/],
  ])("refuses a header of %s bytes without reading it", (length, message) => {
    const bytes = new Uint8Array(28);
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    bytes[8] = 0x7b;
    let why = "";
    expect(
      largestAllocation(() => {
        why = refused(bytes);
      }),
    ).toBeLessThan(1000);
    expect(why).toMatch(message);
  });

  it.each([
    [new Uint8Array(7).fill(1), /cut short within the safetensors header/],
    [withHeader("{"), /its header is not JSON/],
    [withHeader("[1]"), /its header is not a JSON object/],
    [withHeader('{"a'), /its header is not JSON/],
    [withHeader("\u00e4".repeat(3)).map((byte) => (byte === 0xa4 ? 0xff : byte)), /its header is not UTF-8/],
  ])("refuses a damaged header", (bytes, message) => {
    expect(refused(bytes)).toMatch(message);
  });

  it.each([
    [{ dtype: "F32", shape: [2, 3], data_offsets: [24, 52] }, /ends at byte \d+, and the file has \d+/],
    [{ dtype: "F32", shape: [2, 3], data_offsets: [24, 2 ** 53 - 1] }, /ends at byte/],
    [{ dtype: "F32", shape: [2, 3], data_offsets: [48, 24] }, /data_offsets \[48, 24\] are not a range/],
    [{ dtype: "F32", shape: [2, 3], data_offsets: [-24, 0] }, /are not a range/],
    [{ dtype: "F32", shape: [2, 3], data_offsets: [24.5, 48] }, /are not two integers/],
    [{ dtype: "F32", shape: [2, 3], data_offsets: [24] }, /are not two integers/],
    [{ dtype: "F32", shape: [2, 3] }, /are not two integers/],
    [
      { dtype: "F32", shape: [2, 4], data_offsets: [24, 48] },
      /\[2, 4\] F32 takes 32 bytes, and its data_offsets have 24/,
    ],
    [{ dtype: "F32", shape: [2 ** 40, 2 ** 40], data_offsets: [24, 48] }, /more than 2\^53 numbers/],
    [{ dtype: "F32", shape: [2, -3], data_offsets: [24, 48] }, /its shape has -3/],
    [{ dtype: "F32", shape: [1.5, 4], data_offsets: [24, 48] }, /its shape has 1\.5/],
    [{ dtype: "F32", shape: "2x3", data_offsets: [24, 48] }, /its shape is not a list/],
    [{ shape: [2, 3], data_offsets: [24, 48] }, /has no dtype/],
    [7, /not an object/],
    [null, /not an object/],
  ])("refuses the tensor %j and reads the other", (bad, message) => {
    const good = { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] };
    const entries = read(withHeader({ bad, good }, floats("F32", [...numbers, ...numbers])));
    expect(fault(entries, "bad")).toMatch(message);
    expect(numbersOf(tensorIn(entries, "good"))).toEqual(numbers);
  });

  it("refuses tensors that overlap, all of them, and no others", () => {
    const at = (begin: number, end: number) => ({
      dtype: "F32",
      shape: [(end - begin) / 4],
      data_offsets: [begin, end],
    });
    const entries = read(
      withHeader(
        { a: at(0, 16), b: at(8, 12), c: at(12, 20), d: at(20, 24), e: at(20, 20) },
        new Uint8Array(24),
      ),
    );
    expect(fault(entries, "a")).toMatch(/overlap those of "[bc]"/);
    expect(fault(entries, "b")).toMatch(/overlap those of "a"/);
    expect(fault(entries, "c")).toMatch(/overlap those of "a"/);
    expect(tensorIn(entries, "d").shape).toEqual([1]);
    expect(tensorIn(entries, "e").shape).toEqual([0]);
    const same = read(withHeader({ a: at(0, 8), b: at(0, 8) }, new Uint8Array(8)));
    expect(fault(same, "a")).toBe('its bytes overlap those of "b"');
    expect(fault(same, "b")).toBe('its bytes overlap those of "a"');
  });

  it("refuses tensors that overlap one of a type that is left out", () => {
    const at = (dtype: string, count: number, begin: number, end: number) => ({
      ...{ dtype, shape: [count], data_offsets: [begin, end] },
    });
    for (const [dtype, count] of [
      ["I64", 1],
      ["BOOL", 8],
      ["F6_E2M3", 10],
      ["other", 3],
    ] as const) {
      const header = { a: at("F32", 2, 0, 8), b: at(dtype, count, 4, 12), c: at("F32", 1, 12, 16) };
      const entries = read(withHeader(header, new Uint8Array(16)));
      expect(fault(entries, "a")).toBe('its bytes overlap those of "b"');
      expect(fault(entries, "b")).toBe('its bytes overlap those of "a"');
      expect(tensorIn(entries, "c").shape).toEqual([1]);
    }
    const short = read(withHeader({ a: at("I64", 2, 0, 8) }, new Uint8Array(8)));
    expect(fault(short, "a")).toBe("[2] I64 takes 16 bytes, and its data_offsets have 8");
  });

  it("refuses a header with a key twice, in which nobody knows what is meant", () => {
    const one = (offsets: string) => `{"dtype":"F32","shape":[1],"data_offsets":[${offsets}]}`;
    for (const header of [
      `{"a":${one("0,4")},"b":${one("4,8")},"\\u0061":${one("8,12")}}`,
      `{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`,
    ])
      expect(refused(withHeader(header, new Uint8Array(16)))).toMatch(
        /^its header has the key "(a|dtype)" twice$/,
      );
  });

  it("says in one line which tensors a file that is cut short is without", () => {
    const whole = safetensors(Array.from({ length: 1000 }, (_, k) => part(`w${k}`, "F32")));
    const entries = read(whole.subarray(0, whole.length - 998 * 24 - 1));
    expect(entries.filter(({ kind }) => kind === "tensor")).toHaveLength(1);
    const failed = entries.filter(({ kind }) => kind === "failed");
    expect(failed).toHaveLength(1);
    expect(fault(entries, "w1")).toMatch(/^ends at byte .*the same holds for 998 more: "w2", .*"w6", …$/);
  });

  it("answers or refuses, whatever becomes of its bytes", () => {
    const original = safetensors([part("first", "F32"), part("second", "BF16")]);
    fc.assert(
      fc.property(mutations(original), (bytes) => {
        try {
          for (const entry of read(bytes)) if (entry.kind === "tensor") numbersOf(entry);
        } catch (error) {
          if (!(error instanceof SpectralNormError)) throw error;
          expect(error.message).not.toMatch(/[\n\r]|undefined|\[object/);
        }
      }),
      { numRuns: 400, seed: 1 },
    );
  });
});

describe("an index of several", () => {
  const files: Files = {
    "one.safetensors": safetensors([part("a", "F32"), part("extra", "F32")]),
    "two.safetensors": safetensors([part("b", "F16"), part("c", "BF16")]),
    "broken.safetensors": withHeader("{"),
  };
  const index = (map: string | object) =>
    entriesOf(
      { ...files, "m.index.json": text(typeof map === "string" ? map : { weight_map: map }) },
      "m.index.json",
    );

  it("gives the tensors of its files, file by file", () => {
    const entries = index({ c: "two.safetensors", a: "one.safetensors", b: "two.safetensors" });
    expect(entries.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      "b tensor",
      "c tensor",
      "a tensor",
      "extra left out",
    ]);
    for (const name of ["a", "b", "c"]) expect(numbersOf(tensorIn(entries, name))).toEqual(numbers);
  });

  it("says which tensors a missing, damaged or foreign file takes with it", () => {
    const entries = index({
      a: "one.safetensors",
      lost: "three.safetensors",
      worse: "broken.safetensors",
      absent: "two.safetensors",
      foreign: "../../etc/passwd",
      rooted: "/etc/passwd",
      none: 7,
    });
    expect(fault(entries, "lost")).toBe('its file "three.safetensors": no such file');
    expect(fault(entries, "worse")).toMatch(/its file "broken.safetensors": its header is not JSON/);
    expect(fault(entries, "absent")).toMatch(/is not in "two.safetensors"/);
    expect(fault(entries, "foreign")).toMatch(
      /"\.\.\/\.\.\/etc\/passwd" is not a file in the model's own folder/,
    );
    expect(fault(entries, "rooted")).toMatch(/own folder/);
    expect(fault(entries, "none")).toMatch(/does not say in which file/);
    expect(numbersOf(tensorIn(entries, "a"))).toEqual(numbers);
  });

  it("says in one line a file what is wrong with it, however many tensors it takes with it", () => {
    const names = Array.from({ length: 60_000 }, (_, k) => `w${k}`);
    const entries = index(
      Object.fromEntries([
        ...names.map((name) => [name, "lost.safetensors"]),
        ...names.map((name) => [`absent ${name}`, "two.safetensors"]),
        ...names.map((name, k) => [`none ${name}`, k % 2 ? k : [k]]),
        ["a", "one.safetensors"],
      ]),
    );
    expect(entries.filter(({ kind }) => kind === "failed")).toHaveLength(3);
    expect(fault(entries, "w0")).toBe(
      'its file "lost.safetensors": no such file; the same holds for 59999 more: "w1", "w2", "w3", "w4", "w5", …',
    );
    expect(fault(entries, "absent w0")).toMatch(/is not in "two.safetensors".* 59999 more/);
    expect(fault(entries, "none w0")).toMatch(/does not say in which file.* 59999 more/);
    expect(numbersOf(tensorIn(entries, "a"))).toEqual(numbers);
  });

  it("decides which of two files has a tensor that both hold", () => {
    const other = { ...part("a", "F32"), shape: [1, 1], data: new Uint8Array(4) };
    const entries = entriesOf(
      {
        "one.safetensors": safetensors([part("b", "F16"), other]),
        "two.safetensors": safetensors([part("a", "F32")]),
        "m.index.json": text({ weight_map: { b: "one.safetensors", a: "two.safetensors" } }),
      },
      "m.index.json",
    );
    expect(entries.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      "b tensor",
      "a left out",
      "a tensor",
    ]);
    expect(fault(entries, "a")).toBe('is in "one.safetensors", and the index has it in "two.safetensors"');
    const [, , a] = entries;
    expect(a.kind === "tensor" && numbersOf(a)).toEqual(numbers);
  });

  it("refuses a key that stands twice, and a damaged index", () => {
    expect(() =>
      index('{"weight_map":{"a":"one.safetensors","b":"two.safetensors","a":"two.safetensors"}}'),
    ).toThrow(/has the key "a" twice/);
    expect(() => index('{"weight_map":{},"weight_map":{}}')).toThrow(/twice/);
    expect(() => index('{"weight_map":[]}')).toThrow(/none of a .safetensors/);
  });
});

describe("hostile JSON", () => {
  const why = (json: string | Uint8Array): string => {
    try {
      return `was read: ${JSON.stringify(parseJson(typeof json === "string" ? text(json) : json))}`;
    } catch (error) {
      return checkError(error).message;
    }
  };

  it("is refused for a key that stands twice, at any depth, escaped or not", () => {
    expect(why('{"a":"a","b":["a","a",{"a":"}\\"","x":1}]}')).toMatch(/^was read/);
    expect(why('{"a":1, "b":[0,{"c" :1,"d":{}, "c":2}]}')).toBe('has the key "c" twice');
    expect(why('{"a":1,"\\u0061":3}')).toBe('has the key "a" twice');
    expect(why('[[],{"__proto__":1,"__proto__":2}]')).toBe('has the key "__proto__" twice');
    // Many of them, at a depth, cost no more than the first.
    const many = `${'{"a":'.repeat(400)}{${'"b":1,'.repeat(200_000)}"b":1}${"}".repeat(400)}`;
    expect(why(many)).toBe('has the key "b" twice');
  });

  it("is refused for its depth before it is parsed, and brackets in strings do not count", () => {
    for (const open of ["[", '{"a":', '[{"\\"[":'])
      expect(why(open.repeat(3_000_000)), open).toBe("is JSON nested deeper than 512 levels");
    expect(why(`${"[".repeat(512)}${"]".repeat(512)}`)).toMatch(/^was read/);
    expect(why(`["${"[{".repeat(1000)}\\"${"[".repeat(600)}"]`)).toMatch(/^was read/);
    expect(why(`[${"[],".repeat(1000)}[]]`)).toMatch(/^was read/);
    expect(refused(withHeader(`{"a":${"[".repeat(100_000)}`))).toMatch(/^its header is JSON nested deeper/);
  });

  it("is what JSON.parse takes it for, if it is read", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value);
        expect(parseJson(text(json))).toEqual(JSON.parse(json));
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
