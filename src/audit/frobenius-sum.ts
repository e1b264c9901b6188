import { type NumberType, partType } from "../files/complex-numbers.js";
import { halfDecoder } from "../matrix/half.js";
import type { PanelData, PanelType } from "../matrix/types.js";
import { frobenius } from "../numerics/sums.js";
import { squares } from "./squares.generated.js";

/** Chosen: terms of a block. The error is that of 1024 terms plus the number of blocks. */
const BLOCK = 4096;

/** Bytes that are summed in one call. Chosen: half a MiB. */
const CHUNK = 2 ** 19;
const PAGE = 65_536;

/** Bytes of two vectors, of which the WebAssembly takes a multiple. */
const STEP = 32;

type Summed = "bfloat16" | "float16" | "float32";

interface Squares {
  readonly memory: Uint8Array;
  readonly sums: Readonly<Record<Summed, (at: number, bytes: number) => number>>;
}

let squaresModule: Squares | undefined | "none";

/** The sums of squares in WebAssembly; undefined where there is none. */
function inWebAssembly(): Squares | undefined {
  if (squaresModule === undefined) {
    try {
      const module = new WebAssembly.Module(Buffer.from(squares, "base64"));
      const memory = new WebAssembly.Memory({ initial: CHUNK / PAGE, maximum: PAGE });
      const { squaresOfBfloat16, squaresOfFloat16, squaresOfFloat32 } = new WebAssembly.Instance(module, {
        env: { memory },
      }).exports as Record<string, (at: number, bytes: number) => number>;
      squaresModule = {
        memory: new Uint8Array(memory.buffer),
        sums: { bfloat16: squaresOfBfloat16, float16: squaresOfFloat16, float32: squaresOfFloat32 },
      };
    } catch {
      // As with --jitless.
      squaresModule = "none";
    }
  }
  return squaresModule === "none" ? undefined : squaresModule;
}

/**
 * ‖A‖_F of a matrix that is read in parts: the norm of the norms of the parts, so that no square overflows.
 *
 * Cost: one pass, a multiplication for each number; float16, bfloat16 and float32 are summed in WebAssembly;
 * without it, half precision is looked up in a table of 65,536 squares. All numbers are finite.
 */
export class FrobeniusSum {
  readonly #dtype: PanelType;
  readonly #parts: number[] = [];
  #squares: Float64Array | undefined;

  constructor(dtype: NumberType) {
    this.#dtype = partType(dtype);
  }

  add(numbers: PanelData): void {
    if (this.#dtype === "float64") this.#parts.push(frobenius(numbers as Float64Array));
    else this.#parts.push(Math.sqrt(this.#sumOfSquares(numbers as Float32Array | Uint16Array, this.#dtype)));
  }

  #sumOfSquares(numbers: Float32Array | Uint16Array, dtype: Summed): number {
    const engine = inWebAssembly();
    if (!engine) {
      if (dtype === "float32") return sumOfSquares(numbers);
      this.#squares ??= squaresOf(dtype);
      return sumOfTable(numbers, this.#squares);
    }
    const { memory, sums } = engine;
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    let total = 0;
    for (let first = 0; first < bytes.length; first += CHUNK) {
      const chunk = bytes.subarray(first, first + CHUNK);
      memory.set(chunk);
      const padded = STEP * Math.ceil(chunk.length / STEP);
      memory.fill(0, chunk.length, padded);
      total += sums[dtype](0, padded);
    }
    return total;
  }

  total(): number {
    return frobenius(Float64Array.from(this.#parts));
  }
}

/** Squares of float32 numbers neither overflow nor underflow in float64. Four sums are faster than one with a callback. */
function sumOfSquares(x: ArrayLike<number>): number {
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

function sumOfTable(x: ArrayLike<number>, squares: Float64Array): number {
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
