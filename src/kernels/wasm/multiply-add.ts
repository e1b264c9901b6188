// WebAssembly opcodes by their second byte: all begin with 0xfd, and the third byte is 2 where they are relaxed.
const PREFIX = 0xfd;
const RELAXED = 2;
const NOP = 1;

/** What a mark stands for: its opcode unfused, and, of a sum, that of the fused multiply-add which it ends. */
const MARKS: Record<number, { readonly plain: number; readonly fused?: number }> = {
  // f32x4.relaxed_max and relaxed_min: f32x4.mul, and f32x4.add or relaxed_madd.
  142: { plain: 0xe6 },
  141: { plain: 0xe4, fused: 0x85 },
  // The same of f64x2.
  144: { plain: 0xf2 },
  143: { plain: 0xf0, fused: 0x87 },
};

/**
 * Replaces the marks of multiply-adds (see `madd` in assembly/simd.ts), in place. a·b + c is compiled as
 * `a b mul c add`, with marks for `mul` and `add`. It becomes that, or `a b c madd` with three `nop`s behind it, so that
 * nothing changes its length, and one module serves engines with fused multiply-add and without.
 */
export function replaceMarks(bytes: Uint8Array<ArrayBuffer>, fuse: boolean): Uint8Array<ArrayBuffer> {
  const products: number[] = [];
  for (let i = 0; i + 2 < bytes.length; i++) {
    const mark = bytes[i] === PREFIX && bytes[i + 2] === RELAXED && MARKS[bytes[i + 1]];
    if (!mark) continue;
    if (!fuse) bytes.set([mark.plain, 1], i + 1);
    else if (!mark.fused) products.push(i);
    else {
      const product = products.pop() as number;
      bytes.copyWithin(product, product + 3, i);
      bytes.set([PREFIX, mark.fused, RELAXED, NOP, NOP, NOP], i - 3);
    }
  }
  return bytes;
}
