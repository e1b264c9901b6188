import { FileError } from "../matrix/errors.js";
import { BlockScales, type Codes, codedWeight } from "./coded-numbers.js";
import type { MlxPacking } from "./model-config.js";
import { E2M1 } from "./nvfp4.js";
import { openWords, type WordLayout } from "./packed-integers.js";
import { readsScales, scaleNumbers, storedScales } from "./scales.js";
import { valuesOf } from "./small-floats.js";
import { type PartsOf, partIn, type StoredTensor, stackOf } from "./stored-tensor.js";
import type { WeightTensor } from "./tensor.js";

const E4M3: Codes = { bits: 8, values: () => valuesOf("F8_E4M3") };

/** The modes without biases, by the words for a scale; the scales are E8M0. */
const MICROSCALED: ReadonlyMap<number, Codes> = new Map([
  [4, E2M1],
  [8, E4M3],
]);

/** Numbers that share an E8M0 scale. */
const BLOCK = 32;

/** The tensors of a weight; their first axes, and perhaps one before for experts, are the same. */
interface Parts {
  readonly weight: StoredTensor;
  readonly scales: StoredTensor;
  readonly biases: StoredTensor | undefined;
}

/**
 * Weights that MLX has quantized, [outputs, inputs] or a stack of such: `weight` in U32 with `scales` and, in the affine
 * mode, `biases` beside it. A number is scale·q + bias, with a scale and a bias for each group of a row; in the modes
 * mxfp4 and mxfp8 it is a float times a power of two.
 *
 * Format: `mlx.core.quantize`. The numbers of a row lie in its words, the first in the lowest bits. Groups and bits of the
 * affine mode are in the model's `config.json`; 2, 4 and 8 bits are read.
 *
 * @param packing  of a layer, by the configuration; called if there is such a weight
 */
export function mlxParts(packing: (layer: string) => MlxPacking | undefined): PartsOf {
  return (weight, find) => {
    const beside = /^(.*[./])?weight$/.exec(weight.name);
    if (!beside || weight.dtype !== "U32") return undefined;
    const prefix = beside[1] ?? "";
    const [scales, biases] = [`${prefix}scales`, `${prefix}biases`];
    if (!find(scales)) return undefined;
    return {
      parts: [scales, biases].filter(find),
      weights() {
        const parts = {
          weight,
          scales: partIn(find, scales),
          biases: find(biases) ? partIn(find, biases) : undefined,
        };
        refuseShapes(parts);
        if (!parts.biases) return microscaledWeights(parts);
        return affineWeights(parts, parts.biases, packing(prefix.slice(0, -1)));
      },
    };
  };
}

function refuseShapes({ weight, scales, biases }: Parts): void {
  const { shape } = weight;
  const fits = [scales, ...(biases ? [biases] : [])].every(
    (one) =>
      one.shape.length === shape.length &&
      one.shape.slice(0, -1).every((length, axis) => length === shape[axis]) &&
      one.shape.at(-1) === scales.shape.at(-1),
  );
  if (!fits || (shape.length !== 2 && shape.length !== 3) || weight.count === 0 || scales.count === 0)
    throw new FileError("has scales or biases that do not fit");
}

/** The k-th of the matrices in a stack. */
function matrixOf(tensor: StoredTensor, stack: number, k: number): StoredTensor {
  const bytes = tensor.bytes / stack;
  return {
    ...{ ...tensor, shape: tensor.shape.slice(-2), count: tensor.count / stack },
    ...{ begin: tensor.begin + k * bytes, bytes },
  };
}

function stackIn({ shape }: StoredTensor): number {
  return shape.length === 3 ? shape[0] : 1;
}

function affineWeights(
  { weight, scales }: Parts,
  biases: StoredTensor,
  packing: MlxPacking | undefined,
): WeightTensor[] {
  if (!packing)
    throw new FileError("has no config.json of MLX beside it that says how many bits its numbers have");
  const { group } = packing;
  const bits = ([2, 4, 8] as const).find((width) => width === packing.bits);
  if (!bits) throw new FileError(`has numbers of ${packing.bits} bits, and 2, 4 and 8 are read`);
  const [rows, across] = weight.shape.slice(-2);
  const cols = (32 / bits) * across;
  const groups = scales.shape[scales.shape.length - 1];
  if (groups * group !== cols || !readsScales(scales.dtype) || !readsScales(biases.dtype))
    throw new FileError(`has scales that do not fit groups of ${group} numbers with ${bits} bits`);
  const layout: WordLayout = { rows, cols, bits, down: false };
  const stack = stackIn(weight);
  return stackOf(weight.name, stack, (name, k) => ({
    ...{ kind: "tensor", name, shape: [rows, cols], dtype: "float32" },
    ...{ layout: "pytorch", bytes: 4 * rows * cols },
    open: () =>
      openWords(matrixOf(weight, stack, k), layout, {
        scales: scaleNumbers(scales, k * rows * groups, rows * groups, "finite"),
        offsets: scaleNumbers(biases, k * rows * groups, rows * groups, "finite"),
        ofRow: Uint32Array.from({ length: rows }, (_, row) => row * groups),
        ofColumn: Uint32Array.from({ length: cols }, (_, col) => Math.floor(col / group)),
      }),
  }));
}

function microscaledWeights({ weight, scales }: Parts): WeightTensor[] {
  const [rows, across] = weight.shape.slice(-2);
  const codes = MICROSCALED.get(across / scales.shape[scales.shape.length - 1]);
  if (!codes || scales.dtype !== "U8")
    throw new FileError("has scales of MLX in a mode that is not understood");
  const shape: [number, number] = [rows, (32 / codes.bits) * across];
  return stackOf(weight.name, stackIn(weight), (name, k) =>
    codedWeight(weight, name, shape, codes, k, new BlockScales(storedScales(scales), k, shape, [1, BLOCK])),
  );
}
