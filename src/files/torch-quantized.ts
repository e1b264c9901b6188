import { FileError } from "../matrix/errors.js";
import { BlockScales, type Codes, codedNumbers } from "./coded-numbers.js";
import { storedScales } from "./scales.js";
import { signedBytes } from "./small-floats.js";
import { memorySource } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import type { TensorEntry } from "./tensor.js";
import type { TorchTensor } from "./torch-values.js";
import { type LocateStorage, storedTensorOf } from "./torch-views.js";

/** Chosen: q − zero is exact in float32. */
const ZERO_LIMIT = 2 ** 20;

/**
 * A tensor of eight-bit integers q that stand for (q − zero)·scale, rounded once to float32. There is one scale, or one
 * for each row, and then one zero for all rows. Anything else is left out.
 *
 * @throws FileError if its numbers are not there
 */
export function quantizedWeight(name: string, tensor: TorchTensor, locate: LocateStorage): TensorEntry {
  const { type, shape, count, quantizer } = tensor;
  const leave = (reason: string): TensorEntry => ({
    kind: "left out",
    name,
    shape,
    dtype: type.name,
    reason,
  });
  if (count === 0) return leave("is empty");
  if (!quantizer || (type.name !== "qint8" && type.name !== "quint8"))
    return leave(`dtype ${type.name} is not read`);
  const byRow = "scales" in quantizer;
  const rows = shape[0] ?? 1;
  if (byRow && (quantizer.axis !== 0 || quantizer.scales.count !== rows || quantizer.zeros.count !== rows))
    return leave("has quantization scales that are not one for each index of its first axis");
  const stored = storedTensorOf(name, tensor, locate);
  const scale = byRow ? storedTensorOf("scales", quantizer.scales, locate) : oneNumber(quantizer.scale);
  if (!["F64", "F32"].includes(scale.dtype))
    return leave("has quantization scales that are no floating-point numbers");
  const zeros = byRow ? storedTensorOf("zero points", quantizer.zeros, locate) : undefined;
  if (zeros && zeros.dtype !== "I64") return leave("has zero points that are not 64-bit integers");
  const matrix = [rows, count / rows] as const;
  const scales = new BlockScales(storedScales(scale), 0, matrix, byRow ? [1, matrix[1]] : matrix);
  return {
    ...{ kind: "tensor", name, shape, dtype: "float32", layout: "pytorch", bytes: 4 * count },
    ...(stored.unpacked && { unpacked: true }),
    open() {
      const zero = zeros ? commonZero(zeros) : (quantizer as { zero: number }).zero;
      return codedNumbers(stored, codesFor(type.name === "qint8", zero), 0, scales);
    },
  };
}

function oneNumber(value: number): StoredTensor {
  const bytes = new Uint8Array(Float64Array.of(value).buffer);
  return {
    ...{ kind: "stored", name: "scale", dtype: "F64", shape: [], count: 1, begin: 0, bytes: 8 },
    open: () => memorySource(bytes),
  };
}

function codesFor(signed: boolean, zero: number): Codes {
  if (!(Number.isInteger(zero) && Math.abs(zero) < ZERO_LIMIT))
    throw new FileError(`its zero point ${zero} is not an integer below ${ZERO_LIMIT}`);
  const plain = signed ? signedBytes() : Float32Array.from({ length: 256 }, (_, byte) => byte);
  return { bits: 8, values: () => plain.map((value) => value - zero) };
}

/** PyTorch's own quantization of rows has 0 for all of them. */
function commonZero({ begin, count, open }: StoredTensor): number {
  const source = open();
  try {
    const bytes = source.read(begin, 8 * count);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const first = view.getBigInt64(0, true);
    for (let at = 8; at < bytes.length; at += 8)
      if (view.getBigInt64(at, true) !== first)
        throw new FileError("has rows with different zero points, which are not read");
    return Number(first);
  } finally {
    source.close();
  }
}
