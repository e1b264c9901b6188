import type { PanelData } from "../matrix/types.js";
import { partsOfType } from "./complex-numbers.js";
import type { OpenTensor, WeightTensor } from "./tensor.js";

/** A tensor with an inner axis brought to the front, in memory. */
export function outputsFirst(tensor: WeightTensor, axis: number): OpenTensor {
  const { shape, dtype } = tensor;
  const opened = tensor.open();
  try {
    const product = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
    const [before, length, parts] = [product(shape.slice(0, axis)), shape[axis], partsOfType(dtype)];
    const run = parts * product(shape.slice(axis + 1));
    const from = opened.numbers(0, product(shape));
    const to = from.slice();
    for (let b = 0; b < before; b++)
      for (let o = 0; o < length; o++) {
        const at = (b * length + o) * run;
        to.set(from.subarray(at, at + run), (o * before + b) * run);
      }
    return inMemory(to, parts);
  } finally {
    opened.close();
  }
}

/** Numbers in memory; of complex ones two parts each. */
export function inMemory(numbers: PanelData, parts: number): OpenTensor {
  return {
    numbers: (first, count) => numbers.subarray(parts * first, parts * (first + count)) as PanelData,
    close() {},
  };
}
