// Outer products of complex vectors, see src/kernels/hermitian-contract.ts.

@inline
function outer<T>(u: usize, m: usize, p: usize, q: usize, n: usize, g: usize): void {
  const size = sizeof<T>(), row = n * size;
  for (let i: usize = 0; i < m; i++, u += 2 * size, g += row) {
    const a = v128.splat<T>(load<T>(u)), b = v128.splat<T>(load<T>(u + size));
    for (let o: usize = 0; o < row; o += 16)
      v128.store(g + o, v128.add<T>(v128.mul<T>(a, v128.load(p + o)), v128.mul<T>(b, v128.load(q + o))));
  }
}

export function complexOuter32(u: usize, m: usize, p: usize, q: usize, n: usize, g: usize): void {
  outer<f32>(u, m, p, q, n, g);
}

export function complexOuter64(u: usize, m: usize, p: usize, q: usize, n: usize, g: usize): void {
  outer<f64>(u, m, p, q, n, g);
}
