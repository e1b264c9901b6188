import { halfDecoder } from "../matrix/half.js";
import type { PanelData, PanelType } from "../matrix/types.js";
import { frobenius } from "../numerics/sums.js";

/** Chosen: terms of a block. The error is that of 1024 terms plus the number of blocks. */
const BLOCK = 4096;

/**
 * ‖A‖_F of a matrix that is read in parts: the norm of the norms of the parts, so that no square overflows.
 *
 * Cost: one pass, a multiplication for each number; half precision is looked up in a table of 65,536 squares.
 */
export class FrobeniusSum {
  readonly #dtype: PanelType;
  readonly #parts: number[] = [];
  #squares: Float64Array | undefined;

  constructor(dtype: PanelType) {
    this.#dtype = dtype;
  }

  add(numbers: PanelData): void {
    if (this.#dtype === "float64") this.#parts.push(frobenius(numbers as Float64Array));
    else if (this.#dtype === "float32") this.#parts.push(Math.sqrt(sumOfSquares(numbers as Float32Array)));
    else {
      this.#squares ??= squaresOf(this.#dtype);
      this.#parts.push(Math.sqrt(sumOfTable(numbers as Uint16Array, this.#squares)));
    }
  }

  total(): number {
    return frobenius(Float64Array.from(this.#parts));
  }
}

/** Squares of float32 numbers neither overflow nor underflow in float64. Four sums are faster than one with a callback. */
function sumOfSquares(x: Float32Array): number {
  let total = 0;
  for (let first = 0; first < x.length; first += BLOCK) {
    const end = Math.min(first + BLOCK, x.length);
    let [a, b, c, d] = [0, 0, 0, 0];
    let i = first;
    for (; i + 4 <= end; i += 4) {
      a += x[i] * x[i];
      b += x[i + 1] * x[i + 1];
      c += x[i + 2] * x[i + 2];
      d += x[i + 3] * x[i + 3];
    }
    for (; i < end; i++) a += x[i] * x[i];
    total += a + b + (c + d);
  }
  return total;
}

function sumOfTable(x: Uint16Array, squares: Float64Array): number {
  let total = 0;
  for (let first = 0; first < x.length; first += BLOCK) {
    const end = Math.min(first + BLOCK, x.length);
    let [a, b, c, d] = [0, 0, 0, 0];
    let i = first;
    for (; i + 4 <= end; i += 4) {
      a += squares[x[i]];
      b += squares[x[i + 1]];
      c += squares[x[i + 2]];
      d += squares[x[i + 3]];
    }
    for (; i < end; i++) a += squares[x[i]];
    total += a + b + (c + d);
  }
  return total;
}

function squaresOf(dtype: "float16" | "bfloat16"): Float64Array {
  const decode = halfDecoder(dtype);
  return Float64Array.from({ length: 65536 }, (_, bits) => decode(bits) ** 2);
}
