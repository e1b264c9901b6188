import { halfDecoder } from "../../matrix/half.js";
import type { Dense } from "../contract.js";

/** The routines for loading, in plain loops. */
export function referenceLoad(memory: () => ArrayBuffer): Omit<Dense, "eigenLargest" | "small"> {
  function largest(x: Float32Array | Float64Array, sumOfSquares: number): number {
    let most = 0;
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      const size = Math.abs(x[i]);
      if (!(size < Number.POSITIVE_INFINITY)) return Number.NaN;
      if (size > most) most = size;
      sum += size * size;
    }
    new Float64Array(memory(), sumOfSquares, 1)[0] = sum;
    return most;
  }
  function transpose(numbers: Float32Array | Float64Array | Uint16Array): Dense["transpose64"] {
    const s = numbers.BYTES_PER_ELEMENT;
    return (a, rows, cols, b, ldb) => {
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < cols; j++) numbers[(b + j * ldb) / s + i] = numbers[a / s + i * cols + j];
    };
  }
  return {
    largest32: (x, n, sumOfSquares) => largest(new Float32Array(memory(), x, n), sumOfSquares),
    largest64: (x, n, sumOfSquares) => largest(new Float64Array(memory(), x, n), sumOfSquares),
    spreadRows(a, rows, bytes, b, ldb) {
      const all = new Uint8Array(memory());
      for (let i = 0; i < rows; i++)
        for (let k = 0; k < ldb; k++) all[b + i * ldb + k] = k < bytes ? all[a + i * bytes + k] : 0;
    },
    transpose32: (...sizes) => transpose(new Float32Array(memory()))(...sizes),
    transpose64: (...sizes) => transpose(new Float64Array(memory()))(...sizes),
    transpose16: (...sizes) => transpose(new Uint16Array(memory()))(...sizes),
    largest16(x, n) {
      let most = 0;
      for (const bits of new Uint16Array(memory(), x, n)) most = Math.max(most, bits & 0x7fff);
      return most;
    },
    promote16(a, n, w, bfloat) {
      const bits = new Uint16Array(memory(), a, n).slice();
      const numbers = new Float32Array(memory(), w, n);
      const decode = halfDecoder(bfloat ? "bfloat16" : "float16");
      for (let i = 0; i < n; i++) numbers[i] = decode(bits[i]);
    },
    prescale16(x, n) {
      const numbers = new Uint16Array(memory(), x, n);
      for (let i = 0; i < n; i++) {
        const sign = numbers[i] & 0x8000;
        let bits = numbers[i] & 0x7fff;
        if (bits >= 1024) bits += 10 << 10;
        else if (bits > 0) {
          // A subnormal number, bits·2⁻²⁴ = (bits·2ᵏ)·2⁻²⁴⁻ᵏ: k brings its leading bit to the hidden bit.
          const k = Math.clz32(bits) - 21;
          bits = ((11 - k) << 10) + ((bits << k) & 1023);
        }
        numbers[i] = sign | bits;
      }
    },
  };
}
