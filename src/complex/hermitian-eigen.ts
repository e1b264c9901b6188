import { eigenWork, type Kernels } from "../kernels/contract.js";
import { hermitianKernels, trimHermitian } from "../kernels/hermitian-kernels.js";
import { padTo } from "../numerics/padding.js";
import { norm2 } from "../numerics/sums.js";

/** The largest eigenvalues, descending, and the unit eigenvectors of the first, interleaved. */
export interface HermitianEigenpairs {
  readonly values: Float64Array;
  readonly vectors: Float64Array[];
}

/**
 * The `wanted` largest eigenvalues of a Hermitian n×n matrix and the first `full` eigenvectors, as `eigenLargest` finds them
 * for a symmetric one. The matrix is made tridiagonal and real first. Cost: 8/3·n³ multiplications and 16·n² bytes.
 *
 * @param write - writes the lower triangle: entry (i, j) is number i·lda + j of the real and of the imaginary parts
 */
export function hermitianLargest(
  { arena, routines }: Kernels,
  n: number,
  wanted: number,
  full: number,
  write: (re: Float64Array, im: Float64Array, lda: number) => void,
): HermitianEigenpairs {
  const hermitian = hermitianKernels();
  const lda = padTo(n, 2);
  const plane = (n + 3) * lda;
  const own = hermitian.arena.mark();
  const mark = arena.mark();
  try {
    const h = hermitian.arena.take(16 * plane);
    const form = hermitian.arena.take(40 * n);
    const re = hermitian.arena.f64(h, plane);
    const im = hermitian.arena.f64(h + 8 * plane, plane);
    write(re, im, lda);
    hermitian.routines.hermitianTridiagonalOf(h, lda, n, form);

    const t = arena.take(8 * n * lda);
    const values = arena.take(8 * wanted);
    const vectors = arena.take(8 * full * lda);
    const work = arena.take(8 * eigenWork(n));
    const T = arena.f64(t, n * lda).fill(0);
    const [diagonal, off] = [hermitian.arena.f64(form, n), hermitian.arena.f64(form + 8 * n, n)];
    for (let i = 0; i < n; i++) {
      T[i * lda + i] = diagonal[i];
      if (i > 0) T[i * lda + i - 1] = off[i];
    }
    routines.eigenLargest(t, lda, n, wanted, full, values, vectors, lda, work);

    // Where the routine takes a vector and leaves it.
    const x = re.subarray(n * lda, n * lda + n);
    const y = im.subarray(n * lda, n * lda + n);
    return {
      values: arena.f64(values, wanted).slice(),
      vectors: Array.from({ length: full }, (_, p) => {
        x.set(arena.f64(vectors + 8 * p * lda, n));
        hermitian.routines.hermitianVectorOf(h, lda, n, form);
        const length = Math.hypot(norm2(x), norm2(y));
        const vector = new Float64Array(2 * n);
        for (let i = 0; i < n; i++) {
          vector[2 * i] = x[i] / length;
          vector[2 * i + 1] = y[i] / length;
        }
        return vector;
      }),
    };
  } finally {
    arena.release(mark);
    hermitian.arena.release(own);
    trimHermitian();
  }
}
