/**
 * M = L·Lᵀ in place, for the rows of M: reads and writes the lower triangle.
 *
 * @returns undefined, or the first pivot that is not positive, where the factorization stops
 */
export function factorCholesky(M: readonly Float64Array[]): number | undefined {
  for (let i = 0; i < M.length; i++)
    for (let j = 0; j <= i; j++) {
      let sum = M[i][j];
      for (let k = 0; k < j; k++) sum -= M[i][k] * M[j][k];
      if (j < i) M[i][j] = sum / M[j][j];
      else if (sum > 0) M[i][i] = Math.sqrt(sum);
      else return sum;
    }
  return undefined;
}
