import { normalEntries } from "../../src/experiment/ground-truth.js";
import { complexMatrix, singularTriplet, svdvals, valueAndGrad } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import type { Task } from "./task.js";

export type ComplexCase = "normal" | "fourier" | "chirp";

export interface ComplexExample {
  readonly rows: number;
  readonly cols: number;
  /** real and imaginary parts in turn, row-major; so are u and v */
  readonly entries: Float64Array;
  readonly u: Float64Array;
  readonly v: Float64Array;
  readonly sigma: Float64Array;
  readonly gradientError: number;
  /** of the real matrix of twice the size */
  readonly realForm: { readonly sigma: Float64Array; readonly gradientError: number };
}

const [rows, cols] = [6, 8];

/** A small complex matrix with its singular values and vectors, and those of its real form. */
export const complex: Task<{ readonly kind: ComplexCase }, ComplexExample> = ({ kind }) => {
  const entries = entriesOf(kind);
  const A = complexMatrix(entries, [rows, cols]);
  const { u, v, gradientError } = singularTriplet(A);
  const doubled = { data: realForm(entries), shape: [2 * rows, 2 * cols] };
  return {
    rows,
    cols,
    entries,
    u,
    v,
    sigma: svdvals(A),
    gradientError,
    realForm: { sigma: svdvals(doubled), gradientError: valueAndGrad(doubled).gradientError },
  };
};

function entriesOf(kind: ComplexCase): Float64Array {
  if (kind === "normal") return Float64Array.from(normalEntries(createRandom(3), rows, 2 * cols));
  // A corner of the Fourier matrix of order 32: low frequencies of a short signal.
  const phase =
    kind === "fourier"
      ? (i: number, j: number) => (-2 * Math.PI * i * j) / 32
      : (i: number, j: number) => (Math.PI * (i - j) ** 2) / cols;
  const decay = kind === "fourier" ? () => 1 : (i: number, j: number) => Math.exp(-((i - j) ** 2) / 6);
  return Float64Array.from({ length: 2 * rows * cols }, (_, k) => {
    const [i, j] = [Math.floor(k / (2 * cols)), (k >> 1) % cols];
    return decay(i, j) * (k % 2 === 0 ? Math.cos(phase(i, j)) : Math.sin(phase(i, j)));
  });
}

/** Each entry a + ib as the block [a −b; b a]. */
function realForm(entries: Float64Array): Float64Array {
  const out = new Float64Array(4 * rows * cols);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) {
      const [re, im] = entries.subarray(2 * (i * cols + j));
      const to = 4 * i * cols + 2 * j;
      out.set([re, -im], to);
      out.set([im, re], to + 2 * cols);
    }
  return out;
}
