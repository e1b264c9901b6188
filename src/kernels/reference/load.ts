import type { Dense } from "../contract.js";

/** The scan on loading, in plain loops. */
export function referenceLoad(memory: () => ArrayBuffer): Pick<Dense, "largest32" | "largest64"> {
  function largest(x: Float32Array | Float64Array): number {
    let most = 0;
    for (let i = 0; i < x.length; i++) {
      const size = Math.abs(x[i]);
      if (!(size < Number.POSITIVE_INFINITY)) return Number.NaN;
      if (size > most) most = size;
    }
    return most;
  }
  return {
    largest32: (x, n) => largest(new Float32Array(memory(), x, n)),
    largest64: (x, n) => largest(new Float64Array(memory(), x, n)),
  };
}
