import type { Dense } from "../contract.js";

/** The scan on loading, in plain loops. */
export function referenceLoad(memory: () => ArrayBuffer): Omit<Dense, "eigenLargest"> {
  function largest(x: Float32Array | Float64Array): number {
    let most = 0;
    for (let i = 0; i < x.length; i++) {
      const size = Math.abs(x[i]);
      if (!(size < Number.POSITIVE_INFINITY)) return Number.NaN;
      if (size > most) most = size;
    }
    return most;
  }
  function transpose(numbers: Float32Array | Float64Array): Dense["transpose64"] {
    const s = numbers.BYTES_PER_ELEMENT;
    return (a, rows, cols, b, ldb) => {
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < cols; j++) numbers[(b + j * ldb) / s + i] = numbers[a / s + i * cols + j];
    };
  }
  return {
    largest32: (x, n) => largest(new Float32Array(memory(), x, n)),
    largest64: (x, n) => largest(new Float64Array(memory(), x, n)),
    transpose32: (...sizes) => transpose(new Float32Array(memory()))(...sizes),
    transpose64: (...sizes) => transpose(new Float64Array(memory()))(...sizes),
  };
}
