/** √(‖Av − σu‖² + ‖Aᵀu − σv‖²) of a row-major m×n matrix, in float64. */
export function residualOf(
  A: ArrayLike<number>,
  m: number,
  n: number,
  sigma: number,
  u: ArrayLike<number>,
  v: ArrayLike<number>,
): number {
  const back = new Float64Array(n);
  let square = 0;
  for (let i = 0; i < m; i++) {
    const ui = u[i];
    const row = i * n;
    let sum = 0;
    for (let j = 0; j < n; j++) {
      const a = A[row + j];
      sum += a * v[j];
      back[j] += a * ui;
    }
    square += (sum - sigma * ui) ** 2;
  }
  for (let j = 0; j < n; j++) square += (back[j] - sigma * v[j]) ** 2;
  return Math.sqrt(square);
}
