import type { WeightTensor } from "../files/tensor.js";

/** The names that PyTorch's weight normalization, old and new, gives the lengths of the rows and the rows. */
const PAIRS = [
  [/weight_g$/, "weight_v"],
  [/parametrizations\.weight\.original0$/, "parametrizations.weight.original1"],
] as const;

/**
 * The tensors that weight normalization makes a weight of, g·v/‖v‖: neither is the weight that the network uses. They are
 * known by their names and because g has one number for many of v.
 */
export function normalizedFactorsIn(tensors: readonly WeightTensor[]): ReadonlySet<WeightTensor> {
  const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return new Set(
    tensors.flatMap((lengths) =>
      PAIRS.flatMap(([suffix, rows]) => {
        const v = suffix.test(lengths.name) ? named.get(lengths.name.replace(suffix, rows)) : undefined;
        return v && isOfRows(lengths.shape, v.shape) ? [lengths, v] : [];
      }),
    ),
  );
}

/** Whether the axes of g are those of v or of length 1, and fewer numbers. */
function isOfRows(g: readonly number[], v: readonly number[]): boolean {
  if (g.length === 0) return true;
  const fits = g.length === v.length && g.every((length, axis) => length === 1 || length === v[axis]);
  return fits && g.some((length, axis) => length !== v[axis]);
}
