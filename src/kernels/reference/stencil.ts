import { createArena } from "../arena.js";
import type { StencilKernels } from "../stencil-contract.js";
import { plainMemory } from "./memory.js";

/** The routine of convolutions in plain loops. */
export function referenceStencil(): StencilKernels {
  const memory = plainMemory(1 << 16);
  return { name: "reference", routines: routinesOver(() => memory.buffer()), arena: createArena(memory) };
}

function routinesOver(memory: () => ArrayBuffer): StencilKernels["routines"] {
  return {
    stencil(out, rowsOut, channelsOut, from, rowsFrom, rows, cols, offsets, weights, count, height) {
      const numbers = new Float64Array(memory());
      const places = new Int32Array(memory(), offsets, count);
      for (let h = 0; h < height; h++)
        for (let i = 0; i < rows; i++) {
          const to = (out + h * channelsOut + i * rowsOut) / 8;
          for (let k = 0; k < count; k++) {
            const weight = numbers[weights / 8 + k * height + h];
            const first = (from + i * rowsFrom + places[k]) / 8;
            for (let j = 0; j < cols; j++) numbers[to + j] += weight * numbers[first + j];
          }
        }
    },
  };
}
