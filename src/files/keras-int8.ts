import { FileError } from "../matrix/errors.js";
import type { Hdf5Object } from "./hdf5.js";
import type { Hdf5Weights } from "./hdf5-weights.js";
import { isObject, type JsonObject } from "./json.js";
import type { KerasLayer } from "./keras-config.js";
import type { NpyHeader } from "./npy-header.js";
import { npyNumbers } from "./npz-weights.js";
import { type ByteSource, readInto } from "./source.js";
import { Buffer64, type OpenTensor, type WeightTensor } from "./tensor.js";

/** A kernel in 8-bit integers, and the dataset of its scales. */
interface Int8Kernel {
  readonly kernel: Hdf5Object;
  readonly scale: Hdf5Object;
  entry(object: Hdf5Object, name: string): WeightTensor;
}

/**
 * The kernel of a `Dense` layer that Keras 3 has quantized to int8, as the network uses it, in float32: each number divided
 * by the scale of its column. Undefined if the layer is no such one.
 *
 * Format: `keras.layers.Dense`: the variables are the kernel, perhaps the bias, and the scales, one for each column.
 */
export function dequantizedInt8(
  weights: Hdf5Weights,
  layer: KerasLayer | undefined,
  variables: readonly (readonly [string, Hdf5Object])[],
): Int8Kernel | undefined {
  const { className, config } = layer ?? {};
  if (className !== "Dense" || !config || !isInt8Policy(config)) return undefined;
  const kernel = variables.find(([key]) => key === "0")?.[1];
  const scale = variables.find(([key]) => key === (config["use_bias"] === false ? "1" : "2"))?.[1];
  if (!kernel || !scale || variables.length > 3) return undefined;
  const [numbers, scales] = [kernel.dataset(), scale.dataset()];
  const { shape = [] } = numbers;
  const fits =
    numbers.type.kind === "number" &&
    numbers.type.dtype.name === "int8" &&
    shape.length === 2 &&
    scales.type.kind === "number" &&
    scales.type.dtype.name === "float32" &&
    scales.shape?.length === 1 &&
    scales.shape[0] === shape[1];
  if (!fits || scales.type.kind !== "number") return undefined;
  const header = { dtype: scales.type.dtype, shape: [shape[1]], fortran: false, dataOffset: 0 };
  return {
    kernel,
    scale,
    entry: (_, name) => ({
      ...{
        kind: "tensor",
        name,
        shape,
        dtype: "float32",
        layout: "tensorflow",
        bytes: 4 * shape[0] * shape[1],
      },
      open() {
        const factors = scalesOf(weights, scale, header);
        return weights.opened(kernel, (content) => divided(content, factors));
      },
    }),
  };
}

/** Whether the layer has been quantized to int8, and its kernel is dequantized by scales alone. */
function isInt8Policy({ dtype: policy, quantization_config: quantization }: JsonObject): boolean {
  if (quantization !== undefined && quantization !== null) {
    const config = isObject(quantization) ? quantization["config"] : undefined;
    const own = isObject(config) ? config["weight_quantizer"] : undefined;
    if (!isObject(quantization) || quantization["class_name"] !== "Int8QuantizationConfig" || own !== null)
      return false;
  }
  if (typeof policy === "string") return policy.startsWith("int8_from_");
  return isObject(policy) && isObject(policy["config"]) && policy["config"]["mode"] === "int8";
}

/** Whether the layer also rounds what comes in to 8 bits, as it does unless only its weights are quantized. */
export function roundsInput(config: JsonObject): boolean {
  const { quantization_config: quantization } = config;
  const own = isObject(quantization) ? quantization["config"] : undefined;
  return isInt8Policy(config) && !(isObject(own) && own["activation_quantizer"] === null);
}

function scalesOf(weights: Hdf5Weights, scale: Hdf5Object, header: NpyHeader): Float64Array {
  const opened = weights.opened(scale, (content) => npyNumbers(content, header, "float32"));
  try {
    const factors = Float64Array.from(opened.numbers(0, header.shape[0]));
    const bad = factors.findIndex((factor) => !(factor > 0 && factor < Number.POSITIVE_INFINITY));
    if (bad >= 0)
      throw new FileError(
        `number ${bad} of its scale is ${factors[bad]} (counted from 0); it must be positive`,
      );
    return factors;
  } finally {
    opened.close();
  }
}

function divided(content: ByteSource, factors: Float64Array): Pick<OpenTensor, "numbers"> {
  const [stored, result] = [new Buffer64(), new Buffer64()];
  return {
    numbers(first, count) {
      const bytes = stored.take(count);
      readInto(content, first, bytes);
      const to = new Float32Array(result.take(4 * count).buffer, 0, count);
      for (let i = 0, column = first % factors.length; i < count; i++) {
        to[i] = (bytes[i] < 128 ? bytes[i] : bytes[i] - 256) / factors[column];
        if (++column === factors.length) column = 0;
      }
      return to;
    },
  };
}
