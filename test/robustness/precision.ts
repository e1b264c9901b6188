import type { Adversary } from "../../robustness/adversary.js";
import { fits } from "../../robustness/exact-truth.js";
import type { DenseMatrix, HalfMatrix } from "../../src/index.js";

/** A type of entries, and what is promised in it. */
export interface Precision {
  readonly dtype: "float64" | "float32" | "float16" | "bfloat16";
  /** unit of rounding, doubled, of the computation: half precision is computed with as float32 */
  readonly eps: number;
  /** relative error of σ */
  readonly sigma: number;
  /** error of the gradient times the relative gap */
  readonly gradient: number;
}

const float32 = { eps: 2 ** -23, sigma: 1e-6, gradient: 2e-6 };
export const PRECISIONS: readonly Precision[] = [
  { dtype: "float64", eps: 2 ** -52, sigma: 1e-13, gradient: 1e-12 },
  { dtype: "float32", ...float32 },
  { dtype: "float16", ...float32 },
  { dtype: "bfloat16", ...float32 },
];

export interface Stored {
  readonly A: DenseMatrix | HalfMatrix;
  /** A's entries as they were stored */
  readonly entries: Float32Array | Float64Array;
  /** a bound on ‖δA‖_F of storing them: by so much σ may have moved (Weyl), and its vectors are others */
  readonly moved: number;
}

const made = new Map<string, Stored | undefined>();

/** As `store`, each once: a million entries take a while. */
export function stored(of: Adversary, precision: Precision): Stored | undefined {
  const key = `${precision.dtype} ${of.name}`;
  if (!made.has(key)) made.set(key, store(of, precision));
  return made.get(key);
}

/** The matrix in a dtype; undefined where that cannot hold its entries: half precision exactly, float32 at all. */
function store({ entries, rows, cols }: Adversary, { dtype }: Precision): Stored | undefined {
  const shape: [number, number] = [rows, cols];
  if (dtype === "float64") return { A: { data: entries, shape }, entries, moved: 0 };
  const single = Float32Array.from(entries);
  if (dtype === "float32") {
    if (single.some((x, k) => !Number.isFinite(x) && Number.isFinite(entries[k]))) return undefined;
    const most = entries.reduce((sum, x, k) => Math.max(sum, Math.abs(x - single[k])), 0);
    const moved = most * Math.sqrt(entries.length);
    return { A: { data: single, shape }, entries: single, moved };
  }
  // A million numbers more say nothing that the smaller cases of 16 bits do not.
  if (entries.length > 3e5 || !fits(entries, dtype)) return undefined;
  const data = Uint16Array.from(entries, dtype === "bfloat16" ? toBfloat16 : toFloat16);
  return { A: { data, dtype, shape }, entries: single, moved: 0 };
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** Bits of a number that the format holds exactly, or of an infinity or NaN. */
function toBfloat16(x: number): number {
  word[0] = x;
  return bits[0] >>> 16;
}

function toFloat16(x: number): number {
  const sign = Object.is(x, -0) || x < 0 ? 0x8000 : 0;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (size === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 14) * 1024 + size * 2 ** (10 - exponent));
}
