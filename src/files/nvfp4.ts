import { FileError } from "../matrix/errors.js";
import { BlockScales, type Codes, codedWeight } from "./coded-numbers.js";
import { arePowers, readsScales, type ScaleSource, scaleNumbers, storedScales } from "./scales.js";
import { valuesOf } from "./small-floats.js";
import { type PartsOf, partIn, type StoredTensor } from "./stored-tensor.js";
import type { WeightTensor } from "./tensor.js";

/** Two numbers in a byte, the first in the low half. */
export const E2M1: Codes = { bits: 4, values: () => valuesOf("F4") };

/** Numbers of a row that share a scale. */
const BLOCK = { NVFP4: 16, MXFP4: 32 };

/** How the scales of blocks and the scale of the tensor make one. */
type Combine = (block: number, whole: number) => number;

/**
 * Weights in NVFP4 and MXFP4 with a scale for each block of a row, [outputs, inputs]:
 *
 * | writer | E2M1 | for 16 numbers, E4M3 | for the tensor |
 * |---|---|---|---|
 * | TensorRT Model Optimizer | `weight` | `weight_scale` | times `weight_scale_2` |
 * | compressed-tensors, `nvfp4-pack-quantized` | `weight_packed` | `weight_scale` | over `weight_global_scale` |
 *
 * compressed-tensors' `mxfp4-pack-quantized` has the E8M0 scale of 32 numbers in `weight_scale`, and none for the tensor.
 */
export const nvfp4Parts: PartsOf = (numbers, find) => {
  const beside = /^(.*[./])?(weight|weight_packed)$/.exec(numbers.name);
  if (!beside || !["U8", "F4"].includes(numbers.dtype)) return undefined;
  const packed = beside[2] === "weight_packed";
  const prefix = beside[1] ?? "";
  const blocks = `${prefix}weight_scale`;
  const whole = `${prefix}weight_${packed ? "global_scale" : "scale_2"}`;
  if (!find(blocks) || !(packed || find(whole))) return undefined;
  return {
    parts: [blocks, whole].filter(find),
    weights() {
      const scale = partIn(find, blocks);
      if (packed && !find(whole)) return [mxfp4Weight(numbers, scale)];
      const combine: Combine = packed ? (block, all) => block / all : (block, all) => block * all;
      return [nvfp4Weight(numbers, scale, partIn(find, whole), combine)];
    },
  };
};

/** @throws FileError if there is not a scale for each block */
function shapeIn(
  { shape, dtype, count }: StoredTensor,
  scale: StoredTensor,
  block: number,
): [number, number] {
  const [rows, stored] = shape;
  const cols = dtype === "U8" ? 2 * stored : stored;
  const across = scale.shape[1];
  if (
    shape.length !== 2 ||
    count === 0 ||
    scale.shape.length !== 2 ||
    scale.shape[0] !== rows ||
    across * block !== cols
  )
    throw new FileError(`has a weight_scale [${scale.shape.slice(0, 8).join(", ")}] that does not fit`);
  return [rows, cols];
}

function mxfp4Weight(numbers: StoredTensor, scale: StoredTensor): WeightTensor {
  if (!arePowers(scale.dtype))
    throw new FileError("has no weight_global_scale, and a weight_scale that is not E8M0");
  const shape = shapeIn(numbers, scale, BLOCK.MXFP4);
  const scales = new BlockScales(storedScales(scale), 0, shape, [1, BLOCK.MXFP4]);
  return codedWeight(numbers, numbers.name, shape, E2M1, 0, scales);
}

function nvfp4Weight(
  numbers: StoredTensor,
  scale: StoredTensor,
  whole: StoredTensor,
  combine: Combine,
): WeightTensor {
  if (scale.dtype !== "F8_E4M3" || whole.count !== 1 || !readsScales(whole.dtype))
    throw new FileError(
      "has scales that are not understood: E4M3 for blocks and a number for all belong there",
    );
  const shape = shapeIn(numbers, scale, BLOCK.NVFP4);
  const source: ScaleSource = {
    powers: false,
    read(first, count) {
      const [all] = scaleNumbers(whole, 0, 1, "positive");
      // A block of tiny numbers may have a scale that is rounded to zero.
      return scaleNumbers(scale, first, count, "zero or positive").map((block) => combine(block, all));
    },
  };
  const scales = new BlockScales(source, 0, shape, [1, BLOCK.NVFP4]);
  return codedWeight(numbers, numbers.name, shape, E2M1, 0, scales);
}
