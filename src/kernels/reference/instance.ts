import { createArena } from "../arena.js";
import type { Kernels } from "../contract.js";
import { referenceEigen } from "./eigen.js";
import { referenceLoad } from "./load.js";
import { plainMemory } from "./memory.js";
import { referenceProducts } from "./products.js";

/** The kernels in plain loops, with a new memory. */
export function referenceKernels(): Kernels {
  const plain = plainMemory(1 << 20);
  const memory = () => plain.buffer();
  return {
    name: "reference",
    routines: {
      ...referenceProducts(memory),
      ...referenceLoad(memory),
      ...referenceEigen(memory),
    },
    arena: createArena(plain),
  };
}
