// The outer product of complex vectors, see src/kernels/hermitian-contract.ts.

/** a·p + b·q for two numbers */
@inline
function combined(a: v128, p: usize, b: v128, q: usize): v128 {
  return f64x2.add(f64x2.mul(a, v128.load(p)), f64x2.mul(b, v128.load(q)));
}

export function complexOuter(u: usize, m: usize, p: usize, q: usize, n: usize, single: bool, g: usize): void {
  const size: usize = single ? 4 : 8, row = n * size, end = p + (n << 3), across = q - p;
  for (const last = u + 2 * m * size; u < last; u += 2 * size, g += row) {
    const a = f64x2.splat(single ? <f64>f32.load(u) : f64.load(u));
    const b = f64x2.splat(single ? <f64>f32.load(u + 4) : f64.load(u + 8));
    for (let from = p, to = g; from < end; from += 32) {
      const x = combined(a, from, b, from + across), y = combined(a, from + 16, b, from + across + 16);
      if (single) {
        v128.store(to, v128.shuffle<f32>(f32x4.demote_f64x2_zero(x), f32x4.demote_f64x2_zero(y), 0, 1, 4, 5));
        to += 16;
      } else {
        v128.store(to, x);
        v128.store(to, y, 16);
        to += 32;
      }
    }
  }
}
