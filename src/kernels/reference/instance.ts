import { createArena } from "../arena.js";
import type { Kernels } from "../contract.js";
import { referenceEigen } from "./eigen.js";
import { referenceLoad } from "./load.js";
import { referenceProducts } from "./products.js";
import { referenceSvd } from "./svd.js";

/** The plain loops over a fresh memory of their own. */
export function referenceKernels(): Kernels {
  let bytes = new ArrayBuffer(1 << 20);
  const memory = () => bytes;
  return {
    name: "reference",
    routines: {
      ...referenceProducts(memory),
      ...referenceLoad(memory),
      ...referenceEigen(memory),
      ...referenceSvd(memory),
    },
    arena: createArena({
      buffer: memory,
      grow(size) {
        const grown = new ArrayBuffer(Math.ceil(Math.max(size, bytes.byteLength * 1.5) / 64) * 64);
        new Uint8Array(grown).set(new Uint8Array(bytes));
        bytes = grown;
      },
    }),
  };
}
