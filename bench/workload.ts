import { createRandom, type Random } from "../src/numerics/random.js";
import { type Case, isComplexCase } from "./cases.js";

/** The entries of a case, row-major, one matrix after the other; complex ones with real and imaginary parts in turn. */
export interface Workload {
  readonly case: Case;
  readonly data: Float32Array | Float64Array;
  /** the same entries in half precision, where they are stored so */
  readonly halves?: Uint16Array;
  /** The k-th matrix of a batch. */
  at(k: number): Float32Array | Float64Array;
}

/** Chosen: the number of values in the leading cluster, and its width relative to σ₁. */
const CLUSTER = 8;
const CLUSTER_WIDTH = 0.01;

/** The same case and seed give the same entries everywhere. */
export function makeWorkload(of: Case, seed: number): Workload {
  const { rows, cols, batch, dtype, stored, spectrum } = of;
  const size = rows * cols * (isComplexCase(of) ? 2 : 1);
  const data = dtype === "float32" ? new Float32Array(size * batch) : new Float64Array(size * batch);
  for (let k = 0; k < batch; k++) {
    const random = createRandom(seed * 2 ** 20 + k);
    const entries = data.subarray(k * size, (k + 1) * size);
    if (spectrum === "gaussian") for (let i = 0; i < size; i++) entries[i] = random.normal();
    else entries.set(withSingularValues(random, rows, cols, fallOff(spectrum, Math.min(rows, cols))));
  }
  const halves = stored === "bfloat16" ? roundedToBfloat16(data as Float32Array) : undefined;
  return { case: of, data, halves, at: (k) => data.subarray(k * size, (k + 1) * size) };
}

/** Rounds the entries where they are, to even at a half, and returns their upper sixteen bits. */
function roundedToBfloat16(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const halves = new Uint16Array(data.length);
  for (let i = 0; i < bits.length; i++) {
    halves[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) >>> 16;
    bits[i] = halves[i] << 16;
  }
  return halves;
}

function fallOff(spectrum: "trained" | "clustered", count: number): Float64Array {
  // Weights of trained networks fall off like a power of the index.
  if (spectrum === "trained") return Float64Array.from({ length: count }, (_, i) => 1 / (i + 1));
  const cluster = Math.min(CLUSTER, count);
  return Float64Array.from({ length: count }, (_, i) =>
    i < cluster ? 1 - (CLUSTER_WIDTH * i) / CLUSTER : (0.9 * (count - i)) / (count - cluster + 1),
  );
}

/**
 * U·diag(σ)·Vᵀ. U and V are products of rounds of plane rotations by random angles, in each of which every
 * index has a random partner: after a few more than log₂ n rounds a coordinate vector is spread over all of
 * them. It takes m·n·log(m·n) operations, where Haar-random factors take a cubic number.
 */
export function withSingularValues(random: Random, m: number, n: number, sigma: Float64Array): Float64Array {
  const A = new Float64Array(m * n);
  for (const [i, value] of sigma.entries()) A[i * n + i] = value;
  for (let round = rounds(m); round > 0; round--)
    for (const { first, second, c, s } of pairing(random, m)) {
      const top = A.subarray(first * n, (first + 1) * n);
      const bottom = A.subarray(second * n, (second + 1) * n);
      for (let j = 0; j < n; j++) {
        const x = top[j];
        const y = bottom[j];
        top[j] = c * x - s * y;
        bottom[j] = s * x + c * y;
      }
    }
  for (let round = rounds(n); round > 0; round--) {
    const pairs = pairing(random, n);
    for (let row = 0; row < m * n; row += n)
      for (const { first, second, c, s } of pairs) {
        const x = A[row + first];
        const y = A[row + second];
        A[row + first] = c * x - s * y;
        A[row + second] = s * x + c * y;
      }
  }
  return A;
}

function rounds(length: number): number {
  return length === 1 ? 0 : Math.ceil(Math.log2(length)) + 3;
}

function pairing(random: Random, length: number) {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random.uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return Array.from({ length: length >> 1 }, (_, p) => {
    const angle = 2 * Math.PI * random.uniform();
    return { first: order[2 * p], second: order[2 * p + 1], c: Math.cos(angle), s: Math.sin(angle) };
  });
}
