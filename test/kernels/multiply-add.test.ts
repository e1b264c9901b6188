import { describe, expect, it } from "vitest";
import { frequent, kernels, proof, svd } from "../../src/kernels/wasm/binary.generated.js";
import { decode } from "../../src/kernels/wasm/decode.js";
import { replaceMarks } from "../../src/kernels/wasm/multiply-add.js";

/** Second bytes of the opcodes, all of which begin with 0xfd; the third byte is 1, or 2 of relaxed ones. */
const relaxed = (opcode: number) => [0xfd, opcode, 2];
const simd = (opcode: number) => [0xfd, opcode, 1];
const get = (local: number) => [0x20, local];
const NOPS = [1, 1, 1];

const f32 = { mark: { mul: 0x8e, add: 0x8d }, mul: 0xe6, add: 0xe4, madd: 0x85 };
const f64 = { mark: { mul: 0x90, add: 0x8f }, mul: 0xf2, add: 0xf0, madd: 0x87 };

describe.each([f32, f64])("marks of a multiply-add, %j", ({ mark, mul, add, madd }) => {
  const marked = (a: number[], b: number[], c: number[]) => [
    ...[...a, ...b, ...relaxed(mark.mul)],
    ...[...c, ...relaxed(mark.add)],
  ];
  const plain = (a: number[], b: number[], c: number[]) => [...a, ...b, ...simd(mul), ...c, ...simd(add)];
  const fused = (a: number[], b: number[], c: number[]) => [...a, ...b, ...c, ...relaxed(madd), ...NOPS];

  it.each([
    ["a·b + c", (fma: typeof plain) => fma(get(1), get(2), get(3))],
    ["a·b + (c·d + e)", (fma: typeof plain) => fma(get(1), get(2), fma(get(3), get(4), get(5)))],
    ["(a·b + c)·d + e", (fma: typeof plain) => fma(fma(get(1), get(2), get(3)), get(4), get(5))],
    ["a·b + c·d", (fma: typeof plain) => fma(get(1), get(2), [...get(3), ...get(4), ...simd(0xe6)])],
  ])("%s", (_, code) => {
    const around = (inner: number[]) => Uint8Array.from([0, 0xfd, ...inner, 0x0b]);
    expect(replaceMarks(around(code(marked)), false)).toEqual(around(code(plain)));
    expect(replaceMarks(around(code(marked)), true)).toEqual(around(code(fused)));
  });
});

describe("the modules", () => {
  it.each(Object.entries({ kernels, svd, proof }))("%s is plain text and valid", (_, text) => {
    // Bundlers escape none of these characters.
    expect(text).toMatch(/^[#-[\]-~]+$/);
    expect(frequent).toMatch(/^[#-[\]-~]+$/);
    const bytes = decode(text);
    expect(WebAssembly.validate(replaceMarks(bytes, false))).toBe(true);
  });

  it("hold both forms of a multiply-add in the same bytes", () => {
    const count = (bytes: Uint8Array, opcode: number[]) =>
      bytes.reduce((sum, _, i) => sum + (opcode.every((byte, k) => bytes[i + k] === byte) ? 1 : 0), 0);
    const unfused = replaceMarks(decode(kernels), false);
    const fusing = replaceMarks(decode(kernels), true);
    expect(fusing.length).toBe(unfused.length);
    for (const { mul, madd } of [f32, f64]) {
      expect(count(unfused, relaxed(madd))).toBe(0);
      const fewer = count(unfused, simd(mul)) - count(fusing, simd(mul));
      expect(count(fusing, relaxed(madd))).toBe(fewer);
      expect(fewer).toBeGreaterThan(10);
    }
  });
});
