import { halfDecoder } from "../matrix/half.js";
import type { PanelData, PanelType } from "../matrix/types.js";
import { frobenius } from "../numerics/sums.js";

/** Terms that are summed before they join the total, so that rounding stays that of a few hundred. */
const BLOCK = 4096;

/**
 * ‖A‖_F out of the runs of numbers that A is read in, for numbers of any size: each run has a norm of its own, and
 * those are put together.
 *
 * Cost: one pass, a multiplication a number; of half precision a look into a table of 65536 squares.
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

/** Squares of float32 numbers neither overflow nor vanish in float64. */
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
